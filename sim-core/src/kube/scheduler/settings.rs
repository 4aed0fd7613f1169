//! What can be set of the scheduler, one field at a time or as a whole configuration.

use crate::base::sentence::{Sentence, catalogue};
use crate::base::time::SimDuration;

use super::{Scheduler, config};

/// A `KubeSchedulerConfiguration` document.
const CONFIG: &str = "kube-scheduler.config";
const PERCENTAGE: &str = "kube-scheduler.percentageOfNodesToScore";
const INITIAL_BACKOFF: &str = "kube-scheduler.podInitialBackoffSeconds";
const MAX_BACKOFF: &str = "kube-scheduler.podMaxBackoffSeconds";

impl Scheduler {
    /// Changes a field of its configuration; `false` when the key is not one of its.
    ///
    /// # Errors
    /// A sentence when the value is not one for the key.
    pub fn set(&mut self, key: &str, value: &str) -> Result<bool, Sentence> {
        let number = || {
            value
                .parse::<u32>()
                .map_err(|_| catalogue::SETTING_NUMBER.with(&[("key", &key), ("word", &value)]))
        };
        match key {
            PERCENTAGE => self.search.percentage = number()?.min(100),
            INITIAL_BACKOFF => {
                self.queue.initial_backoff = SimDuration::from_secs(u64::from(number()?.max(1)))
            }
            MAX_BACKOFF => self.queue.max_backoff = SimDuration::from_secs(u64::from(number()?)),
            CONFIG => self.configure(config::parse(value)?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Takes a whole configuration over, as a start with `--config` does.
    pub(super) fn configure(&mut self, configuration: config::Configuration) {
        self.search.percentage = configuration.percentage;
        self.queue.initial_backoff = configuration.initial_backoff;
        self.queue.max_backoff = configuration.max_backoff;
        self.profiles = configuration.profiles;
        self.configured += 1;
        self.scratch.forget();
        self.cache.index.forget();
    }

    /// Its configuration.
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        vec![
            (PERCENTAGE, self.search.percentage.to_string()),
            (
                INITIAL_BACKOFF,
                self.queue.initial_backoff.as_secs().to_string(),
            ),
            (MAX_BACKOFF, self.queue.max_backoff.as_secs().to_string()),
            (CONFIG, self.profile_names()),
        ]
    }

    /// Names of the profiles, joined by commas.
    pub(super) fn profile_names(&self) -> String {
        let names: Vec<&str> = self.profiles.iter().map(|profile| &*profile.name).collect();
        names.join(",")
    }
}
