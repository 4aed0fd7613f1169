//! What the browser keeps of the reader's work.
//!
//! ```text
//! podium.session    of this tab    the experiment as it stands: a reload goes on with it
//! podium.session    of the page    the same of the tab that worked last: a new tab goes on with it
//! podium.snapshots  of the page    the last states of the work in all tabs, newest first
//! ```
//!
//! Snapshots are deflated, and the oldest go when they are too many or the store is full. Whatever the
//! browser refuses, the page works on.

use sim_core::protocol::{self, Project};

use crate::dom;
use crate::files;
use crate::gallery;

/// Key of the last session.
const SESSION: &str = "podium.session";

/// Key of the snapshots.
const SNAPSHOTS: &str = "podium.snapshots";

/// Raised when a project's shape changes: what is kept outlives builds.
const VERSION: &str = "2";

/// Longest session that is kept, in bytes: browsers give a page a few megabytes.
const SESSION_BYTES_MAX: usize = 2 << 20;

/// Snapshots that are kept.
const SNAPSHOTS_MAX: usize = 20;

/// Time in which one snapshot follows the work, in milliseconds: then it stays, and another begins.
const SNAPSHOT_MS: u64 = 120_000;

/// The work as it stood at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The experiment in a tab that it belongs to.
    pub work: u64,
    /// When it began to follow the work, in milliseconds since 1970.
    pub begun_ms: u64,
    /// When it was taken last.
    pub taken_ms: u64,
    /// The work, deflated.
    packed: Vec<u8>,
}

/// As it is kept.
type Kept = Vec<(u64, u64, u64, Vec<u8>)>;

impl Snapshot {
    /// What was worked on; none where it is damaged.
    #[must_use]
    pub fn project(&self) -> Option<Project> {
        let limit = SESSION_BYTES_MAX;
        let bytes = miniz_oxide::inflate::decompress_to_vec_zlib_with_limit(&self.packed, limit);
        protocol::decode(&bytes.ok()?).ok()
    }
}

/// Keeps the session in the browser, for this tab and as the last one for new tabs. Two tabs do not
/// take each other's work away. Returns whether the browser took it.
pub fn keep(project: &Project) -> bool {
    let bytes = protocol::encode(project);
    if bytes.len() > SESSION_BYTES_MAX {
        return false;
    }
    let Some(text) = written(&bytes) else {
        return false;
    };
    let own = dom::keep_for_tab(SESSION, Some(&text));
    keep_making_room(SESSION, &text) || own
}

/// Forgets it.
pub fn forget() {
    dom::keep_for_tab(SESSION, None);
    dom::keep(SESSION, None);
}

/// The kept session; none if there is none or it is of another version.
#[must_use]
pub fn kept() -> Option<Project> {
    let text = dom::kept_for_tab(SESSION).or_else(|| dom::kept(SESSION))?;
    protocol::decode(&read(&text)?).ok()
}

/// Takes a snapshot of this work in a tab, if there is anything of the reader's in it.
pub fn take_snapshot(work: u64, project: &Project) {
    let bytes = protocol::encode(project);
    if bytes.len() > SESSION_BYTES_MAX || is_example(project) {
        return;
    }
    let now = dom::date_ms();
    let new = Snapshot {
        work,
        begun_ms: now,
        taken_ms: now,
        packed: miniz_oxide::deflate::compress_to_vec_zlib(&bytes, 6),
    };
    let mut snapshots = with(snapshots(), new);
    while !snapshots.is_empty() && !keep_snapshots(&snapshots) {
        snapshots.pop();
    }
}

/// The snapshots, newest first.
#[must_use]
pub fn snapshots() -> Vec<Snapshot> {
    let text = dom::kept(SNAPSHOTS);
    let kept: Option<Kept> = text.and_then(|text| protocol::decode(&read(&text)?).ok());
    let snapshot = |(work, begun_ms, taken_ms, packed)| Snapshot {
        work,
        begun_ms,
        taken_ms,
        packed,
    };
    kept.unwrap_or_default().into_iter().map(snapshot).collect()
}

