//! Verbs that make objects from words: create, and below it run, expose and the other generators.

pub mod expose;
pub mod generators;
pub mod run;
pub mod secrets;
pub mod zero;

use crate::kube::apiserver::Request;
use crate::kube::kinds::Kind;
use crate::manifest::value::Value;
use crate::object::patch::without_nulls;

use super::problem::Problem;
use super::{Call, apply, kind_of, printers};

/// Flags of `create`.
pub const FLAGS: &[&str] = &[
    "raw",
    "filename:f",
    "!recursive:R",
    "?dry-run",
    "output:o",
    "!save-config",
    "?validate",
    "image",
    "replicas:r",
    "port",
    "from-literal",
    "from-file",
    "tcp",
    "clusterip",
    "node-port",
    "type",
    "kustomize:k",
    "field-manager",
    "from",
    "schedule",
    "restart",
    "verb",
    "resource",
    "resource-name",
    "non-resource-url",
    "clusterrole",
    "role",
    "user",
    "group",
    "serviceaccount",
    "value",
    "!global-default",
    "description",
    "preemption-policy",
    "rule",
    "class",
    "default-backend",
    "annotation",
    "hard",
    "scopes",
    "min-available",
    "max-unavailable",
    "selector:l",
    "external-name",
    "cert",
    "key",
    "docker-server",
    "docker-username",
    "docker-password",
    "docker-email",
    "!append-hash",
    "duration",
    "audience",
    "bound-object-kind",
    "bound-object-name",
    "from-env-file",
];
/// `create`.
///
/// # Errors
/// What the server refuses; kinds that words cannot make.
pub fn create(call: &mut Call<'_>) -> Result<(), Problem> {
    if call.arguments.flag("filename").is_some() || call.arguments.flag("kustomize").is_some() {
        return from_files(call);
    }
    let words = call.arguments.words.clone();
    let Some(word) = words.first() else {
        return Err(Problem::error("must specify one of -f and -k"));
    };
    let exactly = |count: usize| {
        if words.len() == count {
            Ok(())
        } else {
            Err(Problem::error(&format!(
                "exactly one NAME is required, got {}",
                words.len().saturating_sub(count - 1)
            )))
        }
    };
    match word.as_str() {
        "deployment" | "deploy" | "dep" => {
            exactly(2)?;
            let object = deployment(call, &words[1])?;
            finish(call, kind_of("deployments")?, object)
        }
        "namespace" | "ns" => {
            exactly(2)?;
            let object = Value::object([
                ("apiVersion", "v1".into()),
                ("kind", "Namespace".into()),
                (
                    "metadata",
                    Value::object([("name", words[1].as_str().into())]),
                ),
            ]);
            finish(call, kind_of("namespaces")?, object)
        }
        "configmap" | "cm" => {
            exactly(2)?;
            let object = data(call, "ConfigMap", &words[1])?;
            finish(call, kind_of("configmaps")?, object)
        }
        "secret" if words.get(1).is_some_and(|word| word == "generic") => {
            exactly(3)?;
            let mut object = data(call, "Secret", &words[2])?;
            object.set("type", "Opaque".into());
            let map = object.remove("data").unwrap_or_default();
            for (key, value) in map.as_map().into_iter().flat_map(|map| map.iter()) {
                encode(&mut object, key, value.as_str().unwrap_or(""));
            }
            if let Some(kind) = call.arguments.flag("type") {
                object.set("type", kind.into());
            }
            finish(call, kind_of("secrets")?, object)
        }
        "secret" if words.get(1).is_some_and(|word| word == "docker-registry") => {
            exactly(3)?;
            secrets::docker_registry(call, &words[2])
        }
        "token" => {
            exactly(2)?;
            secrets::token(call, &words[1])
        }
        "secret" if words.get(1).is_some_and(|word| word == "tls") => {
            exactly(3)?;
            let mut object = data(call, "Secret", &words[2])?;
            object.set("type", "kubernetes.io/tls".into());
            for (flag, key) in [("cert", "tls.crt"), ("key", "tls.key")] {
                let path = call.arguments.flag(flag).unwrap_or("").to_owned();
                let text = call.session.file(&path).cloned().ok_or_else(|| {
                    Problem::error(&format!("open {path}: no such file or directory"))
                })?;
                encode(&mut object, key, &text);
            }
            finish(call, kind_of("secrets")?, object)
        }
        "service" | "svc" => service(call, &words),
        other => generators::create(call, &words).unwrap_or_else(|| {
            Err(Problem::error(&format!(
                "Unexpected args: [{other}]\nSee 'kubectl create -h' for help and examples"
            )))
        }),
    }
}

