//! `kubectl logs`: what containers have printed, and print while it is followed.
//! Source: `k8s.io/kubectl/pkg/cmd/logs`.

use std::sync::Arc;

use crate::base::arrange::Arrange;
use crate::base::sentence::catalogue;
use crate::base::sentence::passage::Passage;
use crate::base::time::SimTime;
use crate::console::{Session, follow};
use crate::engine::command::Orchestrator;
use crate::kube::rows::read;
use crate::manifest::value::Value;
use crate::substrate::container::ContainerState;
use crate::substrate::order::ContainerId;

use super::inside::{container_of, machine_container, may_enter, pod, pods_of};
use super::pod_status::items;
use super::problem::Problem;
use super::{Call, apply, kind_of, name_of};

/// Flags of `logs`.
pub const LOG_FLAGS: &[&str] = &[
    "container:c",
    "!previous:p",
    "!follow:f",
    "tail",
    "since",
    "!timestamps",
    "!all-containers",
    "selector:l",
    "!prefix",
    "limit-bytes",
    "!ignore-errors",
    "since-time",
    "max-log-requests",
    "!all-pods",
    "pod-running-timeout",
    "!insecure-skip-tls-verify-backend",
];

/// Most logs that are followed together. Source: `k8s.io/kubectl/pkg/cmd/logs/logs.go`
/// (`max-log-requests`).
const TOGETHER: usize = 5;

/// Lines of each log that a selector chose (`selectorTail`).
const SELECTED_TAIL: i64 = 10;

/// What is asked of every log.
struct Asked {
    since: SimTime,
    /// Last lines; negative: all.
    tail: i64,
    /// Bytes of each log; none: all.
    bytes: Option<usize>,
    stamps: bool,
}

/// One container's log.
struct Log {
    container: ContainerId,
    /// Before each line.
    prefix: String,
    /// Bytes that may still be printed.
    left: Option<usize>,
}

/// `logs`.
///
/// # Errors
/// Pods and containers that are not there, containers that never ran.
pub fn logs(call: &mut Call<'_>) -> Result<(), Problem> {
    let pods = meant(call)?;
    check_logs(call)?;
    if pods.is_empty() {
        let said = format!("No resources found in {} namespace.\n", call.namespace);
        call.stderr.push(said);
    }
    let asked = Asked::of(call)?;
    let mut wanted = Vec::new();
    for pod in pods {
        let names = if call.arguments.on("all-containers") {
            ["initContainers", "containers", "ephemeralContainers"]
                .iter()
                .flat_map(|list| items(&pod, &["spec", list]))
                .filter_map(|one| one.str_at(&["name"]).map(str::to_owned))
                .collect()
        } else {
            vec![container_of(call, &pod)?]
        };
        wanted.extend(names.into_iter().map(|name| (pod.clone(), name)));
    }
    let follows = call.arguments.on("follow");
    let most = count_of(call, "max-log-requests")?.map_or(TOGETHER, |most| most as usize);
    if follows && wanted.len() > 1.max(most) {
        return Err(Problem::error(format!(
            "you are attempting to follow {} log streams, but maximum allowed concurrency is {most}, use --max-log-requests to increase the limit",
            wanted.len()
        )));
    }
    let mut opened = Vec::new();
    for (pod, name) in &wanted {
        may_enter(call, "get", "log", pod)?;
        let found = machine_container(call, pod, name, call.arguments.on("previous"))?;
        match Log::open(call, found, (pod, name), asked.bytes) {
            Ok(mut log) => {
                log.print_past(call, &asked);
                opened.push(log);
            }
            Err(why) if call.arguments.on("ignore-errors") => {
                call.stdout.push_str(&format!("error: {}\n", &*why));
            }
            Err(why) => {
                let said = Passage::from("Error from server (BadRequest): ").then(why);
                return Err(Problem::said(said, "BadRequest"));
            }
        }
    }
    if follows && !opened.is_empty() {
        follow_on(call, &mut opened, asked.stamps);
    }
    Ok(())
}

