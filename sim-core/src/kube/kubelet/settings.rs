//! Configuration of the kubelets.

use crate::base::sentence::{Sentence, catalogue};
use crate::base::time::SimDuration;

use super::eviction::settings::EvictionSettings;
use super::image_gc::ImageSettings;
use super::shutdown::ShutdownSettings;
use super::{Kubelets, backoff, resources};

/// Configuration of all kubelets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// What workers go by.
    pub workers: WorkerSettings,
    /// Control groups and what goes with them.
    pub resources: resources::ResourceSettings,
    /// When pods are evicted.
    pub eviction: EvictionSettings,
    /// How a shutdown of the machine is held up.
    pub shutdown: ShutdownSettings,
    /// When images are collected.
    pub images: ImageSettings,
}

/// What workers go by in every event of theirs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkerSettings {
    /// Longest wait between restarts (`crashLoopBackOff.maxContainerRestartPeriod`).
    /// Source: `pkg/kubelet/apis/config/v1beta1/defaults.go`.
    pub max_restart_period: SimDuration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            workers: WorkerSettings {
                max_restart_period: backoff::MAX,
            },
            resources: resources::ResourceSettings::default(),
            eviction: EvictionSettings::default(),
            shutdown: ShutdownSettings::default(),
            images: ImageSettings::default(),
        }
    }
}

const MAX_RESTART_PERIOD: &str = "kubelet.crashLoopBackOff.maxContainerRestartPeriod";

impl Kubelets {
    /// Changes a field of the configuration; `false` when the key is not one of theirs.
    ///
    /// # Errors
    /// A sentence when the value is not one for the key.
    pub fn set(&mut self, key: &str, value: &str) -> Result<bool, Sentence> {
        if self.settings.resources.set(key, value)? {
            // Pods that come from now on are made by the new settings.
            self.recipes.iter_mut().for_each(Vec::clear);
            return Ok(true);
        }
        if self.settings.eviction.set(key, value)? {
            self.recheck = true;
            return Ok(true);
        }
        if self.settings.shutdown.set(key, value)? {
            return Ok(true);
        }
        if self.settings.images.set(key, value)? {
            self.recheck = true;
            return Ok(true);
        }
        if key != MAX_RESTART_PERIOD {
            return Ok(false);
        }
        let period = SimDuration::parse(value)?;
        let least = SimDuration::from_secs(1);
        if period < least || period > backoff::MAX {
            return Err(catalogue::SETTING_BETWEEN.with(&[
                ("key", &key),
                ("least", &least.exact()),
                ("most", &backoff::MAX.exact()),
            ]));
        }
        self.settings.workers.max_restart_period = period;
        Ok(true)
    }

    /// The configuration.
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        let mut list = self.settings.resources.list();
        list.extend(self.settings.eviction.list());
        list.extend(self.settings.shutdown.list());
        list.extend(self.settings.images.list());
        list.push((
            MAX_RESTART_PERIOD,
            self.settings.workers.max_restart_period.exact(),
        ));
        list
    }
}
