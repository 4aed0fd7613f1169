//! Flags of `docker service create` and `update` that only the container sees.
//! Source: docker/cli `cli/command/service/{opts,update}.go`, `opts/{opts,hosts,ulimit}.go`.
//!
//! For lists, an update either removes and then adds (labels, hosts, sysctls, ulimits), or adds and
//! then removes (groups and name servers, which also end up sorted).

use std::net::IpAddr;
use std::sync::Arc;

use super::flags::Parsed;
use super::service_spec::{number, pair};
use crate::api::swarm::options::{
    ALL_CAPABILITIES, ContainerOptions, FileTarget, LogDriver, RESET_CAPABILITIES,
    capability_names, effective_capabilities,
};
use crate::base::arrange::Arrange;
use crate::base::sorted::{SortedMap, SortedSet};
use crate::console::Output;

/// Sets what `create` was given.
///
/// # Errors
/// The command line's text.
pub fn create(parsed: &Parsed, options: &mut ContainerOptions) -> Result<(), Output> {
    overwrite(parsed, options)?;
    options.labels = map(&parsed.values("container-label"));
    options.groups = texts(&parsed.values("group"));
    options.hosts = hosts(parsed, "host")?;
    options.dns_servers = checked(parsed, "dns", server)?;
    options.dns_search = checked(parsed, "dns-search", domain)?;
    options.dns_options = texts(&parsed.values("dns-option"));
    options.sysctls = map(&parsed.values("sysctl"));
    for text in parsed.values("ulimit") {
        let (name, limits) = ulimit(parsed, "ulimit", text)?;
        options.ulimits.insert(name, limits);
    }
    (options.capabilities_add, options.capabilities_drop) =
        effective_capabilities(&parsed.values("cap-add"), &parsed.values("cap-drop"));
    Ok(())
}

/// Changes what `update` was given.
///
/// # Errors
/// The command line's text.
pub fn update(parsed: &Parsed, options: &mut ContainerOptions) -> Result<(), Output> {
    overwrite(parsed, options)?;
    for key in parsed.values("container-label-rm") {
        options.labels.remove(key);
    }
    options
        .labels
        .extend(map(&parsed.values("container-label-add")));
    for text in parsed.values("sysctl-rm") {
        options.sysctls.remove(&*pair(text).0);
    }
    options.sysctls.extend(map(&parsed.values("sysctl-add")));
    for text in parsed.values("ulimit-rm") {
        options.ulimits.remove(&*pair(text).0);
    }
    for text in parsed.values("ulimit-add") {
        let (name, limits) = ulimit(parsed, "ulimit-add", text)?;
        options.ulimits.insert(name, limits);
    }
    update_hosts(parsed, options)?;
    let added = texts(&parsed.values("group-add"));
    set(parsed, "group", added, &mut options.groups);
    let added = checked(parsed, "dns-add", server)?;
    set(parsed, "dns", added, &mut options.dns_servers);
    // As addresses: those of version 4 before those of version 6.
    options
        .dns_servers
        .arrange_by_key(|text| text.parse::<IpAddr>().ok());
    let added = checked(parsed, "dns-search-add", domain)?;
    set(parsed, "dns-search", added, &mut options.dns_search);
    let added = texts(&parsed.values("dns-option-add"));
    set(parsed, "dns-option", added, &mut options.dns_options);
    update_capabilities(parsed, options);
    Ok(())
}

/// Flags with one value each.
fn overwrite(parsed: &Parsed, options: &mut ContainerOptions) -> Result<(), Output> {
    for (flag, field) in [
        ("hostname", &mut options.hostname),
        ("workdir", &mut options.directory),
        ("user", &mut options.user),
        ("stop-signal", &mut options.stop_signal),
    ] {
        if let Some(text) = parsed.value(flag) {
            *field = text.into();
        }
    }
    if parsed.value("tty").is_some() {
        options.tty = parsed.has("tty");
    }
    if parsed.value("read-only").is_some() {
        options.read_only = parsed.has("read-only");
    }
    if parsed.value("init").is_some() {
        options.init = Some(parsed.has("init"));
    }
    if let Some(limit) = parsed.read("limit-pids", number::<i64>)? {
        options.pids_limit = limit;
    }
    if let Some(adjustment) = parsed.read("oom-score-adj", number::<i64>)? {
        options.oom_score_adjustment = adjustment;
    }
    // A driver brings its options; options without a driver are not looked at.
    if let Some(name) = parsed.value("log-driver") {
        options.log_driver = (!name.is_empty()).then(|| LogDriver {
            name: name.into(),
            options: map(&parsed.values("log-opt")),
        });
    }
    Ok(())
}

