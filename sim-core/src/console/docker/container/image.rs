//! `docker images|pull|rmi` and `docker image …`, and the pull that `docker run` begins.
//! Source: docker/cli `cli/command/image`.

use std::sync::Arc;

use super::row::Engine;
use super::{until, verb};
use crate::base::arrange::Arrange;
use crate::base::sentence::passage::Passage;
use crate::base::time::SimDuration;
use crate::compose::client::split_tag;
use crate::compose::view::image_id;
use crate::compose::{Request, Response};
use crate::console::docker::flags::{Grammar, grammar, parse};
use crate::console::docker::listing::{Listing, filters, inspected, passes};
use crate::console::docker::words::{human_size, short};
use crate::console::docker::{asks_nothing, each, not_modelled, unknown_command};
use crate::console::table::width;
use crate::console::{Output, Session};
use crate::engine::command::Orchestrator;
use crate::manifest::value::Value;
use crate::substrate::image::{ImageRef, tagged};

/// Longest wait for a pull.
const LONGEST: SimDuration = SimDuration::from_minutes(60);

const LS: Grammar = grammar(
    "docker images",
    "[OPTIONS] [REPOSITORY[:TAG]]",
    "all,a digests! filter,f=* format= no-trunc quiet,q tree!",
    0,
    Some(1),
);
const PULL: Grammar = grammar(
    "docker pull",
    "[OPTIONS] NAME[:TAG|@DIGEST]",
    "all-tags,a! platform= quiet,q",
    1,
    Some(1),
);
const RM: Grammar = grammar(
    "docker rmi",
    "[OPTIONS] IMAGE [IMAGE...]",
    "force,f! no-prune platform=!",
    1,
    None,
);
const INSPECT: Grammar = grammar(
    "docker image inspect",
    "[OPTIONS] IMAGE [IMAGE...]",
    "format,f= platform=!",
    1,
    None,
);

/// Runs `docker image VERB`.
pub fn run(session: &mut Session, verb: &str, words: &[String]) -> Result<Output, Output> {
    match verb {
        "ls" | "list" => list(session, words),
        "pull" => pull(session, words),
        "rm" | "remove" => remove(session, words),
        "inspect" => {
            let parsed = parse(&INSPECT, words)?;
            let mut objects = Vec::new();
            let mut missing = Vec::new();
            for name in &parsed.words {
                match object(session, name) {
                    Some(object) => objects.push(object),
                    None => {
                        missing.push(format!("Error response from daemon: No such image: {name}"));
                    }
                }
            }
            Ok(inspected(&objects, &missing, parsed.value("format")))
        }
        "history" => history(session, words),
        "prune" => prune(session, words),
        "build" | "push" | "tag" | "save" | "load" | "import" => {
            Err(not_modelled(format!("docker image {verb}")))
        }
        word => Err(unknown_command("docker image", word)),
    }
}

/// An image of the host.
struct Present {
    repository: String,
    tag: String,
    id: String,
    bytes: u64,
    /// Of its layers as the registry has them.
    content: u64,
}

impl Present {
    /// Whether a name means it; one without a tag means all of its repository.
    fn is_named(&self, name: &str) -> bool {
        let full = tagged(name);
        match full.rsplit_once(':') {
            Some((repository, _)) if !has_tag(name) => self.repository == repository,
            _ => full == format!("{}:{}", self.repository, self.tag),
        }
    }
}

/// Whether a name has a tag or a digest; the colon of a port is before the last slash.
fn has_tag(name: &str) -> bool {
    name.rsplit('/')
        .next()
        .is_some_and(|last| last.contains(':'))
}

fn present(session: &Session) -> Result<Vec<Present>, Output> {
    let engine = Engine::of(session)?;
    let mut found: Vec<Present> = engine
        .world
        .substrate
        .images_on(engine.machine)
        .filter_map(|image| {
            let reference: &ImageRef = image.reference.as_ref()?;
            let repository = match reference.official() {
                Some(name) => name.to_owned(),
                None if reference.registry == "docker.io" => reference.path.clone(),
                None => reference.repository(),
            };
            let tag = reference.tag.clone().unwrap_or_else(|| "<none>".to_owned());
            Some(Present {
                id: image_id(&format!("{repository}:{tag}")),
                repository,
                tag,
                bytes: engine.world.substrate.image_bytes(image),
                content: engine.world.substrate.image_content(image),
            })
        })
        .collect();
    found.arrange_by(|a, b| (&a.repository, &a.tag).cmp(&(&b.repository, &b.tag)));
    Ok(found)
}

