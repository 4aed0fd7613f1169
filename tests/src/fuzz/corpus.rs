//! What a campaign begins with: the repository's own cases, examples and scenarios, folders that are
//! named, and a few lines for each target.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::INPUT_BYTES_MAX;
use super::targets::{SPLIT, Target};

/// The inputs of the repository for a target.
pub fn own(target: Target) -> Vec<Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut texts: Vec<String> = target
        .seeds()
        .iter()
        .map(|seed| (*seed).to_owned())
        .collect();
    match target {
        Target::Yaml | Target::Compose => {
            for folder in ["../examples", "scenarios", "miniatures"] {
                texts.extend(
                    below(&root.join(folder))
                        .iter()
                        .flat_map(|file| manifests(file)),
                );
            }
        }
        Target::Scenario => {
            texts.extend(
                below(&root.join("scenarios"))
                    .iter()
                    .filter_map(|file| fs::read_to_string(file).ok()),
            );
        }
        Target::Kubectl | Target::Docker | Target::Host | Target::Sim => {
            let name = target.name();
            for file in below(&root.join("conformance")) {
                let cases = fs::read_to_string(&file).unwrap_or_default();
                texts.extend(cases.lines().filter_map(|line| case(line, name)));
            }
            for file in below(&root.join("transcripts")) {
                let text = fs::read_to_string(&file).unwrap_or_default();
                texts.extend(
                    text.lines()
                        .filter_map(|line| line.strip_prefix("$ "))
                        .filter(|line| line.starts_with(name) && !line.contains("<<"))
                        .map(str::to_owned),
                );
            }
        }
        Target::Schema => {
            let cases = fs::read_to_string(root.join("conformance/kubernetes-api.jsonl"))
                .unwrap_or_default();
            texts.extend(cases.lines().flat_map(definitions));
        }
        Target::Patch | Target::Selector | Target::Jsonpath | Target::Message => {}
    }
    let mut inputs: Vec<Vec<u8>> = texts.into_iter().map(String::into_bytes).collect();
    if target == Target::Message {
        inputs.extend(super::targets::sessions::messages());
    }
    inputs.retain(|input| input.len() <= INPUT_BYTES_MAX);
    inputs
}

/// Inputs that broke something once.
pub fn regressions(target: Target) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz")
        .join(target.name());
    below(&folder)
        .into_iter()
        .filter_map(|file| Some((file.clone(), fs::read(&file).ok()?)))
        .collect()
}

/// All files of a folder, or the file itself, as inputs.
pub fn from(path: &Path) -> Vec<Vec<u8>> {
    let mut inputs: Vec<Vec<u8>> = below(path)
        .iter()
        .filter_map(|file| fs::read(file).ok())
        .collect();
    inputs.retain(|input| input.len() <= INPUT_BYTES_MAX);
    inputs
}

fn below(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_owned()];
    }
    let Ok(entries) = fs::read_dir(path) else {
        return Vec::new();
    };
    let mut all: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    all.sort();
    all.iter().flat_map(|path| below(path)).collect()
}

/// A YAML file's text, or the YAML blocks of a Markdown file.
fn manifests(file: &Path) -> Vec<String> {
    let text = fs::read_to_string(file).unwrap_or_default();
    if file.extension().is_none_or(|extension| extension != "md") {
        return vec![text];
    }
    text.split("```yaml")
        .skip(1)
        .filter_map(|part| part.split_once('\n')?.1.split_once("```"))
        .map(|(body, _)| body.to_owned())
        .collect()
}

/// The lines of a conformance case that begin with a command, with their documents.
fn case(line: &str, command: &str) -> Option<String> {
    let case: Value = serde_json::from_str(line).ok()?;
    let mut text = String::new();
    for step in case["given"]["steps"].as_array()? {
        let run = step["run"].as_str()?;
        if !run.starts_with(command) {
            continue;
        }
        let input = match &step["stdin"] {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            Value::Array(all) => all.iter().map(|one| format!("---\n{one}\n")).collect(),
            one => match one["$raw"].as_str() {
                Some(text) => text.to_owned(),
                None => one.to_string(),
            },
        };
        text.push_str(run);
        if !input.is_empty() {
            text.push_str(&format!(" <<'END'\n{}\nEND", input.trim_end()));
        }
        text.push('\n');
    }
    (!text.is_empty()).then_some(text)
}

/// A case's definitions, each with the case's other objects.
fn definitions(line: &str) -> Vec<String> {
    let case: Value = serde_json::from_str(line).unwrap_or_default();
    let mut schemas = Vec::new();
    let mut objects = Vec::new();
    for step in case["given"]["steps"].as_array().into_iter().flatten() {
        let all = match &step["stdin"] {
            Value::Array(all) => all.clone(),
            Value::Object(_) => vec![step["stdin"].clone()],
            _ => Vec::new(),
        };
        for one in all {
            match one["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone() {
                Value::Null => objects.push(one),
                schema => schemas.push(schema),
            }
        }
    }
    schemas
        .iter()
        .flat_map(|schema| {
            let mut all = vec![format!("{schema}{SPLIT}{{}}")];
            all.extend(
                objects
                    .iter()
                    .map(|object| format!("{schema}{SPLIT}{object}")),
            );
            all
        })
        .collect()
}
