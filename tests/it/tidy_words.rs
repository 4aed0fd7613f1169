//! What Podium itself says is a sentence of the catalogue, so that the page can say it in its languages.

use std::fs;
use std::path::Path;

use sim_core::base::rng::Seed;
use sim_core::base::sentence::passage::{Passage, Stretch};
use sim_core::console::{Output, Session};
use sim_core::engine::command::Orchestrator;
use sim_core::engine::history::History;
use sim_core::engine::lab::Lab;

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../sim-core/src");

/// Words that no real tool says.
const OWN: [&str; 7] = [
    " modelled",
    "this console",
    "this session runs",
    "sim advance",
    "in this model",
    "this world",
    "Podium",
];

/// What the page does not show: sentences are made there, or printed by the command line alone.
const ASIDE: [&str; 7] = [
    "base/sentence",
    "bench",
    "cli",
    "console/convert",
    "console/open.rs",
    "manifest/explain.rs",
    "soak",
];

/// Where Podium itself speaks and hardly anybody else.
const PODIUMS: [&str; 18] = [
    "console/cluster.rs",
    "console/condition.rs",
    "console/host/firewall.rs",
    "console/host/mesh_walk.rs",
    "console/host/policy_walk.rs",
    "console/host/usage.rs",
    "console/images.rs",
    "console/import.rs",
    "console/open",
    "console/operator.rs",
    "console/scenario.rs",
    "console/scores.rs",
    "console/script.rs",
    "console/sim.rs",
    "engine/why.rs",
    "host",
    "host.rs",
    "kube/controllers/operators",
];

/// What real tools say there, and lists of names.
const REAL: [&str; 8] = [
    "bridge overlay routed",
    "containerd crio runc crun runsc kata",
    "manager worker control-plane",
    "open {name}: no such file or directory",
    "error parsing jsonpath {path}, {error}",
    "iptables-save: table '{table}' does not exist",
    "iptables: No chain/target/match by that name.",
    "{target}: icmp port unreachable",
];

/// Lines of a source, without its comments and its tests.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let code = text.split("#[cfg(test)]\nmod tests {").next();
    let lines = code.unwrap_or_default().lines().enumerate();
    lines.filter(|(_, line)| !line.trim_start().starts_with("//"))
}

/// Texts of a line of code.
fn literals(line: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut open: Option<String> = None;
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        match (letter, &mut open) {
            ('"', None) => open = Some(String::new()),
            ('"', Some(_)) => found.extend(open.take()),
            ('\\', Some(text)) => {
                text.push('\\');
                text.extend(letters.next());
            }
            (letter, Some(text)) => text.push(letter),
            // A letter of its own, such as a quotation mark.
            ('\'', None) if line.contains("'\"'") => return Vec::new(),
            (_, None) => {}
        }
    }
    found
}

/// Whether a text is made of words: three in a row that are no commands, names or places for them.
fn is_prose(text: &str) -> bool {
    let is_word = |word: &str| {
        let word = word.trim_end_matches([':', ';', '.', ',']);
        word.len() > 1 && word.chars().all(|letter| letter.is_ascii_lowercase())
    };
    let is_place = |word: &str| {
        let word = word.trim_matches(|letter: char| !letter.is_ascii_alphanumeric());
        word.len() > 1 && word.chars().all(|letter| letter.is_ascii_uppercase())
    };
    let words: Vec<&str> = text.split_whitespace().collect();
    let command = matches!(words.first(), Some(&("kubectl" | "docker" | "sim")));
    let is_list = |three: &[&str]| three[..2].iter().all(|word| word.ends_with(','));
    let three = |three: &&[&str]| three.iter().all(|word| is_word(word)) && !is_list(three);
    !command
        && !REAL.contains(&text)
        && !words.iter().any(|word| is_place(word))
        && words.windows(3).any(|words| three(&words))
}

