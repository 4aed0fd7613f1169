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

use crate::base::limits::MAX_TEMPLATE_BYTES;
use crate::base::sentence::Sentence;
use crate::manifest::value::Value;

use run::Got;

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
    /// Fields that are maps, whose keys are the user's: what they have not is no value.
    pub maps: &'static [&'static str],
    /// Methods with one argument, and the field in whose `key=value,…` they look it up.
    pub methods: &'static [(&'static str, &'static str)],
}

impl Dialect {
    /// The type of a field, where a field may be missing.
    fn zero(&self, name: &str) -> Option<Type> {
        let Missing::Typed(fields) = self.missing else {
            return None;
        };
        let of = fields.iter().find(|(_, names)| names.contains(&name));
        let of = of.map(|(of, _)| *of);
        of.or_else(|| self.maps.contains(&name).then_some(Type::Map))
    }

    /// What a field holds, with its type.
    fn field(&self, name: &str, value: &Value) -> Got {
        match value {
            Value::Null => self.zero(name).unwrap_or(Type::Pointer).zero(),
            Value::Map(_) if self.maps.contains(&name) => Got {
                value: value.clone(),
                of: Type::Map,
            },
            other => Got::plain(other.clone()),
        }
    }

    fn method(&self, name: &str) -> Option<(&'static str, &'static str)> {
        self.methods.iter().find(|(own, _)| *own == name).copied()
    }
}

/// What is known of the type of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// Nothing but what the value shows.
    Unknown,
    /// One that may point nowhere.
    Pointer,
    /// A list.
    List,
    /// A map, whose keys are the user's.
    Map,
    /// A truth.
    Bool,
    /// A number.
    Int,
    /// A text.
    Text,
}

impl Type {
    /// What a field of this type is that nobody has set.
    fn zero(self) -> Got {
        let value = match self {
            Self::Unknown | Self::Pointer | Self::List | Self::Map => Value::Null,
            Self::Bool => Value::Bool(false),
            Self::Int => Value::Int(0),
            Self::Text => Value::string(""),
        };
        Got { value, of: self }
    }
}

/// What a field is that is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// `<no value>`.
    NoValue,
    /// An error.
    Refused,
    /// The zero value of its type, for fields that an object may lack or have as null. Any other field
    /// that is not there is an error.
    Typed(&'static [(Type, &'static [&'static str])]),
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
    pub fn parse(text: &str, dialect: Dialect) -> Result<Self, Sentence> {
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
    pub fn print(&self, document: &Value) -> Result<String, (String, Sentence)> {
        run::print(self, document, MAX_TEMPLATE_BYTES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Dialect = Dialect {
        name: "output",
        functions: &["exists", "base64decode", "join", "upper"],
        missing: Missing::NoValue,
        maps: &[],
        methods: &[],
    };

    fn print(template: &str, dialect: Dialect) -> String {
        let document = r#"{"name":"web","labels":{"x":"1","a":"b"},"ports":[80,443],"none":[],"nil":null,
            "yes":true,"big":1048576,"state":{"code":0},"secret":"aGk=","tag":"<b>&"}"#;
        let document = Value::parse_json(document).expect("valid JSON");
        match Template::parse(template, dialect) {
            Ok(template) => template
                .print(&document)
                .unwrap_or_else(|(said, error)| format!("{said}|{error}")),
            Err(error) => error.to_string(),
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
            missing: Missing::Typed(&[
                (Type::Pointer, &["health"]),
                (Type::List, &["list", "nil"]),
                (Type::Int, &["count"]),
            ]),
            maps: &["labels", "options"],
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
        // What is null keeps its type, wherever it goes.
        for (template, expected) in [
            ("{{$x := .nil}}{{$x}}|{{print .nil}}|{{(.nil)}}", "[]|[]|[]"),
            (
                "{{$x := .options}}{{$x}}{{print $x}}{{$x.a}}{{len $x}}",
                "map[]map[]<no value>0",
            ),
            ("{{with .labels}}{{.x}}{{.z}}{{end}}", "1<no value>"),
            ("{{.options.a}}|{{index .options \"a\"}}|", "<no value>||"),
            (
                "{{print .state.health}} {{printf \"%v\" .list}}",
                "<nil> []",
            ),
            (
                "{{range .nil}}x{{else}}none{{end}}{{join .nil \",\"}}",
                "none",
            ),
        ] {
            assert_eq!(print(template, strict), expected, "{template}");
        }
        let deep = format!("{{{{{}", "(".repeat(2_000));
        assert!(print(&deep, PLAIN).contains("nested"), "a bound");
        let endless = "{{range $.ports}}".repeat(60) + &"{{end}}".repeat(60);
        assert!(print(&endless, PLAIN).contains("longer than"), "a bound");
    }

    #[test]
    fn what_a_template_makes_has_a_bound() {
        const MAKERS: Dialect = Dialect {
            functions: &["json", "split", "join", "pad", "upper", "title", "lower"],
            ..PLAIN
        };
        let print = |text: &str| {
            let template = Template::parse(text, MAKERS).expect("it can be read");
            let printed = run::print(&template, &Value::Null, 1 << 20);
            printed.unwrap_or_else(|(said, error)| format!("{said}{error}"))
        };
        for made in [
            "print $x $x",
            "println $x $x",
            "printf \"%s%s\" $x $x",
            "html (print $x $x)",
        ] {
            let text = "{{$x := \"aaaaaaaaaaaaaaaa\"}}{{range 40}}{{$x = MADE}}{{end}}";
            let said = print(&text.replace("MADE", made));
            assert!(said.contains("error calling print"), "{made}: {said}");
            assert!(said.contains("longer than"), "{made}: {said}");
        }
        // What is made again and again counts, too, though nothing keeps it.
        for made in [
            "json $x",
            "split $x \"\"",
            "join (split $x \"a\") \"b\"",
            "pad $x 1000 1000",
            "upper $x",
            "title $x",
            "lower $x",
        ] {
            let text = "{{$x := \"a\"}}{{range 12}}{{$x = print $x $x}}{{end}}{{range 500}}{{$y := MADE}}{{end}}";
            let said = print(&text.replace("MADE", made));
            assert!(said.contains("longer than"), "{made}: {said}");
        }
        let said = print("{{$x := pad \"a\" 9000000000 0}}");
        assert!(said.contains("longer than"), "{said}");
        let said = print("{{printf \"%99999999d|\" 1}}");
        assert_eq!(said, "%!(NOVERB)%!(EXTRA int=1)");
    }

    #[test]
    fn ranges_take_a_step_for_each_item() {
        check(
            "{{range 1000001}}{{continue}}{{end}}{{range 3}}{{.}}{{end}}",
            "012",
        );
        check(
            "{{range $i := 1000000}}{{range 1000000000000}}{{break}}{{end}}{{if eq $i 3}}{{$i}}{{break}}{{end}}{{end}}",
            "3",
        );
        for long in [
            "{{range 9000000000}}{{end}}",
            "{{range 1000000}}{{range 1000000}}{{end}}{{end}}",
            "{{range 3000000}}{{range $.labels}}{{break}}{{end}}{{end}}",
        ] {
            let said = print(long, PLAIN);
            assert!(said.contains("longer than 5000000 steps"), "{long}: {said}");
        }
    }

    #[test]
    fn a_variable_is_declared_before_it_is_assigned() {
        check(
            "a{{$x = .name}}",
            "a|template: output:1:8: executing \"output\" at <.name>: undefined variable: $x",
        );
        check(
            "{{range $i, $x = .none}}{{end}}",
            "|template: output:1:17: executing \"output\" at <.none>: undefined variable: $i",
        );
    }
}
