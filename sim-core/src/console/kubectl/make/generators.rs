//! `kubectl create KIND NAME` beyond Deployments, ConfigMaps and Services.
//! Source: `k8s.io/kubectl/pkg/cmd/create`.

use crate::base::quantity::Quantity;
use crate::base::sentence::Sentence;
use crate::console::kubectl::problem::Problem;
use crate::console::kubectl::{Call, kind_of};
use crate::manifest::value::Value;

use super::{finish, ingress, number, one_name, roles};

/// An object's head: version, kind and name.
pub(super) fn head(api_version: &str, kind: &str, name: &str) -> Value {
    Value::object([
        ("apiVersion", api_version.into()),
        ("kind", kind.into()),
        ("metadata", Value::object([("name", name.into())])),
    ])
}

pub(super) fn texts<S: AsRef<str>>(list: &[S]) -> Value {
    Value::list(list.iter().map(|one| one.as_ref().into()).collect())
}

fn needs(call: &Call<'_>, flag: &str) -> Result<String, Problem> {
    match call.arguments.flag(flag) {
        Some(text) if !text.is_empty() => Ok(text.to_owned()),
        _ => Err(Problem::error(format!("{flag} must be specified"))),
    }
}

/// Makes an object of one of the kinds here; nothing if the word is none of them.
///
/// # Errors
/// Flags that are missing or make no sense, and the server's refusal.
pub fn create(call: &mut Call<'_>, words: &[String]) -> Option<Result<(), Problem>> {
    let word = words.first()?.as_str();
    let make: fn(&mut Call<'_>, &str) -> Result<Value, Problem> = match word {
        "job" => |call, name| job(call, name),
        "cronjob" | "cj" => |call, name| cron_job(call, name),
        "serviceaccount" | "sa" => |_, name| Ok(head("v1", "ServiceAccount", name)),
        "poddisruptionbudget" | "pdb" => |call, name| budget(call, name),
        "quota" | "resourcequota" => |call, name| quota(call, name),
        "role" => roles::role,
        "clusterrole" => roles::cluster_role,
        "rolebinding" => |call, name| roles::binding(call, "RoleBinding", name),
        "clusterrolebinding" => |call, name| roles::binding(call, "ClusterRoleBinding", name),
        "priorityclass" | "pc" => |call, name| priority_class(call, name),
        "ingress" | "ing" => |call, name| ingress::ingress(call, name),
        _ => return None,
    };
    Some(one_name(words, 2).and_then(|()| {
        let object = make(call, &words[1])?;
        let resource = match word {
            "quota" => "resourcequotas",
            other => other,
        };
        finish(call, kind_of(resource)?, object)
    }))
}

fn container(call: &Call<'_>, name: &str) -> Result<Value, Problem> {
    let image =
        needs(call, "image").map_err(|_| Problem::error("required flag(s) \"image\" not set"))?;
    let mut container = Value::object([("image", image.as_str().into()), ("name", name.into())]);
    if let Some(command) = &call.arguments.tail {
        container.set("command", texts(command));
    }
    Ok(container)
}

fn pods(container: Value, restart: &str) -> Value {
    let mut template = Value::map();
    template.set_path(&["spec", "containers"], vec![container].into());
    template.set_path(&["spec", "restartPolicy"], restart.into());
    template
}

fn job(call: &Call<'_>, name: &str) -> Result<Value, Problem> {
    let mut object = head("batch/v1", "Job", name);
    let Some(from) = call.arguments.flag("from") else {
        if call.arguments.flag("image").is_none() {
            return Err(Problem::error("either --image or --from must be specified"));
        }
        let template = pods(container(call, name)?, "Never");
        object.set_path(&["spec", "template"], template);
        return Ok(object);
    };
    if call.arguments.flag("image").is_some() {
        return Err(Problem::error("either --image or --from must be specified"));
    }
    let command = call.arguments.tail.as_ref();
    if command.is_some_and(|command| !command.is_empty()) {
        return Err(Problem::error("cannot specify --from and command"));
    }
    let (word, source) = from
        .split_once('/')
        .ok_or_else(|| Problem::error("from must be an existing cronjob"))?;
    let kind = call.kind_of(word)?;
    if kind.kind != "CronJob" {
        return Err(Problem::error("from must be an existing cronjob"));
    }
    let cron = call.object(kind, source)?;
    let template = cron.path(&["spec", "jobTemplate"]);
    let template = template.cloned().unwrap_or_default();
    for field in ["annotations", "labels"] {
        if let Some(map) = template.path(&["metadata", field]) {
            object.set_path(&["metadata", field], map.clone());
        }
    }
    object.set_path(
        &[
            "metadata",
            "annotations",
            "cronjob.kubernetes.io/instantiate",
        ],
        "manual".into(),
    );
    let owner = Value::object([
        ("apiVersion", Value::from("batch/v1")),
        ("controller", true.into()),
        ("kind", "CronJob".into()),
        ("name", source.into()),
        (
            "uid",
            cron.path(&["metadata", "uid"]).cloned().unwrap_or_default(),
        ),
    ]);
    object.set_path(&["metadata", "ownerReferences"], vec![owner].into());
    object.set("spec", template.get("spec").cloned().unwrap_or_default());
    Ok(object)
}

