//! Verbs about the tool and the cluster: version, api-resources, cluster-info, explain.

use crate::base::arrange::Arrange;
use crate::base::sentence::catalogue;
use crate::console::table::Table;
use crate::console::{Output, after, not_modelled};
use crate::kube::kinds::{self, ALSO, KINDS, Kind};
use crate::kube::render::node::VERSION;
use crate::manifest::schema::suggest;
use crate::manifest::schema::table::{Field, Shape, TypeId, kubernetes};
use crate::manifest::value::Value;
use crate::object::print::{KeyOrder, json_indented, yaml};

use super::problem::Problem;
use super::raw::discovery;
use super::{Call, kind_of};

/// Verbs that an unknown one may be meant for: at most two signs apart, or longer by some, or known to be
/// taken for it. Sources: `github.com/spf13/cobra/command.go` (`SuggestionsFor`, `SuggestionsMinimumDistance`
/// 2), `SuggestFor` of `k8s.io/kubectl/pkg/cmd/{get,describe,delete,top}`.
pub fn meant(verb: &str) -> Vec<&'static str> {
    /// In the order of `k8s.io/kubectl/pkg/cmd/cmd.go`.
    const KNOWN: &str = "create expose run set explain get edit delete rollout scale autoscale certificate cluster-info top cordon uncordon drain taint describe logs attach exec port-forward proxy cp auth debug events diff apply patch replace wait kustomize label annotate completion alpha config plugin version api-versions api-resources options";
    const ALSO: [(&str, &str); 6] = [
        ("inspect", "describe"),
        ("list", "get"),
        ("ls", "get"),
        ("remove", "delete"),
        ("rm", "delete"),
        ("stats", "top"),
    ];
    let lower = verb.to_ascii_lowercase();
    let near = |name: &str| {
        name.starts_with(&lower)
            || suggest::distance(verb, name, 2, false) <= 2
            || ALSO.contains(&(&*lower, name))
    };
    KNOWN.split(' ').filter(|name| near(name)).collect()
}

/// What `kubectl` alone prints.
pub fn usage() -> Output {
    let verbs: Vec<&str> = super::VERBS.iter().map(|(name, _, _)| *name).collect();
    Output::text(format!(
        "kubectl controls the simulated Kubernetes cluster manager.\n\nCommands: {}\n\nUsage:\n  kubectl [flags] [options]\n",
        verbs.join(", ")
    ))
}

/// `VERB --help`: the flags that are read.
pub fn help(verb: &str, flags: &[&str]) -> Output {
    let mut text = String::new();
    let mut flags: Vec<&str> = flags.to_vec();
    flags.arrange_by_key(|flag| flag.trim_start_matches(['!', '?']));
    for flag in flags {
        let value = if flag.starts_with('!') { "" } else { " value" };
        let (name, short) = flag.split_once(':').unwrap_or((flag, ""));
        let name = name.trim_start_matches(['!', '?']);
        text.push_str(&match short {
            "" => format!("      --{name}{value}\n"),
            short => format!("  -{short}, --{name}{value}\n"),
        });
    }
    let usage = format!("Usage:\n  kubectl {verb} [flags] [options]\n\n");
    let usage = after(usage, catalogue::OPTIONS_MODELLED.plain());
    Output::text(usage.then("\n").then(text))
}

/// `version`.
///
/// # Errors
/// Formats that it does not have.
pub fn version(call: &mut Call<'_>) -> Result<(), Problem> {
    const KUSTOMIZE: &str = "v5.8.1";
    let client = call.arguments.on("client");
    let format = call.arguments.flag("output").unwrap_or("").to_owned();
    if !format.is_empty() {
        let mut all = Value::object([
            ("clientVersion", build()),
            ("kustomizeVersion", KUSTOMIZE.into()),
        ]);
        if !client {
            all.set("serverVersion", build());
        }
        match format.as_str() {
            "yaml" => call.stdout.push_str(&yaml(&all)),
            "json" => call.say(&json_indented(&all, KeyOrder::Stored, "  ")),
            _ => return Err(Problem::error("--output must be 'yaml' or 'json'")),
        }
        return Ok(());
    }
    call.say(&format!("Client Version: {VERSION}"));
    call.say(&format!("Kustomize Version: {KUSTOMIZE}"));
    if !client {
        call.say(&format!("Server Version: {VERSION}"));
    }
    Ok(())
}

/// What is known of a build: there is no commit and no compiler behind the simulated one.
fn build() -> Value {
    let mut parts = VERSION.trim_start_matches('v').split('.');
    let mut part = || Value::from(parts.next().unwrap_or(""));
    Value::object([
        ("major", part()),
        ("minor", part()),
        ("gitVersion", VERSION.into()),
        ("platform", "linux/amd64".into()),
    ])
}

