//! `sim load`, `sim controllers` and `sim metric`: a live cluster's objects, the loops that act on
//! them, and what those measure.

use std::sync::Arc;

use crate::base::arrange::Arrange;
use crate::base::sentence::{Sentence, catalogue};
use crate::base::sorted::SortedMap;
use crate::engine::command::{Answer, Command, Orchestrator};
use crate::kube::Request;
use crate::kube::kinds::of_word;
use crate::kube::switch::LOOPS;
use crate::manifest::decode;
use crate::manifest::lines::Source;
use crate::manifest::scalar::Dialect;
use crate::manifest::value::Value;

use super::{Output, Session, located, usage};

const LOAD_USAGE: &str = "sim load -f FILE [-f FILE…] [frozen]";

/// `load -f FILE… [frozen]`.
pub fn load(session: &mut Session, words: &[&str], input: &str) -> Output {
    let mut files = Vec::new();
    let mut frozen = false;
    let mut rest = words.iter();
    while let Some(word) = rest.next() {
        match *word {
            "-f" | "--filename" => match rest.next() {
                Some(file) => files.push((*file).to_owned()),
                None => return usage(LOAD_USAGE),
            },
            "frozen" => frozen = true,
            word => match word
                .strip_prefix("--filename=")
                .or(word.strip_prefix("-f="))
            {
                Some(file) => files.push(file.to_owned()),
                None => return usage(LOAD_USAGE),
            },
        }
    }
    if files.is_empty() {
        return usage(LOAD_USAGE);
    }
    let mut objects = Vec::new();
    for file in files {
        let text: Arc<str> = if file == "-" {
            input.into()
        } else {
            match session.file(&file) {
                Some(text) => text.clone(),
                None => return Output::error(1, catalogue::NO_SUCH_FILE.with(&[("word", &file)])),
            }
        };
        match read(&file, &text) {
            Ok(found) => objects.extend(found),
            Err(message) => return Output::error(1, message),
        }
    }
    if let Err(output) = session.command(
        Orchestrator::Kubernetes,
        Command::Controllers(false, Vec::new()),
    ) {
        return output;
    }
    // Namespaces come first, so that their labels are not those of a stand-in.
    objects.arrange_by_key(|object| object.str_at(&["kind"]) != Some("Namespace"));
    let ranges: Vec<(String, String)> = objects
        .iter()
        .filter(|object| object.str_at(&["kind"]) == Some("Node"))
        .filter_map(|object| {
            let range = object.str_at(&["spec", "podCIDR"])?;
            Some((
                object.str_at(&["metadata", "name"])?.to_owned(),
                range.to_owned(),
            ))
        })
        .collect();
    let mut counts: SortedMap<String, u32> = SortedMap::new();
    let mut output = Output::default();
    for object in objects {
        let kind = object.str_at(&["kind"]).unwrap_or("").to_owned();
        let name = object
            .str_at(&["metadata", "name"])
            .unwrap_or("")
            .to_owned();
        let request = Request::Load { object };
        match session.command(Orchestrator::Kubernetes, Command::Kube(Arc::new(request))) {
            Ok(Answer::Kube(answer)) => match *answer {
                Ok(_) => *counts.entry(kind).or_default() += 1,
                Err(refusal) => {
                    output.stderr.push(format!("{kind} \"{name}\": "));
                    output.stderr.push(refusal.message);
                    output.stderr.push("\n");
                    output.code = 1;
                }
            },
            Ok(_) => {}
            Err(problem) => return problem,
        }
    }
    if !frozen {
        let on = Command::Controllers(true, Vec::new());
        if let Err(problem) = session.command(Orchestrator::Kubernetes, on) {
            return problem;
        }
        for line in moved(session, &ranges) {
            output.stderr.push(line);
            output.stderr.push("\n");
        }
    }
    let shown: Vec<String> = counts
        .iter()
        .map(|(kind, count)| format!("{count} {kind}"))
        .collect();
    let loaded = catalogue::LOADED.with(&[("names", &shown.join(", "))]);
    output.stdout.push(loaded);
    output.stdout.push("\n");
    output
}

