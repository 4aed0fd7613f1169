//! Component flags under their upstream names, with upstream's defaults.

use crate::base::sentence::{Form, Sentence, catalogue};
use crate::base::time::SimDuration;

use super::reserved::Reserved;

/// Flags that the modelled loops read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Silence after which a node counts as lost.
    /// Source: `pkg/controller/nodelifecycle/config/v1alpha1/defaults.go`.
    pub node_monitor_grace_period: SimDuration,
    /// Time between two looks at the nodes.
    /// Source: `staging/src/k8s.io/cloud-provider/config/v1alpha1/defaults.go`.
    pub node_monitor_period: SimDuration,
    /// Grace for a node that never reported. Source: as the grace period.
    pub node_startup_grace_period: SimDuration,
    /// NoExecute taints put on per second, per zone, in billionths.
    pub node_eviction_rate: u64,
    /// The same in a zone in partial disruption, in billionths.
    pub secondary_node_eviction_rate: u64,
    /// Share of lost nodes that makes a zone partially disrupted, in billionths.
    pub unhealthy_zone_threshold: u64,
    /// Nodes above which the secondary rate is not zero.
    pub large_cluster_size_threshold: u64,
    /// Life of a node's lease; it is renewed every quarter of that.
    /// Source: `pkg/kubelet/apis/config/v1beta1/defaults.go`.
    pub node_lease_duration: SimDuration,
    /// Time between two kubelet status computations. Source: as above.
    pub node_status_update_frequency: SimDuration,
    /// tolerationSeconds that admission gives for not-ready.
    /// Source: `plugin/pkg/admission/defaulttolerationseconds/admission.go`.
    pub default_not_ready_toleration: i64,
    /// tolerationSeconds that admission gives for unreachable.
    pub default_unreachable_toleration: i64,
    /// Time between two writes of kube-proxy's rules.
    /// Source: `pkg/proxy/apis/config/v1alpha1/defaults.go`.
    pub proxy_min_sync_period: SimDuration,
    /// Calls per second of each controller's client.
    /// Source: `pkg/controller/apis/config/v1alpha1/defaults.go`, as the burst.
    pub kube_api_qps: u64,
    /// Calls at once of each controller's client.
    pub kube_api_burst: u64,
    /// Time between two rounds of the pod garbage collector. Source: `pkg/controller/podgc/gc_controller.go`.
    pub pod_gc_period: SimDuration,
    /// Terminated pods that are kept, cluster-wide. Source: `pkg/controller/podgc/config/v1alpha1/defaults.go`.
    pub terminated_pod_gc_threshold: u64,
    /// Feature gate MaxUnavailableStatefulSet: beta and off in 1.36.
    pub max_unavailable_stateful_set: bool,
    /// Time between two looks of each HorizontalPodAutoscaler.
    /// Source: `pkg/controller/podautoscaler/config/v1alpha1/defaults.go`, as the next four.
    pub autoscaler_sync_period: SimDuration,
    /// Time in which recommendations to remove pods are held back.
    pub autoscaler_downscale_stabilization: SimDuration,
    /// Ratio around 1 that changes nothing, in billionths.
    pub autoscaler_tolerance: u64,
    /// Time after a pod's start in which its CPU samples are taken with care.
    pub autoscaler_cpu_initialization: SimDuration,
    /// Time after a pod's start in which readiness may not have been reached yet.
    pub autoscaler_readiness_delay: SimDuration,
    /// What nodes keep back from pods.
    pub reserved: Reserved,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            node_monitor_grace_period: SimDuration::from_secs(50),
            node_monitor_period: SimDuration::from_secs(5),
            node_startup_grace_period: SimDuration::from_secs(60),
            node_eviction_rate: 100_000_000,
            secondary_node_eviction_rate: 10_000_000,
            unhealthy_zone_threshold: 550_000_000,
            large_cluster_size_threshold: 50,
            node_lease_duration: SimDuration::from_secs(40),
            node_status_update_frequency: SimDuration::from_secs(10),
            default_not_ready_toleration: 300,
            default_unreachable_toleration: 300,
            proxy_min_sync_period: SimDuration::from_secs(1),
            kube_api_qps: 20,
            kube_api_burst: 30,
            pod_gc_period: SimDuration::from_secs(20),
            reserved: Reserved::default(),
            terminated_pod_gc_threshold: 12_500,
            max_unavailable_stateful_set: false,
            autoscaler_sync_period: SimDuration::from_secs(15),
            autoscaler_downscale_stabilization: SimDuration::from_secs(300),
            autoscaler_tolerance: 100_000_000,
            autoscaler_cpu_initialization: SimDuration::from_secs(300),
            autoscaler_readiness_delay: SimDuration::from_secs(30),
        }
    }
}

