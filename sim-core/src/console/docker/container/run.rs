//! `docker run` and `docker create`. Source: docker/cli `cli/command/container/{run,create,opts}.go`.

use std::sync::Arc;

use super::verb;
use super::{image, until};
use crate::api::compose::container::{ContainerConfig, ContainerLimits};
use crate::api::compose::service::{Port, Restart};
use crate::api::health::{HealthCheck, HealthTest};
use crate::api::swarm::service::{Mount, MountKind};
use crate::base::rng::{Stream, stable_hash};
use crate::base::sentence::catalogue;
use crate::base::sentence::passage::Passage;
use crate::base::sorted::{SortedMap, SortedSet};
use crate::base::time::{SimDuration, SimTime};
use crate::compose::store::State;
use crate::compose::{Request, Response};
use crate::console::docker::flags::{Grammar, Parsed, parse};
use crate::console::docker::mount;
use crate::console::docker::words::read_bytes;
use crate::console::{Output, Session, follow};
use crate::engine::command::Orchestrator;
use crate::manifest::compose::loaded::Variables;
use crate::manifest::compose::{dotenv, port};
use crate::manifest::decode::amount::parse_decimal;
use crate::manifest::decode::duration;

/// Longest wait for an attached container.
const LONGEST: SimDuration = SimDuration::from_minutes(60);

/// Flags of `docker create`, which `docker run` has too.
macro_rules! create_flags {
    ($more:literal) => {
        concat!(
            $more,
            " name= env,e=* env-file=* publish,p=* publish-all,P expose=* volume,v=* mount=* tmpfs=* network=* net=* network-alias=* ",
            "restart= rm memory,m= memory-swap= memory-reservation= cpus= cpu-shares,c= cpu-period= cpu-quota= cpuset-cpus= ",
            "pids-limit= blkio-weight= oom-score-adj= shm-size= label,l=* hostname,h= user,u= workdir,w= entrypoint= ",
            "health-cmd= health-interval= health-timeout= health-retries= health-start-period= health-start-interval= no-healthcheck ",
            "stop-signal= stop-timeout= interactive,i tty,t init privileged read-only cap-add=* cap-drop=* dns=* add-host=* ",
            "pull= quiet,q platform= ulimit=* security-opt=* log-driver= log-opt=* ",
            "annotation=*! attach,a=*! cgroup-parent=! cgroupns=! cidfile=! cpuset-mems=! device=*! device-read-bps=*! device-write-bps=*! ",
            "device-cgroup-rule=*! dns-option=*! dns-search=*! domainname=! gpus=! group-add=*! ip=! ip6=! ipc=! isolation=! ",
            "kernel-memory=! label-file=*! link=*! link-local-ip=*! mac-address=! memory-swappiness=! oom-kill-disable! ",
            "pid=! runtime=! storage-opt=*! sysctl=*! userns=! uts=! volume-driver=! volumes-from=*!"
        )
    };
}

const RUN: Grammar = Grammar {
    path: "docker run",
    usage: "[OPTIONS] IMAGE [COMMAND] [ARG...]",
    flags: create_flags!("detach,d sig-proxy detach-keys=!"),
    least: 1,
    most: None,
    interspersed: false,
};
const CREATE: Grammar = Grammar {
    path: "docker create",
    usage: "[OPTIONS] IMAGE [COMMAND] [ARG...]",
    flags: create_flags!(""),
    least: 1,
    most: None,
    interspersed: false,
};

/// `docker run`.
pub fn run(session: &mut Session, input: &[String]) -> Result<Output, Output> {
    let parsed = parse(&RUN, input)?;
    let mut notes = Passage::default();
    let id = create(session, &parsed, "run", &mut notes)?;
    let name = super::verb::name_of(session, &id).unwrap_or_default();
    let detached = parsed.has("detach");
    launch(session, &name, detached, "docker: ", notes, &id).map_err(|mut refused| {
        // The client prints the identifier before it asks for the start.
        if detached {
            refused.stdout = format!("{id}\n").into();
        }
        refused
    })
}

