//! What docker makes of `--format`: Go's templates with docker's functions.
//! Sources: docker/cli `templates/templates.go`, `cli/command/inspect/inspector.go`,
//! `cli/command/formatter/formatter.go`.

use crate::base::sentence::Sentence;
use crate::manifest::value::Value;
use crate::object::template::{Dialect, Missing, Template, Type};

/// Functions of docker's templates.
const FUNCTIONS: [&str; 8] = [
    "json", "split", "join", "title", "lower", "upper", "pad", "truncate",
];

/// Fields that are maps with the user's keys. `Networks` and `Ports` are lists elsewhere.
/// Source: moby `api/types/{container,swarm,network}`.
const MAPS: [&str; 12] = [
    "Annotations",
    "Containers",
    "DriverOpts",
    "ExposedPorts",
    "Labels",
    "LogOpts",
    "Networks",
    "Options",
    "Ports",
    "Sysctls",
    "Tmpfs",
    "Volumes",
];

/// Of the API's types, what objects may lack beside maps. Source: as above.
const FIELDS: &[(Type, &[&str])] = &[
    (
        Type::Pointer,
        &[
            "ContainerStatus",
            "DNSConfig",
            "EndpointSpec",
            "Global",
            "GlobalJob",
            "Health",
            "Healthcheck",
            "Init",
            "JobIteration",
            "JobStatus",
            "Limits",
            "LogDriver",
            "ManagerStatus",
            "MaxAttempts",
            "MemorySwappiness",
            "OomKillDisable",
            "PidsLimit",
            "Placement",
            "PreviousSpec",
            "Privileges",
            "Replicated",
            "ReplicatedJob",
            "Reservations",
            "Resources",
            "RestartPolicy",
            "RollbackConfig",
            "StopGracePeriod",
            "UpdateConfig",
            "UpdateStatus",
            "Window",
        ],
    ),
    (
        Type::List,
        &[
            "Args",
            "Aliases",
            "Binds",
            "CapAdd",
            "CapDrop",
            "CapabilityAdd",
            "CapabilityDrop",
            "Cmd",
            "Command",
            "Configs",
            "Constraints",
            "Devices",
            "Dns",
            "DnsSearch",
            "Entrypoint",
            "Env",
            "ExtraHosts",
            "GenericResources",
            "Groups",
            "Hosts",
            "Links",
            "Mounts",
            "Networks",
            "NetworksAttachments",
            "Platforms",
            "Plugins",
            "Ports",
            "Preferences",
            "Secrets",
            "SecurityOpt",
            "Ulimits",
            "VirtualIPs",
            "VolumesFrom",
        ],
    ),
    (
        Type::Bool,
        &[
            "Internal",
            "Leader",
            "Ingress",
            "OpenStdin",
            "ReadOnly",
            "TTY",
            "Tty",
        ],
    ),
    (
        Type::Int,
        &[
            "Delay",
            "ExitCode",
            "ForceUpdate",
            "MaxReplicas",
            "MemoryBytes",
            "Monitor",
            "NanoCPUs",
            "PID",
            "Parallelism",
            "Pids",
            "Slot",
        ],
    ),
    (
        Type::Text,
        &[
            "CompletedAt",
            "ContainerID",
            "Dir",
            "Domainname",
            "Err",
            "Hostname",
            "Isolation",
            "Message",
            "NodeID",
            "StopSignal",
            "User",
            "WorkingDir",
        ],
    ),
];

/// Reads a template for inspected objects.
///
/// # Errors
/// Docker's text.
pub fn of_objects(format: &str) -> Result<Template, Sentence> {
    parse(format, Missing::Typed(FIELDS), &MAPS, &[])
}

/// Reads a template for values of a type of docker's: lines of a list, or an answer of the engine.
///
/// # Errors
/// Docker's text.
pub fn of_type(format: &str, name: &'static str) -> Result<Template, Sentence> {
    // Rows have their labels as one text, and a method that looks one up.
    // Source: docker/cli `cli/command/formatter/container.go` (Label).
    let maps = &["Attributes", "Labels"];
    parse(format, Missing::Unknown(name), maps, &[("Label", "Labels")])
}

fn parse(
    format: &str,
    missing: Missing,
    maps: &'static [&'static str],
    methods: &'static [(&'static str, &'static str)],
) -> Result<Template, Sentence> {
    let dialect = Dialect {
        name: "",
        functions: &FUNCTIONS,
        missing,
        maps,
        methods,
    };
    Template::parse(format, dialect).map_err(|error| error.behind("template parsing error: "))
}

/// What a template makes of a value.
///
/// # Errors
/// Go's text.
pub fn print(template: &Template, value: &Value) -> Result<String, Sentence> {
    template.print(value).map_err(|(_, error)| error)
}
