//! What `-o` asks for: names, JSON, YAML, JSONPath, columns of one's own.
//! Source: `k8s.io/cli-runtime/pkg/{printers,genericclioptions}`, `k8s.io/kubectl/pkg/cmd/get`.

use crate::base::sentence::catalogue;
use crate::base::sentence::passage::Passage;
use crate::console::table::Table;
use crate::console::{Session, not_modelled};
use crate::kube::kinds::Kind;
use crate::manifest::value::Value;
use crate::object::jsonpath::Template;
use crate::object::print::{KeyOrder, go, json, json_pretty, yaml};
use crate::object::template::{self, Dialect, Missing};

use super::arguments::Arguments;
use super::problem::Problem;
use super::{Call, get, name_of, title};

/// What `-o` asks for, with its template; read before anything is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Format {
    /// A line for each object, or tables.
    Plain,
    /// Tables of all columns.
    Wide,
    /// `TYPE/NAME`.
    Name,
    /// JSON.
    Json,
    /// YAML.
    Yaml,
    /// What a path template makes of the document, and how it was written.
    Path(Template, String),
    /// What a Go template makes of it, and how that was written.
    Go(template::Template, String),
    /// The values of a path as a JSON list.
    PathAsJson(Template),
    /// A table of these headers and paths.
    Columns(Vec<(String, Template)>),
}

/// Formats by name, and whether only what prints tables has them.
const FORMATS: [(&str, bool); 14] = [
    ("custom-columns", true),
    ("custom-columns-file", true),
    ("go-template", false),
    ("go-template-file", false),
    ("json", false),
    ("jsonpath", false),
    ("jsonpath-as-json", false),
    ("jsonpath-file", false),
    ("kyaml", false),
    ("name", false),
    ("template", false),
    ("templatefile", false),
    ("wide", true),
    ("yaml", false),
];

/// Formats that are not followed by a template.
const WHOLE: [&str; 5] = ["json", "kyaml", "name", "wide", "yaml"];

/// Verbs that print what became of an object as `-o` asks.
const VERBS: [&str; 15] = [
    "annotate",
    "apply",
    "autoscale",
    "create",
    "events",
    "expose",
    "label",
    "patch",
    "replace",
    "run",
    "scale",
    "set",
    "taint",
    "wait",
    "rollout",
];

impl Format {
    /// Whether a template makes what is printed: then nothing of the objects is left out.
    /// Source: `k8s.io/cli-runtime/pkg/genericclioptions/json_yaml_flags.go`, which alone leaves out
    /// who manages the fields.
    pub const fn is_template(&self) -> bool {
        match self {
            Self::Path(..) | Self::Go(..) | Self::PathAsJson(_) | Self::Columns(_) => true,
            Self::Plain | Self::Wide | Self::Name | Self::Json | Self::Yaml => false,
        }
    }

    /// The format of a verb; those that read `-o` by themselves have the plain one.
    ///
    /// # Errors
    /// As [`Format::read`].
    pub fn of(session: &Session, verb: &str, arguments: &Arguments) -> Result<Self, Problem> {
        match verb {
            "get" => Self::read(session, arguments, true),
            verb if VERBS.contains(&verb) => Self::read(session, arguments, false),
            _ => Ok(Self::Plain),
        }
    }

