//! The cluster's settings, under the names of `docker swarm update`.

use crate::base::sentence::{Sentence, catalogue};
use crate::base::time::SimDuration;
use crate::swarm::dispatcher::{HEARTBEAT_EPSILON, HEARTBEAT_PERIOD};

/// Name of the heartbeat setting.
pub const HEARTBEAT: &str = "swarm.dispatcher-heartbeat";

/// Name of the history setting.
pub const HISTORY: &str = "swarm.task-history-limit";

/// Default number of tasks kept for a slot. Source: moby `daemon/cluster/convert/swarm.go`, swarmkit
/// `manager/manager.go` defaultTaskHistoryRetentionLimit.
pub const TASK_HISTORY_LIMIT: i64 = 5;

/// Values of the cluster object that can be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Time between heartbeats, before jitter.
    pub heartbeat_period: SimDuration,
    /// Tasks kept for a slot, the live one included; negative: all.
    pub task_history_limit: i64,
}

impl Settings {
    /// The defaults.
    pub const fn new() -> Self {
        Self {
            heartbeat_period: HEARTBEAT_PERIOD,
            task_history_limit: TASK_HISTORY_LIMIT,
        }
    }

    /// Changes one. The error says what was wrong with key or value.
    pub fn set(&mut self, key: &str, value: &str) -> Result<(), Sentence> {
        match key {
            HEARTBEAT => {
                let period = SimDuration::parse(value)?;
                // Upstream only refuses negative periods. Below twice the jitter a beat would follow
                // itself at once, so shorter ones are not modelled.
                if period < HEARTBEAT_EPSILON * 2 {
                    let least = HEARTBEAT_EPSILON * 2;
                    return Err(catalogue::HEARTBEAT_LEAST.with(&[("least", &least)]));
                }
                self.heartbeat_period = period;
            }
            HISTORY => {
                self.task_history_limit = value.parse().map_err(|_| {
                    catalogue::SETTING_NUMBER.with(&[("key", &key), ("word", &value)])
                })?
            }
            _ => return Err(catalogue::SETTING_UNKNOWN.with(&[("word", &key)])),
        }
        Ok(())
    }

    /// All of them, with their values.
    pub fn list(&self) -> Vec<(&'static str, String)> {
        vec![
            (HEARTBEAT, self.heartbeat_period.exact()),
            (HISTORY, self.task_history_limit.to_string()),
        ]
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self::new()
    }
}
