//! What an editor offers at a place of a manifest: fields, values, and what a field is.
//!
//! Works on text that is being written, so on lines and their indentation, not on parsed YAML. Owns
//! the way from a place to a path of field names, and from there through the schema tables.
//!
//! ```text
//! spec:                  path of the place: spec, template, spec, containers
//!   template:
//!     spec:
//!       containers:
//!         - na|          fields of a container that begin with `na`
//! ```

use crate::base::arrange::Arrange;
use crate::console::open::NotModelled;
use crate::manifest::schema::table::{self, Field, Shape, Table, Type};
use crate::protocol::{Answer, File, Said, Word};

/// Words that are offered at most.
const WORDS_MAX: usize = 200;

/// Lines that are looked back through at most.
const LINES_MAX: usize = 20_000;

/// What can be written at `offset`.
pub fn complete(file: &File, offset: u32) -> Answer {
    let at = byte_of(&file.text, offset);
    let place = Place::find(&file.text, at);
    let typed = &file.text[place.word..at];
    let words = match &place.key {
        Some(key) => values(&place, key),
        None => fields(&place),
    };
    let mut fitting: Vec<Word> = words
        .into_iter()
        .filter(|word| word.label.starts_with(typed))
        .collect();
    fitting.truncate(WORDS_MAX);
    if fitting.is_empty() {
        return Answer::Nothing;
    }
    Answer::Words {
        from: utf16_of(&file.text, place.word),
        words: fitting,
    }
}

/// What the field at `offset` is.
pub fn hover(file: &File, offset: u32, not_modelled: &[NotModelled]) -> Answer {
    let text = &file.text;
    let at = byte_of(text, offset);
    let line_start = text[..at].rfind('\n').map_or(0, |at| at + 1);
    let line_end = text[at..].find('\n').map_or(text.len(), |end| at + end);
    let line = Line::read(&text[line_start..line_end]);
    let Some(key) = line.key else {
        return Answer::Nothing;
    };
    let (from, to) = (
        line_start + line.column,
        line_start + line.column + key.len(),
    );
    if at < from || at > to {
        return Answer::Nothing;
    }
    let place = Place::find(text, from);
    let Some(field) = place
        .structures()
        .into_iter()
        .find_map(|structure| structure.field(key).map(|field| (structure, field)))
    else {
        return Answer::Nothing;
    };
    let (structure, field) = field;
    let form = if field.is_required {
        "field-required"
    } else {
        "field"
    };
    let shape = ("shape", shape_said(place.table, &field.shape));
    let structure = ("structure", structure.go_name().into());
    let mut lines = vec![
        Said::own(form, [("name", key.into()), shape]),
        Said::own("field-of", [structure]),
    ];
    if let Shape::Type(id) = inner(&field.shape) {
        let fields = place.table.get(*id).fields.iter();
        let names: Vec<&str> = fields.map(|field| &*field.name).collect();
        let names = Said::Plain(names.join(", "));
        lines.push(Said::own("fields", [("names", names)]));
    }
    let number = text[..from].matches('\n').count() + 1;
    if not_modelled
        .iter()
        .any(|one| *one.file == *file.name && one.line as usize == number)
    {
        lines.push(Said::own("kept", []));
    }
    Answer::Meaning {
        from: utf16_of(text, from),
        to: utf16_of(text, to),
        lines,
    }
}

/// A line of YAML as far as its indentation and its key go.
struct Line<'t> {
    /// Column of the first dash of list items on it, if there is one.
    dash: Option<usize>,
    /// Column where key or value begins.
    column: usize,
    /// Its key, if it has one.
    key: Option<&'t str>,
}

impl<'t> Line<'t> {
    fn read(line: &'t str) -> Self {
        let mut column = line.len() - line.trim_start_matches(' ').len();
        let mut dash = None;
        while line[column..].starts_with("- ") || &line[column..] == "-" {
            dash.get_or_insert(column);
            let rest = &line[column + 1..];
            column += 1 + rest.len() - rest.trim_start_matches(' ').len();
        }
        let rest = &line[column..];
        let end = rest
            .find(": ")
            .or_else(|| rest.trim_end().strip_suffix(':').map(str::len));
        let key = end
            .map(|end| &rest[..end])
            .filter(|key| !key.is_empty() && !key.starts_with(['#', '"', '\'', '{', '[']));
        Self { dash, column, key }
    }
}

