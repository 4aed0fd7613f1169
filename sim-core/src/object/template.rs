//! Go's `text/template`, with which docker's `--format` and kubectl's `-o go-template` print.
//! Source: Go's `src/text/template`, `…/parse`.
//!
//! ```text
//! {{range $i, $pod := .items}}{{if $i}}, {{end}}{{$pod.metadata.name}}{{end}}
//! ```
//!
//! Owns reading a template and carrying it out over a document; which functions there are and what is
//! said of fields that are missing is the tool's `Dialect`. Not modelled: `define`, `template`, `block`,
//! `call`, `js`, `urlquery`; numbers with a fraction are kept as they are written.

pub mod functions;
pub mod read;
pub mod run;

use crate::manifest::value::Value;

/// A template that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    dialect: Dialect,
    text: String,
    nodes: Vec<Node>,
}

/// What differs between the tools.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dialect {
    /// The template's name in messages.
    pub name: &'static str,
    /// Functions beside Go's own.
    pub functions: &'static [&'static str],
    /// What a field is that is not there.
    pub missing: Missing,
}

/// What is known of a tool's types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Types {
    /// Maps whose keys are the user's: what they have not is no value.
    pub maps: &'static [&'static str],
    /// Fields that an object may lack or have as null, and how their zero value is printed. Any other
    /// field that is not there is an error.
    pub fields: &'static [(&'static str, &'static [&'static str])],
}

impl Types {
    /// How the zero value of a field is printed, if there is such a field.
    fn zero(&self, name: &str) -> Option<&'static str> {
        let of = self.fields.iter().find(|(_, names)| names.contains(&name));
        of.map(|(shown, _)| *shown)
    }
}

/// What a field is that is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// `<no value>`.
    NoValue,
    /// What the tool's types say.
    Typed(Types),
    /// An error that names the type.
    Unknown(&'static str),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Node {
    Text(String),
    Action(Pipe),
    If(Pipe, Vec<Node>, Vec<Node>),
    With(Pipe, Vec<Node>, Vec<Node>),
    Range(Pipe, Vec<Node>, Vec<Node>),
    Break,
    Continue,
}

/// Commands, each of which gets what the one before has made, and the variables that keep the end.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Pipe {
    variables: Vec<String>,
    assigns: bool,
    commands: Vec<Vec<Argument>>,
    from: usize,
    to: usize,
}

