//! Every transcript below `tests/transcripts` prints what it shows. `UPDATE_EXPECT=1` rewrites what it
//! shows; `TRANSCRIPT=part of a name` runs some.

use std::fs;
use std::path::Path;

use tests::transcript::run;

use crate::scenarios::files;

#[test]
fn transcripts_print_what_they_show() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("transcripts");
    let update = std::env::var_os("UPDATE_EXPECT").is_some();
    let only = std::env::var("TRANSCRIPT").unwrap_or_default();
    let mut wrong = Vec::new();
    for file in files(&folder) {
        let name = file
            .strip_prefix(&folder)
            .expect("below")
            .to_string_lossy()
            .into_owned();
        if !name.contains(&only) {
            continue;
        }
        let text = fs::read_to_string(&file).expect("transcript");
        match run(&name, &text) {
            Ok(outcome) if update => {
                if outcome.rewritten != text {
                    fs::write(&file, outcome.rewritten).expect("transcript is written");
                }
            }
            Ok(outcome) => wrong.extend(outcome.problems),
            Err(message) => wrong.push(message),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