/// A place in a text.
struct Place {
    table: &'static Table,
    /// The root structure; none: the document does not say yet what it is.
    root: Option<&'static Type>,
    /// Names of the fields that the place is in.
    path: Vec<String>,
    /// The key whose value is written at the place.
    key: Option<String>,
    /// Where the word begins, in bytes.
    word: usize,
    is_kubernetes: bool,
    /// Keys that the document has at its top level, with their values.
    top: Vec<(String, String)>,
}

impl Place {
    fn find(text: &str, at: usize) -> Self {
        let start = text[..at].rfind("\n---").map_or(0, |found| found + 1);
        let end = text[at..]
            .find("\n---")
            .map_or(text.len(), |found| at + found);
        let document = &text[start..end];
        let mut top = Vec::new();
        for line in document.lines() {
            if let Some(key) = Line::read(line).key
                && !line.starts_with([' ', '-'])
            {
                let value = line[key.len() + 1..].trim().trim_matches(['"', '\'']);
                top.push((key.to_owned(), value.to_owned()));
            }
        }
        let has = |name: &str| top.iter().any(|(key, _)| key == name);
        let is_kubernetes =
            has("apiVersion") || has("kind") || !(has("services") || text.contains("\nservices:"));
        let is_stack = !is_kubernetes && text.lines().any(|line| line.trim() == "deploy:");
        let (table, root) = root(is_kubernetes, is_stack, &top);

        let line_start = text[..at].rfind('\n').map_or(0, |at| at + 1);
        let before = &text[line_start..at];
        let line = Line::read(before);
        let (key, word) = match line.key {
            Some(key) => {
                let value = &before[line.column + key.len() + 1..];
                let spaces = value.len() - value.trim_start().len();
                (
                    Some(key.to_owned()),
                    line_start + line.column + key.len() + 1 + spaces,
                )
            }
            None => (None, line_start + line.column.min(before.len())),
        };
        let mut path = path(&text[start..line_start.max(start)], &line);
        if let Some(key) = &key {
            path.push(key.clone());
        }
        Self {
            table,
            root,
            path,
            key,
            word: word.min(at),
            is_kubernetes,
            top,
        }
    }

    /// The structures that the place may be in.
    fn structures(&self) -> Vec<&'static Type> {
        let Some(root) = self.root else {
            return Vec::new();
        };
        let mut current: Vec<&'static Type> = vec![root];
        let mut maps: Vec<&'static Shape> = Vec::new();
        let length = self.path.len() - usize::from(self.key.is_some());
        for name in &self.path[..length] {
            let mut shapes: Vec<&'static Shape> = maps.clone();
            shapes.extend(
                current
                    .iter()
                    .filter_map(|one| one.field(name))
                    .map(|field| &field.shape),
            );
            (current, maps) = (Vec::new(), Vec::new());
            for shape in shapes {
                spread(self.table, shape, &mut current, &mut maps);
            }
        }
        current
    }
}

/// What a shape may lead to: structures, and values of maps that take one more name.
fn spread(
    table: &'static Table,
    shape: &'static Shape,
    types: &mut Vec<&'static Type>,
    maps: &mut Vec<&'static Shape>,
) {
    match shape {
        Shape::Type(id) => types.push(table.get(*id)),
        Shape::List(items) => spread(table, items, types, maps),
        Shape::Map { values, .. } => maps.push(values),
        Shape::OneOf(shapes) | Shape::Plain(shapes) => {
            for shape in shapes {
                spread(table, shape, types, maps);
            }
        }
        _ => {}
    }
}

fn root(
    is_kubernetes: bool,
    is_stack: bool,
    top: &[(String, String)],
) -> (&'static Table, Option<&'static Type>) {
    if !is_kubernetes {
        let table = if is_stack {
            table::stack()
        } else {
            table::compose()
        };
        return (table, table.named("file"));
    }
    let table = table::kubernetes();
    let value = |name: &str| {
        top.iter()
            .find(|(key, _)| key == name)
            .map_or("", |(_, value)| value)
    };
    let kind = table.kind(value("apiVersion"), value("kind"));
    (
        table,
        kind.and_then(|kind| kind.root).map(|id| table.get(id)),
    )
}