const GRACE: &str = "kube-controller-manager.node-monitor-grace-period";
const PERIOD: &str = "kube-controller-manager.node-monitor-period";
const STARTUP: &str = "kube-controller-manager.node-startup-grace-period";
const RATE: &str = "kube-controller-manager.node-eviction-rate";
const SECONDARY: &str = "kube-controller-manager.secondary-node-eviction-rate";
const THRESHOLD: &str = "kube-controller-manager.unhealthy-zone-threshold";
const LARGE: &str = "kube-controller-manager.large-cluster-size-threshold";
const LEASE: &str = "kubelet.node-lease-duration-seconds";
const STATUS: &str = "kubelet.node-status-update-frequency";
const NOT_READY: &str = "kube-apiserver.default-not-ready-toleration-seconds";
const UNREACHABLE: &str = "kube-apiserver.default-unreachable-toleration-seconds";
const PROXY: &str = "kube-proxy.iptables-min-sync-period";
const QPS: &str = "kube-controller-manager.kube-api-qps";
const BURST: &str = "kube-controller-manager.kube-api-burst";
const TERMINATED: &str = "kube-controller-manager.terminated-pod-gc-threshold";
const STATEFUL: &str = "kube-controller-manager.feature-gates.MaxUnavailableStatefulSet";
const HPA_PERIOD: &str = "kube-controller-manager.horizontal-pod-autoscaler-sync-period";
const HPA_DOWN: &str = "kube-controller-manager.horizontal-pod-autoscaler-downscale-stabilization";
const HPA_TOLERANCE: &str = "kube-controller-manager.horizontal-pod-autoscaler-tolerance";
const HPA_CPU: &str = "kube-controller-manager.horizontal-pod-autoscaler-cpu-initialization-period";
const HPA_READY: &str = "kube-controller-manager.horizontal-pod-autoscaler-initial-readiness-delay";

impl Settings {
    /// Changes a flag.
    ///
    /// # Errors
    /// A sentence when the flag is unknown or the value is not one for it.
    pub fn set(&mut self, key: &str, value: &str) -> Result<(), Sentence> {
        if self.reserved.set(key, value)? {
            return Ok(());
        }
        match key {
            GRACE => self.node_monitor_grace_period = positive(key, value)?,
            PERIOD => self.node_monitor_period = positive(key, value)?,
            STARTUP => self.node_startup_grace_period = positive(key, value)?,
            RATE => self.node_eviction_rate = billionths(key, value)?,
            SECONDARY => self.secondary_node_eviction_rate = billionths(key, value)?,
            THRESHOLD => self.unhealthy_zone_threshold = billionths(key, value)?,
            LARGE => self.large_cluster_size_threshold = number(key, value)?,
            LEASE => {
                let seconds = match value.strip_suffix('s') {
                    Some(_) => positive(key, value)?,
                    None => SimDuration::from_secs(number(key, value)?.max(1)),
                };
                self.node_lease_duration = seconds;
            }
            STATUS => self.node_status_update_frequency = positive(key, value)?,
            NOT_READY => self.default_not_ready_toleration = seconds(key, value)?,
            UNREACHABLE => self.default_unreachable_toleration = seconds(key, value)?,
            PROXY => self.proxy_min_sync_period = SimDuration::parse(value)?,
            QPS => self.kube_api_qps = number(key, value)?.clamp(1, 1_000_000),
            TERMINATED => self.terminated_pod_gc_threshold = number(key, value)?,
            STATEFUL => self.max_unavailable_stateful_set = truth(key, value)?,
            HPA_PERIOD => self.autoscaler_sync_period = positive(key, value)?,
            HPA_DOWN => self.autoscaler_downscale_stabilization = SimDuration::parse(value)?,
            HPA_TOLERANCE => self.autoscaler_tolerance = billionths(key, value)?,
            HPA_CPU => self.autoscaler_cpu_initialization = SimDuration::parse(value)?,
            HPA_READY => self.autoscaler_readiness_delay = SimDuration::parse(value)?,
            BURST => self.kube_api_burst = number(key, value)?.max(1),
            _ => return Err(catalogue::SETTING_UNKNOWN.with(&[("word", &key)])),
        }
        Ok(())
    }

