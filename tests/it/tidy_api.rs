//! Every field of `api` is read by the plane of its dialect.
//!
//! What decoders read into `api` is not on the "not modelled" list, so a field that no plane reads
//! would be a silent promise. The check is by word: a plane's source names the field.

use std::fs;
use std::path::{Path, PathBuf};

/// Fields that planes read without naming them.
const WHOLE: [(&str, &str); 4] = [
    // The whole service goes into the configuration hash.
    ("compose/service.rs", "labels"),
    // Kept for `docker compose config`, and still listed as not modelled.
    ("compose/project.rs", "secrets"),
    ("compose/project.rs", "configs"),
    ("compose/project.rs", "extensions"),
];

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../sim-core/src")
}

/// All Rust files below a folder, in order of path, without tests.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut entries: Vec<PathBuf> = fs::read_dir(folder)
        .expect("folder of sources")
        .map(|entry| entry.expect("entry").path())
        .collect();
    entries.sort();
    for path in entries {
        let is_test = path.file_stem().is_some_and(|stem| stem == "tests");
        if is_test {
            continue;
        }
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

fn plane(name: &str) -> String {
    let mut text =
        fs::read_to_string(source().join(format!("{name}.rs"))).expect("module of a plane");
    for file in files(&source().join(name)) {
        text.push_str(&fs::read_to_string(file).expect("source"));
    }
    text.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n")
}

fn has_word(text: &str, word: &str) -> bool {
    let is_part = |letter: Option<char>| {
        letter.is_some_and(|letter| letter.is_alphanumeric() || letter == '_')
    };
    text.match_indices(word).any(|(at, _)| {
        !is_part(text[..at].chars().next_back()) && !is_part(text[at + word.len()..].chars().next())
    })
}

#[test]
fn every_field_is_read_by_its_plane() {
    let planes = ["kube", "swarm", "compose"].map(|name| (name, plane(name)));
    let api = source().join("api");
    let mut unread = Vec::new();
    for file in files(&api) {
        let name = file
            .strip_prefix(&api)
            .expect("below api")
            .to_string_lossy()
            .replace('\\', "/");
        let dialect = name.split('/').next().unwrap_or("");
        let text = fs::read_to_string(&file).expect("source");
        for line in text.lines() {
            let Some((field, _)) = line
                .trim_start()
                .strip_prefix("pub ")
                .and_then(|rest| rest.split_once(':'))
            else {
                continue;
            };
            let is_field = field
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
            if !is_field || WHOLE.contains(&(name.as_str(), field)) {
                continue;
            }
            let own = planes
                .iter()
                .filter(|(plane, _)| *plane == dialect || !name.contains('/'));
            if !own.into_iter().any(|(_, text)| has_word(text, field)) {
                unread.push(format!("{name}: {field}"));
            }
        }
    }
    assert!(
        unread.is_empty(),
        "no plane reads these; take them out of api and only check them: {unread:#?}"
    );
}
