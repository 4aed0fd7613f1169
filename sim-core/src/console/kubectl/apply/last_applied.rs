//! `kubectl apply set-last-applied` and `view-last-applied`.

use crate::console::kubectl::problem::Problem;
use crate::console::kubectl::{Call, name_of, title};
use crate::manifest::value::Value;
use crate::object::print::{KeyOrder, json_indented, yaml};

use super::{LAST_APPLIED, items, remembering};

/// What was applied before, if the object remembers it.
pub fn of(object: &Value) -> Option<Value> {
    let text = object.str_at(&["metadata", "annotations", LAST_APPLIED])?;
    Value::parse_json(text).ok()
}

/// `set-last-applied`.
///
/// # Errors
/// Objects that are not there or remember nothing.
pub fn set(call: &mut Call<'_>) -> Result<(), Problem> {
    let (found, mut problems) = items(call)?;
    for item in &found {
        let name = name_of(&item.object);
        let Some(current) = call.read(item.kind, item.namespace(), name)? else {
            let missing = crate::kube::Refusal::not_found(item.kind, name);
            problems.push(Problem::server(&missing));
            continue;
        };
        if of(&current).is_none() && !call.arguments.on("create-annotation") {
            problems.push(Problem::error(format!("no last-applied-configuration annotation found on resource: {name}, to create the annotation, run the command with --create-annotation")));
            continue;
        }
        let remembered = remembering(&item.object);
        let text = remembered.path(&["metadata", "annotations", LAST_APPLIED]);
        let mut changed = current;
        changed.set_path(
            &["metadata", "annotations", LAST_APPLIED],
            text.cloned().unwrap_or_default(),
        );
        match call.put(changed) {
            Ok(_) => {
                let line = format!("{} configured{}", title(item.kind, name), call.suffix());
                call.say(&line);
            }
            Err(problem) => problems.push(problem),
        }
    }
    Problem::all(problems)
}

/// `view-last-applied`.
///
/// # Errors
/// Objects that are not there or remember nothing.
pub fn view(call: &mut Call<'_>) -> Result<(), Problem> {
    let words = call.arguments.words[1..].to_vec();
    let objects: Vec<Value> = if call.arguments.has_files() {
        let (found, problems) = items(call)?;
        Problem::all(problems)?;
        let view = call.view()?;
        found
            .iter()
            .filter_map(|item| view.get(item.kind, item.namespace(), name_of(&item.object)))
            .collect()
    } else {
        let found = call.chosen(&words)?;
        found.into_iter().map(|(_, object)| object).collect()
    };
    for object in objects {
        let Some(applied) = of(&object) else {
            return Err(Problem::error(format!(
                "no last-applied-configuration annotation found on resource: {}",
                name_of(&object)
            )));
        };
        match call.arguments.flag("output") {
            None | Some("" | "yaml") => call.stdout.push_str(&yaml(&applied)),
            // Upstream indents this by two blanks.
            Some("json") => {
                let text = json_indented(&applied, KeyOrder::Sorted, "  ");
                call.say(&text);
            }
            Some(other) => {
                return Err(Problem::error(format!(
                    "Unexpected -o output mode: {other}, the flag 'output' must be one of yaml|json\nSee 'view-last-applied -h' for help and examples"
                )));
            }
        }
    }
    Ok(())
}