fn set(parsed: &Parsed, flag: &str, added: Vec<Arc<str>>, list: &mut Vec<Arc<str>>) {
    let removed = parsed.values(&format!("{flag}-rm"));
    if added.is_empty() && removed.is_empty() {
        return;
    }
    list.extend(added);
    list.retain(|item| !removed.contains(&&**item));
    list.arrange();
    list.dedup();
}

fn texts(values: &[&str]) -> Vec<Arc<str>> {
    values.iter().map(|text| (*text).into()).collect()
}

fn map(values: &[&str]) -> SortedMap<Arc<str>, Arc<str>> {
    values.iter().map(|text| pair(text)).collect()
}

fn argument(flag: &str, value: &str, message: &str) -> Output {
    Output::error(
        125,
        format!("invalid argument \"{value}\" for \"--{flag}\" flag: {message}"),
    )
}

fn checked(
    parsed: &Parsed,
    flag: &str,
    check: fn(&str) -> Result<Arc<str>, String>,
) -> Result<Vec<Arc<str>>, Output> {
    let values = parsed.values(flag);
    values
        .into_iter()
        .map(|value| check(value).map_err(|message| argument(flag, value, &message)))
        .collect()
}

fn server(text: &str) -> Result<Arc<str>, String> {
    match text.trim().parse::<IpAddr>() {
        Ok(address) => Ok(address.to_string().into()),
        Err(_) => Err(format!("IP address is not correctly formatted: {text}")),
    }
}

fn domain(text: &str) -> Result<Arc<str>, String> {
    let trimmed = text.trim();
    if trimmed == "." {
        return Ok(trimmed.into());
    }
    let body = trimmed.strip_suffix('.').unwrap_or(trimmed);
    let part_is_valid = |part: &str| {
        let sign = |byte: u8| byte.is_ascii_alphanumeric();
        part.bytes().next().is_some_and(sign)
            && part.bytes().last().is_some_and(sign)
            && part.bytes().all(|byte| sign(byte) || byte == b'-')
    };
    if body.bytes().any(|byte| byte.is_ascii_alphabetic()) && body.split('.').all(part_is_valid) {
        Ok(trimmed.into())
    } else {
        Err(format!("{text} is not a valid domain"))
    }
}

/// `NAME:ADDRESS` as a line of the file: `ADDRESS NAME`.
fn hosts(parsed: &Parsed, flag: &str) -> Result<Vec<Arc<str>>, Output> {
    let values = parsed.values(flag);
    let line = |value: &&str| {
        let pair = value.split_once(':').filter(|(name, _)| !name.is_empty());
        let Some((name, address)) = pair else {
            let message = format!("bad format for add-host: {value:?}");
            return Err(argument(flag, value, &message));
        };
        if address != "host-gateway" && address.parse::<IpAddr>().is_err() {
            let message = format!("invalid IP address in add-host: {address:?}");
            return Err(argument(flag, value, &message));
        }
        Ok(Arc::from(format!("{address} {name}")))
    };
    values.iter().map(line).collect()
}

