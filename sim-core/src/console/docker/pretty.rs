//! `inspect --pretty`. Source: docker/cli `cli/command/{service,node}/formatter.go`.
//!
//! Printed from the stored object as `inspect` shows it.

use super::words::{bytes, human};
use crate::base::time::{SimDuration, SimTime, go_time};
use crate::manifest::value::Value;
use crate::swarm::state::UpdateState;
use crate::swarm::store::UpdateStatus;

/// A service for people. `now` is the time that "ago" counts from; `network` gives the name for an
/// identifier.
pub fn service(
    object: &Value,
    status: Option<&UpdateStatus>,
    now: SimTime,
    network: impl Fn(&str) -> String,
) -> String {
    let text = |path: &[&str]| object.str_at(path).unwrap_or_default();
    let mut out = format!(
        "\nID:\t\t{}\nName:\t\t{}\n",
        text(&["ID"]),
        text(&["Spec", "Name"])
    );
    labels(object.path(&["Spec", "Labels"]), &mut out);
    mode(object, &mut out);
    if let Some(status) = status {
        update_status(status, now, &mut out);
    }
    let none = Value::Null;
    let task = object.path(&["Spec", "TaskTemplate"]).unwrap_or(&none);
    placement(task.get("Placement"), &mut out);
    for (title, word) in [("UpdateConfig", "Update"), ("RollbackConfig", "Rollback")] {
        config(title, word, object.path(&["Spec", title]), &mut out);
    }
    container(task.get("ContainerSpec").unwrap_or(&none), &mut out);
    log_driver(task.get("LogDriver"), &mut out);
    resources(task.get("Resources"), &mut out);
    if let Some(networks) = task.get("Networks").and_then(Value::as_list) {
        let names: Vec<String> = networks
            .iter()
            .filter_map(|target| target.str_at(&["Target"]))
            .map(network)
            .collect();
        out.push_str(&format!("Networks: {} \n", names.join(" ")));
    }
    out.push_str(&format!(
        "Endpoint Mode:\t{}\n",
        text(&["Endpoint", "Spec", "Mode"])
    ));
    ports(object.path(&["Endpoint", "Ports"]), &mut out);
    health(task.path(&["ContainerSpec", "Healthcheck"]), &mut out);
    out
}

fn labels(map: Option<&Value>, out: &mut String) {
    let Some(map) = map.and_then(Value::as_map).filter(|map| !map.is_empty()) else {
        return;
    };
    out.push_str("Labels:\n");
    for (key, value) in map.sorted() {
        match value.as_str() {
            None | Some("") => out.push_str(&format!(" {key}\n")),
            Some(value) => out.push_str(&format!(" {key}={value}\n")),
        }
    }
}

fn mode(object: &Value, out: &mut String) {
    out.push_str("Service Mode:");
    if object.path(&["Spec", "Mode", "Global"]).is_some() {
        out.push_str("\tGlobal");
    }
    if let Some(replicated) = object.path(&["Spec", "Mode", "Replicated"]) {
        let replicas = replicated.i64_at(&["Replicas"]).unwrap_or(0);
        out.push_str(&format!("\tReplicated\n Replicas:\t{replicas}"));
    }
    out.push('\n');
}

fn update_status(status: &UpdateStatus, now: SimTime, out: &mut String) {
    let ago = |at: SimTime| format!("{} ago", human(now.since(at)));
    out.push_str(&format!(
        "UpdateStatus:\n State:\t\t{}\n",
        status.state.word()
    ));
    out.push_str(&format!(" Started:\t{}\n", ago(status.started_at)));
    if let (UpdateState::Completed, Some(at)) = (status.state, status.completed_at) {
        out.push_str(&format!(" Completed:\t{}\n", ago(at)));
    }
    out.push_str(&format!(" Message:\t{}\n", status.message));
}

fn placement(value: Option<&Value>, out: &mut String) {
    out.push_str("Placement:\n");
    let Some(placement) = value else { return };
    if let Some(constraints) = placement.get("Constraints") {
        out.push_str(&format!(" Constraints:\t[{}]\n", joined(constraints, " ")));
    }
    if let Some(preferences) = placement.get("Preferences").and_then(Value::as_list) {
        let texts: Vec<String> = preferences
            .iter()
            .filter_map(|preference| preference.str_at(&["Spread", "SpreadDescriptor"]))
            .map(|label| format!("spread={label}"))
            .collect();
        out.push_str(&format!(" Preferences:   [{}]\n", texts.join(" ")));
    }
    if let Some(most) = placement.i64_at(&["MaxReplicas"]) {
        out.push_str(&format!(" Max Replicas Per Node:   {most}\n"));
    }
}

