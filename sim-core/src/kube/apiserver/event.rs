//! Events as requests write them, and objects in a version that is served beside the stored one.
//! Sources: `pkg/apis/core/validation/events.go`, `pkg/registry/core/event/strategy.go`.

use crate::base::labels::syntax::qualified_name_errors;
use crate::base::time::SimTime;
use crate::kube::kinds::{ALSO, Kind, convert};
use crate::kube::render::zero;
use crate::kube::store::document::DocumentKey;
use crate::kube::turn::Turn;
use crate::manifest::value::Value;

use super::refusal::cause;
use super::{ApiServer, Cause, Refusal, Request, Response, immutable, known, read, view};

/// `ReportingInstanceLengthLimit`, `ActionLengthLimit`, `ReasonLengthLimit`; `NoteLengthLimit`.
const LONGEST: usize = 128;
const LONGEST_NOTE: usize = 1_024;

/// What a write through `events.k8s.io/v1` may not change.
const FIXED: [&str; 13] = [
    "involvedObject",
    "reason",
    "message",
    "source",
    "firstTimestamp",
    "lastTimestamp",
    "count",
    "type",
    "eventTime",
    "action",
    "related",
    "reportingComponent",
    "reportingInstance",
];

/// Parts of a new Event that only the older group writes.
const OLD: [&str; 4] = ["firstTimestamp", "lastTimestamp", "count", "source"];

impl ApiServer {
    /// Answers a request of a manager in the version in which it was asked.
    #[inline(never)]
    pub(super) fn versioned(
        &mut self,
        manager: &str,
        request: &Request,
        turn: &mut Turn<'_, '_>,
    ) -> Result<Response, Refusal> {
        let (Request::Create { object, namespace }
        | Request::Update { object, namespace }
        | Request::UpdateStatus { object, namespace }
        | Request::Apply {
            object, namespace, ..
        }) = request
        else {
            return self.managed(manager, request, turn);
        };
        let version = object.str_at(&["apiVersion"]).unwrap_or("");
        let kind = object.str_at(&["kind"]).unwrap_or("");
        let also = convert::is_served(version, kind);
        if kind == "Event" && (also || version == "v1") {
            let creates = matches!(request, Request::Create { .. });
            check(creates, &convert::to_stored(object), namespace, also, turn)?;
        }
        if !also {
            return self.managed(manager, request, turn);
        }
        let mut request = request.clone();
        if let Request::Create { object, .. }
        | Request::Update { object, .. }
        | Request::UpdateStatus { object, .. }
        | Request::Apply { object, .. } = &mut request
        {
            *object = convert::to_stored(object);
        }
        let mut response = self.managed(manager, &request, turn)?;
        convert::to_version(&mut response.object, version);
        Ok(response)
    }
}

/// The number and the beginning of the Event of this name that a component keeps.
fn kept(key: &DocumentKey, turn: &Turn<'_, '_>) -> Option<(u32, SimTime)> {
    let view = view(turn);
    let row = view.event_row(&key.namespace, &key.name)?;
    Some((row.ordinal, row.first))
}

/// Removes an Event from what its component keeps.
pub(super) fn forget(key: &DocumentKey, turn: &mut Turn<'_, '_>) {
    if let Some((number, _)) = kept(key, turn) {
        turn.store.forget_event(number);
    }
}

/// A component's Event that somebody writes is a document from now on.
pub(super) fn adopt(key: &DocumentKey, current: &Value, turn: &mut Turn<'_, '_>) {
    if turn.store.documents().get(key).is_some() {
        return;
    }
    if let Some((_, first)) = kept(key, turn) {
        turn.store
            .add_document(key.clone(), current.clone(), 0, first);
    }
}

