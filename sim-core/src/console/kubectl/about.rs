//! Verbs about the tool and the cluster: version, config, api-resources, cluster-info, explain; and
//! refusals of what is not modelled.

use crate::console::Output;
use crate::console::table::Table;
use crate::kube::kinds::KINDS;
use crate::kube::render::node::VERSION;
use crate::manifest::schema::table::{Field, Shape, kubernetes};

use super::problem::Problem;
use super::{Call, kind_of};

/// What `kubectl` alone prints.
pub fn usage() -> Output {
    let verbs: Vec<&str> = super::VERBS.iter().map(|(name, _, _)| *name).collect();
    Output::text(format!(
        "kubectl controls the simulated Kubernetes cluster manager.\n\nCommands: {}\n\nUsage:\n  kubectl [flags] [options]\n",
        verbs.join(", ")
    ))
}

/// `version`.
///
/// # Errors
/// None.
pub fn version(call: &mut Call<'_>) -> Result<(), Problem> {
    call.say(&format!("Client Version: {VERSION}"));
    call.say("Kustomize Version: v5.8.1");
    if !call.arguments.on("client") {
        call.say(&format!("Server Version: {VERSION}"));
    }
    Ok(())
}

/// `config current-context | get-contexts | view | set-context --current --namespace`.
///
/// # Errors
/// Other subcommands.
pub fn config(call: &mut Call<'_>) -> Result<(), Problem> {
    let words: Vec<&str> = call.arguments.words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["current-context"] => call.say("podium"),
        ["get-contexts"] => {
            let mut table = Table::new(&["CURRENT", "NAME", "CLUSTER", "AUTHINFO", "NAMESPACE"]);
            table.rows.push(
                [
                    "*",
                    "podium",
                    "podium",
                    "podium-admin",
                    &call.session.namespace,
                ]
                .map(str::to_owned)
                .to_vec(),
            );
            call.stdout.push_str(&table.kubectl(true));
        }
        ["view"] => {
            let text = format!(
                "apiVersion: v1\nclusters:\n- cluster:\n    server: https://podium:6443\n  name: podium\ncontexts:\n- context:\n    cluster: podium\n    namespace: {}\n    user: podium-admin\n  name: podium\ncurrent-context: podium\nkind: Config\nusers:\n- name: podium-admin\n  user: {{}}\n",
                call.session.namespace
            );
            call.stdout.push_str(&text);
        }
        ["set-context", ..] if call.arguments.on("current") => {
            if call.arguments.flag("namespace").is_some() {
                call.session.namespace = call.namespace.clone();
            }
            call.say("Context \"podium\" modified.");
        }
        ["use-context", "podium"] => call.say("Switched to context \"podium\"."),
        ["use-context", other] => {
            return Err(Problem::error(&format!(
                "no context exists with the name: \"{other}\""
            )));
        }
        _ => {
            return Err(Problem::error(&format!(
                "kubectl config {} is not modelled",
                words.join(" ")
            )));
        }
    }
    Ok(())
}

/// `cluster-info`.
///
/// # Errors
/// None.
pub fn cluster_info(call: &mut Call<'_>) -> Result<(), Problem> {
    call.say("Kubernetes control plane is running at https://podium:6443");
    call.say("");
    call.say("To further debug and diagnose cluster problems, use 'kubectl cluster-info dump'.");
    Ok(())
}

