//! `kubectl autoscale`. Source: `k8s.io/kubectl/pkg/cmd/autoscale/autoscale.go`.

use crate::base::quantity::Quantity;
use crate::console::kubectl::edit::as_given;
use crate::console::kubectl::problem::Problem;
use crate::console::kubectl::{Call, kind_of, name_of, printers};
use crate::kube::kinds::Kind;
use crate::manifest::value::Value;

use super::generators::head;
use super::{number, zero};

/// Flags of `autoscale`.
pub const FLAGS: &[&str] = &[
    "min",
    "max",
    "cpu-percent",
    "cpu",
    "memory",
    "name",
    "filename:f",
    "?dry-run",
    "output:o",
    "field-manager",
    "!save-config",
];

/// What is wanted of a resource.
enum Wanted {
    /// This share of what is asked for.
    Percent(i64),
    /// This much for each pod.
    Amount(String),
}

impl Wanted {
    /// A percentage, or an amount, which has a unit of its own where it states none.
    fn parse(resource: &str, unit: &str, text: &str) -> Result<Self, Problem> {
        let text = text.trim();
        if let Some(percent) = text.strip_suffix('%') {
            let share = percent.parse::<i32>().ok().filter(|share| *share >= 0);
            return share
                .map(|share| Self::Percent(share.into()))
                .ok_or_else(|| Problem::error(format!("invalid percentage value: {percent}")));
        }
        let plain = text
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'.');
        let amount = if plain {
            format!("{text}{unit}")
        } else {
            text.to_owned()
        };
        match Quantity::parse(&amount) {
            Ok(_) => Ok(Self::Amount(amount)),
            Err(_) => Err(Problem::error(format!(
                "invalid resource {resource} value: {text}"
            ))),
        }
    }
}

fn metric(resource: &str, wanted: &Wanted) -> Value {
    let target = match wanted {
        Wanted::Percent(percent) => Value::object([
            ("averageUtilization", Value::Int(*percent)),
            ("type", "Utilization".into()),
        ]),
        Wanted::Amount(amount) => Value::object([
            ("averageValue", amount.as_str().into()),
            ("type", "AverageValue".into()),
        ]),
    };
    Value::object([
        (
            "resource",
            Value::object([("name", resource.into()), ("target", target)]),
        ),
        ("type", "Resource".into()),
    ])
}

/// `autoscale`.
///
/// # Errors
/// Bounds that make no sense, targets that cannot be scaled, the server's refusal.
pub fn autoscale(call: &mut Call<'_>) -> Result<(), Problem> {
    let (least, most) = (
        number(call, "min")?.unwrap_or(-1),
        number(call, "max")?.unwrap_or(-1),
    );
    if most < 1 {
        return Err(Problem::error(format!(
            "--max=MAXPODS is required and must be at least 1, max: {most}"
        )));
    }
    if most < least {
        return Err(Problem::error(format!(
            "--max=MAXPODS must be larger or equal to --min=MINPODS, max: {most}, min: {least}"
        )));
    }
    let percent = number(call, "cpu-percent")?;
    if percent.is_some() {
        call.stderr.push("Flag --cpu-percent has been deprecated, Use --cpu with percentage or resource quantity format (e.g., '70%' for utilization or '500m' for milliCPU).\n");
    }
    let given = |flag: &str| call.arguments.flag(flag).filter(|text| !text.is_empty());
    let percent = percent.filter(|percent| *percent > 0);
    if percent.is_some() && given("cpu").is_some() {
        return Err(Problem::error(
            "--cpu-percent and --cpu are mutually exclusive",
        ));
    }
    let mut metrics: Vec<Value> = Vec::new();
    metrics.extend(percent.map(|percent| metric("cpu", &Wanted::Percent(percent))));
    for (resource, unit) in [("cpu", "m"), ("memory", "Mi")] {
        if let Some(text) = given(resource) {
            metrics.push(metric(resource, &Wanted::parse(resource, unit, text)?));
        }
    }
    let (found, mut problems) = as_given(call, &call.arguments.words)?;
    for (kind, target) in found {
        problems.extend(one(call, kind, &target, (least, most), &metrics).err());
    }
    Problem::all(problems)
}

/// Makes the autoscaler of one object, between the fewest and the most pods.
fn one(
    call: &mut Call<'_>,
    kind: &'static Kind,
    target: &Value,
    (least, most): (i64, i64),
    metrics: &[Value],
) -> Result<(), Problem> {
    let scalable = [
        "Deployment",
        "ReplicaSet",
        "StatefulSet",
        "ReplicationController",
    ];
    let custom = call
        .view()?
        .store
        .definitions()
        .of_kind(kind)
        .is_some_and(|(_, version)| version.scale.is_some());
    if !custom && (kind.custom || !scalable.contains(&kind.kind)) {
        return Err(Problem::error(format!(
            "cannot autoscale a {}: no kind match found",
            kind.kind
        )));
    }
    let name = call
        .arguments
        .flag("name")
        .unwrap_or_else(|| name_of(target))
        .to_owned();
    let mut object = head("autoscaling/v2", "HorizontalPodAutoscaler", &name);
    object.set_path(
        &["metadata", "namespace"],
        target
            .path(&["metadata", "namespace"])
            .cloned()
            .unwrap_or_default(),
    );
    object.set_path(
        &["spec", "scaleTargetRef"],
        Value::object([
            ("apiVersion", kind.api_version.into()),
            ("kind", kind.kind.into()),
            ("name", name_of(target).into()),
        ]),
    );
    object.set_path(&["spec", "maxReplicas"], most.into());
    if least > 0 {
        object.set_path(&["spec", "minReplicas"], least.into());
    }
    if !metrics.is_empty() {
        object.set_path(&["spec", "metrics"], metrics.to_vec().into());
    }
    let hpa = kind_of("horizontalpodautoscalers")?;
    let made = if call.dry_client() {
        object
    } else {
        let namespace = object
            .str_at(&["metadata", "namespace"])
            .unwrap_or("")
            .into();
        call.ask(crate::kube::apiserver::Request::Create { object, namespace })?
            .object
    };
    let shown = if call.dry_client() {
        // The namespace is the request's, and the object's only where it was asked for.
        let mut made = zero::filled(&made);
        if call.arguments.flag("namespace").is_none() {
            made.remove_path(&["metadata", "namespace"]);
        }
        made
    } else {
        made
    };
    let word = if call.dry_client() {
        "created"
    } else {
        "autoscaled"
    };
    printers::outcome(call, hpa, &shown, word)
}
