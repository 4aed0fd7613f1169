//! `kubectl edit`. Source: `k8s.io/kubectl/pkg/cmd/util/editor`.
//!
//! There is no screen here to edit on: the editor is a scripted one, as people use in shells.
//! `KUBE_EDITOR` (else `EDITOR`) is `sed -i SCRIPT`, or `cp FILE`, which overwrites what is edited.
//! Everything around it is as upstream: the comment on top, the comparison without comments, the
//! reopening with the server's complaints, the copy that is kept of what could not be saved.

use crate::base::sentence::catalogue;
use crate::console::{after, not_modelled};
use crate::kube::kinds::Kind;
use crate::manifest::decode;
use crate::manifest::lines::Source;
use crate::manifest::scalar::Dialect;
use crate::manifest::value::Value;
use crate::object::print::{KeyOrder, json_pretty, yaml};

use super::problem::Problem;
use super::{Call, edit, name_of, title};

/// Flags of `edit`.
pub const FLAGS: &[&str] = &[
    "filename:f",
    "output:o",
    "!save-config",
    "?validate",
    "field-manager",
    "!output-patch",
    "!windows-line-endings",
    "subresource",
    "selector:l",
    "!show-managed-fields",
];

/// Times that a file is opened again. A scripted editor gives the same answer the second time.
const OPENED_MAX: u32 = 8;

const HEADER: &str = "# Please edit the object below. Lines beginning with a '#' will be ignored,\n# and an empty file will abort the edit. If an error occurs while saving this file will be\n# reopened with the relevant failures.\n#\n";

/// `edit`.
///
/// # Errors
/// An editor that is none, what the server refuses, kinds and names that were changed.
pub fn run(call: &mut Call<'_>) -> Result<(), Problem> {
    let editor = Editor::of(call)?;
    let subresource = call.arguments.flag("subresource").unwrap_or("").to_owned();
    if !matches!(subresource.as_str(), "" | "status" | "resize") {
        let what = catalogue::EDITING.with(&[("subresource", &subresource)]);
        return Err(Problem::error(not_modelled(what)));
    }
    let found = edit::chosen(call, &call.arguments.words)?;
    if found.is_empty() {
        return Err(Problem::error("edit cancelled, no objects found"));
    }
    let several = found.len() > 1;
    let objects: Vec<Value> = found.iter().map(|(_, object)| object.clone()).collect();
    let as_json = call.arguments.flag("output") == Some("json");
    let original = if several {
        let list = Value::object([
            ("apiVersion", Value::from("v1")),
            ("items", Value::list(objects)),
            ("kind", "List".into()),
            ("metadata", Value::map()),
        ]);
        written(&list, as_json)
    } else {
        written(&objects[0], as_json)
    };
    let mut reasons: Vec<Reason> = Vec::new();
    let mut last: Option<String> = None;
    for _ in 0..OPENED_MAX {
        let shown = match &last {
            Some(text) => format!("{HEADER}{}{}", header(&reasons), without_comments(text)),
            None => format!("{HEADER}{original}"),
        };
        let edited = editor.edit(call, &shown)?;
        let plain = without_comments(&edited);
        if last.as_deref().map(without_comments).as_deref() == Some(plain.as_str()) {
            let text = "Edit cancelled, no valid changes were saved.";
            return kept(call, &shown, Problem::error(text));
        }
        if last.is_none() && plain == without_comments(&original) {
            call.stderr.push("Edit cancelled, no changes made.\n");
            return Ok(());
        }
        if plain.trim().is_empty() {
            call.stderr.push("Edit cancelled, saved file was empty.\n");
            return Ok(());
        }
        reasons = match parsed(&plain) {
            Ok(objects) => save(call, &found, objects, &subresource)?,
            Err(why) => vec![Reason {
                head: format!("The edited file had a syntax error: {why}"),
                other: Vec::new(),
            }],
        };
        if reasons.is_empty() {
            return Ok(());
        }
        last = Some(edited);
    }
    kept(
        call,
        last.as_deref().unwrap_or(""),
        Problem::error("Edit cancelled, no valid changes were saved."),
    )
}

/// Why a file is opened again.
struct Reason {
    head: String,
    other: Vec<String>,
}

