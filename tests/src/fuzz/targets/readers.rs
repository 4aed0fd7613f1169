//! Readers of one text: manifests, patches, selectors, templates, schemas.

use std::sync::Arc;

use sim_core::base::labels::Selector;
use sim_core::console::Session;
use sim_core::engine::command::FaultSpec;
use sim_core::manifest::compose::loaded::Variables;
use sim_core::manifest::compose::stack::load_stack;
use sim_core::manifest::decode::kube::decode_kube;
use sim_core::manifest::lines::Source;
use sim_core::manifest::value::Value;
use sim_core::object::jsonpath::Template;
use sim_core::object::patch;
use sim_core::object::print::{KeyOrder, json, yaml};
use sim_core::object::structural::regex::Regex;
use sim_core::object::structural::{defaults, parse, prune, validate};
use sim_core::protocol::File;

use super::SPLIT;
use super::sessions::{empty, populated};

pub(super) fn manifest(text: &str) -> String {
    let source = Source::new("in.yaml", text);
    let (objects, problems) = decode_kube(&source);
    let mut said = String::new();
    for problem in &problems {
        said.push_str(&problem.message.words());
        let at = source.position(problem.span.start);
        assert!(at.line >= 1 && problem.span.start <= problem.span.end);
        let _ = source.utf16(problem.span.end);
    }
    for object in &objects {
        let printed = yaml(&object.document);
        let read = decode_kube(&Source::new("out.yaml", &printed)).0;
        if let [again] = read.as_slice() {
            assert_eq!(again.document, object.document, "printed as\n{printed}");
        }
        let line = json(&object.document, KeyOrder::Sorted);
        assert_eq!(
            Value::parse_json(&line).as_ref(),
            Ok(&object.document),
            "{line}"
        );
    }
    let file = File {
        name: "in.yaml".to_owned(),
        text: text.to_owned(),
    };
    let units = u32::try_from(text.len()).unwrap_or(u32::MAX);
    for offset in [0, units / 3, units / 2, units, u32::MAX] {
        sim_core::host::assist::complete(&file, offset);
        sim_core::host::assist::hover(&file, offset, &[]);
    }
    said
}

pub(super) fn compose(text: &str) -> String {
    let mut session = Session::clone(&empty());
    session
        .files
        .insert("compose.yaml".to_owned(), Arc::from(text));
    let mut said = String::from(session.run("docker compose -f compose.yaml config").stderr);
    let source = Source::new("stack.yml", text);
    let stack = load_stack(&source, "s", &Variables::new(), &|_| None);
    for problem in &stack.problems {
        said.push_str(&problem.message.words());
    }
    if said.is_empty() {
        said.push_str(&session.run("docker compose -f compose.yaml up -d").stderr);
        said.push_str(&session.run("docker stack deploy -c compose.yaml s").stderr);
        session.run("sim advance 2s");
    }
    said
}

pub(super) fn patches(text: &str) -> String {
    let mut parts = text.split(SPLIT);
    let (Some(current), Some(patch)) = (parts.next(), parts.next()) else {
        return String::new();
    };
    let (Ok(current), Ok(patch)) = (Value::parse_json(current), Value::parse_json(patch)) else {
        return "no JSON".to_owned();
    };
    let mut said = String::new();
    patch::merge(&current, &patch);
    let wanted = patch::without_nulls(&patch);
    if wanted == patch && current.as_map().is_some() && patch.as_map().is_some() {
        let difference = patch::difference(&current, &patch);
        assert_eq!(patch::merge(&current, &difference), patch, "{difference:?}");
    }
    for shape in [
        None,
        patch::schema("v1", "Pod"),
        patch::schema("apps/v1", "Deployment"),
    ] {
        if let Err(message) = patch::strategic(&current, &patch, shape.as_ref()) {
            said.push_str(&message);
        }
        let applied = patch::three_way(&Value::Null, &patch, &current, shape.as_ref());
        patch::three_way(&current, &patch, &applied, shape.as_ref());
    }
    patch::three_way_merge(&current, &patch, &current);
    if let Err(message) = patch::json_patch(&current, &patch) {
        said.push_str(&message);
    }
    said
}

pub(super) fn selectors(text: &str) -> String {
    let mut said = String::new();
    let labels = [("app", "web"), ("tier", "a")].map(|(key, value)| (key.into(), value.into()));
    match Selector::parse(text) {
        Ok(selector) => said = format!("{}", selector.matches(&labels)),
        Err(message) => said.push_str(&message),
    }
    if let Ok(regex) = Regex::parse(text) {
        said.push_str(
            if regex.is_match("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab") {
                "matches"
            } else {
                "does not match"
            },
        );
    }
    if let Err(sentence) = FaultSpec::parse(text) {
        said.push_str(&sentence.to_string());
    }
    let mut session = Session::clone(&populated());
    let words = |words: &[&str]| {
        words
            .iter()
            .map(|word| (*word).to_owned())
            .collect::<Vec<_>>()
    };
    for line in [
        words(&["get", "pods", "-l", text]),
        words(&["get", "pods", "--field-selector", text]),
        words(&["create", "cronjob", "c", "--image=a", "--schedule", text]),
        words(&["autoscale", "deployment", "web", "--max", text]),
        words(&[
            "set",
            "resources",
            "deployment",
            "web",
            &format!("--limits=memory={text}"),
        ]),
    ] {
        said.push_str(&sim_core::console::kubectl::run(&mut session, &line, "").stderr);
    }
    session.run("sim advance 2m");
    said
}

pub(super) fn paths(text: &str) -> String {
    let mut said = String::new();
    thread_local! {
        static DOCUMENT: Value = {
            let line = "kubectl get pods,nodes,deployments -A -o json";
            let printed = Session::clone(&populated()).run(line).stdout;
            Value::parse_json(&printed).expect("kubectl prints JSON")
        };
    }
    for template in [Template::parse(text), Template::relaxed(text)] {
        match template {
            Ok(template) => {
                let printed = DOCUMENT.with(|document| template.print(document));
                said.push_str(&printed.unwrap_or_else(|message| message));
            }
            Err(message) => said.push_str(&message),
        }
    }
    let mut session = Session::clone(&populated());
    for prefix in ["custom-columns=", "jsonpath=", "go-template="] {
        let line = ["get", "pods", "-o"].map(str::to_owned);
        let mut line = line.to_vec();
        line.push(format!("{prefix}{text}"));
        said.push_str(&sim_core::console::kubectl::run(&mut session, &line, "").stderr);
    }
    for command in ["ps", "images"] {
        let line = [command, "--format", text].map(str::to_owned);
        said.push_str(&sim_core::console::docker::run(&mut session, &line, "").stderr);
    }
    said
}

pub(super) fn schema(text: &str) -> String {
    let Some((schema, object)) = text.split_once(SPLIT) else {
        return String::new();
    };
    let Ok(schema) = Value::parse_json(schema) else {
        return "no JSON".to_owned();
    };
    let made = match parse::parse(&schema, "spec.validation.openAPIV3Schema") {
        Ok(made) => made,
        Err(faults) => return faults.iter().map(|fault| &*fault.message).collect(),
    };
    let Ok(mut object) = Value::parse_json(object) else {
        return "no JSON".to_owned();
    };
    prune::prune(&mut object, &made);
    defaults::apply(&mut object, &made);
    let once = object.clone();
    prune::prune(&mut object, &made);
    defaults::apply(&mut object, &made);
    assert_eq!(object, once, "pruning and filling in twice is as once");
    validate::validate(&object, &made)
        .iter()
        .map(|fault| &*fault.message)
        .collect()
}