/// A name is taken from every line, or from the lines of one address; a line without names goes.
fn update_hosts(parsed: &Parsed, options: &mut ContainerOptions) -> Result<(), Output> {
    let removed: Vec<(&str, Option<&str>)> = parsed
        .values("host-rm")
        .into_iter()
        .map(|text| match text.split_once(':') {
            Some((name, address)) => (name, Some(address)),
            None => (text, None),
        })
        .collect();
    let mut lines: Vec<Arc<str>> = Vec::new();
    for line in &options.hosts {
        let mut words = line.split_whitespace();
        let address = words.next().unwrap_or_default();
        let names: Vec<&str> = words
            .filter(|name| {
                !removed
                    .iter()
                    .any(|(gone, at)| gone == name && at.is_none_or(|at| at == address))
            })
            .collect();
        if !names.is_empty() {
            lines.push(format!("{address} {}", names.join(" ")).into());
        }
    }
    for line in hosts(parsed, "host-add")? {
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    options.hosts = lines;
    Ok(())
}

/// Limits of one process resource. Source: docker/go-units `ulimit.go`.
fn ulimit(parsed: &Parsed, flag: &str, text: &str) -> Result<(Arc<str>, (i64, i64)), Output> {
    const NAMES: [&str; 15] = [
        "as",
        "core",
        "cpu",
        "data",
        "fsize",
        "locks",
        "memlock",
        "msgqueue",
        "nice",
        "nofile",
        "nproc",
        "rss",
        "rtprio",
        "rttime",
        "sigpending",
    ];
    debug_assert!(parsed.values(flag).contains(&text));
    let fail = |message: String| Err(argument(flag, text, &message));
    let Some((name, limits)) = text.split_once('=') else {
        return fail(format!("invalid ulimit argument: {text}"));
    };
    if !NAMES.contains(&name) && name != "stack" {
        return fail(format!("invalid ulimit type: {name}"));
    }
    let (soft, hard) = limits.split_once(':').unwrap_or((limits, limits));
    let (Ok(soft), Ok(hard)) = (soft.parse::<i64>(), hard.parse::<i64>()) else {
        return fail(format!(
            "strconv.ParseInt: parsing {limits:?}: invalid syntax"
        ));
    };
    if hard != -1 && soft > hard {
        return fail(format!(
            "ulimit soft limit must be less than or equal to hard limit: {soft} > {hard}"
        ));
    }
    Ok((name.into(), (soft, hard)))
}

/// Three states: a capability that was dropped and is added is the default once more, and the other
/// way round; one that is both added and dropped is added.
/// Source: docker/cli `cli/command/service/update.go` (`updateCapabilities`).
fn update_capabilities(parsed: &Parsed, options: &mut ContainerOptions) {
    let flags = ["cap-add", "cap-drop"].map(|flag| parsed.values(flag));
    if flags.iter().all(Vec::is_empty) {
        return;
    }
    let [mut to_add, mut to_drop] = flags.map(|texts| capability_names(&texts));
    let mut added = capability_names(&options.capabilities_add);
    let mut dropped = capability_names(&options.capabilities_drop);
    for (changes, names) in [(&mut to_add, &mut added), (&mut to_drop, &mut dropped)] {
        if changes.remove(RESET_CAPABILITIES) {
            names.clear();
        }
    }
    for name in to_drop.into_iter().filter(|name| !to_add.contains(name)) {
        if !added.remove(&name) {
            dropped.insert(name);
        }
    }
    for name in to_add {
        if !dropped.remove(&name) {
            added.insert(name);
        }
    }
    let list = |names: SortedSet<Arc<str>>| -> Vec<Arc<str>> {
        let all = names.contains(ALL_CAPABILITIES);
        let kept = names
            .into_iter()
            .filter(|name| !all || &**name == ALL_CAPABILITIES);
        kept.collect()
    };
    options.capabilities_add = list(added);
    options.capabilities_drop = list(dropped);
}

/// A number whose base its beginning tells, as Go's `ParseUint(…, 0, 32)` reads it.
fn based(text: &str) -> Option<u32> {
    let lower = text.to_ascii_lowercase();
    let (digits, base) = match lower.get(..2) {
        Some("0x") => (&lower[2..], 16),
        Some("0o") => (&lower[2..], 8),
        Some("0b") => (&lower[2..], 2),
        Some(two) if two.starts_with('0') => (&lower[1..], 8),
        _ => (&*lower, 10),
    };
    if digits.starts_with(['+', '-']) {
        return None;
    }
    u32::from_str_radix(digits, base).ok()
}

/// A secret or config of a flag: `NAME`, or `source=NAME,target=FILE,uid=0,gid=0,mode=0444`.
///
/// # Errors
/// The command line's text.
pub fn reference(
    flag: &str,
    text: &str,
    word: &str,
) -> Result<(Arc<str>, Option<FileTarget>), Output> {
    if !text.contains('=') {
        return Ok((text.into(), None));
    }
    let mut name: Option<Arc<str>> = None;
    let mut file = FileTarget::named("");
    for field in text.split(',') {
        let Some((key, value)) = field.split_once('=') else {
            let message = format!("invalid field '{field}' must be a key=value pair");
            return Err(argument(flag, text, &message));
        };
        match key.trim().to_ascii_lowercase().as_str() {
            "source" | "src" => name = Some(value.into()),
            "target" => file.name = value.into(),
            "uid" => file.uid = value.into(),
            "gid" => file.gid = value.into(),
            "mode" => match based(value) {
                Some(mode) => file.mode = mode,
                None => {
                    let message = format!(
                        "invalid mode specified: strconv.ParseUint: parsing {value:?}: invalid syntax"
                    );
                    return Err(argument(flag, text, &message));
                }
            },
            _ => {
                return Err(argument(
                    flag,
                    text,
                    &format!("invalid field in {word} request: {key}"),
                ));
            }
        }
    }
    let Some(name) = name else {
        return Err(argument(flag, text, "source is required"));
    };
    if file.name.is_empty() {
        file.name = name.clone();
    }
    Ok((name, Some(file)))
}
