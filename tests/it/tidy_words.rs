//! What Podium itself says is a sentence of the catalogue, so that the page can say it in its languages.

use std::fs;
use std::path::Path;

use sim_core::base::rng::Seed;
use sim_core::base::sentence::passage::{Passage, Stretch};
use sim_core::console::{Output, Session};
use sim_core::engine::command::Orchestrator;
use sim_core::engine::history::History;
use sim_core::engine::lab::Lab;

/// Words that no real tool says.
const OWN: [&str; 4] = [
    " modelled",
    "this console",
    "this session runs",
    "sim advance",
];

/// Lines of a source, without its comments and its tests.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let code = text.split("#[cfg(test)]\nmod tests {").next();
    let lines = code.unwrap_or_default().lines().enumerate();
    lines.filter(|(_, line)| !line.trim_start().starts_with("//"))
}

fn look(path: &Path, found: &mut Vec<String>) {
    if path.ends_with("tests") {
        return;
    }
    if path.is_dir() {
        let entries = fs::read_dir(path).expect("a folder of sources");
        let mut paths: Vec<_> = entries.map(|entry| entry.expect("entry").path()).collect();
        paths.sort();
        return paths.iter().for_each(|path| look(path, found));
    }
    // Lists of what a file asks for in vain, printed by the command line alone.
    if path.ends_with("open.rs") || path.ends_with("tests.rs") {
        return;
    }
    let text = fs::read_to_string(path).expect("a source");
    for (place, line) in lines(&text) {
        if line.contains('"') && OWN.iter().any(|own| line.contains(own)) {
            found.push(format!("{}:{}: {}", path.display(), place + 1, line.trim()));
        }
    }
}

#[test]
fn the_console_has_no_words_of_podium_outside_the_catalogue() {
    let mut found = Vec::new();
    let source = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../sim-core/src"));
    look(&source.join("console.rs"), &mut found);
    look(&source.join("console"), &mut found);
    assert!(
        found.is_empty(),
        "write a form of base::sentence::catalogue:\n{}",
        found.join("\n")
    );
}

/// Parts of what was written: `[tool]`, `<Podium>`.
fn parts(passage: &Passage) -> String {
    let parts = passage.stretches().map(|stretch| match stretch {
        Stretch::Text(text) => format!("[{text}]"),
        Stretch::Said(sentence) => format!("<{sentence}>"),
    });
    parts.collect()
}

fn run(line: &str) -> Output {
    let lab = Lab::new(&Orchestrator::ALL, Seed(1));
    Session::new(History::new(lab)).run(line)
}

#[test]
fn a_sentence_stays_one_wherever_a_line_sends_it() {
    let cp = "<kubectl cp is not modelled: containers have no file system of their own to copy into; a ConfigMap mounts files, kubectl exec POD -- cat FILE reads what is modelled>";
    let output = run("kubectl cp a b");
    assert_eq!(parts(&output.stderr), format!("[error: ]{cp}[\n]"));
    assert_eq!(output.code, 1);
    // Beside others, into standard output, and behind a pipe that asks nobody.
    let output = run("kubectl cp a b || docker push x; sim until soon");
    let rest = "<docker push is not modelled>[\n]<unknown condition \"soon\"; known: converged, ready KIND/NAME [N], phase pod/NAME PHASE, available service/NAME, node/NAME STATE, task-state TASK STATE, not …, … and …>[\n]";
    assert_eq!(parts(&output.stderr), format!("[error: ]{cp}[\n]{rest}"));
    let output = run("kubectl cp a b 2>&1");
    assert_eq!(parts(&output.stdout), format!("[error: ]{cp}[\n]"));
    assert_eq!(&*output.stderr, "");
    let output = run("kubectl cp a b | grep -c .");
    assert_eq!(
        (&*output.stdout, parts(&output.stderr)),
        ("0\n", format!("[error: ]{cp}[\n]"))
    );
    // A filter and a file take the letters.
    let output = run("kubectl cp a b 2>&1 | grep -c modelled");
    assert_eq!(&*output.stdout, "1\n");
    let output = run("docker push x 2>&1 > a; cat a");
    assert_eq!(parts(&output.stdout), "[docker push is not modelled\n]");
    // Advice, a quoted word, a line of a script, help.
    let output = run("kubectl logs -f web");
    assert_eq!(
        parts(&output.stderr),
        "[error: ]<--follow is not modelled; let time pass with sim advance and ask again>[\n]"
    );
    let output = run("sim fault node-crash worker-77");
    assert!(parts(&output.stderr).starts_with("<there is no machine \"worker-77\""));
    assert_eq!(
        parts(&run("sleep 1 & x").stderr),
        "[1:9: ]<background jobs are not part of this console; remove the '&'>[\n]"
    );
    assert!(parts(&run("kubectl logs --help").stdout).contains("]<Options that are modelled:>["));
    // What the real tools say is theirs.
    assert_eq!(
        parts(&run("cat no").stderr),
        "[cat: no: No such file or directory\n]"
    );
}