fn header(reasons: &[Reason]) -> String {
    let mut text = String::new();
    for reason in reasons {
        text.push_str(&format!("# {}:\n", reason.head));
        for line in &reason.other {
            text.push_str(&format!("# * {line}\n"));
        }
        text.push_str("#\n");
    }
    text
}

fn written(object: &Value, as_json: bool) -> String {
    if as_json {
        json_pretty(object, KeyOrder::Sorted) + "\n"
    } else {
        yaml(object)
    }
}

fn without_comments(text: &str) -> String {
    text.lines()
        .filter(|line| !line.trim_start().starts_with('#'))
        .map(|line| format!("{line}\n"))
        .collect()
}

fn parsed(text: &str) -> Result<Vec<Value>, String> {
    let source = Source::new("edited", text);
    let (documents, remarks) = decode::documents(&source, Dialect::Kubernetes);
    if let Some(remark) = remarks.iter().find(|remark| remark.is_error()) {
        return Err(remark.message.to_string());
    }
    let mut objects = Vec::new();
    for value in documents.iter().map(|node| node.to_value()) {
        match value.get("items").and_then(Value::as_list) {
            Some(items) if value.str_at(&["kind"]) == Some("List") => {
                objects.extend_from_slice(items);
            }
            _ => objects.push(value),
        }
    }
    Ok(objects)
}

