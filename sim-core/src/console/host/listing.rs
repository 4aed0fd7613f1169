//! Commands that look at files: `cat`, `ls`, `readlink` and `find`. Messages are those of GNU coreutils.

use crate::base::arrange::Arrange;
use crate::base::sentence::catalogue;
use crate::base::sentence::passage::Passage;
use crate::console::Output;
use crate::substrate::errno::Errno;

use super::shell::matches;
use super::sight::{Node, Sight};

/// A tool's complaint about a file.
pub(super) fn complaint(tool: &str, path: &str, error: Errno) -> Passage {
    Passage::from(format!("{tool}: {path}: "))
        .then(said(error))
        .then("\n")
}

/// What the kernel says; what only this one does not know is no word of its.
fn said(error: Errno) -> Passage {
    match error {
        Errno::NotModelled => catalogue::FILE_UNKNOWN.plain().into(),
        known => known.text().into(),
    }
}

/// `cat`.
pub(super) fn cat(sight: &Sight<'_>, paths: &[&str], input: &str) -> Output {
    let mut output = Output::default();
    let files: Vec<&&str> = paths
        .iter()
        .filter(|path| !path.starts_with('-') || **path == "-")
        .collect();
    if files.is_empty() {
        return Output::text(input);
    }
    for path in files {
        if *path == "-" {
            output.stdout.push(input);
            continue;
        }
        match sight.read(path) {
            Ok(text) => output.stdout.push(&text),
            Err(error) => {
                output.stderr.push(complaint("cat", path, error));
                output.code = 1;
            }
        }
    }
    output
}

/// `ls`.
pub(super) fn ls(sight: &Sight<'_>, words: &[&str]) -> Output {
    let (flags, paths) = super::tools::flags_and_paths(words);
    let mut paths = if paths.is_empty() { vec!["/"] } else { paths };
    let (long, itself) = (flags.contains('l'), flags.contains('d'));
    let line = |path: &str, name: &str| {
        if !long {
            return format!("{name}\n");
        }
        let (kind, arrow) = match sight.look(path) {
            Ok(Node::Directory(_)) if super::sight::is_virtual(path) => {
                ("dr-xr-xr-x", String::new())
            }
            Ok(Node::Directory(_)) => ("drwxr-xr-x", String::new()),
            Ok(Node::Link(target)) => ("lrwxrwxrwx", format!(" -> {target}")),
            Ok(Node::Device) => {
                let at = sight.changed(path);
                return format!("c--------- 1 root root 0, 0 {at} {name}\n");
            }
            Ok(Node::File(_) | Node::Opaque(_)) | Err(_) => ("-rw-r--r--", String::new()),
        };
        let kind = match sight.mode(path) {
            Some(mode) if !super::sight::is_virtual(path) => letters(kind, mode),
            _ => kind.to_owned(),
        };
        let bytes = match sight.look(path) {
            Ok(Node::File(text)) if !super::sight::is_virtual(path) => text.len() as u64,
            Ok(Node::Opaque(bytes)) => bytes,
            Ok(Node::Directory(_)) if !super::sight::is_virtual(path) => 4_096,
            Ok(Node::Link(target)) => target.len() as u64,
            Ok(_) | Err(_) => 0,
        };
        if super::sight::is_virtual(path) {
            return format!("{kind} 1 root root 0 {name}{arrow}\n");
        }
        format!(
            "{kind} 1 root root {bytes} {} {name}{arrow}\n",
            sight.changed(path)
        )
    };
    // Files come before what directories hold, each in the order of their names.
    let lists = |path: &str| !itself && matches!(sight.look(path), Ok(Node::Directory(_)));
    paths.arrange_by_cached_key(|path| (lists(path), *path));
    let mut output = Output::default();
    let several = paths.len() > 1;
    for (index, path) in paths.iter().enumerate() {
        // A link is followed unless it is told of.
        let path = match sight.look(path) {
            Ok(Node::Link(_)) if !itself && (!long || path.ends_with('/')) => &*sight.follow(path),
            _ => *path,
        };
        match sight.look(path) {
            Ok(Node::Directory(names)) if !itself => {
                if several {
                    if index > 0 {
                        output.stdout.push("\n");
                    }
                    output.stdout.push(format!("{path}:\n"));
                }
                if long && !super::sight::is_virtual(path) {
                    let blocks = blocks(sight, path, &names);
                    output.stdout.push(format!("total {blocks}\n"));
                }
                let hides = !flags.contains(['a', 'A']);
                for name in names {
                    if hides && name.starts_with('.') {
                        continue;
                    }
                    let whole = format!("{}/{name}", path.trim_end_matches('/'));
                    output.stdout.push(line(&whole, &name));
                }
            }
            Ok(_) => output.stdout.push(line(path, path)),
            Err(error) => {
                output
                    .stderr
                    .push(format!("ls: cannot access '{path}': {}\n", error.text()));
                output.code = 2;
            }
        }
    }
    output
}