/// A word of a command, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Argument {
    what: What,
    /// Where messages say that it is.
    at: usize,
    from: usize,
    to: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum What {
    Dot,
    Nil,
    Constant(Value),
    Field(Vec<String>),
    Variable(String, Vec<String>),
    Function(String),
    Chain(Box<Pipe>, Vec<String>),
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// Go's text.
    pub fn parse(text: &str, dialect: Dialect) -> Result<Self, String> {
        Ok(Self {
            dialect,
            text: text.to_owned(),
            nodes: read::nodes(text, dialect)?,
        })
    }

    /// The text for a document.
    ///
    /// # Errors
    /// What was written until then, and Go's text.
    pub fn print(&self, document: &Value) -> Result<String, (String, String)> {
        run::print(self, document)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Dialect = Dialect {
        name: "output",
        functions: &["exists", "base64decode", "join", "upper"],
        missing: Missing::NoValue,
    };

    fn print(template: &str, dialect: Dialect) -> String {
        let document = r#"{"name":"web","labels":{"x":"1","a":"b"},"ports":[80,443],"none":[],"nil":null,
            "yes":true,"big":1048576,"state":{"code":0},"secret":"aGk=","tag":"<b>&"}"#;
        let document = Value::parse_json(document).expect("valid JSON");
        match Template::parse(template, dialect) {
            Ok(template) => template
                .print(&document)
                .unwrap_or_else(|(said, error)| format!("{said}|{error}")),
            Err(error) => error,
        }
    }

    fn check(template: &str, expected: &str) {
        assert_eq!(print(template, PLAIN), expected, "{template}");
    }

    #[test]
    fn paths_blocks_and_variables() {
        check(
            "{{.name}} {{.labels.x}} {{.missing.too}}",
            "web 1 <no value>",
        );
        check("{{range .ports}}<{{.}}>{{end}}", "<80><443>");
        check(
            "{{range $i, $p := .ports}}{{if $i}}, {{end}}{{$i}}={{$p}}{{end}}",
            "0=80, 1=443",
        );
        check(
            "{{range $k, $v := .labels}}{{$k}}:{{$v}};{{end}}",
            "a:b;x:1;",
        );
        check("{{range .none}}x{{else}}empty{{end}}", "empty");
        check(
            "{{range .ports}}{{if eq . 443}}{{break}}{{end}}{{.}}{{end}}",
            "80",
        );
        check(
            "{{range .ports}}{{if eq . 80}}{{continue}}{{end}}{{.}}{{end}}",
            "443",
        );
        check("{{if .none}}a{{else if .yes}}b{{else}}c{{end}}", "b");
        check("{{with .state}}{{.code}}{{$.name}}{{end}}", "0web");
        check("{{with .none}}a{{else with .name}}{{.}}{{end}}", "web");
        check("{{$x := 1}}{{range .ports}}{{$x = .}}{{end}}{{$x}}", "443");
        check("a  {{- /* said */ -}}  b {{.name -}} \n c", "ab webc");
        check(
            "{{(index .ports 1)}} {{(.state).code}} {{ `raw\\n` }}",
            "443 0 raw\\n",
        );
        check(
            "{{.nil}} {{.labels}} {{.ports}} {{true}} {{\"a\\tb\"}}",
            "<no value> map[a:b x:1] [80 443] true a\tb",
        );
    }

    #[test]
    fn functions() {
        check(
            "{{index .labels \"x\"}} {{index .labels \"y\"}} {{len .name}}",
            "1 <no value> 3",
        );
        check(
            "{{.name | printf \"%-5s|%5s|%q|%v\" \"a\" \"b\" \"c\"}}",
            "a    |    b|\"c\"|web",
        );
        check(
            "{{printf \"%03d %s %d\" 7 4}}",
            "007 %!s(int=4) %!d(MISSING)",
        );
        check(
            "{{and .yes .name}} {{or .none .name}} {{not .yes}}",
            "web web false",
        );
        check(
            "{{if and (gt (len .ports) 1) (ne .name \"db\")}}y{{end}}",
            "y",
        );
        check(
            "{{slice .name 0 2}} {{print .name 1 2}} {{println 1 2}}",
            "we web1 2 1 2\n",
        );
        check(
            "{{html .tag}} {{exists . \"state\" \"code\"}} {{exists . \"a\"}}",
            "&lt;b&gt;&amp; true false",
        );
        check("{{.secret | base64decode}} {{upper .name}}", "hi WEB");
        check(
            "{{eq .name \"db\" \"web\"}} {{lt 1 2}} {{le \"a\" \"b\"}}",
            "true true true",
        );
    }

    #[test]
    fn mistakes_are_said_as_go_says_them() {
        for (template, expected) in [
            ("{{.name", "template: output:1: unclosed action"),
            ("{{if .name}}", "template: output:1: unexpected EOF"),
            ("a\n{{end}}", "template: output:2: unexpected {{end}}"),
            (
                "{{frob .name}}",
                "template: output:1: function \"frob\" not defined",
            ),
            ("{{$x}}", "template: output:1: undefined variable \"$x\""),
            ("{{}}", "template: output:1: missing value for command"),
            ("{{\"a}}", "template: output:1: unterminated quoted string"),
            (
                "{{.name | }}",
                "template: output:1: missing value for command",
            ),
            ("{{(.name}}", "template: output:1: unclosed left paren"),
            (
                "{{break}}",
                "template: output:1: {{break}} outside {{range}}",
            ),
            ("{{/* a", "template: output:1: unclosed comment"),
            (
                "x{{.name.first}}",
                "x|template: output:1:8: executing \"output\" at <.name.first>: can't evaluate field first in type interface {}",
            ),
            (
                "{{index .ports 5}}",
                "|template: output:1:2: executing \"output\" at <index .ports 5>: error calling index: index out of range: 5",
            ),
            (
                "{{eq .name 1}}",
                "|template: output:1:2: executing \"output\" at <eq .name 1>: error calling eq: incompatible types for comparison",
            ),
            (
                "{{range .name}}{{end}}",
                "|template: output:1:8: executing \"output\" at <.name>: range can't iterate over web",
            ),
            (
                "{{len}}",
                "|template: output:1:2: executing \"output\" at <len>: wrong number of args for len: want 1 got 0",
            ),
        ] {
            check(template, expected);
        }
        let strict = Dialect {
            name: "",
            missing: Missing::Typed(Types {
                maps: &["labels"],
                fields: &[
                    ("<nil>", &["health"]),
                    ("[]", &["list", "nil"]),
                    ("0", &["count"]),
                ],
            }),
            ..PLAIN
        };
        assert_eq!(
            print("{{.state.health.status}}", strict),
            "|template: :1:8: executing \"\" at <.state.health.status>: map has no entry for key \"health\""
        );
        assert_eq!(
            print("{{.state.strange}}", strict),
            "|template: :1:8: executing \"\" at <.state.strange>: map has no entry for key \"strange\""
        );
        assert_eq!(
            print(
                "{{.labels.z}} {{.state.health}} {{.list}} {{.nil}} {{len .list}} {{.count}}",
                strict
            ),
            "<no value> <nil> [] [] 0 0"
        );
        let deep = format!("{{{{{}", "(".repeat(2_000));
        assert!(print(&deep, PLAIN).contains("nested"), "a bound");
        let endless = "{{range $.ports}}".repeat(60) + &"{{end}}".repeat(60);
        assert!(print(&endless, PLAIN).contains("longer than"), "a bound");
    }
}
