//! `docker service create`, and readers of values that `create` and `update` share.
//! Source: docker/cli `cli/command/service/{create,opts}.go`.

use std::sync::Arc;

use super::flags::{Grammar, Parsed, parse};
use super::generic_resource::generic;
use super::service::append;
use super::words::read_bytes;
use super::{ask, container_flags, distribution, mount, progress};
use crate::api::health::{HealthCheck, HealthTest};
use crate::api::resources::{ResourceAmounts, ResourceNeeds};
use crate::api::swarm::service::{
    ContainerSpec, EndpointMode, FailureAction, Placement, PortProtocol, PublishMode,
    PublishedPort, RestartCondition, RestartPolicy, ServiceMode, ServiceSpec, TaskSpec,
    UpdateConfig, UpdateOrder,
};
use crate::base::arrange::Arrange;
use crate::base::sentence::passage::Passage;
use crate::base::sorted::SortedMap;
use crate::base::time::SimDuration;
use crate::console::{Output, Session};
use crate::manifest::decode::amount::parse_decimal;
use crate::substrate::image::tagged;
use crate::swarm::control_api::{Kind, Request, Response};

const CREATE: Grammar = Grammar {
    path: "docker service create",
    usage: "[OPTIONS] IMAGE [COMMAND] [ARG...]",
    flags: concat!(
        "name= mode= replicas= max-concurrent= detach,d quiet,q label,l=* env,e=* env-file=* publish,p=* constraint=* placement-pref=* ",
        "replicas-max-per-node= network=* mount=* secret=* config=* entrypoint= endpoint-mode= stop-grace-period= ",
        "limit-cpu= limit-memory= reserve-cpu= reserve-memory= generic-resource=* ",
        "restart-condition= restart-delay= restart-max-attempts= restart-window= ",
        "update-parallelism= update-delay= update-failure-action= update-monitor= update-max-failure-ratio= update-order= ",
        "rollback-parallelism= rollback-delay= rollback-failure-action= rollback-monitor= rollback-max-failure-ratio= rollback-order= ",
        "health-cmd= health-interval= health-timeout= health-retries= health-start-period= health-start-interval= no-healthcheck no-resolve-image with-registry-auth ",
        "cap-add=* cap-drop=* container-label=* credential-spec=! dns=* dns-option=* dns-search=* group=* host=* hostname= init isolation=! ",
        "limit-pids= log-driver= log-opt=* memory-swap=! memory-swappiness=! oom-score-adj= read-only stop-signal= sysctl=* tty,t ulimit=* user,u= workdir,w="
    ),
    least: 1,
    most: None,
    interspersed: false,
};

/// Least CPU that may be asked for, in billionths. Source: swarmkit `controlapi/service.go`.
const CPU_NANOS_MIN: u64 = 1_000_000;

/// A specification with Swarm's defaults. Source: swarmkit `api/defaults/service.go`.
pub fn blank(name: &str, image: &str) -> ServiceSpec {
    let update = UpdateConfig {
        parallelism: 1,
        delay: SimDuration::ZERO,
        failure_action: FailureAction::Pause,
        monitor: SimDuration::from_secs(5),
        max_failure_ratio_millionths: 0,
        order: UpdateOrder::StopFirst,
    };
    ServiceSpec {
        name: name.into(),
        labels: SortedMap::new(),
        mode: ServiceMode::Replicated { replicas: 1 },
        task: TaskSpec {
            container: ContainerSpec {
                image: image.into(),
                command: Vec::new(),
                args: Vec::new(),
                env: SortedMap::new(),
                health_check: None,
                stop_grace_period: SimDuration::from_secs(10),
                mounts: Vec::new(),
                configs: Vec::new(),
                secrets: Vec::new(),
                options: Default::default(),
            },
            resources: ResourceNeeds::default(),
            restart_policy: RestartPolicy {
                condition: RestartCondition::Any,
                delay: SimDuration::from_secs(5),
                max_attempts: 0,
                window: SimDuration::ZERO,
            },
            placement: Placement::default(),
            networks: Vec::new(),
            force_update: 0,
        },
        endpoint_mode: EndpointMode::Vip,
        ports: Vec::new(),
        update_config: update,
        rollback_config: update,
    }
}