/// `cluster-info`.
///
/// # Errors
/// None.
pub fn cluster_info(call: &mut Call<'_>) -> Result<(), Problem> {
    if call
        .arguments
        .words
        .first()
        .is_some_and(|word| word == "dump")
    {
        return Err(Problem::error(not_modelled("kubectl cluster-info dump")));
    }
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
    if !call.arguments.words.is_empty() {
        return Err(Problem::error(format!(
            "unexpected arguments: [{}]\nSee 'kubectl api-resources -h' for help and examples",
            call.arguments.words.join(" ")
        )));
    }
    let namespaced = call
        .arguments
        .flag("namespaced")
        .map(|value| value == "true");
    let group = call.arguments.flag("api-group");
    let (verbs, wanted) = (
        call.arguments.all("verbs"),
        call.arguments.all("categories"),
    );
    let served: Vec<&'static crate::kube::kinds::Kind> =
        call.view()?.store.definitions().served().collect();
    let kinds = KINDS.iter().chain(ALSO).chain(served).filter(|kind| {
        namespaced.is_none_or(|wanted| kind.namespaced == wanted)
            && group.is_none_or(|group| kind.group() == group)
            && verbs
                .iter()
                .all(|verb| discovery::VERBS.contains(&verb.as_str()))
            && wanted
                .iter()
                .all(|one| categories(kind).contains(&one.as_str()))
    });
    if call.arguments.flag("output") == Some("name") {
        let mut names: Vec<String> = kinds.map(|kind| kind.resource()).collect();
        names.arrange();
        names.iter().for_each(|name| call.say(name));
        return Ok(());
    }
    let mut table = Table::new(&["NAME", "SHORTNAMES", "APIVERSION", "NAMESPACED", "KIND"]);
    let wide = match call.arguments.flag("output") {
        None | Some("") => false,
        Some("wide") => true,
        Some(whole @ ("json" | "yaml" | "kyaml")) => {
            let what = format!("kubectl api-resources -o {whole}");
            return Err(Problem::error(not_modelled(what)));
        }
        Some(other) => {
            return Err(Problem::error(format!(
                "unable to match a printer suitable for the output format \"{other}\", allowed formats are: json,yaml,kyaml,name,wide"
            )));
        }
    };
    if wide {
        table
            .header
            .extend(["VERBS", "CATEGORIES"].map(str::to_owned));
    }
    let mut sorted: Vec<_> = kinds.collect();
    match call.arguments.flag("sort-by") {
        None | Some("") => sorted.arrange_by_key(|kind| (kind.group(), kind.plural)),
        Some("name") => sorted.arrange_by_key(|kind| kind.plural),
        Some("kind") => sorted.arrange_by_key(|kind| kind.kind),
        Some(_) => return Err(Problem::error("--sort-by accepts only name or kind")),
    }
    for kind in sorted {
        let mut row = vec![
            kind.plural.to_owned(),
            kind.short.join(","),
            kind.api_version.to_owned(),
            kind.namespaced.to_string(),
            kind.kind.to_owned(),
        ];
        if wide {
            row.push(discovery::VERBS.join(","));
            row.push(categories(kind).join(","));
        }
        table.rows.push(row);
    }
    call.stdout
        .push_str(&table.kubectl(!call.arguments.on("no-headers")));
    Ok(())
}

/// Categories of a kind. Source: `pkg/registry/*/storage.go` (`Categories`).
pub fn categories(kind: &Kind) -> &'static [&'static str] {
    if super::ALL.contains(&kind.plural) && !kind.custom {
        return &["all"];
    }
    match kind.kind {
        "APIService"
        | "MutatingAdmissionPolicy"
        | "MutatingAdmissionPolicyBinding"
        | "MutatingWebhookConfiguration"
        | "ValidatingAdmissionPolicy"
        | "ValidatingAdmissionPolicyBinding"
        | "ValidatingWebhookConfiguration"
        | "CustomResourceDefinition" => &["api-extensions"],
        _ => &[],
    }
}

/// Flags of `explain`.
pub const EXPLAIN_FLAGS: &[&str] = &["!recursive", "api-version", "output:o"];

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
    let kind = call.kind_of(path.next().unwrap_or(""))?;
    let version = call.arguments.flag("api-version").unwrap_or("");
    let kind = kinds::also(version, kind.kind).unwrap_or(kind);
    if kind.custom {
        return custom(call, kind, &word);
    }
    let table = kubernetes();
    let root = table
        .kind(kind.api_version, kind.kind)
        .and_then(|found| found.root);
    let mut id =
        root.ok_or_else(|| Problem::error(catalogue::NO_FIELDS.with(&[("kind", &kind.kind)])))?;
    let mut last: Option<&Field> = None;
    for segment in path {
        let missing = || Problem::error(format!("field \"{segment}\" does not exist"));
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
    let recursive = call.arguments.on("recursive");
    let mut text = String::new();
    fields(id, recursive, 1, &mut Vec::new(), &mut text);
    call.stdout.push_str(&text);
    call.say("");
    Ok(())
}

