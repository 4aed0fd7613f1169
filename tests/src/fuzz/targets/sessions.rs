//! Readers of lines, in a session: consoles, scenarios, messages to the engine.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::sync::Arc;

use sim_core::base::rng::Seed;
use sim_core::console::open::{Experiment, open};
use sim_core::console::{Session, scenario};
use sim_core::host::EngineHost;
use sim_core::protocol::{self, Act, Deed, File, Project, Query, Recording, Request};

use super::{LINES_MAX, Target};

pub(super) fn lines(command: &str, text: &str) -> String {
    let mut session = Session::clone(&populated());
    let mut said = String::new();
    let script = match sim_core::console::script::parse(text) {
        Ok(lines) => lines,
        Err(error) => return error.message.into(),
    };
    for mut line in script.into_iter().take(LINES_MAX) {
        line.at = None;
        let mut foreign = false;
        for simple in line
            .pipelines
            .iter_mut()
            .flat_map(|pipeline| &mut pipeline.commands)
        {
            foreign |= simple.words.first().is_none_or(|word| word != command);
            shorten(&mut simple.words);
        }
        if foreign
            && line
                .pipelines
                .iter()
                .all(|pipeline| pipeline.commands.len() == 1)
        {
            continue;
        }
        let output = session.line(&line);
        let _ = write!(said, "{}{}", output.code, &*output.stderr);
    }
    session.run("sim advance 2s");
    said
}

/// A person may ask for a long time to pass, and it then takes long; that is no finding.
pub(super) fn shorten(words: &mut Vec<String>) {
    if words.first().is_some_and(|word| word == "sim")
        && words
            .get(1)
            .is_some_and(|word| matches!(word.as_str(), "advance" | "until" | "seek"))
    {
        words.truncate(2);
        words.push("3s".to_owned());
    }
    if words.iter().any(|word| word == "traffic")
        && let Some(last) = words.last_mut()
    {
        *last = "rps=5".to_owned();
    }
}

pub(super) fn play(text: &str) -> String {
    let parsed = match scenario::parse(text) {
        Ok(parsed) => parsed,
        Err((_, message)) => return message.into(),
    };
    if parsed.cluster.iter().any(|(_, line)| {
        let machines = line.strip_prefix("nodes").unwrap_or("");
        machines.trim().parse::<u64>().is_ok_and(|count| count > 50)
    }) {
        return String::new();
    }
    let mut experiment = Experiment::new(Seed(1));
    experiment.files.push(("in.md".to_owned(), Arc::from(text)));
    let mut opened = match open(&experiment) {
        Ok(opened) => opened,
        Err(message) => return message.to_string(),
    };
    let mut said = String::new();
    let script = opened.script.take().unwrap_or_default();
    let Ok(script) = sim_core::console::script::parse(&script) else {
        return "no script".to_owned();
    };
    for mut line in script.into_iter().take(LINES_MAX) {
        line.at = None;
        for simple in line
            .pipelines
            .iter_mut()
            .flat_map(|pipeline| &mut pipeline.commands)
        {
            shorten(&mut simple.words);
        }
        let output = opened.session.line(&line);
        let _ = write!(said, "{}{}", output.code, &*output.stderr);
    }
    opened.session.run("sim advance 3s");
    said
}

pub(super) fn message(input: &[u8]) -> String {
    let request = match protocol::decode::<Request>(input) {
        Ok(request) => request,
        Err(message) => return message,
    };
    let mut host = EngineHost::new();
    let (mut replies, mut said) = (host.handle(request), String::new());
    for _ in 0..3 {
        for reply in &replies {
            let name = format!("{reply:?}");
            said.push_str(name.split(['{', '(', ' ']).next().unwrap_or(""));
        }
        replies = host.tick(20_000);
    }
    said
}

/// Messages that a page sends, to begin with.
pub fn messages() -> Vec<Vec<u8>> {
    let file = File {
        name: "web.yaml".to_owned(),
        text: Target::Yaml.seeds()[0].to_owned(),
    };
    let project = Project {
        files: vec![file.clone()],
        nodes: 2,
        seed: 7,
        faults: vec!["node-crash worker-1 at 5s for 3s".to_owned()],
        length_us: 60_000_000,
    };
    let act = |at_us, deed| Act { at_us, deed };
    let recording = Recording {
        project: project.clone(),
        acts: vec![
            act(1_000_000, Deed::Edit(file.clone())),
            act(2_000_000, Deed::Inject("pod-kill a".to_owned())),
            act(3_000_000, Deed::Console("kubectl get pods".to_owned())),
            act(4_000_000, Deed::Heal(Some(1))),
        ],
        at_us: 5_000_000,
    };
    let query = Query::Complete { file, offset: 9 };
    [
        Request::Load(project),
        Request::Replay(recording),
        Request::Ask { number: 1, query },
        Request::Seek(9_000_000),
        Request::Inject("node-crash worker-1".to_owned()),
    ]
    .iter()
    .map(protocol::encode)
    .collect()
}

thread_local! {
    static SESSIONS: RefCell<[Option<Arc<Session>>; 2]> = const { RefCell::new([None, None]) };
}

pub(super) fn kept(index: usize, make: fn() -> Session) -> Arc<Session> {
    if let Some(session) = SESSIONS.with(|sessions| sessions.borrow()[index].clone()) {
        return session;
    }
    let made = Arc::new(make());
    SESSIONS.with(|sessions| sessions.borrow_mut()[index] = Some(made.clone()));
    made
}

/// Machines, and nothing on them.
pub(super) fn empty() -> Arc<Session> {
    kept(0, || {
        let mut experiment = Experiment::new(Seed(1));
        experiment.nodes = 2;
        let mut session = open(&experiment).expect("an empty experiment").session;
        session.run("sim advance 1s");
        session
    })
}

/// Machines with an application on each orchestrator, after half a minute.
pub(super) fn populated() -> Arc<Session> {
    kept(1, || {
        let mut session = Session::clone(&empty());
        let files = [
            ("compose.yaml", Target::Compose.seeds()[0]),
            (
                "stack.yml",
                "services: {web: {image: nginx, deploy: {replicas: 2}}}",
            ),
        ];
        for (name, text) in files {
            session.files.insert(name.to_owned(), Arc::from(text));
        }
        for line in [
            "kubectl create deployment web --image=nginx --replicas=2",
            "kubectl expose deployment web --port=80",
            "kubectl create configmap c --from-literal=a=b",
            "docker compose -f compose.yaml up -d",
            "docker stack deploy -c stack.yml s",
            "docker service create --name web --replicas 2 nginx",
            "sim advance 30s",
        ] {
            session.run(line);
        }
        session
    })
}
