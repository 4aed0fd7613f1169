//! What an autoscaler measures: samples of pods, and values of other objects that a person has set.
//! Sources: `pkg/controller/podautoscaler/{horizontal,replica_calculator}.go`.

use crate::api::resources::ResourceAmounts;
use crate::base::quantity::Quantity;
use crate::base::sentence::{Sentence, catalogue};
use crate::base::sorted::SortedMap;
use crate::base::time::SimDuration;
use crate::kube::rows::pod::{Phase, PodCondition, PodFlags, PodRow, signed_s};
use crate::kube::rows::{PodId, read};
use crate::kube::turn::Turn;
use crate::manifest::value::Value;

use super::calculator::{self, Aim, Class, Pod, Ratio, Tolerance};
use super::target::Target;
use super::usage::{Meter, REQUEST_RATES, RESOLUTION, service_requests};

/// Samples that a person has set, by object (`pod/x`, `pod/x/container`, `external/name`, `service/web`) and metric.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    by_object: SortedMap<(String, String), i64>,
}

impl Overrides {
    /// Sets a sample, or takes it back with an empty value.
    ///
    /// # Errors
    /// A sentence when the value is no quantity.
    pub fn set(&mut self, object: &str, metric: &str, value: &str) -> Result<(), Sentence> {
        let key = (object.to_owned(), metric.to_owned());
        if value.is_empty() {
            self.by_object.remove(&key);
            return Ok(());
        }
        let quantity = Quantity::parse(value).map_err(|error| {
            let amount = catalogue::AMOUNT.with(&[("word", &value)]);
            amount.and("why", error.into())
        })?;
        self.by_object.insert(key, quantity.milli_value());
        Ok(())
    }

    /// A sample in thousandths.
    pub fn get(&self, object: &str, metric: &str) -> Option<i64> {
        self.by_object
            .get(&(object.to_owned(), metric.to_owned()))
            .copied()
    }
}

/// Where samples come from.
#[derive(Clone, Copy, Debug)]
pub struct Samples<'a> {
    /// Those that a person has set.
    pub set: &'a Overrides,
    /// What machines measure.
    pub meter: &'a Meter,
}

/// What one metric proposes, and its part of the status.
#[derive(Clone, Debug)]
pub struct Measured {
    /// Replicas.
    pub replicas: i64,
    /// How upstream calls it in sentences.
    pub name: String,
    /// `status.currentMetrics[]`.
    pub status: Value,
}

/// `spec.metrics`; CPU utilization of 80 % when there are none.
pub fn specs(autoscaler: &Value) -> Vec<Value> {
    let written = read::list(autoscaler, &["spec", "metrics"]);
    if !written.is_empty() {
        return written.to_vec();
    }
    let aim = Value::object([
        ("averageUtilization", Value::Int(80)),
        ("type", "Utilization".into()),
    ]);
    let resource = Value::object([("name", Value::from("cpu")), ("target", aim)]);
    vec![Value::object([
        ("resource", resource),
        ("type", "Resource".into()),
    ])]
}

/// A quantity in thousandths.
pub fn quantity_milli(value: &Value) -> Option<i64> {
    match value {
        Value::Int(number) => number.checked_mul(1_000),
        Value::Number(text) | Value::String(text) => {
            Some(Quantity::parse(text).ok()?.milli_value())
        }
        _ => None,
    }
}

/// A quantity as text.
fn shown(milli: i64) -> Value {
    if milli % 1_000 == 0 {
        (milli / 1_000).to_string().into()
    } else {
        format!("{milli}m").into()
    }
}

