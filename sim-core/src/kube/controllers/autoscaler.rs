//! The horizontal pod autoscaler: every 15 seconds each one compares what its target's pods use
//! with what it aims at, and changes the target's size.
//! Source: `pkg/controller/podautoscaler/horizontal.go`.

pub mod calculator;
pub mod limits;
pub mod metrics;
pub mod target;
pub mod usage;

use crate::base::name::Name;
use crate::base::symbol::Symbol;
use crate::base::time::{SimDuration, SimTime};
use crate::des::notice::Detail;
use crate::kube::apiserver::{ApiServer, Request};
use crate::kube::event::{Event, Key};
use crate::kube::render::time;
use crate::kube::rows::node::ConditionStatus;
use crate::kube::rows::watched::{AutoscalerPart, WatchedPart};
use crate::kube::rows::{WatchedId, read};
use crate::kube::store::document::DocumentKey;
use crate::kube::store::events::Message;
use crate::kube::turn::Turn;
use crate::manifest::value::Value;

use calculator::Tolerance;
use limits::{History, Rules, Why};
use metrics::{Measured, Overrides, Samples};
use target::Target;
use usage::Meter;

const COMPONENT: &str = "horizontal-pod-autoscaler";

/// The controller.
#[derive(Clone, Debug, Default)]
pub struct AutoscalerController {
    /// Samples that a person has set.
    pub overrides: Overrides,
    meter: Meter,
}

/// One pass's view.
struct Pass {
    namespace: Symbol,
    name: Symbol,
    key: DocumentKey,
    document: Value,
    part: AutoscalerPart,
    conditions: Vec<Value>,
    min: i64,
    max: i64,
}

impl AutoscalerController {
    /// Takes over samples: the metrics server is a program of its own and outlives this one.
    pub fn keep_samples(&mut self, before: Self) {
        *self = before;
    }

    /// One pass over one autoscaler, if it is due.
    pub fn sync(&mut self, id: WatchedId, apiserver: &mut ApiServer, turn: &mut Turn<'_, '_>) {
        let now = turn.now();
        let Some(mut pass) = Pass::new(id, turn) else {
            return;
        };
        let period = turn.settings.autoscaler_sync_period;
        match pass.part.due {
            // The first look is one period after its creation, as after each other.
            None => {
                pass.part.due = Some(now + period);
                turn.at(now + period, Event::Sync(Key::Watched(id)));
                pass.keep(id, turn);
                if let Some(target) = Target::find(&pass.document, &pass.key, turn) {
                    self.meter.look(&target.pods, turn);
                }
                return;
            }
            Some(due) if due > now => return,
            Some(_) => {
                pass.part.due = Some(now + period);
                turn.at(now + period, Event::Sync(Key::Watched(id)));
            }
        }
        pass.run(self, apiserver, turn);
        pass.keep(id, turn);
    }
}

impl Pass {
    fn new(id: WatchedId, turn: &Turn<'_, '_>) -> Option<Self> {
        let row = turn.store.watched(id)?;
        let WatchedPart::Autoscaler(part) = &row.part else {
            return None;
        };
        let document = turn.store.watched_document(id)?.value.clone();
        Some(Self {
            namespace: row.namespace,
            name: row.name,
            key: row.key.clone(),
            part: part.clone(),
            conditions: read::list(&document, &["status", "conditions"]).to_vec(),
            min: document.i64_at(&["spec", "minReplicas"]).unwrap_or(1),
            max: read::number(&document, &["spec", "maxReplicas"]),
            document,
        })
    }

    fn keep(&self, id: WatchedId, turn: &mut Turn<'_, '_>) {
        if let Some(row) = turn.store.watched_mut(id) {
            row.part = WatchedPart::Autoscaler(self.part.clone());
        }
    }

    fn event(&self, warning: bool, reason: &'static str, text: String, turn: &mut Turn<'_, '_>) {
        let object = (
            "HorizontalPodAutoscaler",
            self.namespace,
            Name::plain(self.name),
        );
        let message = Message::Text(text.into());
        if warning {
            turn.warning(object, COMPONENT, reason, message);
        } else {
            turn.normal(object, COMPONENT, reason, message);
        }
    }