fn config(title: &str, word: &str, value: Option<&Value>, out: &mut String) {
    let Some(config) = value else { return };
    let nanos = |key: &str| config.i64_at(&[key]).filter(|nanos| *nanos > 0);
    out.push_str(&format!(
        "{title}:\n Parallelism:\t{}\n",
        config.i64_at(&["Parallelism"]).unwrap_or(0)
    ));
    if let Some(delay) = nanos("Delay") {
        out.push_str(&format!(" Delay:\t\t{}\n", span(delay)));
    }
    out.push_str(&format!(
        " On failure:\t{}\n",
        config.str_at(&["FailureAction"]).unwrap_or_default()
    ));
    if let Some(monitor) = nanos("Monitor") {
        out.push_str(&format!(" Monitoring Period: {}\n", span(monitor)));
    }
    let ratio = match config.get("MaxFailureRatio") {
        Some(Value::Number(text)) => text.to_string(),
        Some(Value::Int(number)) => number.to_string(),
        _ => "0".to_owned(),
    };
    let order = config.str_at(&["Order"]).unwrap_or_default();
    let label = format!("{word} order:");
    out.push_str(&format!(
        " Max failure ratio: {ratio}\n {label:<19}{order}\n"
    ));
}

fn joined(list: &Value, by: &str) -> String {
    let items = list.as_list().unwrap_or_default().iter();
    items.filter_map(Value::as_str).collect::<Vec<_>>().join(by)
}

/// What the container is. Words of a list end in a blank each, as upstream's template has them.
fn container(container: &Value, out: &mut String) {
    let field = |key: &str| container.str_at(&[key]);
    out.push_str(&format!(
        "ContainerSpec:\n Image:\t\t{}\n",
        field("Image").unwrap_or_default()
    ));
    for (title, key) in [("Args", "Args"), ("Env", "Env")] {
        if let Some(list) = container.get(key) {
            out.push_str(&format!(" {title}:\t\t{} \n", joined(list, " ")));
        }
    }
    if let Some(folder) = field("Dir") {
        out.push_str(&format!(" Dir:\t\t{folder}\n"));
    }
    if let Some(init) = container.get("Init").and_then(Value::as_bool) {
        out.push_str(&format!(" Init:\t\t{init}\n"));
    }
    if let Some(user) = field("User") {
        out.push_str(&format!(" User: {user}\n"));
    }
    let (added, dropped) = (
        container.get("CapabilityAdd"),
        container.get("CapabilityDrop"),
    );
    if added.is_some() || dropped.is_some() {
        out.push_str("Capabilities:\n");
        for (word, list) in [("Add", added), ("Drop", dropped)] {
            if let Some(list) = list {
                out.push_str(&format!(" {word}: {}\n", joined(list, ", ")));
            }
        }
    }
    if let Some(map) = container.get("Sysctls").and_then(Value::as_map) {
        out.push_str("SysCtls:\n");
        for (key, value) in map.sorted() {
            out.push_str(&format!(" {key}: {}\n", value.as_str().unwrap_or_default()));
        }
    }
    if let Some(limits) = container.get("Ulimits").and_then(Value::as_list) {
        out.push_str("Ulimits:\n");
        for limit in limits {
            out.push_str(&format!(
                " {}: {}:{}\n",
                limit.str_at(&["Name"]).unwrap_or_default(),
                limit.i64_at(&["Soft"]).unwrap_or(0),
                limit.i64_at(&["Hard"]).unwrap_or(0)
            ));
        }
    }
    mounts(container.get("Mounts"), out);
    for (title, name) in [("Configs", "ConfigName"), ("Secrets", "SecretName")] {
        if let Some(grants) = container.get(title).and_then(Value::as_list) {
            out.push_str(&format!("{title}:\n"));
            for grant in grants {
                out.push_str(&format!(
                    " Target:\t{}\n  Source:\t{}\n",
                    grant.str_at(&["File", "Name"]).unwrap_or_default(),
                    grant.str_at(&[name]).unwrap_or_default()
                ));
            }
        }
    }
}

fn mounts(value: Option<&Value>, out: &mut String) {
    let Some(mounts) = value.and_then(Value::as_list) else {
        return;
    };
    out.push_str("Mounts:\n");
    for mount in mounts {
        let field = |key: &str| mount.str_at(&[key]).unwrap_or_default();
        let read_only = mount.get("ReadOnly").and_then(Value::as_bool);
        out.push_str(&format!(
            " Target:\t{}\n  Source:\t{}\n  ReadOnly:\t{}\n  Type:\t\t{}\n",
            field("Target"),
            field("Source"),
            read_only.unwrap_or(false),
            field("Type")
        ));
    }
}

fn log_driver(value: Option<&Value>, out: &mut String) {
    let Some(driver) = value else { return };
    out.push_str("Log Driver:\n");
    if let Some(name) = driver.str_at(&["Name"]) {
        out.push_str(&format!(" Name:\t\t{name}\n"));
    }
    if let Some(options) = driver.get("Options").and_then(Value::as_map) {
        out.push_str(" LogOpts:\n");
        for (key, value) in options.sorted() {
            out.push_str(&format!(
                "  {key}:       {}\n",
                value.as_str().unwrap_or_default()
            ));
        }
    }
    out.push('\n');
}

