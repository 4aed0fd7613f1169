//! `docker images|pull|rmi` and `docker image …`, and the pull that `docker run` begins.
//! Source: docker/cli `cli/command/image`.

use std::sync::Arc;

use super::row::Engine;
use super::{until, verb};
use crate::base::time::SimDuration;
use crate::compose::client::split_tag;
use crate::compose::view::image_id;
use crate::compose::{Request, Response};
use crate::console::docker::flags::{Grammar, grammar, parse};
use crate::console::docker::listing::{Listing, filters, inspected, passes};
use crate::console::docker::words::{human_size, short};
use crate::console::docker::{each, not_modelled, unknown_command};
use crate::console::{Output, Session};
use crate::engine::command::Orchestrator;
use crate::manifest::value::Value;
use crate::substrate::image::ImageRef;

/// Longest wait for a pull.
const LONGEST: SimDuration = SimDuration::from_minutes(60);

/// How much larger an image is on disk than in the registry: layers of common images compress to
/// about two fifths. Our own figure.
const UNPACKED_PERCENT: u64 = 250;

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
        "build" | "history" | "prune" | "push" | "tag" | "save" | "load" | "import" => {
            Err(not_modelled(&format!("docker image {verb}")))
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
                bytes: image.program.size_bytes.saturating_mul(UNPACKED_PERCENT) / 100,
            })
        })
        .collect();
    found.sort_by(|a, b| (&a.repository, &a.tag).cmp(&(&b.repository, &b.tag)));
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
        &[
            ("Repository", "REPOSITORY"),
            ("Tag", "TAG"),
            ("ID", "IMAGE ID"),
            ("CreatedSince", "CREATED"),
            ("Size", "SIZE"),
        ],
        0,
    );
    listing.quiet = "ID";
    for image in present(session)? {
        let named = parsed.words.first().is_none_or(|name| {
            let (repository, tag) = split_tag(name);
            image.repository == repository && (!name.contains(':') || image.tag == tag)
        });
        let fits = passes(&filters, |key, value| match key {
            "reference" => {
                let (repository, tag) = split_tag(value);
                image.repository == repository && (!value.contains(':') || image.tag == tag)
            }
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
            ]);
        }
    }
    Ok(listing.output(&parsed))
}

/// `docker pull`.
pub fn pull(session: &mut Session, words: &[String]) -> Result<Output, Output> {
    let parsed = parse(&PULL, words)?;
    let name = &parsed.words[0];
    let (repository, tag) = split_tag(name);
    let full = format!("{repository}:{tag}");
    let known = present(session)?
        .iter()
        .any(|image| format!("{}:{}", image.repository, image.tag) == full);
    fetch(session, name, false).map_err(|message| Output::error(1, message))?;
    let long =
        ImageRef::parse(name).map_or_else(|| full.clone(), |reference| reference.canonical());
    if parsed.has("quiet") {
        return Ok(Output::text(format!("{long}\n")));
    }
    let mut text = String::new();
    if !name.contains(':') {
        text.push_str("Using default tag: latest\n");
    }
    text.push_str(&progress(&full, known));
    text.push_str(&format!("{long}\n"));
    Ok(Output::text(text))
}

fn progress(full: &str, known: bool) -> String {
    let (repository, tag) = split_tag(full);
    let path =
        ImageRef::parse(full).map_or_else(|| repository.to_owned(), |reference| reference.path);
    let status = if known {
        format!("Image is up to date for {full}")
    } else {
        format!("Downloaded newer image for {full}")
    };
    format!(
        "{tag}: Pulling from {path}\nDigest: sha256:{}\nStatus: {status}\n",
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
        Ok(Err(refusal)) => return Err(refusal.message),
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
    notes: &mut String,
) -> Result<(), String> {
    let (repository, tag) = split_tag(image);
    let full = format!("{repository}:{tag}");
    let is_present = session
        .world(Orchestrator::Compose)
        .ok()
        .and_then(|world| {
            let host = world.substrate.machines().next()?.0;
            Some(world.substrate.has_image(host, world.symbols.get(image)?))
        })
        .unwrap_or(false);
    match (policy, is_present) {
        ("missing", true) | ("never", _) => return Ok(()),
        ("missing", false) if !quiet => {
            notes.push_str(&format!("Unable to find image '{full}' locally\n"));
        }
        _ => {}
    }
    fetch(session, image, false)?;
    if !quiet {
        notes.push_str(&progress(&full, is_present));
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

/// What images take on disk: their number and bytes.
pub fn usage(session: &Session) -> Result<(usize, u64), Output> {
    let images = present(session)?;
    Ok((images.len(), images.iter().map(|image| image.bytes).sum()))
}