/// Starts a container that was just made; attached, it is followed to its end. `id` is printed by a
/// detached command.
///
/// # Errors
/// The client's text and exit code if the engine refuses the start.
pub fn launch(
    session: &mut Session,
    name: &str,
    detached: bool,
    prefix: &str,
    mut notes: Passage,
    id: &str,
) -> Result<Output, Output> {
    let containers = vec![Arc::from(name)];
    verb::act(session, Request::Start { containers })?;
    until(session, LONGEST, |session| {
        verb::stored(session, name, |row| {
            row.started_at.is_some() || row.error.is_some() && row.state == State::Created
        })
        .unwrap_or(true)
    });
    let world = session.world(Orchestrator::Compose)?;
    let refused = verb::stored(session, name, |row| {
        let error = row.error.filter(|_| row.state == State::Created)?;
        Some((world.symbols.text(error).to_owned(), row.refusal))
    });
    if let Some((message, code)) = refused.flatten() {
        notes.push(format!(
            "{prefix}Error response from daemon: {message}\n\nRun 'docker run --help' for more information\n"
        ));
        return Err(Output {
            stderr: notes,
            code,
            ..Output::default()
        });
    }
    if detached {
        return Ok(Output {
            stdout: format!("{id}\n").into(),
            stderr: notes,
            code: 0,
        });
    }
    attached(session, name, notes)
}

/// What a container will print from a time on until it ends by itself, and its code. Asked before the
/// end of one that is removed with it, which leaves nothing to read.
pub fn last_words(session: &Session, name: &str, since: SimTime) -> Option<(String, i32)> {
    let world = session.world(Orchestrator::Compose).ok()?;
    verb::stored(session, name, |row| {
        let process = world.substrate.container(row.process?)?;
        let (lines, code) = process.to_the_end()?;
        let new = lines.iter().filter(|(at, _)| *at >= since);
        Some((new.map(|(_, line)| format!("{line}\n")).collect(), code))
    })
    .flatten()
}

/// Whether a container's script waits for an answer.
fn asks(session: &Session, name: &str) -> bool {
    let Ok(world) = session.world(Orchestrator::Compose) else {
        return false;
    };
    let asks = verb::stored(session, name, |row| {
        let process = world.substrate.container(row.process?)?;
        Some(process.behaviour.question().is_some())
    });
    asks.flatten() == Some(true)
}

/// Prints what an attached container prints until it ends, and ends with its code.
fn attached(session: &mut Session, name: &str, mut notes: Passage) -> Result<Output, Output> {
    // How a script ends is known when it has its last answer.
    until(session, follow::SPAN, |session| !asks(session, name));
    let world = session.world(Orchestrator::Compose)?;
    let ends = verb::stored(session, name, |row| {
        let program = row
            .process
            .and_then(|process| world.substrate.container(process));
        let again = matches!(row.config.restart, Restart::Always | Restart::UnlessStopped);
        program.is_none_or(|program| program.behaviour.end.is_some()) && !again
    });
    let removes = verb::stored(session, name, |row| row.config.auto_remove).unwrap_or(true);
    if removes && ends == Some(true) {
        let end = last_words(session, name, SimTime::ZERO);
        until(session, LONGEST, |session| {
            verb::state(session, name).is_none()
        });
        let (stdout, code) = end.unwrap_or_default();
        return Ok(Output {
            stdout: stdout.into(),
            stderr: notes,
            code,
        });
    }
    if ends == Some(true) {
        until(session, LONGEST, |session| {
            verb::state(session, name).is_none_or(|state| state == "exited")
        });
    } else {
        notes.push(catalogue::GOES_ON.plain());
        notes.push("\n");
    }
    let now = session.history.now();
    let world = session.world(Orchestrator::Compose)?;
    let plane = world.compose();
    let (stdout, code) = verb::stored(session, name, |row| {
        let lines = plane
            .map(|plane| plane.log(row, &world.substrate, now))
            .unwrap_or_default();
        let text: String = lines.iter().map(|(_, line)| format!("{line}\n")).collect();
        let code = if row.state == State::Exited {
            row.exit_code
        } else {
            0
        };
        (text, code)
    })
    .unwrap_or_default();
    Ok(Output {
        stdout: stdout.into(),
        stderr: notes,
        code,
    })
}

/// `docker create`.
pub fn create_only(session: &mut Session, input: &[String]) -> Result<Output, Output> {
    let parsed = parse(&CREATE, input)?;
    let mut notes = Passage::default();
    let id = create(session, &parsed, "create", &mut notes)?;
    Ok(Output {
        stdout: format!("{id}\n").into(),
        stderr: notes,
        code: 0,
    })
}

