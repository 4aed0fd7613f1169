//! Structural schemas of custom resources: what a CustomResourceDefinition says of its objects.
//!
//! [`Structural::parse`] reads and checks a schema, [`prune`] and [`default`](defaults) shape an
//! object, [`validate`] judges it. Knows no cluster: an object, a schema, what is wrong.
//! Source: `staging/src/k8s.io/apiextensions-apiserver/pkg/apiserver/schema`.

pub mod defaults;
pub mod parse;
pub mod prune;
pub mod regex;
pub mod rules;
pub mod validate;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::base::sentence::passage::Passage;
use crate::base::sorted::SortedMap;
use crate::manifest::schema::table::ListType;
use crate::manifest::value::Value;

/// One wrong field: its path, and what is wrong in upstream's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Path, e.g. `spec.size`.
    pub field: String,
    /// What is wrong, e.g. `Required value`; what is not modelled is a sentence in it.
    pub message: Passage,
}

/// A fault at a path.
pub fn fault(field: impl Into<String>, message: impl Into<Passage>) -> Fault {
    Fault {
        field: field.into(),
        message: message.into(),
    }
}

/// `type` of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// No type is written: inside a value validation, or an int-or-string.
    Any,
    /// A map or structure.
    Object,
    /// A list.
    Array,
    /// Text.
    String,
    /// A whole number.
    Integer,
    /// Any number.
    Number,
    /// A truth value.
    Boolean,
}

impl Type {
    /// As it is written; empty for none.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Any => "",
            Self::Object => "object",
            Self::Array => "array",
            Self::String => "string",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::Boolean => "boolean",
        }
    }
}

/// `additionalProperties`.
#[derive(Clone, Debug)]
pub enum Additional {
    /// `true`: any.
    Any,
    /// Values of this schema.
    Of(Box<Structural>),
}

/// A number of a bound, kept as it was written.
#[derive(Clone, Debug)]
pub struct Bound {
    /// The number.
    pub value: Value,
    /// Whether the bound itself is outside.
    pub exclusive: bool,
}

/// One node of a schema.
#[derive(Clone, Debug)]
pub struct Structural {
    /// `type`.
    pub kind: Type,
    /// `nullable`.
    pub nullable: bool,
    /// `x-kubernetes-preserve-unknown-fields`.
    pub preserve: bool,
    /// `x-kubernetes-int-or-string`.
    pub int_or_string: bool,
    /// `x-kubernetes-embedded-resource`.
    pub embedded: bool,
    /// `properties`.
    pub properties: SortedMap<Arc<str>, Structural>,
    /// `additionalProperties`.
    pub additional: Option<Additional>,
    /// `items`.
    pub items: Option<Box<Structural>>,
    /// `default`.
    pub default: Option<Value>,
    /// `x-kubernetes-list-type`.
    pub list_type: ListType,
    /// `x-kubernetes-list-map-keys`.
    pub list_keys: Vec<Arc<str>>,
    /// `x-kubernetes-map-type: atomic`.
    pub atomic_map: bool,
    /// `required`.
    pub required: Vec<Arc<str>>,
    /// `enum`.
    pub allowed: Vec<Value>,
    /// `format`.
    pub format: Option<Arc<str>>,
    /// `pattern`, as written and as it is matched.
    pub pattern: Option<(Arc<str>, Arc<regex::Regex>)>,
    /// `minimum`.
    pub minimum: Option<Bound>,
    /// `maximum`.
    pub maximum: Option<Bound>,
    /// `multipleOf`.
    pub multiple_of: Option<Value>,
    /// `minLength` and `maxLength`.
    pub length: (Option<i64>, Option<i64>),
    /// `minItems` and `maxItems`.
    pub items_count: (Option<i64>, Option<i64>),
    /// `minProperties` and `maxProperties`.
    pub properties_count: (Option<i64>, Option<i64>),
    /// `allOf`.
    pub all_of: Vec<Structural>,
    /// `anyOf`.
    pub any_of: Vec<Structural>,
    /// `oneOf`.
    pub one_of: Vec<Structural>,
    /// `not`.
    pub not: Option<Box<Structural>>,
    /// `x-kubernetes-validations`.
    pub rules: Vec<rules::Rule>,
}

impl Structural {
    /// A schema that takes everything.
    pub fn anything() -> Self {
        Self {
            kind: Type::Any,
            nullable: false,
            preserve: true,
            int_or_string: false,
            embedded: false,
            properties: SortedMap::new(),
            additional: None,
            items: None,
            default: None,
            list_type: ListType::Atomic,
            list_keys: Vec::new(),
            atomic_map: false,
            required: Vec::new(),
            allowed: Vec::new(),
            format: None,
            pattern: None,
            minimum: None,
            maximum: None,
            multiple_of: None,
            length: (None, None),
            items_count: (None, None),
            properties_count: (None, None),
            all_of: Vec::new(),
            any_of: Vec::new(),
            one_of: Vec::new(),
            not: None,
            rules: Vec::new(),
        }
    }

    /// The schema of a field: a property, or what is additional.
    pub fn field(&self, name: &str) -> Option<&Self> {
        self.properties.get(name).or(match &self.additional {
            Some(Additional::Of(schema)) => Some(schema),
            Some(Additional::Any) | None => None,
        })
    }
}