    fn set(&mut self, kind: &str, status: ConditionStatus, reason: &str, text: &str, now: SimTime) {
        let old = self
            .conditions
            .iter()
            .position(|condition| condition.str_at(&["type"]) == Some(kind));
        let transition = old
            .filter(|at| self.conditions[*at].str_at(&["status"]) == Some(status.text()))
            .and_then(|at| self.conditions[at].get("lastTransitionTime").cloned())
            .unwrap_or_else(|| time(now));
        let fresh = Value::object([
            ("lastTransitionTime", transition),
            ("message", text.into()),
            ("reason", reason.into()),
            ("status", status.text().into()),
            ("type", kind.into()),
        ]);
        match old {
            Some(at) => self.conditions[at] = fresh,
            None => self.conditions.push(fresh),
        }
    }

    fn run(
        &mut self,
        controller: &mut AutoscalerController,
        apiserver: &mut ApiServer,
        turn: &mut Turn<'_, '_>,
    ) {
        let now = turn.now();
        let Some(target) = Target::find(&self.document, &self.key, turn) else {
            let reference = self.document.path(&["spec", "scaleTargetRef"]);
            let text = |field| reference.map_or("", |it| read::text(it, &[field]));
            let why = format!(
                "{} \"{}\" not found",
                target::resource(text("kind")),
                text("name")
            );
            self.event(true, "FailedGetScale", why.clone(), turn);
            let why =
                format!("the HPA controller was unable to get the target's current scale: {why}");
            self.set(
                "AbleToScale",
                ConditionStatus::False,
                "FailedGetScale",
                &why,
                now,
            );
            self.write_conditions(turn);
            return;
        };
        self.set(
            "AbleToScale",
            ConditionStatus::True,
            "SucceededGetScale",
            "the HPA controller was able to get the target's current scale",
            now,
        );
        controller.meter.look(&target.pods, turn);
        let samples = Samples {
            set: &controller.overrides,
            meter: &controller.meter,
        };
        let current = target.replicas;
        if self.part.recommendations.is_empty() {
            self.part.recommendations.push((now, current));
        }
        let mut measured = Vec::new();
        let (desired, reason) = if current == 0 && self.min != 0 {
            self.set(
                "ScalingActive",
                ConditionStatus::False,
                "ScalingDisabled",
                "scaling is disabled since the replica count of the target is zero",
                now,
            );
            self.write(&target, Some(0), &[], turn);
            return;
        } else if current > self.max {
            (
                self.max,
                "Current number of replicas above Spec.MaxReplicas".to_owned(),
            )
        } else if current < self.min {
            (
                self.min,
                "Current number of replicas below Spec.MinReplicas".to_owned(),
            )
        } else {
            match self.recommend(&target, samples, &mut measured, turn) {
                Some((wanted, metric)) => {
                    let reason = if wanted > current {
                        format!("{metric} above target")
                    } else {
                        "All metrics below target".to_owned()
                    };
                    (self.normalize(current, wanted, turn), reason)
                }
                None => {
                    self.write(&target, None, &measured, turn);
                    return;
                }
            }
        };
        let done = desired == current || self.rescale(&target, desired, &reason, apiserver, turn);
        self.write(&target, done.then_some(desired), &measured, turn);
    }

