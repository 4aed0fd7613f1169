//! `compose config`: the project as it was understood, in canonical form.
//! Source: docker/compose `cmd/compose/config.go`, compose-go `types/project.go` (MarshalYAML).

use std::sync::Arc;

use super::Global;
use crate::api::compose::project::{Project, Resource};
use crate::base::sorted::SortedSet;
use crate::compose::lower;
use crate::console::docker::flags::{Grammar, parse};
use crate::console::{Output, Session};
use crate::manifest::value::{Map, Value};
use crate::object::print::{KeyOrder, json_indented, yaml_as_stored};

const CONFIG: Grammar = Grammar {
    path: "docker compose config",
    usage: "[OPTIONS] [SERVICE...]",
    flags: concat!(
        "services images volumes networks profiles models quiet,q format= hash= environment output,o= no-consistency ",
        "variables! no-interpolate! no-normalize! no-path-resolution! no-env-resolution! resolve-image-digests! lock-image-digests!"
    ),
    least: 0,
    most: None,
    interspersed: true,
};

/// Runs the command.
pub fn run(session: &mut Session, global: &Global, words: &[String]) -> Result<Output, Output> {
    let parsed = parse(&CONFIG, words)?;
    let names = |list: Vec<String>| list.iter().map(|line| format!("{line}\n")).collect();
    // These look at the whole project, whatever services are named.
    let listing = ["services", "volumes", "networks", "models", "profiles"];
    let whole = listing.iter().any(|flag| parsed.has(flag)) || parsed.value("hash").is_some();
    let named: &[String] = if whole { &[] } else { &parsed.words };
    let (project, warnings) = global.project(session, named)?;
    let project = super::select(project, named, true)?;
    let text: String = if parsed.has("services") {
        names(keys(&project.services))
    } else if parsed.has("volumes") {
        names(keys(&project.volumes))
    } else if parsed.has("networks") {
        names(keys(&project.networks))
    } else if parsed.has("models") {
        String::new()
    } else if let Some(wanted) = parsed.value("hash") {
        hashes(&project, wanted)?
    } else if parsed.has("profiles") {
        let all = project.services.values().chain(project.disabled.values());
        let profiles: SortedSet<String> = all
            .flat_map(|service| service.profiles.iter().map(ToString::to_string))
            .collect();
        names(profiles.into_iter().collect())
    } else if parsed.has("images") {
        names(
            project
                .services
                .values()
                .map(|service| service.image.to_string())
                .collect(),
        )
    } else if parsed.has("environment") {
        let variables = global.variables(session)?;
        variables
            .iter()
            .map(|(name, value)| format!("{name}={value}\n"))
            .collect()
    } else {
        let document = document(&project);
        let text = match parsed.value("format").unwrap_or("yaml") {
            "yaml" => yaml_as_stored(&document),
            "json" => json_indented(&encoded(&document), KeyOrder::Stored, "  "),
            other => {
                return Err(Output::error(1, format!("unsupported format {other:?}")));
            }
        };
        // So that what is printed can be read again.
        text.replace('$', "$$")
    };
    let mut output = Output {
        stderr: warnings,
        ..Output::default()
    };
    if !parsed.has("quiet") {
        output.stdout.push(text);
    }
    if let Some(file) = parsed.value("output") {
        let text = std::mem::take(&mut output.stdout);
        session.files.insert(
            file.strip_prefix("./").unwrap_or(file).to_owned(),
            String::from(text).into(),
        );
    }
    Ok(output)
}

fn keys<T>(map: &crate::base::sorted::SortedMap<Arc<str>, T>) -> Vec<String> {
    map.keys().map(ToString::to_string).collect()
}

fn hashes(project: &Project, wanted: &str) -> Result<String, Output> {
    let names: Vec<String> = if wanted == "*" {
        keys(&project.services)
    } else {
        wanted.split(',').map(str::to_owned).collect()
    };
    let mut text = String::new();
    for name in names {
        let Some(service) = project.services.get(name.as_str()) else {
            return Err(Output::error(1, format!("no such service: {name}")));
        };
        let hash = crate::compose::view::hash_text(lower::config_hash(service));
        text.push_str(&format!("{name} {hash}\n"));
    }
    Ok(text)
}

