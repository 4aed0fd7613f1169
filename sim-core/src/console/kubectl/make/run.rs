//! `kubectl run`. Source: `k8s.io/kubectl/pkg/cmd/run`.

use crate::base::sentence::catalogue;
use crate::console::kubectl::problem::Problem;
use crate::console::kubectl::{Call, attach, kind_of, printers};
use crate::console::not_modelled_since;
use crate::kube::apiserver::Request;
use crate::manifest::decode;
use crate::manifest::lines::Source;
use crate::manifest::scalar::Dialect;
use crate::manifest::value::Value;
use crate::object::patch;
use crate::substrate::image::ImageRef;

use super::{number, zero};

/// Flags of `run`.
pub const FLAGS: &[&str] = &[
    "image",
    "port",
    "labels:l",
    "env",
    "restart",
    "?dry-run",
    "output:o",
    "!command",
    "!rm",
    "!stdin:i",
    "!tty:t",
    "image-pull-policy",
    "overrides",
    "override-type",
    "annotations",
    "!attach",
    "!expose",
    "!privileged",
    "!quiet:q",
    "field-manager",
    "pod-running-timeout",
    "!save-config",
    "!leave-stdin-open",
    "detach-keys",
    "filename:f",
    "?cascade",
    "!force",
    "grace-period",
    "timeout",
    "!wait",
];

/// What a command line asks for.
struct Asked {
    name: String,
    image: String,
    restart: String,
    is_attached: bool,
}

impl Asked {
    /// Source: `run.go` (`RunPod`), in its order.
    fn of(call: &Call<'_>) -> Result<Self, Problem> {
        let usage = |text: &str| {
            Problem::error(format!(
                "{text}\nSee 'kubectl run -h' for help and examples"
            ))
        };
        let arguments = &call.arguments;
        let Some(name) = arguments.words.first() else {
            return Err(usage("NAME is required for run"));
        };
        let Some(image) = arguments.flag("image") else {
            return Err(Problem::error("required flag(s) \"image\" not set"));
        };
        attach::patience(call).map_err(|text| usage(&text))?;
        if ImageRef::parse(image).is_none() {
            return Err(Problem::error(format!(
                "Invalid image name {image:?}: invalid reference format"
            )));
        }
        if arguments.on("tty") && !arguments.on("stdin") {
            return Err(usage(
                "-i/--stdin is required for containers with -t/--tty=true",
            ));
        }
        if arguments.on("expose") && arguments.flag("port").is_none() {
            return Err(usage("--port must be set when exposing a service"));
        }
        let restart = arguments.flag("restart").unwrap_or("Always");
        if !matches!(restart, "Always" | "OnFailure" | "Never") {
            return Err(usage(&format!("invalid restart policy: {restart}")));
        }
        let is_attached = match arguments.flag("attach") {
            Some(word) => word != "false",
            None => arguments.on("stdin"),
        };
        if arguments.on("rm") && !is_attached {
            return Err(usage("--rm should only be used for attached containers"));
        }
        let dry = arguments.flag("dry-run");
        if is_attached && dry.is_some_and(|word| word != "none") {
            return Err(usage(
                "--dry-run=[server|client] can't be used with attached containers options (--attach, --stdin, or --tty)",
            ));
        }
        match arguments.flag("image-pull-policy") {
            None | Some("" | "Always" | "IfNotPresent" | "Never") => {}
            Some(word) => return Err(usage(&format!("invalid image pull policy: {word}"))),
        }
        if is_attached && !call.input.is_empty() {
            return Err(Problem::error(not_modelled_since(
                catalogue::RUN_ATTACHED.plain(),
                catalogue::NO_TERMINAL_IN.plain(),
            )));
        }
        Ok(Self {
            name: name.clone(),
            image: image.to_owned(),
            restart: restart.to_owned(),
            is_attached,
        })
    }
}

/// `run`.
///
/// # Errors
/// A missing image, overrides that do not fit, what the server refuses; of an attached run how it ends.
pub fn run(call: &mut Call<'_>) -> Result<(), Problem> {
    let asked = Asked::of(call)?;
    let mut labels = Value::map();
    for pair in call.arguments.all("labels") {
        let (key, value) = pair
            .split_once('=')
            .ok_or_else(|| Problem::error(format!("unexpected label spec: {pair}")))?;
        labels.set(key, value.into());
    }
    if labels.as_map().is_some_and(|map| map.is_empty()) {
        labels.set("run", asked.name.as_str().into());
    }
    let container = container(call, &asked)?;
    let mut pod = Value::object([("apiVersion", Value::from("v1")), ("kind", "Pod".into())]);
    for pair in call.arguments.each("annotations") {
        let (key, value) = pair
            .split_once('=')
            .ok_or_else(|| Problem::error(format!("unexpected annotation spec: {pair}")))?;
        pod.set_path(&["metadata", "annotations", key], value.into());
    }
    pod.set_path(&["metadata", "labels"], labels.clone());
    pod.set_path(&["metadata", "name"], asked.name.as_str().into());
    pod.set_path(&["spec", "containers"], Value::list(vec![container]));
    pod.set_path(&["spec", "dnsPolicy"], "ClusterFirst".into());
    pod.set_path(&["spec", "restartPolicy"], asked.restart.as_str().into());
    let pod = overridden(call, pod, "Pod")?;
    let pod = made(call, pod)?;
    let mut all = vec![("pod", pod)];
    if call.arguments.on("expose") {
        all.push(("service", expose(call, &asked.name, labels)?));
    }
    if asked.is_attached {
        return attach::run_attached(call, &all, &asked.restart);
    }
    printers::outcome(call, kind_of("pods")?, &all[0].1, "created")
}

