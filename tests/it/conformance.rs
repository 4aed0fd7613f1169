//! The number of conformance cases that pass does not fall, file by file.

use std::fs;
use std::path::Path;

use tests::conformance::{count, file, files, table};

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