/// `docker images`.
pub fn list(session: &Session, words: &[String]) -> Result<Output, Output> {
    let parsed = parse(&LS, words)?;
    let filters = filters(
        &parsed,
        &["reference", "dangling", "label", "before", "since"],
    )?;
    let mut listing = Listing::new(
        "*formatter.imageContext",
        &[
            ("Repository", "REPOSITORY"),
            ("Tag", "TAG"),
            ("ID", "IMAGE ID"),
            ("CreatedSince", "CREATED"),
            ("Size", "SIZE"),
            ("ContentSize", "CONTENT SIZE"),
        ],
        1,
    );
    listing.quiet = "ID";
    for image in present(session)? {
        let named = parsed.words.first().is_none_or(|name| image.is_named(name));
        let fits = passes(&filters, |key, value| match key {
            "reference" => image.is_named(value),
            "dangling" => (value == "true") == (image.tag == "<none>"),
            _ => false,
        });
        if named && fits {
            let id = if parsed.has("no-trunc") {
                format!("sha256:{}", image.id)
            } else {
                short(&image.id)
            };
            // When images were built is not known here.
            listing.rows.push(vec![
                image.repository,
                image.tag,
                id,
                "N/A".to_owned(),
                human_size(image.bytes),
                human_size(image.content),
            ]);
        }
    }
    let plain = ["quiet", "no-trunc", "format"]
        .iter()
        .any(|flag| parsed.has(flag) || parsed.value(flag).is_some());
    if plain {
        return Ok(listing.output(&parsed));
    }
    Ok(Output::text(tree(&listing.rows, &used(session)?)))
}

/// Names of images that containers use, in their short form.
fn used(session: &Session) -> Result<Vec<String>, Output> {
    let rows = Engine::of(session)?.rows();
    Ok(rows.into_iter().map(|row| tagged(&row.image)).collect())
}

/// Images as they are shown unless a plain table is asked for.
/// Source: docker/cli `cli/command/image/tree.go`, not on a terminal.
fn tree(rows: &[Vec<String>], used: &[String]) -> String {
    let name = |row: &[String]| format!("{}:{}", row[0], row[1]);
    let names = rows.iter().map(|row| width(&name(row)));
    let widest = names.chain([5]).max().unwrap_or(5);
    let mut out = String::new();
    let mut line = |name: &str, id: &str, disk: &str, content: &str, extra: &str| {
        let blanks = " ".repeat(widest.saturating_sub(width(name)));
        out.push_str(&format!(
            "{name}{blanks}   {id:<12}   {disk:>10}   {content:>12}   {extra:<5}\n"
        ));
    };
    line("IMAGE", "ID", "DISK USAGE", "CONTENT SIZE", "EXTRA");
    for row in rows {
        let name = name(row);
        let extra = if used.contains(&name) { "U" } else { "" };
        line(&name, &row[2], &row[4], &row[5], extra);
    }
    out
}

/// `docker pull`.
pub fn pull(session: &mut Session, words: &[String]) -> Result<Output, Output> {
    let parsed = parse(&PULL, words)?;
    let name = &parsed.words[0];
    let full = tagged(name);
    let known = present(session)?
        .iter()
        .any(|image| format!("{}:{}", image.repository, image.tag) == full);
    let before = layers_before(session);
    fetch(session, name, false).map_err(|message| Output::error(1, message))?;
    let long =
        ImageRef::parse(name).map_or_else(|| full.clone(), |reference| reference.canonical());
    if parsed.has("quiet") {
        return Ok(Output::text(format!("{long}\n")));
    }
    let mut text = String::new();
    if !has_tag(name) {
        text.push_str("Using default tag: latest\n");
    }
    text.push_str(&progress(session, &full, known, &before));
    text.push_str(&format!("{long}\n"));
    Ok(Output::text(text))
}

