//! `sim …`: time, faults, machines, users, observation.

mod waiting;

use std::fmt::Display;

use crate::api::node::NodeSetup;
use crate::base::quantity::Quantity;
use crate::base::sentence::passage::Passage;
use crate::base::sentence::{Form, Sentence, catalogue};
use crate::base::time::{SimDuration, SimTime};
use crate::engine::command::{
    Answer, Command, FaultSpec, MachineChange, MachineSpec, Orchestrator,
};
use crate::engine::fault::FaultState;
use crate::engine::lab::{Input, Lab};
use crate::engine::report::RunReport;
use crate::engine::trace;
use crate::engine::why;
use crate::engine::world::World;
use crate::manifest::value::Value;
use crate::substrate::cgroup::place::{Driver, Version};
use crate::substrate::profile::Engine;
use crate::substrate::profile::network::NetworkKind;

use super::{Output, Session};

/// Machines that one line adds at most.
const MACHINES_MAX: u32 = 10_000;

const USAGE: &str = "advance D | until CONDITION [within D] | expect CONDITION | time | fault KIND TARGET [at T] [for D] | faults | heal [ID] | node add NAME [cpu=4] [memory=8Gi] [label.k=v] [taint=k=v:Effect] [allocatable.RESOURCE=Q] [image.NAME=SIZE] | node set NAME [cpu=4] [memory=8Gi] [generic.KIND=N] | node remove NAME | load -f FILE [frozen] | controllers [on|off [NAME…]] | set KEY VALUE | settings | traffic SERVICE rps=N | metrics [-o json] | metric set OBJECT METRIC=QUANTITY… | metric unset OBJECT METRIC… | operator start -f FILE | operator stop NAME | operator list | trace [FILTER] | why OBJECT | scores POD [-o json|jsonpath=…] | fork | branches | switch N | seek T | usage [NODE] | packet from A to B:PORT | hash";

/// Runs one `sim` command.
pub fn run(session: &mut Session, words: &[String], input: &str) -> Output {
    let arguments: Vec<&str> = words.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["advance", span] => match SimDuration::parse(span) {
            Ok(span) => {
                let to = session.history.now() + span;
                session.history.advance_to(to);
                Output::default()
            }
            Err(message) => usage(message),
        },
        ["until", ..] => waiting::until(session, &words[1..]),
        ["expect", ..] => waiting::expect(session, &words[1..]),
        ["time"] => Output::text(format!("{}\n", session.history.now())),
        ["fault", ..] => fault(session, &words[1..].join(" ")),
        ["faults"] => faults(session),
        ["heal"] => heal(session, None),
        ["heal", number] => match number.parse() {
            Ok(number) => heal(session, Some(number)),
            Err(_) => usage(
                catalogue::NO_FAULT_NUMBER
                    .with(&[("word", number)])
                    .advise(see("sim faults")),
            ),
        },
        ["node", "add", name, rest @ ..] => add_machines(session, name, rest),
        ["node", "set", name, rest @ ..] => match changed(name, rest) {
            Ok(change) => everywhere(session, Command::ChangeMachine(change)),
            Err(message) => usage(message),
        },
        ["node", "remove", name] => everywhere(session, Command::RemoveMachine((*name).into())),
        ["set", key, file] if key.ends_with(".config") => match document(session, file, input) {
            Ok(text) => set(session, key, &text),
            Err(message) => usage(message),
        },
        ["set", key, value] => set(session, key, value),
        ["settings"] => settings(session),
        ["traffic", service, rate] => {
            match rate.strip_prefix("rps=").unwrap_or(rate).parse::<u32>() {
                Ok(rate) => everywhere(session, Command::Traffic((*service).into(), rate)),
                Err(_) => usage(catalogue::TRAFFIC.plain()),
            }
        }
        ["metrics"] => Output::text(metrics(session.history.lab())),
        ["metrics", "-o", "json"] => Output::text(metrics_json(session.history.lab())),
        ["trace", filter @ ..] => trace_lines(session, filter),
        ["why", object] => explain(session, object),
        ["scores", pod] => super::scores::table(session, pod),
        ["scores", pod, "-o", format] | ["scores", "-o", format, pod] => {
            super::scores::document(session, pod, format)
        }
        ["fork"] => {
            session.history.fork();
            let (_, current) = session.history.branches();
            let now = session.history.now();
            Output::text(Passage::from(branch(&current, &now)).then("\n"))
        }
        ["branches"] => branches(session),
        ["switch", number] => match number.parse::<usize>() {
            Ok(number) if session.history.switch(number) => Output::default(),
            _ => usage(
                catalogue::NO_BRANCH
                    .with(&[("number", number)])
                    .advise(see("sim branches")),
            ),
        },
        ["seek", time] => match SimDuration::parse(time) {
            Ok(time) => {
                session.history.seek(SimTime::ZERO + time);
                Output::default()
            }
            Err(message) => usage(message),
        },
        ["usage", rest @ ..] => super::host::usage::run(session, rest),
        ["packet", rest @ ..] => packet(session, rest),
        ["hash"] => Output::text(format!("{}\n", session.history.lab().fingerprint().hex())),
        ["load", rest @ ..] => super::import::load(session, rest, input),
        ["controllers", rest @ ..] => super::import::controllers(session, rest),
        ["metric", rest @ ..] => super::import::metric(session, rest),
        ["operator", rest @ ..] => super::operator::run(session, rest, input),
        [] | ["help" | "--help" | "-h"] => Output::text(commands()),
        _ => {
            let said = catalogue::SIM_UNKNOWN.with(&[("command", &arguments.join(" "))]);
            Output::error(2, Passage::from(said).then("\n").then(commands()))
        }
    }
}