/// A mode as `ls -l` writes it, after the letter of the kind.
fn letters(kind: &str, mode: u16) -> String {
    let letters = "rwxrwxrwx".char_indices();
    let bits = letters.map(|(at, letter)| {
        if mode >> (8 - at) & 1 == 1 {
            letter
        } else {
            '-'
        }
    });
    kind.chars().take(1).chain(bits).collect()
}

/// `readlink`.
pub(super) fn readlink(sight: &Sight<'_>, words: &[&str]) -> Output {
    let mut output = Output::default();
    for path in words.iter().filter(|word| !word.starts_with('-')) {
        match sight.look(path) {
            Ok(Node::Link(target)) => output.stdout.push(format!("{target}\n")),
            Ok(_) | Err(_) => output.code = 1,
        }
    }
    output
}

/// `find`.
pub(super) fn find(sight: &Sight<'_>, words: &[&str]) -> Output {
    /// Paths that are printed at most.
    const PRINTED_MAX: usize = 50_000;
    let root = words
        .first()
        .filter(|word| !word.starts_with('-'))
        .copied()
        .unwrap_or("/");
    let option = |name: &str| {
        words
            .iter()
            .position(|word| *word == name)
            .and_then(|at| words.get(at + 1))
            .copied()
    };
    let depth = option("-maxdepth").and_then(|text| text.parse::<usize>().ok());
    let (pattern, kind) = (option("-name"), option("-type"));
    if let Err(error) = sight.look(root) {
        return Output::error(1, format!("find: '{root}': {}", error.text()));
    }
    let mut text = String::new();
    let mut pending = vec![(root.to_owned(), 0)];
    let mut printed = 0;
    while let Some((path, level)) = pending.pop() {
        let node = sight.look(&path);
        let is_directory = matches!(node, Ok(Node::Directory(_)));
        let name = path.rsplit('/').next().unwrap_or(&path);
        let fits = pattern.is_none_or(|pattern| matches(pattern, name))
            && match kind {
                Some("d") => is_directory,
                Some("f") => !is_directory,
                _ => true,
            };
        if fits {
            text.push_str(&path);
            text.push('\n');
            printed += 1;
        }
        if printed >= PRINTED_MAX {
            break;
        }
        if let Ok(Node::Directory(names)) = node
            && depth.is_none_or(|depth| level < depth)
        {
            pending.extend(
                names
                    .iter()
                    .rev()
                    .map(|name| (format!("{}/{name}", path.trim_end_matches('/')), level + 1)),
            );
        }
    }
    Output::text(text)
}

/// Sum of a directory's blocks, the first line of a long list.
fn blocks(sight: &Sight<'_>, path: &str, names: &[String]) -> u64 {
    names
        .iter()
        .map(
            |name| match sight.look(&format!("{}/{name}", path.trim_end_matches('/'))) {
                Ok(Node::File(text)) => (text.len() as u64).div_ceil(4_096) * 4,
                Ok(Node::Opaque(bytes)) => bytes.div_ceil(4_096) * 4,
                Ok(Node::Directory(_)) => 4,
                Ok(Node::Link(_) | Node::Device) | Err(_) => 0,
            },
        )
        .sum()
}