/// Runs `docker service create`.
pub fn create(session: &mut Session, words: &[String]) -> Result<Output, Output> {
    let parsed = parse(&CREATE, words)?;
    super::manager(session)?;
    let name = match parsed.value("name") {
        Some(name) => name.to_owned(),
        None => invented(super::manager(session)?),
    };
    let mut spec = blank(&name, &parsed.words[0]);
    mode(&parsed, &mut spec)?;
    spec.task.container.args = parsed.words[1..]
        .iter()
        .map(|word| word.as_str().into())
        .collect();
    for label in parsed.values("label") {
        let (key, value) = pair(label);
        spec.labels.insert(key, value);
    }
    for file in parsed.values("env-file") {
        let Some(text) = session.file(file) else {
            return Err(Output::error(
                1,
                format!("open {file}: no such file or directory"),
            ));
        };
        for line in text
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
        {
            let (key, value) = pair(line);
            spec.task.container.env.insert(key, value);
        }
    }
    for variable in parsed.values("env") {
        let (key, value) = variable_of(session, variable);
        if let Some(value) = value {
            spec.task.container.env.insert(key, value);
        }
    }
    for port in parsed.values("publish") {
        spec.ports.extend(ports(port)?);
    }
    spec.task.placement.constraints = parsed
        .values("constraint")
        .into_iter()
        .map(Into::into)
        .collect();
    for preference in parsed.values("placement-pref") {
        spec.task
            .placement
            .preferences
            .push(self::preference(preference)?);
    }
    spec.task.networks = parsed
        .values("network")
        .into_iter()
        .map(Into::into)
        .collect();
    references(&parsed, "secret", "secret", &mut spec)?;
    references(&parsed, "config", "config", &mut spec)?;
    container_flags::create(&parsed, &mut spec.task.container.options)?;
    spec.task.container.options.registry_auth = parsed.has("with-registry-auth");
    for mount in parsed.values("mount") {
        spec.task
            .container
            .mounts
            .push(mount::long("mount", mount).map_err(|why| Output::error(125, why))?);
    }
    for (kind, amount) in generic(&parsed.values("generic-resource"))? {
        spec.task.resources.requests.extended.insert(kind, amount);
    }
    spec.task.networks = by_id(session, &spec.task.networks)?;
    common(&parsed, &mut spec)?;
    job_has_no_update(&parsed, &spec)?;
    spec.task.container.image = tagged(&spec.task.container.image).into();
    let warning = if parsed.has("no-resolve-image") {
        String::new()
    } else {
        distribution::resolve(session, &mut spec)
    };
    let Response::Id(id) = ask(session, Request::CreateService(Arc::new(spec)))? else {
        return Ok(Output::default());
    };
    let mut output = Output::text(format!("{id}\n"));
    output.stderr = warning.into();
    if !parsed.has("detach") {
        let shown = progress::wait(session, &id);
        append(&mut output, quiet(&parsed, shown));
    }
    Ok(output)
}

/// A name as the daemon invents one. Upstream draws from a longer list, at random.
/// Source: moby `internal/namesgenerator`.
fn invented(plane: &crate::swarm::SwarmPlane) -> String {
    const LEFT: [&str; 12] = [
        "admiring", "brave", "clever", "dazzling", "eager", "focused", "gifted", "hopeful", "keen",
        "laughing", "modest", "quirky",
    ];
    const RIGHT: [&str; 12] = [
        "babbage", "curie", "dijkstra", "euclid", "faraday", "galileo", "hopper", "kepler",
        "lovelace", "mendel", "noether", "turing",
    ];
    let first = plane.store.index as usize;
    (first..)
        .take(LEFT.len() * RIGHT.len())
        .map(|at| {
            format!(
                "{}_{}",
                LEFT[at % LEFT.len()],
                RIGHT[(at / LEFT.len() + at) % RIGHT.len()]
            )
        })
        .find(|name| plane.store.service_named(name).is_none())
        .unwrap_or_else(|| format!("service_{first}"))
}

/// Names of networks for names or identifiers, in the order of the identifiers, as the client sends
/// them.
///
/// # Errors
/// The daemon's text for a network that is not there.
pub fn by_id(session: &Session, names: &[Arc<str>]) -> Result<Vec<Arc<str>>, Output> {
    let plane = super::manager(session)?;
    let mut found = Vec::new();
    for text in names {
        found.push(network(plane, text)?);
    }
    found.arrange();
    found.dedup();
    Ok(found.into_iter().map(|(_, name)| name).collect())
}