/// What `sim` knows, a line each.
fn commands() -> Passage {
    let lines = USAGE.split(" | ").map(|one| format!("\n  {one}"));
    Passage::from(catalogue::USAGE.with(&[("usage", &"sim COMMAND")]))
        .then(lines.collect::<String>())
        .then("\n")
}

fn see(command: &str) -> Sentence {
    catalogue::SEE.with(&[("command", &command)])
}

/// Adds one machine, or as many as a range in its name says: `worker-{1..50}`.
fn add_machines(session: &mut Session, name: &str, words: &[&str]) -> Output {
    let names = match ranged(name) {
        Ok(names) => names,
        Err(message) => return usage(message),
    };
    for name in names {
        let output = match machine(&name, words) {
            Ok(spec) => everywhere(session, Command::AddMachine(Box::new(spec))),
            Err(sentence) => return usage(sentence),
        };
        if output.code != 0 {
            return output;
        }
    }
    Output::default()
}

/// Names that a name with `{1..50}` in it stands for.
fn ranged(name: &str) -> Result<Vec<String>, Sentence> {
    let Some((before, rest)) = name.split_once('{') else {
        return Ok(vec![name.to_owned()]);
    };
    let parts = rest.split_once('}').and_then(|(range, after)| {
        let (from, to) = range.split_once("..")?;
        Some((from.parse::<u32>().ok()?, to.parse::<u32>().ok()?, after))
    });
    match parts {
        Some((from, to, after)) if from <= to && to - from < MACHINES_MAX => Ok((from..=to)
            .map(|number| format!("{before}{number}{after}"))
            .collect()),
        _ => Err(catalogue::MACHINE_RANGE.with(&[
            ("word", &name),
            ("example", &"worker-{1..50}"),
            ("most", &MACHINES_MAX),
        ])),
    }
}

fn usage(said: impl Into<Sentence>) -> Output {
    Output::error(2, said.into())
}

