//! Runs one case on a fresh cluster, through console lines only.

use std::collections::BTreeMap;

use serde_json::Value;
use sim_core::base::rng::Seed;
use sim_core::base::time::EPOCH_UNIX_SECONDS;
use sim_core::console::open::{Experiment, open};
use sim_core::console::{Output, Session, lab};
use sim_core::engine::command::Orchestrator;
use sim_core::engine::history::History;

use super::Verdict;
use super::{compare, look};

/// Line that ends a here-document.
const END: &str = "END_OF_CASE_INPUT";

/// Time that passes between two steps, as between two commands that a person types.
const BETWEEN_STEPS: &str = "sim advance 500ms";

/// Seconds that an expectation of the kind "eventually" waits at most.
const EVENTUALLY_S: u32 = 300;

/// How a case that does not pass ends.
struct Stop(Verdict);

impl From<String> for Stop {
    fn from(why: String) -> Self {
        Self(Verdict::Fail(why))
    }
}

fn unsupported(why: impl Into<String>) -> Stop {
    Stop(Verdict::Unsupported(why.into()))
}

/// Runs a case.
pub fn case(case: &Value) -> Verdict {
    match attempt(&case["given"], &case["expect"]) {
        Ok(()) => Verdict::Pass,
        Err(Stop(verdict)) => verdict,
    }
}

fn attempt(given: &Value, expect: &Value) -> Result<(), Stop> {
    let known = ["steps", "objects", "command", "note"];
    if let Some(key) = given
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, _)| key)
        .find(|key| !known.contains(&key.as_str()))
    {
        return Err(unsupported(format!(
            "the harness has no way to give {key:?}"
        )));
    }
    if !given["steps"].is_array() && !given["command"].is_string() {
        return Err(unsupported("the case is not in the steps form"));
    }
    let mut run = Run {
        session: session(given)?,
        saved: BTreeMap::new(),
    };
    if let Some(objects) = given["objects"].as_array() {
        let loaded = run.line("sim load -f - frozen", Some(&documents(objects)))?;
        if loaded.code != 0 {
            return Err(refused("sim load", &loaded));
        }
    }
    if let Some(command) = given["command"].as_str() {
        let seen = run.line(command, None)?;
        run.whole(expect, given, command, &seen)?;
    }
    for (index, step) in given["steps"].as_array().into_iter().flatten().enumerate() {
        run.step(step, &expect["steps"][index])?;
    }
    for object in expect["objects"].as_array().into_iter().flatten() {
        run.object(object)?;
    }
    Ok(())
}

/// A case that brings its machines gets no others.
fn session(given: &Value) -> Result<Session, String> {
    let steps = given["steps"].as_array().into_iter().flatten();
    let lines: Vec<&str> = steps.filter_map(|step| step["run"].as_str()).collect();
    if given["objects"].is_array()
        || lines
            .iter()
            .any(|line| line.starts_with("sim node add") || line.starts_with("sim load"))
    {
        let mut session = Session::new(History::new(lab(&Orchestrator::ALL, Seed(1))));
        session.run(BETWEEN_STEPS);
        return Ok(session);
    }
    let mut session = open(&Experiment::new(Seed(1)))?.session;
    session.run("sim advance 10s");
    Ok(session)
}

/// Objects as YAML documents; JSON is YAML.
fn documents(objects: &[Value]) -> String {
    objects
        .iter()
        .map(|object| format!("---\n{}\n", timed(object)))
        .collect()
}