/// Identifier and name of a network that is named in either way.
///
/// # Errors
/// The daemon's text if it is not there.
pub fn network(plane: &crate::swarm::SwarmPlane, text: &str) -> Result<(String, Arc<str>), Output> {
    let networks = plane.named(Kind::Network);
    let found = networks.get_key_value(text).or_else(|| {
        networks
            .iter()
            .find(|(_, network)| !text.is_empty() && network.identity.text().starts_with(text))
    });
    if let Some((name, network)) = found {
        return Ok((network.identity.text(), name.clone()));
    }
    match plane.network_identity(text) {
        Some(identity) => Ok((identity.text(), text.into())),
        None => Err(Output::error(
            1,
            format!("Error response from daemon: network {text} not found"),
        )),
    }
}

/// Adds the secrets or configs of a flag. A second one with the same name replaces the first's file.
///
/// # Errors
/// The command line's text.
pub fn references(
    parsed: &Parsed,
    flag: &str,
    word: &str,
    spec: &mut ServiceSpec,
) -> Result<(), Output> {
    let container = &mut spec.task.container;
    let (names, files) = if word == "secret" {
        (&mut container.secrets, &mut container.options.secret_files)
    } else {
        (&mut container.configs, &mut container.options.config_files)
    };
    for text in parsed.values(flag) {
        let (name, file) = container_flags::reference(flag, text, word)?;
        match file {
            Some(file) => files.insert(name.clone(), file),
            None => files.remove(&name),
        };
        if !names.contains(&name) {
            names.push(name);
        }
    }
    Ok(())
}

/// Flags of an update make no sense for a job. Source: swarmkit `controlapi/service.go` validateJob.
///
/// # Errors
/// The daemon's text.
pub fn job_has_no_update(parsed: &Parsed, spec: &ServiceSpec) -> Result<(), Output> {
    let job = matches!(
        spec.mode,
        ServiceMode::ReplicatedJob { .. } | ServiceMode::GlobalJob
    );
    if job && parsed.names().any(|name| name.starts_with("update-")) {
        return Err(Output::error(
            1,
            "Error response from daemon: rpc error: code = InvalidArgument desc = Jobs may not have an update config",
        ));
    }
    Ok(())
}

/// Drops the progress if it is not wanted.
pub fn quiet(parsed: &Parsed, mut shown: Output) -> Output {
    if parsed.has("quiet") {
        shown.stdout = Passage::default();
    }
    shown
}

fn mode(parsed: &Parsed, spec: &mut ServiceSpec) -> Result<(), Output> {
    let replicas = parsed.read("replicas", number::<u32>)?;
    let concurrent = parsed.read("max-concurrent", number::<u32>)?;
    spec.mode = match parsed.value("mode").unwrap_or("replicated") {
        "global" | "global-job" if replicas.is_some() => {
            return Err(Output::error(
                1,
                "replicas can only be used with replicated or replicated-job mode",
            ));
        }
        "global" => ServiceMode::Global,
        "global-job" => ServiceMode::GlobalJob,
        "replicated" => ServiceMode::Replicated {
            replicas: replicas.unwrap_or(1),
        },
        "replicated-job" => {
            let total = replicas.unwrap_or(1);
            ServiceMode::ReplicatedJob {
                total_completions: total,
                max_concurrent: concurrent.unwrap_or(total),
            }
        }
        other => {
            return Err(Output::error(
                1,
                format!("unknown mode: {other}, only replicated and global supported"),
            ));
        }
    };
    if concurrent.is_some() && !matches!(spec.mode, ServiceMode::ReplicatedJob { .. }) {
        return Err(Output::error(
            1,
            "max-concurrent can only be used with replicated-job mode",
        ));
    }
    // A job's tasks are not started again after they have ended well.
    if matches!(
        spec.mode,
        ServiceMode::ReplicatedJob { .. } | ServiceMode::GlobalJob
    ) {
        spec.task.restart_policy.condition = RestartCondition::OnFailure;
    }
    Ok(())
}