    /// All flags with their values.
    pub fn list(&self) -> Vec<(&'static str, String)> {
        let mut list = self.reserved.list();
        list.extend([
            (UNREACHABLE, self.default_unreachable_toleration.to_string()),
            (NOT_READY, self.default_not_ready_toleration.to_string()),
            (BURST, self.kube_api_burst.to_string()),
            (QPS, self.kube_api_qps.to_string()),
            (STATEFUL, self.max_unavailable_stateful_set.to_string()),
            (HPA_CPU, self.autoscaler_cpu_initialization.exact()),
            (HPA_DOWN, self.autoscaler_downscale_stabilization.exact()),
            (HPA_READY, self.autoscaler_readiness_delay.exact()),
            (HPA_PERIOD, self.autoscaler_sync_period.exact()),
            (HPA_TOLERANCE, decimal(self.autoscaler_tolerance)),
            (TERMINATED, self.terminated_pod_gc_threshold.to_string()),
            (LARGE, self.large_cluster_size_threshold.to_string()),
            (RATE, decimal(self.node_eviction_rate)),
            (GRACE, self.node_monitor_grace_period.exact()),
            (PERIOD, self.node_monitor_period.exact()),
            (STARTUP, self.node_startup_grace_period.exact()),
            (SECONDARY, decimal(self.secondary_node_eviction_rate)),
            (THRESHOLD, decimal(self.unhealthy_zone_threshold)),
            (PROXY, self.proxy_min_sync_period.exact()),
            (LEASE, self.node_lease_duration.as_secs().to_string()),
            (STATUS, self.node_status_update_frequency.exact()),
        ]);
        list
    }
}

fn wrong(form: Form, key: &str, value: &str) -> Sentence {
    form.with(&[("key", &key), ("word", &value)])
}

fn positive(key: &str, value: &str) -> Result<SimDuration, Sentence> {
    let span = SimDuration::parse(value)?;
    if span.is_zero() {
        return Err(catalogue::SETTING_POSITIVE.with(&[("key", &key)]));
    }
    Ok(span)
}

fn truth(key: &str, value: &str) -> Result<bool, Sentence> {
    value
        .parse()
        .map_err(|_| wrong(catalogue::SETTING_TRUTH, key, value))
}

fn number(key: &str, value: &str) -> Result<u64, Sentence> {
    value
        .parse()
        .map_err(|_| wrong(catalogue::SETTING_NUMBER, key, value))
}

fn seconds(key: &str, value: &str) -> Result<i64, Sentence> {
    let text = value.strip_suffix('s').unwrap_or(value);
    text.parse()
        .map_err(|_| wrong(catalogue::SETTING_SECONDS, key, value))
}

/// Reads a decimal fraction exactly.
fn billionths(key: &str, value: &str) -> Result<u64, Sentence> {
    let wrong = || wrong(catalogue::SETTING_NUMBER, key, value);
    let (whole, fraction) = value.split_once('.').unwrap_or((value, ""));
    if fraction.len() > 9 || (whole.is_empty() && fraction.is_empty()) {
        return Err(wrong());
    }
    let whole: u64 = if whole.is_empty() {
        0
    } else {
        whole.parse().map_err(|_| wrong())?
    };
    let padded = format!("{fraction:0<9}");
    let fraction: u64 = padded.parse().map_err(|_| wrong())?;
    whole
        .checked_mul(1_000_000_000)
        .and_then(|whole| whole.checked_add(fraction))
        .ok_or_else(wrong)
}

fn decimal(billionths: u64) -> String {
    let text = format!(
        "{}.{:09}",
        billionths / 1_000_000_000,
        billionths % 1_000_000_000
    );
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_written_as_they_are_read() {
        let mut settings = Settings::default();
        settings.set(RATE, "0.25").unwrap();
        settings.set(GRACE, "40s").unwrap();
        let list = settings.list();
        assert!(list.contains(&(RATE, "0.25".to_owned())));
        assert!(list.contains(&(GRACE, "40s".to_owned())));
        assert!(settings.set("nothing", "1").is_err());
        assert!(settings.set(GRACE, "soon").is_err());
    }
}
