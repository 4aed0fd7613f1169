//! `kubectl debug`: an ephemeral container in a pod, a copy of a pod, a pod in a node's namespaces.
//! Sources: `k8s.io/kubectl/pkg/cmd/debug/{debug,profiles}.go`.
//!
//! Not modelled: a terminal to attach (what was made is said instead).

use crate::base::name::{SUFFIX_COUNT, push_letters};
use crate::base::rng::{Stream, stable_hash_parts};
use crate::base::sentence::catalogue;
use crate::engine::command::Orchestrator;
use crate::kube::apiserver::Request;
use crate::kube::apiserver::ephemeral::LIST;
use crate::manifest::decode;
use crate::manifest::decode::image;
use crate::manifest::diagnostic::Diagnostic;
use crate::manifest::lines::Source;
use crate::manifest::scalar::Dialect;
use crate::manifest::tree::Node;
use crate::manifest::value::Value;
use crate::object::patch;

use super::pod_status::items;
use super::problem::Problem;
use super::{Call, kind_of, name_of};

/// Flags of `debug`.
pub const FLAGS: &[&str] = &[
    "!arguments-only",
    "!attach",
    "container:c",
    "copy-to",
    "!replace",
    "env",
    "image",
    "!keep-labels",
    "!keep-annotations",
    "!keep-liveness",
    "!keep-readiness",
    "!keep-startup",
    "!keep-init-containers",
    "set-image",
    "image-pull-policy",
    "!stdin:i",
    "!quiet:q",
    "!same-node",
    "!share-processes",
    "target",
    "!tty:t",
    "profile",
    "custom",
    "filename:f",
];

const PROFILES: [&str; 6] = [
    "legacy",
    "general",
    "baseline",
    "restricted",
    "netadmin",
    "sysadmin",
];

fn flag(call: &Call<'_>, name: &str) -> String {
    call.arguments.flag(name).unwrap_or("").to_owned()
}

fn is_image(text: &str) -> bool {
    image::is_reference(text)
}

/// Pairs of `--env` and `--set-image`.
fn pairs(call: &Call<'_>, name: &str) -> Result<Vec<(String, String)>, Problem> {
    let texts = call.arguments.all(name);
    let pairs = texts.iter().filter(|text| !text.is_empty()).map(|text| {
        let pair = text.split_once('=');
        pair.map(|(key, value)| (key.to_owned(), value.to_owned()))
            .ok_or_else(|| {
                Problem::error(format!(
                    "invalid argument \"{text}\" for \"--{name}\" flag: {text} must be formatted as key=value"
                ))
            })
    });
    pairs.collect()
}

fn check(call: &mut Call<'_>) -> Result<(), Problem> {
    let wrong = |text: &str| Err(Problem::error(text));
    let on = |name: &str| call.arguments.on(name);
    let (image, container, copy) = (
        flag(call, "image"),
        flag(call, "container"),
        flag(call, "copy-to"),
    );
    let profile = call.arguments.flag("profile").unwrap_or("general");
    if !PROFILES.contains(&profile) {
        return wrong(&format!("unknown profile: {profile}"));
    }
    custom(call)?;
    let images = pairs(call, "set-image")?;
    pairs(call, "env")?;
    let has_arguments = call
        .arguments
        .tail
        .as_ref()
        .is_some_and(|tail| !tail.is_empty());
    if on("attach") && image.is_empty() && container.is_empty() {
        return wrong(
            "you must specify --container or create a new container using --image in order to attach.",
        );
    }
    if copy.is_empty() {
        if on("replace") {
            return wrong("--replace may only be used with --copy-to.");
        }
        if on("same-node") {
            return wrong("--same-node may only be used with --copy-to.");
        }
        if !images.is_empty() {
            return wrong("--set-image may only be used with --copy-to.");
        }
        if image.is_empty() {
            return wrong("you must specify --image when not using --copy-to.");
        }
    } else {
        if image.is_empty() && images.is_empty() && !has_arguments {
            return wrong("you must specify --image, --set-image or command arguments.");
        }
        if has_arguments && container.is_empty() && image.is_empty() {
            return wrong(
                "you must specify an existing container or a new image when specifying args.",
            );
        }
    }
    if !image.is_empty() && !is_image(&image) {
        return wrong(&format!(
            "invalid image name \"{image}\": invalid reference format"
        ));
    }
    if call.arguments.words.is_empty() && !call.arguments.has_files() {
        return wrong("NAME or filename is required for debug");
    }
    let policy = flag(call, "image-pull-policy");
    if !matches!(policy.as_str(), "" | "Always" | "IfNotPresent" | "Never") {
        return wrong(&format!("invalid image pull policy: {policy}"));
    }
    if let Some((name, image)) = images.iter().find(|(_, image)| !is_image(image)) {
        return wrong(&format!(
            "invalid image name \"{image}\" for container \"{name}\": invalid reference format"
        ));
    }
    let target = flag(call, "target");
    if !target.is_empty() {
        if !copy.is_empty() {
            return wrong(
                "--target is incompatible with --copy-to. Use --share-processes instead.",
            );
        }
        if !on("quiet") {
            call.say(&format!(
                "Targeting container \"{target}\". If you don't see processes from this container it may be because the container runtime doesn't support this feature."
            ));
        }
    }
    if call.arguments.on("tty") && !call.arguments.on("stdin") {
        return Err(Problem::error(
            "-i/--stdin is required for containers with -t/--tty=true",
        ));
    }
    if profile_of(call) == "legacy" {
        call.stderr.push("--profile=legacy is deprecated and planned to be removed in v1.39. It is recommended to specify other profile, for example \"--profile=general\".\n");
    }
    Ok(())
}

