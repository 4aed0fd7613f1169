//! Every scenario below `tests/scenarios` runs as its file says. `UPDATE_EXPECT=1` rewrites the
//! expectations.

use std::fs;
use std::path::{Path, PathBuf};

use tests::scenario::play;

pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut entries: Vec<PathBuf> = entries.map(|entry| entry.expect("entry").path()).collect();
    entries.sort();
    entries
        .into_iter()
        .flat_map(|path| {
            if path.is_dir() {
                files(&path)
            } else {
                vec![path]
            }
        })
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .collect()
}

#[test]
fn scenarios_run_as_written() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let update = std::env::var_os("UPDATE_EXPECT").is_some();
    let mut wrong = Vec::new();
    for file in files(&folder) {
        let name = file
            .strip_prefix(&folder)
            .expect("below")
            .to_string_lossy()
            .into_owned();
        let text = fs::read_to_string(&file).expect("scenario");
        let played = match play(&name, &text) {
            Ok(played) => played,
            Err(message) => {
                wrong.push(message);
                continue;
            }
        };
        let problems = played.problems();
        match (&played.scenario.known_failure, problems.is_empty()) {
            (Some(_), true) => wrong.push(format!(
                "{name}: it passes now; take out its known_failure line"
            )),
            (Some(_), false) | (None, true) => {}
            (None, false) if update && played.failure.is_none() => {
                fs::write(&file, played.rewritten(&text)).expect("scenario is written");
            }
            (None, false) => wrong.push(format!("{name}: {}", problems.join("\n"))),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