/// Puts a value into a Secret, as it is written there.
fn encode(secret: &mut Value, key: &str, text: &str) {
    let text = crate::base::base64::encode(text.as_bytes());
    secret.set_path(&["data", key], text.into());
}

fn from_files(call: &mut Call<'_>) -> Result<(), Problem> {
    let (found, mut problems) = apply::items(call)?;
    if found.is_empty() && problems.is_empty() {
        return Err(Problem::error("no objects passed to create"));
    }
    for item in &found {
        item.warn(call);
        let object = if call.arguments.on("save-config") {
            apply::remembering(&item.object)
        } else {
            item.object.clone()
        };
        let result = item.strict().and_then(|()| {
            if call.dry_client() {
                return Ok(object.clone());
            }
            let mut object = without_nulls(&object);
            object.remove_path(&["metadata", "resourceVersion"]);
            Ok(call
                .ask(Request::Create {
                    object,
                    namespace: item.namespace().into(),
                })?
                .object)
        });
        match result {
            Ok(made) => printers::outcome(call, item.kind, &made, "created")?,
            Err(problem) => problems.push(problem.when("creating", &item.source)),
        }
    }
    Problem::all(problems)
}

fn finish(call: &mut Call<'_>, kind: &'static Kind, object: Value) -> Result<(), Problem> {
    let mut object = object;
    if kind.namespaced && call.arguments.flag("namespace").is_some() {
        object.set_path(&["metadata", "namespace"], call.namespace.as_str().into());
    }
    let made = if call.dry_client() {
        zero::filled(&object)
    } else {
        let namespace = if kind.namespaced {
            call.namespace.as_str().into()
        } else {
            "".into()
        };
        let answer = call.ask(Request::Create { object, namespace });
        answer
            .map_err(|mut problem| {
                if let Some(doing) = doing(kind) {
                    problem.text =
                        format!("error: failed to create {doing} {}", whole(&problem, kind));
                }
                problem
            })?
            .object
    };
    printers::outcome(call, kind, &made, "created")
}

/// How a generator says what it could not create; none: it hands on the server's words.
/// Source: `pkg/cmd/create/create_*.go`.
fn doing(kind: &Kind) -> Option<&'static str> {
    Some(match kind.kind {
        "Deployment" => "deployment:",
        "Job" => "job:",
        "CronJob" => "cronjob:",
        "ConfigMap" => "configmap:",
        "Secret" => "secret",
        "Ingress" => "ingress:",
        "ResourceQuota" => "quota:",
        "PriorityClass" => "priorityclass:",
        "PodDisruptionBudget" => "poddisruptionbudgets:",
        "ServiceAccount" => "serviceaccount:",
        "RoleBinding" => "rolebinding:",
        "ClusterRoleBinding" => "clusterrolebinding:",
        _ => return None,
    })
}