/// Flags that overwrite one field each, the same for `create` and `update`.
///
/// # Errors
/// The text for a value that cannot be read.
pub fn common(parsed: &Parsed, spec: &mut ServiceSpec) -> Result<(), Output> {
    let container = &mut spec.task.container;
    if let Some(line) = parsed.value("entrypoint") {
        container.command = shell_words(line);
    }
    if let Some(period) = parsed.read("stop-grace-period", SimDuration::parse)? {
        container.stop_grace_period = period;
    }
    match parsed.value("endpoint-mode") {
        None => {}
        Some("vip") => spec.endpoint_mode = EndpointMode::Vip,
        Some("dnsrr") => spec.endpoint_mode = EndpointMode::Dnsrr,
        Some(other) => {
            return Err(Output::error(
                1,
                format!("Error response from daemon: invalid EndpointMode: {other:?}"),
            ));
        }
    }
    if let Some(most) = parsed.read("replicas-max-per-node", number::<u64>)? {
        if most > 0 && matches!(spec.mode, ServiceMode::Global | ServiceMode::GlobalJob) {
            return Err(Output::error(
                1,
                "replicas-max-per-node can only be used with replicated or replicated-job mode",
            ));
        }
        spec.task.placement.max_replicas_per_node = most;
    }
    amounts(parsed, "limit", &mut spec.task.resources.limits)?;
    amounts(parsed, "reserve", &mut spec.task.resources.requests)?;
    restart(parsed, &mut spec.task.restart_policy)?;
    update_config(parsed, "update", &mut spec.update_config)?;
    update_config(parsed, "rollback", &mut spec.rollback_config)?;
    health(parsed, &mut spec.task.container.health_check)
}

fn amounts(parsed: &Parsed, prefix: &str, amounts: &mut ResourceAmounts) -> Result<(), Output> {
    let nanos = parsed.read(&format!("{prefix}-cpu"), |text| {
        parse_decimal(text, 9).ok_or_else(|| format!("failed to parse {text} as a rational number"))
    })?;
    if let Some(nanos) = nanos {
        if nanos != 0 && nanos < CPU_NANOS_MIN {
            return Err(Output::error(
                1,
                format!(
                    "Error response from daemon: rpc error: code = InvalidArgument desc = invalid cpu value {}: Must be at least 0.001",
                    short_float(nanos)
                ),
            ));
        }
        let cpu = nanos / CPU_NANOS_MIN;
        amounts.cpu_milli = (cpu != 0).then_some(cpu);
    }
    if let Some(memory) = parsed.read(&format!("{prefix}-memory"), read_bytes)? {
        amounts.memory_bytes = (memory != 0).then_some(memory);
    }
    Ok(())
}

/// A number of billionths as Go's `%g` writes it, for less than a thousandth.
fn short_float(nanos: u64) -> String {
    let digits = nanos.to_string();
    let power = 10 - digits.len();
    if power <= 4 {
        let text = format!("0.{nanos:09}");
        return text.trim_end_matches('0').to_owned();
    }
    let (first, rest) = digits.split_at(1);
    let rest = rest.trim_end_matches('0');
    let point = if rest.is_empty() { "" } else { "." };
    format!("{first}{point}{rest}e-{power:02}")
}

fn restart(parsed: &Parsed, policy: &mut RestartPolicy) -> Result<(), Output> {
    match parsed.value("restart-condition") {
        None => {}
        Some("none") => policy.condition = RestartCondition::None,
        Some("on-failure") => policy.condition = RestartCondition::OnFailure,
        Some("any") => policy.condition = RestartCondition::Any,
        Some(other) => {
            return Err(Output::error(
                1,
                format!("Error response from daemon: invalid RestartCondition: {other:?}"),
            ));
        }
    }
    if let Some(delay) = parsed.read("restart-delay", SimDuration::parse)? {
        policy.delay = delay;
    }
    if let Some(window) = parsed.read("restart-window", SimDuration::parse)? {
        policy.window = window;
    }
    if let Some(attempts) = parsed.read("restart-max-attempts", number::<u64>)? {
        policy.max_attempts = attempts;
    }
    Ok(())
}