/// Digests of the layers that the host has.
fn layers_before(session: &Session) -> Vec<String> {
    let Ok(engine) = Engine::of(session) else {
        return Vec::new();
    };
    let machines = &engine.world.substrate;
    machines
        .images_on(engine.machine)
        .flat_map(|image| machines.image_layers(engine.machine, image))
        .map(|(layer, _)| layer.digest())
        .collect()
}

/// What a pull says of each layer where its output is no terminal.
fn layer_lines(session: &Session, full: &str, before: &[String]) -> String {
    let Ok(engine) = Engine::of(session) else {
        return String::new();
    };
    let machines = &engine.world.substrate;
    let wanted = ImageRef::parse(full).map(|reference| reference.canonical());
    let image = machines
        .images_on(engine.machine)
        .find(|image| image.reference.as_ref().map(ImageRef::canonical) == wanted);
    let layers: Vec<String> = image
        .map(|image| machines.image_layers(engine.machine, image))
        .unwrap_or_default()
        .into_iter()
        .map(|(layer, _)| layer.digest())
        .collect();
    let mut text = String::new();
    let fresh = |layer: &&String| !before.contains(layer);
    for layer in &layers {
        let word = if fresh(&layer) {
            "Pulling fs layer"
        } else {
            "Already exists"
        };
        text.push_str(&format!("{}: {word}\n", &layer[..12]));
    }
    for word in ["Download complete", "Pull complete"] {
        for layer in layers.iter().filter(fresh) {
            text.push_str(&format!("{}: {word}\n", &layer[..12]));
        }
    }
    text
}

fn progress(session: &Session, full: &str, known: bool, before: &[String]) -> String {
    let (repository, tag) = split_tag(full);
    let path =
        ImageRef::parse(full).map_or_else(|| repository.to_owned(), |reference| reference.path);
    let status = if known {
        format!("Image is up to date for {full}")
    } else {
        format!("Downloaded newer image for {full}")
    };
    let layers = if known {
        String::new()
    } else {
        layer_lines(session, full, before)
    };
    format!(
        "{tag}: Pulling from {path}\n{layers}Digest: sha256:{}\nStatus: {status}\n",
        image_id(&format!("digest {full}"))
    )
}

/// Pulls and waits.
fn fetch(session: &mut Session, image: &str, missing_only: bool) -> Result<(), String> {
    let request = Request::Pull {
        images: vec![image.into()],
        missing_only,
    };
    let number = match verb::give(session, request) {
        Ok(Ok(Response::Operation(number))) => number,
        Ok(Ok(_)) => return Ok(()),
        Ok(Err(refusal)) => return Err(refusal.message.into()),
        Err(output) => return Err(output.stderr.trim_end().to_owned()),
    };
    let result = |session: &Session| {
        let world = session.history.lab().world(Orchestrator::Compose)?;
        let (lines, exit) = world.compose()?.operation(number)?;
        Some((lines.last().cloned().unwrap_or_default(), exit?))
    };
    until(session, LONGEST, |session| result(session).is_some());
    match result(session) {
        Some((line, code)) if code != 0 => Err(line),
        _ => Ok(()),
    }
}

/// Sees to it that an image is there, as `docker run` does.
///
/// # Errors
/// The daemon's sentence, without the client's name.
pub fn ensure(
    session: &mut Session,
    image: &str,
    policy: &str,
    quiet: bool,
    notes: &mut Passage,
) -> Result<(), String> {
    let (repository, tag) = split_tag(image);
    let full = format!("{repository}:{tag}");
    let is_present = session
        .world(Orchestrator::Compose)
        .ok()
        .and_then(|world| {
            let host = world.substrate.machines().next()?.0;
            Some(world.substrate.has_image(host, image, &world.symbols))
        })
        .unwrap_or(false);
    match (policy, is_present) {
        ("missing", true) | ("never", _) => return Ok(()),
        ("missing", false) if !quiet => {
            notes.push(format!("Unable to find image '{full}' locally\n"));
        }
        _ => {}
    }
    let before = layers_before(session);
    fetch(session, image, false)?;
    if !quiet {
        notes.push(progress(session, &full, is_present, &before));
    }
    Ok(())
}