fn fault(session: &mut Session, text: &str) -> Output {
    let mut spec = match FaultSpec::parse(text) {
        Ok(spec) => spec,
        Err(sentence) => return usage(sentence),
    };
    if let Some(at) = spec.at
        && at < session.history.now()
    {
        return usage(super::past(&at, &session.history));
    }
    if let Err(sentence) = check_target(session.history.lab(), &spec) {
        return usage(sentence);
    }
    if spec.at.is_none() {
        spec.at = Some(session.history.now());
    }
    let answers = session.history.input(Input {
        only: None,
        command: Command::Inject(spec),
    });
    match answers.first() {
        Some((_, Answer::Fault(number))) => {
            let said = catalogue::FAULT_NUMBER.with(&[("number", number)]);
            Output::text(Passage::from(said).then("\n"))
        }
        _ => Output::default(),
    }
}

/// Checks that a fault names a machine that exists somewhere.
///
/// # Errors
/// A sentence with the machines that there are.
pub fn check_target(lab: &Lab, spec: &FaultSpec) -> Result<(), Sentence> {
    use crate::engine::command::FaultKind;
    match spec.kind {
        FaultKind::NodeCrash
        | FaultKind::NodeReboot
        | FaultKind::KubeletKill
        | FaultKind::RuntimeKill
        | FaultKind::NodeDrain
        | FaultKind::NodeShutdown
        | FaultKind::EtcdMemberLoss => machine_exists(lab, &spec.target),
        FaultKind::Delay | FaultKind::Loss if !spec.target.contains('|') => {
            // A replica is known by its plane alone.
            if spec.target.contains('/') {
                return Ok(());
            }
            machine_exists(lab, &spec.target)
        }
        FaultKind::Partition | FaultKind::Delay | FaultKind::Loss => {
            let names = spec.target.split('|').flat_map(|side| side.split(','));
            names
                .map(str::trim)
                .try_for_each(|name| machine_exists(lab, name))
        }
        FaultKind::DiskFill
        | FaultKind::DiskSlow
        | FaultKind::ClockSkew
        | FaultKind::StorageLoss => machine_exists(lab, &spec.target),
        FaultKind::WatchStale
            if crate::kube::control_plane::Part::parse(&spec.target).is_some() =>
        {
            Ok(())
        }
        FaultKind::WatchStale => machine_exists(lab, &spec.target),
        FaultKind::PodKill
        | FaultKind::ContainerKill
        | FaultKind::Oom
        | FaultKind::CpuHog
        | FaultKind::KernelPanic
        | FaultKind::MemoryLeak
        | FaultKind::RegistryDown
        | FaultKind::RegistrySlow
        | FaultKind::ImageMissing
        | FaultKind::LeaderLoss
        | FaultKind::ApiserverDown
        | FaultKind::ApiserverSlow
        | FaultKind::EtcdSlow
        | FaultKind::ControllerRestart
        | FaultKind::SchedulerDown => Ok(()),
        FaultKind::ZoneOutage => {
            let known = lab.worlds.iter().any(|world| {
                world
                    .symbols
                    .get(&spec.target)
                    .is_some_and(|zone| !world.machines_in_zone(zone).is_empty())
            });
            if known {
                Ok(())
            } else {
                Err(catalogue::NO_ZONE.with(&[("word", &spec.target)]))
            }
        }
    }
}

fn machine_exists(lab: &Lab, name: &str) -> Result<(), Sentence> {
    if name.starts_with("of:") || lab.worlds.iter().any(|world| world.machine(name).is_some()) {
        return Ok(());
    }
    let mut names: Vec<String> = Vec::new();
    for world in &lab.worlds {
        for (_, machine) in world.substrate.machines() {
            let name = world.symbols.text(machine.name);
            if !names.iter().any(|known| known == name) {
                names.push(name.to_owned());
            }
        }
    }
    names.truncate(12);
    let machines = catalogue::MACHINES_ARE.with(&[("names", &names.join(", "))]);
    Err(catalogue::NO_MACHINE
        .with(&[("word", &name)])
        .advise(machines))
}

