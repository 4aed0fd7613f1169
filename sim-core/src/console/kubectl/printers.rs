//! What `-o` asks for: names, JSON, YAML, JSONPath, columns of one's own.
//! Source: `k8s.io/cli-runtime/pkg/{printers,genericclioptions}`, `k8s.io/kubectl/pkg/cmd/get`.

use crate::base::arrange::Arrange;
use crate::console::table::Table;
use crate::kube::kinds::Kind;
use crate::manifest::value::Value;
use crate::object::jsonpath::Template;
use crate::object::print::{KeyOrder, json_pretty, yaml};

use super::problem::Problem;
use super::{Call, get, name_of, title};

/// Prints what became of an object: a line that says so, or the object in the form of `-o`.
///
/// # Errors
/// Unknown formats and wrong templates.
pub fn outcome(
    call: &mut Call<'_>,
    kind: &'static Kind,
    object: &Value,
    word: &str,
) -> Result<(), Problem> {
    if matches!(call.arguments.flag("output"), None | Some("")) {
        let line = format!("{} {word}{}", title(kind, name_of(object)), call.suffix());
        call.say(&line);
        return Ok(());
    }
    if call.arguments.flag("output") == Some("wide") {
        return Err(unmatched("wide"));
    }
    let object = object.clone();
    print(call, &[(kind, object)], &[], true)
}

fn unmatched(format: &str) -> Problem {
    Problem::error(&format!(
        "unable to match a printer suitable for the output format \"{format}\", allowed formats are: custom-columns,custom-columns-file,go-template,go-template-file,json,jsonpath,jsonpath-as-json,jsonpath-file,kyaml,name,template,templatefile,wide,yaml"
    ))
}

/// The template of a file; one of columns has its headers in the first line, its paths in the second.
fn template_file(call: &Call<'_>, format: &str, path: &str) -> Result<String, Problem> {
    let text = call.session.file(path).ok_or_else(|| {
        Problem::error(&format!(
            "error reading template {path}, open {path}: no such file or directory\n"
        ))
    })?;
    if format == "jsonpath-file" {
        return Ok(text.to_string());
    }
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
        return Err(Problem::error(&format!(
            "number of headers ({}) and field specifications ({}) don't match",
            headers.len(),
            paths.len()
        )));
    }
    let pairs: Vec<String> = headers
        .iter()
        .zip(paths)
        .map(|(header, path)| format!("{header}:{path}"))
        .collect();
    Ok(pairs.join(","))
}

/// Whether the words ask for several kinds, so that names are printed with their kind.
fn several_kinds(words: &[String]) -> bool {
    if words.iter().any(|word| word == "all") {
        return true;
    }
    if words.iter().any(|word| word.contains('/')) {
        let mut kinds: Vec<&str> = words
            .iter()
            .filter_map(|word| word.split('/').next())
            .collect();
        kinds.arrange();
        kinds.dedup();
        return kinds.len() > 1;
    }
    words
        .first()
        .is_some_and(|word| word.split(',').filter(|part| !part.is_empty()).count() > 1)
}

/// Prints objects as `-o` asks.
///
/// # Errors
/// Unknown formats and wrong templates.
pub fn print(
    call: &mut Call<'_>,
    found: &[(&'static Kind, Value)],
    words: &[String],
    single: bool,
) -> Result<(), Problem> {
    let output = call.arguments.flag("output").unwrap_or("").to_owned();
    let (format, rest) = match output.split_once('=') {
        Some((format, rest)) => (format, rest),
        None => (
            output.as_str(),
            call.arguments.flag("template").unwrap_or(""),
        ),
    };
    let mut rest = rest.to_owned();
    if let "jsonpath-file" | "custom-columns-file" = format {
        rest = template_file(call, format, &rest)?;
    }
    match format {
        "" | "wide" => {
            get::tables(
                call,
                found,
                several_kinds(words) || call.arguments.on("show-kind"),
                format == "wide",
            );
            Ok(())
        }
        "name" => {
            for (kind, object) in found {
                let line = title(kind, name_of(object));
                call.say(&line);
            }
            Ok(())
        }
        "json" | "yaml" | "jsonpath" | "jsonpath-as-json" | "jsonpath-file" => {
            if single && found.is_empty() {
                return Ok(());
            }
            let one;
            let document = if single {
                &found[0].1
            } else {
                one = list(found);
                &one
            };
            structured(call, format, &rest, document)
        }
        "custom-columns" | "custom-columns-file" => custom_columns(call, found, &rest),
        "go-template" | "go-template-file" | "template" | "templatefile" | "kyaml" => {
            Err(Problem::error(&format!(
                "the output format {format} is not modelled; jsonpath, custom-columns, json and yaml are"
            )))
        }
        other => Err(unmatched(other)),
    }
}

/// Prints a document that is no object of the cluster's as `-o` asks.
///
/// # Errors
/// Formats for objects, and wrong templates.
pub fn document(call: &mut Call<'_>, document: &Value) -> Result<(), Problem> {
    let output = call.arguments.flag("output").unwrap_or("").to_owned();
    let (format, rest) = output.split_once('=').unwrap_or((&output, ""));
    match format {
        "json" | "yaml" | "jsonpath" | "jsonpath-as-json" => {
            structured(call, format, rest, document)
        }
        other => Err(unmatched(other)),
    }
}

fn structured(
    call: &mut Call<'_>,
    format: &str,
    template: &str,
    document: &Value,
) -> Result<(), Problem> {
    match format {
        "json" => call.say(&json_pretty(document, KeyOrder::Sorted)),
        "yaml" => call.stdout.push_str(&yaml(document)),
        _ => {
            let parsed = Template::parse(template).map_err(|error| {
                Problem::error(&format!("error parsing jsonpath {template}, {error}"))
            })?;
            if format == "jsonpath-as-json" {
                let found = Value::list(parsed.values(document));
                call.say(&json_pretty(&found, KeyOrder::Sorted));
                return Ok(());
            }
            let text = parsed.print(document).map_err(|error| {
                Problem::error(&format!("error executing jsonpath \"{template}\": {error}"))
            })?;
            call.stdout.push_str(&text);
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
    spec: &str,
) -> Result<(), Problem> {
    if spec.is_empty() {
        return Err(Problem::error(
            "custom-columns format specified but no custom columns given",
        ));
    }
    let mut table = Table::default();
    let mut paths = Vec::new();
    for part in spec.split(',') {
        let Some((header, path)) = part.split_once(':') else {
            return Err(Problem::error(&format!(
                "unexpected custom-columns spec: {part}, expected <header>:<json-path-expr>"
            )));
        };
        table.header.push(header.to_owned());
        paths.push(Template::relaxed(path).map_err(|error| Problem::error(&error))?);
    }
    for (_, object) in found {
        table.rows.push(
            paths
                .iter()
                .map(|path| {
                    let values = path.values(object);
                    if values.is_empty() {
                        "<none>".to_owned()
                    } else {
                        values
                            .iter()
                            .map(crate::object::jsonpath::text)
                            .collect::<Vec<_>>()
                            .join(",")
                    }
                })
                .collect(),
        );
    }
    call.stdout
        .push_str(&table.kubectl(!call.arguments.on("no-headers")));
    Ok(())
}