/// Replaces `{"$rel_s": n}` by the instant n seconds from the start of the run.
fn timed(value: &Value) -> Value {
    match value {
        Value::Object(map) => match map
            .get("$rel_s")
            .and_then(Value::as_f64)
            .map(|seconds| seconds.round() as i64)
        {
            Some(seconds) => Value::String(instant(seconds)),
            None => Value::Object(
                map.iter()
                    .map(|(key, value)| (key.clone(), timed(value)))
                    .collect(),
            ),
        },
        Value::Array(items) => Value::Array(items.iter().map(timed).collect()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

/// RFC 3339 text of an instant, in seconds from the start of the run, which may lie before it.
fn instant(seconds: i64) -> String {
    let unix = EPOCH_UNIX_SECONDS.saturating_add_signed(seconds);
    let is_leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    let (mut year, mut days) = (1970, unix / 86_400);
    while days >= 365 + u64::from(is_leap(year)) {
        days -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let lengths = [
        31,
        28 + u64::from(is_leap(year)),
        31,
        30,
        31,
        30,
        31,
        31,
        30,
        31,
        30,
        31,
    ];
    let mut month = 0;
    while days >= lengths[month] {
        days -= lengths[month];
        month += 1;
    }
    let second = unix % 86_400;
    format!(
        "{year:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
        month + 1,
        days + 1,
        second / 3600,
        second / 60 % 60,
        second % 60
    )
}

/// A raw API call as the console line that makes it: `POST /api/v1/… (raw API)`.
fn raw(line: &str) -> Option<String> {
    let (method, rest) = line.split_once(' ')?;
    let path = rest.split_whitespace().next()?;
    if !path.starts_with('/') {
        return None;
    }
    let verb = match method {
        "GET" => return Some(format!("kubectl get --raw '{path}'")),
        "POST" => "create",
        "PUT" => "replace",
        "DELETE" => return Some(format!("kubectl delete --raw '{path}'")),
        _ => return None,
    };
    Some(format!("kubectl {verb} --raw '{path}' -f -"))
}

fn refused(line: &str, seen: &Output) -> Stop {
    let why = format!("{line}: {}", compare::short(seen.stderr.trim_end()));
    if says_unsupported(seen) {
        unsupported(why)
    } else {
        Stop(Verdict::Fail(why))
    }
}

/// Whether the product said in words that it does not model what was asked for.
fn says_unsupported(seen: &Output) -> bool {
    seen.code != 0 && (seen.stderr.contains("not modelled") || seen.code == 127)
}

struct Run {
    session: Session,
    saved: BTreeMap<String, String>,
}

impl Run {
    fn line(&mut self, line: &str, input: Option<&str>) -> Result<Output, Stop> {
        let line = &match raw(line) {
            Some(line) => line,
            None => line.to_owned(),
        };
        let text = match input {
            Some(input) => format!(
                "{line} <<'{END}'\n{}\n{END}\n",
                input.trim_end_matches('\n')
            ),
            None => line.to_owned(),
        };
        let mut all = Output::default();
        all.code = self.session.script(&text, false, &mut |_, output| {
            all.stdout.push(&output.stdout);
            all.stderr.push(&output.stderr);
        });
        Ok(all)
    }

    fn step(&mut self, step: &Value, expect: &Value) -> Result<(), Stop> {
        let Some(line) = step["run"].as_str() else {
            return Err(unsupported("a step has no line to run"));
        };
        let input = match &step["stdin"] {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            Value::Array(objects) => Some(documents(objects)),
            object => Some(match object["$raw"].as_str() {
                Some(text) => text.to_owned(),
                None => documents(std::slice::from_ref(object)),
            }),
        };
        let seen = self.line(line, input.as_deref())?;
        for (key, expected) in expect.as_object().into_iter().flatten() {
            let verdict = match key.as_str() {
                "save_stdout" => {
                    self.saved.insert(
                        expected.as_str().unwrap_or_default().to_owned(),
                        seen.stdout.trim().to_owned(),
                    );
                    Ok(())
                }
                "rs_annotations_by_image" => self.annotations(expected)?,
                "note" => Ok(()),
                key => compare::output(key, expected, &seen)
                    .ok_or_else(|| unsupported(format!("the harness cannot look at {key:?}")))?,
            };
            verdict.map_err(|why| told(line, &seen, why))?;
        }
        self.line(BETWEEN_STEPS, None).map(|_| ())
    }

    /// What a case with one command expects of it and of the cluster afterwards.
    fn whole(
        &mut self,
        expect: &Value,
        given: &Value,
        line: &str,
        seen: &Output,
    ) -> Result<(), Stop> {
        let first = |kind: &str| {
            given["objects"]
                .as_array()
                .into_iter()
                .flatten()
                .find(|object| object["kind"] == kind)
                .cloned()
                .unwrap_or_default()
        };
        for (key, expected) in expect.as_object().into_iter().flatten() {
            let verdict = match key.as_str() {
                "objects" | "steps" | "order" | "note" | "done" | "patch_sent_spec_part" => Ok(()),
                "node_unschedulable" => {
                    let name = first("Node")["metadata"]["name"]
                        .as_str()
                        .unwrap_or_default()
                        .to_owned();
                    let node = self.read(&format!("node/{name}")).unwrap_or_default();
                    same(
                        key,
                        node["spec"]["unschedulable"].as_bool().unwrap_or(false),
                        expected,
                    )
                }
                "pod_deleted" => {
                    let pod = first("Pod");
                    let (name, namespace) = (
                        pod["metadata"]["name"].as_str().unwrap_or_default(),
                        pod["metadata"]["namespace"].as_str().unwrap_or("default"),
                    );
                    same(
                        key,
                        self.read(&format!("pod/{name} -n {namespace}")).is_err(),
                        expected,
                    )
                }
                key => compare::output(key, expected, seen)
                    .ok_or_else(|| unsupported(format!("the harness cannot look at {key:?}")))?,
            };
            verdict.map_err(|why| told(line, seen, why))?;
        }
        Ok(())
    }

    fn read(&mut self, what: &str) -> Result<Value, Stop> {
        let line = format!("kubectl get {what} -o json --show-managed-fields");
        let seen = self.line(&line, None)?;
        if seen.code != 0 {
            return Err(refused(&line, &seen));
        }
        serde_json::from_str(&seen.stdout)
            .map_err(|error| Stop(Verdict::Fail(format!("{line}: not JSON: {error}"))))
    }

    fn object(&mut self, expect: &Value) -> Result<(), Stop> {
        let (what, path) = (
            expect["get"].as_str().unwrap_or_default(),
            expect["path"].as_str().unwrap_or_default(),
        );
        let op = expect["op"].as_str().unwrap_or("equals");
        let mut waited = 0;
        loop {
            let verdict = match self.read(what) {
                Ok(object) => {
                    let seen = look::at(&object, path);
                    compare::value(op, seen.as_ref(), &expect["value"], &object, &self.saved)
                        .ok_or_else(|| {
                            unsupported(format!("the harness does not know the operation {op:?}"))
                        })?
                        .map_err(|why| Stop(Verdict::Fail(format!("{what} {path}: {why}"))))
                }
                Err(stop) => Err(stop),
            };
            if verdict.is_ok() || op != "eventually_equals" || waited >= EVENTUALLY_S {
                return verdict;
            }
            self.line("sim advance 1s", None)?;
            waited += 1;
        }
    }

    /// Annotations of ReplicaSets, found by the image of their first container.
    fn annotations(&mut self, expected: &Value) -> Result<Result<(), String>, Stop> {
        let sets = self.read("rs")?;
        for (image, wanted) in expected.as_object().into_iter().flatten() {
            let set = sets["items"].as_array().into_iter().flatten().find(|set| {
                set["spec"]["template"]["spec"]["containers"][0]["image"] == image.as_str()
            });
            let Some(set) = set else {
                return Ok(Err(format!("no ReplicaSet of image {image}")));
            };
            for (key, value) in wanted.as_object().into_iter().flatten() {
                if set["metadata"]["annotations"][key] != *value {
                    return Ok(Err(format!(
                        "{image}: annotation {key} is {}, not {value}",
                        set["metadata"]["annotations"][key]
                    )));
                }
            }
        }
        Ok(Ok(()))
    }
}

fn same(key: &str, seen: bool, expected: &Value) -> Result<(), String> {
    if expected.as_bool() == Some(seen) {
        Ok(())
    } else {
        Err(format!("{key} is {seen}"))
    }
}

/// A difference is "unsupported" if the product said so in words.
fn told(line: &str, seen: &Output, why: String) -> Stop {
    if says_unsupported(seen) {
        refused(line, seen)
    } else {
        Stop(Verdict::Fail(format!("{line}: {why}")))
    }
}