/// The keys that a line is below, from the outermost, by the lines before it.
fn path(before: &str, line: &Line<'_>) -> Vec<String> {
    let mut path = Vec::new();
    // Parents stand further left; the parent of a list may stand in the column of its dashes.
    let mut limit = line.dash.map_or(line.column, |dash| dash + 1);
    for text in before.lines().rev().take(LINES_MAX) {
        if limit == 0 {
            break;
        }
        if text.trim().is_empty() || text.trim_start().starts_with('#') {
            continue;
        }
        let above = Line::read(text);
        if above.column < limit {
            if let Some(key) = above.key {
                path.push(key.to_owned());
            }
            limit = above.column;
        }
        // Above an item's dash the search goes on for the list's key.
        if let Some(dash) = above.dash
            && above.column <= limit
        {
            limit = limit.min(dash + 1);
        }
    }
    path.reverse();
    path
}

fn fields(place: &Place) -> Vec<Word> {
    let mut words = Vec::new();
    if place.path.is_empty() && place.root.is_none() && place.is_kubernetes {
        for name in ["apiVersion", "kind", "metadata", "spec"] {
            words.push(word(name, Said::default(), format!("{name}: ")));
        }
        words.push(word(
            "services",
            "Compose".into(),
            "services:\n  ".to_owned(),
        ));
    }
    let mut fields: Vec<&Field> = place
        .structures()
        .into_iter()
        .flat_map(|one| &one.fields)
        .collect();
    if place.path.is_empty() {
        fields.retain(|field| {
            !place.top.iter().any(|(key, _)| *key == *field.name) && &*field.name != "status"
        });
    }
    // Those that must be given come first; the tables are in order of names.
    fields.arrange_by_key(|field| !field.is_required);
    for field in fields {
        let nested = matches!(
            inner(&field.shape),
            Shape::Type(_) | Shape::Map { .. } | Shape::List(_) | Shape::Object
        );
        let text = if nested {
            format!("{}:", field.name)
        } else {
            format!("{}: ", field.name)
        };
        let mut detail = shape_said(place.table, &field.shape);
        if field.is_required {
            detail = Said::own("shape-required", [("shape", detail)]);
        }
        words.push(word(&field.name, detail, text));
    }
    words
}

fn values(place: &Place, key: &str) -> Vec<Word> {
    let plain = |text: &str, detail: &str| word(text, detail.into(), text.to_owned());
    if place.is_kubernetes && place.path.len() == 1 {
        let wanted = |name: &str| {
            place
                .top
                .iter()
                .find(|(key, _)| key == name)
                .map(|(_, value)| value.as_str())
        };
        let kinds = place
            .table
            .kinds()
            .iter()
            .filter(|kind| kind.root.is_some());
        let mut words: Vec<Word> = match key {
            "kind" => kinds
                .filter(|kind| {
                    wanted("apiVersion")
                        .is_none_or(|version| version.is_empty() || version == &*kind.api_version)
                })
                .map(|kind| plain(&kind.kind, &kind.api_version))
                .collect(),
            "apiVersion" => kinds.map(|kind| plain(&kind.api_version, "")).collect(),
            _ => Vec::new(),
        };
        words.arrange_by(|one, two| one.label.cmp(&two.label));
        words.dedup();
        if !words.is_empty() {
            return words;
        }
    }
    let mut words = Vec::new();
    for structure in place.structures() {
        if let Some(field) = structure.field(key) {
            offer(&field.shape, &mut words);
        }
    }
    words
}

fn offer(shape: &Shape, words: &mut Vec<Word>) {
    match shape {
        Shape::Enum(values) => words.extend(
            values
                .iter()
                .map(|value| word(value, Said::default(), value.to_string())),
        ),
        Shape::Bool => words
            .extend(["true", "false"].map(|value| word(value, Said::default(), value.to_owned()))),
        Shape::OneOf(shapes) | Shape::Plain(shapes) => {
            shapes.iter().for_each(|shape| offer(shape, words))
        }
        _ => {}
    }
}

fn word(label: &str, detail: Said, text: String) -> Word {
    Word {
        label: label.to_owned(),
        detail,
        text,
    }
}

/// What a list consists of, or the shape itself.
fn inner(shape: &Shape) -> &Shape {
    match shape {
        Shape::List(items) => items,
        other => other,
    }
}

