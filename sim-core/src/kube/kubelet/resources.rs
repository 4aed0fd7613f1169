//! From a pod's requests and limits to control groups, OOM scores and resolvers.
//!
//! Sources: `pkg/kubelet/cm/helpers_linux.go`, `pkg/kubelet/kuberuntime/
//! kuberuntime_container_linux.go`, `pkg/kubelet/qos/policy.go`, `pkg/kubelet/network/dns/dns.go`.
//! Knows nothing of paths and files: those are the machine's.

use std::sync::Arc;

use crate::api::kube::container::Container;
use crate::api::resources::{ResourceAmounts, ResourceNeeds};
use crate::base::quantity::Quantity;
use crate::base::sentence::{Sentence, catalogue};
use crate::base::time::SimDuration;
use crate::kube::template::{PodTemplate, QosClass};
use crate::manifest::value::Value;
use crate::substrate::cgroup::convert::{quota_of_milli, shares_of_milli};
use crate::substrate::cgroup::place::Driver;
use crate::substrate::cgroup::settings::{GroupSettings, OomScore, Resolver, SandboxSpec, Sharing};

/// Address of the cluster's name server: the tenth of kubeadm's service range.
/// Source: `cmd/kubeadm/app/constants/constants.go` (`GetDNSIP`).
pub const CLUSTER_DNS: &str = "10.96.0.10";
/// Zone of the cluster's names. Source: `cmd/kubeadm/app/apis/kubeadm/v1beta4/defaults.go`.
pub const CLUSTER_DOMAIN: &str = "cluster.local";

/// What kubelets are told of resources.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResourceSettings {
    /// `cpuCFSQuota`: whether CPU limits become quotas.
    pub cpu_cfs_quota: bool,
    /// `cpuCFSQuotaPeriod`.
    pub cpu_cfs_quota_period: SimDuration,
    /// `podPidsLimit`; -1: none.
    pub pod_pids_limit: i64,
    /// `singleProcessOOMKill`: only one process of a container is killed for memory.
    pub single_process_oom_kill: bool,
    /// `cgroupDriver`; none: the runtime's.
    pub cgroup_driver: Option<Driver>,
}

impl Default for ResourceSettings {
    fn default() -> Self {
        Self {
            cpu_cfs_quota: true,
            cpu_cfs_quota_period: SimDuration::from_millis(100),
            pod_pids_limit: -1,
            single_process_oom_kill: false,
            cgroup_driver: None,
        }
    }
}

/// A setting's flag and its name in the configuration file.
const QUOTA: [&str; 2] = ["kubelet.cpu-cfs-quota", "kubelet.cpuCFSQuota"];
const PERIOD: [&str; 2] = ["kubelet.cpu-cfs-quota-period", "kubelet.cpuCFSQuotaPeriod"];
const PIDS: [&str; 2] = ["kubelet.pod-max-pids", "kubelet.podPidsLimit"];
const SINGLE: [&str; 2] = [
    "kubelet.singleProcessOOMKill",
    "kubelet.single-process-oom-kill",
];
const DRIVER: [&str; 2] = ["kubelet.cgroup-driver", "kubelet.cgroupDriver"];