    /// Reads `-o` and `--template`.
    ///
    /// # Errors
    /// Unknown formats, wrong templates, files that are not there.
    fn read(session: &Session, arguments: &Arguments, tables: bool) -> Result<Self, Problem> {
        let output = arguments.flag("output").unwrap_or("");
        let given = arguments.flag("template").unwrap_or("");
        let (name, template) = match output.split_once('=') {
            Some((name, template)) if !WHOLE.contains(&name) => (name, template),
            _ if output.is_empty() && !given.is_empty() => ("go-template", given),
            _ => (output, given),
        };
        let known =
            |(format, only_tables): &(&str, bool)| *format == name && tables >= *only_tables;
        if !name.is_empty() && !FORMATS.iter().any(known) {
            return Err(unmatched(output, tables));
        }
        let text = match name {
            "jsonpath-file" | "custom-columns-file" | "go-template-file" | "templatefile"
                if !template.is_empty() =>
            {
                let what = if name == "custom-columns-file" {
                    "template"
                } else {
                    "--template"
                };
                let text = session.file(template).ok_or_else(|| {
                    Problem::error(format!(
                        "error reading {what} {template}, open {template}: no such file or directory\n"
                    ))
                })?;
                text.to_string()
            }
            _ => template.to_owned(),
        };
        let allows = arguments.flag("allow-missing-template-keys") != Some("false");
        match name {
            "" => Ok(Self::Plain),
            "wide" => Ok(Self::Wide),
            "name" => Ok(Self::Name),
            "json" => Ok(Self::Json),
            "yaml" => Ok(Self::Yaml),
            "custom-columns" | "custom-columns-file" => {
                if text.is_empty() {
                    return Err(Problem::error(
                        "custom-columns format specified but no custom columns given",
                    ));
                }
                let columns = if name == "custom-columns" {
                    columns_in_line(&text)?
                } else {
                    columns_of_file(&text)?
                };
                let columns = columns.into_iter().map(|(header, path)| {
                    let path = Template::relaxed(path).map_err(|error| Problem::error(&error))?;
                    Ok((header.to_owned(), path))
                });
                columns.collect::<Result<_, _>>().map(Self::Columns)
            }
            "jsonpath" | "jsonpath-as-json" | "jsonpath-file" => {
                if text.is_empty() {
                    return Err(Problem::error(
                        "template format specified but no template given",
                    ));
                }
                let template = Template::parse(&text).map_err(|error| {
                    Problem::error(format!("error parsing jsonpath {text}, {error}"))
                })?;
                let template = if allows { template } else { template.strict() };
                Ok(if name == "jsonpath-as-json" {
                    Self::PathAsJson(template)
                } else {
                    Self::Path(template, text)
                })
            }
            "go-template" | "template" | "go-template-file" | "templatefile" => {
                if text.is_empty() {
                    return Err(Problem::error(
                        "template format specified but no template given",
                    ));
                }
                let dialect = Dialect {
                    name: "output",
                    functions: &["exists", "base64decode"],
                    missing: if allows {
                        Missing::NoValue
                    } else {
                        Missing::Refused
                    },
                    maps: &[],
                    methods: &[],
                };
                let template = template::Template::parse(&text, dialect).map_err(|error| {
                    let before = Passage::from(format!("error parsing template {text}, "));
                    Problem::error(before.then(error))
                })?;
                Ok(Self::Go(template, text))
            }
            other => {
                let what = catalogue::OUTPUT_FORMAT.with(&[("word", &other)]);
                let known = if tables {
                    catalogue::FORMATS_TABLES
                } else {
                    catalogue::FORMATS_ARE
                };
                Err(Problem::error(not_modelled(what).advise(known.plain())))
            }
        }
    }
}

/// Prints what became of an object: a line that says so, or the object in the form of `-o`.
///
/// # Errors
/// A template that does not fit the object.
pub fn outcome(
    call: &mut Call<'_>,
    kind: &'static Kind,
    object: &Value,
    word: &str,
) -> Result<(), Problem> {
    if *call.format == Format::Plain {
        let line = format!("{} {word}{}", title(kind, name_of(object)), call.suffix());
        call.say(&line);
        return Ok(());
    }
    // One printer for all objects parts them; some verbs make one for each.
    let parts = matches!(
        call.verb,
        "autoscale" | "create" | "expose" | "replace" | "scale" | "set" | "wait"
    );
    if parts && *call.format == Format::Yaml && !call.stdout.is_empty() {
        call.say("---");
    }
    outcomes(call, vec![(kind, object.clone())])
}

