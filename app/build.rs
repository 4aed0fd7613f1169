//! Turns `www/locales/*.ftl` into typed functions: every key of the English file becomes a method of
//! `Text`; a key or an argument that another language lacks is a build error. Keys that begin with
//! `said-` are sentences of the engine, which names them: they become a table. Those that the English
//! file lacks come from the engine in English.
//!
//! Supported of Fluent: text, `{ $variable }`, and a selection over one number with the variants
//! `one` and `other` (English) or `other` alone.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

use fluent_syntax::ast::{
    Entry, Expression, InlineExpression, Pattern, PatternElement, VariantKey,
};
use fluent_syntax::parser;

/// Languages in the order of `Language`'s variants, with the name of the variant and of the file.
const LANGUAGES: [(&str, &str); 2] = [("English", "en"), ("Chinese", "zh-TW")];

/// What an argument is: counted numbers choose a variant.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Shown,
    Counted,
}

/// A message: its arguments, the statements that write it, and its text with gaps in braces.
struct Message {
    arguments: BTreeMap<String, Kind>,
    body: String,
    gapped: String,
}

impl Message {
    /// Its text, if nothing is missing in it.
    fn plain(&self) -> Option<&str> {
        self.arguments.is_empty().then_some(self.gapped.as_str())
    }
}

/// What the keys of the engine's sentences begin with.
const SAID: &str = "said-";

fn main() {
    let folder = Path::new("../www/locales");
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut languages = Vec::new();
    for (variant, file) in LANGUAGES {
        let path = folder.join(format!("{file}.ftl"));
        println!("cargo::rerun-if-changed={}", path.display());
        let source =
            fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        languages.push((variant, file, messages(&source, file)));
    }
    gallery();
    let out = Path::new(&env::var_os("OUT_DIR").expect("cargo names the folder")).join("text.rs");
    fs::write(&out, generate(&languages))
        .unwrap_or_else(|error| panic!("{}: {error}", out.display()));
}

/// The scenarios of the tests, for the page's gallery: name, heading, first paragraph, text.
fn gallery() {
    let folder = Path::new("../tests/scenarios");
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|ending| ending == "md"))
        .collect();
    files.sort();
    let mut code = String::from("/// All of them, by name.\npub const ENTRIES: &[Entry] = &[\n");
    for path in files {
        println!("cargo::rerun-if-changed={}", path.display());
        let text =
            fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        // What is known to go wrong teaches nothing.
        if name == "README.md"
            || text.contains("\nknown_failure:")
            || text.starts_with("known_failure:")
        {
            continue;
        }
        let text = asked(&text);
        let mut lines = text.lines().skip_while(|line| !line.starts_with("# "));
        let title = lines
            .next()
            .unwrap_or(&name)
            .trim_start_matches("# ")
            .to_owned();
        let prose: Vec<&str> = lines
            .skip_while(|line| line.trim().is_empty())
            .take_while(|line| !line.trim().is_empty() && !line.starts_with("```"))
            .collect();
        let prose = prose.join(" ");
        let _ = writeln!(
            code,
            "    Entry {{ name: {name:?}, title: {title:?}, prose: {prose:?}, text: {text:?} }},"
        );
    }
    code.push_str("];\n");
    let out =
        Path::new(&env::var_os("OUT_DIR").expect("cargo names the folder")).join("gallery.rs");
    fs::write(&out, code).unwrap_or_else(|error| panic!("{}: {error}", out.display()));
}

/// A scenario without what it is expected to print, which is for its test: whoever plays it on the
/// page sees that happen, and may change what leads to it.
fn asked(text: &str) -> String {
    let (mut kept, mut is_expected) = (Vec::new(), false);
    for line in text.lines() {
        if line.starts_with("```table") || line.starts_with("```trace") {
            is_expected = true;
        } else if is_expected {
            is_expected = !line.starts_with("```");
        } else if !(line.is_empty() && kept.last().is_some_and(|last: &&str| last.is_empty())) {
            kept.push(line);
        }
    }
    format!("{}\n", kept.join("\n").trim_end())
}

