//! Files that somebody wrote: trees of one file system, an overlay's upper directory among them.
//! Source: Linux `Documentation/filesystems/overlayfs.rst`.
//!
//! Only what differs from what is below is kept. Nothing is kept for a file system that nobody
//! wrote to.

use std::sync::Arc;

use crate::base::sorted::{SortedMap, SortedSet};
use crate::base::time::SimTime;

/// What is at a path.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A file.
    File {
        /// Its size.
        bytes: u64,
        /// Its text; none: what is in it is not known.
        text: Option<Arc<str>>,
    },
    /// A directory.
    Directory {
        /// Whether it hides the one below of the same name (`trusted.overlay.opaque`).
        opaque: bool,
    },
    /// A symbolic link to there.
    Link(Arc<str>),
    /// A device 0/0 that hides what is below.
    Whiteout,
}

/// One entry of a tree.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Entry {
    /// What it is.
    pub kind: Kind,
    /// When it was last changed.
    pub at: SimTime,
    /// Who may do what with it, if that is not what is usual for its kind.
    pub mode: Option<u16>,
}

/// A tree of entries by their absolute paths in it, e.g. `/etc/passwd`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    entries: SortedMap<Arc<str>, Entry>,
}

/// Size of a block on disk, in bytes.
const BLOCK: u64 = 4_096;

/// The directory that a path lies in; none for `/`.
pub fn parent(path: &str) -> Option<&str> {
    let (above, name) = path.rsplit_once('/')?;
    if name.is_empty() {
        return None;
    }
    Some(if above.is_empty() { "/" } else { above })
}

/// A path's last name.
pub fn name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Whether `path` lies below `directory`, and what it is called from there.
pub fn below<'a>(path: &'a str, directory: &str) -> Option<&'a str> {
    let rest = path.strip_prefix(directory.trim_end_matches('/'))?;
    let rest = rest.strip_prefix('/')?;
    (!rest.is_empty()).then_some(rest)
}

impl Tree {
    /// The entry at a path.
    pub fn get(&self, path: &str) -> Option<&Entry> {
        self.entries.get(path)
    }

    /// All entries by path.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.entries.iter().map(|(path, entry)| (&**path, entry))
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Sets an entry.
    pub fn put(&mut self, path: &str, kind: Kind, at: SimTime) {
        self.put_as(path, kind, at, None);
    }

    /// Sets an entry with a mode.
    pub fn put_as(&mut self, path: &str, kind: Kind, at: SimTime, mode: Option<u16>) {
        self.entries.insert(path.into(), Entry { kind, at, mode });
    }

    /// Where a path leads when the links above its last name are followed, and with `whole` that name
    /// as well; none: there are no links.
    pub fn through(&self, path: &str, whole: bool) -> Option<String> {
        /// Links followed before the kernel gives up.
        const LINKS_MAX: usize = 8;
        let mut found = path.to_owned();
        for _ in 0..LINKS_MAX {
            let ends = found.char_indices().skip(1);
            let ends = ends.filter(|(_, letter)| *letter == '/').map(|(at, _)| at);
            let ends = ends.chain(whole.then_some(found.len()));
            let link = ends.into_iter().find_map(|end| {
                let entry = self.entries.get(&found[..end])?;
                let Kind::Link(target) = &entry.kind else {
                    return None;
                };
                let above = found[..end].rfind('/').unwrap_or(0);
                Some(format!("{}/{target}{}", &found[..above], &found[end..]))
            });
            match link {
                Some(next) => found = next,
                None => break,
            }
        }
        (found != path).then_some(found)
    }

    /// Forgets an entry and all below it.
    pub fn forget(&mut self, path: &str) {
        self.entries
            .retain(|known, _| &**known != path && below(known, path).is_none());
    }

    /// Whether what is below this tree is hidden at a path by something above the path.
    pub fn hides(&self, path: &str) -> bool {
        let mut at = parent(path);
        while let Some(directory) = at {
            match self.entries.get(directory).map(|entry| &entry.kind) {
                Some(
                    Kind::Whiteout
                    | Kind::Directory { opaque: true }
                    | Kind::File { .. }
                    | Kind::Link(_),
                ) => {
                    return true;
                }
                Some(Kind::Directory { opaque: false }) | None => {}
            }
            at = parent(directory);
        }
        false
    }

    /// Names in a directory: those that are there, and those that are taken away.
    pub fn names(&self, directory: &str) -> (SortedSet<&str>, SortedSet<&str>) {
        let (mut there, mut gone) = (SortedSet::new(), SortedSet::new());
        for (path, entry) in &self.entries {
            let Some(rest) = below(path, directory) else {
                continue;
            };
            match (rest.split_once('/'), &entry.kind) {
                (None, Kind::Whiteout) => {
                    gone.insert(rest);
                }
                (None, _) => {
                    there.insert(rest);
                }
                (Some((first, _)), _) => {
                    there.insert(first);
                }
            }
        }
        (there, gone)
    }

    /// Sum of the files' sizes, in bytes.
    pub fn bytes(&self) -> u64 {
        self.sizes().sum()
    }

    /// What the files take on disk, in bytes.
    pub fn blocks(&self) -> u64 {
        self.sizes()
            .map(|bytes| bytes.div_ceil(BLOCK) * BLOCK)
            .sum()
    }

    fn sizes(&self) -> impl Iterator<Item = u64> {
        self.entries.values().map(|entry| match entry.kind {
            Kind::File { bytes, .. } => bytes,
            Kind::Directory { .. } | Kind::Link(_) | Kind::Whiteout => 0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whiteouts_and_opaque_directories_hide_what_is_below() {
        let mut tree = Tree::default();
        tree.put("/etc/motd", Kind::Whiteout, SimTime::ZERO);
        tree.put("/opt", Kind::Directory { opaque: true }, SimTime::ZERO);
        tree.put(
            "/opt/a/b",
            Kind::File {
                bytes: 5_000,
                text: None,
            },
            SimTime::ZERO,
        );
        assert!(tree.hides("/opt/old"));
        assert!(!tree.hides("/etc/passwd"));
        let (there, gone) = tree.names("/etc");
        assert!(there.is_empty() && gone.contains("motd"));
        assert!(tree.names("/opt").0.contains("a"));
        assert_eq!((tree.bytes(), tree.blocks()), (5_000, 8_192));
        assert_eq!(
            (parent("/a/b"), parent("/a"), parent("/")),
            (Some("/a"), Some("/"), None)
        );
        tree.forget("/opt");
        assert_eq!(tree.iter().count(), 1);
        tree.put("/..data", Kind::Link("..1".into()), SimTime::ZERO);
        tree.put("/a", Kind::Link("..data/a".into()), SimTime::ZERO);
        assert_eq!(tree.through("/a/b", false).as_deref(), Some("/..1/a/b"));
        assert_eq!(tree.through("/a", false), None);
        assert_eq!(tree.through("/a", true).as_deref(), Some("/..1/a"));
    }
}
