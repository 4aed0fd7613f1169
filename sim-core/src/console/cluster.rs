//! The machines of an experiment in words: a scenario's `cluster` block, and a file of that name
//! beside manifests, which the page shows as a tab.
//!
//! ```text
//! nodes 3                              workers of one shape, worker-1 to worker-3
//! worker cpu=4 memory=8Gi zone=a       that shape
//! node NAME cpu=2 runtime=crio         a machine of its own; then there are no others
//! managers 3                           of Swarm
//! seed 7
//! set KEY VALUE                        a component's flag
//! ```

use crate::base::rng::Seed;
use crate::base::sentence::{Form, Sentence, catalogue};
use crate::engine::command::{Answer, Command, MachineSpec, Orchestrator};
use crate::engine::lab::Lab;
use crate::manifest::diagnostic::{Diagnostic, Severity};
use crate::manifest::explain;
use crate::manifest::lines::{Source, Span};

use super::open::Experiment;
use super::sim;

/// Name of the file.
pub const FILE: &str = "cluster";

/// Most machines that a cluster's words may ask for: what an upstream cluster is tested with.
const MACHINES_MAX: usize = 5_000;

/// What the lines begin with.
pub const WORDS: [&str; 7] = [
    "nodes",
    "worker",
    "node",
    "managers",
    "seed",
    "set",
    "orchestrators",
];

/// The same, as a refusal lists them.
const LINES: &str = "nodes N, managers N, worker cpu=4 …, node NAME cpu=4 …, seed N, set KEY VALUE, orchestrators NAME…";

/// What the lines say beyond the experiment's own fields.
#[derive(Debug, Default)]
pub struct Cluster {
    /// Machines of their own.
    pub machines: Vec<MachineSpec>,
    /// Worlds that are asked for; empty: all.
    pub orchestrators: Vec<Orchestrator>,
}

/// Reads one line into the experiment.
///
/// # Errors
/// The word that is wrong, and a sentence.
pub fn line<'t>(
    text: &'t str,
    own: &mut Experiment,
    cluster: &mut Cluster,
) -> Result<(), (&'t str, Sentence)> {
    fn number<T: std::str::FromStr>(word: &str, otherwise: Form) -> Result<T, (&str, Sentence)> {
        word.parse()
            .map_err(|_| (word, otherwise.with(&[("word", &word)])))
    }
    let words: Vec<&str> = text.split_whitespace().collect();
    // A sentence about a machine names its word, or the value of one.
    let shaped = |name: &str, rest: &[&'t str]| {
        sim::machine(name, rest).map_err(|sentence| {
            let about = sentence.word().unwrap_or_default();
            let wrong = rest
                .iter()
                .find(|word| !about.is_empty() && word.starts_with(about));
            let wrong = wrong.or_else(|| rest.iter().find(|word| word.contains(about)));
            (wrong.copied().unwrap_or(text), sentence)
        })
    };
    let most = |form: Form, word: &'t str| {
        let sentence = form.with(&[("word", &word), ("most", &MACHINES_MAX)]);
        Err((word, sentence))
    };
    match words.as_slice() {
        ["nodes", count] => {
            own.nodes = number(count, catalogue::NO_MACHINE_COUNT)?;
            if own.nodes as usize > MACHINES_MAX {
                own.nodes = 0;
                return most(catalogue::MACHINES_MOST, count);
            }
        }
        ["managers", count] => {
            own.managers = number(count, catalogue::NO_MANAGER_COUNT)?;
            if own.managers as usize > MACHINES_MAX {
                own.managers = 1;
                return most(catalogue::MANAGERS_MOST, count);
            }
        }
        ["seed", seed] => own.seed = Seed(number(seed, catalogue::NO_SEED)?),
        ["node", machine, rest @ ..] => {
            let spec = shaped(machine, rest)?;
            if cluster.machines.len() >= MACHINES_MAX {
                return most(catalogue::OWN_MACHINES_MOST, text);
            }
            cluster.machines.push(spec);
        }
        ["worker", rest @ ..] => own.worker = shaped("worker", rest)?,
        ["set", key, value] => own.settings.push(((*key).to_owned(), (*value).to_owned())),
        ["orchestrators", names @ ..] => {
            for name in names {
                let known = Orchestrator::parse(name).ok_or_else(|| {
                    let sentence = catalogue::ORCHESTRATOR_UNKNOWN.with(&[("word", name)]);
                    (*name, sentence)
                });
                cluster.orchestrators.push(known?);
            }
        }
        _ => {
            let sentence = catalogue::LINE_UNKNOWN.with(&[("line", &text)]);
            return Err((
                words.first().copied().unwrap_or(text),
                sentence.advise(catalogue::KNOWN.with(&[("names", &LINES)])),
            ));
        }
    }
    Ok(())
}