fn faults(session: &Session) -> Output {
    let mut text = Passage::default();
    for world in &session.history.lab().worlds {
        for (number, fault) in world.faults.list.iter().enumerate() {
            let state = match fault.state {
                FaultState::Scheduled => catalogue::SCHEDULED,
                FaultState::Active => catalogue::ACTIVE,
                FaultState::Ended => catalogue::ENDED,
                FaultState::NotApplicable => catalogue::NOT_APPLICABLE,
            };
            text.push(format!(
                "{:<11} {number:<3} {:<15} {:<20} ",
                world.orchestrator.name(),
                fault.spec.kind.name(),
                fault.spec.target
            ));
            text.push(state.plain());
            text.push("\n");
        }
    }
    Output::text(text)
}

fn heal(session: &mut Session, number: Option<u32>) -> Output {
    everywhere(session, Command::Heal(number))
}

/// Gives a command to every world; fails if every world refuses it.
fn everywhere(session: &mut Session, command: Command) -> Output {
    let answers = session.history.input(Input {
        only: None,
        command,
    });
    let refusals: Vec<&Sentence> = answers
        .iter()
        .filter_map(|(_, answer)| match answer {
            Answer::Refused(message) => Some(message),
            Answer::Done
            | Answer::Fault(_)
            | Answer::Kube(_)
            | Answer::Swarm(_)
            | Answer::Compose(_) => None,
        })
        .collect();
    match refusals.first() {
        Some(message) if refusals.len() == answers.len() => Output::error(1, (*message).clone()),
        _ => Output::default(),
    }
}

/// Words of a machine, as a refusal lists them.
const MACHINE_WORDS: &str = "cpu, memory, disk, swap, zone, label.KEY, taint, cgroup, cgroup-driver, runtime, network, vendor/resource, allocatable.RESOURCE, image.NAME, role, address, os, arch, engine-label.KEY, generic.KIND";

