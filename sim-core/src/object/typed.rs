//! Values with what their schema says of owning and merging them.
//! Source: `sigs.k8s.io/structured-merge-diff/typed`.
//!
//! [`Typed`] is a schema at one place: of the built-in tables, of a custom resource, or nothing known,
//! where lists are owned whole and maps key by key. The algorithms walk a value beside it.

pub mod compare;
pub mod field_set;
pub mod merge;
pub mod remove;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::base::sorted::SortedMap;
use crate::manifest::schema::table::{Field, ListType, Shape, kubernetes};
use crate::manifest::value::Value;
use crate::object::fields::{keyed, placed, valued};
use crate::object::structural::{Additional, Structural, Type};

/// A schema at one place.
#[derive(Clone, Copy, Debug)]
pub enum Typed<'s> {
    /// Of the built-in tables: what the value may be, and the field that it is in.
    Table(&'s Shape, Option<&'s Field>),
    /// A whole custom object: its metadata is the server's.
    CustomRoot(&'s Structural),
    /// Part of a custom object.
    Custom(&'s Structural),
    /// One value.
    Scalar,
    /// Not known.
    Unknown,
}

/// How a value at a place is owned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Atom {
    /// Whole.
    Leaf,
    /// Field by field.
    Map,
    /// Item by item, told apart by value.
    Set,
    /// Item by item, told apart by these keys.
    List(Vec<Arc<str>>),
}

impl<'s> Typed<'s> {
    /// How a value here is owned; where nothing is known, its own form tells.
    pub fn atom(&self, value: &Value) -> Atom {
        let by_form = || match value {
            Value::Map(_) => Atom::Map,
            _ => Atom::Leaf,
        };
        match self {
            Self::Scalar => Atom::Leaf,
            Self::Unknown => by_form(),
            Self::CustomRoot(_) => Atom::Map,
            Self::Table(shape, field) => match shape {
                Shape::Type(_) | Shape::Map { .. } => {
                    if field.is_some_and(|field| field.is_atomic_map) {
                        Atom::Leaf
                    } else {
                        Atom::Map
                    }
                }
                Shape::List(_) => match field.map_or(ListType::Atomic, |field| field.list_type) {
                    ListType::Atomic => Atom::Leaf,
                    ListType::Set => Atom::Set,
                    ListType::Map => Atom::List(field.map_or_else(Vec::new, |field| {
                        field.list_keys.iter().map(|key| (&**key).into()).collect()
                    })),
                },
                Shape::Any | Shape::Object => by_form(),
                _ => Atom::Leaf,
            },
            Self::Custom(schema) => match schema.kind {
                Type::Object if schema.atomic_map => Atom::Leaf,
                Type::Object => Atom::Map,
                Type::Array => match schema.list_type {
                    ListType::Atomic => Atom::Leaf,
                    ListType::Set => Atom::Set,
                    ListType::Map => Atom::List(schema.list_keys.clone()),
                },
                Type::Any if !schema.int_or_string => by_form(),
                _ => Atom::Leaf,
            },
        }
    }

    /// The schema of a field that the schema names; none for entries of free maps.
    pub fn named(&self, name: &str) -> Option<Self> {
        match self {
            Self::Table(Shape::Type(id), _) => {
                let field = kubernetes().get(*id).field(name)?;
                Some(Self::Table(&field.shape, Some(field)))
            }
            Self::CustomRoot(schema) => match name {
                "apiVersion" | "kind" => Some(Self::Scalar),
                "metadata" => Some(metadata()),
                _ => schema.properties.get(name).map(Self::Custom),
            },
            Self::Custom(schema) => schema.properties.get(name).map(Self::Custom),
            Self::Table(..) | Self::Scalar | Self::Unknown => None,
        }
    }

    /// Whether a map here may have a field or entry of this name.
    pub fn declares(&self, name: &str) -> bool {
        let open = match self {
            Self::Table(Shape::Type(id), _) => kubernetes().get(*id).is_open,
            Self::CustomRoot(schema) | Self::Custom(schema) => {
                let object = schema.embedded && matches!(name, "apiVersion" | "kind" | "metadata");
                object
                    || schema.preserve
                    || schema.additional.is_some()
                    || schema.kind != Type::Object
            }
            Self::Table(..) | Self::Scalar | Self::Unknown => true,
        };
        open || self.named(name).is_some()
    }