#[test]
fn prose_is_told_from_grammar() {
    for prose in [
        "made on the machine",
        "{}: no answer to give",
        "lost between {a} and the other",
    ] {
        assert!(is_prose(prose), "{prose}");
    }
    for grammar in [
        "get, describe, logs",
        "until CONDITION within that time",
        "a b c",
        REAL[0],
    ] {
        assert!(!is_prose(grammar), "{grammar}");
    }
    assert_eq!(literals(r#"f("a \"b\"", "c") // d"#), [r#"a \"b\""#, "c"]);
}

fn look(path: &Path, found: &mut Vec<String>) {
    let within = path.strip_prefix(SOURCE).unwrap_or(path);
    if path.ends_with("tests") || ASIDE.iter().any(|aside| within.starts_with(aside)) {
        return;
    }
    if path.is_dir() {
        let entries = fs::read_dir(path).expect("a folder of sources");
        let mut paths: Vec<_> = entries.map(|entry| entry.expect("entry").path()).collect();
        paths.sort();
        return paths.iter().for_each(|path| look(path, found));
    }
    if path.ends_with("tests.rs") || path.extension().is_none_or(|ext| ext != "rs") {
        return;
    }
    let own = PODIUMS.iter().any(|podiums| within.starts_with(podiums));
    let text = fs::read_to_string(path).expect("a source");
    for (place, line) in lines(&text) {
        // Whoever programs reads these.
        if line.contains(".expect(") || line.contains("unreachable!(") {
            continue;
        }
        let wrong =
            |text: &String| OWN.iter().any(|own| text.contains(own)) || own && is_prose(text);
        if literals(line).iter().any(wrong) {
            found.push(format!("{}:{}: {}", path.display(), place + 1, line.trim()));
        }
    }
}

#[test]
fn podium_has_no_words_outside_the_catalogue() {
    let mut found = Vec::new();
    let source = Path::new(SOURCE);
    for place in PODIUMS.iter().chain(&ASIDE) {
        assert!(source.join(place).exists(), "{place} is not there");
    }
    look(source, &mut found);
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
    let output = run("sim heal x");
    assert_eq!(
        parts(&output.stderr),
        "<\"x\" is not the number of a fault; see sim faults>[\n]"
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

/// What a session prints for lines, in parts.
fn all(lines: &[&str]) -> (String, String) {
    let mut session = Session::new(History::new(Lab::new(&Orchestrator::ALL, Seed(1))));
    session.run("sim node add worker-1");
    let mut last = Output::default();
    for line in lines {
        last = session.run(line);
    }
    (parts(&last.stdout), parts(&last.stderr))
}

#[test]
fn answers_of_the_systems_keep_what_only_podium_says() {
    let crd = |rule: &str| {
        format!(
            "kubectl apply -f - <<'END'\n{{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {{name: a.x.io}}, spec: {{group: x.io, scope: Cluster, names: {{plural: a, singular: a, kind: A}}, versions: [{{name: v1, served: true, storage: true, schema: {{openAPIV3Schema: {{type: object, x-kubernetes-validations: [{{rule: '{rule}'}}]}}}}}}]}}}}\nEND"
        )
    };
    let plan = |child: &str| {
        format!(
            "sim operator start -f - <<'END'\n{{operator: o, for: w.x.io, children: [{child}]}}\nEND"
        )
    };
    let pod = "{name: a, template: {apiVersion: v1, kind: Pod, metadata: {name: a}}}";
    let service = "[Error response from daemon: rpc error: code = InvalidArgument desc = ]";
    for (line, said) in [
        // The API server.
        (crd("quantity(self.a) > 1"), "<not modelled: quantity() in CEL>"),
        (
            "kubectl create deployment web --image nginx; kubectl patch deployment web --subresource=status -p '{\"status\":{\"replicas\":9}}'".to_owned(),
            "is forbidden: ]<its status is what its controllers find; writing it is not modelled>",
        ),
        (
            "kubectl create -f - <<'END'\n{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {containers: [{name: a, image: a, resources: {limits: {cpu: 1e40}}}]}}\nEND".to_owned(),
            "<quantities above 10^29 are not modelled>",
        ),
        // Swarm's manager, the engine.
        (
            "docker service create --replicas 9999999 nginx".to_owned(),
            "<9999999 tasks of one service at a time are not modelled; ",
        ),
        (
            "docker run -p 1-60000:1-60000 nginx".to_owned(),
            " ports of one range are not modelled>",
        ),
        // Templates, operators, the scheduler's configuration.
        (
            "kubectl get pods -o go-template='{{template \"a\"}}'".to_owned(),
            "template: output:1: ]<{{template}} is not modelled>",
        ),
        (plan(pod), "<-: children[0].template.kind: children of the kind Pod are not modelled"),
        (plan("{name: a}"), "<-: children[0].template.apiVersion: text is required>"),
        (plan("{nome: a}"), "<-: children[0].nome: no such field; the fields are "),
        (
            "sim set kube-scheduler.config - <<'END'\n{apiVersion: kubescheduler.config.k8s.io/v1, kind: KubeSchedulerConfiguration, extenders: [{}]}\nEND".to_owned(),
            "[extenders: ]<not modelled>",
        ),
    ] {
        let (stdout, stderr) = all(&[&line]);
        assert!(stderr.contains(said), "{line}:\n{stdout}{stderr}");
        assert!(!stderr.contains("modelled]"), "{line}:\n{stderr}");
    }
    let (_, many) = all(&["docker service create --replicas 9999999 nginx"]);
    assert!(many.starts_with(service), "{many}");
}

#[test]
fn tables_and_walks_of_podiums_own_are_sentences() {
    let (packet, _) = all(&["sim packet from outside to worker-1:81"]);
    let first = packet.lines().next().unwrap_or_default();
    assert!(first.starts_with("[# kubernetes"), "{packet}");
    for said in [
        "<packet 203.0.113.2:* -> ",
        "from a user outside>",
        "<hop worker-1: in by eth0>",
        "=> ]<192.168.0.2:81 on worker-1 itself; source 203.0.113.2; connection refused: ",
    ] {
        assert!(packet.contains(said), "{said} in\n{packet}");
    }
    let (faults, _) = all(&["sim fault node-crash worker-1", "sim faults"]);
    assert!(faults.contains(" ]<active>["), "{faults}");
    let (branches, _) = all(&["sim fork", "sim branches"]);
    assert!(branches.contains("]<from branch 0 at "), "{branches}");
    let (metrics, _) = all(&["sim metrics"]);
    assert!(
        metrics.starts_with("<ORCHESTRATOR>[   ]<SERVICE>["),
        "{metrics}"
    );
    let (usage, _) = all(&["sim usage"]);
    assert!(usage.contains("<CPU-WANTED>[   ]"), "{usage}");
    let (scores, _) = all(&[
        "kubectl run web --image nginx",
        "sim advance 5s",
        "sim scores web",
    ]);
    assert!(scores.starts_with("<decided at "), "{scores}");
    assert!(scores.contains("<VERDICT>[   ]"), "{scores}");
    assert!(scores.contains("]<chosen>["), "{scores}");
}
