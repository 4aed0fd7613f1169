//! `docker secret|config|network|volume …`.

use std::sync::Arc;

use super::container::resource;
use super::flags::{Parsed, grammar, parse};
use super::listing::{Listing, filters, inspected, labelled, passes};
use super::words::{ago, short};
use super::{ask, each, manager as swarm, unknown_command};
use crate::base::arrange::Arrange;
use crate::base::sentence::catalogue;
use crate::base::sorted::SortedMap;
use crate::compose::resource::BUILT_IN;
use crate::compose::view::network_id;
use crate::console::{Output, Session};
use crate::engine::command::Orchestrator;
use crate::swarm::addresses::GATEWAY;
use crate::swarm::control_api::{Kind, Request, Response};

/// Largest secret and config. Source: swarmkit `api/validation/secrets.go`, `manager/controlapi/config.go`.
const SECRET_BYTES_END: usize = 512_000;
const CONFIG_BYTES_END: usize = 1_024_000;

const LS: &str = "filter,f=* format= quiet,q no-trunc";

/// A group of commands: its kind, if a swarm has it, and what it and its commands are called.
struct Group {
    kind: Option<Kind>,
    path: &'static str,
    ls: &'static str,
    create: &'static str,
    rm: &'static str,
    inspect: &'static str,
}

/// A group by its word.
macro_rules! group {
    ($kind:expr, $path:literal) => {
        Group {
            kind: $kind,
            path: $path,
            ls: concat!($path, " ls"),
            create: concat!($path, " create"),
            rm: concat!($path, " rm"),
            inspect: concat!($path, " inspect"),
        }
    };
}

const SECRET: Group = group!(Some(Kind::Secret), "docker secret");
const CONFIG: Group = group!(Some(Kind::Config), "docker config");
const NETWORK: Group = group!(Some(Kind::Network), "docker network");
const VOLUME: Group = group!(None, "docker volume");

/// Runs one command of a group.
pub fn run(
    session: &mut Session,
    group: &str,
    words: &[String],
    input: &str,
) -> Result<Output, Output> {
    let group = match group {
        "secret" => &SECRET,
        "config" => &CONFIG,
        "network" => &NETWORK,
        _ => &VOLUME,
    };
    let Some((verb, rest)) = words.split_first() else {
        return Ok(Output::text(format!(
            "Usage:  {} COMMAND\n\nCommands: create, inspect, ls, rm\n",
            group.path
        )));
    };
    match (verb.as_str(), group.kind) {
        ("ls" | "list", Some(kind)) => {
            let parsed = parse(&grammar(group.ls, "[OPTIONS]", LS, 0, Some(0)), rest)?;
            match kind {
                Kind::Network => networks(session, &parsed),
                Kind::Secret | Kind::Config => list(session, kind, &parsed),
            }
        }
        ("prune", Some(Kind::Network)) if resource::applies(session) => {
            resource::prune_networks(session, rest)
        }
        (word, None) if resource::applies(session) => resource::volume(session, word, rest),
        ("ls" | "list", None) => {
            let said = catalogue::NOT_IN_SWARM.with(&[("what", &VOLUME.ls)]);
            Err(Output::error(1, said))
        }
        ("create", Some(Kind::Network)) => create_network(session, rest),
        ("create", Some(kind)) => create_from_file(session, kind, group, rest, input),
        ("rm" | "remove", Some(kind)) => remove(session, kind, group, rest),
        ("inspect", Some(kind)) => {
            const FLAGS: &str = "format,f= pretty! verbose,v!";
            let usage = "[OPTIONS] NAME [NAME...]";
            let parsed = parse(&grammar(group.inspect, usage, FLAGS, 1, None), rest)?;
            inspect(session, kind, &parsed)
        }
        ("create" | "rm" | "inspect" | "prune" | "connect" | "disconnect" | "update", _) => {
            Err(super::not_modelled(format!("{} {verb}", group.path)))
        }
        (word, _) => Err(unknown_command(group.path, word)),
    }
}

fn create_network(session: &mut Session, words: &[String]) -> Result<Output, Output> {
    const FLAGS: &str = "driver,d= attachable label=* subnet=*! gateway=*! internal! ingress! opt,o=*! scope=! ipv6! ip-range=*!";
    if resource::applies(session)
        && let Some(output) = resource::create_network(session, words)?
    {
        return Ok(output);
    }
    let usage = "[OPTIONS] NETWORK";
    let parsed = parse(&grammar(NETWORK.create, usage, FLAGS, 1, Some(1)), words)?;
    if parsed.value("driver").unwrap_or("bridge") != "overlay" {
        return Err(super::not_modelled(catalogue::OTHER_DRIVER.plain()));
    }
    let (name, nothing) = (&parsed.words[0], "".into());
    create(session, Kind::Network, name, &nothing, &parsed)
}

