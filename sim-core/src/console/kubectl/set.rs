//! `kubectl set image|env|resources|selector|serviceaccount|subject`.
//! Source: `k8s.io/kubectl/pkg/cmd/set`.

use crate::base::quantity::Quantity;
use crate::base::sentence::Sentence;
use crate::kube::kinds::Kind;
use crate::manifest::value::Value;

use super::edit::{NO_RESOURCE, chosen};
use super::problem::Problem;
use super::{Call, make, name_of};

/// Flags of `set`.
pub const FLAGS: &[&str] = &[
    "filename:f",
    "!recursive:R",
    "!all",
    "selector:l",
    "!local",
    "output:o",
    "?dry-run",
    "field-manager",
    "containers:c",
    "limits",
    "requests",
    "env:e",
    "from",
    "prefix",
    "keys",
    "!list",
    "!resolve",
    "!overwrite",
    "resource-version",
    "serviceaccount",
    "user",
    "group",
];

/// `set`.
///
/// # Errors
/// A container that is not there, words that say nothing, the server's refusal.
pub fn set(call: &mut Call<'_>) -> Result<(), Problem> {
    let words = call.arguments.words.clone();
    let rest = words.get(1..).unwrap_or(&[]);
    match words.first().map(String::as_str) {
        Some("image") => image(call, rest),
        Some("env") => env(call, rest),
        Some("resources") => resources(call, rest),
        Some("selector") => selector(call, rest),
        Some("serviceaccount" | "sa") => service_account(call, rest),
        Some("subject") => subject(call, rest),
        _ => Err(make::no_command(
            "kubectl set",
            &call.arguments.words.clone(),
            "image, env, resources, selector, serviceaccount or subject",
        )),
    }
}

/// Where a kind keeps the spec of its pods; nothing if it has no pods.
pub fn pod_spec(kind: &Kind) -> Option<&'static [&'static str]> {
    Some(match kind.kind {
        "Pod" => &["spec"],
        "Deployment"
        | "ReplicaSet"
        | "StatefulSet"
        | "DaemonSet"
        | "ReplicationController"
        | "Job" => &["spec", "template", "spec"],
        "CronJob" => &["spec", "jobTemplate", "spec", "template", "spec"],
        _ => return None,
    })
}

/// Changes the containers whose name fits; tells how many there were.
fn each_container(
    kind: &Kind,
    object: &mut Value,
    fits: &dyn Fn(&str) -> bool,
    lists: &[&str],
    change: &mut dyn FnMut(&mut Value),
) -> usize {
    let Some(base) = pod_spec(kind) else { return 0 };
    let mut count = 0;
    for list in lists {
        let path: Vec<&str> = base.iter().copied().chain([*list]).collect();
        let containers = object.path_mut(&path).and_then(Value::as_list_mut);
        for container in containers.into_iter().flatten() {
            if fits(container.str_at(&["name"]).unwrap_or("")) {
                change(container);
                count += 1;
            }
        }
    }
    count
}

/// Writes an object that changed and says so; one that did not is passed over in silence.
fn finish(
    call: &mut Call<'_>,
    kind: &'static Kind,
    before: &Value,
    object: Value,
    words: &str,
) -> Result<(), Problem> {
    if object == *before {
        return Ok(());
    }
    let made = if call.arguments.on("local") {
        object
    } else {
        call.put(object)?
    };
    super::printers::outcome(call, kind, &made, words)
}

fn image(call: &mut Call<'_>, words: &[String]) -> Result<(), Problem> {
    let (changes, rest): (Vec<String>, Vec<String>) =
        words.iter().cloned().partition(|word| word.contains('='));
    // Source: `k8s.io/kubectl/pkg/cmd/set/set_image.go` (`Validate`).
    let mut faults = Vec::new();
    if call.arguments.on("all") && call.arguments.flag("selector").is_some() {
        faults.push("cannot set --all and --selector at the same time");
    }
    if rest.is_empty() && !call.arguments.has_files() {
        faults.push(NO_RESOURCE);
    }
    if changes.is_empty() {
        faults.push("at least one image update is required");
    } else if changes.len() > 1 && changes.iter().any(|change| change.starts_with("*=")) {
        faults.push(
            "all containers are already specified by *, but saw more than one container_name=container_image pairs",
        );
    }
    match faults.as_slice() {
        [] => {}
        [one] => return Err(Problem::error(*one)),
        all => return Err(Problem::error(format!("[{}]", all.join(", ")))),
    }
    for (kind, mut object) in chosen(call, &rest)? {
        let before = object.clone();
        for change in &changes {
            let (name, image) = change.split_once('=').unwrap_or((change, ""));
            let hits = each_container(
                kind,
                &mut object,
                &|own| name == "*" || own == name,
                &["initContainers", "containers"],
                &mut |container| container.set("image", image.into()),
            );
            if hits == 0 {
                return Err(Problem::error(format!(
                    "unable to find container named \"{name}\""
                )));
            }
        }
        finish(call, kind, &before, object, "image updated")?;
    }
    Ok(())
}

