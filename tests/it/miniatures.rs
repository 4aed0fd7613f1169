//! Small Compose files of the kinds that people publish load, run and converge; drafts made from them
//! and from the example run too.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use sim_core::base::rng::Seed;
use sim_core::console::convert::{Target, convert};
use sim_core::console::open::{Experiment, open};

fn text(path: &str) -> Arc<str> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(path).expect("the file is there").into()
}

/// Deploys the files and waits; returns what is wrong.
fn converges(files: Vec<(String, Arc<str>)>) -> Result<(), String> {
    let mut experiment = Experiment::new(Seed(7));
    experiment.files = files;
    let mut opened = open(&experiment)?;
    if !opened.valid() {
        let problems: Vec<String> = opened
            .diagnostics()
            .map(|(source, problem)| problem.render(Some(source)))
            .collect();
        return Err(problems.join(""));
    }
    let deployed = opened.deploy();
    if deployed.code != 0 {
        return Err(deployed.stderr.into());
    }
    let waited = opened.session.run("sim until converged within 10m");
    match waited.code {
        0 => Ok(()),
        _ => Err(format!("{}{}", &*waited.stdout, &*waited.stderr)),
    }
}

#[test]
fn miniatures_of_published_projects_converge() {
    for name in ["blog", "built-backend", "search", "votes"] {
        let file = text(&format!("miniatures/{name}.yaml"));
        let result = converges(vec![("compose.yaml".to_owned(), file)]);
        assert_eq!(result, Ok(()), "{name}");
    }
}

#[test]
fn drafts_from_the_example_run() {
    let example = |name: &str| {
        let file = text(&format!("../examples/poll/{name}"));
        (name.to_owned(), file)
    };
    for (from, target, name) in [
        ("compose.yaml", Target::Kubernetes, "draft.yaml"),
        ("compose.yaml", Target::Stack, "stack.yml"),
        ("stack.yml", Target::Kubernetes, "draft.yaml"),
        ("stack.yml", Target::Compose, "compose.yaml"),
        ("kubernetes.yaml", Target::Stack, "stack.yml"),
        ("kubernetes.yaml", Target::Compose, "compose.yaml"),
    ] {
        let draft = convert(target, &[example(from)]).expect("something to draft from");
        assert!(draft.problems.is_empty(), "{from} to {target:?}");
        let result = converges(vec![(name.to_owned(), draft.text.as_str().into())]);
        assert_eq!(result, Ok(()), "{from} to {target:?}:\n{}", draft.text);
    }
}