/// Saves what was edited; answers why some of it could not be.
fn save(
    call: &mut Call<'_>,
    found: &[(&'static Kind, Value)],
    objects: Vec<Value>,
    subresource: &str,
) -> Result<Vec<Reason>, Problem> {
    let mut reasons = Vec::new();
    for object in objects {
        let same = |old: &Value, path: &[&str]| old.path(path) == object.path(path);
        let place = found.iter().find(|(_, old)| {
            same(old, &["kind"])
                && same(old, &["apiVersion"])
                && same(old, &["metadata", "name"])
                && same(old, &["metadata", "namespace"])
        });
        let Some((kind, old)) = place else {
            return Err(Problem::error(
                "At least one of apiVersion, kind and name was changed",
            ));
        };
        let name = title(kind, name_of(old));
        if *old == object {
            call.say(&format!("{name} skipped"));
            continue;
        }
        let result = if subresource.is_empty() {
            call.put(object)
        } else if subresource == "resize" {
            call.put_size(object)
        } else {
            call.put_status(object)
        };
        let own = name_of(old);
        match result {
            Ok(_) => call.say(&format!("{name} edited")),
            Err(problem) if problem.reason == "Invalid" => {
                let resource = kind.resource();
                call.stderr
                    .push(format!("error: {resource} \"{own}\" is invalid\n"));
                reasons.push(Reason {
                    head: format!("{resource} \"{own}\" was not valid"),
                    other: causes(&problem.text),
                });
            }
            Err(problem) => {
                let resource = kind.resource();
                let why = problem.text.split_once(": ").map_or("", |(_, why)| why);
                let line = if problem.reason == "NotFound" {
                    format!("{resource} \"{own}\" could not be found on the server")
                } else {
                    format!("{resource} \"{own}\" could not be patched: {why}")
                };
                call.stderr.push(format!("error: {line}\n"));
                reasons.push(Reason {
                    head: line,
                    other: Vec::new(),
                });
            }
        }
    }
    Ok(reasons)
}

/// The fields that an error names, one by one.
fn causes(text: &str) -> Vec<String> {
    let rest = text
        .split_once("is invalid: ")
        .map_or(text, |(_, rest)| rest);
    let lines = rest.lines().map(str::trim).filter(|line| !line.is_empty());
    lines
        .map(|line| line.strip_prefix("* ").unwrap_or(line).to_owned())
        .collect()
}

/// Keeps a copy of what could not be saved, as a file of the session.
fn kept(call: &mut Call<'_>, text: &str, problem: Problem) -> Result<(), Problem> {
    let number = (1_u32..)
        .find(|number| {
            !call
                .session
                .files
                .contains_key(&format!("/tmp/kubectl-edit-{number}.yaml"))
        })
        .unwrap_or(1);
    let name = format!("/tmp/kubectl-edit-{number}.yaml");
    call.stderr.push(format!(
        "A copy of your changes has been stored to \"{name}\"\n"
    ));
    call.session.files.insert(name, text.into());
    Err(problem)
}

/// A scripted editor.
enum Editor {
    /// `cp FILE`.
    Copy(String),
    /// `sed -i`: what it does, in order.
    Sed(Vec<Act>),
    /// `true`, `cat`: nothing.
    Leave,
}

enum Act {
    Replace(String, String, bool),
    Delete(String),
}

impl Editor {
    fn of(call: &Call<'_>) -> Result<Self, Problem> {
        let variable = |name: &str| {
            let found = call.session.environment.get(name);
            found.filter(|text| !text.trim().is_empty()).cloned()
        };
        let line = variable("KUBE_EDITOR").or_else(|| variable("EDITOR"));
        let line = line.unwrap_or_else(|| "vi".to_owned());
        let words: Vec<String> = crate::console::script::parse(&line)
            .ok()
            .and_then(|lines| lines.into_iter().next())
            .and_then(|line| line.pipelines.into_iter().next())
            .and_then(|pipeline| pipeline.commands.into_iter().next())
            .map(|command| command.words)
            .unwrap_or_default();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match words.as_slice() {
            ["true" | "cat" | ":"] => Ok(Self::Leave),
            ["cp", file] => Ok(Self::Copy((*file).to_owned())),
            ["sed", rest @ ..] if rest.contains(&"-i") => {
                let scripts = rest.iter().filter(|word| !matches!(**word, "-i" | "-e"));
                let mut acts = Vec::new();
                for script in scripts {
                    for part in script
                        .split([';', '\n'])
                        .filter(|part| !part.trim().is_empty())
                    {
                        acts.push(act(part.trim())?);
                    }
                }
                Ok(Self::Sed(acts))
            }
            _ => Err(Problem::error(after(
                format!("unable to launch the editor \"{line}\"\n"),
                catalogue::NO_SCREEN.with(&[
                    ("one", &"\nKUBE_EDITOR='sed -i s/1.27/1.28/'"),
                    ("other", &"KUBE_EDITOR='cp edited.yaml'"),
                ]),
            ))),
        }
    }

    fn edit(&self, call: &Call<'_>, text: &str) -> Result<String, Problem> {
        match self {
            Self::Leave => Ok(text.to_owned()),
            Self::Copy(file) => {
                let found = call.session.file(file).map(ToString::to_string);
                found.ok_or_else(|| {
                    Problem::error(format!("there was a problem with the editor \"cp {file}\""))
                })
            }
            Self::Sed(acts) => Ok(text
                .lines()
                .filter_map(|line| {
                    let mut line = line.to_owned();
                    for act in acts {
                        match act {
                            Act::Replace(from, to, true) => line = line.replace(from, to),
                            Act::Replace(from, to, false) => line = line.replacen(from, to, 1),
                            Act::Delete(part) if line.contains(part) => return None,
                            Act::Delete(_) => {}
                        }
                    }
                    Some(line + "\n")
                })
                .collect()),
        }
    }
}

/// `s/FROM/TO/[g]` or `/PART/d`; patterns are plain text.
fn act(script: &str) -> Result<Act, Problem> {
    let wrong = || {
        let said = not_modelled(format!("\"{script}\""));
        Problem::error(after("sed: ", said.advise(catalogue::SED_KNOWS.plain())))
    };
    let plain = |text: &str| !text.is_empty() && !text.contains(['*', '[', ']', '^', '$', '\\']);
    if let Some(rest) = script.strip_prefix('s') {
        let mark = rest.chars().next().ok_or_else(wrong)?;
        let parts: Vec<&str> = rest[mark.len_utf8()..].split(mark).collect();
        let [from, to, flags] = parts.as_slice() else {
            return Err(wrong());
        };
        if !plain(from) || !matches!(*flags, "" | "g") || to.contains(['\\', '&']) {
            return Err(wrong());
        }
        return Ok(Act::Replace(
            (*from).to_owned(),
            (*to).to_owned(),
            *flags == "g",
        ));
    }
    let part = script
        .strip_prefix('/')
        .and_then(|rest| rest.strip_suffix("/d"));
    part.filter(|part| plain(part))
        .map(|part| Act::Delete(part.to_owned()))
        .ok_or_else(wrong)
}
