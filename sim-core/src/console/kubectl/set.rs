//! `kubectl set image|env|resources|selector|serviceaccount|subject`.
//! Source: `k8s.io/kubectl/pkg/cmd/set`.

use crate::base::arrange::Arrange;
use crate::base::quantity::Quantity;
use crate::base::sentence::Sentence;
use crate::kube::kinds::Kind;
use crate::manifest::value::Value;

use super::edit::{self, NO_RESOURCE};
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

/// What is said of names where no server is asked.
/// Source: `k8s.io/cli-runtime/pkg/resource/builder.go` (`LocalResourceError`).
pub const LOCAL: &str = "you must specify resources by --filename when --local is set.\nExample resource specifications include:\n   '-f rsrc.yaml'\n   '--filename=rsrc.json'";

/// What is to be changed: objects of the server, or of files alone with `--local`.
///
/// # Errors
/// Objects that are not there.
fn chosen(call: &Call<'_>, words: &[String]) -> Result<Vec<(&'static Kind, Value)>, Problem> {
    let (found, problems) = if call.arguments.on("local") {
        if !words.is_empty() {
            return Err(Problem::error(LOCAL));
        }
        if call.arguments.flag("dry-run") == Some("server") {
            return Err(Problem::error(
                "cannot specify --local and --dry-run=server - did you mean --dry-run=client?",
            ));
        }
        edit::written(call)?
    } else {
        edit::looked_up(call, words)?
    };
    Problem::all(problems)?;
    match found.iter().find(|(kind, _)| kind.custom) {
        Some((kind, _)) => Err(Problem::unregistered(kind)),
        None => Ok(found),
    }
}

/// How a change ends.
#[derive(Clone, Copy, Debug)]
struct Ending {
    /// What is said of it.
    done: &'static str,
    /// What is said before the server's refusal.
    failed: &'static str,
    /// Whether an object that stays as it is is passed over in silence.
    passes: bool,
}

/// Writes an object and says so.
fn finish(
    call: &mut Call<'_>,
    kind: &'static Kind,
    before: &Value,
    object: Value,
    ending: Ending,
) -> Result<(), Problem> {
    if object == *before && ending.passes {
        return Ok(());
    }
    let made = if call.arguments.on("local") || call.dry_client() {
        // Written by the client's own encoder.
        make::zero::filled(&object)
    } else {
        call.put(object).map_err(|problem| {
            if ending.failed.is_empty() {
                return problem;
            }
            Problem::error(format!("{} {}", ending.failed, make::whole(&problem, kind)))
        })?
    };
    super::printers::outcome(call, kind, &made, ending.done)
}

/// What has no pods. Source: `k8s.io/kubectl/pkg/polymorphichelpers/updatepodspec.go`.
fn no_pods(kind: &Kind, object: &Value) -> Problem {
    let group = match kind.api_version.split_once('/') {
        Some((_, version)) => version,
        None => kind.api_version,
    };
    Problem::error(format!(
        "{}/{} the object is not a pod or does not have a pod template: *{group}.{}",
        kind.plural,
        name_of(object),
        kind.kind
    ))
}

fn image(call: &mut Call<'_>, words: &[String]) -> Result<(), Problem> {
    let (rest, changes) = edit::words_and_pairs(words, "image")?;
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
    Problem::all(faults.into_iter().map(Problem::error).collect())?;
    let mut problems = Vec::new();
    for (kind, mut object) in chosen(call, &rest)? {
        let before = object.clone();
        if pod_spec(kind).is_none() {
            problems.push(no_pods(kind, &object));
            continue;
        }
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
                problems.push(Problem::error(format!(
                    "unable to find container named \"{name}\""
                )));
            }
        }
        let ending = Ending {
            done: "image updated",
            failed: "failed to patch image update to pod template:",
            passes: true,
        };
        problems.extend(finish(call, kind, &before, object, ending).err());
    }
    told(problems)
}