/// `docker secret create` and `docker config create`.
fn create_from_file(
    session: &mut Session,
    kind: Kind,
    group: &Group,
    words: &[String],
    input: &str,
) -> Result<Output, Output> {
    const FLAGS: &str = "label,l=* driver,d=! template-driver=!";
    let usage = "[OPTIONS] NAME file|-";
    let parsed = parse(&grammar(group.create, usage, FLAGS, 2, Some(2)), words)?;
    let file = &parsed.words[1];
    let data: Arc<str> = match (file.as_str(), session.file(file)) {
        ("-", _) => input.into(),
        (_, Some(text)) => text.to_string().into(),
        (_, None) => {
            let word = kind.word();
            return Err(Output::error(
                1,
                format!(
                    "error reading content from {file:?}: open {file}: no such file or directory ({word} not created)"
                ),
            ));
        }
    };
    check_size(kind, data.len())?;
    create(session, kind, &parsed.words[0], &data, &parsed)
}

fn remove(
    session: &mut Session,
    kind: Kind,
    group: &Group,
    words: &[String],
) -> Result<Output, Output> {
    let usage = "NAME [NAME...]";
    let parsed = parse(&grammar(group.rm, usage, "force,f", 1, None), words)?;
    let of_host = kind == Kind::Network && resource::applies(session);
    if !of_host {
        swarm(session)?;
    }
    Ok(each(&parsed.words, |name| {
        if of_host {
            let of_swarm =
                swarm(session).is_ok_and(|plane| plane.inspect_named(kind, name).is_some());
            if !of_swarm || resource::has_network(session, name) {
                return resource::remove_network(session, name);
            }
        } else if kind == Kind::Network && BUILT_IN.iter().any(|(own, _)| *own == name) {
            let said = format!(
                "Error response from daemon: {name} is a pre-defined network and cannot be removed"
            );
            return Err(Output::error(1, said));
        }
        let name: Arc<str> = name.into();
        let removed = Request::Remove {
            kind,
            name: name.clone(),
        };
        ask(session, removed).map(|_| name.to_string())
    }))
}

fn check_size(kind: Kind, length: usize) -> Result<(), Output> {
    let message = match kind {
        Kind::Secret if length == 0 || length >= SECRET_BYTES_END => {
            "secret data must be larger than 0 and less than 512000 bytes"
        }
        Kind::Config if length == 0 || length >= CONFIG_BYTES_END => {
            "config data must be larger than 0 and less than 1024000 bytes"
        }
        Kind::Secret | Kind::Config | Kind::Network => return Ok(()),
    };
    Err(Output::error(
        1,
        format!("Error response from daemon: rpc error: code = InvalidArgument desc = {message}"),
    ))
}

fn create(
    session: &mut Session,
    kind: Kind,
    name: &str,
    data: &Arc<str>,
    parsed: &Parsed,
) -> Result<Output, Output> {
    let labels: SortedMap<Arc<str>, Arc<str>> = parsed
        .values("label")
        .into_iter()
        .map(|label| label.split_once('=').unwrap_or((label, "")))
        .map(|(key, value)| (key.into(), value.into()))
        .collect();
    match ask(
        session,
        Request::Create {
            kind,
            name: name.into(),
            labels,
            data: data.clone(),
        },
    )? {
        Response::Id(id) => Ok(Output::text(format!("{id}\n"))),
        Response::Done | Response::Stack(_) => Ok(Output::default()),
    }
}