/// Makes the container, after its image if that is not there. Returns its id.
fn create(
    session: &mut Session,
    parsed: &Parsed,
    word: &str,
    notes: &mut Passage,
) -> Result<String, Output> {
    if session.history.lab().world(Orchestrator::Compose).is_none() {
        return Err(Output::error(
            125,
            catalogue::ON_COMPOSE_HOST.with(&[("word", &word)]),
        ));
    }
    let refuse = |message: Passage| {
        let more = format!("\n\nRun 'docker {word} --help' for more information");
        Output::error(125, Passage::from("docker: ").then(message).then(more))
    };
    let config = config(session, parsed).map_err(refuse)?;
    if config.auto_remove && config.restart != Restart::No {
        return Err(refuse(
            "conflicting options: cannot specify both --restart and --rm".into(),
        ));
    }
    let policy = parsed.value("pull").unwrap_or("missing");
    if !matches!(policy, "missing" | "always" | "never") {
        return Err(refuse(format!(
            "invalid pull option: '{policy}': must be one of \"always\", \"missing\" or \"never\""
        ).into()));
    }
    let fetched = image::ensure(session, &config.image, policy, parsed.has("quiet"), notes);
    if let Err(message) = fetched {
        let mut output = refuse(message.into());
        output.stderr.put_before(&*notes);
        return Err(output);
    }
    let name = match parsed.value("name") {
        Some(name) => name.to_owned(),
        None => random_name(session),
    };
    if !valid_name(&name) {
        return Err(refuse(format!(
            "Error response from daemon: Invalid container name ({name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"
        ).into()));
    }
    let request = Request::Create {
        name: name.into(),
        config: Arc::new(config),
        one_off: None,
    };
    match verb::give(session, request)? {
        Ok(Response::Containers(ids)) => Ok(ids.into_iter().next().unwrap_or_default()),
        Ok(Response::Operation(_) | Response::Lines(_)) => Ok(String::new()),
        Err(refusal) if refusal.message.starts_with("Cannot connect") => Err(Output::error(
            125,
            Passage::from("docker: ").then(refusal.message),
        )),
        Err(refusal) => Err(refuse(
            Passage::from("Error response from daemon: ").then(refusal.message),
        )),
    }
}

/// Source: moby `daemon/names/names.go` RestrictedNameChars.
fn valid_name(name: &str) -> bool {
    let fits = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '.' | '-');
    name.len() > 1
        && name.starts_with(|first: char| first.is_ascii_alphanumeric())
        && name.chars().all(fits)
}

/// A name as Docker makes one up: a quality and a scientist. The words are a selection.
fn random_name(session: &Session) -> String {
    const QUALITIES: [&str; 16] = [
        "admiring", "bold", "busy", "clever", "eager", "elegant", "focused", "gifted", "happy",
        "keen", "modest", "nifty", "peaceful", "quirky", "relaxed", "vibrant",
    ];
    const PEOPLE: [&str; 16] = [
        "archimedes",
        "banach",
        "bohr",
        "curie",
        "darwin",
        "euclid",
        "franklin",
        "galileo",
        "hopper",
        "johnson",
        "kepler",
        "lovelace",
        "noether",
        "pascal",
        "turing",
        "wu",
    ];
    let Ok(world) = session.world(Orchestrator::Compose) else {
        return "container".to_owned();
    };
    let count = world
        .compose()
        .and_then(|plane| plane.containers().first().map(|row| row.ordinal))
        .unwrap_or(0);
    for attempt in 0..100_u64 {
        let mut stream = Stream::new(
            world.seed,
            "docker.name",
            stable_hash("name") ^ attempt,
            count,
        );
        let bits = stream.bits() as usize;
        let name = format!("{}_{}", QUALITIES[bits % 16], PEOPLE[(bits >> 8) % 16]);
        if verb::state(session, &name).is_none() {
            return name;
        }
    }
    format!("container_{count}")
}

