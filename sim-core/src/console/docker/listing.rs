//! Lists: the default table, `--format`, `--quiet`, filters.
//! Source: docker/cli `cli/command/formatter/{formatter,custom}.go`.

use super::flags::Parsed;
use super::template;
use crate::base::sentence::Sentence;
use crate::base::sentence::passage::Passage;
use crate::console::Output;
use crate::console::table::Table;
use crate::manifest::value::Value;
use crate::object::print::{KeyOrder, json, json_indented, json_plain};

/// A list of objects, each a row of texts.
#[derive(Clone, Debug)]
pub struct Listing {
    /// Fields with their headers; the first `shown` make the default table.
    pub fields: &'static [(&'static str, &'static str)],
    /// Number of columns of the default table.
    pub shown: usize,
    /// Its lines' type in the real client, for messages.
    pub of: &'static str,
    /// Field that `--quiet` prints.
    pub quiet: &'static str,
    /// What the fields of the default table are called in the raw format; empty: the list has none.
    pub raw: &'static [&'static str],
    /// Rows, one text for each field.
    pub rows: Vec<Vec<String>>,
}

impl Listing {
    /// A list whose default table has all columns but the last `extra` ones.
    pub fn new(
        of: &'static str,
        fields: &'static [(&'static str, &'static str)],
        extra: usize,
    ) -> Self {
        Self {
            of,
            fields,
            shown: fields.len() - extra,
            quiet: fields[0].0,
            raw: &[],
            rows: Vec::new(),
        }
    }

    /// Prints it as `--format` and `--quiet` ask.
    pub fn output(&self, parsed: &Parsed) -> Output {
        let format = parsed.value("format").unwrap_or("table");
        if format == "raw" && !self.raw.is_empty() {
            return Output::text(self.raw(parsed.has("quiet")));
        }
        if parsed.has("quiet") {
            let column = self
                .fields
                .iter()
                .position(|(field, _)| *field == self.quiet)
                .unwrap_or(0);
            return Output::text(
                self.rows
                    .iter()
                    .map(|row| format!("{}\n", row[column]))
                    .collect::<String>(),
            );
        }
        match format {
            "table" => Output::text(self.table()),
            "json" | "{{json .}}" => Output::text(
                self.rows
                    .iter()
                    .map(|row| json(&self.object(row), KeyOrder::Sorted) + "\n")
                    .collect::<String>(),
            ),
            _ => self.custom(format),
        }
    }

    /// Looks at `--format` as `docker ps` does before it asks the engine.
    /// Source: docker/cli `cli/command/container/list.go` (buildContainerListOptions).
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(&self, parsed: &Parsed) -> Result<(), Output> {
        let Some(format) = parsed.value("format") else {
            return Ok(());
        };
        let said = |what: &str, error: Sentence| {
            let error = Passage::from(error).without_start("template parsing error: ");
            let failed = format!("failed to {what} template: ");
            Output::error(1, Passage::from(failed).then(error))
        };
        let template = template::of_type(format, self.of).map_err(|error| said("parse", error))?;
        let none = vec![String::new(); self.fields.len()];
        match template::print(&template, &self.object(&none)) {
            Ok(_) => Ok(()),
            Err(error) => Err(said("execute", error)),
        }
    }

    fn table(&self) -> String {
        let headers: Vec<&str> = self.fields[..self.shown]
            .iter()
            .map(|(_, header)| *header)
            .collect();
        let mut table = Table::new(&headers);
        table.rows = self
            .rows
            .iter()
            .map(|row| row[..self.shown].to_vec())
            .collect();
        table.docker()
    }

    /// A line for each field, a blank line after each object; quiet, only the first line.
    fn raw(&self, quiet: bool) -> String {
        let count = if quiet { 1 } else { self.raw.len() };
        let object = |row: &Vec<String>| {
            let fields = self.raw[..count].iter().zip(row);
            let mut text: String = fields
                .map(|(name, value)| format!("{name}: {value}\n"))
                .collect();
            text.push_str(if quiet { "" } else { "\n" });
            text
        };
        self.rows.iter().map(object).collect()
    }

    fn object(&self, row: &[String]) -> Value {
        Value::object(
            self.fields
                .iter()
                .zip(row)
                .map(|((field, _), text)| (*field, Value::string(text))),
        )
    }

