//! The page's first experiment, run natively, has the fingerprints that the browser test expects of
//! the page: native = WebAssembly, checked from both sides against one file.

use sim_core::base::rng::Seed;
use sim_core::base::time::{SimDuration, SimTime};
use sim_core::console::open::{Experiment, open};
use sim_core::engine::command::FaultSpec;

const HASHES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/e2e/hashes.json");

#[test]
fn the_pages_first_experiment_is_the_same_natively() {
    let mut experiment = Experiment::new(Seed(42));
    for name in ["compose.yaml", "kubernetes.yaml", "stack.yml"] {
        let path = format!("{}/../examples/poll/{name}", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(&path).expect("the example is there");
        experiment.files.push((name.to_owned(), text.into()));
    }
    let fault = FaultSpec::parse("node-crash of:poll at 60s").expect("a fault");
    experiment.faults.push(fault);
    let mut opened = open(&experiment).expect("a valid example");
    assert_eq!(opened.deploy().code, 0);
    let mut found = String::from("{\n");
    for (at, end) in [(75, ","), (420, "")] {
        let time = SimTime::ZERO + SimDuration::from_secs(at);
        opened.session.history.advance_to(time);
        let hash = opened.session.history.lab().fingerprint().hex();
        found.push_str(&format!("  \"{at}\": \"{hash}\"{end}\n"));
    }
    found.push_str("}\n");
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(HASHES, &found).expect("the file can be written");
    }
    let expected = std::fs::read_to_string(HASHES).expect("tests/e2e/hashes.json is there");
    assert_eq!(
        found, expected,
        "UPDATE_EXPECT=1 cargo test rewrites tests/e2e/hashes.json"
    );
}