/// Reads `cpu=4 memory=8Gi zone=a label.k=v taint=k=v:Effect name/resource=2`.
///
/// # Errors
/// A sentence naming the word.
pub fn machine(name: &str, words: &[&str]) -> Result<MachineSpec, Sentence> {
    let mut spec = MachineSpec {
        name: name.into(),
        milli_cpu: 4_000,
        memory_bytes: 8 << 30,
        zone: "".into(),
        extended: Vec::new(),
        profile: Default::default(),
        subnet: None,
        setup: NodeSetup {
            control: false,
            labels: Vec::new(),
            taints: Vec::new(),
            ..NodeSetup::default()
        },
    };
    for word in words {
        let wrong = |form: Form| form.with(&[("word", word)]);
        let Some((key, value)) = word.split_once('=') else {
            return Err(wrong(catalogue::MACHINE_WORDS));
        };
        match key {
            "cpu" => spec.milli_cpu = quantity(value)?.milli_value(),
            "memory" => spec.memory_bytes = quantity(value)?.value(),
            "zone" | "label.zone" | "label.topology.kubernetes.io/zone" => {
                spec.zone = value.into();
                spec.setup
                    .labels
                    .push(("topology.kubernetes.io/zone".into(), value.into()));
                if key == "label.zone" {
                    spec.setup.labels.push(("zone".into(), value.into()));
                }
            }
            "cgroup" | "cgroups" => {
                spec.profile.cgroups = match value {
                    "v1" | "1" => Version::V1,
                    "v2" | "2" => Version::V2,
                    _ => return Err(wrong(catalogue::MACHINE_CGROUP)),
                }
            }
            "cgroup-driver" => {
                spec.profile.driver = Some(match value {
                    "systemd" => Driver::Systemd,
                    "cgroupfs" => Driver::Cgroupfs,
                    _ => return Err(wrong(catalogue::MACHINE_DRIVER)),
                })
            }
            "runtime" => match value {
                "containerd" => spec.profile.engine = Engine::Containerd,
                "crio" | "cri-o" => spec.profile.engine = Engine::Crio,
                _ => {
                    let Some(runtime) = spec.profile.runtime(value) else {
                        return Err(wrong(catalogue::MACHINE_RUNTIME));
                    };
                    spec.profile.default_runtime = Some(runtime.name);
                }
            },
            "network" => {
                let Some(kind) = NetworkKind::parse(value) else {
                    return Err(wrong(catalogue::MACHINE_NETWORK));
                };
                spec.profile.network = Some(kind);
            }
            "ephemeral-storage" | "disk" => {
                spec.profile.disk_bytes = quantity(value)?.value().unsigned_abs();
            }
            "swap" => spec.profile.swap_bytes = quantity(value)?.value().unsigned_abs(),
            "taint" => spec.setup.taints.push(value.into()),
            "role" if value == "manager" => spec.setup.manager = true,
            "role" if value == "worker" => spec.setup.manager = false,
            // Only Kubernetes and Swarm have machines that carry the control plane.
            "role" if value == "control-plane" => spec.setup.control = true,
            "role" => return Err(catalogue::MACHINE_ROLE.with(&[("word", &value)])),
            "address" => spec.setup.address = Some(value.into()),
            "os" => spec.setup.os = Some(value.into()),
            "arch" => spec.setup.architecture = Some(value.into()),
            _ if key.starts_with("allocatable.") => {
                let name = &key["allocatable.".len()..];
                let amount = quantity(value)?;
                let amount = if name == "cpu" {
                    amount.milli_value()
                } else {
                    amount.value()
                };
                spec.setup.allocatable.push((name.into(), amount));
            }
            _ if key.starts_with("image.") => {
                let name = &key["image.".len()..];
                let size = quantity(value)?.value().unsigned_abs();
                spec.setup.images.push(([name.into()].into(), size));
            }
            _ => match key.strip_prefix("label.") {
                Some(label) => spec.setup.labels.push((label.into(), value.into())),
                None if key.starts_with("engine-label.") => spec
                    .setup
                    .engine_labels
                    .push((key["engine-label.".len()..].into(), value.into())),
                None if key.starts_with("generic.") => spec
                    .extended
                    .push((key["generic.".len()..].into(), quantity(value)?.value())),
                None if key.contains('/') || key.starts_with("hugepages-") => {
                    spec.extended.push((key.into(), quantity(value)?.value()))
                }
                None => {
                    return Err(catalogue::MACHINE_WORD_UNKNOWN
                        .with(&[("word", &key)])
                        .advise(catalogue::KNOWN.with(&[("names", &MACHINE_WORDS)])));
                }
            },
        }
    }
    if spec.milli_cpu <= 0 || spec.memory_bytes <= 0 {
        return Err(catalogue::MACHINE_SIZE.plain());
    }
    Ok(spec)
}

fn quantity(text: &str) -> Result<Quantity, Sentence> {
    Quantity::parse(text).map_err(|error| {
        catalogue::AMOUNT
            .with(&[("word", &text)])
            .and("why", error.into())
    })
}

/// Reads the words of `sim node set`.
fn changed(name: &str, words: &[&str]) -> Result<MachineChange, Sentence> {
    let mut change = MachineChange {
        name: name.into(),
        ..MachineChange::default()
    };
    for word in words {
        let (key, value) = word.split_once('=').unwrap_or((word, ""));
        let amount = quantity(value)?;
        match key {
            "cpu" => change.milli_cpu = Some(amount.milli_value()),
            "memory" => change.memory_bytes = Some(amount.value()),
            _ => match key.strip_prefix("generic.") {
                Some(kind) => change.extended.push((kind.into(), amount.value())),
                None => {
                    let known = [(
                        "names",
                        &"cpu, memory, generic.KIND" as &dyn std::fmt::Display,
                    )];
                    return Err(catalogue::MACHINE_WORD_UNKNOWN
                        .with(&[("word", &key)])
                        .advise(catalogue::KNOWN.with(&known)));
                }
            },
        }
    }
    Ok(change)
}

