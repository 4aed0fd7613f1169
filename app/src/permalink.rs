//! Links that carry a whole experiment: `#z1.` and the recording, deflated, in base64url.
//!
//! What the reader has chosen follows the recording, unless it is what everybody begins with: links
//! from before there was such a thing open as ever, and pages from before do not look that far.
//!
//! A file whose text is that of the built-in example is written as its name and a check of its text,
//! so that links to the example stay short. A link is a stranger's text: it is bounded before and
//! after it is unpacked, and what cannot be read is a sentence.

use sim_core::protocol::{self, Deed, Project, Recording, Target, Why};

use crate::files;
use crate::ui::detail::Detail;
use crate::ui::watch::Look;

/// Longest link that is made or read, in characters.
pub const LINK_MAX: usize = 32_000;

/// Longer links are cut by some programs that people chat with.
pub const LINK_LONG: usize = 2_000;

/// Longer ones are refused or cut by some that a link passes on its way: limits of 8 KiB are common.
pub const LINK_LONGER: usize = 8_000;

/// Most bytes that a link may unpack to.
const UNPACKED_MAX: usize = 1 << 20;

/// Begins a file that is the example's.
const MARK: char = '\u{1}';

/// Why there is no link, or why one cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is too long.
    Long,
    /// It is of a version that this page does not know.
    Version,
    /// It is damaged.
    Damaged,
    /// It was made with another version of the example's files.
    Example,
}

/// What the reader had chosen.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scene {
    /// What is explained.
    pub why: Option<Why>,
    /// The machine that faults are aimed at; empty: the first.
    pub machine: String,
    /// The object under inspection.
    pub inspected: Option<Target>,
    /// What the middle of the page shows.
    pub look: Look,
    /// How closely the machines are shown.
    pub detail: Detail,
    /// Moments to come back to, with their notes, and a stretch to play again and again.
    pub marks: Marks,
}

/// As it stands in links: this shape never changes, but may be followed by another.
type Chosen = (Option<Why>, String, Option<Target>, u8, u8);

/// What follows it: this shape never changes either.
pub type Marks = (Vec<(u64, String)>, Option<(u64, u64)>);

/// Bookmarks of a link that are read, and letters of a note.
const MARKS_MAX: usize = 24;
const NOTE_MAX: usize = 200;

impl Scene {
    fn chosen(&self) -> Chosen {
        let look = Look::ALL.iter().position(|look| *look == self.look);
        let detail = Detail::ALL.iter().position(|detail| *detail == self.detail);
        (
            self.why.clone(),
            self.machine.clone(),
            self.inspected.clone(),
            look.unwrap_or(0) as u8,
            detail.unwrap_or(0) as u8,
        )
    }

    fn of(bytes: &[u8]) -> Option<Self> {
        let chosen: Chosen = protocol::decode(bytes).ok()?;
        let rest = bytes.get(protocol::encode(&chosen).len()..)?;
        let mut marks: Marks = protocol::decode(rest).unwrap_or_default();
        marks.0.truncate(MARKS_MAX);
        for (_, note) in &mut marks.0 {
            *note = note.chars().take(NOTE_MAX).collect();
        }
        marks.1 = marks.1.filter(|(from, to)| from < to);
        let (why, machine, inspected, look, detail) = chosen;
        Some(Self {
            marks,
            why,
            machine,
            inspected,
            look: Look::ALL.get(look as usize).copied().unwrap_or_default(),
            detail: Detail::ALL
                .get(detail as usize)
                .copied()
                .unwrap_or_default(),
        })
    }
}

/// The fragment that brings this experiment back, with its `#`.
///
/// # Errors
/// When it would be too long.
pub fn write(recording: &Recording, scene: &Scene) -> Result<String, Fault> {
    let mut short = recording.clone();
    for file in &mut short.project.files {
        if let Some(text) = files::example(&file.name)
            && text == file.text
        {
            file.text = format!("{MARK}{}", check(&text));
        }
    }
    let mut bytes = protocol::encode(&short);
    if *scene != Scene::default() {
        bytes.extend(protocol::encode(&scene.chosen()));
        if scene.marks != Marks::default() {
            bytes.extend(protocol::encode(&scene.marks));
        }
    }
    let packed = miniz_oxide::deflate::compress_to_vec_zlib(&bytes, 9);
    let link = format!("#z1.{}", to_base64url(&packed));
    if link.len() > LINK_MAX {
        Err(Fault::Long)
    } else {
        Ok(link)
    }
}

/// The experiment of a fragment; none: the fragment is no such link.
pub fn read(fragment: &str) -> Option<Result<(Recording, Scene), Fault>> {
    let link = fragment.strip_prefix('#').unwrap_or(fragment);
    let (version, text) = link.split_once('.')?;
    let number = version.strip_prefix('z')?;
    if number.is_empty() || !number.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    if link.len() > LINK_MAX {
        return Some(Err(Fault::Long));
    }
    Some(match number {
        "1" => unpack(text),
        _ => Err(Fault::Version),
    })
}