/// `docker rmi`.
pub fn remove(session: &mut Session, words: &[String]) -> Result<Output, Output> {
    let parsed = parse(&RM, words)?;
    Ok(each(&parsed.words, |name| {
        let by_id = present(session)?
            .into_iter()
            .find(|image| name.len() >= 3 && image.id.starts_with(name))
            .map(|image| format!("{}:{}", image.repository, image.tag));
        let image: Arc<str> = by_id.unwrap_or_else(|| name.to_owned()).into();
        match verb::act(session, Request::RemoveImage { image })? {
            Response::Lines(lines) => Ok(lines.join("\n")),
            Response::Containers(_) | Response::Operation(_) => Ok(name.to_owned()),
        }
    }))
}

/// An image in the shape of `docker image inspect`.
pub fn object(session: &Session, name: &str) -> Option<Value> {
    let (repository, tag) = split_tag(name);
    let image = present(session).ok()?.into_iter().find(|image| {
        image.repository == repository && image.tag == tag
            || name.len() >= 3 && image.id.starts_with(name.trim_start_matches("sha256:"))
    })?;
    let full = format!("{}:{}", image.repository, image.tag);
    Some(Value::object([
        ("Id", Value::string(&format!("sha256:{}", image.id))),
        ("RepoTags", Value::list(vec![Value::string(&full)])),
        (
            "RepoDigests",
            Value::list(vec![Value::string(&format!(
                "{}@sha256:{}",
                image.repository,
                image_id(&format!("digest {full}"))
            ))]),
        ),
        ("Architecture", Value::string("amd64")),
        ("Os", Value::string("linux")),
        (
            "Size",
            Value::Int(i64::try_from(image.bytes).unwrap_or(i64::MAX)),
        ),
    ]))
}

/// What images take on disk: their number and bytes; a layer that several share counts once.
pub fn usage(session: &Session) -> Result<(usize, u64), Output> {
    let engine = Engine::of(session)?;
    let row = engine.world.substrate.machine(engine.machine);
    let bytes = row.map_or(0, |row| row.images_bytes);
    Ok((present(session)?.len(), bytes))
}

/// Bytes that would be free without these images, by reference.
pub fn reclaimable(session: &Session, unused: &[String]) -> Result<u64, Output> {
    let engine = Engine::of(session)?;
    let machines = &engine.world.substrate;
    let is_unused = |image: &crate::substrate::registry::Image| {
        image.reference.as_ref().is_some_and(|reference| {
            unused.iter().any(|name| {
                ImageRef::parse(name)
                    .is_some_and(|other| other.canonical() == reference.canonical())
            })
        })
    };
    let mut kept: Vec<String> = Vec::new();
    let mut all: crate::base::sorted::SortedMap<String, u64> =
        crate::base::sorted::SortedMap::new();
    for image in machines.images_on(engine.machine) {
        for (layer, _) in machines.image_layers(engine.machine, image) {
            all.insert(layer.digest(), layer.unpacked());
            if !is_unused(image) {
                kept.push(layer.digest());
            }
        }
    }
    Ok(all
        .iter()
        .filter(|(digest, _)| !kept.contains(digest))
        .map(|(_, bytes)| bytes)
        .sum())
}

/// Images of the host that no container is made of.
pub fn unused(session: &Session) -> Result<Vec<String>, Output> {
    let engine = Engine::of(session)?;
    let used: Vec<Option<String>> = engine
        .rows()
        .iter()
        .map(|row| ImageRef::parse(&row.image).map(|reference| reference.canonical()))
        .collect();
    Ok(present(session)?
        .into_iter()
        .map(|image| format!("{}:{}", image.repository, image.tag))
        .filter(|name| {
            let own = ImageRef::parse(name).map(|reference| reference.canonical());
            !used.contains(&own)
        })
        .collect())
}

