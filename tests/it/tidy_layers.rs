//! The layer table of ARCHITECTURE.md holds for every `crate::` path of `sim-core`, and the words that
//! would break determinism appear in the runner only.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Modules that live in the real world: the native runner and its `main`.
const OUTSIDE: [&str; 2] = ["cli", "bin"];

/// Paths of the standard library that a run must not touch. `std::net` is left out: its address types
/// are plain data.
const FORBIDDEN: [&str; 9] = [
    "std::time",
    "std::fs",
    "std::env",
    "std::thread",
    "std::process",
    "std::collections::HashMap",
    "std::collections::HashSet",
    "std::sync::Mutex",
    "std::sync::RwLock",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Layers with those that each may name.
fn table() -> BTreeMap<String, BTreeSet<String>> {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("the map");
    let rows = text
        .lines()
        .skip_while(|line| !line.starts_with("| layer |"))
        .skip(2);
    let rows = rows.take_while(|line| line.starts_with('|'));
    rows.map(|row| {
        let mut cells = row.trim_matches('|').split('|').map(str::trim);
        let layer = cells.next().unwrap_or_default().to_owned();
        let below = cells
            .next()
            .unwrap_or_default()
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty());
        (layer, below.map(str::to_owned).collect())
    })
    .collect()
}

/// All Rust files below a folder with their paths inside it, in order, without tests.
fn sources(folder: &Path, inside: &str) -> Vec<(String, String)> {
    let mut entries: Vec<PathBuf> = fs::read_dir(folder)
        .expect("folder of sources")
        .map(|entry| entry.expect("entry").path())
        .collect();
    entries.sort();
    let mut found = Vec::new();
    for path in entries {
        let name = path
            .file_name()
            .expect("named")
            .to_string_lossy()
            .into_owned();
        if name == "tests" || name == "tests.rs" {
            continue;
        }
        if path.is_dir() {
            found.extend(sources(&path, &format!("{inside}{name}/")));
        } else if name.ends_with(".rs") {
            let text = fs::read_to_string(&path).expect("source");
            let code = text
                .split("#[cfg(test)]\nmod tests {")
                .next()
                .unwrap_or_default();
            let code: Vec<&str> = code
                .lines()
                .map(|line| line.split("//").next().unwrap_or_default())
                .collect();
            found.push((format!("{inside}{name}"), code.join("\n")));
        }
    }
    found
}

fn core() -> Vec<(String, String)> {
    sources(&root().join("sim-core/src"), "")
}

/// The layer of a file: its first folder, or its own name.
fn layer_of(file: &str) -> &str {
    file.split('/')
        .next()
        .unwrap_or_default()
        .trim_end_matches(".rs")
}

/// First words after `crate::`, those of a group in braces included.
fn named(code: &str) -> BTreeSet<String> {
    let word = |text: &str| -> String {
        text.chars()
            .take_while(|letter| letter.is_alphanumeric() || *letter == '_')
            .collect()
    };
    let mut names = BTreeSet::new();
    for (at, found) in code.match_indices("crate::") {
        // `$crate::` of a macro means the same crate; `sim_crate::` would be another.
        if code[..at]
            .chars()
            .next_back()
            .is_some_and(|letter| letter.is_alphanumeric() || letter == '_')
        {
            continue;
        }
        let rest = &code[at + found.len()..];
        match rest.strip_prefix('{') {
            Some(group) => {
                let group = group.split(';').next().unwrap_or_default();
                names.extend(
                    group
                        .split(',')
                        .map(|item| word(item.trim()))
                        .filter(|name| !name.is_empty()),
                );
            }
            None => {
                names.insert(word(rest));
            }
        }
    }
    names
}

#[test]
fn every_path_goes_to_a_layer_below() {
    let table = table();
    assert!(
        table.len() > 8,
        "the layer table of ARCHITECTURE.md was not found: {table:?}"
    );
    let mut wrong = Vec::new();
    for (file, code) in core() {
        let layer = layer_of(&file);
        if layer == "lib" || layer == "bin" {
            continue;
        }
        let Some(below) = table.get(layer) else {
            wrong.push(format!("{file}: layer {layer} is not in the table"));
            continue;
        };
        for name in named(&code) {
            // Macros are exported at the crate's root.
            if name != layer && !below.contains(&name) && table.contains_key(&name) {
                wrong.push(format!("{file}: {layer} may not name {name}"));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "edges that ARCHITECTURE.md does not allow: {wrong:#?}"
    );
}

#[test]
fn the_table_is_in_reading_order_and_complete() {
    let text = fs::read_to_string(root().join("sim-core/src/lib.rs")).expect("crate root");
    let modules: BTreeSet<String> = text
        .lines()
        .filter_map(|line| {
            line.trim()
                .strip_prefix("pub mod ")?
                .strip_suffix(';')
                .map(str::to_owned)
        })
        .collect();
    let table = table();
    let rows: BTreeSet<String> = table.keys().cloned().collect();
    assert_eq!(
        modules, rows,
        "modules of sim-core (left) and rows of the layer table (right)"
    );
    for (layer, below) in &table {
        for name in below {
            assert!(
                !table.get(name).is_none_or(|other| other.contains(layer)),
                "{layer} and {name} name each other, or {name} has no row"
            );
        }
    }
}

#[test]
fn planes_do_not_know_each_other() {
    for (file, code) in core() {
        let layer = layer_of(&file);
        if layer != "swarm" && layer != "compose" {
            continue;
        }
        for other in ["kube", "swarm", "compose"] {
            assert!(
                other == layer || !named(&code).contains(other),
                "{file} names {other}"
            );
        }
    }
}

#[test]
fn a_run_touches_no_clock_thread_file_or_environment() {
    let mut wrong = Vec::new();
    for (file, code) in core() {
        if OUTSIDE.contains(&layer_of(&file)) {
            continue;
        }
        wrong.extend(
            FORBIDDEN
                .iter()
                .filter(|word| code.contains(*word))
                .map(|word| format!("{file}: {word}")),
        );
        // Groups: `use std::collections::{BTreeMap, HashMap}`.
        for (at, start) in code.match_indices("std::collections::{") {
            let group = code[at + start.len()..]
                .split('}')
                .next()
                .unwrap_or_default();
            if group
                .split(',')
                .any(|item| matches!(item.trim(), "HashMap" | "HashSet"))
            {
                wrong.push(format!("{file}: hash map of the standard library"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn no_image_name_has_a_branch_outside_the_catalogue() {
    let names = [
        "\"nginx\"",
        "\"redis\"",
        "\"postgres\"",
        "\"busybox\"",
        "\"mysql\"",
    ];
    let wrong: Vec<String> = core()
        .into_iter()
        .filter(|(file, code)| {
            !file.starts_with("substrate/catalogue") && names.iter().any(|name| code.contains(name))
        })
        .map(|(file, _)| file)
        .collect();
    assert!(
        wrong.is_empty(),
        "these files know an image by name: {wrong:?}"
    );
}