/// Forgets all of them.
pub fn forget_snapshots() {
    dom::keep(SNAPSHOTS, None);
}

/// Whether a project is as the page offers it.
fn is_example(project: &Project) -> bool {
    *project == files::poll()
        || *project == files::blank()
        || gallery::entry(project).is_some_and(|entry| gallery::project(entry) == *project)
}

/// The snapshots with a new one: in place of one that still follows the same work, or of the same text.
fn with(mut snapshots: Vec<Snapshot>, mut new: Snapshot) -> Vec<Snapshot> {
    let follows = |known: &Snapshot| {
        known.work == new.work && new.taken_ms.saturating_sub(known.begun_ms) < SNAPSHOT_MS
    };
    if let Some(place) = snapshots.iter().position(follows) {
        new.begun_ms = snapshots.remove(place).begun_ms;
    }
    snapshots.retain(|known| known.packed != new.packed);
    snapshots.insert(0, new);
    snapshots.truncate(SNAPSHOTS_MAX);
    snapshots
}

fn keep_snapshots(snapshots: &[Snapshot]) -> bool {
    let kept = |known: &Snapshot| {
        let packed = known.packed.clone();
        (known.work, known.begun_ms, known.taken_ms, packed)
    };
    let kept: Kept = snapshots.iter().map(kept).collect();
    let text = written(&protocol::encode(&kept));
    text.is_some_and(|text| dom::keep(SNAPSHOTS, Some(&text)))
}

/// Keeps a text for the page, if need be in the room of the oldest snapshots.
fn keep_making_room(key: &str, text: &str) -> bool {
    if dom::keep(key, Some(text)) {
        return true;
    }
    let mut snapshots = snapshots();
    while snapshots.pop().is_some() {
        keep_snapshots(&snapshots);
        if dom::keep(key, Some(text)) {
            return true;
        }
    }
    false
}

fn written(bytes: &[u8]) -> Option<String> {
    Some(format!("{VERSION}.{}", dom::to_base64(bytes)?))
}

fn read(text: &str) -> Option<Vec<u8>> {
    let (version, text) = text.split_once('.')?;
    if version == VERSION {
        dom::from_base64(text)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(work: u64, at_ms: u64, text: u8) -> Snapshot {
        Snapshot {
            work,
            begun_ms: at_ms,
            taken_ms: at_ms,
            packed: vec![text],
        }
    }

    #[test]
    fn a_snapshot_follows_the_work_for_a_while_and_then_stays() {
        let mut all = with(Vec::new(), snapshot(1, 0, 0));
        all = with(all, snapshot(2, 1_000, 1));
        all = with(all, snapshot(1, SNAPSHOT_MS - 1, 2));
        let known = |all: &[Snapshot]| -> Vec<(u64, u8)> {
            let known = |one: &Snapshot| (one.work, one.packed[0]);
            all.iter().map(known).collect()
        };
        assert_eq!(known(&all), [(1, 2), (2, 1)]);
        assert_eq!((all[0].begun_ms, all[0].taken_ms), (0, SNAPSHOT_MS - 1));
        all = with(all, snapshot(1, SNAPSHOT_MS, 3));
        assert_eq!(known(&all), [(1, 3), (1, 2), (2, 1)]);
        all = with(all, snapshot(3, SNAPSHOT_MS, 2));
        assert_eq!(known(&all), [(3, 2), (1, 3), (2, 1)], "the same text again");
    }

    #[test]
    fn the_oldest_snapshots_go() {
        let mut all = Vec::new();
        for work in 0..=SNAPSHOTS_MAX as u64 {
            all = with(all, snapshot(work, 0, work as u8));
        }
        assert_eq!(all.len(), SNAPSHOTS_MAX);
        assert_eq!((all[0].work, all[SNAPSHOTS_MAX - 1].work), (20, 1));
    }

    #[test]
    fn only_what_is_not_the_pages_own_is_kept() {
        assert!(is_example(&files::poll()) && is_example(&gallery::project(&gallery::ENTRIES[0])));
        let mut own = files::poll();
        own.faults.clear();
        assert!(!is_example(&own));
    }
}