/// The pods that the words or the selector mean.
fn meant(call: &mut Call<'_>) -> Result<Vec<Value>, Problem> {
    const USAGE: &str = "expected 'logs [-f] [-p] (POD | TYPE/NAME) [-c CONTAINER]'.\nPOD or TYPE/NAME is a required argument for the logs command\nSee 'kubectl logs -h' for help and examples";
    let count = call.arguments.words.len();
    if count == 2 && call.arguments.flag("container").is_some() {
        return Err(Problem::error(
            "only one of -c or an inline [CONTAINER] arg is allowed\nSee 'kubectl logs -h' for help and examples",
        ));
    }
    match (call.arguments.words.first().cloned(), call.selector()?) {
        _ if count > 2 => Err(Problem::error(USAGE)),
        (Some(word), None) if call.arguments.on("all-pods") => pods_of(call, &word),
        (Some(word), None) => Ok(vec![pod(call, &word)?]),
        (Some(_), Some(_)) if count == 1 => Err(Problem::error(
            "only a selector (-l) or a POD name is allowed\nSee 'kubectl logs -h' for help and examples",
        )),
        (None, Some(selector)) => {
            let mut pods = call.listing(kind_of("pods")?, Some(&call.namespace))?;
            pods.retain(|pod| super::selectors::selected(&selector, pod));
            Ok(pods)
        }
        _ => Err(Problem::error(USAGE)),
    }
}

/// Source: `k8s.io/kubectl/pkg/cmd/logs/logs.go` (`Validate`).
fn check_logs(call: &Call<'_>) -> Result<(), Problem> {
    let arguments = &call.arguments;
    let number = |name: &str| {
        arguments
            .flag(name)
            .and_then(|text| text.parse::<i64>().ok())
    };
    let container = arguments.flag("container").unwrap_or("");
    let container = arguments.words.get(1).map_or(container, String::as_str);
    let text = if arguments.flag("since-time").is_some() && arguments.flag("since").is_some() {
        "at most one of `sinceTime` or `sinceSeconds` may be specified".to_owned()
    } else if arguments.on("all-containers") && !container.is_empty() {
        format!("--all-containers=true should not be specified with container name {container}")
    } else if number("limit-bytes").is_some_and(|bytes| bytes < 0) {
        "--limit-bytes must be greater than 0".to_owned()
    } else if number("tail").is_some_and(|tail| tail < -1) {
        "--tail must be greater than or equal to -1".to_owned()
    } else {
        return Ok(());
    };
    Err(Problem::error(text))
}

/// The first moment of a log that is asked for.
fn log_since(call: &Call<'_>) -> Result<SimTime, Problem> {
    if let Some(text) = call.arguments.flag("since-time") {
        return read::time(text).ok_or_else(|| {
            Problem::error(format!(
                "parsing time {text:?} as \"2006-01-02T15:04:05Z07:00\": cannot parse {text:?} as \"2006\""
            ))
        });
    }
    let Some(text) = call.arguments.flag("since") else {
        return Ok(SimTime::ZERO);
    };
    let span = apply::duration(text)?;
    let now = call.now().as_micros();
    Ok(SimTime::from_micros(now.saturating_sub(span.as_micros())))
}

/// A flag that is a number, in Go's words if it is none.
fn count_of(call: &Call<'_>, name: &str) -> Result<Option<i64>, Problem> {
    let Some(text) = call.arguments.flag(name) else {
        return Ok(None);
    };
    text.parse().map(Some).map_err(|_| {
        Problem::error(format!(
            "invalid argument \"{text}\" for \"--{name}\" flag: strconv.ParseInt: parsing \"{text}\": invalid syntax"
        ))
    })
}

impl Asked {
    fn of(call: &Call<'_>) -> Result<Self, Problem> {
        let selected = call.arguments.flag("selector").map(|_| SELECTED_TAIL);
        let bytes = count_of(call, "limit-bytes")?.and_then(|bytes| usize::try_from(bytes).ok());
        Ok(Self {
            since: log_since(call)?,
            tail: count_of(call, "tail")?.or(selected).unwrap_or(-1),
            bytes: bytes.filter(|bytes| *bytes > 0),
            stamps: call.arguments.on("timestamps"),
        })
    }
}

impl Log {
    /// A container's log, or why it has none.
    fn open(
        call: &Call<'_>,
        found: Option<ContainerId>,
        (pod, name): (&Value, &str),
        left: Option<usize>,
    ) -> Result<Self, Passage> {
        let container = found
            .ok_or_else(|| why_none(pod, name, call.arguments.on("previous")))
            .map_err(Passage::from)?;
        let world = call.session.world(Orchestrator::Kubernetes);
        if world.is_ok_and(|world| world.substrate.container(container).is_none()) {
            return Err(catalogue::LOG_GONE.with(&[("container", &name)]).into());
        }
        let prefix = if call.arguments.on("prefix") || call.arguments.on("all-pods") {
            format!("[pod/{}/{name}] ", name_of(pod))
        } else {
            String::new()
        };
        Ok(Self {
            container,
            prefix,
            left,
        })
    }

