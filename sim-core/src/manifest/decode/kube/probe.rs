//! Probes and lifecycle handlers.

use std::sync::Arc;

use crate::api::kube::probe::{Hook, Probe, ProbeHandler};
use crate::api::kube::service::PortTarget;
use crate::manifest::decode::kube::{fault, name};
use crate::manifest::decode::scribe::{Field, Scribe};

/// Which probe of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// `livenessProbe` or `startupProbe`, whose success threshold must be 1.
    LivenessOrStartup,
    /// `readinessProbe`.
    Readiness,
}

/// A probe; nothing if absent or without a usable handler.
pub fn probe(field: &Field<'_>, scribe: &Scribe, which: Which) -> Option<Probe> {
    if !field.expect_map(scribe) {
        return None;
    }
    let handler = handler(field, scribe);
    let initial_delay_seconds =
        fault::non_negative(scribe, &field.get(scribe, "initialDelaySeconds"), 0);
    // As upstream's defaulting, a zero counts as absent for these four.
    let positive = |scribe: &Scribe, key: &str, default: u32| {
        let inner = field.get(scribe, key);
        match fault::non_negative(scribe, &inner, default) {
            0 => default,
            number => number,
        }
    };
    let period_seconds = positive(scribe, "periodSeconds", 10);
    let timeout_seconds = positive(scribe, "timeoutSeconds", 1);
    let success_threshold = positive(scribe, "successThreshold", 1);
    let failure_threshold = positive(scribe, "failureThreshold", 3);
    let grace = field.get(scribe, "terminationGracePeriodSeconds");
    let grace_seconds = grace
        .exists()
        .then(|| fault::non_negative(scribe, &grace, 30));
    if which == Which::LivenessOrStartup && success_threshold != 1 {
        fault::invalid(
            scribe,
            &field.get(scribe, "successThreshold"),
            success_threshold,
            "must be 1",
        );
    }
    if which == Which::Readiness && grace.exists() {
        fault::invalid(
            scribe,
            &grace,
            grace_seconds.unwrap_or(0),
            "must not be set for readinessProbes",
        );
    }
    Some(Probe {
        handler: handler?,
        initial_delay_seconds,
        period_seconds,
        timeout_seconds,
        success_threshold,
        failure_threshold,
        termination_grace_period_seconds: grace_seconds,
    })
}

fn handler(field: &Field<'_>, scribe: &Scribe) -> Option<ProbeHandler> {
    let present: Vec<&str> = ["exec", "httpGet", "tcpSocket", "grpc"]
        .into_iter()
        .filter(|key| field.peek(key).exists())
        .collect();
    let Some(first) = present.first() else {
        fault::required(scribe, field, "must specify a handler type");
        return None;
    };
    for extra in &present[1..] {
        fault::forbidden(
            scribe,
            &field.peek(extra),
            "may not specify more than 1 handler type",
        );
    }
    let inner = field.get(scribe, first);
    match *first {
        "exec" => Some(ProbeHandler::Exec {
            command: command(&inner, scribe),
        }),
        "httpGet" => {
            let (port, path) = http(&inner, scribe);
            Some(ProbeHandler::HttpGet { port: port?, path })
        }
        "tcpSocket" => Some(ProbeHandler::TcpSocket {
            port: target(&inner.get(scribe, "port"), scribe)?,
        }),
        _ => Some(ProbeHandler::Grpc {
            port: fault::port(scribe, &inner.get(scribe, "port"))?,
        }),
    }
}

fn command(field: &Field<'_>, scribe: &Scribe) -> Vec<Arc<str>> {
    let inner = field.get(scribe, "command");
    let words = inner.texts(scribe);
    if words.is_empty() {
        fault::required(scribe, &inner, "");
    }
    words
}

fn http(field: &Field<'_>, scribe: &Scribe) -> (Option<PortTarget>, Arc<str>) {
    let port = target(&field.get(scribe, "port"), scribe);
    let path = field
        .get(scribe, "path")
        .text(scribe)
        .filter(|path| !path.is_empty())
        .unwrap_or_else(|| "/".into());
    (port, path)
}

/// A port by number or name.
pub fn target(field: &Field<'_>, scribe: &Scribe) -> Option<PortTarget> {
    let Some(node) = field.node else {
        fault::required(scribe, field, "");
        return None;
    };
    let Some(text) = node.as_str() else {
        return fault::port(scribe, field).map(PortTarget::Number);
    };
    let faults = name::port_name(text);
    for detail in &faults {
        fault::invalid(scribe, field, format!("{text:?}"), detail);
    }
    faults.is_empty().then(|| PortTarget::Name(text.into()))
}

/// `lifecycle.postStart` or `lifecycle.preStop`; nothing if absent.
pub fn hook(lifecycle: &Field<'_>, which: &str, scribe: &Scribe) -> Option<Hook> {
    if !lifecycle.peek(which).exists() {
        return None;
    }
    let field = lifecycle.get(scribe, which);
    if field.peek("exec").exists() {
        return Some(Hook::Exec {
            command: command(&field.get(scribe, "exec"), scribe),
        });
    }
    if field.peek("sleep").exists() {
        let seconds = field.get(scribe, "sleep").get(scribe, "seconds");
        return Some(Hook::Sleep {
            seconds: fault::non_negative(scribe, &seconds, 0),
        });
    }
    if field.peek("httpGet").exists() {
        let (port, path) = http(&field.get(scribe, "httpGet"), scribe);
        return Some(Hook::HttpGet { port: port?, path });
    }
    fault::required(scribe, &field, "must specify a handler type");
    None
}
