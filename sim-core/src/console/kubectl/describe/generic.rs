//! Kinds without a describer of their own: every field, labelled.
//! Source: `k8s.io/kubectl/pkg/describe/describe.go` (genericDescriber).

use crate::console::kubectl::name_of;
use crate::manifest::value::Value;
use crate::object::jsonpath::text;

use super::{Sheet, meta};

/// Fields of `metadata` that stand at the top, or that nobody reads.
const SKIPPED: [&str; 5] = [
    "managedFields",
    "name",
    "namespace",
    "labels",
    "annotations",
];

/// Words that are written in capitals. Source: as above, `smartLabelFor`.
const ACRONYMS: [&str; 4] = ["API", "URL", "UID", "GUID"];

/// The object. The namespace has its line even where there is none.
pub fn describe(object: &Value, sheet: &mut Sheet) {
    sheet.row(0, "Name", name_of(object));
    let namespace = object.str_at(&["metadata", "namespace"]).unwrap_or("");
    sheet.row(0, "Namespace", namespace);
    meta(object, sheet);
    let mut shown = object.clone();
    for field in SKIPPED {
        shown.remove_path(&["metadata", field]);
    }
    fields(&shown, 0, sheet);
}

/// Fields of a map, sorted by name.
pub fn fields(value: &Value, level: usize, sheet: &mut Sheet) {
    let Some(map) = value.as_map() else {
        return;
    };
    for (name, value) in map.sorted() {
        let name = label(name);
        match value {
            Value::Map(_) => {
                sheet.line(level, &format!("{name}:"));
                fields(value, level + 1, sheet);
            }
            Value::List(items) => {
                sheet.line(level, &format!("{name}:"));
                for item in items.iter() {
                    if item.as_map().is_some() {
                        fields(item, level + 1, sheet);
                    } else {
                        sheet.line(level + 1, &text(item));
                    }
                }
            }
            Value::Null => sheet.line(level, &format!("{name}:\t<nil>")),
            _ => sheet.row(level, &name, text(value)),
        }
    }
}

/// `creationTimestamp` as `Creation Timestamp`. Source: as above (`smartLabelFor`).
fn label(field: &str) -> String {
    let plain = |letter: char| letter.is_alphabetic() || letter == '-';
    if !field.chars().all(plain) {
        return field.to_owned();
    }
    let words = words(field);
    let mut merged: Vec<String> = Vec::new();
    let mut rest = words.into_iter().peekable();
    while let Some(mut word) = rest.next() {
        // Capitals and a capital that begins a word are one, as in `PDBs`.
        let capitals = word.len() >= 2 && !word.chars().any(char::is_lowercase);
        if let Some(next) = rest.next_if(|next| capitals && next.starts_with(char::is_uppercase)) {
            word.push_str(&next);
        }
        merged.push(word);
    }
    let shown = merged.into_iter().map(|word| {
        let upper = word.to_uppercase();
        if ACRONYMS.contains(&upper.as_str()) {
            return upper;
        }
        if word.to_lowercase() != word {
            return word;
        }
        let mut letters = word.chars();
        letters.next().map_or_else(String::new, |first| {
            first.to_uppercase().collect::<String>() + letters.as_str()
        })
    });
    shown.collect::<Vec<_>>().join(" ")
}

/// Runs of small letters, capitals and others; the last capital before small letters begins their run.
/// Source: `github.com/fatih/camelcase` (`Split`).
fn words(field: &str) -> Vec<String> {
    let class = |letter: char| match letter {
        _ if letter.is_lowercase() => 0,
        _ if letter.is_uppercase() => 1,
        _ => 2,
    };
    let mut runs: Vec<(u8, String)> = Vec::new();
    for letter in field.chars() {
        match runs.last_mut().filter(|(known, _)| *known == class(letter)) {
            Some((_, run)) => run.push(letter),
            None => runs.push((class(letter), letter.to_string())),
        }
    }
    for index in 1..runs.len() {
        if (runs[index - 1].0, runs[index].0) == (1, 0)
            && let Some(last) = runs[index - 1].1.pop()
        {
            runs[index].1.insert(0, last);
        }
    }
    let runs = runs.into_iter().map(|(_, run)| run);
    runs.filter(|run| !run.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::label;

    #[test]
    fn labels_are_words() {
        assert_eq!(label("creationTimestamp"), "Creation Timestamp");
        assert_eq!(label("apiVersion"), "API Version");
        assert_eq!(label("uid"), "UID");
        // Rows of upstream's `TestSmartLabelFor` and `TestDescribeUnstructuredContent`.
        for (field, shown) in [
            ("simpleField", "Simple Field"),
            ("respectPDBs", "Respect PDBs"),
            ("respectPDB", "Respect PDB"),
            ("apiURL", "API URL"),
            ("kubeAPI", "Kube API"),
            ("userUID", "User UID"),
            ("HTTPSProxy", "HTTPSProxy"),
            ("customCRDs", "Custom CRDs"),
            ("dummy-dummy", "Dummy - Dummy"),
            ("dummy-dummy@dummy", "dummy-dummy@dummy"),
            ("dummy2", "dummy2"),
        ] {
            assert_eq!(label(field), shown, "{field}");
        }
    }
}
