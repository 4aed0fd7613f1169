//! What nodes keep back from pods: reservations and hard eviction thresholds.
//! Sources: `pkg/kubelet/cm/node_container_manager_linux.go`, `pkg/kubelet/eviction/helpers.go`.

use crate::base::quantity::Quantity;
use crate::base::resources::ResourceVector;
use crate::base::sentence::{Sentence, catalogue};
use crate::substrate::cgroup::convert::shares_of_milli;
use crate::substrate::cgroup::settings::GroupSettings;

use super::thresholds::{Signal, Threshold, Thresholds, entries};

/// Amounts that are kept back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amounts {
    /// CPU in thousandths.
    pub milli_cpu: i64,
    /// Memory in bytes.
    pub memory: i64,
    /// Local storage in bytes.
    pub ephemeral_storage: i64,
    /// Processes.
    pub pids: i64,
}

/// Reservations and thresholds of all nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reserved {
    /// `kubeReserved`.
    pub kube: Amounts,
    /// `systemReserved`.
    pub system: Amounts,
    /// `evictionHard`.
    pub hard: Thresholds,
}

impl Default for Reserved {
    fn default() -> Self {
        Self {
            kube: Amounts::default(),
            system: Amounts::default(),
            hard: Thresholds::hard(),
        }
    }
}

/// A setting's flag and its name in the configuration file.
const KUBE: [&str; 2] = ["kubelet.kube-reserved", "kubelet.kubeReserved"];
const SYSTEM: [&str; 2] = ["kubelet.system-reserved", "kubelet.systemReserved"];
const HARD: [&str; 2] = ["kubelet.eviction-hard", "kubelet.evictionHard"];

/// Whether a key has a second spelling that is accepted here but not listed.
pub fn is_alias(key: &str) -> bool {
    [KUBE, SYSTEM, HARD].iter().any(|[_, alias]| *alias == key)
}

impl Reserved {
    /// Changes a setting; false if the key is not one of these.
    ///
    /// # Errors
    /// A sentence when the value is not one for the key.
    pub fn set(&mut self, key: &str, value: &str) -> Result<bool, Sentence> {
        if KUBE.contains(&key) {
            self.kube = amounts(key, value)?;
        } else if SYSTEM.contains(&key) {
            self.system = amounts(key, value)?;
        } else if HARD.contains(&key) {
            // What is not named is off: the set is replaced as a whole.
            self.hard = Thresholds::parse(value)?;
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    /// All settings with their values.
    pub fn list(&self) -> Vec<(&'static str, String)> {
        let text = |amounts: &Amounts| {
            let mut parts = Vec::new();
            if amounts.milli_cpu > 0 {
                parts.push(format!("cpu={}m", amounts.milli_cpu));
            }
            if amounts.memory > 0 {
                parts.push(format!("memory={}", amounts.memory));
            }
            if amounts.ephemeral_storage > 0 {
                parts.push(format!("ephemeral-storage={}", amounts.ephemeral_storage));
            }
            if amounts.pids > 0 {
                parts.push(format!("pid={}", amounts.pids));
            }
            parts.join(",")
        };
        vec![
            (KUBE[0], text(&self.kube)),
            (SYSTEM[0], text(&self.system)),
            (HARD[0], self.hard.text('<')),
        ]
    }

    /// What pods may ask for of a capacity.
    pub fn allocatable(&self, capacity: &ResourceVector) -> ResourceVector {
        let mut rest = capacity.clone();
        let less =
            |amount: i64, kept: [i64; 3]| kept.into_iter().fold(amount, i64::saturating_sub).max(0);
        rest.milli_cpu = less(
            capacity.milli_cpu,
            [self.kube.milli_cpu, self.system.milli_cpu, 0],
        );
        let evicted =
            |limit: Option<Threshold>, capacity: i64| limit.map_or(0, |limit| limit.of(capacity));
        rest.memory = less(
            capacity.memory,
            [
                self.kube.memory,
                self.system.memory,
                evicted(self.hard.of(Signal::Memory), capacity.memory),
            ],
        );
        rest.ephemeral_storage = less(
            capacity.ephemeral_storage,
            [
                self.kube.ephemeral_storage,
                self.system.ephemeral_storage,
                evicted(self.hard.of(Signal::Nodefs), capacity.ephemeral_storage),
            ],
        );
        rest
    }

    /// The group above all pods of a node: its capacity less what is reserved, thresholds aside.
    pub fn group(&self, capacity: &ResourceVector) -> GroupSettings {
        /// Memory for which the kernel allows one task: `threads-max` of a 64-bit machine.
        const BYTES_PER_TASK: i64 = 131_072;
        let cpu = capacity.milli_cpu - self.kube.milli_cpu - self.system.milli_cpu;
        let memory = capacity.memory - self.kube.memory - self.system.memory;
        let pids = capacity.memory / BYTES_PER_TASK - self.kube.pids - self.system.pids;
        GroupSettings {
            cpu_shares: Some(shares_of_milli(cpu.max(0))),
            memory_limit: Some(memory.max(0)),
            pids_limit: Some(pids.max(1)),
            ..GroupSettings::default()
        }
    }
}

fn amounts(key: &str, value: &str) -> Result<Amounts, Sentence> {
    let mut amounts = Amounts::default();
    for entry in entries(value) {
        let (name, text) = entry
            .split_once('=')
            .ok_or_else(|| format!("{key}: {entry}: malformed pair, expect string=string"))?;
        let amount = Quantity::parse(text).map_err(|error| {
            let amount = catalogue::AMOUNT.with(&[("word", &text)]);
            amount.and("why", error.into()).at(key)
        })?;
        if amount.value() < 0 {
            return Err(
                format!("resource quantity for \"{name}\" cannot be negative: {text}").into(),
            );
        }
        match name {
            "cpu" => amounts.milli_cpu = amount.milli_value(),
            "memory" => amounts.memory = amount.value(),
            "ephemeral-storage" => amounts.ephemeral_storage = amount.value(),
            "pid" => amounts.pids = amount.value(),
            other => return Err(format!("cannot reserve \"{other}\" resource").into()),
        }
    }
    Ok(amounts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_that_are_set_replace_all() {
        let mut reserved = Reserved::default();
        reserved
            .set("kubelet.eviction-hard", "nodefs.available<100Mi")
            .unwrap();
        assert_eq!(reserved.hard.of(Signal::Memory), None);
        reserved
            .set("kubelet.kube-reserved", "cpu=100m,memory=100Mi")
            .unwrap();
        reserved
            .set("kubelet.systemReserved", "cpu=50m,memory=50Mi")
            .unwrap();
        let capacity = ResourceVector {
            milli_cpu: 10_000,
            memory: 10 << 30,
            ..ResourceVector::default()
        };
        let rest = reserved.allocatable(&capacity);
        assert_eq!((rest.milli_cpu, rest.memory), (9_850, 10_580_131_840));
        assert!(reserved.set("kubelet.kube-reserved", "cpu").is_err());
    }
}