type Failure = (&'static str, String);

/// What is said before why an entry of `spec.metrics` proposes nothing, where it is not the condition that
/// says so. Source: `pkg/controller/podautoscaler/horizontal.go` (`computeReplicasForMetric`).
pub fn trouble(spec: &Value) -> String {
    let kind = read::text(spec, &["type"]);
    let name = |path: &[&str]| read::text(spec, path).to_owned();
    match kind {
        "Resource" => {
            let name = name(&["resource", "name"]);
            format!("failed to get {name} resource metric value: ")
        }
        "ContainerResource" => {
            let name = name(&["containerResource", "name"]);
            format!("failed to get {name} container metric value: ")
        }
        "External" => {
            let name = name(&["external", "metric", "name"]);
            format!(
                "failed to get {name} external metric value: failed to get {name} external metric: "
            )
        }
        "Pods" | "Object" => format!("failed to get {} metric value: ", kind.to_lowercase()),
        _ => String::new(),
    }
}

/// What one entry of `spec.metrics` proposes.
///
/// # Errors
/// The condition's reason, and why.
pub fn measure(
    spec: &Value,
    target: &Target,
    samples: Samples<'_>,
    tolerance: Tolerance,
    turn: &Turn<'_, '_>,
) -> Result<Measured, Failure> {
    match read::text(spec, &["type"]) {
        "Resource" => resource(spec, "resource", target, samples, tolerance, turn)
            .map_err(|why| ("FailedGetResourceMetric", why)),
        "ContainerResource" => {
            resource(spec, "containerResource", target, samples, tolerance, turn)
                .map_err(|why| ("FailedGetContainerResourceMetric", why))
        }
        "Pods" => per_pod(spec, target, samples, tolerance, turn)
            .map_err(|why| ("FailedGetPodsMetric", why)),
        "Object" => single(spec, "object", target, samples, tolerance, turn)
            .map_err(|why| ("FailedGetObjectMetric", why)),
        "External" => single(spec, "external", target, samples, tolerance, turn)
            .map_err(|why| ("FailedGetExternalMetric", why)),
        other => Err((
            "InvalidMetricSourceType",
            format!("unknown metric source type {other:?}"),
        )),
    }
}

fn resource(
    spec: &Value,
    field: &str,
    target: &Target,
    samples: Samples<'_>,
    tolerance: Tolerance,
    turn: &Turn<'_, '_>,
) -> Result<Measured, String> {
    let name = read::text(spec, &[field, "name"]).to_owned();
    let container = spec.str_at(&[field, "container"]);
    let utilization = spec.i64_at(&[field, "target", "averageUtilization"]);
    let average = spec
        .path(&[field, "target", "averageValue"])
        .and_then(quantity_milli);
    let wrap = |why: String| match utilization {
        Some(_) => format!("failed to get {name} utilization: {why}"),
        None => format!("failed to get {name} usage: {why}"),
    };
    if target.pods.is_empty() {
        return Err(wrap(
            "no pods returned by selector while calculating replica count".to_owned(),
        ));
    }
    let sampled: Vec<(PodId, &PodRow, Option<i64>)> = target
        .pods
        .iter()
        .filter_map(|pod| {
            let row = turn.store.pod(*pod)?;
            let usage = sample(*pod, row, &name, container, samples, turn);
            Some((*pod, row, usage))
        })
        .collect();
    // The samples are asked for before the requests are looked at.
    if sampled.iter().all(|(_, _, usage)| usage.is_none()) {
        return Err(wrap(format!(
            "unable to get metrics for resource {name}: no metrics returned from resource metrics API"
        )));
    }
    let mut pods: Vec<Pod> = sampled
        .iter()
        .map(|(pod, row, usage)| Pod {
            usage: *usage,
            request: 0,
            class: classify(*pod, row, usage.is_some(), name == "cpu", turn),
        })
        .collect();
    // Requests matter once there are samples to compare them with.
    if utilization.is_some() && pods.iter().any(|pod| pod.class == Class::Ready) {
        for (pod, (_, row, _)) in pods.iter_mut().zip(&sampled) {
            pod.request = request(row, &name, container, turn).map_err(wrap)?;
        }
    }
    let aim = match (utilization, average) {
        (Some(percent), _) => Aim::Utilization(percent),
        (None, Some(value)) => Aim::Average(value),
        (None, None) => return Err("invalid resource metric source: neither an average utilization target nor an average value (usage) target was set".to_owned()),
    };
    let found = calculator::pods(target.replicas, aim, tolerance, &pods).map_err(wrap)?;
    let mut current = Value::map();
    if utilization.is_some() {
        current.set("averageUtilization", found.reported.into());
    }
    current.set("averageValue", shown(found.average));
    let mut inner = Value::map();
    if let Some(container) = container {
        inner.set("container", container.into());
    }
    inner.set("current", current);
    inner.set("name", name.as_str().into());
    let of = container.map_or_else(String::new, |container| format!(" container {container}"));
    let name = match utilization {
        Some(_) => format!("{name} resource utilization (percentage of request){of}"),
        None => format!("{name} resource{of}"),
    };
    Ok(Measured {
        replicas: found.replicas,
        name,
        status: status(spec, field, inner),
    })
}

fn status(spec: &Value, field: &str, inner: Value) -> Value {
    let mut status = Value::map();
    status.set(field, inner);
    status.set("type", read::text(spec, &["type"]).into());
    status
}

/// A pod's sample in thousandths, or that of one of its containers: the one that was set, else what
/// its machine measured. Once a container's sample is set (`pod/x/container`), the pod's is the sum of
/// its containers', and there is none while one lacks its own, as from the metrics API.
fn sample(
    pod: PodId,
    row: &PodRow,
    metric: &str,
    only: Option<&str>,
    samples: Samples<'_>,
    turn: &Turn<'_, '_>,
) -> Option<i64> {
    let object = format!("pod/{}", row.name.text(turn.ctx.symbols));
    if let Some(set) = samples.set.get(&object, metric) {
        return Some(set);
    }
    let containers = &turn.store.template(row.template).spec.containers;
    let of = |name: &str| samples.set.get(&format!("{object}/{name}"), metric);
    if !containers
        .iter()
        .any(|container| of(&container.name).is_some())
    {
        return samples.meter.measured(pod, metric, only, turn);
    }
    match only {
        Some(name) => of(name),
        None => containers
            .iter()
            .map(|container| of(&container.name))
            .try_fold(0_i64, |sum, usage| Some(sum.saturating_add(usage?))),
    }
}

/// What a pod asks for, in thousandths: as a whole where it says so and no container is named, else its
/// containers and sidecars.
fn request(
    row: &PodRow,
    metric: &str,
    only: Option<&str>,
    turn: &Turn<'_, '_>,
) -> Result<i64, String> {
    let spec = &turn.store.template(row.template).spec;
    let pod = || row.name.text(turn.ctx.symbols);
    let amount = |amounts: &ResourceAmounts| match metric {
        "cpu" => amounts.cpu_milli,
        "memory" => amounts
            .memory_bytes
            .map(|bytes| bytes.saturating_mul(1_000)),
        _ => None,
    };
    let whole = amount(&spec.pod_requests).filter(|_| only.is_none());
    if let Some(whole) = whole {
        return Ok(i64::try_from(whole).unwrap_or(i64::MAX));
    }
    let mut sum = 0_i64;
    let mut found = only.is_none();
    let sidecars = spec.init_containers.iter().filter(|one| one.sidecar);
    for container in spec.containers.iter().chain(sidecars) {
        if only.is_some_and(|only| only != &*container.name) {
            continue;
        }
        found = true;
        let resources = &container.resources;
        let Some(amount) = amount(&resources.requests).or_else(|| amount(&resources.limits)) else {
            return Err(format!(
                "missing request for {metric} in container {} of Pod {}",
                container.name,
                pod()
            ));
        };
        sum = sum.saturating_add(i64::try_from(amount).unwrap_or(i64::MAX));
    }
    if !found {
        return Err(format!(
            "container {} not found in Pod {}",
            only.unwrap_or(""),
            pod()
        ));
    }
    Ok(sum)
}

/// Which class a pod is in. CPU samples of a pod that has just started say little.
fn classify(pod: PodId, row: &PodRow, sampled: bool, cpu: bool, turn: &Turn<'_, '_>) -> Class {
    if row.is_terminating() || row.phase == Phase::Failed {
        return Class::Ignored;
    }
    if row.phase == Phase::Pending {
        return Class::Unready;
    }
    if !sampled {
        return Class::Missing;
    }
    if !cpu {
        return Class::Ready;
    }
    let details = turn.store.pod_details(pod);
    let (Some(started), true) = (details.started, row.flags.has(PodFlags::ACKNOWLEDGED)) else {
        return Class::Unready;
    };
    // Microseconds; a pod that was taken over may be older than the run.
    let changed = signed_s(details.transitions_s[PodCondition::Ready as usize]) * 1_000_000;
    let (now, started) = (turn.now().signed_micros(), started.signed_micros());
    let span = |span: SimDuration| i64::try_from(span.as_micros()).unwrap_or(i64::MAX / 4);
    let ready = row.is_ready();
    let unready = if started + span(turn.settings.autoscaler_cpu_initialization) > now {
        !ready || now < changed + span(RESOLUTION)
    } else {
        !ready && started + span(turn.settings.autoscaler_readiness_delay) > changed
    };
    if unready {
        Class::Unready
    } else {
        Class::Ready
    }
}

fn per_pod(
    spec: &Value,
    target: &Target,
    samples: Samples<'_>,
    tolerance: Tolerance,
    turn: &Turn<'_, '_>,
) -> Result<Measured, String> {
    let metric = read::text(spec, &["pods", "metric", "name"]).to_owned();
    let aim = spec
        .path(&["pods", "target", "averageValue"])
        .and_then(quantity_milli)
        .unwrap_or(0);
    let mut pods = Vec::new();
    for pod in &target.pods {
        let Some(row) = turn.store.pod(*pod) else {
            continue;
        };
        let usage = sample(*pod, row, &metric, None, samples, turn);
        pods.push(Pod {
            usage,
            request: 0,
            class: classify(*pod, row, usage.is_some(), false, turn),
        });
    }
    if pods.iter().all(|pod| pod.usage.is_none()) {
        return Err(format!(
            "unable to get metric {metric}: no metrics returned from custom metrics API"
        ));
    }
    let found = calculator::pods(target.replicas, Aim::Average(aim), tolerance, &pods)?;
    let inner = Value::object([
        (
            "current",
            Value::object([("averageValue", shown(found.average))]),
        ),
        (
            "metric",
            Value::object([("name", Value::from(metric.as_str()))]),
        ),
    ]);
    Ok(Measured {
        replicas: found.replicas,
        name: format!("pods metric {metric}"),
        status: status(spec, "pods", inner),
    })
}

/// A metric with one value: of an object, or from outside.
fn single(
    spec: &Value,
    field: &str,
    target: &Target,
    samples: Samples<'_>,
    tolerance: Tolerance,
    turn: &Turn<'_, '_>,
) -> Result<Measured, String> {
    let metric = read::text(spec, &[field, "metric", "name"]).to_owned();
    let object = if field == "object" {
        let described = [field, "describedObject"];
        format!(
            "{}/{}",
            read::text(spec, &[described[0], described[1], "kind"]).to_lowercase(),
            read::text(spec, &[described[0], described[1], "name"])
        )
    } else {
        "external".to_owned()
    };
    let measured = || {
        let service = object.strip_prefix("service/")?;
        REQUEST_RATES
            .contains(&metric.as_str())
            .then(|| service_requests(service, turn))?
    };
    let Some(total) = samples.set.get(&object, &metric).or_else(measured) else {
        let namespace = &target.namespace;
        if field == "external" {
            let labels = read::text_map(spec.path(&[field, "metric", "selector", "matchLabels"]));
            let mut selector = "nil".to_owned();
            if spec.path(&[field, "metric", "selector"]).is_some() {
                let labels: String = labels
                    .into_iter()
                    .map(|(key, value)| format!("{key}: {value},"))
                    .collect();
                selector = format!(
                    "&LabelSelector{{MatchLabels:map[string]string{{{labels}}},MatchExpressions:[]LabelSelectorRequirement{{}},}}"
                );
            }
            return Err(format!(
                "unable to get external metric {namespace}/{metric}/{selector}: no metrics returned from external metrics API"
            ));
        }
        let kind = read::text(spec, &[field, "describedObject", "kind"]);
        let name = read::text(spec, &[field, "describedObject", "name"]);
        let plural = super::target::resource(kind);
        return Err(format!(
            "unable to get metric {metric}: {kind} on {namespace} {name}/unable to fetch metrics from custom metrics API: the server could not find the metric {metric} for {plural} {name}"
        ));
    };
    let aim = |key| spec.path(&[field, "target", key]).and_then(quantity_milli);
    let mut current = Value::map();
    let replicas = if let Some(value) = aim("value") {
        current.set("value", shown(total));
        let ratio = Ratio::new(total, value);
        calculator::value(target.replicas, target.ready(turn), ratio, tolerance)
    } else if let Some(per_pod) = aim("averageValue") {
        let (replicas, average) =
            calculator::shared(target.status_replicas, total, per_pod, tolerance);
        current.set("averageValue", shown(average));
        replicas
    } else {
        return Err(format!(
            "invalid {field} metric source: neither a value target nor an average value target was set"
        ));
    };
    let mut inner = Value::map();
    inner.set("current", current);
    if let Some(described) = spec.path(&[field, "describedObject"]) {
        inner.set("describedObject", described.clone());
    }
    inner.set(
        "metric",
        Value::object([("name", Value::from(metric.as_str()))]),
    );
    let name = if field == "object" {
        let kind = read::text(spec, &[field, "describedObject", "kind"]);
        format!("{kind} metric {metric}")
    } else {
        format!("external metric {metric}(nil)")
    };
    Ok(Measured {
        replicas,
        name,
        status: status(spec, field, inner),
    })
}