/// A refusal's own message, from what kubectl makes of it elsewhere.
fn whole(problem: &Problem, kind: &Kind) -> String {
    if problem.reason != "Invalid" {
        let text = problem.text.split_once("): ").map(|(_, text)| text);
        return text.unwrap_or(&problem.text).to_owned();
    }
    if let Some((head, why)) = problem.text.split_once(" is invalid: : ") {
        let name = head.rsplit(' ').next().unwrap_or("");
        return format!("{} {name} is forbidden: {why}", kind.resource());
    }
    let own = format!("The {} ", kind.kind);
    let text = problem
        .text
        .replacen(&own, &format!("{} ", kind.qualified()), 1);
    match text.split_once(": \n* ") {
        Some((head, list)) => format!("{head}: [{}]", list.trim_end().replace("\n* ", ", ")),
        None => text,
    }
}

/// The last part of an image's name, without tag and digest.
fn base_name(image: &str) -> String {
    let name = image.rsplit('/').next().unwrap_or(image);
    let name = name.split(['@', ':']).next().unwrap_or(name);
    name.chars()
        .map(|character| {
            if character.is_ascii_alphanumeric() || character == '-' {
                character
            } else {
                '-'
            }
        })
        .collect()
}

fn number(call: &Call<'_>, flag: &str) -> Result<Option<i64>, Problem> {
    let parse = |text: &str| {
        text.parse::<i64>().map_err(|_| Problem::error(&format!("invalid argument \"{text}\" for \"--{flag}\" flag: strconv.ParseInt: parsing \"{text}\": invalid syntax")))
    };
    call.arguments.flag(flag).map(parse).transpose()
}

fn deployment(call: &Call<'_>, name: &str) -> Result<Value, Problem> {
    let images = call.arguments.all("image");
    if images.is_empty() {
        return Err(Problem::error("required flag(s) \"image\" not set"));
    }
    let port = number(call, "port")?;
    let containers = images.iter().map(|image| {
        let mut container = Value::object([
            ("image", image.as_str().into()),
            ("name", base_name(image).into()),
        ]);
        if let Some(port) = port {
            container.set(
                "ports",
                Value::list(vec![Value::object([("containerPort", Value::Int(port))])]),
            );
        }
        if let Some(command) = &call.arguments.tail {
            container.set(
                "command",
                Value::list(command.iter().map(|word| word.as_str().into()).collect()),
            );
        }
        container
    });
    let labels = || Value::object([("app", name.into())]);
    let template = Value::object([
        ("metadata", Value::object([("labels", labels())])),
        (
            "spec",
            Value::object([("containers", Value::list(containers.collect()))]),
        ),
    ]);
    let spec = Value::object([
        (
            "replicas",
            Value::Int(number(call, "replicas")?.unwrap_or(1)),
        ),
        ("selector", Value::object([("matchLabels", labels())])),
        ("template", template),
    ]);
    Ok(Value::object([
        ("apiVersion", "apps/v1".into()),
        ("kind", "Deployment".into()),
        (
            "metadata",
            Value::object([("labels", labels()), ("name", name.into())]),
        ),
        ("spec", spec),
    ]))
}

fn data(call: &Call<'_>, kind: &str, name: &str) -> Result<Value, Problem> {
    let mut map = Value::map();
    let twice = |map: &Value, key: &str| match map.get(key) {
        None => Ok(()),
        Some(_) if kind == "Secret" => Err(Problem::error(&format!(
            "cannot add key {key}, another key by that name already exists"
        ))),
        Some(_) => Err(Problem::error(&format!(
            "cannot add key \"{key}\", another key by that name already exists in Data for {kind} \"{name}\""
        ))),
    };
    for pair in call.arguments.each("from-literal") {
        let (key, value) = pair.split_once('=').ok_or_else(|| {
            Problem::error(&format!(
                "invalid literal source {pair}, expected key=value"
            ))
        })?;
        twice(&map, key)?;
        map.set(key, value.trim_matches(['\'', '"']).into());
    }
    for source in call.arguments.all("from-file") {
        let (key, path) = source
            .split_once('=')
            .unwrap_or((source.rsplit('/').next().unwrap_or(&source), &source));
        let text = call.session.file(path).ok_or_else(|| {
            Problem::error(&format!("error reading {path}: no such file or directory"))
        })?;
        twice(&map, key)?;
        map.set(key, Value::String(text.clone()));
    }
    for file in call.arguments.all("from-env-file") {
        let text = call.session.file(&file).ok_or_else(|| {
            Problem::error(&format!("error reading {file}: no such file or directory"))
        })?;
        for line in text.lines().map(str::trim_start) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            match line.split_once('=') {
                Some((key, value)) => map.set(key, value.into()),
                None => {
                    let own = call.session.environment.get(line);
                    map.set(line, own.cloned().unwrap_or_default().into());
                }
            }
        }
    }
    let mut object = Value::object([
        ("apiVersion", "v1".into()),
        ("kind", kind.into()),
        ("metadata", Value::object([("name", name.into())])),
    ]);
    if map.as_map().is_some_and(|map| !map.is_empty()) {
        object.set("data", map);
    }
    Ok(object)
}