/// The project as one document, keys in the encoder's order.
fn document(project: &Project) -> Value {
    let parsed = |text: &str| Value::parse_json(text).unwrap_or_default();
    let mut all = Map::new();
    all.insert("name", Value::String(project.name.clone()));
    let services = project
        .services
        .iter()
        .map(|(name, service)| (name.clone(), parsed(&service.document)));
    all.insert("services", Value::object(services));
    let mut put = |key: &str, map: &crate::base::sorted::SortedMap<Arc<str>, Resource>| {
        if !map.is_empty() {
            let entries = map
                .iter()
                .map(|(name, resource)| (name.clone(), parsed(&resource.document)));
            all.insert(key, Value::object(entries));
        }
    };
    put("networks", &project.networks);
    put("volumes", &project.volumes);
    put("secrets", &project.secrets);
    put("configs", &project.configs);
    let extensions = parsed(&project.extensions);
    for (key, value) in extensions.as_map().into_iter().flat_map(Map::sorted) {
        all.insert(key, value.clone());
    }
    Value::from(all)
}

/// The document as the JSON encoder writes it: the top level sorted, the authors' own keys of inner
/// objects left out, and structures that it cannot leave out when they are empty.
fn encoded(document: &Value) -> Value {
    let mut all = Map::new();
    for (key, value) in document.as_map().into_iter().flat_map(Map::sorted) {
        let value = match &**key {
            "services" => each(value, service),
            "networks" => each(value, |network| {
                with_default(
                    network,
                    "ipam",
                    &["external", "internal", "attachable", "labels"],
                )
            }),
            "volumes" | "secrets" | "configs" => each(value, |inner| inner.clone()),
            _ => value.clone(),
        };
        all.insert(key, value);
    }
    Value::from(all)
}

fn each(value: &Value, change: impl Fn(&Value) -> Value) -> Value {
    let entries = value.as_map().unwrap_or_default().iter();
    Value::object(entries.map(|(key, inner)| (key.clone(), change(&own_left_out(inner)))))
}

fn own_left_out(value: &Value) -> Value {
    match value {
        Value::Map(map) => {
            let kept = map.iter().filter(|(key, _)| !key.starts_with("x-"));
            Value::object(kept.map(|(key, inner)| (key.clone(), inner.clone())))
        }
        other => other.clone(),
    }
}

/// Fields of a service that stand before `command` and before `entrypoint`.
const BEFORE_COMMAND: [&str; 19] = [
    "profiles",
    "annotations",
    "attach",
    "build",
    "develop",
    "blkio_config",
    "cap_add",
    "cap_drop",
    "cgroup_parent",
    "cgroup",
    "cpu_count",
    "cpu_percent",
    "cpu_period",
    "cpu_quota",
    "cpu_rt_period",
    "cpu_rt_runtime",
    "cpus",
    "cpuset",
    "cpu_shares",
];
const BEFORE_ENTRYPOINT: [&str; 12] = [
    "command",
    "configs",
    "container_name",
    "credential_spec",
    "depends_on",
    "deploy",
    "device_cgroup_rules",
    "devices",
    "dns",
    "dns_opt",
    "dns_search",
    "domainname",
];

fn service(value: &Value) -> Value {
    let map = value.as_map().cloned().unwrap_or_default();
    let mut all = Map::new();
    for (keys, missing) in [
        (&BEFORE_COMMAND[..], Some("command")),
        (&BEFORE_ENTRYPOINT[..], Some("entrypoint")),
        (&[], None),
    ] {
        for (key, inner) in map.iter() {
            let early = BEFORE_COMMAND.contains(&&**key) || BEFORE_ENTRYPOINT.contains(&&**key);
            if !(keys.contains(&&**key) || missing.is_none() && !early) {
                continue;
            }
            let inner = if &**key == "deploy" {
                let after = ["restart_policy", "placement", "endpoint_mode"];
                let deploy = with_default(inner, "resources", &after);
                with_default(&deploy, "placement", &["endpoint_mode"])
            } else {
                inner.clone()
            };
            all.insert(key, inner);
        }
        if let Some(missing) = missing.filter(|missing| map.get(missing).is_none()) {
            all.insert(missing, Value::Null);
        }
    }
    Value::from(all)
}

/// An object with an empty object under `key`, if it has none, in front of the `later` keys.
fn with_default(value: &Value, key: &str, later: &[&str]) -> Value {
    let map = value.as_map().cloned().unwrap_or_default();
    if map.get(key).is_some() {
        return value.clone();
    }
    let mut all = Map::new();
    let split = |name: &str| later.contains(&name);
    for (name, inner) in map.iter().filter(|(name, _)| !split(name)) {
        all.insert(name, inner.clone());
    }
    all.insert(key, Value::map());
    for (name, inner) in map.iter().filter(|(name, _)| split(name)) {
        all.insert(name, inner.clone());
    }
    Value::from(all)
}