    /// Prints what is asked of what there is.
    fn print_past(&mut self, call: &mut Call<'_>, asked: &Asked) {
        let mut lines = printed(call.session, self.container);
        lines.retain(|(at, _)| *at >= asked.since);
        let skip = usize::try_from(asked.tail).map_or(0, |tail| lines.len().saturating_sub(tail));
        for (at, line) in &lines[skip..] {
            let text = self.line(*at, line, asked.stamps);
            call.stdout.push_str(&text);
        }
    }

    /// One line as it is printed, or as much of it as may be.
    fn line(&mut self, at: SimTime, line: &str, stamps: bool) -> String {
        let mut text = format!("{line}\n");
        if stamps {
            // Nine digits, as the runtime's files have them (`RFC3339NanoFixed`).
            let at = at.rfc3339_micros();
            text.insert_str(0, &format!("{}000Z ", at.trim_end_matches('Z')));
        }
        if let Some(left) = &mut self.left {
            text.truncate(text.floor_char_boundary(*left));
            *left -= text.len();
            if text.is_empty() {
                return text;
            }
        }
        text.insert_str(0, &self.prefix);
        text
    }
}

/// Why a container has no log. Source: `pkg/kubelet/kubelet_pods.go` (`validateContainerLogStatus`).
fn why_none(pod: &Value, container: &str, previous: bool) -> String {
    let name = name_of(pod);
    if previous {
        return format!(
            "previous terminated container \"{container}\" in pod \"{name}\" not found"
        );
    }
    if pod.str_at(&["spec", "nodeName"]).is_none() {
        return format!("pod {name} does not have a host assigned");
    }
    let status = [
        "containerStatuses",
        "initContainerStatuses",
        "ephemeralContainerStatuses",
    ]
    .iter()
    .flat_map(|list| items(pod, &["status", list]))
    .find(|one| one.str_at(&["name"]) == Some(container));
    let state = |path: &[&str]| status.and_then(|status| status.path(path));
    if state(&["state", "terminated"]).is_some() || state(&["lastState", "terminated"]).is_some() {
        return format!("container \"{container}\" in pod \"{name}\" is terminated");
    }
    let waiting = state(&["state", "waiting", "reason"]).and_then(Value::as_str);
    let why = match waiting {
        Some("ErrImagePull") => "image can't be pulled",
        Some("ImagePullBackOff") => "trying and failing to pull image",
        Some(reason) => reason,
        None => "ContainerCreating",
    };
    format!("container \"{container}\" in pod \"{name}\" is waiting to start: {why}")
}

/// Whether a container's process runs.
pub(super) fn is_running(session: &Session, container: ContainerId) -> bool {
    let world = session.world(Orchestrator::Kubernetes);
    let row = world
        .ok()
        .and_then(|world| world.substrate.container(container));
    row.is_some_and(|row| matches!(row.state, ContainerState::Running { .. }))
}

/// What a container has printed until now.
pub(super) fn printed(session: &Session, container: ContainerId) -> Vec<(SimTime, Arc<str>)> {
    let world = session.world(Orchestrator::Kubernetes).ok();
    world
        .and_then(|world| Some((world, world.substrate.container(container)?)))
        .map(|(world, row)| row.log(world.now))
        .unwrap_or_default()
}

/// Lets time pass until these containers have ended, or whoever follows them is taken to have left.
/// What they printed meanwhile, in its order, each line with its container's place.
pub(super) fn coming(
    session: &mut Session,
    containers: &[ContainerId],
) -> Vec<(SimTime, usize, Arc<str>)> {
    let from = session.history.now();
    let mut seen = Vec::new();
    let mut left: Vec<(usize, ContainerId)> = containers.iter().copied().enumerate().collect();
    let mut read = |session: &Session, (place, container): (usize, ContainerId)| {
        let lines = printed(session, container).into_iter();
        let new = lines.filter(|(at, _)| *at > from);
        seen.extend(new.map(|(at, line)| (at, place, line)));
    };
    follow::pass(session, |session| {
        // An ended container may be gone at the next look.
        left.retain(|one| {
            let runs = is_running(session, one.1);
            if !runs {
                read(session, *one);
            }
            runs
        });
        left.is_empty()
    });
    for one in left {
        read(session, one);
    }
    seen.arrange_by_key(|(at, place, _)| (*at, *place));
    seen
}

/// Prints what comes.
fn follow_on(call: &mut Call<'_>, logs: &mut [Log], stamps: bool) {
    let containers: Vec<ContainerId> = logs.iter().map(|log| log.container).collect();
    for (at, place, line) in coming(call.session, &containers) {
        let text = logs[place].line(at, &line, stamps);
        call.stdout.push_str(&text);
    }
    if containers.iter().any(|one| is_running(call.session, *one)) {
        follow::note_in(&mut call.stderr);
    }
}