/// The fields of a structure, with `recursive` those below them. A structure that contains itself is
/// printed once. Source: `k8s.io/kubectl/pkg/explain/v2/templates/plaintext.tmpl`.
fn fields(id: TypeId, recursive: bool, depth: usize, above: &mut Vec<TypeId>, text: &mut String) {
    above.push(id);
    let mut list: Vec<&Field> = kubernetes().get(id).fields.iter().collect();
    list.arrange_by(|one, two| one.name.cmp(&two.name));
    for field in list {
        let required = if field.is_required { " -required-" } else { "" };
        let indent = "  ".repeat(depth);
        text.push_str(&format!(
            "{indent}{}\t<{}>{required}\n",
            field.name,
            shape(&field.shape)
        ));
        if let Shape::Enum(values) = &field.shape
            && recursive
        {
            let words: Vec<String> = values.iter().map(ToString::to_string).collect();
            text.push_str(&format!("{indent}enum: {}\n", words.join(", ")));
        }
        if let Some(inner) =
            structure(&field.shape).filter(|inner| recursive && !above.contains(inner))
        {
            fields(inner, recursive, depth + 1, above, text);
        }
    }
    above.pop();
}

/// `explain` of a custom resource: from its definition's schema, descriptions included.
fn custom(
    call: &mut Call<'_>,
    kind: &'static crate::kube::kinds::Kind,
    word: &str,
) -> Result<(), Problem> {
    let definition = call.object(kind_of("customresourcedefinitions")?, &kind.resource())?;
    let version = kind.api_version.rsplit('/').next().unwrap_or("");
    let mut schema = super::pod_status::items(&definition, &["spec", "versions"])
        .iter()
        .find(|one| one.str_at(&["name"]) == Some(version))
        .and_then(|one| one.path(&["schema", "openAPIV3Schema"]))
        .cloned()
        .unwrap_or_default();
    let mut last = None;
    for segment in word.split('.').skip(1) {
        let found = schema
            .path(&["properties", segment])
            .or_else(|| schema.path(&["items", "properties", segment]));
        let Some(found) = found.cloned() else {
            return Err(Problem::error(format!(
                "field \"{segment}\" does not exist"
            )));
        };
        schema = found;
        last = Some(segment.to_owned());
    }
    call.say(&format!("GROUP:      {}", kind.group()));
    call.say(&format!("KIND:       {}", kind.kind));
    call.say(&format!("VERSION:    {version}\n"));
    if let Some(last) = last {
        call.say(&format!("FIELD: {last} <{}>\n", custom_type(&schema)));
    }
    call.say("DESCRIPTION:");
    let about = schema
        .str_at(&["description"])
        .unwrap_or("<empty>")
        .to_owned();
    call.say(&format!("    {about}\n"));
    let properties = schema
        .path(&["properties"])
        .or_else(|| schema.path(&["items", "properties"]));
    if let Some(map) = properties.and_then(crate::manifest::value::Value::as_map) {
        call.say("FIELDS:");
        let recursive = call.arguments.on("recursive");
        let mut text = String::new();
        custom_fields(&schema, map, recursive, 1, &mut text);
        call.stdout.push_str(&text);
        call.say("");
    }
    Ok(())
}

fn custom_type(schema: &crate::manifest::value::Value) -> String {
    match schema.str_at(&["type"]) {
        Some("array") => {
            let items = schema.get("items").cloned().unwrap_or_default();
            format!("[]{}", custom_type(&items))
        }
        Some("object") => "Object".to_owned(),
        Some(other) => other.to_owned(),
        None => "Object".to_owned(),
    }
}

fn custom_fields(
    schema: &crate::manifest::value::Value,
    map: &crate::manifest::value::Map,
    recursive: bool,
    depth: usize,
    text: &mut String,
) {
    let needed = super::pod_status::items(schema, &["required"]);
    for (name, field) in map.sorted() {
        let required = needed.iter().any(|one| one.as_str() == Some(&**name));
        let indent = "  ".repeat(depth);
        let mark = if required { " -required-" } else { "" };
        text.push_str(&format!("{indent}{name}\t<{}>{mark}\n", custom_type(field)));
        if !recursive && let Some(about) = field.str_at(&["description"]) {
            text.push_str(&format!("{indent}  {about}\n\n"));
        }
        let inner = field
            .get("properties")
            .or_else(|| field.path(&["items", "properties"]));
        if let Some(inner) = inner.and_then(crate::manifest::value::Value::as_map)
            && recursive
        {
            custom_fields(field, inner, recursive, depth + 1, text);
        }
    }
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
