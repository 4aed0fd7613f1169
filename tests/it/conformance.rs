//! The number of conformance cases that pass does not fall, file by file.

use std::fs;
use std::path::Path;

use tests::conformance::{Verdict, count, file, files, table};

/// Beside each `NAME.jsonl` stands `NAME.ratchet`: the number of its cases that pass.
#[test]
fn passes_do_not_fall() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance");
    let update = std::env::var_os("UPDATE_EXPECT").is_some();
    let mut fallen = String::new();
    for cases in files(&folder).expect("case files") {
        let ratchet = cases.with_extension("ratchet");
        let least: usize = match fs::read_to_string(&ratchet) {
            Ok(text) => text.trim().parse().expect("a number of passing cases"),
            Err(_) if update => 0,
            Err(error) => panic!("{}: {error}", ratchet.display()),
        };
        let outcomes = file(&cases).expect("cases");
        let [pass, _, _] = count(&outcomes);
        if update && pass > least {
            fs::write(&ratchet, format!("{pass}\n")).expect("the ratchet is written");
        } else if pass < least {
            fallen += &format!(
                "{}: {pass} cases pass, {least} did:\n{}\n",
                cases.display(),
                table(&outcomes)
            );
        }
    }
    assert!(fallen.is_empty(), "{fallen}");
}

/// Cases of the API that do not pass stand in the README, each with its reason: by name, or as
/// `prefix-*`.
#[test]
fn cases_that_do_not_pass_are_named() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance");
    let readme = fs::read_to_string(folder.join("README.md")).expect("the README");
    let quoted: Vec<&str> = readme.split('`').skip(1).step_by(2).collect();
    let is_named = |id: &str| {
        quoted.iter().any(|name| match name.strip_suffix('*') {
            Some(prefix) => prefix.ends_with('-') && id.starts_with(prefix),
            None => *name == id,
        })
    };
    let mut unnamed = Vec::new();
    for name in ["kubernetes-api.jsonl", "kubernetes-admission.jsonl"] {
        let outcomes = file(&folder.join(name)).expect("cases");
        assert!(!outcomes.is_empty(), "{name}: no cases");
        unnamed.extend(
            outcomes
                .into_iter()
                .filter(|one| one.verdict != Verdict::Pass && !is_named(&one.id))
                .map(|one| one.id),
        );
    }
    assert!(unnamed.is_empty(), "{unnamed:?}");
}