/// `*` and `?` in names of containers.
fn fits(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((head, tail)) => {
            name.len() >= head.len() + tail.len() && name.starts_with(head) && name.ends_with(tail)
        }
    }
}

/// A variable to set, with its value or where that comes from.
type Variable = (String, Value);

fn env(call: &mut Call<'_>, words: &[String]) -> Result<(), Problem> {
    let is_change = |word: &String| {
        word.contains('=') || (word.ends_with('-') && !word.contains('/') && word.len() > 1)
    };
    let (mut changes, rest): (Vec<String>, Vec<String>) =
        words.iter().cloned().partition(is_change);
    changes.extend(call.arguments.all("env"));
    let mut set: Vec<Variable> = Vec::new();
    let mut gone: Vec<String> = Vec::new();
    for change in &changes {
        match change.split_once('=') {
            Some((name, value)) => {
                set.push((name.to_owned(), Value::object([("value", value.into())])));
            }
            None => gone.push(change.trim_end_matches('-').to_owned()),
        }
    }
    if let Some(from) = call.arguments.flag("from").map(str::to_owned) {
        set.extend(variables_from(call, &from)?);
    }
    let listing = call.arguments.on("list");
    let keeps = call.arguments.flag("overwrite") == Some("false");
    let resolves = call.arguments.on("resolve");
    // Source: `k8s.io/kubectl/pkg/cmd/set/set_env.go` (`Validate`).
    if rest.is_empty() && !call.arguments.has_files() {
        return Err(Problem::error(NO_RESOURCE));
    }
    if listing && call.arguments.flag("output").is_some() {
        return Err(Problem::error(
            "--list and --output may not be specified together",
        ));
    }
    if set.is_empty() && gone.is_empty() && !listing {
        return Err(Problem::error(
            "at least one environment variable must be provided",
        ));
    }
    let pattern = call.arguments.flag("containers").unwrap_or("*").to_owned();
    for (kind, mut object) in chosen(call, &rest)? {
        let before = object.clone();
        let mut lines = Vec::new();
        let mut taken = None;
        let mut seen: Vec<Value> = Vec::new();
        let header = (kind.kind, name_of(&before).to_owned());
        each_container(
            kind,
            &mut object,
            &|name| fits(&pattern, name),
            &["initContainers", "containers"],
            &mut |container| {
                if listing {
                    let name = container.str_at(&["name"]).unwrap_or("");
                    lines.push(format!("# {} {}, container {name}", header.0, header.1));
                    if resolves {
                        seen.push(container.clone());
                        return;
                    }
                    lines.extend(listed(container, &|_| None));
                    return;
                }
                if keeps && taken.is_none() {
                    taken = already_set(container, &set);
                }
                change_env(container, &set, &gone);
            },
        );
        if let Some(taken) = taken {
            return Err(Problem::error(&taken));
        }
        if listing {
            for (index, line) in lines.iter().enumerate() {
                call.say(line);
                if let Some(container) = seen.get(index) {
                    let known = |from: &Value| resolved(call, &before, from);
                    for line in listed(container, &known) {
                        call.say(&line);
                    }
                }
            }
            continue;
        }
        finish(call, kind, &before, object, "env updated")?;
    }
    Ok(())
}

/// What stands in the way of `--overwrite=false`. Source: `k8s.io/kubectl/pkg/cmd/set/env/env_parse.go`.
fn already_set(container: &Value, set: &[Variable]) -> Option<String> {
    let list = container.get("env").and_then(Value::as_list).unwrap_or(&[]);
    list.iter().find_map(|one| {
        let name = one.str_at(&["name"])?;
        let wanted = set.iter().find(|(wanted, _)| wanted == name)?;
        let old = one.str_at(&["value"]).unwrap_or("");
        (wanted.1.str_at(&["value"]) != Some(old))
            .then(|| format!("'{name}' already has a value ({old}), and --overwrite is false"))
    })
}

/// The value that `--resolve` finds behind a reference.
fn resolved(call: &Call<'_>, object: &Value, from: &Value) -> Option<String> {
    let stored = |word: &str, field: &str| {
        let view = call.view().ok()?;
        let namespace = object.str_at(&["metadata", "namespace"]).unwrap_or("");
        let kind = super::kind_of(word).ok()?;
        let found = view.get(kind, namespace, from.str_at(&[field, "name"])?)?;
        let key = from.str_at(&[field, "key"])?;
        found.str_at(&["data", key]).map(str::to_owned)
    };
    if from.get("configMapKeyRef").is_some() {
        return stored("configmaps", "configMapKeyRef");
    }
    if from.get("secretKeyRef").is_some() {
        let text = stored("secrets", "secretKeyRef")?;
        let bytes = crate::base::base64::decode(&text).ok()?;
        return String::from_utf8(bytes).ok();
    }
    let path = from.str_at(&["fieldRef", "fieldPath"])?;
    object
        .path(&path.split('.').collect::<Vec<_>>())
        .map(crate::object::jsonpath::text)
}