/// Prints objects that were written in the form of `-o`: several as a list.
///
/// # Errors
/// A template that does not fit them.
pub fn outcomes(
    call: &mut Call<'_>,
    mut objects: Vec<(&'static Kind, Value)>,
) -> Result<(), Problem> {
    if call.arguments.on("show-managed-fields") && call.arguments.flag("dry-run").is_none() {
        for (kind, object) in &mut objects {
            let owners = call.view()?.managed_fields(kind, object);
            object.set_path(&["metadata", "managedFields"], owners);
        }
    }
    let single = objects.len() < 2;
    print(call, &objects, false, single)
}

fn unmatched(output: &str, tables: bool) -> Problem {
    let allowed: Vec<&str> = FORMATS
        .iter()
        .filter(|(_, only_tables)| tables >= *only_tables)
        .map(|(name, _)| *name)
        .collect();
    Problem::error(format!(
        "unable to match a printer suitable for the output format \"{output}\", allowed formats are: {}",
        allowed.join(",")
    ))
}

/// `HEADER:PATH,…`.
fn columns_in_line(text: &str) -> Result<Vec<(&str, &str)>, Problem> {
    let parts = text.split(',').map(|part| {
        part.split_once(':').ok_or_else(|| {
            Problem::error(format!(
                "unexpected custom-columns spec: {part}, expected <header>:<json-path-expr>"
            ))
        })
    });
    parts.collect()
}

/// Headers in the first line, paths in the second.
fn columns_of_file(text: &str) -> Result<Vec<(&str, &str)>, Problem> {
    let mut lines = text.lines();
    let mut line = || {
        lines
            .next()
            .map(|line| line.split_whitespace().collect::<Vec<_>>())
            .filter(|words| !words.is_empty())
    };
    let (Some(headers), Some(paths)) = (line(), line()) else {
        return Err(Problem::error(
            "invalid template, missing spec line. Expected format is one line of space separated column headers, one line of space separated column specs.",
        ));
    };
    if headers.len() != paths.len() {
        return Err(Problem::error(format!(
            "number of headers ({}) and field specifications ({}) don't match",
            headers.len(),
            paths.len()
        )));
    }
    Ok(headers.into_iter().zip(paths).collect())
}

/// Prints objects as `-o` asks, their names with their kinds if there are several, or `several` are asked
/// for. Source: `k8s.io/kubectl/pkg/cmd/get/get.go` (`multipleGVKsRequested`).
///
/// # Errors
/// A template that does not fit the objects.
pub fn print(
    call: &mut Call<'_>,
    found: &[(&'static Kind, Value)],
    several: bool,
    single: bool,
) -> Result<(), Problem> {
    let format = call.format.clone();
    match &*format {
        Format::Plain | Format::Wide => {
            let differs = found.iter().any(|(kind, _)| *kind != found[0].0);
            let with_kind = several || differs || call.arguments.on("show-kind");
            get::tables(call, found, with_kind, *format == Format::Wide);
        }
        Format::Name => {
            for (kind, object) in found {
                let line = title(kind, name_of(object));
                call.say(&line);
            }
        }
        Format::Columns(columns) => custom_columns(call, found, columns)?,
        Format::Json | Format::Yaml | Format::Path(..) | Format::PathAsJson(_) | Format::Go(..) => {
            return match found {
                [] if single => Ok(()),
                [(_, one)] if single => structured(call, &format, one),
                _ => {
                    let mut list = list(found);
                    if call.verb == "apply" {
                        // A list of the client's own types, which leaves out what is empty.
                        list.set("metadata", Value::map());
                    }
                    structured(call, &format, &list)
                }
            };
        }
    }
    Ok(())
}

/// Prints a document that is no object of the cluster's as `-o` asks, without `-o` as `plain`.
///
/// # Errors
/// Formats for objects, and wrong templates.
pub fn document(call: &mut Call<'_>, document: &Value, plain: &Format) -> Result<(), Problem> {
    match Format::read(call.session, &call.arguments, false)? {
        Format::Plain => structured(call, plain, document),
        format => structured(call, &format, document),
    }
}

fn structured(call: &mut Call<'_>, format: &Format, document: &Value) -> Result<(), Problem> {
    match format {
        Format::Json => call.say(&json_pretty(document, KeyOrder::Sorted)),
        Format::Yaml => call.stdout.push_str(&yaml(document)),
        Format::PathAsJson(template) => {
            let found = Value::list(template.values(document));
            call.say(&json_pretty(&found, KeyOrder::Sorted));
        }
        Format::Path(template, written) => {
            let text = template.print(document).map_err(|error| {
                let object = template::functions::spelled(document);
                Problem::error(format!("error executing jsonpath {written:?}: Error executing template: {error}. Printing more information for debugging the template:\n\ttemplate was:\n\t\t{written}\n\tobject given to jsonpath engine was:\n\t\t{object}\n\n\n"))
            })?;
            call.stdout.push_str(&text);
        }
        Format::Go(template, written) => match template.print(document) {
            Ok(text) => call.stdout.push_str(&text),
            Err((said, error)) => {
                // What was made until then is printed, and all that helps to find the mistake.
                let raw = json(document, KeyOrder::Sorted);
                call.stdout.push_str(&format!(
                    "{said}Error executing template: {}. Printing more information for debugging the template:\n\ttemplate was:\n\t\t{written}\n\traw data was:\n\t\t{raw}\n\tobject given to template engine was:\n\t\t{}\n\n",
                    error,
                    template::functions::show(document)
                ));
                let before = Passage::from(format!("error executing template {written:?}: "));
                return Err(Problem::error(before.then(error)));
            }
        },
        Format::Plain | Format::Wide | Format::Name | Format::Columns(_) => {
            return Err(Problem::error(catalogue::FORMAT_NO_OBJECT.plain()));
        }
    }
    Ok(())
}

/// The list that `-o json` prints.
pub fn list(found: &[(&'static Kind, Value)]) -> Value {
    Value::object([
        ("apiVersion", "v1".into()),
        (
            "items",
            Value::list(found.iter().map(|(_, object)| object.clone()).collect()),
        ),
        ("kind", "List".into()),
        ("metadata", Value::object([("resourceVersion", "".into())])),
    ])
}

fn custom_columns(
    call: &mut Call<'_>,
    found: &[(&'static Kind, Value)],
    columns: &[(String, Template)],
) -> Result<(), Problem> {
    let mut table = Table {
        header: columns.iter().map(|(header, _)| header.clone()).collect(),
        ..Table::default()
    };
    for (_, object) in found {
        let mut cells = Vec::new();
        for (_, path) in columns {
            let found = path.find(object).map_err(|error| Problem::error(&error))?;
            let values: Vec<String> = found.iter().map(go).collect();
            cells.push(if values.is_empty() {
                "<none>".to_owned()
            } else {
                values.join(",")
            });
        }
        table.rows.push(cells);
    }
    call.stdout
        .push_str(&table.kubectl(!call.arguments.on("no-headers")));
    Ok(())
}