    fn custom(&self, format: &str) -> Output {
        let (tabular, format) = match format.strip_prefix("table") {
            Some(format) => (true, format),
            None => (false, format),
        };
        let format = format.trim_matches(' ');
        // The command line turns these two escapes of the shell's single quotes into characters.
        let format = format.replace("\\t", "\t").replace("\\n", "\n");
        let template = match template::of_type(&format, self.of) {
            Ok(template) => template,
            Err(message) => return Output::error(1, message),
        };
        let headers = tabular.then(|| {
            Value::object(
                self.fields
                    .iter()
                    .map(|(field, header)| (*field, Value::string(header))),
            )
        });
        let rows = self.rows.iter().map(|row| self.object(row));
        let mut lines: Vec<String> = Vec::new();
        for value in headers.into_iter().chain(rows) {
            match template::print(&template, &value) {
                Ok(line) => lines.push(line),
                Err(message) => {
                    let said = Passage::from("template parsing error: ").then(message);
                    return Output::error(1, said);
                }
            }
        }
        if !tabular {
            return Output::text(
                lines
                    .iter()
                    .map(|line| format!("{line}\n"))
                    .collect::<String>(),
            );
        }
        let cells: Vec<Vec<String>> = lines
            .iter()
            .map(|line| line.split('\t').map(str::to_owned).collect())
            .collect();
        let Some((header, rows)) = cells.split_first() else {
            return Output::default();
        };
        Output::text(
            Table {
                header: header.clone(),
                rows: rows.to_vec(),
            }
            .docker(),
        )
    }
}

/// One `--filter KEY=VALUE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// Key.
    pub key: String,
    /// Value.
    pub value: String,
}

/// The filters of a command line, if all keys are among `known`.
///
/// # Errors
/// The command line's or the daemon's text.
pub fn filters(parsed: &Parsed, known: &[&str]) -> Result<Vec<Filter>, Output> {
    let mut found = Vec::new();
    for text in parsed.values("filter") {
        let Some((key, value)) = text.split_once('=') else {
            return Err(Output::error(
                125,
                format!(
                    "invalid argument \"{text}\" for \"-f, --filter\" flag: invalid filter '{text}'"
                ),
            ));
        };
        let key = key.trim().to_lowercase();
        if !known.contains(&key.as_str()) {
            return Err(Output::error(
                1,
                format!("Error response from daemon: invalid filter '{key}'"),
            ));
        }
        found.push(Filter {
            key,
            value: value.trim().to_owned(),
        });
    }
    Ok(found)
}

/// Whether an object passes: values of one key are alternatives, keys must all hold.
pub fn passes(filters: &[Filter], mut holds: impl FnMut(&str, &str) -> bool) -> bool {
    filters.iter().all(|filter| {
        filters
            .iter()
            .filter(|other| other.key == filter.key)
            .any(|other| holds(&other.key, &other.value))
    })
}

/// Whether labels satisfy `key` or `key=value`.
pub fn labelled<'a>(wanted: &str, get: impl Fn(&str) -> Option<&'a str>) -> bool {
    match wanted.split_once('=') {
        Some((key, value)) => get(key) == Some(value),
        None => get(wanted).is_some(),
    }
}

/// Objects as `inspect` prints them: a JSON array, or each through a template. `missing` lists what
/// was not found, in the daemon's words.
/// Source: docker/cli `cli/command/inspect/inspector.go`.
pub fn inspected(objects: &[Value], missing: &[String], format: Option<&str>) -> Output {
    let mut output = Output::default();
    let mut wrong: Vec<Passage> = missing.iter().map(Passage::from).collect();
    match format {
        None | Some("json" | "") if objects.is_empty() => output.stdout.push("[]\n"),
        None | Some("") => {
            let list = Value::list(objects.to_vec());
            output.stdout = (json_indented(&list, KeyOrder::Stored, "    ") + "\n").into();
        }
        Some("json") => output.stdout = (json_plain(&Value::list(objects.to_vec())) + "\n").into(),
        Some(format) => {
            let template = match template::of_objects(format) {
                Ok(template) => template,
                Err(message) => return Output::error(64, message),
            };
            for object in objects {
                match template::print(&template, object) {
                    Ok(text) => output.stdout.push(format!("{text}\n")),
                    Err(message) => {
                        wrong.push(Passage::from("template parsing error: ").then(message))
                    }
                }
            }
            if output.stdout.is_empty() {
                output.stdout.push("\n");
            }
        }
    }
    if !wrong.is_empty() {
        output.stderr = wrong
            .into_iter()
            .map(|message| message.then("\n"))
            .collect();
        output.code = 1;
    }
    output
}