fn listed(container: &Value, known: &dyn Fn(&Value) -> Option<String>) -> Vec<String> {
    let list = container.get("env").and_then(Value::as_list).unwrap_or(&[]);
    list.iter()
        .map(|one| {
            let name = one.str_at(&["name"]).unwrap_or("");
            match one.get("valueFrom") {
                None => format!("{name}={}", one.str_at(&["value"]).unwrap_or("")),
                Some(from) => {
                    if let Some(value) = known(from) {
                        return format!("{name}={value}");
                    }
                    let text = |path: &[&str]| from.str_at(path).unwrap_or("").to_owned();
                    if from.get("secretKeyRef").is_some() {
                        format!(
                            "# {name} from secret {}, key {}",
                            text(&["secretKeyRef", "name"]),
                            text(&["secretKeyRef", "key"])
                        )
                    } else if from.get("configMapKeyRef").is_some() {
                        format!(
                            "# {name} from configmap {}, key {}",
                            text(&["configMapKeyRef", "name"]),
                            text(&["configMapKeyRef", "key"])
                        )
                    } else {
                        format!(
                            "# {name} from field path {}",
                            text(&["fieldRef", "fieldPath"])
                        )
                    }
                }
            }
        })
        .collect()
}

fn change_env(container: &mut Value, set: &[Variable], gone: &[String]) {
    let mut list = container
        .get("env")
        .and_then(Value::as_list)
        .unwrap_or(&[])
        .to_vec();
    for (name, content) in set {
        let mut entry = Value::object([("name", name.as_str().into())]);
        for (key, value) in content.as_map().into_iter().flat_map(|map| map.iter()) {
            entry.set(key, value.clone());
        }
        match list
            .iter_mut()
            .find(|one| one.str_at(&["name"]) == Some(name))
        {
            Some(there) => *there = entry,
            None => list.push(entry),
        }
    }
    list.retain(|one| {
        one.str_at(&["name"])
            .is_none_or(|name| !gone.iter().any(|gone| gone == name))
    });
    if list.is_empty() {
        container.remove("env");
    } else {
        container.set("env", Value::list(list));
    }
}

fn variables_from(call: &Call<'_>, from: &str) -> Result<Vec<Variable>, Problem> {
    let (word, name) = from
        .split_once('/')
        .ok_or_else(|| Problem::error(format!("--from must be resource/name, not {from}")))?;
    let kind = call.kind_of(word)?;
    let field = match kind.kind {
        "Secret" => "secretKeyRef",
        "ConfigMap" => "configMapKeyRef",
        _ => {
            return Err(Problem::error(format!(
                "unsupported resource specified in --from: {}",
                kind.plural
            )));
        }
    };
    let object = call.object(kind, name)?;
    let prefix = call.arguments.flag("prefix").unwrap_or("");
    let keys = call.arguments.all("keys");
    let mut found = Vec::new();
    for (key, _) in object
        .get("data")
        .and_then(Value::as_map)
        .map(|map| map.sorted())
        .unwrap_or_default()
    {
        if !keys.is_empty() && !keys.iter().any(|wanted| **wanted == **key) {
            continue;
        }
        let variable: String = key
            .chars()
            .map(|letter| {
                if letter.is_ascii_alphanumeric() {
                    letter.to_ascii_uppercase()
                } else {
                    '_'
                }
            })
            .collect();
        let reference = Value::object([
            ("key", Value::String(key.clone())),
            ("name", Value::from(name)),
        ]);
        found.push((
            format!("{prefix}{variable}"),
            Value::object([("valueFrom", Value::object([(field, reference)]))]),
        ));
    }
    Ok(found)
}