    /// The schema of a field or entry.
    pub fn entry(&self, name: &str) -> Self {
        self.named(name).unwrap_or(match self {
            Self::Table(Shape::Map { values, .. }, _) => Self::Table(values, None),
            Self::Custom(Structural {
                additional: Some(Additional::Of(inner)),
                ..
            }) => Self::Custom(inner),
            _ => Self::Unknown,
        })
    }

    /// The schema of a list's items.
    pub fn item(&self) -> Self {
        match self {
            Self::Table(Shape::List(items), _) => Self::Table(items, None),
            Self::Custom(schema) => schema.items.as_deref().map_or(Self::Unknown, Self::Custom),
            _ => Self::Unknown,
        }
    }

    /// What a key of a list's items is when it is not written.
    fn key_default(&self, key: &str) -> Option<Value> {
        match self {
            // The only key of built-in lists that has a default.
            Self::Table(..) => (key == "protocol").then(|| "TCP".into()),
            Self::Custom(schema) => schema.items.as_ref()?.properties.get(key)?.default.clone(),
            _ => None,
        }
    }

    /// The schema below an element of a path.
    pub fn below(&self, element: &str) -> Self {
        match crate::object::fields::name_of(element) {
            Some(name) => self.entry(name),
            None => self.item(),
        }
    }

    /// The element of a path that an item of a list is.
    ///
    /// # Errors
    /// Upstream's text if a key is not there.
    pub fn element(&self, atom: &Atom, index: usize, item: &Value) -> Result<Arc<str>, String> {
        match atom {
            Atom::Set => Ok(valued(item)),
            Atom::List(keys) => {
                let mut found = Value::map();
                for key in keys {
                    let value = item.get(key).filter(|value| !value.is_null()).cloned();
                    // An item without the key is another one than those with it.
                    if let Some(value) = value.or_else(|| self.key_default(key)) {
                        found.set(key, value);
                    }
                }
                if !keys.is_empty() && found.as_map().is_none_or(|map| map.is_empty()) {
                    let keys: Vec<String> = keys.iter().map(|key| format!("{key:?}")).collect();
                    let keys = keys.join(" ");
                    return Err(format!(
                        "element {index}: associative list with keys has an element that omits all key fields [{keys}] (and doesn't have default values for any key fields)"
                    ));
                }
                Ok(keyed(&found))
            }
            Atom::Leaf | Atom::Map => Ok(placed(index)),
        }
    }

    /// Items of a list by their elements, in order; an item that cannot be told apart goes by its
    /// place. Of items with one element the first is found.
    fn index<'v>(&self, atom: &Atom, items: &'v [Value]) -> Indexed<'v> {
        let mut order = Vec::with_capacity(items.len());
        let mut first: SortedMap<Arc<str>, &Value> = SortedMap::new();
        for (index, item) in items.iter().enumerate() {
            let element = self
                .element(atom, index, item)
                .unwrap_or_else(|_| placed(index));
            first.entry(element.clone()).or_insert(item);
            order.push(element);
        }
        Indexed { order, first }
    }
}

/// A list by its elements.
struct Indexed<'v> {
    order: Vec<Arc<str>>,
    first: SortedMap<Arc<str>, &'v Value>,
}

/// The schema of every object's metadata.
fn metadata() -> Typed<'static> {
    let table = kubernetes();
    let field = table
        .kind("v1", "ConfigMap")
        .and_then(|kind| kind.root)
        .and_then(|root| table.get(root).field("metadata"));
    field.map_or(Typed::Unknown, |field| {
        Typed::Table(&field.shape, Some(field))
    })
}

/// A map or list without anything in it, or null.
fn is_empty(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => true,
        Some(Value::List(items)) => items.is_empty(),
        Some(Value::Map(map)) => map.is_empty(),
        Some(_) => false,
    }
}