fn service(call: &mut Call<'_>, words: &[String]) -> Result<(), Problem> {
    let (Some(kind), Some(name)) = (words.get(1), words.get(2)) else {
        return Err(Problem::error("exactly one NAME is required, got 0"));
    };
    let kind = match kind.as_str() {
        "clusterip" => "ClusterIP",
        "nodeport" => "NodePort",
        "loadbalancer" => "LoadBalancer",
        "externalname" => return external_name(call, name),
        other => {
            return Err(Problem::error(&format!(
                "kubectl create service {other} is not modelled"
            )));
        }
    };
    let mut ports = Vec::new();
    for pair in call.arguments.all("tcp") {
        let (port, target) = pair.split_once(':').unwrap_or((&pair, &pair));
        let target = target
            .parse::<i64>()
            .map_or_else(|_| Value::from(target), Value::Int);
        let port: i64 = port
            .parse()
            .map_err(|_| Problem::error(&format!("invalid port format: {pair}")))?;
        let mut entry = Value::object([
            ("name", pair.replace(':', "-").into()),
            ("port", Value::Int(port)),
            ("protocol", "TCP".into()),
            ("targetPort", target),
        ]);
        if let Some(node) = number(call, "node-port")? {
            entry.set("nodePort", Value::Int(node));
        }
        ports.push(entry);
    }
    let headless = kind == "ClusterIP" && call.arguments.flag("clusterip") == Some("None");
    if ports.is_empty() && !headless {
        return Err(Problem::error(
            "at least one tcp port specifier must be provided",
        ));
    }
    let labels = || Value::object([("app", name.as_str().into())]);
    let object = Value::object([
        ("apiVersion", "v1".into()),
        ("kind", "Service".into()),
        (
            "metadata",
            Value::object([("labels", labels()), ("name", name.as_str().into())]),
        ),
        (
            "spec",
            Value::object([
                ("ports", Value::list(ports)),
                ("selector", labels()),
                ("type", kind.into()),
            ]),
        ),
    ]);
    let mut object = object;
    if let Some(ip) = call.arguments.flag("clusterip") {
        object.set_path(&["spec", "clusterIP"], ip.into());
    }
    finish(call, kind_of("services")?, object)
}

fn external_name(call: &mut Call<'_>, name: &str) -> Result<(), Problem> {
    let target = call
        .arguments
        .flag("external-name")
        .unwrap_or("")
        .to_owned();
    if target.is_empty() {
        return Err(Problem::error("required flag(s) \"external-name\" not set"));
    }
    let mut object = Value::object([
        ("apiVersion", Value::from("v1")),
        ("kind", "Service".into()),
    ]);
    object.set_path(&["metadata", "name"], name.into());
    object.set_path(&["metadata", "labels", "app"], name.into());
    object.set_path(&["spec", "externalName"], target.into());
    object.set_path(&["spec", "type"], "ExternalName".into());
    finish(call, kind_of("services")?, object)
}
