//! What docker makes of `--format`: Go's templates with docker's functions.
//! Sources: docker/cli `templates/templates.go`, `cli/command/inspect/inspector.go`,
//! `cli/command/formatter/formatter.go`.

use crate::manifest::value::Value;
use crate::object::template::{Dialect, Missing, Template, Types};

/// Functions of docker's templates.
const FUNCTIONS: [&str; 8] = [
    "json", "split", "join", "title", "lower", "upper", "pad", "truncate",
];

/// Of the API's types, what objects may lack: Go prints the zero value of a field's type.
/// Source: moby `api/types/{container,swarm,network}`.
const TYPES: Types = Types {
    maps: &[
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
    ],
    fields: &[
        (
            "<nil>",
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
            "[]",
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
                "NetworksAttachments",
                "Platforms",
                "Plugins",
                "Preferences",
                "Secrets",
                "SecurityOpt",
                "Ulimits",
                "VirtualIPs",
                "VolumesFrom",
            ],
        ),
        (
            "map[]",
            &[
                "Annotations",
                "DriverOpts",
                "ExposedPorts",
                "Labels",
                "Options",
                "Sysctls",
                "Tmpfs",
                "Volumes",
            ],
        ),
        (
            "false",
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
            "0",
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
            "",
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
    ],
};

/// Reads a template for inspected objects.
///
/// # Errors
/// Docker's text.
pub fn of_objects(format: &str) -> Result<Template, String> {
    parse(format, Missing::Typed(TYPES))
}

/// Reads a template for values of a type of docker's: lines of a list, or an answer of the engine.
///
/// # Errors
/// Docker's text.
pub fn of_type(format: &str, name: &'static str) -> Result<Template, String> {
    parse(format, Missing::Unknown(name))
}

fn parse(format: &str, missing: Missing) -> Result<Template, String> {
    let dialect = Dialect {
        name: "",
        functions: &FUNCTIONS,
        missing,
    };
    Template::parse(format, dialect).map_err(|error| format!("template parsing error: {error}"))
}

/// What a template makes of a value.
///
/// # Errors
/// Go's text.
pub fn print(template: &Template, value: &Value) -> Result<String, String> {
    template.print(value).map_err(|(_, error)| error)
}
