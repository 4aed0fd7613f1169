//! Jobs and CronJobs. Source: `pkg/apis/batch/validation/validation.go`.

use crate::manifest::decode::kube::{fault, pod};
use crate::manifest::decode::scribe::{Field, Scribe};

use super::{cron, natural, needed, number, one_of, shown, text};

/// Most pods of an indexed job at once, and most completions that then may be asked for.
const PARALLELISM_MAX: i64 = 100_000;

/// Longest name of a CronJob: its jobs add eleven characters.
const CRON_NAME_MAX: usize = 52;

/// `spec` of a Job.
#[inline(never)]
pub fn job(spec: &Field<'_>, scribe: &Scribe) {
    if !spec.exists() {
        fault::required(scribe, spec, "");
        return;
    }
    job_spec(spec, scribe);
    let selector = spec.peek("selector");
    let is_manual = spec
        .peek("manualSelector")
        .node
        .is_some_and(|node| node.to_value().as_bool() == Some(true));
    let own = selector
        .peek("matchLabels")
        .peek("batch.kubernetes.io/controller-uid");
    if selector.exists() && !is_manual && !own.exists() {
        fault::invalid(
            scribe,
            &selector,
            shown(&selector),
            "`selector` not auto-generated",
        );
    }
}

/// `spec` of a Job or of a CronJob's template.
fn job_spec(spec: &Field<'_>, scribe: &Scribe) {
    for key in [
        "parallelism",
        "completions",
        "activeDeadlineSeconds",
        "backoffLimit",
        "ttlSecondsAfterFinished",
        "backoffLimitPerIndex",
        "maxFailedIndexes",
    ] {
        natural(&spec.peek(key), scribe);
    }
    let mode = spec.peek("completionMode");
    one_of(&mode, &["NonIndexed", "Indexed"], scribe);
    let indexed = text(&mode) == "Indexed";
    if indexed {
        let completions = spec.peek("completions");
        if !completions.exists() {
            fault::required(scribe, &completions, "when completion mode is Indexed");
        }
        let parallelism = spec.peek("parallelism");
        if let Some(found) = number(&parallelism).filter(|found| *found > PARALLELISM_MAX) {
            fault::invalid(
                scribe,
                &parallelism,
                found,
                "must be less than or equal to 100000 when completion mode is Indexed",
            );
        }
    } else {
        for key in ["backoffLimitPerIndex", "maxFailedIndexes"] {
            let field = spec.peek(key);
            if field.exists() {
                fault::invalid(
                    scribe,
                    &field,
                    shown(&field),
                    "requires indexed completion mode",
                );
            }
        }
    }
    one_of(
        &spec.peek("podReplacementPolicy"),
        &["TerminatingOrFailed", "Failed"],
        scribe,
    );
    let template = spec.peek("template");
    if !template.exists() {
        fault::required(scribe, &template, "");
        return;
    }
    pod::template(&template, scribe);
    let policy = template.peek("spec").peek("restartPolicy");
    match text(&policy) {
        "OnFailure" => {
            let failure = spec.peek("podFailurePolicy");
            if failure.exists() {
                fault::invalid(
                    scribe,
                    &policy,
                    "\"OnFailure\"",
                    "only \"Never\" is supported when podFailurePolicy is specified",
                );
            }
        }
        "Never" => {}
        "" | "Always" => fault::required(scribe, &policy, "valid values: \"OnFailure\", \"Never\""),
        // The template's own check has named the words.
        _ => {}
    }
}

/// A CronJob.
#[inline(never)]
pub fn cron_job(object: &Field<'_>, scribe: &Scribe) {
    let name = object.peek("metadata").peek("name");
    if text(&name).len() > CRON_NAME_MAX {
        fault::invalid(
            scribe,
            &name,
            format!("{:?}", text(&name)),
            "must be no more than 52 characters",
        );
    }
    let spec = object.peek("spec");
    let schedule = spec.peek("schedule");
    if needed(&schedule, "", scribe) {
        let written = text(&schedule);
        if let Err(why) = cron::check(written) {
            fault::invalid(scribe, &schedule, format!("{written:?}"), &why);
        }
        if written.contains("TZ") {
            fault::invalid(
                scribe,
                &schedule,
                format!("{written:?}"),
                "cannot use TZ or CRON_TZ in schedule, use timeZone field instead",
            );
        }
    }
    let zone = spec.peek("timeZone");
    if zone.exists() {
        let written = text(&zone);
        let why = if written.is_empty() {
            Some("timeZone must be nil or non-empty string".to_owned())
        } else if written.eq_ignore_ascii_case("local") {
            Some("timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones".to_owned())
        } else if !cron::is_zone(written) {
            Some(format!("unknown time zone {written}"))
        } else {
            None
        };
        if let Some(why) = why {
            fault::invalid(scribe, &zone, format!("{written:?}"), &why);
        }
    }
    natural(&spec.peek("startingDeadlineSeconds"), scribe);
    let policy = spec.peek("concurrencyPolicy");
    if policy.exists() && text(&policy).is_empty() {
        fault::required(scribe, &policy, "");
    } else {
        one_of(&policy, &["Allow", "Forbid", "Replace"], scribe);
    }
    for key in ["successfulJobsHistoryLimit", "failedJobsHistoryLimit"] {
        natural(&spec.peek(key), scribe);
    }
    let template = spec.peek("jobTemplate");
    if !template.exists() {
        fault::required(scribe, &template, "");
        return;
    }
    job_spec(&template.peek("spec"), scribe);
}