    /// The largest proposal of all metrics and its metric's name; nothing if too many are missing.
    fn recommend(
        &mut self,
        target: &Target,
        samples: Samples<'_>,
        measured: &mut Vec<Measured>,
        turn: &mut Turn<'_, '_>,
    ) -> Option<(i64, String)> {
        let now = turn.now();
        if let Some(others) = target.rivals(self.name, &self.key, turn) {
            let why = format!(
                "pods by selector {} are controlled by multiple HPAs: [{others}]",
                target.selector_text(turn)
            );
            self.event(true, "AmbiguousSelector", why.clone(), turn);
            self.set(
                "ScalingActive",
                ConditionStatus::False,
                "AmbiguousSelector",
                &why,
                now,
            );
            return None;
        }
        let specs = metrics::specs(&self.document);
        let tolerance = self.tolerance(turn);
        let mut best: Option<(i64, String)> = None;
        let mut invalid: Vec<(&'static str, String)> = Vec::new();
        let mut trouble = String::new();
        for spec in &specs {
            match metrics::measure(spec, target, samples, tolerance, turn) {
                Ok(found) => {
                    if best
                        .as_ref()
                        .is_none_or(|(replicas, _)| found.replicas > *replicas)
                    {
                        best = Some((found.replicas, found.name.clone()));
                    }
                    measured.push(found);
                }
                Err(why) => {
                    if invalid.is_empty() {
                        trouble = metrics::trouble(spec);
                    }
                    invalid.push(why);
                }
            }
        }
        let down = best
            .as_ref()
            .is_none_or(|(replicas, _)| *replicas < target.replicas);
        if let Some((reason, why)) = invalid.first().cloned()
            && (invalid.len() >= specs.len() || down)
        {
            for (reason, why) in &invalid {
                self.event(true, reason, why.clone(), turn);
            }
            let text = format!("the HPA was unable to compute the replica count: {why}");
            self.set("ScalingActive", ConditionStatus::False, reason, &text, now);
            let text = format!(
                "invalid metrics ({} invalid out of {}), first error is: {trouble}{why}",
                invalid.len(),
                specs.len()
            );
            self.event(true, "FailedComputeMetricsReplicas", text, turn);
            return None;
        }
        let (replicas, name) = best?;
        let text =
            format!("the HPA was able to successfully calculate a replica count from {name}");
        self.set(
            "ScalingActive",
            ConditionStatus::True,
            "ValidMetricFound",
            &text,
            now,
        );
        Some((replicas, name))
    }

    fn tolerance(&self, turn: &Turn<'_, '_>) -> Tolerance {
        let default = turn.settings.autoscaler_tolerance;
        let of = |direction| {
            let written = self
                .document
                .path(&["spec", "behavior", direction, "tolerance"])?;
            metrics::quantity_milli(written).map(|milli| milli.unsigned_abs() * 1_000_000)
        };
        Tolerance {
            up: of("scaleUp").unwrap_or(default),
            down: of("scaleDown").unwrap_or(default),
        }
    }

    /// Windows, rates and bounds.
    fn normalize(&mut self, current: i64, wanted: i64, turn: &Turn<'_, '_>) -> i64 {
        let now = turn.now();
        let window = turn.settings.autoscaler_downscale_stabilization;
        let behavior = self.document.path(&["spec", "behavior"]).cloned();
        let (stable, held, (desired, why)) = match behavior.filter(|value| !value.is_null()) {
            None => {
                let stable =
                    limits::stabilized(&mut self.part.recommendations, wanted, window, now);
                (
                    stable,
                    DOWN_HELD,
                    limits::bounded(current, stable, self.min, self.max),
                )
            }
            Some(behavior) => {
                let (up, down) = (
                    Rules::read(&behavior, true, window),
                    Rules::read(&behavior, false, window),
                );
                let stable = limits::stabilized_both(
                    &mut self.part.recommendations,
                    wanted,
                    current,
                    (&up, &down),
                    now,
                );
                let longest = up
                    .policies
                    .iter()
                    .chain(&down.policies)
                    .map(|policy| policy.period.as_micros())
                    .max()
                    .unwrap_or(0);
                let cutoff = now.saturating_sub(SimDuration::from_micros(longest));
                self.part.ups.retain(|(at, _)| *at > cutoff);
                self.part.downs.retain(|(at, _)| *at > cutoff);
                let history = History {
                    ups: &self.part.ups,
                    downs: &self.part.downs,
                    now,
                };
                let held = if wanted >= current {
                    UP_HELD
                } else {
                    DOWN_HELD
                };
                let bounds = (self.min, self.max);
                (
                    stable,
                    held,
                    limits::paced(current, stable, bounds, (&up, &down), history),
                )
            }
        };
        let (reason, text) = if stable == wanted {
            ("ReadyForNewScale", "recommended size matches current size")
        } else {
            held
        };
        self.set("AbleToScale", ConditionStatus::True, reason, text, now);
        let limited = if why == limits::WITHIN {
            ConditionStatus::False
        } else {
            ConditionStatus::True
        };
        self.set("ScalingLimited", limited, why.0, why.1, now);
        desired
    }

    /// Scales the target; tells whether that was allowed.
    fn rescale(
        &mut self,
        target: &Target,
        desired: i64,
        reason: &str,
        apiserver: &mut ApiServer,
        turn: &mut Turn<'_, '_>,
    ) -> bool {
        let now = turn.now();
        let request = Request::Scale {
            kind: target.kind.as_str().into(),
            namespace: self.key.namespace.clone(),
            name: target.name.as_str().into(),
            replicas: desired,
        };
        if let Err(refusal) = apiserver.request(&request, turn) {
            let text = format!(
                "New size: {desired}; reason: {reason}; error: {}",
                &*refusal.message
            );
            self.event(true, "FailedRescale", text, turn);
            let text = format!(
                "the HPA controller was unable to update the target scale: {}",
                &*refusal.message
            );
            self.set(
                "AbleToScale",
                ConditionStatus::False,
                "FailedUpdateScale",
                &text,
                now,
            );
            return false;
        }
        let text = format!("New size: {desired}; reason: {reason}");
        self.event(false, "SuccessfulRescale", text, turn);
        let text = format!("the HPA controller was able to update the target scale to {desired}");
        self.set(
            "AbleToScale",
            ConditionStatus::True,
            "SucceededRescale",
            &text,
            now,
        );
        let change = desired - target.replicas;
        if change > 0 {
            self.part.ups.push((now, change));
        } else {
            self.part.downs.push((now, -change));
        }
        turn.note(
            "kube.hpa",
            "rescale",
            "hpa",
            Name::plain(self.name),
            Detail::Change(target.replicas, desired),
        );
        self.document
            .set_path(&["status", "lastScaleTime"], time(now));
        true
    }

    /// Of what could not be scaled only the conditions change.
    fn write_conditions(&self, turn: &mut Turn<'_, '_>) {
        let mut status = self
            .document
            .get("status")
            .cloned()
            .unwrap_or_else(Value::map);
        status.set("conditions", Value::list(self.conditions.clone()));
        zero_metrics(&mut status);
        turn.store.write_status(&self.key, status);
    }

    /// Without a number of replicas that is wanted the last one stays.
    /// Source: `pkg/controller/podautoscaler/horizontal.go` (`setCurrentReplicasAndMetricsInStatus`).
    fn write(
        &self,
        target: &Target,
        desired: Option<i64>,
        measured: &[Measured],
        turn: &mut Turn<'_, '_>,
    ) {
        let mut status = Value::map();
        if !self.conditions.is_empty() {
            status.set("conditions", Value::list(self.conditions.clone()));
        }
        if !measured.is_empty() {
            let list = measured.iter().map(|found| found.status.clone()).collect();
            status.set("currentMetrics", Value::list(list));
        }
        if target.replicas != 0 {
            status.set("currentReplicas", target.replicas.into());
        }
        let last = self.document.i64_at(&["status", "desiredReplicas"]);
        status.set("desiredReplicas", desired.or(last).unwrap_or(0).into());
        zero_metrics(&mut status);
        if let Some(last) = self.document.path(&["status", "lastScaleTime"]) {
            status.set("lastScaleTime", last.clone());
        }
        turn.store.write_status(&self.key, status);
    }
}

/// Members that are written even though they are empty.
fn zero_metrics(status: &mut Value) {
    for (field, value) in [
        ("currentMetrics", Value::Null),
        ("desiredReplicas", Value::Int(0)),
    ] {
        if status.get(field).is_none() {
            status.set(field, value);
        }
    }
}

const DOWN_HELD: Why = (
    "ScaleDownStabilized",
    "recent recommendations were higher than current one, applying the highest recent recommendation",
);
const UP_HELD: Why = (
    "ScaleUpStabilized",
    "recent recommendations were lower than current one, applying the lowest recent recommendation",
);