/// The configuration that flags describe.
fn config(session: &Session, parsed: &Parsed) -> Result<ContainerConfig, Passage> {
    let text = |name: &str| -> Arc<str> { parsed.value(name).unwrap_or_default().into() };
    let texts =
        |name: &str| -> Vec<Arc<str>> { parsed.values(name).into_iter().map(Arc::from).collect() };
    let image: Arc<str> = parsed.words[0].as_str().into();
    if !crate::manifest::decode::image::is_reference(&image) {
        let reason = crate::substrate::image::ImageRef::flaw(&image);
        return Err(reason.into());
    }
    let command: Vec<Arc<str>> = parsed.words[1..]
        .iter()
        .map(|word| word.as_str().into())
        .collect();
    let mut environment: SortedMap<Arc<str>, Arc<str>> = SortedMap::new();
    let outer: Variables = session
        .environment
        .iter()
        .map(|(name, value)| (name.as_str().into(), value.as_str().into()))
        .collect();
    for file in parsed.values("env-file") {
        let content = session
            .file(file)
            .ok_or_else(|| format!("open {file}: no such file or directory"))?;
        environment.extend(dotenv::parse(content, &outer));
    }
    for pair in parsed.values("env") {
        match pair.split_once('=') {
            Some((name, value)) => {
                environment.insert(name.into(), value.into());
            }
            None => {
                if let Some(value) = outer.get(pair) {
                    environment.insert(pair.into(), value.clone());
                }
            }
        }
    }
    let labels = parsed
        .values("label")
        .into_iter()
        .map(|label| label.split_once('=').unwrap_or((label, "")))
        .map(|(key, value)| (key.into(), value.into()))
        .collect();
    let mut ports: Vec<Port> = Vec::new();
    for value in parsed.values("publish") {
        ports.extend(port::parse(value).map_err(|message| {
            let first = message.chars().next().map(String::from).unwrap_or_default();
            Passage::from(first.to_ascii_lowercase()).then(message.without_start(&first))
        })?);
    }
    let mut expose = SortedSet::new();
    for value in parsed.values("expose") {
        port::expose(value, &mut expose)
            .ok_or_else(|| format!("invalid range format for --expose: {value}"))?;
    }
    let mut mounts: Vec<Mount> = Vec::new();
    for value in parsed.values("volume") {
        mounts.push(mount::short(value)?);
    }
    for value in parsed.values("tmpfs") {
        mounts.push(Mount {
            kind: MountKind::Tmpfs,
            source: "".into(),
            target: value.split(':').next().unwrap_or("").into(),
            read_only: false,
        });
    }
    for value in parsed.values("mount") {
        mounts.push(mount::long("mount", value)?);
    }
    let (network_mode, networks) = networks(parsed);
    Ok(ContainerConfig {
        image,
        entrypoint: parsed.value("entrypoint").map(|word| match word {
            "" => Vec::new(),
            word => vec![word.into()],
        }),
        command: (!command.is_empty()).then_some(command),
        environment,
        labels,
        hostname: text("hostname"),
        user: text("user"),
        working_dir: text("workdir"),
        stop_signal: text("stop-signal"),
        stop_timeout: whole(parsed, "stop-timeout")?
            .and_then(|seconds| u64::try_from(seconds).ok())
            .map(SimDuration::from_secs),
        health_check: health(parsed)?,
        restart: restart(parsed.value("restart").unwrap_or("no"))?,
        ports,
        expose: expose.iter().copied().collect(),
        mounts,
        network_mode,
        networks,
        limits: limits(parsed, &ContainerLimits::default())?,
        tty: parsed.has("tty"),
        open_stdin: parsed.has("interactive"),
        privileged: parsed.has("privileged"),
        read_only: parsed.has("read-only"),
        auto_remove: parsed.has("rm"),
        init: parsed.has("init").then_some(true),
        cap_add: texts("cap-add"),
        cap_drop: texts("cap-drop"),
        dns: texts("dns"),
        extra_hosts: texts("add-host"),
    })
}

fn networks(parsed: &Parsed) -> (Arc<str>, SortedMap<Arc<str>, Vec<Arc<str>>>) {
    let mut given: Vec<&str> = parsed.values("network");
    given.extend(parsed.values("net"));
    let aliases: Vec<Arc<str>> = parsed
        .values("network-alias")
        .into_iter()
        .map(Arc::from)
        .collect();
    let mode: Arc<str> = given.first().copied().unwrap_or("bridge").into();
    let own = |name: &&str| {
        !matches!(*name, "bridge" | "default" | "host" | "none") && !name.starts_with("container:")
    };
    let networks = given
        .into_iter()
        .filter(own)
        .map(|name| (Arc::from(name), aliases.clone()))
        .collect();
    (mode, networks)
}

/// A restart policy. Source: docker/cli `opts/parse.go` ParseRestartPolicy, moby
/// `api/types/container/hostconfig.go` ValidateRestartPolicy.
///
/// # Errors
/// The real tools' sentences.
pub fn restart(text: &str) -> Result<Restart, String> {
    let (name, count) = match text.split_once(':') {
        Some((name, count)) => (name, Some(count)),
        None => (text, None),
    };
    let count = match count {
        None => None,
        Some(count) => Some(count.parse::<i64>().map_err(|_| {
            "invalid restart policy format: maximum retry count must be an integer".to_owned()
        })?),
    };
    let plain = |restart| {
        match count {
        None | Some(0) => Ok(restart),
        Some(_) => Err(
            "Error response from daemon: invalid restart policy: maximum retry count can only be used with 'on-failure'"
                .to_owned(),
        ),
    }
    };
    match name {
        "no" | "" => plain(Restart::No),
        "always" => plain(Restart::Always),
        "unless-stopped" => plain(Restart::UnlessStopped),
        "on-failure" => match u32::try_from(count.unwrap_or(0)) {
            Ok(max_retries) => Ok(Restart::OnFailure { max_retries }),
            Err(_) => Err(
                "Error response from daemon: invalid restart policy: maximum retry count cannot be negative"
                    .to_owned(),
            ),
        },
        other => Err(format!(
            "Error response from daemon: invalid restart policy: unknown policy '{other}'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'"
        )),
    }
}

