//! Kinds without a describer of their own: every field, labelled.
//! Source: `k8s.io/kubectl/pkg/describe/describe.go` (genericDescriber).

use crate::manifest::value::Value;
use crate::object::jsonpath::text;

use super::{Sheet, head, meta};

/// Fields of `metadata` that stand at the top, or that nobody reads.
const SKIPPED: [&str; 5] = [
    "managedFields",
    "name",
    "namespace",
    "labels",
    "annotations",
];

/// Words that are written in capitals. Source: as above, `smartLabelFor`.
const ACRONYMS: [&str; 5] = ["API", "URL", "UID", "OSB", "GUID"];

/// The object.
pub fn describe(object: &Value, sheet: &mut Sheet) {
    head(object, sheet);
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
            _ => sheet.line(level, &format!("{name}:\t{}", text(value))),
        }
    }
}

/// `creationTimestamp` as `Creation Timestamp`.
fn label(field: &str) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut before = '_';
    for letter in field.chars() {
        let starts = letter.is_ascii_uppercase() && !before.is_ascii_uppercase();
        match words.last_mut() {
            Some(word) if !starts => word.push(letter),
            _ => words.push(letter.to_string()),
        }
        before = letter;
    }
    let words = words.into_iter().map(|word| {
        let upper = word.to_uppercase();
        if ACRONYMS.contains(&upper.as_str()) {
            return upper;
        }
        let mut letters = word.chars();
        letters.next().map_or_else(String::new, |first| {
            first.to_uppercase().collect::<String>() + letters.as_str()
        })
    });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::label;

    #[test]
    fn labels_are_words() {
        assert_eq!(label("creationTimestamp"), "Creation Timestamp");
        assert_eq!(label("apiVersion"), "API Version");
        assert_eq!(label("uid"), "UID");
    }
}