fn list(session: &Session, kind: Kind, parsed: &Parsed) -> Result<Output, Output> {
    let filters = filters(parsed, &["id", "name", "label"])?;
    let plane = swarm(session)?;
    let secret = kind == Kind::Secret;
    let mut listing = if secret {
        Listing::new(
            "*secret.secretContext",
            &[
                ("ID", "ID"),
                ("Name", "NAME"),
                ("Driver", "DRIVER"),
                ("CreatedAt", "CREATED"),
                ("UpdatedAt", "UPDATED"),
            ],
            0,
        )
    } else {
        Listing::new(
            "*config.configContext",
            &[
                ("ID", "ID"),
                ("Name", "NAME"),
                ("CreatedAt", "CREATED"),
                ("UpdatedAt", "UPDATED"),
            ],
            0,
        )
    };
    for (name, object) in plane.named(kind) {
        let fits = passes(&filters, |key, value| match key {
            "id" => object.identity.text().starts_with(value),
            "name" => name.starts_with(value),
            _ => labelled(value, |key| object.labels.get(key).map(|text| &**text)),
        });
        if fits {
            let age = ago(session.history.now().since(object.created_at));
            let mut row = vec![object.identity.text(), name.to_string()];
            if secret {
                row.push(String::new());
            }
            row.extend([age.clone(), age]);
            listing.rows.push(row);
        }
    }
    Ok(listing.output(parsed))
}

const NETWORK_FIELDS: [(&str, &str); 4] = [
    ("ID", "NETWORK ID"),
    ("Name", "NAME"),
    ("Driver", "DRIVER"),
    ("Scope", "SCOPE"),
];

/// The networks that the manager's own engine has beside the swarm's.
fn node_networks(session: &Session) -> Vec<[String; 4]> {
    let Ok(world) = session.world(Orchestrator::Swarm) else {
        return Vec::new();
    };
    let own = BUILT_IN.iter().copied().chain([(GATEWAY, "bridge")]);
    own.map(|(name, driver)| {
        let id = network_id(name, world.seed);
        [id, name.to_owned(), driver.to_owned(), "local".to_owned()]
    })
    .collect()
}

fn networks(session: &Session, parsed: &Parsed) -> Result<Output, Output> {
    let filters = filters(parsed, &["id", "name", "driver", "scope", "label"])?;
    let whole = parsed.has("no-trunc");
    let mut listing = Listing::new("*network.networkContext", &NETWORK_FIELDS, 0);
    let cut = |id: String| if whole { id } else { short(&id) };
    let mut local = node_networks(session);
    local.retain(|[_, name, ..]| !resource::applies(session) || name == GATEWAY);
    local.extend(resource::network_rows(session));
    for [id, name, driver, scope] in local {
        listing.rows.push(vec![cut(id), name, driver, scope]);
    }
    match swarm(session) {
        Ok(plane) => {
            for (name, object) in plane.named(Kind::Network) {
                listing.rows.push(vec![
                    cut(object.identity.text()),
                    name.to_string(),
                    "overlay".to_owned(),
                    "swarm".to_owned(),
                ]);
            }
        }
        Err(_) if resource::applies(session) => {}
        Err(output) => return Err(output),
    }
    listing
        .rows
        .arrange_by(|a, b| crate::swarm::view::natural(&a[1], &b[1]));
    listing.rows.retain(|row| {
        passes(&filters, |key, value| match key {
            "id" => row[0].starts_with(value),
            "name" => row[1].contains(value),
            "driver" => row[2] == value,
            "scope" => row[3] == value,
            _ => false,
        })
    });
    Ok(listing.output(parsed))
}

fn inspect(session: &Session, kind: Kind, parsed: &Parsed) -> Result<Output, Output> {
    let mut objects = Vec::new();
    let mut missing = Vec::new();
    for name in &parsed.words {
        let local = (kind == Kind::Network)
            .then(|| resource::network(session, name))
            .flatten();
        if let Some(object) = local {
            objects.push(object);
            continue;
        }
        let plane = match swarm(session) {
            Ok(plane) => plane,
            Err(_) if kind == Kind::Network && resource::applies(session) => {
                missing.push(format!(
                    "Error response from daemon: network {name} not found"
                ));
                continue;
            }
            Err(output) => return Err(output),
        };
        let own = node_networks(session);
        if kind == Kind::Network && own.iter().any(|[_, own, ..]| own == name) {
            let what = catalogue::NETWORK_OF_NODE.with(&[("name", &name)]);
            return Err(super::not_modelled(what));
        }
        let by_id = plane
            .named(kind)
            .iter()
            .find(|(_, object)| object.identity.text().starts_with(name.as_str()))
            .map(|(name, _)| name.to_string());
        let found = plane
            .inspect_named(kind, name)
            .or_else(|| plane.inspect_named(kind, &by_id?));
        match found {
            Some(object) => objects.push(object),
            None => missing.push(format!(
                "Error response from daemon: {} {name} not found",
                kind.word()
            )),
        }
    }
    Ok(inspected(&objects, &missing, parsed.value("format")))
}
