//! `kubectl certificate approve` and `deny`. Source: `k8s.io/kubectl/pkg/cmd/certificates`.

use crate::kube::kinds::Kind;
use crate::manifest::value::Value;

use super::pod_status::items;
use super::problem::Problem;
use super::{Call, apply, kind_of, name_of, printers};

/// Flags of `certificate`.
pub const FLAGS: &[&str] = &[
    "!force",
    "filename:f",
    "kustomize:k",
    "!recursive:R",
    "output:o",
    "!show-managed-fields",
    "!allow-missing-template-keys",
];

/// What a verb does: its condition, the one that forbids it, reason, message and what is said.
struct Verdict {
    condition: &'static str,
    opposite: &'static str,
    reason: &'static str,
    message: &'static str,
    said: &'static str,
}

const APPROVE: Verdict = Verdict {
    condition: "Approved",
    opposite: "Denied",
    reason: "KubectlApprove",
    message: "This CSR was approved by kubectl certificate approve.",
    said: "approved",
};

const DENY: Verdict = Verdict {
    condition: "Denied",
    opposite: "Approved",
    reason: "KubectlDeny",
    message: "This CSR was denied by kubectl certificate deny.",
    said: "denied",
};

/// `certificate approve NAME …` and `certificate deny NAME …`.
///
/// # Errors
/// Requests that are not there or have the other verdict, in upstream's words.
pub fn certificate(call: &mut Call<'_>) -> Result<(), Problem> {
    let words = call.arguments.words.clone();
    let (verdict, names) = match words.split_first() {
        Some((verb, names)) if verb == "approve" => (&APPROVE, names),
        Some((verb, names)) if verb == "deny" => (&DENY, names),
        Some((verb, _)) => {
            return Err(Problem::error(format!(
                "unknown command \"{verb}\" for \"kubectl certificate\""
            )));
        }
        None => {
            return Err(Problem::error("Required subcommand: approve or deny"));
        }
    };
    let kind = kind_of("certificatesigningrequests")?;
    let (mut names, mut problems) = (names.to_vec(), Vec::new());
    if names.is_empty() && !call.arguments.has_files() {
        return Err(Problem::error(
            "one or more CSRs must be specified as <name> or -f <filename>",
        ));
    }
    if names.is_empty() {
        let (found, unread) = apply::items(call)?;
        problems = unread;
        for item in &found {
            if item.kind.kind != kind.kind {
                problems.push(Problem::error(format!(
                    "can only handle {} objects, got {}",
                    kind.kind, item.kind.kind
                )));
                continue;
            }
            names.push(name_of(&item.object).to_owned());
        }
    }
    for name in names {
        if let Err(problem) = decide(call, kind, &name, verdict) {
            problems.push(problem);
        }
    }
    Problem::all(problems)
}

fn decide(
    call: &mut Call<'_>,
    kind: &'static Kind,
    name: &str,
    verdict: &Verdict,
) -> Result<(), Problem> {
    let request = call.object(kind, name)?;
    let mut conditions = items(&request, &["status", "conditions"]).to_vec();
    let has = |wanted: &str| {
        let mut types = conditions.iter().filter_map(|one| one.str_at(&["type"]));
        types.any(|one| one == wanted)
    };
    if has(verdict.opposite) {
        return Err(Problem::error(format!(
            "certificate signing request {name:?} is already {}",
            verdict.opposite
        )));
    }
    let known = has(verdict.condition);
    let mut answer = request.clone();
    if !known {
        let now = call.now().rfc3339();
        conditions.push(Value::object([
            ("lastTransitionTime", now.as_str().into()),
            ("lastUpdateTime", now.as_str().into()),
            ("message", verdict.message.into()),
            ("reason", verdict.reason.into()),
            ("status", "True".into()),
            ("type", verdict.condition.into()),
        ]));
        answer.set_path(&["status", "conditions"], Value::list(conditions));
        call.put_status(answer)?;
    }
    // What is printed is the object as it was read.
    printers::outcome(call, kind, &request, verdict.said)
}