fn unpack(text: &str) -> Result<(Recording, Scene), Fault> {
    let packed = from_base64url(text).ok_or(Fault::Damaged)?;
    let bytes = miniz_oxide::inflate::decompress_to_vec_zlib_with_limit(&packed, UNPACKED_MAX)
        .map_err(|_| Fault::Damaged)?;
    let mut recording: Recording = protocol::decode(&bytes).map_err(|_| Fault::Damaged)?;
    // What is written has one form: the recording's end is known by writing it again.
    let rest = bytes.get(protocol::encode(&recording).len()..);
    let chosen = rest.filter(|rest| !rest.is_empty());
    let scene = chosen.and_then(Scene::of).unwrap_or_default();
    for file in &mut recording.project.files {
        if let Some(wanted) = file.text.strip_prefix(MARK) {
            let text = files::example(&file.name).filter(|text| check(text) == wanted);
            file.text = text.ok_or(Fault::Example)?;
        }
    }
    Ok((recording, scene))
}

/// The project as the editors show it after all that was done.
#[must_use]
pub fn latest(recording: &Recording) -> Project {
    let mut project = recording.project.clone();
    project.faults = recording.script();
    for act in &recording.acts {
        if let Deed::Edit(file) = &act.deed {
            files::merge(&mut project.files, vec![file.clone()]);
        }
    }
    project
}

/// FNV-1a of a text.
fn check(text: &str) -> String {
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{hash:x}")
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

fn to_base64url(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 4 / 3 + 4);
    for part in bytes.chunks(3) {
        let word = part.iter().enumerate().fold(0_u32, |word, (place, byte)| {
            word | u32::from(*byte) << (16 - 8 * place)
        });
        for place in 0..=part.len() {
            text.push(char::from(
                ALPHABET[(word >> (18 - 6 * place) & 63) as usize],
            ));
        }
    }
    text
}

fn from_base64url(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() * 3 / 4);
    for part in text.as_bytes().chunks(4) {
        if part.len() == 1 {
            return None;
        }
        let mut word = 0_u32;
        for (place, letter) in part.iter().enumerate() {
            let value = ALPHABET.iter().position(|known| known == letter)?;
            word |= u32::try_from(value).ok()? << (18 - 6 * place);
        }
        bytes.extend(word.to_be_bytes()[1..part.len()].iter());
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_core::protocol::{Act, File};

    fn recording() -> Recording {
        Recording {
            project: files::poll(),
            acts: vec![Act {
                at_us: 41_000_000,
                deed: Deed::Inject("node-crash worker-2".to_owned()),
            }],
            at_us: 60_000_000,
        }
    }

    #[test]
    fn a_link_brings_the_experiment_back() {
        let link = write(&recording(), &Scene::default()).expect("short");
        assert!(link.len() < 600, "{} characters", link.len());
        assert_eq!(read(&link), Some(Ok((recording(), Scene::default()))));
    }

    #[test]
    fn a_link_brings_back_what_was_chosen() {
        let scene = Scene {
            why: Some(Why {
                orchestrator: "kubernetes".to_owned(),
                seq: 7,
                object: "pod/web-1".to_owned(),
            }),
            machine: "worker-2".to_owned(),
            inspected: Some(Target {
                orchestrator: "swarm".to_owned(),
                object: "task/web.1".to_owned(),
            }),
            look: Look::Loops,
            detail: Detail::Signs,
            marks: (vec![(41_000_000, "it dies".to_owned())], Some((1, 2))),
        };
        let link = write(&recording(), &scene).expect("short");
        assert!(link.len() < 700, "{} characters", link.len());
        assert_eq!(read(&link), Some(Ok((recording(), scene))));
        // What a later page has chosen, and this one does not know, is nothing.
        let mut bytes = protocol::encode(&Recording::default());
        bytes.extend([9, 9, 9]);
        let packed = miniz_oxide::deflate::compress_to_vec_zlib(&bytes, 9);
        let link = format!("#z1.{}", to_base64url(&packed));
        assert_eq!(
            read(&link),
            Some(Ok((Recording::default(), Scene::default())))
        );
    }

    /// Made by the first version of the codec: it must be read for ever.
    #[test]
    fn the_first_links_still_open() {
        let mut small = Recording::default();
        small.project.files.push(File {
            name: "a.yaml".to_owned(),
            text: "kind: Pod\n".to_owned(),
        });
        small.project.seed = 42;
        small.at_us = 7;
        assert_eq!(read(OLD), Some(Ok((small, Scene::default()))));
    }

    const OLD: &str = "#z1.eNpjZEvUq0zMzeHKzsxLsVIIyE_hYtBiYGBgBwBWlAWy";

    #[test]
    fn hostile_links_are_refused_in_words() {
        assert_eq!(read("#panel-edit"), None);
        assert_eq!(read("#z.x"), None);
        assert_eq!(read("#z9.AAAA"), Some(Err(Fault::Version)));
        assert_eq!(read("#z1.!!!"), Some(Err(Fault::Damaged)));
        assert_eq!(read("#z1."), Some(Err(Fault::Damaged)));
        let long = format!("#z1.{}", "A".repeat(LINK_MAX));
        assert_eq!(read(&long), Some(Err(Fault::Long)));
        // A bomb: a few hundred bytes that unpack to two megabytes.
        let bomb = miniz_oxide::deflate::compress_to_vec_zlib(&vec![0; 2 << 20], 9);
        assert_eq!(
            read(&format!("#z1.{}", to_base64url(&bomb))),
            Some(Err(Fault::Damaged))
        );
        let link = write(&recording(), &Scene::default()).expect("short");
        for place in 4..link.len() {
            let mut bytes = link.clone().into_bytes();
            bytes[place] = if bytes[place] == b'A' { b'B' } else { b'A' };
            let broken = String::from_utf8(bytes).expect("letters");
            assert_ne!(read(&broken), None);
        }
    }
}
