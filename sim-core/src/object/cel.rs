//! The Common Expression Language, as far as rules of resources commonly use it.
//!
//! ```text
//! text ─▶ parse ─▶ check (against a schema) ─▶ Program ─▶ eval (with values) ─▶ value or why not
//! ```
//! There: literals but unsigned numbers and bytes, lists, maps with text keys, selection and indexes,
//! `has`, arithmetic, comparison, `in`, `&&`, `||`, `!`, `?:`, the macros `all exists exists_one filter
//! map`, conversions, and the text and list functions of [`eval`]. Durations, timestamps, quantities,
//! addresses, optional values and everything else are refused when the rule is created, in words.
//! The server's estimate of what a rule may cost at worst is not modelled; what it costs is bounded.
//! Sources: `cel-go` (`parser/parser.go`, `interpreter`), `staging/src/k8s.io/apiserver/pkg/cel`.

pub mod check;
pub mod eval;
pub mod parse;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::base::sentence::passage::Passage;
use crate::base::sentence::{Sentence, catalogue};
use crate::manifest::value::Value;
use crate::object::structural::Structural;

/// Longest expression, in bytes. Upstream's parser takes 100,000; no rule of a person is near.
pub const TEXT_MAX: usize = 16 << 10;

/// Nesting of brackets. Upstream's is 250; the stack in WebAssembly is smaller.
pub const DEPTH_MAX: u32 = 40;

/// Nesting of an expression's nodes, to which long chains of operators and selections add.
pub const NODES_DEEP_MAX: u32 = 160;

/// Steps of one evaluation. Source: `PerCallLimit` in `apis/cel/config.go`.
pub const COST_MAX: u32 = 1_000_000;

/// A node of an expression.
#[derive(Clone, Debug, PartialEq)]
pub struct Expr {
    /// Offset of its operator or first letter, in characters.
    pub at: u32,
    /// Levels of nodes from here down.
    pub deep: u32,
    /// What it is.
    pub node: Node,
}

/// What a node is.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    /// A literal.
    Literal(Value),
    /// A variable.
    Name(Arc<str>),
    /// `[a, b]`.
    List(Vec<Expr>),
    /// `{"a": b}`.
    Map(Vec<(Expr, Expr)>),
    /// `a.b`; with `has` around it, whether it is there.
    Select {
        /// Of what.
        of: Box<Expr>,
        /// The field, unescaped.
        field: Arc<str>,
        /// `has(a.b)`.
        has: bool,
    },
    /// `a[b]`.
    Index(Box<[Expr; 2]>),
    /// `!a`, `-a`.
    Prefix(char, Box<Expr>),
    /// `a + b` and so on.
    Binary(&'static str, Box<[Expr; 2]>),
    /// `a ? b : c`.
    Either(Box<[Expr; 3]>),
    /// `f(a)` and `a.f(b)`; the receiver is the first argument.
    Call {
        /// The function.
        name: &'static str,
        /// Whether it was called on its first argument.
        method: bool,
        /// Arguments.
        of: Vec<Expr>,
    },
    /// `a.all(x, b)` and its like; `map` with a filter has two bodies.
    Macro {
        /// Which.
        name: &'static str,
        /// The list or map.
        of: Box<Expr>,
        /// The variable.
        variable: Arc<str>,
        /// What is evaluated with it.
        bodies: Vec<Expr>,
    },
}

/// What is known of a value before there is one.
#[derive(Clone, Debug, PartialEq)]
pub enum Ty {
    /// Nothing.
    Any,
    /// `null`.
    Null,
    /// A truth value.
    Bool,
    /// A whole number.
    Int,
    /// Another number.
    Double,
    /// Text.
    Text,
    /// A list of these.
    List(Box<Ty>),
    /// A map from text to these.
    Map(Box<Ty>),
    /// An object with these fields and no others.
    Object(Arc<[(Arc<str>, Ty)]>),
    /// What the schema says, but expressions on it are not modelled.
    Foreign(&'static str),
}

/// Why an expression is not accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Upstream refuses it too: place and text.
    Wrong(u32, String),
    /// It is outside what is modelled.
    NotModelled(Sentence),
}

impl Fault {
    /// Something that CEL has under this name.
    pub(super) fn lacks(name: impl std::fmt::Display) -> Self {
        Self::NotModelled(catalogue::UNMODELLED_CEL.with(&[("name", &name)]))
    }

    /// As the server words it.
    pub fn message(&self, text: &str) -> Passage {
        match self {
            Self::NotModelled(what) => what.clone().into(),
            Self::Wrong(at, message) => {
                let at = *at as usize;
                let before: String = text.chars().take(at).collect();
                let line = before.matches('\n').count();
                let column = before.chars().rev().take_while(|one| *one != '\n').count();
                let whole = text.lines().nth(line).unwrap_or("");
                format!(
                    "compilation failed: ERROR: <input>:{}:{}: {message}\n | {whole}\n | {}^",
                    line + 1,
                    column + 1,
                    ".".repeat(column)
                )
                .into()
            }
        }
    }
}

