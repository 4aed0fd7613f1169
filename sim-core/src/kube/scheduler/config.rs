//! A `KubeSchedulerConfiguration` document: what `kube-scheduler --config` takes.
//!
//! Sources: `pkg/scheduler/apis/config/v1/{defaults,default_plugins}.go`,
//! `pkg/scheduler/apis/config/validation/{validation,validation_pluginargs}.go`.

use std::sync::Arc;

use crate::api::kube::affinity::Affinity;
use crate::api::kube::spread::SpreadConstraint;
use crate::base::sentence::passage::Passage;
use crate::base::sentence::{Sentence, catalogue};
use crate::base::time::SimDuration;
use crate::kube::volumes::claim::{node_selector_terms, preferred_terms};
use crate::manifest::decode::documents;
use crate::manifest::lines::Source;
use crate::manifest::scalar::Dialect;
use crate::manifest::value::Value;

use super::plugins::Plugin;
use super::plugins::resources::ShapePoint;
use super::profile::{Profile, ResourceWeight, Strategy};

/// `apiVersion` of the document.
const API_VERSION: &str = "kubescheduler.config.k8s.io/v1";
/// Its kind.
const KIND: &str = "KubeSchedulerConfiguration";
/// Profiles and plugins named in one document at most.
const NAMED_MAX: usize = 64;

/// A configuration.
#[derive(Clone, Debug)]
pub struct Configuration {
    /// `percentageOfNodesToScore`.
    pub percentage: u32,
    /// `podInitialBackoffSeconds`.
    pub initial_backoff: SimDuration,
    /// `podMaxBackoffSeconds`.
    pub max_backoff: SimDuration,
    /// `profiles`.
    pub profiles: Vec<Arc<Profile>>,
}

/// Problems found, each with its field's path.
#[derive(Debug, Default)]
struct Faults(Vec<Passage>);

impl Faults {
    fn invalid(&mut self, path: &str, value: impl std::fmt::Display, why: &str) {
        self.0
            .push(format!("{path}: Invalid value: {value}: {why}").into());
    }

    fn duplicate(&mut self, path: &str, name: &str) {
        self.0
            .push(format!("{path}: Duplicate value: \"{name}\"").into());
    }

    fn unmodelled(&mut self, path: &str, what: Sentence) {
        self.0.push(Passage::from(format!("{path}: ")).then(what));
    }

    fn required(&mut self, path: &str, why: &str) {
        self.0.push(format!("{path}: Required value: {why}").into());
    }
}

/// Reads a document.
///
/// # Errors
/// What is wrong with it, in upstream's words.
pub fn parse(text: &str) -> Result<Configuration, Sentence> {
    let source = Source::new("config", text);
    let (roots, problems) = documents(&source, Dialect::Kubernetes);
    if let Some(problem) = problems.iter().find(|problem| problem.is_error()) {
        return Err(problem.message.clone());
    }
    let Some(root) = roots.first() else {
        return Err(catalogue::REQUIRED.with(&[("what", &KIND)]));
    };
    read(&root.to_value())
}