/// Text of a file of the session, or of what was typed.
fn document(session: &Session, name: &str, input: &str) -> Result<String, Sentence> {
    if name == "-" {
        return Ok(input.to_owned());
    }
    match session.file(name) {
        Some(text) => Ok(text.to_string()),
        None => Err(catalogue::NO_FILE.with(&[("word", &name)])),
    }
}

fn set(session: &mut Session, key: &str, value: &str) -> Output {
    // A flag belongs to the worlds that know it; one that nobody knows is an error.
    let knows: Vec<Orchestrator> = session
        .history
        .lab()
        .worlds
        .iter()
        .filter(|world| world.settings().iter().any(|(known, _)| *known == key))
        .map(|world| world.orchestrator)
        .collect();
    let is_alias = crate::kube::kubelet::resources::is_alias(key)
        || crate::kube::kubelet::eviction::settings::is_alias(key)
        || crate::kube::kubelet::image_gc::is_alias(key)
        || crate::kube::reserved::is_alias(key);
    let knows = if knows.is_empty() && is_alias {
        vec![Orchestrator::Kubernetes]
    } else {
        knows
    };
    if knows.is_empty() {
        return usage(
            catalogue::SETTING_UNKNOWN
                .with(&[("word", &key)])
                .advise(see("sim settings")),
        );
    }
    for orchestrator in knows {
        match session.command(orchestrator, Command::Set(key.into(), value.into())) {
            Ok(Answer::Refused(message)) => return usage(message),
            Ok(_) => {}
            Err(output) => return output,
        }
    }
    Output::default()
}

fn settings(session: &Session) -> Output {
    let mut text = String::new();
    for world in &session.history.lab().worlds {
        for (key, value) in world.settings() {
            text.push_str(&format!("{key} {value}\n"));
        }
    }
    Output::text(text)
}

fn metrics(lab: &Lab) -> Passage {
    let columns = [
        catalogue::COLUMN_ORCHESTRATOR,
        catalogue::COLUMN_SERVICE,
        catalogue::COLUMN_DESIRED,
        catalogue::COLUMN_READY,
        catalogue::COLUMN_ANSWERED,
        catalogue::COLUMN_AVAILABILITY,
        catalogue::COLUMN_UNAVAILABLE,
    ];
    let mut rows = Vec::new();
    for world in &lab.worlds {
        for service in RunReport::of(world).services {
            let cells = vec![
                world.orchestrator.name().to_owned(),
                service.name.to_string(),
                service
                    .desired
                    .map_or_else(|| "-".to_owned(), |desired| desired.to_string()),
                service.ready.to_string(),
                service
                    .answered_ppm
                    .map_or_else(|| "-".to_owned(), crate::engine::report::percent),
                service
                    .availability_ppm
                    .map_or_else(|| "-".to_owned(), crate::engine::report::percent),
                service
                    .unavailable
                    .map_or_else(|| "-".to_owned(), |span| span.to_string()),
            ];
            rows.push(cells);
        }
    }
    super::table::own(&columns, rows)
}

/// What the runs amount to, as JSON in the shape of design §3.1.
pub fn metrics_json(lab: &Lab) -> String {
    let runs: Vec<Value> = lab
        .worlds
        .iter()
        .map(|world| RunReport::of(world).value())
        .collect();
    let document = Value::object([
        ("schemaVersion", Value::Int(1)),
        ("at_s", crate::engine::report::seconds(Some(lab.now))),
        ("runs", Value::list(runs)),
    ]);
    crate::object::print::json_pretty(&document, crate::object::print::KeyOrder::Stored)
}