/// The part of a container that `--custom` names.
fn custom(call: &Call<'_>) -> Result<Option<Value>, Problem> {
    let name = flag(call, "custom");
    if name.is_empty() {
        return Ok(None);
    }
    let Some(text) = call.session.file(&name) else {
        return Err(Problem::error(format!(
            "must pass a container spec json file for custom profile: open {name}: no such file or directory"
        )));
    };
    let (documents, remarks) = decode::documents(&Source::new(&name, text), Dialect::Kubernetes);
    let part = documents.first().map(Node::to_value);
    let part =
        part.filter(|part| part.as_map().is_some() && !remarks.iter().any(Diagnostic::is_error));
    let Some(part) = part else {
        return Err(Problem::error(format!(
            "{name} does not contain a valid container spec"
        )));
    };
    if ["name", "command", "image", "lifecycle", "volumeDevices"]
        .iter()
        .any(|field| part.get(field).is_some())
    {
        return Err(Problem::error(
            "name, command, image, lifecycle and volume devices are not modifiable via custom profile",
        ));
    }
    Ok(Some(part))
}

/// What `--custom` changes of the debugging container, merged as a patch of a pod is.
fn customize(call: &Call<'_>, one: &mut Value) -> Result<(), Problem> {
    let Some(mut part) = custom(call)? else {
        return Ok(());
    };
    part.set("name", one.get("name").cloned().unwrap_or_default());
    let within = |one: Value| {
        let mut pod = Value::map();
        pod.set_path(&["spec", "containers"], Value::list(vec![one]));
        pod
    };
    let known = patch::schema("v1", "Pod");
    let merged = patch::strategic(&within(one.clone()), &within(part), known.as_ref());
    let merged = merged.map_err(|why| {
        Problem::error(format!(
            "error creating three way patch to add debug container: {why}"
        ))
    })?;
    if let [merged] = items(&merged, &["spec", "containers"]) {
        *one = merged.clone();
    }
    Ok(())
}

fn profile_of(call: &Call<'_>) -> String {
    call.arguments
        .flag("profile")
        .unwrap_or("general")
        .to_owned()
}

/// `debug (POD | TYPE/NAME) [-- COMMAND…]`.
///
/// # Errors
/// Flags that do not go together, objects that are not there, the server's refusal.
pub fn debug(call: &mut Call<'_>) -> Result<(), Problem> {
    check(call)?;
    let targets = if call.arguments.words.is_empty() {
        super::edit::chosen(call, &[])?
    } else {
        let mut found = Vec::new();
        for word in call.arguments.words.clone() {
            let (kind, name) = match word.split_once('/') {
                Some((kind, name)) => (call.kind_of(kind)?, name.to_owned()),
                None => (kind_of("pods")?, word.clone()),
            };
            found.push((kind, call.object(kind, &name)?));
        }
        found
    };
    for (kind, object) in targets {
        let made = match kind.kind {
            "Node" => on_node(call, &object)?,
            "Pod"
                if call
                    .arguments
                    .flag("copy-to")
                    .is_some_and(|to| !to.is_empty()) =>
            {
                copy(call, &object)?
            }
            "Pod" => inside(call, &object)?,
            other => {
                let group = match kind.group() {
                    "" => format!("/{}", kind.api_version),
                    _ => kind.api_version.to_owned(),
                };
                return Err(Problem::error(format!(
                    "\"{group}, Kind={other}\" not supported by debug"
                )));
            }
        };
        let attaches = call
            .arguments
            .flag("attach")
            .map_or(call.arguments.on("stdin"), |value| value == "true");
        if let (true, Some((pod, container))) = (attaches, made) {
            let said = catalogue::NO_TERMINAL.with(&[("pod", &pod), ("container", &container)]);
            call.stderr.push(said);
            call.stderr.push("\n");
        }
    }
    Ok(())
}