impl ResourceSettings {
    /// Changes a setting; false if the key is not one of these.
    ///
    /// # Errors
    /// A sentence when the value is not one for the key.
    pub fn set(&mut self, key: &str, value: &str) -> Result<bool, Sentence> {
        let truth = || match value {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(catalogue::SETTING_TRUTH.with(&[("key", &key), ("word", &value)])),
        };
        if QUOTA.contains(&key) {
            self.cpu_cfs_quota = truth()?;
        } else if SINGLE.contains(&key) {
            self.single_process_oom_kill = truth()?;
        } else if PERIOD.contains(&key) {
            let period = SimDuration::parse(value)?;
            if !(SimDuration::from_millis(1)..=SimDuration::from_secs(1)).contains(&period) {
                return Err(format!(
                    "invalid configuration: cpuCFSQuotaPeriod (--cpu-cfs-quota-period) {value} must be between 1ms and 1sec, inclusive"
                )
                .into());
            }
            self.cpu_cfs_quota_period = period;
        } else if PIDS.contains(&key) {
            self.pod_pids_limit = value
                .parse()
                .map_err(|_| catalogue::SETTING_NUMBER.with(&[("key", &key), ("word", &value)]))?;
        } else if DRIVER.contains(&key) {
            self.cgroup_driver = match value {
                "systemd" => Some(Driver::Systemd),
                "cgroupfs" => Some(Driver::Cgroupfs),
                _ => return Err(catalogue::MACHINE_DRIVER.with(&[("word", &value)])),
            };
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    /// All settings with their values.
    pub fn list(&self) -> Vec<(&'static str, String)> {
        let driver = match self.cgroup_driver {
            None => "",
            Some(Driver::Systemd) => "systemd",
            Some(Driver::Cgroupfs) => "cgroupfs",
        };
        vec![
            (DRIVER[0], driver.to_owned()),
            (QUOTA[0], self.cpu_cfs_quota.to_string()),
            (PERIOD[0], self.cpu_cfs_quota_period.exact()),
            (PIDS[0], self.pod_pids_limit.to_string()),
            (SINGLE[0], self.single_process_oom_kill.to_string()),
        ]
    }

    fn period_us(&self) -> u64 {
        self.cpu_cfs_quota_period.as_micros()
    }
}

/// Whether a key has a second spelling that is accepted here but not listed.
pub fn is_alias(key: &str) -> bool {
    [QUOTA, PERIOD, PIDS, SINGLE, DRIVER]
        .iter()
        .any(|[_, alias]| *alias == key)
}

/// CPU in thousandths and memory in bytes; none where nothing is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Pair {
    cpu: Option<i64>,
    memory: Option<i64>,
}

fn whole(amount: Option<u64>) -> Option<i64> {
    amount.map(|amount| i64::try_from(amount).unwrap_or(i64::MAX))
}

fn pair(amounts: &ResourceAmounts) -> Pair {
    Pair {
        cpu: whole(amounts.cpu_milli),
        memory: whole(amounts.memory_bytes),
    }
}

/// `spec.resources` of the pod as a whole: requests and limits.
fn pod_level(template: &PodTemplate) -> Option<(Pair, Pair)> {
    let resources = template.document.path(&["spec", "resources"])?;
    let read = |which: &str| {
        let amount = |name: &str| {
            let value = resources.path(&[which, name])?;
            let text = match value {
                Value::Int(number) => number.to_string(),
                value => value.as_str()?.to_owned(),
            };
            Quantity::parse(&text).ok()
        };
        Pair {
            cpu: amount("cpu").map(|amount| amount.milli_value()),
            memory: amount("memory").map(|amount| amount.value()),
        }
    };
    let (requests, limits) = (read("requests"), read("limits"));
    (requests != Pair::default() || limits != Pair::default()).then_some((requests, limits))
}

/// Bytes of memory that a pod as a whole requests.
pub fn pod_memory_request(template: &PodTemplate) -> Option<i64> {
    pod_level(template)?.0.memory
}

/// Sum over containers and sidecars, or, where it is more, an init container and the sidecars
/// before it. Source: `staging/src/k8s.io/component-helpers/resource/helpers.go`.
fn aggregate(
    template: &PodTemplate,
    amounts: fn(&ResourceNeeds) -> &ResourceAmounts,
    of: fn(Pair) -> Option<i64>,
) -> i64 {
    let value = |container: &Container| of(pair(amounts(&container.resources))).unwrap_or(0);
    let mut sum: i64 = template.spec.containers.iter().map(value).sum();
    let (mut sidecars, mut peak) = (0_i64, 0_i64);
    for container in &template.spec.init_containers {
        if container.sidecar {
            sidecars = sidecars.saturating_add(value(container));
            peak = peak.max(sidecars);
        } else {
            peak = peak.max(value(container).saturating_add(sidecars));
        }
    }
    sum = sum.saturating_add(sidecars);
    sum.max(peak)
}

const fn requests_of(needs: &ResourceNeeds) -> &ResourceAmounts {
    &needs.requests
}

const fn limits_of(needs: &ResourceNeeds) -> &ResourceAmounts {
    &needs.limits
}

/// What the pod asks for as a whole, its runtime's overhead included.
fn pod_requests(template: &PodTemplate) -> Pair {
    let sums = Pair {
        cpu: Some(aggregate(template, requests_of, |pair| pair.cpu)),
        memory: Some(aggregate(template, requests_of, |pair| pair.memory)),
    };
    let own = pod_level(template);
    // A pod's limit stands for its request where neither it nor its containers state one.
    let pick = |request: Option<i64>, limit: Option<i64>, sum: Option<i64>| {
        request.or(match sum {
            Some(0) | None => limit.or(sum),
            sum => sum,
        })
    };
    let (mut cpu, mut memory) = match own {
        Some((requests, limits)) => (
            pick(requests.cpu, limits.cpu, sums.cpu),
            pick(requests.memory, limits.memory, sums.memory),
        ),
        None => (sums.cpu, sums.memory),
    };
    let overhead = overhead(template);
    cpu = Some(cpu.unwrap_or(0).saturating_add(overhead.cpu.unwrap_or(0)));
    memory = Some(
        memory
            .unwrap_or(0)
            .saturating_add(overhead.memory.unwrap_or(0)),
    );
    Pair { cpu, memory }
}

fn overhead(template: &PodTemplate) -> Pair {
    let amount = |name: &str| {
        let text = template.document.str_at(&["spec", "overhead", name])?;
        Quantity::parse(text).ok()
    };
    Pair {
        cpu: amount("cpu").map(|amount| amount.milli_value()),
        memory: amount("memory").map(|amount| amount.value()),
    }
}

/// The class, by the pod's own resources alone where it has some.
/// Source: `pkg/apis/core/v1/helper/qos/qos.go`.
pub fn class(template: &PodTemplate) -> QosClass {
    let Some((_, limits)) = pod_level(template) else {
        return template.qos;
    };
    let requests = pod_requests(template);
    let positive = |amount: Option<i64>| amount.filter(|amount| *amount > 0);
    let same = |request: Option<i64>, limit: Option<i64>| {
        positive(limit).is_some() && positive(limit) == positive(request)
    };
    if same(requests.cpu, limits.cpu) && same(requests.memory, limits.memory) {
        QosClass::Guaranteed
    } else if [requests.cpu, requests.memory, limits.cpu, limits.memory]
        .into_iter()
        .all(|amount| positive(amount).is_none())
    {
        QosClass::BestEffort
    } else {
        QosClass::Burstable
    }
}

/// The pod's own group.
pub fn pod_group(template: &PodTemplate, settings: &ResourceSettings) -> GroupSettings {
    let class = class(template);
    let mut group = GroupSettings {
        pids_limit: (settings.pod_pids_limit > 0).then_some(settings.pod_pids_limit),
        ..GroupSettings::default()
    };
    if class == QosClass::BestEffort {
        group.cpu_shares = Some(shares_of_milli(0));
        return group;
    }
    group.cpu_shares = Some(shares_of_milli(pod_requests(template).cpu.unwrap_or(0)));
    let all = || {
        template
            .spec
            .containers
            .iter()
            .chain(&template.spec.init_containers)
    };
    let own = pod_level(template)
        .map(|(_, limits)| limits)
        .unwrap_or_default();
    let overhead = overhead(template);
    let limit = |of: fn(Pair) -> Option<i64>| {
        let stated = of(own).filter(|amount| *amount > 0);
        let declared = stated.is_some()
            || all().all(|container| {
                of(pair(&container.resources.limits)).is_some_and(|amount| amount > 0)
            });
        let amount = stated.unwrap_or_else(|| aggregate(template, limits_of, of));
        declared.then(|| amount.saturating_add(of(overhead).unwrap_or(0)))
    };
    if let Some(cpu) = limit(|pair| pair.cpu) {
        group.cpu_period_us = Some(settings.period_us());
        group.cpu_quota_us = if settings.cpu_cfs_quota {
            quota_of_milli(cpu, settings.period_us())
        } else {
            Some(-1)
        };
    }
    group.memory_limit = limit(|pair| pair.memory);
    group
}

/// How the pod's sandbox is to be made; its runtime is looked up when it is.
pub fn sandbox(
    template: &PodTemplate,
    settings: &ResourceSettings,
    namespace: &str,
) -> SandboxSpec {
    let spec = |key: &str| template.document.path(&["spec", key]);
    let is = |key: &str| spec(key).and_then(Value::as_bool) == Some(true);
    let host = |key: &str| {
        if is(key) {
            Sharing::Host
        } else {
            Sharing::Sandbox
        }
    };
    let parents = match class(template) {
        QosClass::Guaranteed => vec!["kubepods"],
        QosClass::Burstable => vec!["kubepods", "burstable"],
        QosClass::BestEffort => vec!["kubepods", "besteffort"],
    };
    let pid = if is("hostPID") {
        Sharing::Host
    } else if is("shareProcessNamespace") {
        Sharing::Sandbox
    } else {
        Sharing::Own
    };
    SandboxSpec {
        parents,
        group: pod_group(template, settings),
        milli_cpu: pod_requests(template).cpu.unwrap_or(0),
        holder: true,
        network: host("hostNetwork"),
        plugs: Vec::new(),
        address: 0,
        unplugged: false,
        pid,
        ipc: host("hostIPC"),
        resolver: resolver(template, namespace),
        host_aliases: aliases(template),
        runtime: Arc::from(""),
        driver: settings.cgroup_driver,
        lasting: false,
    }
}

/// One container's group and its score.
pub fn container(
    template: &PodTemplate,
    container: &Container,
    settings: &ResourceSettings,
) -> (GroupSettings, OomScore) {
    let (requests, limits) = (
        pair(&container.resources.requests),
        pair(&container.resources.limits),
    );
    let asked = requests.cpu.or(limits.cpu).unwrap_or(0);
    let group = GroupSettings {
        cpu_shares: Some(shares_of_milli(asked)),
        cpu_quota_us: settings
            .cpu_cfs_quota
            .then(|| quota_of_milli(limits.cpu.unwrap_or(0), settings.period_us()))
            .flatten(),
        cpu_period_us: settings.cpu_cfs_quota.then(|| settings.period_us()),
        memory_limit: limits.memory.filter(|limit| *limit > 0),
        no_swap: true,
        oom_group: !settings.single_process_oom_kill,
        ..GroupSettings::default()
    };
    (group, score(template, container))
}

fn score(template: &PodTemplate, container: &Container) -> OomScore {
    /// Adjustment of what the node itself needs, and of pods that have what they may use.
    const GUARANTEED: i32 = -997;
    /// Adjustment of pods that asked for nothing.
    const BEST_EFFORT: i32 = 1_000;
    let critical = template.spec.priority_class_name.as_deref() == Some("system-node-critical");
    match class(template) {
        _ if critical => return OomScore::Fixed(GUARANTEED),
        QosClass::Guaranteed => return OomScore::Fixed(GUARANTEED),
        QosClass::BestEffort => return OomScore::Fixed(BEST_EFFORT),
        QosClass::Burstable => {}
    }
    let request = |container: &Container| {
        whole(container.resources.requests.memory_bytes)
            .unwrap_or(0)
            .saturating_add(unclaimed(template))
    };
    let mut bytes = request(container);
    if container.sidecar {
        let least = template.spec.containers.iter().map(request).min();
        bytes = bytes.max(least.unwrap_or(0));
    }
    OomScore::ByRequest { bytes }
}

/// Each container's part of what the pod asks for beyond its containers.
fn unclaimed(template: &PodTemplate) -> i64 {
    let Some((requests, limits)) = pod_level(template) else {
        return 0;
    };
    let claimed = aggregate(template, requests_of, |pair| pair.memory);
    let asked = requests
        .memory
        .or(if claimed == 0 { limits.memory } else { None });
    let rest = asked.unwrap_or(0).saturating_sub(claimed).max(0);
    let sidecars = template.spec.init_containers.iter();
    let count = template.spec.containers.len() + sidecars.filter(|init| init.sidecar).count();
    rest / i64::try_from(count.max(1)).unwrap_or(i64::MAX)
}

/// What `/etc/resolv.conf` is to say. An empty list of servers: the machine's own file.
fn resolver(template: &PodTemplate, namespace: &str) -> Resolver {
    let spec = |path: &[&str]| {
        let mut whole = vec!["spec"];
        whole.extend(path);
        template.document.path(&whole)
    };
    let on_host = spec(&["hostNetwork"]).and_then(Value::as_bool) == Some(true);
    let policy = spec(&["dnsPolicy"])
        .and_then(Value::as_str)
        .unwrap_or("ClusterFirst");
    let mut resolver = Resolver::default();
    let in_cluster = match policy {
        "ClusterFirst" => !on_host,
        "ClusterFirstWithHostNet" => true,
        _ => false,
    };
    if in_cluster {
        resolver.nameservers = vec![CLUSTER_DNS.into()];
        resolver.searches = vec![
            format!("{namespace}.svc.{CLUSTER_DOMAIN}").into(),
            format!("svc.{CLUSTER_DOMAIN}").into(),
            CLUSTER_DOMAIN.into(),
        ];
        resolver.options = vec!["ndots:5".into()];
    }
    let texts = |key: &str| -> Vec<Arc<str>> {
        spec(&["dnsConfig", key])
            .and_then(Value::as_list)
            .unwrap_or_default()
            .iter()
            .filter_map(|one| one.as_str().map(Arc::from))
            .collect()
    };
    for (list, key) in [
        (&mut resolver.nameservers, "nameservers"),
        (&mut resolver.searches, "searches"),
    ] {
        for text in texts(key) {
            if !list.contains(&text) {
                list.push(text);
            }
        }
    }
    let options = spec(&["dnsConfig", "options"]).and_then(Value::as_list);
    for option in options.into_iter().flatten() {
        let Some(name) = option.str_at(&["name"]) else {
            continue;
        };
        let text: Arc<str> = match option.str_at(&["value"]) {
            Some(value) => format!("{name}:{value}").into(),
            None => name.into(),
        };
        // A later option of the same name takes the place of the earlier one.
        resolver
            .options
            .retain(|old| old.split(':').next() != Some(name));
        resolver.options.push(text);
    }
    resolver
}

/// The name of a pod's host, and whether it has no domain beside it.
/// Source: `pkg/kubelet/kubelet_pods.go` (`GeneratePodHostNameAndDomain`, `truncatePodHostnameIfNeeded`).
pub fn hostname(template: &PodTemplate, name: &str) -> (String, bool) {
    let said = |key: &str| template.document.str_at(&["spec", key]);
    let whole = said("hostnameOverride");
    let found = whole.or_else(|| said("hostname")).unwrap_or(name);
    let cut = found.get(..63).filter(|_| found.len() > 63);
    let found = cut.map_or(found, |cut| cut.trim_end_matches(['-', '.']));
    (found.to_owned(), whole.is_some())
}

fn aliases(template: &PodTemplate) -> Vec<(Arc<str>, Vec<Arc<str>>)> {
    let list = template
        .document
        .path(&["spec", "hostAliases"])
        .and_then(Value::as_list);
    let names = |alias: &Value| -> Vec<Arc<str>> {
        alias
            .get("hostnames")
            .and_then(Value::as_list)
            .unwrap_or_default()
            .iter()
            .filter_map(|name| name.as_str().map(Arc::from))
            .collect()
    };
    list.unwrap_or_default()
        .iter()
        .filter_map(|alias| Some((alias.str_at(&["ip"])?.into(), names(alias))))
        .collect()
}
