//! Verbs that make objects from words: create, and below it run, expose and the other generators.

pub mod autoscale;
pub mod below;
pub mod data;
pub mod expose;
pub mod generators;
pub mod ingress;
pub mod roles;
pub mod run;
pub mod secrets;
pub mod service;
pub mod zero;

use crate::base::sentence::catalogue;
use crate::console::not_modelled;
use crate::kube::apiserver::Request;
use crate::kube::kinds::Kind;
use crate::manifest::value::Value;
use crate::object::patch::without_nulls;

use super::debug::suffix;
use super::problem::Problem;
use super::{Call, apply, kind_of, printers};

/// Flags of `create`.
pub const FLAGS: &[&str] = &[
    "raw",
    "filename:f",
    "!windows-line-endings",
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
    "aggregation-rule",
    "!edit",
];
/// `create`.
///
/// # Errors
/// What the server refuses; kinds that words cannot make.
pub fn create(call: &mut Call<'_>) -> Result<(), Problem> {
    if call.arguments.has_files() {
        return from_files(call);
    }
    let words = call.arguments.words.clone();
    let Some(word) = words.first() else {
        return Err(Problem::said("Error: must specify one of -f and -k", ""));
    };
    let exactly = |count: usize| one_name(&words, count);
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
            let object = data::hashed(call, data::config_map(call, &words[1])?);
            finish(call, kind_of("configmaps")?, object)
        }
        "secret" if words.get(1).is_some_and(|word| word == "generic") => {
            exactly(3)?;
            let object = data::hashed(call, data::generic(call, &words[2])?);
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
            let object = data::hashed(call, data::tls(call, &words[2])?);
            finish(call, kind_of("secrets")?, object)
        }
        "secret" => Err(no_command(
            "kubectl create secret",
            &words[1..],
            "docker-registry, generic or tls",
        )),
        "service" | "svc" => service(call, &words),
        _ => generators::create(call, &words).unwrap_or_else(|| {
            // What stands without -f is taken for a command.
            // Source: `k8s.io/kubectl/pkg/cmd/create/create.go` (`NewCmdCreate`).
            let unknown = words.join(" ");
            Err(Problem::said(format!(
                    "Error: must specify one of -f and -k\n\nerror: unknown command {unknown:?}\nSee 'kubectl create -h' for help and examples"
                ), ""))
        }),
    }
}

/// The one name that follows `count - 1` words of a command.
/// Source: `k8s.io/kubectl/pkg/cmd/create/create.go` (`NameFromCommandArgs`).
pub(super) fn one_name(words: &[String], count: usize) -> Result<(), Problem> {
    if words.len() == count {
        return Ok(());
    }
    let plain = words.iter().take(count - 1).map(|word| below::plain(word));
    let path: Vec<&str> = plain.collect();
    Err(Problem::error(format!(
        "exactly one NAME is required, got {}\nSee 'kubectl create {} -h' for help and examples",
        words.len().saturating_sub(count - 1),
        path.join(" ")
    )))
}

/// A command that only has commands below it, without one of these. The real tool prints its help
/// where nothing follows. Source: `k8s.io/kubectl/pkg/cmd/util/helpers.go` (`DefaultSubCommandRun`).
pub fn no_command(path: &str, words: &[String], known: &str) -> Problem {
    match words {
        [] => Problem::error(format!("Required subcommand: {known}")),
        words => {
            let unknown = words.join(" ");
            Problem::error(format!(
                "unknown command {unknown:?}\nSee '{path} -h' for help and examples"
            ))
        }
    }
}

fn from_files(call: &mut Call<'_>) -> Result<(), Problem> {
    if call.arguments.on("edit") {
        let see = catalogue::SEE.with(&[("command", &"kubectl edit")]);
        return Err(Problem::error(not_modelled("--edit").advise(see)));
    }
    let selector = call.selector()?;
    let (mut found, mut problems) = apply::items(call)?;
    found.retain(|item| item.selected(selector.as_ref()));
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
        let doing = match object.str_at(&["spec", "type"]) {
            Some(word) if kind.kind == "Service" => Some(format!("{word} service:")),
            _ => doing(kind).map(str::to_owned),
        };
        let answer = call.ask(Request::Create { object, namespace });
        answer
            .map_err(|mut problem| {
                if let Some(doing) = &doing {
                    problem.text =
                        format!("error: failed to create {doing} {}", whole(&problem, kind)).into();
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
pub fn whole(problem: &Problem, kind: &Kind) -> String {
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

/// The last part of an image's name, without tag and digest. One whose signs are not those of a name
/// gets others and, by chance, five letters: drawn anew for each of a command's images.
fn base_name(call: &Call<'_>, image: &str, index: usize) -> Result<String, Problem> {
    let name = image.rsplit('/').next().unwrap_or(image);
    let name = name.split(['@', ':']).next().unwrap_or(name);
    if !name.contains(['_', '.']) {
        return Ok(name.to_owned());
    }
    let name = name.replace(['_', '.'], "-");
    let now = call.now().as_micros().to_string();
    let suffix = suffix(call, "create", &[&name, &now], index)?;
    Ok(format!("{name}-{suffix}"))
}

fn number(call: &Call<'_>, flag: &str) -> Result<Option<i64>, Problem> {
    let parse = |text: &str| {
        text.parse::<i64>().map_err(|_| Problem::error(format!("invalid argument \"{text}\" for \"--{flag}\" flag: strconv.ParseInt: parsing \"{text}\": invalid syntax")))
    };
    call.arguments.flag(flag).map(parse).transpose()
}

fn deployment(call: &Call<'_>, name: &str) -> Result<Value, Problem> {
    let images = call.arguments.all("image");
    if images.is_empty() {
        return Err(Problem::error("required flag(s) \"image\" not set"));
    }
    let command = call.arguments.tail.as_ref();
    if images.len() > 1 && command.is_some_and(|command| !command.is_empty()) {
        return Err(Problem::error(
            "cannot specify multiple --image options and command",
        ));
    }
    let port = number(call, "port")?.filter(|port| *port >= 0);
    let mut containers = Vec::new();
    for (index, image) in images.iter().enumerate() {
        let mut container = Value::object([
            ("image", image.as_str().into()),
            ("name", base_name(call, image, index)?.into()),
        ]);
        if let Some(port) = port.filter(|_| index == 0) {
            container.set(
                "ports",
                Value::list(vec![Value::object([("containerPort", Value::Int(port))])]),
            );
        }
        if let Some(command) = command {
            container.set(
                "command",
                Value::list(command.iter().map(|word| word.as_str().into()).collect()),
            );
        }
        containers.push(container);
    }
    let labels = || Value::object([("app", name.into())]);
    let template = Value::object([
        ("metadata", Value::object([("labels", labels())])),
        (
            "spec",
            Value::object([("containers", Value::list(containers))]),
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

fn service(call: &mut Call<'_>, words: &[String]) -> Result<(), Problem> {
    let kind = match words.get(1).map(String::as_str) {
        Some("clusterip") => "ClusterIP",
        Some("nodeport") => "NodePort",
        Some("loadbalancer") => "LoadBalancer",
        Some("externalname") => "ExternalName",
        _ => {
            return Err(no_command(
                "kubectl create service",
                &words[1..],
                "clusterip, externalname, loadbalancer or nodeport",
            ));
        }
    };
    one_name(words, 3)?;
    let object = service::service(call, kind, &words[2])?;
    finish(call, kind_of("services")?, object)
}