/// Five letters, by chance, for one purpose.
pub fn suffix(
    call: &Call<'_>,
    purpose: &'static str,
    parts: &[&str],
    draw: usize,
) -> Result<String, Problem> {
    let world = call.session.world(Orchestrator::Kubernetes)?;
    let key = stable_hash_parts(parts);
    let draw = u32::try_from(draw).unwrap_or(0);
    let number = Stream::new(world.seed, purpose, key, draw).below(SUFFIX_COUNT);
    let mut text = String::new();
    push_letters(&mut text, number);
    Ok(text)
}

/// The name that the debugging container gets.
fn container_name(call: &mut Call<'_>, pod: &Value) -> Result<String, Problem> {
    let given = flag(call, "container");
    if !given.is_empty() {
        return Ok(given);
    }
    let lists = ["containers", "initContainers", LIST];
    let all: Vec<&str> = lists
        .iter()
        .flat_map(|list| items(pod, &["spec", list]))
        .map(|one| one.str_at(&["name"]).unwrap_or(""))
        .collect();
    let uid = pod.str_at(&["metadata", "uid"]).unwrap_or("");
    let mut draw = all.len();
    let name = loop {
        let name = format!(
            "debugger-{}",
            suffix(call, "debug", &[name_of(pod), uid], draw)?
        );
        if !all.contains(&name.as_str()) {
            break name;
        }
        draw += 1;
    };
    if !call.arguments.on("quiet") {
        call.say(&format!("Defaulting debug container name to {name}."));
    }
    Ok(name)
}

/// The variables of `--env` as a container has them.
fn variables(call: &Call<'_>) -> Result<Option<Value>, Problem> {
    let list: Vec<Value> = pairs(call, "env")?
        .into_iter()
        .map(|(key, value)| Value::object([("name", key.into()), ("value", value.into())]))
        .collect();
    Ok((!list.is_empty()).then(|| Value::list(list)))
}

fn words(call: &Call<'_>) -> Option<Value> {
    let tail = call.arguments.tail.as_ref()?;
    let list: Vec<Value> = tail.iter().map(|word| word.as_str().into()).collect();
    (!list.is_empty()).then(|| Value::list(list))
}

/// A fresh debugging container.
fn container(call: &Call<'_>, name: &str) -> Result<Value, Problem> {
    let mut one = Value::object([
        ("image", Value::from(flag(call, "image"))),
        ("name", name.into()),
        ("terminationMessagePolicy", "File".into()),
    ]);
    let key = if call.arguments.on("arguments-only") {
        "args"
    } else {
        "command"
    };
    let policy = call.arguments.flag("image-pull-policy").map(Value::from);
    for (key, value) in [
        (key, words(call)),
        ("env", variables(call)?),
        ("imagePullPolicy", policy),
        ("stdin", call.arguments.on("stdin").then(|| true.into())),
        ("tty", call.arguments.on("tty").then(|| true.into())),
    ] {
        if let Some(value) = value {
            one.set(key, value);
        }
    }
    Ok(one)
}

/// What a profile does to the debugging container.
fn secure(profile: &str, is_node: bool, one: &mut Value) {
    if matches!(profile, "baseline" | "restricted") || profile == "general" && is_node {
        one.remove("securityContext");
    }
    let mut set = |path: &[&str], value: Value| {
        let mut full = vec!["securityContext"];
        full.extend(path);
        one.set_path(&full, value);
    };
    match profile {
        "general" if !is_node => {
            set(
                &["capabilities", "add"],
                Value::list(vec!["SYS_PTRACE".into()]),
            );
        }
        "netadmin" => set(
            &["capabilities", "add"],
            Value::list(vec!["NET_ADMIN".into(), "NET_RAW".into()]),
        ),
        "sysadmin" => set(&["privileged"], true.into()),
        "restricted" => {
            set(&["allowPrivilegeEscalation"], false.into());
            set(&["capabilities", "drop"], Value::list(vec!["ALL".into()]));
            set(&["runAsNonRoot"], true.into());
            set(&["seccompProfile", "type"], "RuntimeDefault".into());
        }
        _ => {}
    }
}

