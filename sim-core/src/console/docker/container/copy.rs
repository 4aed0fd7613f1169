//! `docker cp`: files between a container and the session's own.
//! Source: docker/cli `cli/command/container/cp.go`, moby `daemon/archive_unix.go`.
//!
//! Whole directories and tar archives on standard input and output are refused: the session's files
//! are texts.

use std::sync::Arc;

use super::row::{Engine, Row};
use crate::base::sentence::catalogue;
use crate::console::docker::flags::{Grammar, parse};
use crate::console::docker::not_modelled;
use crate::console::docker::words::human_size;
use crate::console::host::carry;
use crate::console::host::place::Place;
use crate::console::host::shell::Outcome;
use crate::console::host::sight::{Node, Sight};
use crate::console::{Output, Session};
use crate::substrate::errno::Errno;
use crate::substrate::file;
use crate::substrate::root_fs::Change;

const CP: Grammar = Grammar {
    path: "docker cp",
    usage: "[OPTIONS] CONTAINER:SRC_PATH DEST_PATH|-\n\tdocker cp [OPTIONS] SRC_PATH|- CONTAINER:DEST_PATH",
    flags: "archive,a follow-link,L quiet,q",
    least: 2,
    most: Some(2),
    interspersed: true,
};

/// One side of a copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Side {
    /// A path of this container or service.
    Inside(String, String),
    /// A file of the session.
    Local(String),
}

impl Side {
    /// `NAME:PATH`, unless it begins like a path. Source: `cp.go` splitCpArg.
    pub fn read(text: &str) -> Self {
        match text.split_once(':') {
            Some((name, path)) if !text.starts_with('/') && !name.starts_with('.') => {
                Self::Inside(name.to_owned(), path.to_owned())
            }
            Some(_) | None => Self::Local(text.to_owned()),
        }
    }
}

/// `docker cp`.
///
/// # Errors
/// The client's or the daemon's text.
pub fn run(session: &mut Session, words: &[String]) -> Result<Output, Output> {
    let parsed = parse(&CP, words)?;
    let [source, target] = parsed.words.as_slice() else {
        return Ok(Output::default());
    };
    for (text, what) in [(source, "source"), (target, "destination")] {
        if text.is_empty() {
            return Err(Output::error(1, format!("{what} can not be empty")));
        }
    }
    let copied = match (Side::read(source), Side::read(target)) {
        (Side::Inside(..), Side::Inside(..)) => {
            let text = "copying between containers is not supported";
            return Err(Output::error(1, text));
        }
        (Side::Local(_), Side::Local(_)) => {
            let text = "must specify at least one container source";
            return Err(Output::error(1, text));
        }
        (Side::Inside(name, path), Side::Local(local)) => {
            let row = Engine::of(session)?.find(&name)?;
            from_container(session, (&row, &name), &path, &local)?
        }
        (Side::Local(local), Side::Inside(name, path)) => {
            let row = Engine::of(session)?.find(&name)?;
            to_container(session, (&row, &name), &local, &path)?
        }
    };
    let mut output = Output::default();
    if !parsed.has("quiet") {
        output.stderr = copied.summary(target).into();
    }
    Ok(output)
}

/// What was copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Copied {
    bytes: u64,
}

impl Copied {
    /// What the client says. Source: `cp.go` copySummary.
    fn summary(self, target: &str) -> String {
        /// Header and padding of a tar archive.
        const BLOCK: u64 = 512;
        let archive = BLOCK + self.bytes.div_ceil(BLOCK) * BLOCK + 2 * BLOCK;
        format!(
            "Successfully copied {} (transferred {}) to {target}\n",
            human_size(self.bytes),
            human_size(archive)
        )
    }
}

/// Copies a file of a container to the session's files.
///
/// # Errors
/// The client's or the daemon's text.
pub fn from_container(
    session: &mut Session,
    (row, name): (&Row, &str),
    path: &str,
    local: &str,
) -> Result<Copied, Output> {
    if local == "-" {
        return Err(not_modelled(catalogue::TAR_OUTPUT.plain()));
    }
    let path = absolute(path);
    let node = look(session, row, |sight| sight.look(&path))?;
    let text = match node {
        Ok(Node::File(text)) => text,
        Ok(Node::Opaque(_)) => {
            return Err(not_modelled(
                catalogue::FILE_CONTENT.with(&[("path", &path)]),
            ));
        }
        Ok(Node::Directory(_) | Node::Link(_) | Node::Device) => {
            return Err(not_modelled(catalogue::COPY_DIRECTORIES.plain()));
        }
        Err(_) => return Err(no_file(&path, name)),
    };
    let place = local_place(session, local, file::name(&path));
    let bytes = text.len() as u64;
    session.files.insert(place, Arc::from(text));
    Ok(Copied { bytes })
}