fn resources(value: Option<&Value>, out: &mut String) {
    let Some(resources) = value else { return };
    out.push_str("Resources:\n");
    for title in ["Reservations", "Limits"] {
        let amount = |key: &str| {
            let amount = resources.i64_at(&[title, key]);
            amount.filter(|amount| *amount > 0)
        };
        let (cpu, memory) = (amount("NanoCPUs"), amount("MemoryBytes"));
        if cpu.is_some() || memory.is_some() || amount("Pids").is_some() {
            out.push_str(&format!(" {title}:\n"));
        }
        if let Some(cpu) = cpu {
            out.push_str(&format!("  CPU:\t\t{}\n", cores(cpu)));
        }
        if let Some(memory) = memory {
            out.push_str(&format!("  Memory:\t{}\n", bytes(memory.unsigned_abs())));
        }
    }
    if let Some(processes) = resources
        .i64_at(&["Limits", "Pids"])
        .filter(|pids| *pids > 0)
    {
        out.push_str(&format!("  PIDs:\t\t{processes}\n"));
    }
}

/// Billionths of a core as a decimal number.
fn cores(nano: i64) -> String {
    let text = format!("{}.{:09}", nano / 1_000_000_000, nano % 1_000_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn ports(value: Option<&Value>, out: &mut String) {
    let Some(ports) = value.and_then(Value::as_list) else {
        return;
    };
    out.push_str("Ports:\n");
    for port in ports {
        out.push_str(&format!(
            " PublishedPort = {}\n  Protocol = {}\n  TargetPort = {}\n  PublishMode = {}\n",
            port.i64_at(&["PublishedPort"]).unwrap_or(0),
            port.str_at(&["Protocol"]).unwrap_or_default(),
            port.i64_at(&["TargetPort"]).unwrap_or(0),
            port.str_at(&["PublishMode"]).unwrap_or_default(),
        ));
    }
}

fn health(value: Option<&Value>, out: &mut String) {
    let Some(check) = value else { return };
    let time = |key: &str| span(check.i64_at(&[key]).unwrap_or(0));
    out.push_str(&format!(
        " Healthcheck:\n  Interval = {}\n  Retries = {}\n  StartPeriod =\t{}\n  Timeout =\t{}\n",
        time("Interval"),
        check.i64_at(&["Retries"]).unwrap_or(0),
        time("StartPeriod"),
        time("Timeout"),
    ));
    if let Some(words) = check.get("Test").and_then(Value::as_list) {
        out.push_str("  Tests:\n");
        for word in words.iter().filter_map(Value::as_str) {
            out.push_str(&format!("\t Test = {word}\n"));
        }
    }
}

fn span(nanos: i64) -> String {
    SimDuration::from_micros(nanos.unsigned_abs() / 1_000).to_string()
}

/// A node for people.
pub fn node(object: &Value) -> String {
    let text = |path: &[&str]| object.str_at(path).unwrap_or_default().to_owned();
    let mut out = format!("ID:\t\t\t{}\n", text(&["ID"]));
    labels(object.path(&["Spec", "Labels"]), &mut out);
    out.push_str(&format!(
        "Hostname:              \t{}\nJoined at:             \t{}\n",
        text(&["Description", "Hostname"]),
        joined_at(&text(&["CreatedAt"]))
    ));
    out.push_str(&format!(
        "Status:\n State:\t\t\t{}\n Availability:         \t{}\n Address:\t\t{}\n",
        title(&text(&["Status", "State"])),
        title(&text(&["Spec", "Availability"])),
        text(&["Status", "Addr"])
    ));
    if let Some(manager) = object.get("ManagerStatus") {
        let leader = if manager.get("Leader").is_some() {
            "Yes"
        } else {
            "No"
        };
        out.push_str(&format!(
            "Manager Status:\n Address:\t\t{}\n Raft Status:\t\t{}\n Leader:\t\t{leader}\n",
            manager.str_at(&["Addr"]).unwrap_or_default(),
            title(manager.str_at(&["Reachability"]).unwrap_or_default())
        ));
    }
    out.push_str(&format!(
        "Platform:\n Operating System:\t{}\n Architecture:\t\t{}\nResources:\n CPUs:\t\t\t{}\n Memory:\t\t{}\nEngine Version:\t\t{}\n",
        text(&["Description", "Platform", "OS"]),
        text(&["Description", "Platform", "Architecture"]),
        object.i64_at(&["Description", "Resources", "NanoCPUs"]).unwrap_or(0) / 1_000_000_000,
        bytes(object.i64_at(&["Description", "Resources", "MemoryBytes"]).unwrap_or(0).unsigned_abs()),
        text(&["Description", "Engine", "EngineVersion"]),
    ));
    out
}

/// A time of the API as the client's `PrettyPrint` has it: in lower case behind the first letter.
fn joined_at(text: &str) -> String {
    go_time(text).to_lowercase()
}

fn title(word: &str) -> String {
    let mut letters = word.chars();
    letters
        .next()
        .map(|first| first.to_uppercase().chain(letters).collect())
        .unwrap_or_default()
}