/// Says that a pod's user has no use for what a profile grants. Source: `debug.go` (`displayWarning`).
fn warn(call: &mut Call<'_>, spec: Option<&Value>, one: &Value) {
    let user = |value: &Value| value.i64_at(&["securityContext", "runAsUser"]);
    let grants = one.path(&["securityContext", "privileged"]) == Some(&true.into())
        || !items(one, &["securityContext", "capabilities", "add"]).is_empty();
    let is_other = spec.and_then(user).is_some_and(|user| user != 0);
    if is_other && grants && user(one) != Some(0) {
        call.stderr.push("Warning: Non-root user is configured for the entire target Pod, and some capabilities granted by debug profile may not work. Please consider using \"--custom\" with a custom profile that specifies \"securityContext.runAsUser: 0\".\n");
    }
}

type Made = Option<(String, String)>;

/// Adds an ephemeral container to a pod.
fn inside(call: &mut Call<'_>, pod: &Value) -> Result<Made, Problem> {
    let name = container_name(call, pod)?;
    let mut one = container(call, &name)?;
    let target = flag(call, "target");
    if !target.is_empty() {
        one.set("targetContainerName", target.into());
    }
    secure(&profile_of(call), false, &mut one);
    customize(call, &mut one)?;
    warn(call, pod.path(&["spec"]), &one);
    let mut list = items(pod, &["spec", LIST]).to_vec();
    list.push(one);
    let mut object = pod.clone();
    object.set_path(&["spec", LIST], Value::list(list));
    let namespace = call.namespace.as_str().into();
    call.ask(Request::Ephemeral { object, namespace })?;
    Ok(Some((name_of(pod).to_owned(), name)))
}

/// Makes a copy of a pod.
fn copy(call: &mut Call<'_>, pod: &Value) -> Result<Made, Problem> {
    let on = |call: &Call<'_>, name: &str| call.arguments.on(name);
    let profile = profile_of(call);
    let mut made = Value::object([("apiVersion", Value::from("v1")), ("kind", "Pod".into())]);
    made.set_path(&["metadata", "name"], flag(call, "copy-to").into());
    made.set_path(&["metadata", "namespace"], call.namespace.as_str().into());
    for (field, keep) in [
        ("labels", "keep-labels"),
        ("annotations", "keep-annotations"),
    ] {
        let kept = on(call, keep) || field == "annotations" && profile == "legacy";
        if let Some(map) = pod.path(&["metadata", field]).filter(|_| kept) {
            made.set_path(&["metadata", field], map.clone());
        }
    }
    let mut spec = pod.get("spec").cloned().unwrap_or_default();
    spec.remove(LIST);
    if !on(call, "same-node") {
        spec.remove("nodeName");
    }
    let shares = call
        .arguments
        .flag("share-processes")
        .map(|text| text == "true");
    let images = pairs(call, "set-image")?;
    let mut list = items(&spec, &["containers"]).to_vec();
    for one in &mut list {
        let own = one.str_at(&["name"]).unwrap_or("").to_owned();
        let named = images.iter().find(|(name, _)| *name == own);
        if let Some((_, image)) = named.or_else(|| images.iter().find(|(name, _)| name == "*")) {
            one.set("image", image.as_str().into());
        }
    }
    let mut name = flag(call, "container");
    let is_there = |list: &[Value], name: &str| {
        list.iter()
            .position(|one| one.str_at(&["name"]) == Some(name))
    };
    let image = flag(call, "image");
    let at = match is_there(&list, &name) {
        Some(at) => Some(at),
        None if image.is_empty() && !images.is_empty() => None,
        None if image.is_empty() => {
            return Err(Problem::error(
                "you must specify image when creating new container",
            ));
        }
        None => {
            name = container_name(call, pod)?;
            list.push(Value::object([
                ("name", Value::from(name.as_str())),
                ("terminationMessagePolicy", "File".into()),
            ]));
            Some(list.len() - 1)
        }
    };
    if let Some(one) = at.and_then(|at| list.get_mut(at)) {
        let fresh = container(call, &name)?;
        if fresh.get("command").is_some() {
            one.remove("args");
        }
        for key in ["command", "args", "env", "imagePullPolicy", "stdin", "tty"] {
            if let Some(value) = fresh.get(key) {
                one.set(key, value.clone());
            }
        }
        if !image.is_empty() {
            one.set("image", image.into());
        }
        secure(&profile, false, one);
        customize(call, one)?;
        warn(call, Some(&spec), one);
        if profile != "legacy" {
            for (probe, keep) in [
                ("livenessProbe", "keep-liveness"),
                ("readinessProbe", "keep-readiness"),
                ("startupProbe", "keep-startup"),
            ] {
                if !on(call, keep) {
                    list.iter_mut().for_each(|one| drop(one.remove(probe)));
                }
            }
            if call.arguments.flag("keep-init-containers") == Some("false") {
                spec.remove("initContainers");
            }
        }
    }
    spec.set("containers", Value::list(list));
    match shares {
        Some(shares) => spec.set("shareProcessNamespace", shares.into()),
        None if at.is_some()
            && profile != "legacy"
            && spec.get("shareProcessNamespace").is_none() =>
        {
            spec.set("shareProcessNamespace", true.into());
        }
        None => {}
    }
    made.set("spec", spec);
    let namespace = call.namespace.as_str();
    let request = Request::Create {
        object: made,
        namespace: namespace.into(),
    };
    call.ask(request)?;
    if on(call, "replace") {
        call.ask(Request::Delete {
            kind: "Pod".into(),
            namespace: call.namespace.as_str().into(),
            name: name_of(pod).into(),
            propagation: None,
            grace_seconds: Some(0),
        })?;
    }
    Ok(at.map(|_| (flag(call, "copy-to"), name)))
}