const HISTORY: Grammar = grammar(
    "docker history",
    "[OPTIONS] IMAGE",
    "format= human,H no-trunc quiet,q platform=!",
    1,
    Some(1),
);
const PRUNE: Grammar = grammar(
    "docker image prune",
    "[OPTIONS]",
    "all,a force,f filter=*!",
    0,
    Some(0),
);

/// `docker history`. Layers of a pulled image have no image of their own: `<missing>`.
pub fn history(session: &Session, words: &[String]) -> Result<Output, Output> {
    let parsed = parse(&HISTORY, words)?;
    let name = &parsed.words[0];
    let missing = || {
        Output::error(
            1,
            format!("Error response from daemon: No such image: {name}"),
        )
    };
    let found = present(session)?
        .into_iter()
        .find(|image| {
            let (repository, tag) = split_tag(name);
            image.repository == repository && image.tag == tag
                || name.len() >= 3 && image.id.starts_with(name.as_str())
        })
        .ok_or_else(missing)?;
    let engine = Engine::of(session)?;
    let machines = &engine.world.substrate;
    let full = ImageRef::parse(&format!("{}:{}", found.repository, found.tag))
        .map(|reference| reference.canonical());
    let image = machines
        .images_on(engine.machine)
        .find(|image| image.reference.as_ref().map(ImageRef::canonical) == full)
        .ok_or_else(missing)?;
    let mut listing = Listing::new(
        "*image.historyContext",
        &[
            ("ID", "IMAGE"),
            ("CreatedSince", "CREATED"),
            ("CreatedBy", "CREATED BY"),
            ("Size", "SIZE"),
            ("Comment", "COMMENT"),
        ],
        0,
    );
    listing.quiet = "ID";
    let layers = machines.image_layers(engine.machine, image);
    for (index, (layer, uses)) in layers.iter().rev().enumerate() {
        // What made a layer is not known here; who else has it is.
        let comment = if *uses > 1 {
            format!("shared by {uses} images")
        } else {
            String::new()
        };
        listing.rows.push(vec![
            if index == 0 {
                short(&found.id)
            } else {
                "<missing>".to_owned()
            },
            "N/A".to_owned(),
            format!("sha256:{}", &layer.digest()[..12]),
            human_size(layer.unpacked()),
            comment,
        ]);
    }
    Ok(listing.output(&parsed))
}

/// `docker image prune`: images without a name; with `--all` those that no container is made of.
pub fn prune(session: &mut Session, words: &[String]) -> Result<Output, Output> {
    let parsed = parse(&PRUNE, words)?;
    if !parsed.has("force") {
        return Err(asks_nothing("docker image prune: "));
    }
    let all: Vec<String> = unused(session)?
        .into_iter()
        .filter(|name| parsed.has("all") || name.ends_with(":<none>"))
        .collect();
    let freed = reclaimable(session, &all)?;
    let mut text = String::new();
    for name in &all {
        let request = Request::RemoveImage {
            image: name.as_str().into(),
        };
        if let Response::Lines(lines) = verb::act(session, request)? {
            for line in lines {
                let (word, rest) = line.split_once(": ").unwrap_or(("", &line));
                text.push_str(&format!("{}: {rest}\n", word.to_lowercase()));
            }
        }
    }
    if !text.is_empty() {
        text = format!("Deleted Images:\n{text}\n");
    }
    Ok(Output::text(format!(
        "{text}Total reclaimed space: {}\n",
        human_size(freed)
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_no_tag() {
        let image = |repository: &str| Present {
            repository: repository.to_owned(),
            tag: "latest".to_owned(),
            id: String::new(),
            bytes: 0,
            content: 0,
        };
        let own = image("localhost:5000/app");
        for name in ["localhost:5000/app", "localhost:5000/app:latest"] {
            assert!(own.is_named(name), "{name}");
        }
        assert!(!own.is_named("localhost:5000/app:1"));
        assert!(!has_tag("localhost:5000/app"));
        for name in ["nginx", "docker.io/library/nginx", "nginx:latest"] {
            assert!(image("nginx").is_named(name), "{name}");
        }
    }
}