/// Copies a file of the session into a container.
///
/// # Errors
/// The client's or the daemon's text.
pub fn to_container(
    session: &mut Session,
    (row, name): (&Row, &str),
    local: &str,
    path: &str,
) -> Result<Copied, Output> {
    if local == "-" {
        return Err(not_modelled(catalogue::TAR_INPUT.plain()));
    }
    let plain = local.trim_start_matches("./");
    let Some(text) = session.files.get(plain).cloned() else {
        let folder = format!("{}/", plain.trim_end_matches('/'));
        if session.files.keys().any(|file| file.starts_with(&folder)) {
            return Err(not_modelled(catalogue::COPY_DIRECTORIES.plain()));
        }
        return Err(Output::error(
            1,
            format!("lstat {local}: no such file or directory"),
        ));
    };
    let ends_as_directory = path.ends_with('/');
    let mut target = absolute(path);
    let change = Change::Write(text.clone());
    let wish = look(session, row, |sight| {
        match sight.look(&target) {
            Ok(Node::Directory(_)) => {
                target = format!("{}/{}", target.trim_end_matches('/'), file::name(plain));
            }
            Ok(_) | Err(_) if ends_as_directory => {
                return Err(Output::error(1, "no such directory"));
            }
            Ok(_) | Err(_) => {}
        }
        sight.change(&target, change).map_err(|error| {
            let above = file::parent(&target).unwrap_or("/");
            match error {
                Errno::NotFound | Errno::NotDirectory => no_file(above, name),
                Errno::ReadOnly => read_only(session, row, &target),
                other => Output::error(
                    1,
                    format!(
                        "Error response from daemon: open {target}: {}",
                        other.text().to_lowercase()
                    ),
                ),
            }
        })
    })??;
    let engine = Engine::of(session)?;
    let orchestrator = engine.world.orchestrator;
    let node = engine.world.machine_text(engine.machine).to_owned();
    let outcome = Outcome {
        wishes: vec![wish],
        ..Outcome::default()
    };
    let output = carry(session, orchestrator, &node, outcome);
    if output.code != 0 {
        return Err(output);
    }
    Ok(Copied {
        bytes: text.len() as u64,
    })
}

/// Looks at a container's files as its processes see them.
fn look<T>(session: &Session, row: &Row, read: impl FnOnce(&Sight<'_>) -> T) -> Result<T, Output> {
    let engine = Engine::of(session)?;
    let never = || not_modelled(catalogue::COPY_NEVER_RUN.plain());
    let container = row.process.ok_or_else(never)?;
    let place = Place::of_container(engine.world, container, engine.now).ok_or_else(never)?;
    Ok(read(&Sight::container(&place, container)))
}

/// Why a file cannot be written. Source: moby `daemon/archive_unix.go`.
fn read_only(session: &Session, row: &Row, path: &str) -> Output {
    let spot = Engine::of(session)
        .ok()
        .zip(row.process)
        .and_then(|(engine, container)| engine.world.substrate.spot(container, path));
    let what = match spot {
        Some(spot) if spot.over.is_none() => "mounted volume",
        Some(_) | None => "container rootfs",
    };
    Output::error(
        1,
        format!("Error response from daemon: {what} is marked read-only"),
    )
}

/// Paths of a container are taken from its root.
fn absolute(path: &str) -> String {
    format!("/{}", path.trim_matches('/'))
}

/// The session's file that a local path means: a directory takes the file under its own name.
fn local_place(session: &Session, local: &str, name: &str) -> String {
    let plain = local.trim_start_matches("./");
    let folder = plain.trim_end_matches('/');
    if matches!(folder, "" | ".") {
        return name.to_owned();
    }
    let inside = format!("{folder}/");
    let is_folder =
        plain.ends_with('/') || session.files.keys().any(|file| file.starts_with(&inside));
    if is_folder {
        format!("{inside}{name}")
    } else {
        folder.to_owned()
    }
}

fn no_file(path: &str, container: &str) -> Output {
    Output::error(
        1,
        format!(
            "Error response from daemon: Could not find the file {path} in container {container}"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_colon_separates_a_container_unless_a_path_begins() {
        let inside = Side::Inside("web".to_owned(), "/tmp/a".to_owned());
        assert_eq!(Side::read("web:/tmp/a"), inside);
        for local in ["a", "./a:b", "/tmp/a:b", "-"] {
            assert_eq!(Side::read(local), Side::Local(local.to_owned()));
        }
    }

    #[test]
    fn an_archive_is_made_of_blocks() {
        let text = Copied { bytes: 5 }.summary("web:/tmp");
        assert_eq!(
            text,
            "Successfully copied 5B (transferred 2.05kB) to web:/tmp\n"
        );
    }
}
