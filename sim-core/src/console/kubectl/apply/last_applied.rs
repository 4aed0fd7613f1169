//! `kubectl apply set-last-applied` and `view-last-applied`.

use crate::console::kubectl::problem::Problem;
use crate::console::kubectl::{Call, name_of, printers};
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
    const AT: [&str; 3] = ["metadata", "annotations", LAST_APPLIED];
    let (found, problems) = items(call)?;
    Problem::all(problems)?;
    // All are looked at before the first is written.
    let mut changes = Vec::new();
    for item in &found {
        let name = name_of(&item.object);
        let Some(mut changed) = call.read(item.kind, item.namespace(), name)? else {
            let missing = crate::kube::Refusal::not_found(item.kind, name);
            return Err(Problem::server(&missing));
        };
        if of(&changed).is_none() && !call.arguments.on("create-annotation") {
            return Err(Problem::error(format!(
                "no last-applied-configuration annotation found on resource: {name}, to create the annotation, run the command with --create-annotation"
            )));
        }
        let remembered = remembering(&item.object);
        let text = remembered.path(&AT).cloned().unwrap_or_default();
        if changed.path(&AT) == Some(&text) {
            call.say(&format!("set-last-applied {name}: no changes required."));
            continue;
        }
        changed.set_path(&AT, text);
        changes.push((item.kind, changed));
    }
    for (kind, changed) in changes {
        let written = if call.dry_client() {
            changed
        } else {
            call.put(changed)?
        };
        printers::outcome(call, kind, &written, "configured")?;
    }
    Ok(())
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
