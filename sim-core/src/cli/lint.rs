//! `podium lint`: validation only.

use crate::manifest::diagnostic::Severity;
use crate::manifest::value::Value;
use crate::object::print::{KeyOrder, json_pretty, yaml};

use super::options::{Format, LintOptions};
use super::{Stop, load, print};

pub(crate) fn run(options: &LintOptions) -> Result<u8, Stop> {
    if options.setup.paths.is_empty()
        && options.setup.stack.is_none()
        && options.setup.compose.is_empty()
    {
        return Err(Stop::usage("podium lint needs files or directories"));
    }
    let opened = load::experiment(&options.setup, None)?;
    let errors = opened
        .diagnostics()
        .filter(|(_, diagnostic)| diagnostic.severity == Severity::Error)
        .count();
    match options.output {
        Format::Json | Format::Yaml => {
            let list = opened
                .diagnostics()
                .map(|(source, diagnostic)| {
                    let at = source.position(diagnostic.span.start);
                    Value::object([
                        ("file", Value::string(&diagnostic.file)),
                        ("line", Value::Int(i64::from(at.line))),
                        ("column", Value::Int(i64::from(at.column))),
                        ("severity", Value::string(diagnostic.severity.word())),
                        ("code", Value::string(diagnostic.code.0)),
                        ("message", Value::string(&diagnostic.message.words())),
                        (
                            "help",
                            match &diagnostic.help {
                                Some(help) => Value::string(&help.words()),
                                None => Value::Null,
                            },
                        ),
                    ])
                })
                .collect();
            let not_modelled = opened
                .not_modelled
                .iter()
                .map(|field| {
                    Value::object([
                        ("file", Value::string(&field.file)),
                        ("line", Value::Int(i64::from(field.line))),
                        ("object", Value::string(&field.object)),
                        ("path", Value::string(&field.path)),
                    ])
                })
                .collect();
            let document = Value::object([
                ("schemaVersion", Value::Int(1)),
                ("diagnostics", Value::list(list)),
                ("notModelled", Value::list(not_modelled)),
            ]);
            print(&if options.output == Format::Yaml {
                yaml(&document)
            } else {
                json_pretty(&document, KeyOrder::Stored)
            });
        }
        Format::Table | Format::Wide | Format::Name => {
            for (source, diagnostic) in opened.diagnostics() {
                print(&diagnostic.render(Some(source)));
            }
            print(&opened.not_modelled_text());
            let counted = |count: usize, word: &str| {
                let plural = if count == 1 { "" } else { "s" };
                format!("{count} {word}{plural}")
            };
            print(&format!(
                "{}, {}\n",
                counted(opened.files(), "file"),
                counted(errors, "error")
            ));
        }
    }
    Ok(if errors > 0 { 3 } else { 0 })
}