/// Several problems of this verb keep their `error: `, which is part of what most of them say.
fn told(problems: Vec<Problem>) -> Result<(), Problem> {
    if problems.len() < 2 {
        return Problem::all(problems);
    }
    let lines = problems.iter().enumerate().map(|(place, problem)| {
        let end = if place > 0 { "\n" } else { "" };
        let failed = problem.text.strip_prefix("error: ");
        let failed = failed.filter(|text| text.starts_with("failed to patch"));
        format!("{end}{}", failed.unwrap_or(&problem.text))
    });
    Err(Problem::said(lines.collect::<String>(), ""))
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

/// Which variables change: those to set, and those to take away.
type Changes = (Vec<Variable>, Vec<String>);

/// What the words and flags of `set env` ask for.
/// Source: `k8s.io/kubectl/pkg/cmd/set/env/env_parse.go` (`parseIntoEnvVar`).
fn env_changes(call: &mut Call<'_>, changes: &[String]) -> Result<Changes, Problem> {
    let (mut set, mut gone): (Vec<Variable>, Vec<String>) = (Vec::new(), Vec::new());
    let variable =
        |name: &str, value: &str| (name.to_owned(), Value::object([("value", value.into())]));
    for change in changes {
        if change == "-" {
            for line in call.input.lines() {
                let line = line.split('#').next().unwrap_or("");
                set.extend(
                    line.split_once('=')
                        .map(|(name, value)| variable(name, value)),
                );
            }
        } else if let Some((name, value)) = change.split_once('=') {
            set.push(variable(name, value));
        } else if let Some(name) = change.strip_suffix('-') {
            gone.push(name.to_owned());
        } else {
            return Err(Problem::error(format!(
                "unknown environment variable: {change}"
            )));
        }
    }
    if set.iter().any(|(name, _)| gone.contains(name)) {
        return Err(Problem::error(
            "can not both modify and remove the same environment variable in the same command",
        ));
    }
    if let Some(from) = call.arguments.flag("from").map(str::to_owned) {
        set.extend(variables_from(call, &from)?);
    }
    if let Some(prefix) = call.arguments.flag("prefix") {
        for (name, _) in &mut set {
            name.insert_str(0, prefix);
        }
    }
    Ok((set, gone))
}

fn env(call: &mut Call<'_>, words: &[String]) -> Result<(), Problem> {
    let is_change = |word: &String| word.find('=').is_some_and(|at| at > 0) || word.ends_with('-');
    let first = words.iter().position(is_change).unwrap_or(words.len());
    let (rest, pairs) = words.split_at(first);
    let listing = call.arguments.on("list");
    // Source: `k8s.io/kubectl/pkg/cmd/set/set_env.go` (`Complete`, `Validate`).
    let fault = if call.arguments.on("all") && call.arguments.flag("selector").is_some() {
        "cannot set --all and --selector at the same time".to_owned()
    } else if !pairs.iter().all(is_change) {
        format!(
            "all resources must be specified before environment changes: {}",
            words.join(" ")
        )
    } else if rest.is_empty() && !call.arguments.has_files() {
        NO_RESOURCE.to_owned()
    } else if words.iter().any(|word| word == "-")
        && call.arguments.all("filename").contains(&"-".to_owned())
    {
        "standard input cannot be used for multiple arguments".to_owned()
    } else if listing && call.arguments.flag("output").is_some() {
        "--list and --output may not be specified together".to_owned()
    } else if call.arguments.flag("keys").is_some() && call.arguments.flag("from").is_none() {
        "when specifying --keys, a configmap or secret must be provided with --from".to_owned()
    } else {
        String::new()
    };
    if !fault.is_empty() {
        return Err(Problem::error(fault));
    }
    let changes = call.arguments.all("env").into_iter().chain(pairs.to_vec());
    let (set, gone) = env_changes(call, &changes.collect::<Vec<_>>())?;
    let keeps = call.arguments.flag("overwrite") == Some("false");
    let pattern = call.arguments.flag("containers").unwrap_or("*").to_owned();
    let mut problems = Vec::new();
    for (kind, mut object) in chosen(call, rest)? {
        let before = object.clone();
        if pod_spec(kind).is_none() {
            if !listing {
                problems.push(no_pods(kind, &object));
            }
            continue;
        }
        let mut taken = None;
        let mut seen: Vec<Value> = Vec::new();
        let hits = each_container(
            kind,
            &mut object,
            &|name| fits(&pattern, name),
            &["containers", "initContainers"],
            &mut |container| {
                if keeps && taken.is_none() {
                    taken = already_set(container, &set);
                }
                change_env(container, &set, &gone);
                seen.push(container.clone());
            },
        );
        if hits == 0 {
            let (kind, name) = (kind.kind, name_of(&object));
            call.stderr.push(format!(
                "Warning: {kind}/{name} does not have any containers matching \"{pattern}\"\n"
            ));
        } else if let Some(taken) = taken {
            let (plural, name) = (kind.plural, name_of(&object));
            problems.push(Problem::error(format!("{plural}/{name} {taken}")));
        } else if listing {
            list_env(call, kind, &before, &seen);
        } else {
            let ending = Ending {
                done: "env updated",
                failed: "failed to patch env update to pod template:",
                passes: true,
            };
            problems.extend(finish(call, kind, &before, object, ending).err());
        }
    }
    // What goes wrong with a list is told in the list.
    if listing { Ok(()) } else { told(problems) }
}

/// What `--list` prints of an object's containers.
fn list_env(call: &mut Call<'_>, kind: &Kind, object: &Value, containers: &[Value]) {
    let resolves = call.arguments.on("resolve");
    for container in containers {
        let name = container.str_at(&["name"]).unwrap_or("");
        let lines = listed(container, &|from| {
            resolves.then(|| resolved(call, object, from)).flatten()
        });
        let head = format!("# {} {}, container {name}", kind.kind, name_of(object));
        call.say(&head);
        for line in lines {
            call.say(&line);
        }
    }
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
        for (key, value) in content.as_map().unwrap_or_default().iter() {
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

fn variables_from(call: &mut Call<'_>, from: &str) -> Result<Vec<Variable>, Problem> {
    let (word, name) = from
        .split_once('/')
        .ok_or_else(|| Problem::error(format!("--from must be resource/name, not {from}")))?;
    let kind = call.kind_of(word)?;
    let field = match kind.kind {
        "Secret" => "secretKeyRef",
        "ConfigMap" => "configMapKeyRef",
        _ => {
            return Err(Problem::error("unsupported resource specified in --from"));
        }
    };
    let object = call.object(kind, name)?;
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
        if *variable != **key {
            call.stderr
                .push(format!("Warning: key {key} transferred to {variable}\n"));
        }
        let reference = Value::object([
            ("key", Value::String(key.clone())),
            ("name", Value::from(name)),
        ]);
        found.push((
            variable,
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
    let mut problems = Vec::new();
    for (kind, mut object) in chosen(call, words)? {
        let before = object.clone();
        if pod_spec(kind).is_none() {
            problems.push(no_pods(kind, &object));
            continue;
        }
        let hits = each_container(
            kind,
            &mut object,
            &|name| fits(&pattern, name),
            &["containers", "initContainers"],
            &mut |container| {
                for (flag, name, amount) in &changes {
                    container.set_path(&["resources", flag, name], amount.as_str().into());
                }
            },
        );
        if hits == 0 {
            problems.push(Problem::error(format!(
                "unable to find container named {pattern}"
            )));
            continue;
        }
        let ending = Ending {
            done: "resource requirements updated",
            failed: "failed to patch resources update to pod template",
            passes: true,
        };
        problems.extend(finish(call, kind, &before, object, ending).err());
    }
    told(problems)
}

fn selector(call: &mut Call<'_>, words: &[String]) -> Result<(), Problem> {
    let Some((expression, rest)) = words.split_last() else {
        return Err(Problem::error("one selector is required"));
    };
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
        let ending = Ending {
            done: "selector updated",
            failed: "",
            passes: false,
        };
        finish(call, kind, &before, object, ending)?;
    }
    Ok(())
}

fn service_account(call: &mut Call<'_>, words: &[String]) -> Result<(), Problem> {
    let Some((account, rest)) = words.split_last() else {
        return Err(Problem::error("serviceaccount is required"));
    };
    // Of the old name of the field only the server knows.
    let fields: &[&str] = if call.arguments.on("local") || call.dry_client() {
        &["serviceAccountName"]
    } else {
        &["serviceAccountName", "serviceAccount"]
    };
    let mut problems = Vec::new();
    for (kind, mut object) in chosen(call, rest)? {
        let before = object.clone();
        let Some(base) = pod_spec(kind) else {
            problems.push(no_pods(kind, &object));
            continue;
        };
        for field in fields {
            let path: Vec<&str> = base.iter().copied().chain([*field]).collect();
            object.set_path(&path, account.as_str().into());
        }
        let ending = Ending {
            done: "serviceaccount updated",
            failed: "failed to patch ServiceAccountName",
            passes: false,
        };
        problems.extend(finish(call, kind, &before, object, ending).err());
    }
    told(problems)
}

fn subject(call: &mut Call<'_>, words: &[String]) -> Result<(), Problem> {
    let mut added = Vec::new();
    let each = |flag: &str| {
        let mut names = call.arguments.all(flag);
        names.arrange();
        names.dedup();
        names
    };
    for (flag, kind) in [("user", "User"), ("group", "Group")] {
        for name in each(flag) {
            added.push(Value::object([
                ("apiGroup", Value::from("rbac.authorization.k8s.io")),
                ("kind", kind.into()),
                ("name", name.as_str().into()),
            ]));
        }
    }
    for account in each("serviceaccount") {
        let parts = account.split_once(':');
        let Some((namespace, name)) =
            parts.filter(|(_, name)| !name.is_empty() && !name.contains(':'))
        else {
            return Err(Problem::error("serviceaccount must be <namespace>:<name>"));
        };
        let namespace = if namespace.is_empty() {
            call.namespace.as_str()
        } else {
            namespace
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
    let mut problems = Vec::new();
    for (kind, mut object) in chosen(call, words)? {
        let before = object.clone();
        if !matches!(kind.kind, "RoleBinding" | "ClusterRoleBinding") {
            problems.push(Problem::error(format!(
                "{}/{} setting subjects is only supported for RoleBinding/ClusterRoleBinding",
                kind.plural,
                name_of(&object)
            )));
            continue;
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
        let ending = Ending {
            done: "subjects updated",
            failed: "failed to patch subjects to rolebinding:",
            passes: true,
        };
        problems.extend(finish(call, kind, &before, object, ending).err());
    }
    told(problems)
}