fn trace_lines(session: &Session, filter: &[&str]) -> Output {
    let mut all = Passage::default();
    let lab = session.history.lab();
    for world in &lab.worlds {
        if world.trace.dropped() > 0 {
            let older = catalogue::OLDER_LINES.with(&[
                ("count", &world.trace.dropped()),
                ("orchestrator", &world.orchestrator.name()),
            ]);
            all.push(Passage::from("… ").then(older).then("\n"));
        }
        let mut text = String::new();
        // An object may be called by any word for its kind.
        let words = filter.iter().map(|word| (*word, world.trace_object(word)));
        let words: Vec<(&str, String)> = words.collect();
        for entry in world.trace.iter() {
            let line = trace::line(entry, &world.symbols);
            let has = |(word, object): &(&str, String)| {
                line.contains(word) || line.contains(object.as_str())
            };
            if words.iter().all(has) {
                text.push_str(&line);
                text.push('\n');
            }
        }
        all.push(text);
    }
    Output::text(all)
}

fn explain(session: &Session, object: &str) -> Output {
    let mut text = Passage::default();
    for world in &session.history.lab().worlds {
        let chain = why::why(world, object);
        let silent = silent(world, object);
        if chain.is_none() && silent.is_none() {
            continue;
        }
        text.push(format!("{}:\n", world.orchestrator.name()));
        if let Some(chain) = chain {
            text.push(why::why_text(world, &chain));
        }
        if let Some(silent) = silent {
            text.push(silent);
            text.push("\n");
        }
    }
    if text.is_empty() {
        return Output::error(1, catalogue::TRACE_KNOWS_NOT.with(&[("object", &object)]));
    }
    Output::text(text)
}

/// That a service answers nobody, and why.
fn silent(world: &World, object: &str) -> Option<Sentence> {
    let object = world.trace_object(object);
    let name = object.strip_prefix("service/")?;
    world.silence(world.symbols.get(name)?)
}

/// Follows one packet in each world that knows its ends.
fn packet(session: &Session, words: &[&str]) -> Output {
    let lab = session.history.lab();
    // Worlds in which nothing runs have nothing to say, if there are others.
    let busy = |world: &&World| world.substrate.sandboxes().next().is_some();
    let some = lab.worlds.iter().any(|world| busy(&world));
    let mut outputs = lab
        .worlds
        .iter()
        .filter(|world| !some || busy(world))
        .map(|world| {
            (
                world.orchestrator,
                super::host::firewall::packet(world, lab.now, words),
            )
        })
        .collect::<Vec<_>>();
    // A world that does not know the ends says so; if all say so, the first one's words count.
    if outputs.iter().any(|(_, output)| output.code != 2) {
        outputs.retain(|(_, output)| output.code != 2);
    } else {
        outputs.truncate(1);
    }
    let several = outputs.len() > 1;
    let mut all = Output::default();
    for (orchestrator, output) in outputs {
        if several {
            all.stdout.push(format!("# {}\n", orchestrator.name()));
        }
        all.stdout.push(&output.stdout);
        all.stderr.push(&output.stderr);
        all.code = all.code.max(output.code);
    }
    all
}

fn branch(number: &dyn Display, at: &dyn Display) -> Sentence {
    catalogue::BRANCH.with(&[("number", number), ("at", at)])
}

fn branches(session: &Session) -> Output {
    let (branches, current) = session.history.branches();
    let mut text = Passage::default();
    for (number, one) in branches.iter().enumerate() {
        let mark = if number == current { "*" } else { " " };
        let origin = match &one.parent {
            None => catalogue::START.plain(),
            Some((parent, at)) => branch(parent, at),
        };
        let from = catalogue::BRANCH_FROM.with(&[("inputs", &one.log.len()), ("tip", &one.tip)]);
        text.push(format!("{mark} {number}  "));
        text.push(from.and("origin", origin));
        text.push("\n");
    }
    Output::text(text)
}