fn cron_job(call: &Call<'_>, name: &str) -> Result<Value, Problem> {
    let schedule = needs(call, "schedule")
        .map_err(|_| Problem::error("required flag(s) \"schedule\" not set"))?;
    let restart = call.arguments.flag("restart").unwrap_or("OnFailure");
    let mut object = head("batch/v1", "CronJob", name);
    object.set_path(&["spec", "schedule"], schedule.into());
    object.set_path(&["spec", "jobTemplate", "metadata", "name"], name.into());
    object.set_path(
        &["spec", "jobTemplate", "spec", "template"],
        pods(container(call, name)?, restart),
    );
    Ok(object)
}

/// `app=web,tier=front` as matchLabels.
fn labels(text: &str) -> Value {
    let mut map = Value::map();
    for pair in text.split(',') {
        if let Some((key, value)) = pair.split_once('=') {
            map.set(key.trim(), value.trim_start_matches('=').trim().into());
        }
    }
    map
}

fn count_or_percent(text: &str) -> Value {
    text.parse::<i64>().map_or_else(|_| text.into(), Value::Int)
}

fn budget(call: &Call<'_>, name: &str) -> Result<Value, Problem> {
    let selector = call.arguments.flag("selector").unwrap_or("");
    if selector.is_empty() {
        return Err(Problem::error("a selector must be specified"));
    }
    let (least, most) = (
        call.arguments.flag("min-available"),
        call.arguments.flag("max-unavailable"),
    );
    let (field, amount) = match (least, most) {
        (Some(_), Some(_)) => {
            return Err(Problem::error(
                "min-available and max-unavailable cannot be both specified",
            ));
        }
        (Some(least), None) => ("minAvailable", least),
        (None, Some(most)) => ("maxUnavailable", most),
        (None, None) => {
            return Err(Problem::error(
                "one of min-available or max-unavailable must be specified",
            ));
        }
    };
    let digits = amount.strip_suffix('%').unwrap_or(amount);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        let flag = if field == "minAvailable" {
            "min-available"
        } else {
            "max-unavailable"
        };
        return Err(Problem::error(format!(
            "invalid format specified for {flag}"
        )));
    }
    let mut object = head("policy/v1", "PodDisruptionBudget", name);
    object.set_path(&["spec", "selector", "matchLabels"], labels(selector));
    object.set_path(&["spec", field], count_or_percent(amount));
    Ok(object)
}

fn quota(call: &Call<'_>, name: &str) -> Result<Value, Problem> {
    let mut object = head("v1", "ResourceQuota", name);
    object.set("spec", Value::map());
    let hard = call.arguments.flag("hard").unwrap_or("");
    for pair in hard.split(',').filter(|_| !hard.is_empty()) {
        let split = pair
            .split_once('=')
            .filter(|(_, amount)| !amount.contains('='));
        let (resource, amount) = split.ok_or_else(|| {
            Problem::error(format!(
                "Invalid argument syntax {pair}, expected <resource>=<value>"
            ))
        })?;
        Quantity::parse(amount).map_err(|error| Problem::error(Sentence::from(error)))?;
        object.set_path(&["spec", "hard", resource], amount.into());
    }
    let scopes = call.arguments.flag("scopes").unwrap_or("");
    if !scopes.is_empty() {
        let scopes: Vec<&str> = scopes.split(',').collect();
        if scopes.contains(&"") {
            return Err(Problem::error("invalid resource quota scope \"\""));
        }
        object.set_path(&["spec", "scopes"], texts(&scopes));
    }
    Ok(object)
}

fn priority_class(call: &Call<'_>, name: &str) -> Result<Value, Problem> {
    let mut object = head("scheduling.k8s.io/v1", "PriorityClass", name);
    object.set("value", Value::Int(number(call, "value")?.unwrap_or(0)));
    object.set("globalDefault", call.arguments.on("global-default").into());
    object.set(
        "description",
        call.arguments.flag("description").unwrap_or("").into(),
    );
    object.set(
        "preemptionPolicy",
        call.arguments
            .flag("preemption-policy")
            .unwrap_or("PreemptLowerPriority")
            .into(),
    );
    Ok(object)
}