fn whole(parsed: &Parsed, name: &str) -> Result<Option<i64>, String> {
    match parsed.value(name) {
        None => Ok(None),
        Some(text) => text.parse().map(Some).map_err(|_| {
            format!("invalid argument \"{text}\" for \"--{name}\" flag: strconv.ParseInt: parsing \"{text}\": invalid syntax")
        }),
    }
}

fn size(parsed: &Parsed, name: &str, known: i64) -> Result<i64, String> {
    match parsed.value(name) {
        None => Ok(known),
        Some("-1") => Ok(-1),
        Some(text) => read_bytes(text)
            .map(|bytes| i64::try_from(bytes).unwrap_or(i64::MAX))
            .map_err(|message| {
                format!("invalid argument \"{text}\" for \"--{name}\" flag: {message}")
            }),
    }
}

/// Bounds that flags set, over those that are known.
///
/// # Errors
/// The command line's sentence.
pub fn limits(parsed: &Parsed, known: &ContainerLimits) -> Result<ContainerLimits, String> {
    let number = |name: &str, known: i64| Ok::<i64, String>(whole(parsed, name)?.unwrap_or(known));
    let nano_cpus = match parsed.value("cpus") {
        None => known.nano_cpus,
        Some(text) => parse_decimal(text, 9)
            .and_then(|nano| i64::try_from(nano).ok())
            .ok_or_else(|| format!("failed to parse {text} as a rational number"))?,
    };
    Ok(ContainerLimits {
        memory: size(parsed, "memory", known.memory)?,
        memory_swap: size(parsed, "memory-swap", known.memory_swap)?,
        memory_reservation: size(parsed, "memory-reservation", known.memory_reservation)?,
        nano_cpus,
        cpu_shares: number("cpu-shares", known.cpu_shares)?,
        cpu_period: number("cpu-period", known.cpu_period)?,
        cpu_quota: number("cpu-quota", known.cpu_quota)?,
        cpuset_cpus: parsed
            .value("cpuset-cpus")
            .map_or_else(|| known.cpuset_cpus.clone(), Arc::from),
        pids_limit: number("pids-limit", known.pids_limit)?,
        blkio_weight: number("blkio-weight", known.blkio_weight)?,
        oom_score_adj: number("oom-score-adj", known.oom_score_adj)?,
        shm_size: size(parsed, "shm-size", known.shm_size)?,
    })
}

fn health(parsed: &Parsed) -> Result<Option<HealthCheck>, String> {
    let span = |name: &str, default: SimDuration| match parsed.value(name) {
        None => Ok(default),
        Some(text) => duration::parse(text).map_err(|message| {
            format!("invalid argument \"{text}\" for \"--{name}\" flag: time: {message}")
        }),
    };
    let changes = [
        "health-cmd",
        "health-interval",
        "health-timeout",
        "health-retries",
        "health-start-period",
        "health-start-interval",
    ];
    let given = changes.iter().any(|name| parsed.value(name).is_some());
    let disabled = parsed.has("no-healthcheck");
    if disabled && given {
        return Err("--no-healthcheck conflicts with --health-* options".to_owned());
    }
    if !given && !disabled {
        return Ok(None);
    }
    let retries = whole(parsed, "health-retries")?
        .filter(|retries| *retries != 0)
        .unwrap_or(3);
    let retries =
        u32::try_from(retries).map_err(|_| "--health-retries cannot be negative".to_owned())?;
    let test = if disabled {
        Some(HealthTest::Disabled)
    } else {
        parsed
            .value("health-cmd")
            .map(|line| HealthTest::Shell(line.into()))
    };
    let or = |span: SimDuration, default| if span.is_zero() { default } else { span };
    let half_minute = SimDuration::from_secs(30);
    Ok(Some(HealthCheck {
        test,
        interval: or(span("health-interval", half_minute)?, half_minute),
        timeout: or(span("health-timeout", half_minute)?, half_minute),
        retries,
        start_period: span("health-start-period", SimDuration::ZERO)?,
        start_interval: or(
            span("health-start-interval", SimDuration::from_secs(5))?,
            SimDuration::from_secs(5),
        ),
    }))
}
