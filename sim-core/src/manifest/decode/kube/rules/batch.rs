//! Jobs and CronJobs. Source: `pkg/apis/batch/validation/validation.go`.

use crate::manifest::decode::kube::{fault, pod};
use crate::manifest::decode::scribe::{Field, Scribe};

use super::{cron, items, natural, needed, number, one_of, shown, text};
use crate::manifest::explain;

/// Most pods of an indexed job at once, and most completions that then may be asked for.
const PARALLELISM_MAX: i64 = 100_000;

/// The same, and most failed indexes, of a job with more completions than that and a limit per index.
const LARGE_MAX: i64 = 10_000;

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

/// Bounds of the indexes of one Job.
fn indexes(spec: &Field<'_>, scribe: &Scribe) {
    let most = spec.peek("maxFailedIndexes");
    let completions = number(&spec.peek("completions"));
    let above = |field: &Field<'_>, bound: i64, detail: &str| {
        if let Some(found) = number(field).filter(|found| *found > bound) {
            fault::invalid(scribe, field, found, detail);
        }
    };
    if let Some(completions) = completions {
        above(
            &most,
            completions,
            "must be less than or equal to completions",
        );
    }
    above(
        &most,
        PARALLELISM_MAX,
        "must be less than or equal to 100000",
    );
    let is_large = completions.is_some_and(|completions| completions > PARALLELISM_MAX);
    if is_large && spec.peek("backoffLimitPerIndex").exists() {
        if !most.exists() {
            let detail = "must be specified when completions is above 100000";
            fault::required(scribe, &most, detail);
        }
        let detail = "must be less than or equal to 10000 when completions are above 100000 and used with backoff limit per index";
        above(&spec.peek("parallelism"), LARGE_MAX, detail);
        above(&most, LARGE_MAX, detail);
    }
}

fn success_policy(policy: &Field<'_>, completions: Option<i64>, scribe: &Scribe) {
    let rules = policy.peek("rules");
    let list = items(&rules);
    if list.is_empty() {
        let detail = "at least one rules must be specified when the successPolicy is specified";
        fault::required(scribe, &rules, detail);
    }
    for rule in list {
        let count = rule.peek("succeededCount");
        if !count.exists() && !rule.peek("succeededIndexes").exists() {
            let detail = "at least one of succeededCount or succeededIndexes must be specified";
            fault::required(scribe, &rule, detail);
        }
        natural(&count, scribe);
        if let (Some(found), Some(most)) = (number(&count), completions)
            && found > most
        {
            let detail = format!(
                "must be less than or equal to {most} (the number of specified completions)"
            );
            fault::invalid(scribe, &count, found, &detail);
        }
    }
}

fn failure_policy(spec: &Field<'_>, policy: &Field<'_>, scribe: &Scribe) {
    let pod = spec.peek("template").peek("spec");
    let lists = ["containers", "initContainers"].map(|list| items(&pod.peek(list)));
    let known = |name: &str| {
        let mut all = lists.iter().flatten();
        all.any(|container| text(&container.peek("name")) == name)
    };
    for rule in items(&policy.peek("rules")) {
        let action = rule.peek("action");
        let actions = ["Count", "FailIndex", "FailJob", "Ignore"];
        let detail = "valid values: [\"Count\" \"FailIndex\" \"FailJob\" \"Ignore\"]";
        if needed(&action, detail, scribe) {
            one_of(&action, &actions, scribe);
        }
        if text(&action) == "FailIndex" && !spec.peek("backoffLimitPerIndex").exists() {
            let detail = "requires the backoffLimitPerIndex to be set";
            fault::invalid(scribe, &action, "\"FailIndex\"", detail);
        }
        let codes = rule.peek("onExitCodes");
        let conditions = items(&rule.peek("onPodConditions"));
        if codes.exists() {
            exit_codes(&codes, known, scribe);
        }
        for condition in &conditions {
            one_of(
                &condition.peek("status"),
                &["False", "True", "Unknown"],
                scribe,
            );
        }
        let detail = match (codes.exists(), conditions.is_empty()) {
            (true, false) => "specifying both OnExitCodes and OnPodConditions is not supported",
            (false, true) => "specifying one of OnExitCodes and OnPodConditions is required",
            (true, true) | (false, false) => continue,
        };
        let message = format!("{}: Invalid value: {detail}", rule.path);
        scribe.fault(explain::KUBERNETES_INVALID_VALUE, &rule, message);
    }
}

fn exit_codes(codes: &Field<'_>, known: impl Fn(&str) -> bool, scribe: &Scribe) {
    let operator = codes.peek("operator");
    if needed(&operator, "valid values: [\"In\" \"NotIn\"]", scribe) {
        one_of(&operator, &["In", "NotIn"], scribe);
    }
    let container = codes.peek("containerName");
    if container.exists() && !known(text(&container)) {
        let detail = "must be one of the container or initContainer names in the pod template";
        fault::invalid(scribe, &container, shown(&container), detail);
    }
    let values = codes.peek("values");
    let list = items(&values);
    if list.is_empty() {
        fault::invalid(scribe, &values, "[]", "at least one value is required");
    }
    let mut seen: Vec<i64> = Vec::new();
    for field in &list {
        let Some(code) = number(field) else { continue };
        if code == 0 && text(&operator) == "In" {
            fault::invalid(scribe, field, code, "must not be 0 for the In operator");
        }
        if seen.contains(&code) {
            fault::duplicate(scribe, field, code);
        }
        seen.push(code);
    }
    if !seen.is_sorted() {
        fault::invalid(scribe, &values, shown(&values), "must be ordered");
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
        indexes(spec, scribe);
        let success = spec.peek("successPolicy");
        if success.exists() {
            success_policy(&success, number(&completions), scribe);
        }
    } else {
        let success = spec.peek("successPolicy");
        if success.exists() {
            let detail = "requires indexed completion mode";
            fault::invalid(scribe, &success, shown(&success), detail);
        }
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
    let per_index = spec.peek("backoffLimitPerIndex");
    if spec.peek("maxFailedIndexes").exists() && !per_index.exists() {
        fault::required(scribe, &per_index, "when maxFailedIndexes is specified");
    }
    let failure = spec.peek("podFailurePolicy");
    let policies: &[&str] = if failure.exists() {
        failure_policy(spec, &failure, scribe);
        &["Failed"]
    } else {
        &["Failed", "TerminatingOrFailed"]
    };
    one_of(&spec.peek("podReplacementPolicy"), policies, scribe);
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
        // The template's own check names its words, too.
        word => fault::unsupported(scribe, &policy, word, &["OnFailure", "Never"]),
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