/// The pod's one container.
fn container(call: &Call<'_>, asked: &Asked) -> Result<Value, Problem> {
    let mut container = Value::object([
        ("image", asked.image.as_str().into()),
        ("name", asked.name.as_str().into()),
    ]);
    let on = |flag: &str| call.arguments.on(flag);
    if let Some(policy) = call.arguments.flag("image-pull-policy") {
        container.set("imagePullPolicy", policy.into());
    }
    if on("stdin") {
        container.set("stdin", true.into());
        if !on("leave-stdin-open") {
            container.set("stdinOnce", true.into());
        }
    }
    if on("tty") {
        container.set("tty", true.into());
    }
    if on("privileged") {
        container.set_path(&["securityContext", "privileged"], true.into());
    }
    let words = call.arguments.words[1..].iter();
    let words = words.chain(call.arguments.tail.iter().flatten());
    let words: Vec<Value> = words.map(|word| word.as_str().into()).collect();
    if !words.is_empty() {
        let key = if on("command") { "command" } else { "args" };
        container.set(key, Value::list(words));
    }
    if let Some(port) = number(call, "port")? {
        let port = Value::object([("containerPort", Value::Int(port))]);
        container.set("ports", Value::list(vec![port]));
    }
    let mut variables = Vec::new();
    for pair in call.arguments.each("env") {
        let (key, value) = pair
            .split_once('=')
            .filter(|(key, _)| !key.is_empty())
            .ok_or_else(|| Problem::error(format!("invalid env: {pair}")))?;
        variables.push(Value::object([
            ("name", key.into()),
            ("value", value.into()),
        ]));
    }
    if !variables.is_empty() {
        container.set("env", Value::list(variables));
    }
    Ok(container)
}

/// The Service of `--expose`. It is told of at once, the pod at the end.
fn expose(call: &mut Call<'_>, name: &str, labels: Value) -> Result<Value, Problem> {
    let port = number(call, "port")?.unwrap_or(0);
    let mut service = Value::object([
        ("apiVersion", Value::from("v1")),
        ("kind", "Service".into()),
    ]);
    service.set_path(&["metadata", "name"], name.into());
    let entry = Value::object([
        ("port", Value::Int(port)),
        ("protocol", "TCP".into()),
        ("targetPort", Value::Int(port)),
    ]);
    service.set_path(&["spec", "ports"], Value::list(vec![entry]));
    service.set_path(&["spec", "selector"], labels);
    let service = made(call, service)?;
    printers::outcome(call, kind_of("services")?, &service, "created")?;
    if call.arguments.flag("output") == Some("yaml") {
        call.say("---");
    }
    Ok(service)
}

fn made(call: &mut Call<'_>, object: Value) -> Result<Value, Problem> {
    if call.dry_client() {
        return Ok(zero::filled(&object));
    }
    let response = call.ask(Request::Create {
        object,
        namespace: call.namespace.as_str().into(),
    })?;
    Ok(response.object)
}

/// What `--overrides` makes of the generated object.
/// Source: `k8s.io/kubectl/pkg/cmd/util/override_options.go`.
pub(super) fn overridden(call: &Call<'_>, object: Value, kind: &str) -> Result<Value, Problem> {
    let Some(text) = call.arguments.flag("overrides") else {
        return Ok(object);
    };
    let bad = || Problem::error("Invalid JSON Patch");
    // As upstream, YAML is taken too.
    let source = Source::new("overrides", text);
    let (documents, remarks) = decode::documents(&source, Dialect::Kubernetes);
    let change = documents.first().map(|node| node.to_value());
    let change = change.filter(|_| !remarks.iter().any(|remark| remark.is_error()));
    let change = change.ok_or_else(bad)?;
    match call.arguments.flag("override-type").unwrap_or("merge") {
        "merge" => Ok(patch::merge(&object, &change)),
        "json" => patch::json_patch(&object, &change).map_err(|_| bad()),
        "strategic" => {
            let known = patch::schema("v1", kind);
            patch::strategic(&object, &change, known.as_ref())
                .map_err(|error| Problem::error(error.to_string()))
        }
        other => Err(Problem::error(format!("invalid override type: {other}"))),
    }
}
