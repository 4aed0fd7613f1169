//! The number of conformance cases that pass does not fall.

use std::fs;
use std::path::Path;

use tests::conformance::{count, directory, table};

#[test]
fn passes_do_not_fall() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance");
    let ratchet = folder.join("ratchet.txt");
    let text = fs::read_to_string(&ratchet).expect("the ratchet");
    let least: usize = text.trim().parse().expect("a number of passing cases");
    let outcomes = directory(&folder).expect("cases");
    let [pass, _, _] = count(&outcomes);
    if std::env::var_os("UPDATE_EXPECT").is_some() && pass > least {
        fs::write(&ratchet, format!("{pass}\n")).expect("the ratchet is written");
        return;
    }
    assert!(
        pass >= least,
        "{pass} cases pass, {least} did:\n{}",
        table(&outcomes)
    );
}