/// Whether an Event, in its stored form, may be written so; `newer`: through `events.k8s.io/v1`.
fn check(
    creates: bool,
    event: &Value,
    namespace: &str,
    newer: bool,
    turn: &Turn<'_, '_>,
) -> Result<(), Refusal> {
    let mut kind: &Kind = known("Event", turn)?;
    let own = event.str_at(&["metadata", "namespace"]).unwrap_or("");
    let mut places = [own, namespace, "default"].into_iter();
    let namespace = places.find(|place| !place.is_empty()).unwrap_or("");
    let name = event.str_at(&["metadata", "name"]).unwrap_or("");
    let mut causes = older(event, namespace, newer);
    let old = (!creates).then(|| read(kind, namespace, name, turn));
    if newer {
        kind = ALSO.iter().find(|it| it.kind == "Event").unwrap_or(kind);
        match old {
            None => causes.extend(created(event)),
            Some(Some(old)) => {
                let mut event = event.clone();
                zero::fill("Event", &mut event);
                if event.get("series") != old.get("series") {
                    causes.extend(series(&event));
                }
                let changed = FIXED
                    .iter()
                    .filter_map(|field| immutable::fixed(&old, &event, field));
                causes.extend(changed);
            }
            Some(None) => return Ok(()),
        }
    }
    if causes.is_empty() {
        Ok(())
    } else {
        Err(Refusal::invalid(kind, name, causes))
    }
}

/// `legacyValidateEvent`.
fn older(event: &Value, namespace: &str, newer: bool) -> Vec<Cause> {
    let mut causes = Vec::new();
    let text = |field: &str| event.str_at(&[field]).unwrap_or("");
    let about = event.str_at(&["involvedObject", "namespace"]).unwrap_or("");
    let timed = event.get("eventTime").is_some_and(|time| !time.is_null());
    let fits = match (about, timed) {
        ("", true) => matches!(namespace, "default" | "kube-system"),
        ("", false) => namespace == "default",
        (about, _) => timed || about == namespace,
    };
    if !fits {
        let message = format!("Invalid value: {about:?}: does not match event.namespace");
        causes.push(cause("involvedObject.namespace", message));
    }
    if !timed {
        return causes;
    }
    let component = if newer {
        "reportingController"
    } else {
        "reportingComponent"
    };
    let wanted = text("reportingComponent");
    if wanted.is_empty() {
        causes.push(cause(component, "Required value"));
    }
    let wrong = qualified_name_errors(wanted);
    causes.extend(
        wrong
            .into_iter()
            .map(|why| cause(component, format!("Invalid value: {wanted:?}: {why}"))),
    );
    for (field, most) in [
        ("reportingInstance", LONGEST),
        ("action", LONGEST),
        ("reason", LONGEST),
        ("message", LONGEST_NOTE),
    ] {
        if text(field).is_empty() && field != "message" {
            causes.push(cause(field, "Required value"));
        }
        if text(field).len() > most {
            let message = format!("Invalid value: \"\": can have at most {most} characters");
            causes.push(cause(field, message));
        }
    }
    causes
}

fn series(event: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    if let Some(series) = event.get("series").filter(|series| !series.is_null()) {
        if series.i64_at(&["count"]).unwrap_or(0) < 2 {
            let message = "Invalid value: \"\": should be at least 2";
            causes.push(cause("series.count", message));
        }
        if series.str_at(&["lastObservedTime"]).is_none() {
            causes.push(cause("series.lastObservedTime", "Required value"));
        }
    }
    causes
}

/// What a new Event of the newer group must be besides.
fn created(event: &Value) -> Vec<Cause> {
    let mut causes = series(event);
    if event.str_at(&["eventTime"]).is_none() {
        causes.push(cause("eventTime", "Required value"));
    }
    let of = event.str_at(&["type"]).unwrap_or("");
    if !matches!(of, "Normal" | "Warning") {
        let message = format!("Invalid value: \"\": has invalid value: {of}");
        causes.push(cause("type", message));
    }
    let set = |field: &&str| {
        event.get(field).is_some_and(|value| match value {
            Value::Null | Value::Int(0) => false,
            value => value.as_map().is_none_or(|map| !map.is_empty()),
        })
    };
    let unset = OLD.iter().filter(|field| set(field));
    causes.extend(unset.map(|field| cause(*field, "Invalid value: \"\": needs to be unset")));
    causes
}