/// Makes a pod in a node's namespaces.
fn on_node(call: &mut Call<'_>, node: &Value) -> Result<Made, Problem> {
    let node = name_of(node).to_owned();
    let given = flag(call, "container");
    let name = if given.is_empty() {
        "debugger".to_owned()
    } else {
        given
    };
    let base = format!("node-debugger-{node}-");
    let before = call.view()?.list(kind_of("pods")?, Some(&call.namespace));
    let before = before.iter().filter(|pod| name_of(pod).starts_with(&base));
    let draw = before.count() + usize::try_from(call.now().whole_seconds()).unwrap_or(0);
    let pod = format!("{base}{}", suffix(call, "debug", &[&node], draw)?);
    if !call.arguments.on("quiet") {
        call.say(&format!(
            "Creating debugging pod {pod} with container {name} on node {node}."
        ));
    }
    let profile = profile_of(call);
    let mut one = container(call, &name)?;
    let mut made = Value::object([("apiVersion", Value::from("v1")), ("kind", "Pod".into())]);
    made.set_path(
        &["metadata", "labels", "app.kubernetes.io/managed-by"],
        "kubectl-debug".into(),
    );
    made.set_path(&["metadata", "name"], pod.as_str().into());
    made.set_path(&["spec", "nodeName"], node.into());
    made.set_path(&["spec", "restartPolicy"], "Never".into());
    let every = Value::object([("operator", Value::from("Exists"))]);
    made.set_path(&["spec", "tolerations"], Value::list(vec![every]));
    if matches!(profile.as_str(), "legacy" | "general" | "sysadmin") {
        let mount = Value::object([
            ("mountPath", Value::from("/host")),
            ("name", "host-root".into()),
        ]);
        one.set("volumeMounts", Value::list(vec![mount]));
        let mut volume = Value::object([("name", Value::from("host-root"))]);
        volume.set_path(&["hostPath", "path"], "/".into());
        made.set_path(&["spec", "volumes"], Value::list(vec![volume]));
    }
    if !matches!(profile.as_str(), "baseline" | "restricted") {
        for field in ["hostNetwork", "hostPID", "hostIPC"] {
            made.set_path(&["spec", field], true.into());
        }
    }
    secure(&profile, true, &mut one);
    customize(call, &mut one)?;
    made.set_path(&["spec", "containers"], Value::list(vec![one]));
    call.ask(Request::Create {
        object: made,
        namespace: call.namespace.as_str().into(),
    })?;
    Ok(Some((pod, name)))
}
