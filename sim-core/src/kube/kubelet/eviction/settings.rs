//! The eviction manager's configuration.
//! Source: `pkg/kubelet/apis/config/v1beta1/defaults.go`, `pkg/kubelet/eviction/helpers.go`.

use crate::base::sentence::{Sentence, catalogue};
use crate::base::time::SimDuration;
use crate::kube::thresholds::{SIGNALS, Signal, Thresholds, entries};

/// Configuration of all nodes' managers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EvictionSettings {
    /// `evictionHard`.
    pub hard: Thresholds,
    /// `evictionSoft`.
    pub soft: Thresholds,
    /// `evictionSoftGracePeriod`: for how long a soft threshold must be crossed.
    pub soft_grace: [Option<SimDuration>; SIGNALS],
    /// `evictionMaxPodGracePeriod`: longest grace of a pod at a soft threshold.
    pub max_pod_grace: SimDuration,
    /// `evictionMinimumReclaim`: how much more than the threshold is reclaimed.
    pub minimum_reclaim: Thresholds,
    /// `evictionPressureTransitionPeriod`: for how long a condition outlasts its pressure.
    pub transition: SimDuration,
}

impl Default for EvictionSettings {
    fn default() -> Self {
        Self {
            hard: Thresholds::hard(),
            soft: Thresholds::default(),
            soft_grace: [None; SIGNALS],
            max_pod_grace: SimDuration::ZERO,
            minimum_reclaim: Thresholds::default(),
            transition: SimDuration::from_secs(5 * 60),
        }
    }
}

const SOFT: [&str; 2] = ["kubelet.eviction-soft", "kubelet.evictionSoft"];
const SOFT_GRACE: [&str; 2] = [
    "kubelet.eviction-soft-grace-period",
    "kubelet.evictionSoftGracePeriod",
];
const MAX_GRACE: [&str; 2] = [
    "kubelet.eviction-max-pod-grace-period",
    "kubelet.evictionMaxPodGracePeriod",
];
const RECLAIM: [&str; 2] = [
    "kubelet.eviction-minimum-reclaim",
    "kubelet.evictionMinimumReclaim",
];
const TRANSITION: [&str; 2] = [
    "kubelet.eviction-pressure-transition-period",
    "kubelet.evictionPressureTransitionPeriod",
];

/// Whether a key has a second spelling that is accepted here but not listed.
pub fn is_alias(key: &str) -> bool {
    [SOFT, SOFT_GRACE, MAX_GRACE, RECLAIM, TRANSITION]
        .iter()
        .any(|[_, alias]| *alias == key)
}

impl EvictionSettings {
    /// Changes a setting; false if the key is not one of these.
    ///
    /// # Errors
    /// A sentence when the value is not one for the key.
    pub fn set(&mut self, key: &str, value: &str) -> Result<bool, Sentence> {
        if SOFT.contains(&key) {
            let soft = Thresholds::parse(value)?;
            // A kubelet does not start with one and without the other: the periods come first.
            for signal in soft.signals() {
                if self.soft_grace[signal as usize].is_none() {
                    return Err(format!(
                        "grace period must be specified for the soft eviction threshold {}",
                        signal.name()
                    )
                    .into());
                }
            }
            self.soft = soft;
        } else if SOFT_GRACE.contains(&key) {
            let mut grace = [None; SIGNALS];
            for entry in entries(value) {
                let (signal, span) = entry.split_once('=').ok_or_else(|| {
                    Sentence::quoted(format!(
                        "{key}: {entry}: malformed pair, expect string=string"
                    ))
                })?;
                grace[Signal::parse(signal.trim())? as usize] = Some(SimDuration::parse(span)?);
            }
            self.soft_grace = grace;
        } else if MAX_GRACE.contains(&key) {
            let seconds: u64 = value
                .parse()
                .map_err(|_| catalogue::SETTING_SECONDS.with(&[("key", &key), ("word", &value)]))?;
            self.max_pod_grace = SimDuration::from_secs(seconds);
        } else if RECLAIM.contains(&key) {
            self.minimum_reclaim = Thresholds::parse_amounts(value)?;
        } else if TRANSITION.contains(&key) {
            self.transition = SimDuration::parse(value)?;
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    /// All settings but the hard thresholds, which are among the reservations.
    pub fn list(&self) -> Vec<(&'static str, String)> {
        let grace: Vec<String> = Signal::ALL
            .into_iter()
            .filter_map(|signal| {
                let span = self.soft_grace[signal as usize]?;
                Some(format!("{}={}", signal.name(), span.exact()))
            })
            .collect();
        vec![
            (SOFT[0], self.soft.text('<')),
            (SOFT_GRACE[0], grace.join(",")),
            (MAX_GRACE[0], self.max_pod_grace.as_secs().to_string()),
            (RECLAIM[0], self.minimum_reclaim.text('=')),
            (TRANSITION[0], self.transition.exact()),
        ]
    }
}