/// A shape in words.
fn shape_said(table: &Table, shape: &Shape) -> Said {
    let own = |key| Said::own(key, []);
    match shape {
        Shape::Any => own("shape-any"),
        Shape::Null => "null".into(),
        Shape::String => own("shape-string"),
        Shape::Enum(values) => Said::Plain(values.join(" | ")),
        Shape::Duration => own("shape-duration"),
        Shape::Time => own("shape-time"),
        Shape::Bytes => "base64".into(),
        Shape::Bool => own("shape-boolean"),
        Shape::Int32 | Shape::Int64 => own("shape-integer"),
        Shape::Number => own("shape-number"),
        Shape::Quantity => own("shape-quantity"),
        Shape::IntOrString => either(own("shape-integer"), own("shape-string")),
        Shape::Object => own("shape-object"),
        Shape::List(items) => Said::own("shape-list", [("items", shape_said(table, items))]),
        Shape::Map { values, .. } => {
            Said::own("shape-map", [("values", shape_said(table, values))])
        }
        Shape::Type(id) => table.get(*id).go_name().into(),
        Shape::Plain(shapes) | Shape::OneOf(shapes) => {
            let mut all = shapes.iter().map(|shape| shape_said(table, shape));
            let first = all.next().unwrap_or_default();
            all.fold(first, either)
        }
    }
}

fn either(one: Said, other: Said) -> Said {
    Said::own("shape-or", [("one", one), ("other", other)])
}

/// The byte of an offset in UTF-16 units; past the end it is the end.
pub(super) fn byte_of(text: &str, offset: u32) -> usize {
    let mut units = 0;
    for (at, letter) in text.char_indices() {
        if units >= offset {
            return at;
        }
        units += letter.len_utf16() as u32;
    }
    text.len()
}

pub(super) fn utf16_of(text: &str, byte: usize) -> u32 {
    let units: usize = text[..byte].chars().map(char::len_utf16).sum();
    u32::try_from(units).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The words offered at `|`.
    fn offered(text: &str) -> Vec<String> {
        let at = text.find('|').expect("a cursor");
        let file = File {
            name: "a.yaml".to_owned(),
            text: text.replacen('|', "", 1),
        };
        match complete(&file, utf16_of(text, at)) {
            Answer::Words { words, .. } => words.into_iter().map(|word| word.label).collect(),
            _ => Vec::new(),
        }
    }

    const DEPLOYMENT: &str =
        "# 註解\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\nspec:\n";

    #[test]
    fn fields_of_the_structure_at_the_place_are_offered() {
        let words = offered(&format!("{DEPLOYMENT}  |"));
        assert!(words.contains(&"replicas".to_owned()), "{words:?}");
        assert!(!words.contains(&"clusterIP".to_owned()));
        let text = format!(
            "{DEPLOYMENT}  template:\n    spec:\n      containers:\n        - name: web\n          im|"
        );
        assert_eq!(offered(&text), ["image", "imagePullPolicy"]);
        let text = format!("{DEPLOYMENT}  template:\n    spec:\n      containers:\n      - im|");
        assert_eq!(offered(&text), ["image", "imagePullPolicy"]);
        let text = "services:\n  web:\n    image: nginx\n    heal|";
        assert_eq!(offered(text), ["healthcheck"]);
    }

    #[test]
    fn values_with_a_closed_set_are_offered() {
        assert_eq!(offered("apiVersion: apps/v1\nkind: Dep|"), ["Deployment"]);
        let text = format!("{DEPLOYMENT}  paused: |");
        assert_eq!(offered(&text), ["true", "false"]);
    }

    #[test]
    fn a_field_is_explained_by_its_type() {
        let text = format!("{DEPLOYMENT}  replicas: 3\n");
        let at = utf16_of(&text, text.find("replicas").expect("it is there")) + 3;
        let file = File {
            name: "a.yaml".to_owned(),
            text,
        };
        let Answer::Meaning { lines, .. } = hover(&file, at, &[]) else {
            panic!("nothing")
        };
        let shape = ("shape", Said::own("shape-integer", []));
        assert_eq!(
            lines,
            [
                Said::own("field", [("name", "replicas".into()), shape]),
                Said::own("field-of", [("structure", "DeploymentSpec".into())]),
            ]
        );
    }

    #[test]
    fn no_text_makes_it_fail() {
        for text in [
            "",
            "\n---",
            "- - -",
            "-",
            ": :",
            "a:\n-|",
            "é: 漢\n  字",
            "\t:",
        ] {
            let file = File {
                name: "a.yaml".to_owned(),
                text: text.to_owned(),
            };
            for offset in 0..12 {
                complete(&file, offset);
                hover(&file, offset, &[]);
            }
        }
    }
}