fn update_config(parsed: &Parsed, prefix: &str, config: &mut UpdateConfig) -> Result<(), Output> {
    let flag = |name: &str| format!("{prefix}-{name}");
    if let Some(parallelism) = parsed.read(&flag("parallelism"), number::<u64>)? {
        config.parallelism = parallelism;
    }
    if let Some(delay) = parsed.read(&flag("delay"), SimDuration::parse)? {
        config.delay = delay;
    }
    if let Some(monitor) = parsed.read(&flag("monitor"), SimDuration::parse)? {
        config.monitor = monitor;
    }
    let ratio = parsed.read(&flag("max-failure-ratio"), |text| {
        parse_decimal(text, 6)
            .ok_or_else(|| format!("strconv.ParseFloat: parsing {text:?}: invalid syntax"))
    })?;
    if let Some(ratio) = ratio {
        // Only the update's ratio is looked at (swarmkit `manager/controlapi/service.go`).
        if prefix == "update" && ratio > 1_000_000 {
            return Err(Output::error(
                1,
                "Error response from daemon: rpc error: code = InvalidArgument desc = TaskSpec: update-maxfailureratio cannot be less than 0 or bigger than 1",
            ));
        }
        config.max_failure_ratio_millionths = ratio as u32;
    }
    match parsed.value(&flag("failure-action")) {
        None => {}
        Some("pause") => config.failure_action = FailureAction::Pause,
        Some("continue") => config.failure_action = FailureAction::Continue,
        Some("rollback") if prefix == "update" => config.failure_action = FailureAction::Rollback,
        Some(other) => {
            return Err(Output::error(
                1,
                format!("Error response from daemon: unrecognized {prefix} failure action {other}"),
            ));
        }
    }
    match parsed.value(&flag("order")) {
        None => {}
        Some("stop-first") => config.order = UpdateOrder::StopFirst,
        Some("start-first") => config.order = UpdateOrder::StartFirst,
        Some(other) => {
            return Err(Output::error(
                1,
                format!("Error response from daemon: unrecognized update order {other}"),
            ));
        }
    }
    Ok(())
}

fn health(parsed: &Parsed, check: &mut Option<HealthCheck>) -> Result<(), Output> {
    let touched = parsed.names().any(|name| name.starts_with("health-"));
    let fresh = || HealthCheck {
        test: None,
        interval: SimDuration::ZERO,
        timeout: SimDuration::ZERO,
        retries: 0,
        start_period: SimDuration::ZERO,
        start_interval: SimDuration::ZERO,
    };
    if parsed.has("no-healthcheck") {
        if touched {
            return Err(Output::error(
                1,
                "--no-healthcheck conflicts with --health-* options",
            ));
        }
        *check = Some(HealthCheck {
            test: Some(HealthTest::Disabled),
            ..fresh()
        });
        return Ok(());
    }
    if !touched {
        return Ok(());
    }
    let check = check.get_or_insert_with(fresh);
    // Any of the flags turns a check on again that had been turned off.
    if check.test == Some(HealthTest::Disabled) {
        check.test = None;
    }
    if let Some(line) = parsed.value("health-cmd") {
        check.test = if line.is_empty() {
            None
        } else {
            Some(HealthTest::Shell(line.into()))
        };
    }
    // Zero is stored as such; the engine then takes its default.
    if let Some(span) = parsed.read("health-interval", SimDuration::parse)? {
        check.interval = span;
    }
    if let Some(span) = parsed.read("health-timeout", SimDuration::parse)? {
        check.timeout = span;
    }
    if let Some(span) = parsed.read("health-start-period", SimDuration::parse)? {
        check.start_period = span;
    }
    if let Some(span) = parsed.read("health-start-interval", SimDuration::parse)? {
        check.start_interval = span;
    }
    if let Some(retries) = parsed.read("health-retries", number::<u32>)? {
        check.retries = retries;
    }
    Ok(())
}

/// A whole number.
///
/// # Errors
/// Go's text.
pub fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse()
        .map_err(|_| format!("strconv.ParseUint: parsing {text:?}: invalid syntax"))
}

/// `KEY=VALUE`; without `=` the value is empty.
pub fn pair(text: &str) -> (Arc<str>, Arc<str>) {
    let (key, value) = text.split_once('=').unwrap_or((text, ""));
    (key.into(), value.into())
}