fn resources(call: &mut Call<'_>, words: &[String]) -> Result<(), Problem> {
    let mut changes = Vec::new();
    for flag in ["limits", "requests"] {
        for pair in call.arguments.all(flag) {
            let (name, amount) = pair.split_once('=').ok_or_else(|| {
                Problem::error(format!(
                    "invalid argument syntax {pair}, expected <resource>=<value>"
                ))
            })?;
            Quantity::parse(amount).map_err(|error| Problem::error(Sentence::from(error)))?;
            changes.push((flag, name.to_owned(), amount.to_owned()));
        }
    }
    if changes.is_empty() {
        return Err(Problem::error(
            "you must specify an update to requests or limits (in the form of --requests/--limits)",
        ));
    }
    let pattern = call.arguments.flag("containers").unwrap_or("*").to_owned();
    for (kind, mut object) in chosen(call, words)? {
        let before = object.clone();
        let hits = each_container(
            kind,
            &mut object,
            &|name| fits(&pattern, name),
            &["containers"],
            &mut |container| {
                for (flag, name, amount) in &changes {
                    // Zero takes the amount away, as upstream's documents show it.
                    if amount == "0" {
                        container.remove_path(&["resources", flag, name]);
                    } else {
                        container.set_path(&["resources", flag, name], amount.as_str().into());
                    }
                }
            },
        );
        if hits == 0 {
            return Err(Problem::error(format!(
                "unable to find container named {pattern}"
            )));
        }
        finish(call, kind, &before, object, "resource requirements updated")?;
    }
    Ok(())
}

fn selector(call: &mut Call<'_>, words: &[String]) -> Result<(), Problem> {
    let missing =
        "one or more resources must be specified as <resource> <name> or <resource>/<name>";
    // The last word is the selector if there is anything before it.
    let Some((expression, rest)) = words.split_last().filter(|(_, rest)| !rest.is_empty()) else {
        return Err(Problem::error(missing));
    };
    if rest.len() == 1 && !rest[0].contains('/') && !expression.contains('=') {
        return Err(Problem::error("a selector is required"));
    }
    let mut wanted = Value::map();
    for pair in expression.split(',') {
        let pair = pair.split_once('=').filter(|(key, _)| !key.is_empty());
        let Some((key, value)) = pair else {
            return Err(Problem::error(format!("invalid selector: {expression}")));
        };
        wanted.set(key, value.trim_start_matches('=').into());
    }
    for (kind, mut object) in chosen(call, rest)? {
        let before = object.clone();
        if kind.kind != "Service" {
            return Err(Problem::error(
                "setting a selector is only supported for Services",
            ));
        }
        object.set_path(&["spec", "selector"], wanted.clone());
        if let Some(version) = call.arguments.flag("resource-version") {
            object.set_path(&["metadata", "resourceVersion"], version.into());
        }
        finish(call, kind, &before, object, "selector updated")?;
    }
    Ok(())
}

fn service_account(call: &mut Call<'_>, words: &[String]) -> Result<(), Problem> {
    let Some((account, rest)) = words.split_last() else {
        return Err(Problem::error("serviceaccount is required"));
    };
    if rest.is_empty() && !call.arguments.has_files() {
        return Err(Problem::error(
            "one or more resources must be specified as <resource> <name> or <resource>/<name>",
        ));
    }
    for (kind, mut object) in chosen(call, rest)? {
        let before = object.clone();
        let Some(base) = pod_spec(kind) else {
            return Err(Problem::error(format!(
                "the object is not a pod or does not have a pod template: {}",
                kind.kind
            )));
        };
        for field in ["serviceAccountName", "serviceAccount"] {
            let path: Vec<&str> = base.iter().copied().chain([field]).collect();
            object.set_path(&path, account.as_str().into());
        }
        finish(call, kind, &before, object, "serviceaccount updated")?;
    }
    Ok(())
}

fn subject(call: &mut Call<'_>, words: &[String]) -> Result<(), Problem> {
    let mut added = Vec::new();
    for (flag, kind) in [("user", "User"), ("group", "Group")] {
        for name in call.arguments.all(flag) {
            added.push(Value::object([
                ("apiGroup", Value::from("rbac.authorization.k8s.io")),
                ("kind", kind.into()),
                ("name", name.as_str().into()),
            ]));
        }
    }
    for account in call.arguments.all("serviceaccount") {
        let Some((namespace, name)) = account.split_once(':') else {
            return Err(Problem::error("serviceaccount must be <namespace>:<name>"));
        };
        added.push(Value::object([
            ("kind", Value::from("ServiceAccount")),
            ("name", name.into()),
            ("namespace", namespace.into()),
        ]));
    }
    if added.is_empty() {
        return Err(Problem::error(
            "you must specify at least one value of user, group or serviceaccount",
        ));
    }
    for (kind, mut object) in chosen(call, words)? {
        let before = object.clone();
        if !matches!(kind.kind, "RoleBinding" | "ClusterRoleBinding") {
            return Err(Problem::error(
                "setting subjects is only supported for RoleBinding/ClusterRoleBinding",
            ));
        }
        let mut list = object
            .get("subjects")
            .and_then(Value::as_list)
            .unwrap_or(&[])
            .to_vec();
        for one in &added {
            if !list.contains(one) {
                list.push(one.clone());
            }
        }
        object.set("subjects", Value::list(list));
        finish(call, kind, &before, object, "subjects updated")?;
    }
    Ok(())
}