/// A checked expression.
#[derive(Clone, Debug, PartialEq)]
pub struct Program {
    /// As it was written.
    pub text: Arc<str>,
    /// What it gives.
    pub gives: Ty,
    root: Expr,
}

impl Node {
    /// What stands directly below.
    fn inner(&self) -> Vec<&Expr> {
        match self {
            Self::Literal(_) | Self::Name(_) => Vec::new(),
            Self::List(items) | Self::Call { of: items, .. } => items.iter().collect(),
            Self::Map(entries) => entries
                .iter()
                .flat_map(|(key, value)| [key, value])
                .collect(),
            Self::Select { of, .. } | Self::Prefix(_, of) => vec![of],
            Self::Index(pair) | Self::Binary(_, pair) => pair.iter().collect(),
            Self::Either(three) => three.iter().collect(),
            Self::Macro { of, bodies, .. } => bodies.iter().chain([&**of]).collect(),
        }
    }
}

impl Program {
    /// Reads and checks an expression in which these variables exist.
    ///
    /// # Errors
    /// Why it is not accepted.
    pub fn new(text: &str, variables: &[(&str, Ty)]) -> Result<Self, Fault> {
        let root = parse::parse(text)?;
        let gives = check::check(&root, variables)?;
        Ok(Self {
            text: text.into(),
            gives,
            root,
        })
    }

    /// Whether it may give a truth value.
    pub fn is_condition(&self) -> bool {
        matches!(self.gives, Ty::Bool | Ty::Any)
    }

    /// Whether it names a variable.
    pub fn names(&self, variable: &str) -> bool {
        names(&self.root, variable)
    }

    /// Its value. `cost` is what may still be spent, and is taken from.
    ///
    /// # Errors
    /// cel-go's text.
    pub fn eval(&self, variables: &[(&str, Value)], cost: &mut u32) -> Result<Value, String> {
        eval::eval(&self.root, variables, cost)
    }
}

fn names(expr: &Expr, wanted: &str) -> bool {
    match &expr.node {
        Node::Name(name) => **name == *wanted,
        Node::Macro { of, variable, .. } if **variable == *wanted => names(of, wanted),
        node => node.inner().into_iter().any(|inner| names(inner, wanted)),
    }
}

impl Ty {
    /// The type of what a schema describes. `root` for an object with a kind of its own.
    pub fn of(schema: &Structural, root: bool) -> Self {
        use crate::object::structural::{Additional, Type};
        let text = |name: &str| (Arc::from(name), Self::Text);
        if schema.int_or_string {
            return Self::Any;
        }
        match schema.kind {
            Type::Any => Self::Any,
            Type::Boolean => Self::Bool,
            Type::Integer => Self::Int,
            Type::Number => Self::Double,
            Type::String => match schema.format.as_deref() {
                Some("date" | "datetime" | "date-time") => Self::Foreign("timestamp"),
                Some("duration") => Self::Foreign("duration"),
                Some("byte") => Self::Foreign("bytes"),
                _ => Self::Text,
            },
            Type::Array => Self::List(Box::new(
                schema
                    .items
                    .as_deref()
                    .map_or(Self::Any, |items| Self::of(items, false)),
            )),
            Type::Object => match &schema.additional {
                Some(Additional::Of(inner)) => Self::Map(Box::new(Self::of(inner, false))),
                Some(Additional::Any) => Self::Any,
                None if schema.preserve && schema.properties.is_empty() && !root => Self::Any,
                None => {
                    let mut fields: Vec<(Arc<str>, Self)> = schema
                        .properties
                        .iter()
                        .map(|(name, inner)| (name.clone(), Self::of(inner, false)))
                        .collect();
                    if root || schema.embedded {
                        fields.retain(|(name, _)| {
                            !matches!(&**name, "apiVersion" | "kind" | "metadata")
                        });
                        let meta = [text("name"), text("generateName")];
                        fields.extend([text("apiVersion"), text("kind")]);
                        fields.push(("metadata".into(), Self::Object(meta.into())));
                    }
                    Self::Object(fields.into())
                }
            },
        }
    }

    /// As cel-go writes it.
    pub fn text(&self) -> String {
        match self {
            Self::Any => "dyn".to_owned(),
            Self::Null => "null".to_owned(),
            Self::Bool => "bool".to_owned(),
            Self::Int => "int".to_owned(),
            Self::Double => "double".to_owned(),
            Self::Text => "string".to_owned(),
            Self::List(inner) => format!("list({})", inner.text()),
            Self::Map(inner) => format!("map(string, {})", inner.text()),
            Self::Object(_) => "object".to_owned(),
            Self::Foreign(name) => (*name).to_owned(),
        }
    }
}