/// `KEY=VALUE`, or `KEY` with the client's own value, if it has one.
pub fn variable_of(session: &Session, text: &str) -> (Arc<str>, Option<Arc<str>>) {
    match text.split_once('=') {
        Some((key, value)) => (key.into(), Some(value.into())),
        None => (
            text.into(),
            session
                .environment
                .get(text)
                .map(|value| value.as_str().into()),
        ),
    }
}

/// `spread=LABEL`.
///
/// # Errors
/// The command line's text.
pub fn preference(text: &str) -> Result<Arc<str>, Output> {
    match text.split_once('=') {
        Some(("spread", label)) => Ok(label.into()),
        Some((other, _)) => Err(Output::error(
            125,
            format!(
                "invalid argument {text:?} for \"--placement-pref\" flag: unsupported placement preference {other} (only spread is supported)"
            ),
        )),
        None => Err(Output::error(
            125,
            format!(
                "invalid argument {text:?} for \"--placement-pref\" flag: placement preference must be of the format \"<strategy>=<arg>\""
            ),
        )),
    }
}

/// Words of a line; quotes keep blanks.
pub fn shell_words(line: &str) -> Vec<Arc<str>> {
    crate::manifest::compose::words::split(line)
        .unwrap_or_else(|| line.split_whitespace().map(Into::into).collect())
}

/// Ports of `--publish`: `8080:80/tcp`, `80`, ranges of equal length, or `published=…,target=…,mode=host`.
///
/// # Errors
/// The command line's text.
pub fn ports(text: &str) -> Result<Vec<PublishedPort>, Output> {
    let fault = |message: String| {
        Output::error(
            125,
            format!("invalid argument {text:?} for \"-p, --publish\" flag: {message}"),
        )
    };
    let protocol = |word: &str| match word {
        "tcp" => Ok(PortProtocol::Tcp),
        "udp" => Ok(PortProtocol::Udp),
        "sctp" => Ok(PortProtocol::Sctp),
        other => Err(format!("invalid protocol value \"{other}\"")),
    };
    if text.contains('=') {
        let mut port = PublishedPort {
            target: 0,
            published: 0,
            protocol: PortProtocol::Tcp,
            mode: PublishMode::Ingress,
        };
        for field in text.split(',') {
            let (key, value) = field
                .split_once('=')
                .ok_or_else(|| fault(format!("invalid field: {field}")))?;
            let number = || {
                value.parse().map_err(|_| fault(format!("invalid {key} port ({value}): value must be an integer: strconv.ParseUint: parsing {value:?}: invalid syntax")))
            };
            match key {
                "target" => port.target = number()?,
                "published" => port.published = number()?,
                "protocol" => port.protocol = protocol(value).map_err(fault)?,
                "mode" if value == "host" => port.mode = PublishMode::Host,
                "mode" if value == "ingress" => port.mode = PublishMode::Ingress,
                "mode" => {
                    return Err(fault(format!(
                        "invalid publish mode value ({value}): must be either 'ingress' or 'host'"
                    )));
                }
                _ => return Err(fault(format!("invalid field key: {key}"))),
            }
        }
        if port.target == 0 {
            return Err(fault("missing mandatory field 'target'".to_owned()));
        }
        return Ok(vec![port]);
    }
    let (numbers, word) = text.split_once('/').unwrap_or((text, "tcp"));
    let protocol = protocol(word).map_err(fault)?;
    let (published, target) = match numbers.rsplit_once(':') {
        Some((published, target)) => (Some(published), target),
        None => (None, numbers),
    };
    let range = |text: &str, what: &str| {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        match (first.parse::<u16>(), last.parse::<u16>()) {
            (Ok(first), Ok(last)) if first <= last => Ok((first, last)),
            _ => Err(fault(format!("invalid {what}: {text}"))),
        }
    };
    let (first, last) = range(target, "containerPort")?;
    let (published_first, published_last) = match published {
        Some(published) => range(published, "hostPort")?,
        None => (0, 0),
    };
    if published.is_some() && published_last - published_first != last - first {
        return Err(fault(format!(
            "invalid ranges specified for container and host Ports: {target} and {}",
            published.unwrap_or_default()
        )));
    }
    Ok((first..=last)
        .map(|target| PublishedPort {
            target,
            published: if published.is_some() {
                published_first + (target - first)
            } else {
                0
            },
            protocol,
            mode: PublishMode::Ingress,
        })
        .collect())
}