fn messages(source: &str, file: &str) -> BTreeMap<String, Message> {
    let resource =
        parser::parse(source).unwrap_or_else(|(_, errors)| panic!("{file}.ftl: {errors:?}"));
    let mut found = BTreeMap::new();
    for entry in resource.body {
        match entry {
            Entry::Message(message) => {
                let key = message.id.name.to_owned();
                let value = message
                    .value
                    .unwrap_or_else(|| panic!("{file}.ftl: {key} has no text"));
                let made = read(&value, file, &key);
                assert!(
                    found.insert(key.clone(), made).is_none(),
                    "{file}.ftl: {key} is there twice"
                );
            }
            Entry::Comment(_) | Entry::GroupComment(_) | Entry::ResourceComment(_) => {}
            Entry::Term(term) => panic!("{file}.ftl: terms are not supported: {}", term.id.name),
            Entry::Junk { content } => panic!("{file}.ftl: cannot read {content:?}"),
        }
    }
    found
}

fn read(pattern: &Pattern<&str>, file: &str, key: &str) -> Message {
    let mut message = Message {
        arguments: BTreeMap::new(),
        body: String::new(),
        gapped: String::new(),
    };
    write(pattern, &mut message, &format!("{file}.ftl: {key}"));
    message
}

fn write(pattern: &Pattern<&str>, message: &mut Message, place: &str) {
    for element in &pattern.elements {
        match element {
            PatternElement::TextElement { value } => {
                message.body.push_str(&append(value));
                message.gapped.push_str(value);
            }
            PatternElement::Placeable { expression } => match expression {
                Expression::Inline(InlineExpression::VariableReference { id }) => {
                    message
                        .arguments
                        .entry(id.name.to_owned())
                        .or_insert(Kind::Shown);
                    let _ = write!(message.body, "let _ = write!(out, \"{{}}\", {});", id.name);
                    let _ = write!(message.gapped, "{{{}}}", id.name);
                }
                Expression::Inline(InlineExpression::StringLiteral { value }) => {
                    message.body.push_str(&append(value));
                    message.gapped.push_str(value);
                }
                Expression::Select {
                    selector: InlineExpression::VariableReference { id },
                    variants,
                } => {
                    message.arguments.insert(id.name.to_owned(), Kind::Counted);
                    let _ = write!(message.body, "match {} {{", id.name);
                    for variant in variants {
                        let VariantKey::Identifier { name } = variant.key else {
                            panic!("{place}: a variant is `one` or `other`")
                        };
                        let arm = match (name, variant.default) {
                            ("one", false) => "1",
                            ("other", true) => "_",
                            _ => panic!("{place}: a variant is `[one]` or `*[other]`"),
                        };
                        let _ = write!(message.body, "{arm} => {{");
                        write(&variant.value, message, place);
                        message.body.push('}');
                    }
                    message.body.push('}');
                }
                Expression::Inline(_) | Expression::Select { .. } => {
                    panic!("{place}: this expression is not supported")
                }
            },
        }
    }
}

/// Keys of the engine's forms, in the order of its catalogue.
fn catalogue() -> Vec<String> {
    let path = Path::new("../sim-core/src/base/sentence/catalogue.rs");
    println!("cargo::rerun-if-changed={}", path.display());
    let text =
        fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let (_, forms) = text
        .split_once("forms! {")
        .expect("the catalogue has forms");
    let keys = forms.lines().filter_map(|line| {
        let (name, rest) = line.trim().split_once(" \"")?;
        let is_name = name
            .chars()
            .all(|letter| letter.is_ascii_uppercase() || letter == '_' || letter.is_ascii_digit());
        let (key, _) = rest.split_once("\" \"")?;
        is_name.then(|| key.to_owned())
    });
    keys.collect()
}