fn read(value: &Value) -> Result<Configuration, Sentence> {
    let (version, kind) = (value.str_at(&["apiVersion"]), value.str_at(&["kind"]));
    if (version, kind) != (Some(API_VERSION), Some(KIND)) {
        let said = Sentence::quoted(format!(
            "no kind \"{}\" is registered for version \"{}\"",
            kind.unwrap_or(""),
            version.unwrap_or("")
        ));
        let right = format!("kind: {KIND}, apiVersion: {API_VERSION}");
        return Err(said.advise(catalogue::EXAMPLES.with(&[("examples", &right)])));
    }
    let mut faults = Faults::default();
    let percentage = range(
        value,
        "percentageOfNodesToScore",
        "",
        0,
        0..=100,
        &mut faults,
    );
    let initial = seconds(value, "podInitialBackoffSeconds", 1, 1, &mut faults);
    let max = seconds(value, "podMaxBackoffSeconds", 10, initial, &mut faults);
    let list = value
        .get("profiles")
        .and_then(Value::as_list)
        .unwrap_or_default();
    let mut profiles: Vec<Arc<Profile>> = Vec::new();
    for (index, item) in list.iter().take(NAMED_MAX).enumerate() {
        let path = format!("profiles[{index}]");
        let profile = profile(item, &path, &mut faults);
        if profile.name.is_empty() {
            faults.required(&format!("{path}.schedulerName"), "");
        } else if profiles.iter().any(|other| other.name == profile.name) {
            let name = &profile.name;
            faults.duplicate(&format!("{path}.schedulerName"), name);
        }
        profiles.push(Arc::new(profile));
    }
    if profiles.is_empty() {
        profiles.push(Arc::default());
    }
    if value
        .get("extenders")
        .and_then(Value::as_list)
        .is_some_and(|list| !list.is_empty())
    {
        faults.unmodelled("extenders", catalogue::UNMODELLED.plain());
    }
    match faults.0.len() {
        0 => Ok(Configuration {
            percentage: u32::try_from(percentage).unwrap_or(0),
            initial_backoff: SimDuration::from_secs(initial.unsigned_abs()),
            max_backoff: SimDuration::from_secs(max.unsigned_abs()),
            profiles,
        }),
        1 => Err(faults.0.remove(0).into()),
        _ => {
            let faults = faults.0.into_iter().enumerate();
            let faults = faults.map(|(place, fault)| {
                Passage::from(if place > 0 { ", " } else { "[" }).then(fault)
            });
            Err(faults.collect::<Passage>().then("]").into())
        }
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

fn range(
    value: &Value,
    key: &str,
    path: &str,
    default: i64,
    allowed: std::ops::RangeInclusive<i64>,
    faults: &mut Faults,
) -> i64 {
    let Some(number) = value.i64_at(&[key]) else {
        return default;
    };
    if !allowed.contains(&number) {
        let why = format!("not in valid range [{}-{}]", allowed.start(), allowed.end());
        faults.invalid(&join(path, key), number, &why);
    }
    number
}

fn seconds(value: &Value, key: &str, default: i64, least: i64, faults: &mut Faults) -> i64 {
    let number = value.i64_at(&[key]).unwrap_or(default);
    if key == "podInitialBackoffSeconds" && number <= 0 {
        faults.invalid(key, number, "must be greater than 0");
    } else if key == "podMaxBackoffSeconds" && number < least && number != 0 {
        faults.invalid(
            key,
            number,
            "must be greater than or equal to PodInitialBackoffSeconds",
        );
    }
    number.clamp(0, 86_400)
}

fn profile(item: &Value, path: &str, faults: &mut Faults) -> Profile {
    let mut profile = Profile {
        name: item
            .str_at(&["schedulerName"])
            .unwrap_or("default-scheduler")
            .into(),
        ..Profile::default()
    };
    if item.get("percentageOfNodesToScore").is_some() {
        let key = "percentageOfNodesToScore";
        let number = range(item, key, path, 0, 0..=100, faults);
        profile.percentage = Some(u32::try_from(number).unwrap_or(0));
    }
    if let Some(plugins) = item.get("plugins") {
        enable(plugins, &format!("{path}.plugins"), &mut profile, faults);
    }
    let list = item.get("pluginConfig").and_then(Value::as_list);
    for (index, entry) in list.unwrap_or_default().iter().take(NAMED_MAX).enumerate() {
        let path = format!("{path}.pluginConfig[{index}]");
        let nothing = Value::map();
        let arguments = entry.get("args").unwrap_or(&nothing);
        let name = entry.str_at(&["name"]).unwrap_or("");
        let path = format!("{path}.args");
        match name {
            "NodeResourcesFit" => fit(arguments, &path, &mut profile, faults),
            "NodeResourcesBalancedAllocation" => balanced(arguments, &path, &mut profile, faults),
            "PodTopologySpread" => spread(arguments, &path, &mut profile, faults),
            "InterPodAffinity" => {
                let key = "hardPodAffinityWeight";
                profile.hard_pod_affinity_weight = range(arguments, key, &path, 1, 0..=100, faults);
                profile.ignore_preferred = arguments
                    .get("ignorePreferredTermsOfExistingPods")
                    .and_then(Value::as_bool)
                    .unwrap_or(false);
            }
            "NodeAffinity" => {
                let added = arguments.get("addedAffinity");
                profile.added_affinity = added.map_or_else(Affinity::default, |added| Affinity {
                    node_required: added
                        .get("requiredDuringSchedulingIgnoredDuringExecution")
                        .map(node_selector_terms),
                    node_preferred: added
                        .get("preferredDuringSchedulingIgnoredDuringExecution")
                        .map(preferred_terms)
                        .unwrap_or_default(),
                    ..Affinity::default()
                });
            }
            "DefaultPreemption" => {
                let key = "minCandidateNodesPercentage";
                let percentage = range(arguments, key, &path, 10, 0..=100, faults);
                let key = "minCandidateNodesAbsolute";
                let absolute = range(arguments, key, &path, 100, 0..=i64::from(u32::MAX), faults);
                if percentage == 0 && absolute == 0 {
                    faults.invalid(
                        &join(&path, "minCandidateNodesPercentage"),
                        0,
                        "cannot both be zero with minCandidateNodesAbsolute",
                    );
                }
                profile.candidates_percentage = u32::try_from(percentage).unwrap_or(10);
                profile.candidates_absolute = u32::try_from(absolute).unwrap_or(100);
            }
            "VolumeBinding" | "DynamicResources" => {}
            _ => {
                let what = catalogue::UNMODELLED_WHAT.with(&[("what", &name)]);
                faults.unmodelled(&path, what);
            }
        }
    }
    profile
}

/// `plugins`: which are on, and what their scores weigh.
fn enable(plugins: &Value, path: &str, profile: &mut Profile, faults: &mut Faults) {
    let find = |name: &str| Plugin::ALL.into_iter().find(|plugin| plugin.name() == name);
    for point in [
        "multiPoint",
        "filter",
        "preFilter",
        "postFilter",
        "score",
        "preScore",
    ] {
        let Some(set) = plugins.get(point) else {
            continue;
        };
        let filters = matches!(point, "multiPoint" | "filter" | "preFilter");
        let scores = matches!(point, "multiPoint" | "score" | "preScore");
        let evicts = matches!(point, "multiPoint" | "postFilter");
        let entries = |key: &str| set.get(key).and_then(Value::as_list).unwrap_or_default();
        for entry in entries("disabled") {
            let name = entry.str_at(&["name"]).unwrap_or("");
            for plugin in Plugin::ALL {
                if name != "*" && name != plugin.name() {
                    continue;
                }
                let is_eviction = plugin == Plugin::DefaultPreemption;
                if filters && !is_eviction || evicts && is_eviction {
                    profile.filters = profile.filters.without(plugin);
                }
                if scores {
                    profile.weights[plugin as usize] = 0;
                }
            }
        }
        for (index, entry) in entries("enabled").iter().enumerate() {
            let name = entry.str_at(&["name"]).unwrap_or("");
            let Some(plugin) = find(name) else {
                if !is_known(name) {
                    let path = format!("{path}.{point}.enabled[{index}]");
                    let what = catalogue::UNMODELLED_WHAT.with(&[("what", &name)]);
                    faults.unmodelled(&path, what);
                }
                continue;
            };
            if filters || evicts && plugin == Plugin::DefaultPreemption {
                profile.filters = profile.filters.with(plugin);
            }
            if scores && Plugin::SCORERS.contains(&plugin) {
                let weight = entry.i64_at(&["weight"]).unwrap_or(0);
                profile.weights[plugin as usize] = match u32::try_from(weight) {
                    Ok(0) | Err(_) if point == "multiPoint" => plugin.weight(),
                    Ok(0) | Err(_) => 1,
                    Ok(weight) => weight.min(10_000),
                };
            }
        }
    }
}

/// Plugins of the default profile that decide nothing here.
fn is_known(name: &str) -> bool {
    matches!(
        name,
        "PrioritySort" | "DefaultBinder" | "DynamicResources" | "NodeDeclaredFeatures" | "*"
    )
}

fn fit(arguments: &Value, path: &str, profile: &mut Profile, faults: &mut Faults) {
    let names = |key: &str| -> Vec<Arc<str>> {
        let list = arguments.get(key).and_then(Value::as_list);
        list.unwrap_or_default()
            .iter()
            .filter_map(|name| name.as_str().map(Arc::from))
            .collect()
    };
    profile.ignored_resources = names("ignoredResources");
    profile.ignored_groups = names("ignoredResourceGroups");
    for (index, group) in profile.ignored_groups.iter().enumerate() {
        if group.contains('/') {
            let path = format!("{path}.ignoredResourceGroups[{index}]");
            faults.invalid(
                &path,
                format!("\"{group}\""),
                "resource group name can't contain '/'",
            );
        }
    }
    let Some(strategy) = arguments.get("scoringStrategy") else {
        return;
    };
    let path = format!("{path}.scoringStrategy");
    if let Some(list) = strategy.get("resources").and_then(Value::as_list) {
        profile.fit_resources = resources(list, &path, faults);
    }
    profile.strategy = match strategy.str_at(&["type"]).unwrap_or("LeastAllocated") {
        "LeastAllocated" => Strategy::LeastAllocated,
        "MostAllocated" => Strategy::MostAllocated,
        "RequestedToCapacityRatio" => {
            let shape = strategy
                .path(&["requestedToCapacityRatio", "shape"])
                .and_then(Value::as_list);
            let path = format!("{path}.requestedToCapacityRatio.shape");
            Strategy::RequestedToCapacityRatio(points(shape.unwrap_or_default(), &path, faults))
        }
        other => {
            faults.0.push(format!(
                "{path}.type: Unsupported value: \"{other}\": supported values: \"LeastAllocated\", \"MostAllocated\", \"RequestedToCapacityRatio\""
            ).into());
            Strategy::LeastAllocated
        }
    };
}

fn resources(list: &[Value], path: &str, faults: &mut Faults) -> Vec<ResourceWeight> {
    let mut found = Vec::new();
    for (index, item) in list.iter().enumerate() {
        let name = item.str_at(&["name"]).unwrap_or("");
        let weight = item.i64_at(&["weight"]).unwrap_or(1);
        if weight <= 0 || weight > 100 {
            let path = format!("{path}.resources[{index}].weight");
            let why = format!("resource weight of {name} not in valid range (0, 100]");
            faults.invalid(&path, weight, &why);
        }
        found.push(ResourceWeight {
            name: name.into(),
            weight: weight.clamp(1, 100),
        });
    }
    found
}

fn points(list: &[Value], path: &str, faults: &mut Faults) -> Vec<ShapePoint> {
    if list.is_empty() {
        faults.required(path, "at least one point must be specified");
    }
    let mut points: Vec<ShapePoint> = Vec::new();
    for (index, item) in list.iter().enumerate() {
        let path = format!("{path}[{index}]");
        let utilization = range(item, "utilization", &path, 0, 0..=100, faults);
        let score = range(item, "score", &path, 0, 0..=10, faults);
        if points
            .last()
            .is_some_and(|before| before.utilization >= utilization)
        {
            faults.invalid(
                &format!("{path}.utilization"),
                utilization,
                "utilization values must be sorted in increasing order",
            );
            continue;
        }
        points.push(ShapePoint {
            utilization,
            score: score.clamp(0, 10) * 10,
        });
    }
    points
}

fn balanced(arguments: &Value, path: &str, profile: &mut Profile, faults: &mut Faults) {
    let Some(list) = arguments.get("resources").and_then(Value::as_list) else {
        return;
    };
    let mut names: Vec<Arc<str>> = Vec::new();
    for (index, item) in list.iter().enumerate() {
        let name: Arc<str> = item.str_at(&["name"]).unwrap_or("").into();
        let weight = item.i64_at(&["weight"]).unwrap_or(1);
        let path = format!("{path}.resources[{index}]");
        if weight != 1 {
            let path = format!("{path}.weight");
            let why =
                format!("resource weight of {name} must be 1 for NodeResourcesBalancedAllocation");
            faults.invalid(&path, weight, &why);
        }
        if names.contains(&name) {
            faults.duplicate(&format!("{path}.name"), &name);
        }
        names.push(name);
    }
    profile.balanced_resources = names;
}

fn spread(arguments: &Value, path: &str, profile: &mut Profile, faults: &mut Faults) {
    let list = arguments.get("defaultConstraints").and_then(Value::as_list);
    let list = list.unwrap_or_default();
    let system = arguments.str_at(&["defaultingType"]) != Some("List");
    if system {
        if !list.is_empty() {
            let path = format!("{path}.defaultConstraints");
            faults.invalid(
                &path,
                "[…]",
                "when .defaultingType is System, .defaultConstraints must be empty",
            );
        }
        return;
    }
    profile.system_defaults = false;
    profile.default_constraints = list
        .iter()
        .enumerate()
        .map(|(index, item)| {
            let path = format!("{path}.defaultConstraints[{index}]");
            let skew = item.i64_at(&["maxSkew"]).unwrap_or(0);
            if skew <= 0 {
                faults.invalid(&format!("{path}.maxSkew"), skew, "not in valid range (0, inf)");
            }
            let key = item.str_at(&["topologyKey"]).unwrap_or("");
            if key.is_empty() {
                faults.required(&format!("{path}.topologyKey"), "can not be empty");
            }
            if item.get("labelSelector").is_some() {
                faults.0.push(format!(
                    "{path}.labelSelector: Forbidden: constraint must not define a selector, as they deduced for each pod"
                ).into());
            }
            SpreadConstraint {
                max_skew: u32::try_from(skew).unwrap_or(1).max(1),
                topology_key: key.into(),
                hard: item.str_at(&["whenUnsatisfiable"]) != Some("ScheduleAnyway"),
                selector: None,
                min_domains: 1,
                honor_affinity: true,
                honor_taints: false,
                match_label_keys: Vec::new(),
            }
        })
        .collect();
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str =
        "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n";

    fn with(body: &str) -> Result<Configuration, String> {
        parse(&format!("{HEAD}{body}")).map_err(String::from)
    }

    #[test]
    fn a_weight_is_checked() {
        let body = "profiles: [{pluginConfig: [{name: NodeResourcesFit, args: {scoringStrategy: {type: LeastAllocated, resources: [{name: memory, weight: 1}, {name: cpu, weight: 101}]}}}]}]";
        assert_eq!(
            with(body).err().as_deref(),
            Some(
                "profiles[0].pluginConfig[0].args.scoringStrategy.resources[1].weight: Invalid value: 101: resource weight of cpu not in valid range (0, 100]"
            )
        );
    }

    #[test]
    fn plugins_are_turned_off_and_weighed() {
        let body = "profiles: [{schedulerName: x, plugins: {score: {disabled: [{name: '*'}], enabled: [{name: ImageLocality, weight: 7}]}, filter: {disabled: [{name: NodePorts}]}}}]";
        let configuration = with(body).unwrap();
        let profile = &configuration.profiles[0];
        assert_eq!(&*profile.name, "x");
        assert_eq!(profile.weight(Plugin::ImageLocality), 7);
        assert_eq!(profile.weight(Plugin::TaintToleration), 0);
        assert!(!profile.filters.has(Plugin::NodePorts));
        assert!(profile.filters.has(Plugin::NodeName));
        assert!(with("").unwrap().profiles[0].has_plain_resources());
        assert!(parse("kind: Pod\napiVersion: v1\n").is_err());
    }
}