/// `api-resources`.
///
/// # Errors
/// None.
pub fn api_resources(call: &mut Call<'_>) -> Result<(), Problem> {
    let namespaced = call
        .arguments
        .flag("namespaced")
        .map(|value| value == "true");
    let group = call.arguments.flag("api-group");
    let kinds = KINDS.iter().filter(|kind| {
        namespaced.is_none_or(|wanted| kind.namespaced == wanted)
            && group.is_none_or(|group| kind.group() == group)
    });
    if call.arguments.flag("output") == Some("name") {
        let mut names: Vec<String> = kinds.map(|kind| kind.resource()).collect();
        names.sort_unstable();
        names.iter().for_each(|name| call.say(name));
        return Ok(());
    }
    let mut table = Table::new(&["NAME", "SHORTNAMES", "APIVERSION", "NAMESPACED", "KIND"]);
    let mut sorted: Vec<_> = kinds.collect();
    sorted.sort_by_key(|kind| (kind.group(), kind.plural));
    for kind in sorted {
        table.rows.push(vec![
            kind.plural.to_owned(),
            kind.short.join(","),
            kind.api_version.to_owned(),
            kind.namespaced.to_string(),
            kind.kind.to_owned(),
        ]);
    }
    call.stdout
        .push_str(&table.kubectl(!call.arguments.on("no-headers")));
    Ok(())
}

/// `explain`: the fields of a structure, from the schema tables; no descriptions.
///
/// # Errors
/// Unknown kinds and fields.
pub fn explain(call: &mut Call<'_>) -> Result<(), Problem> {
    let Some(word) = call.arguments.words.first().cloned() else {
        return Err(Problem::error(
            "You must specify the type of resource to explain. Use \"kubectl api-resources\" for a complete list of supported resources.",
        ));
    };
    let mut path = word.split('.');
    let kind = kind_of(path.next().unwrap_or(""))?;
    let table = kubernetes();
    let root = table
        .kind(kind.api_version, kind.kind)
        .and_then(|found| found.root);
    let mut id = root.ok_or_else(|| {
        Problem::error(&format!(
            "the fields of {} are not in the schema tables",
            kind.kind
        ))
    })?;
    let mut last: Option<&Field> = None;
    for segment in path {
        let missing = || Problem::error(&format!("field \"{segment}\" does not exist"));
        if last.is_some_and(|field| structure(&field.shape).is_none()) {
            return Err(missing());
        }
        let field = table.get(id).field(segment).ok_or_else(missing)?;
        id = structure(&field.shape).unwrap_or(id);
        last = Some(field);
    }
    if !kind.group().is_empty() {
        call.say(&format!("GROUP:      {}", kind.group()));
    }
    call.say(&format!("KIND:       {}", kind.kind));
    call.say(&format!(
        "VERSION:    {}\n",
        kind.api_version.rsplit('/').next().unwrap_or("")
    ));
    if let Some(field) = last {
        call.say(&format!(
            "FIELD: {} <{}>\n",
            field.name,
            shape(&field.shape)
        ));
        if structure(&field.shape).is_none() {
            return Ok(());
        }
    }
    call.say("FIELDS:");
    for field in &table.get(id).fields {
        let required = if field.is_required { " -required-" } else { "" };
        call.say(&format!(
            "  {}\t<{}>{required}",
            field.name,
            shape(&field.shape)
        ));
    }
    call.say("");
    Ok(())
}

fn structure(shape: &Shape) -> Option<crate::manifest::schema::table::TypeId> {
    match shape {
        Shape::Type(id) => Some(*id),
        Shape::List(inner) => structure(inner),
        Shape::Map { values, .. } => structure(values),
        _ => None,
    }
}

fn shape(one: &Shape) -> String {
    match one {
        Shape::String
        | Shape::Enum(_)
        | Shape::Bytes
        | Shape::Duration
        | Shape::Time
        | Shape::Quantity => "string".to_owned(),
        Shape::Bool => "boolean".to_owned(),
        Shape::Int32 | Shape::Int64 => "integer".to_owned(),
        Shape::Number => "number".to_owned(),
        Shape::IntOrString => "IntOrString".to_owned(),
        Shape::List(inner) => format!("[]{}", shape(inner)),
        Shape::Map { values, .. } => format!("map[string]{}", shape(values)),
        Shape::Type(id) => kubernetes().get(*id).go_name().to_owned(),
        Shape::Any | Shape::Null | Shape::Object | Shape::Plain(_) | Shape::OneOf(_) => {
            "Object".to_owned()
        }
    }
}