fn generate(languages: &[(&str, &str, BTreeMap<String, Message>)]) -> String {
    let (_, first_file, first) = &languages[0];
    for (_, file, messages) in &languages[1..] {
        for (key, message) in first {
            let other = messages
                .get(key)
                .unwrap_or_else(|| panic!("{file}.ftl lacks `{key}` of {first_file}.ftl"));
            let names = |message: &Message| message.arguments.keys().cloned().collect::<Vec<_>>();
            assert!(
                names(message) == names(other),
                "{file}.ftl: `{key}` has other arguments than in {first_file}.ftl"
            );
        }
        for key in messages.keys() {
            assert!(
                first.contains_key(key) || key.starts_with(SAID),
                "{file}.ftl: `{key}` is not in {first_file}.ftl"
            );
        }
    }
    let mut code = table(languages);
    code.push_str("impl Text {\n");
    for (key, message) in first {
        if key.starts_with(SAID) {
            continue;
        }
        let name = key.replace('-', "_");
        let arms = |body: &dyn Fn(&Message) -> String| {
            let arms = languages.iter().map(|(variant, _, messages)| {
                format!("Language::{variant} => {{ {} }}", body(&messages[key]))
            });
            arms.collect::<Vec<_>>().join(" ")
        };
        let english = message
            .plain()
            .map_or_else(|| format!("Message `{key}`."), str::to_owned);
        let doc = english.lines().next().unwrap_or_default().to_owned();
        let _ = writeln!(code, "    #[doc = {doc:?}]\n    #[must_use]");
        if message.arguments.is_empty() {
            let text = arms(&|message: &Message| format!("{:?}", message.gapped));
            let _ = writeln!(
                code,
                "    pub fn {name}(self) -> &'static str {{ match self.language {{ {text} }} }}"
            );
            continue;
        }
        let counted = |argument: &String| {
            languages
                .iter()
                .any(|(.., messages)| messages[key].arguments[argument] == Kind::Counted)
        };
        let arguments: Vec<String> = message
            .arguments
            .keys()
            .map(|argument| {
                format!(
                    "{argument}: {}",
                    if counted(argument) {
                        "u64"
                    } else {
                        "impl std::fmt::Display"
                    }
                )
            })
            .collect();
        let body = arms(&|message: &Message| message.body.clone());
        let _ = writeln!(
            code,
            "    pub fn {name}(self, {}) -> String {{ let mut out = String::new(); match self.language {{ {body} }} out }}",
            arguments.join(", ")
        );
    }
    code.push_str("}\n");
    code
}

/// The engine's sentences, a text for each language: lines of a key or a number, a tab and the words. A table of
/// slices would be half as long again, and pointers do not pack.
fn table(languages: &[(&str, &str, BTreeMap<String, Message>)]) -> String {
    let mut code = String::new();
    let numbered = catalogue();
    for (_, file, messages) in languages {
        let mut lines: Vec<(usize, String)> = Vec::new();
        for (key, message) in messages {
            let Some(key) = key.strip_prefix(SAID) else {
                continue;
            };
            let mut kinds = message.arguments.values();
            assert!(
                kinds.all(|kind| *kind != Kind::Counted),
                "{file}.ftl: `{SAID}{key}` chooses by a number"
            );
            let words = &message.gapped;
            assert!(!words.contains(['\t', '\n']), "{file}.ftl: `{SAID}{key}`");
            // What the engine does not name by number comes first.
            let number = numbered.iter().position(|known| known == key);
            let (place, name) = match number.map(|index| index + 1) {
                Some(number) => (number, number.to_string()),
                None => (0, key.to_owned()),
            };
            lines.push((place, format!("{name}\t{words}\n")));
        }
        lines.sort_by_key(|(place, _)| *place);
        let lines: String = lines.into_iter().map(|(_, line)| line).collect();
        let _ = writeln!(code, "    {lines:?},");
    }
    format!(
        "/// The engine's sentences in each language, a line each: its key, a tab, and its words with gaps in\n/// braces.\npub(crate) static SAID: [&str; {}] = [\n{code}];\n",
        languages.len()
    )
}

/// Code that appends a literal.
fn append(value: &str) -> String {
    let mut characters = value.chars();
    match (characters.next(), characters.next()) {
        (Some(only), None) => format!("out.push({only:?});"),
        _ => format!("out.push_str({value:?});"),
    }
}