/// Nodes whose pods get addresses from another range than they had, a line each.
fn moved(session: &Session, ranges: &[(String, String)]) -> Vec<Sentence> {
    let Ok(world) = session.world(Orchestrator::Kubernetes) else {
        return Vec::new();
    };
    let (Some(plane), Some(kind)) = (world.kube(), of_word("nodes")) else {
        return Vec::new();
    };
    let view = plane.view(&world.symbols, &world.substrate, world.now, world.seed);
    let lines = ranges.iter().filter_map(|(name, had)| {
        let node = view.get(kind, "", name)?;
        let base = |range: &str| range.split('/').next().map(str::to_owned);
        let has = node.str_at(&["spec", "podCIDR"])?;
        if base(has) == base(had) {
            return None;
        }
        Some(catalogue::RANGE_MOVED.with(&[("name", name), ("had", had), ("has", &has)]))
    });
    lines.collect()
}

/// The objects of a file; lists are taken apart.
fn read(name: &str, text: &str) -> Result<Vec<Value>, Sentence> {
    let source = Source::new(name, text);
    let (documents, remarks) = decode::documents(&source, Dialect::Kubernetes);
    if let Some(remark) = remarks.iter().find(|remark| remark.is_error()) {
        return Err(located(remark, &source));
    }
    let mut objects = Vec::new();
    for node in &documents {
        let value = node.to_value();
        let is_list = value
            .str_at(&["kind"])
            .is_some_and(|kind| kind.ends_with("List"));
        match value.get("items").and_then(Value::as_list) {
            Some(items) if is_list => objects.extend(items.iter().cloned()),
            _ if value.is_null() => {}
            _ => objects.push(value),
        }
    }
    Ok(objects)
}

/// `controllers [on|off [NAME…]]`.
pub fn controllers(session: &mut Session, words: &[&str]) -> Output {
    let (on, names) = match words {
        [] => return list(session),
        ["on", names @ ..] => (true, names),
        ["off", names @ ..] => (false, names),
        _ => return usage("sim controllers [on|off [NAME…]]"),
    };
    let names = names.iter().map(|name| Arc::from(*name)).collect();
    match session.command(Orchestrator::Kubernetes, Command::Controllers(on, names)) {
        Ok(Answer::Refused(message)) => Output::error(2, message),
        Ok(_) => Output::default(),
        Err(output) => output,
    }
}

fn list(session: &Session) -> Output {
    let world = match session.world(Orchestrator::Kubernetes) {
        Ok(world) => world,
        Err(output) => return output,
    };
    let off = world
        .kube()
        .map_or_else(Vec::new, |plane| plane.switched_off());
    let lines = LOOPS.iter().map(|name| {
        let state = if off.contains(name) { "off" } else { "on" };
        format!("{name:<43}{state}\n")
    });
    Output::text(lines.collect::<String>())
}

/// `metric set OBJECT METRIC=QUANTITY…`, `metric unset OBJECT METRIC…`: samples that autoscalers and
/// `kubectl top` see. Objects are `pod/x`, `service/x` and the like, or `external`.
pub fn metric(session: &mut Session, words: &[&str]) -> Output {
    const USAGE: &str = "sim metric set OBJECT METRIC=QUANTITY… | sim metric unset OBJECT METRIC… | sim metric set pod/web-1 cpu=500m";
    let (set, object, rest) = match words {
        ["set", object, rest @ ..] if !rest.is_empty() => (true, *object, rest),
        ["unset", object, rest @ ..] if !rest.is_empty() => (false, *object, rest),
        _ => return usage(USAGE),
    };
    let object = match session.world(Orchestrator::Kubernetes) {
        Ok(world) => world.trace_object(object),
        Err(output) => return output,
    };
    for word in rest {
        let (metric, value) = match word.split_once('=') {
            Some((metric, value)) if set && !value.is_empty() => (metric, value),
            None if !set => (*word, ""),
            _ => return usage(USAGE),
        };
        let command = Command::Metric(object.as_str().into(), metric.into(), value.into());
        match session.command(Orchestrator::Kubernetes, command) {
            Ok(Answer::Refused(message)) => return Output::error(2, message),
            Ok(_) => {}
            Err(output) => return output,
        }
    }
    Output::default()
}