/// Reads the file; what is wrong is found at its word, and the other lines count.
pub fn file(source: &Source, own: &mut Experiment) -> (Cluster, Vec<Diagnostic>) {
    let (mut cluster, mut found) = (Cluster::default(), Vec::new());
    let mut start = 0;
    for raw in source.text.split_inclusive('\n') {
        let text = raw.trim();
        let begin = start + (raw.len() - raw.trim_start().len());
        start += raw.len();
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        let settings = own.settings.len();
        let mut result = line(text, own, &mut cluster);
        if result.is_ok() && !cluster.orchestrators.is_empty() {
            cluster.orchestrators.clear();
            let sentence = catalogue::ORCHESTRATORS_TOLD.plain();
            result = Err((text, sentence.advise(catalogue::FOR_SCENARIOS.plain())));
        }
        if let Some((key, value)) = own.settings.get(settings) {
            let last = text.split_whitespace().next_back().unwrap_or(text);
            result = setting(key, value).map_err(|(about_key, sentence)| {
                let key = text.split_whitespace().nth(1).unwrap_or(text);
                (if about_key { key } else { last }, sentence)
            });
            if result.is_err() {
                own.settings.truncate(settings);
            }
        }
        if let Err((word, sentence)) = result {
            // The word is a part of the line.
            let offset = (word.as_ptr() as usize).wrapping_sub(text.as_ptr() as usize);
            let offset = if offset <= text.len() { offset } else { 0 };
            let from = begin + offset;
            let span = Span::new(source.file, from, from + word.len());
            let code = explain::CLUSTER_LINE;
            found.push(Diagnostic::new(
                code,
                Severity::Error,
                source,
                span,
                sentence,
            ));
        }
    }
    (cluster, found)
}

/// Whether a component has this flag and takes the value; the refusal says which of both is wrong.
fn setting(key: &str, value: &str) -> Result<(), (bool, Sentence)> {
    let mut lab = Lab::new(&Orchestrator::ALL, Seed(0));
    let mut known = false;
    for world in &mut lab.worlds {
        if world.settings().iter().any(|(name, _)| *name == key) {
            known = true;
            if let Answer::Refused(sentence) =
                world.command(&Command::Set(key.into(), value.into()))
            {
                return Err((false, sentence));
            }
        }
    }
    if known {
        Ok(())
    } else {
        let sentence = catalogue::SETTING_UNKNOWN.with(&[("word", &key)]);
        Err((true, sentence.advise(catalogue::SETTINGS_LISTED.plain())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Experiment, Cluster, Vec<Diagnostic>) {
        let mut own = Experiment::new(Seed(0));
        let (cluster, found) = file(&Source::new(FILE, text), &mut own);
        (own, cluster, found)
    }

    #[test]
    fn lines_shape_the_experiment() {
        let (own, cluster, found) = read(
            "# three big ones\nnodes 5\nmanagers 3\nseed 7\nworker cpu=8 memory=16Gi\n\nset kube-controller-manager.node-monitor-grace-period 20s\n",
        );
        assert!(found.is_empty(), "{found:?}");
        assert_eq!((own.nodes, own.managers, own.seed), (5, 3, Seed(7)));
        assert_eq!(own.worker.milli_cpu, 8_000);
        assert_eq!(own.settings.len(), 1);
        assert!(cluster.machines.is_empty());
    }

    #[test]
    fn a_file_beside_manifests_is_the_cluster_of_every_world() {
        let mut experiment = Experiment::new(Seed(1));
        let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: a, image: nginx}]}\n";
        experiment.files.push(("a.yaml".to_owned(), pod.into()));
        let cluster = "node big cpu=16 memory=32Gi\nseed 9\n";
        experiment.files.push((FILE.to_owned(), cluster.into()));
        let mut session = crate::console::open::open(&experiment)
            .expect("it opens")
            .session;
        let shown = session.run("kubectl get node big -o jsonpath={.status.capacity.cpu}");
        assert_eq!(shown.stdout, "16");
        assert_eq!(session.run("kubectl get node worker-1").code, 1);
        assert_eq!(session.run("ls").stdout, "a.yaml\n");
    }

    #[test]
    fn each_mistake_is_found_at_its_word() {
        let text = "nodes many\n  node 甲 cpu=two\nworker speed=9\nset no.such-flag 1\nset kube-controller-manager.node-monitor-grace-period soon\norchestrators swarm\nmachines 3\nnodes 2\n";
        let (own, _, found) = read(text);
        let words: Vec<&str> = found
            .iter()
            .map(|found| &text[found.span.start as usize..found.span.end as usize])
            .collect();
        assert_eq!(
            words,
            [
                "many",
                "cpu=two",
                "speed=9",
                "no.such-flag",
                "soon",
                "orchestrators swarm",
                "machines"
            ],
            "{found:#?}"
        );
        // What is right counts.
        assert_eq!(own.nodes, 2);
        assert!(own.settings.is_empty());
    }
}
