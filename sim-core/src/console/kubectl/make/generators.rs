//! `kubectl create KIND NAME` beyond Deployments, ConfigMaps and Services, and `kubectl autoscale`.
//! Source: `k8s.io/kubectl/pkg/cmd/{create,autoscale}`.

use crate::base::arrange::Arrange;
use crate::console::kubectl::edit::chosen;
use crate::console::kubectl::problem::Problem;
use crate::console::kubectl::{Call, kind_of, name_of, printers};
use crate::manifest::value::Value;

use super::{finish, number, zero};

/// Flags of `autoscale`.
pub const AUTOSCALE_FLAGS: &[&str] = &[
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

/// An object's head: version, kind and name.
fn head(api_version: &str, kind: &str, name: &str) -> Value {
    Value::object([
        ("apiVersion", api_version.into()),
        ("kind", kind.into()),
        ("metadata", Value::object([("name", name.into())])),
    ])
}

fn texts<S: AsRef<str>>(list: &[S]) -> Value {
    Value::list(list.iter().map(|one| one.as_ref().into()).collect())
}

fn needs(call: &Call<'_>, flag: &str) -> Result<String, Problem> {
    match call.arguments.flag(flag) {
        Some(text) if !text.is_empty() => Ok(text.to_owned()),
        _ => Err(Problem::error(&format!("{flag} must be specified"))),
    }
}

/// Makes an object of one of the kinds here; nothing if the word is none of them.
///
/// # Errors
/// Flags that are missing or make no sense, and the server's refusal.
pub fn create(call: &mut Call<'_>, words: &[String]) -> Option<Result<(), Problem>> {
    let word = words.first()?.as_str();
    let name = words.get(1).cloned();
    let named = || {
        name.clone().filter(|_| words.len() == 2).ok_or_else(|| {
            Problem::error(&format!(
                "exactly one NAME is required, got {}",
                words.len() - 1
            ))
        })
    };
    let make: fn(&Call<'_>, &str) -> Result<Value, Problem> = match word {
        "job" => job,
        "cronjob" | "cj" => cron_job,
        "serviceaccount" | "sa" => |_, name| Ok(head("v1", "ServiceAccount", name)),
        "poddisruptionbudget" | "pdb" => budget,
        "quota" | "resourcequota" => quota,
        "role" => |call, name| role(call, "Role", name),
        "clusterrole" => |call, name| role(call, "ClusterRole", name),
        "rolebinding" => |call, name| binding(call, "RoleBinding", name),
        "clusterrolebinding" => |call, name| binding(call, "ClusterRoleBinding", name),
        "priorityclass" | "pc" => priority_class,
        "ingress" | "ing" => ingress,
        _ => return None,
    };
    Some(named().and_then(|name| {
        let object = make(call, &name)?;
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
    let mut object = head("policy/v1", "PodDisruptionBudget", name);
    object.set_path(&["spec", "selector", "matchLabels"], labels(selector));
    object.set_path(&["spec", field], count_or_percent(amount));
    Ok(object)
}

fn quota(call: &Call<'_>, name: &str) -> Result<Value, Problem> {
    let mut object = head("v1", "ResourceQuota", name);
    object.set("spec", Value::map());
    for pair in call.arguments.all("hard") {
        let (resource, amount) = pair.split_once('=').ok_or_else(|| {
            Problem::error(&format!(
                "invalid argument syntax {pair}, expected <resource>=<value>"
            ))
        })?;
        object.set_path(&["spec", "hard", resource], amount.into());
    }
    let scopes = call.arguments.all("scopes");
    if !scopes.is_empty() {
        object.set_path(&["spec", "scopes"], texts(&scopes));
    }
    Ok(object)
}

fn role(call: &Call<'_>, kind: &str, name: &str) -> Result<Value, Problem> {
    let mut object = head("rbac.authorization.k8s.io/v1", kind, name);
    let verbs = call.arguments.all("verb");
    if verbs.is_empty() {
        return Err(Problem::error("at least one verb must be specified"));
    }
    let urls = call.arguments.all("non-resource-url");
    let resources = call.arguments.all("resource");
    if resources.is_empty() && urls.is_empty() {
        return Err(Problem::error("at least one resource must be specified"));
    }
    let names = call.arguments.all("resource-name");
    let mut rules: Vec<Value> = Vec::new();
    let mut groups: Vec<(String, Vec<String>)> = Vec::new();
    for resource in &resources {
        let (word, sub) = resource.split_once('/').unwrap_or((resource, ""));
        let found = call.kind_of(word)?;
        let plural = if sub.is_empty() {
            found.plural.to_owned()
        } else {
            format!("{}/{sub}", found.plural)
        };
        match groups.iter_mut().find(|(group, _)| group == found.group()) {
            Some((_, list)) => list.push(plural),
            None => groups.push((found.group().to_owned(), vec![plural])),
        }
    }
    groups.arrange();
    for (group, list) in groups {
        let mut rule = Value::object([
            ("apiGroups", texts(&[group])),
            ("resources", texts(&list)),
            ("verbs", texts(&verbs)),
        ]);
        if !names.is_empty() {
            rule.set("resourceNames", texts(&names));
        }
        rules.push(rule);
    }
    if !urls.is_empty() {
        rules.push(Value::object([
            ("nonResourceURLs", texts(&urls)),
            ("verbs", texts(&verbs)),
        ]));
    }
    object.set("rules", rules.into());
    Ok(object)
}

fn binding(call: &Call<'_>, kind: &str, name: &str) -> Result<Value, Problem> {
    let group = "rbac.authorization.k8s.io";
    let (cluster, own) = (
        call.arguments.flag("clusterrole"),
        call.arguments.flag("role"),
    );
    let (role_kind, role) = match (cluster, own) {
        (Some(role), None) => ("ClusterRole", role),
        (None, Some(role)) if kind == "RoleBinding" => ("Role", role),
        _ if kind == "RoleBinding" => {
            return Err(Problem::error(
                "exactly one of clusterrole or role must be specified",
            ));
        }
        _ => return Err(Problem::error("clusterrole must be specified")),
    };
    let mut object = head("rbac.authorization.k8s.io/v1", kind, name);
    object.set(
        "roleRef",
        Value::object([
            ("apiGroup", group.into()),
            ("kind", role_kind.into()),
            ("name", role.into()),
        ]),
    );
    let mut subjects = Vec::new();
    for (flag, kind) in [("user", "User"), ("group", "Group")] {
        for name in call.arguments.all(flag) {
            subjects.push(Value::object([
                ("apiGroup", Value::from(group)),
                ("kind", kind.into()),
                ("name", name.as_str().into()),
            ]));
        }
    }
    for account in call.arguments.all("serviceaccount") {
        let (namespace, name) = account
            .split_once(':')
            .ok_or_else(|| Problem::error("serviceaccount must be <namespace>:<name>"))?;
        subjects.push(Value::object([
            ("kind", Value::from("ServiceAccount")),
            ("name", name.into()),
            ("namespace", namespace.into()),
        ]));
    }
    if !subjects.is_empty() {
        object.set("subjects", subjects.into());
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

/// `name:port`, by number or name.
fn backend(text: &str) -> Result<Value, Problem> {
    let (service, port) = text.split_once(':').ok_or_else(|| {
        Problem::error(&format!(
            "backend service {text} is invalid and should be in format servicename:serviceport"
        ))
    })?;
    let mut value = Value::map();
    value.set_path(&["service", "name"], service.into());
    match port.parse::<i64>() {
        Ok(number) => value.set_path(&["service", "port", "number"], number.into()),
        Err(_) => value.set_path(&["service", "port", "name"], port.into()),
    }
    Ok(value)
}

fn ingress(call: &Call<'_>, name: &str) -> Result<Value, Problem> {
    let mut object = head("networking.k8s.io/v1", "Ingress", name);
    let rules = call.arguments.each("rule");
    let default = call.arguments.flag("default-backend");
    if rules.is_empty() && default.is_none() {
        return Err(Problem::error(
            "not enough information provided: every ingress has to either specify a default-backend (which catches all traffic) or a list of rules (which catch specific paths)",
        ));
    }
    if let Some(class) = call.arguments.flag("class") {
        object.set_path(&["spec", "ingressClassName"], class.into());
    }
    for pair in call.arguments.each("annotation") {
        if let Some((key, value)) = pair.split_once('=') {
            object.set_path(&["metadata", "annotations", key], value.into());
        }
    }
    if let Some(default) = default {
        object.set_path(&["spec", "defaultBackend"], backend(default)?);
    }
    let mut hosts: Vec<(String, Vec<Value>)> = Vec::new();
    let mut tls: Vec<Value> = Vec::new();
    for rule in rules {
        let (place, rest) = rule.split_once('=').ok_or_else(|| {
            Problem::error(&format!("rule {rule} is invalid and should be in format host/path=svcname:svcport[,tls[=secret]]"))
        })?;
        let (host, path) = place.split_once('/').unwrap_or((place, ""));
        let (target, secret) = rest.split_once(',').unwrap_or((rest, ""));
        let (path, kind) = match path.strip_suffix('*') {
            Some(prefix) => (format!("/{prefix}"), "Prefix"),
            None => (format!("/{path}"), "Exact"),
        };
        let entry = Value::object([
            ("backend", backend(target)?),
            ("path", path.as_str().into()),
            ("pathType", kind.into()),
        ]);
        match hosts.iter_mut().find(|(known, _)| known == host) {
            Some((_, paths)) => paths.push(entry),
            None => hosts.push((host.to_owned(), vec![entry])),
        }
        if let Some(secret) = secret.strip_prefix("tls") {
            let mut one = Value::object([("hosts", texts(&[host]))]);
            if let Some(secret) = secret.strip_prefix('=').filter(|text| !text.is_empty()) {
                one.set("secretName", secret.into());
            }
            tls.push(one);
        }
    }
    let rules: Vec<Value> = hosts
        .into_iter()
        .map(|(host, paths)| {
            let mut rule = Value::map();
            if !host.is_empty() {
                rule.set("host", host.into());
            }
            rule.set_path(&["http", "paths"], paths.into());
            rule
        })
        .collect();
    if !rules.is_empty() {
        object.set_path(&["spec", "rules"], rules.into());
    }
    if !tls.is_empty() {
        object.set_path(&["spec", "tls"], tls.into());
    }
    Ok(object)
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
        return Err(Problem::error(&format!(
            "--max=MAXPODS is required and must be at least 1, max: {most}"
        )));
    }
    if most < least {
        return Err(Problem::error(&format!(
            "--max=MAXPODS must be larger or equal to --min=MINPODS, max: {most}, min: {least}"
        )));
    }
    let cpu = call
        .arguments
        .flag("cpu-percent")
        .or(call.arguments.flag("cpu"))
        .map(str::to_owned);
    let memory = call.arguments.flag("memory").map(str::to_owned);
    for (kind, target) in chosen(call, &call.arguments.words)? {
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
            return Err(Problem::error(&format!(
                "cannot autoscale a {}: no kind match found",
                kind.kind
            )));
        }
        let name = call
            .arguments
            .flag("name")
            .unwrap_or_else(|| name_of(&target))
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
                ("name", name_of(&target).into()),
            ]),
        );
        object.set_path(&["spec", "maxReplicas"], most.into());
        if least > 0 {
            object.set_path(&["spec", "minReplicas"], least.into());
        }
        let mut metrics = Vec::new();
        for (resource, wanted) in [("cpu", &cpu), ("memory", &memory)] {
            let Some(wanted) = wanted.as_deref().filter(|text| !text.starts_with('-')) else {
                continue;
            };
            let mut metric = Value::object([("type", Value::from("Resource"))]);
            metric.set_path(&["resource", "name"], resource.into());
            let base = ["resource", "target"];
            match wanted.trim_end_matches('%').parse::<i64>() {
                Ok(percent) if wanted.ends_with('%') || resource == "cpu" => {
                    metric.set_path(&[base[0], base[1], "type"], "Utilization".into());
                    metric.set_path(&[base[0], base[1], "averageUtilization"], percent.into());
                }
                _ => {
                    metric.set_path(&[base[0], base[1], "type"], "AverageValue".into());
                    metric.set_path(&[base[0], base[1], "averageValue"], wanted.into());
                }
            }
            metrics.push(metric);
        }
        if !metrics.is_empty() {
            object.set_path(&["spec", "metrics"], metrics.into());
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
            // The namespace is the request's, not the object's.
            let mut made = zero::filled(&made);
            made.remove_path(&["metadata", "namespace"]);
            made
        } else {
            made
        };
        printers::outcome(call, hpa, &shown, "autoscaled")?;
    }
    Ok(())
}
