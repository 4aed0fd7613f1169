//! The tables: their text format and what it is parsed into.
//!
//! ```text
//! kind apps/v1 Deployment apps.v1.Deployment     a kind and its type
//! other authentication… TokenReview              a kind that exists and is not in the table
//! @ core.v1.PodSpec [open] [x-]                  a type; open: other fields allowed; x-: extensions
//! !containers []core.v1.Container merge=name     a field, `!` required, with merge directives
//! ```
//! Shapes: scalars by name, `[]T` list, `{}T` map, `~{}T` map whose keys are names, `a/b` one of
//! several plain types, `a|b` one of several shapes, `enum(a,b)`, or the name of a type.
use crate::base::arrange::Arrange;
use std::sync::OnceLock;

use rustc_hash::FxHashMap;

/// Index of a type in its table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TypeId(u32);

/// What a value may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Anything.
    Any,
    /// Nothing.
    Null,
    /// Text.
    String,
    /// Text, one of these.
    Enum(Vec<Box<str>>),
    /// Text that is a Go duration.
    Duration,
    /// Text that is a point in time.
    Time,
    /// Text that is base64.
    Bytes,
    /// A truth value.
    Bool,
    /// A whole number of 32 bits.
    Int32,
    /// A whole number of 64 bits.
    Int64,
    /// Any number.
    Number,
    /// A Kubernetes quantity: text or a number.
    Quantity,
    /// A number or text.
    IntOrString,
    /// A map of anything.
    Object,
    /// A list.
    List(Box<Shape>),
    /// A map; `is_named`: keys must be names.
    Map {
        /// What the values are.
        values: Box<Shape>,
        /// Whether keys must consist of letters, digits, `.`, `_` and `-`.
        is_named: bool,
    },
    /// A structure.
    Type(TypeId),
    /// One of several plain types.
    Plain(Vec<Shape>),
    /// One of several shapes.
    OneOf(Vec<Shape>),
}

/// A structure.
#[derive(Clone, Debug)]
pub struct Type {
    /// Its name in the table, such as `core.v1.PodSpec`.
    pub name: Box<str>,
    /// Its fields, sorted by name.
    pub fields: Vec<Field>,
    /// Whether fields beyond these are allowed.
    pub is_open: bool,
    /// Whether fields that start with `x-` are allowed.
    pub has_extensions: bool,
}

/// A field of a structure.
#[derive(Clone, Debug)]
pub struct Field {
    /// Its name.
    pub name: Box<str>,
    /// What it may be.
    pub shape: Shape,
    /// Whether it must be given.
    pub is_required: bool,
    /// Strategic merge: the key that tells items apart (`patchMergeKey`).
    pub merge_key: Option<Box<str>>,
    /// Strategic merge: `merge` is among the strategies (`patchStrategy`).
    pub merges: bool,
    /// Strategic merge: `retainKeys` is among the strategies.
    pub retains_keys: bool,
    /// Strategic merge: `replace` is among the strategies, so that a map is written as a whole.
    pub replaces: bool,
    /// Server-side apply: how a list is owned.
    pub list_type: ListType,
    /// Server-side apply: the keys of a list of type map.
    pub list_keys: Vec<Box<str>>,
    /// Server-side apply: whether a map or structure is owned as a whole.
    pub is_atomic_map: bool,
}

/// How server-side apply treats a list (`x-kubernetes-list-type`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ListType {
    /// As a whole; the default.
    #[default]
    Atomic,
    /// Each item by itself.
    Set,
    /// Items by their keys.
    Map,
}

/// A kind the API serves.
#[derive(Clone, Debug)]
pub struct Kind {
    /// Group and version, such as `apps/v1`.
    pub api_version: Box<str>,
    /// The kind, such as `Deployment`.
    pub kind: Box<str>,
    /// Its structure; nothing for kinds that are not in the table.
    pub root: Option<TypeId>,
}

/// A parsed table.
#[derive(Debug)]
pub struct Table {
    types: Vec<Type>,
    names: FxHashMap<Box<str>, TypeId>,
    kinds: Vec<Kind>,
}

/// The Kubernetes 1.36 table.
pub fn kubernetes() -> &'static Table {
    static TABLE: OnceLock<Table> = OnceLock::new();
    TABLE.get_or_init(|| Table::parse(include_str!("../../../schema/kubernetes.txt")))
}

/// The Compose Specification.
pub fn compose() -> &'static Table {
    static TABLE: OnceLock<Table> = OnceLock::new();
    TABLE.get_or_init(|| Table::parse(include_str!("../../../schema/compose.txt")))
}

/// The stack file format 3.13.
pub fn stack() -> &'static Table {
    static TABLE: OnceLock<Table> = OnceLock::new();
    TABLE.get_or_init(|| Table::parse(include_str!("../../../schema/stack.txt")))
}

impl Table {
    /// Parses a table; panics on text the generator would not write.
    fn parse(text: &str) -> Self {
        let mut table = Self {
            types: Vec::new(),
            names: FxHashMap::default(),
            kinds: Vec::new(),
        };
        for name in text.lines().filter_map(|line| line.strip_prefix("@ ")) {
            let name = name.split(' ').next().unwrap_or(name);
            let id = TypeId(u32::try_from(table.names.len()).unwrap_or(u32::MAX));
            assert!(
                table.names.insert(name.into(), id).is_none(),
                "type {name} twice"
            );
        }
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let words: Vec<&str> = line.split(' ').collect();
            match words.as_slice() {
                ["kind", version, kind, root] => {
                    let root = Some(table.type_named(root));
                    table.kinds.push(Kind {
                        api_version: (*version).into(),
                        kind: (*kind).into(),
                        root,
                    });
                }
                ["other", version, kind] => {
                    table.kinds.push(Kind {
                        api_version: (*version).into(),
                        kind: (*kind).into(),
                        root: None,
                    });
                }
                ["@", name, flags @ ..] => table.types.push(Type {
                    name: (*name).into(),
                    fields: Vec::new(),
                    is_open: flags.contains(&"open"),
                    has_extensions: flags.contains(&"x-"),
                }),
                [name, shape, rest @ ..] => {
                    let field = table.field(name, shape, rest);
                    let current = table.types.last_mut();
                    assert!(current.is_some(), "field {name} before any type");
                    if let Some(current) = current {
                        current.fields.push(field);
                    }
                }
                _ => panic!("table line {line:?}"),
            }
        }
        for one in &mut table.types {
            one.fields.arrange_by(|one, two| one.name.cmp(&two.name));
        }
        table
    }

    fn field(&self, name: &str, shape: &str, rest: &[&str]) -> Field {
        let mut field = Field {
            name: name.trim_start_matches('!').into(),
            shape: self.shape(shape),
            is_required: name.starts_with('!'),
            merge_key: None,
            merges: false,
            retains_keys: false,
            replaces: false,
            list_type: ListType::Atomic,
            list_keys: Vec::new(),
            is_atomic_map: false,
        };
        for word in rest {
            match word.split_once('=') {
                Some(("merge", key)) => field.merge_key = Some(key.into()),
                Some(("strategy", list)) => {
                    field.merges = list.split(',').any(|one| one == "merge");
                    field.retains_keys = list.split(',').any(|one| one == "retainKeys");
                    field.replaces = list == "replace";
                }
                Some(("list", "atomic")) => {}
                Some(("list", "set")) => field.list_type = ListType::Set,
                Some(("list", "map")) => field.list_type = ListType::Map,
                Some(("keys", keys)) => field.list_keys = keys.split(',').map(Into::into).collect(),
                Some(("map", "atomic")) => field.is_atomic_map = true,
                Some(_) | None => panic!("table word {word:?}"),
            }
        }
        field
    }

    fn shape(&self, text: &str) -> Shape {
        let alternatives = split_top(text, '|');
        if alternatives.len() > 1 {
            return Shape::OneOf(
                alternatives
                    .into_iter()
                    .map(|one| self.shape(one))
                    .collect(),
            );
        }
        let plain = split_top(text, '/');
        if plain.len() > 1 {
            return Shape::Plain(plain.into_iter().map(|one| self.shape(one)).collect());
        }
        if let Some(items) = text.strip_prefix("[]") {
            return Shape::List(Box::new(self.shape(items)));
        }
        if let Some(values) = text.strip_prefix("{}") {
            return Shape::Map {
                values: Box::new(self.shape(values)),
                is_named: false,
            };
        }
        if let Some(values) = text.strip_prefix("~{}") {
            return Shape::Map {
                values: Box::new(self.shape(values)),
                is_named: true,
            };
        }
        if let Some(inside) = text
            .strip_prefix('(')
            .and_then(|rest| rest.strip_suffix(')'))
        {
            return self.shape(inside);
        }
        if let Some(words) = text
            .strip_prefix("enum(")
            .and_then(|rest| rest.strip_suffix(')'))
        {
            return Shape::Enum(words.split(',').map(Into::into).collect());
        }
        match text {
            "any" => Shape::Any,
            "null" => Shape::Null,
            "string" => Shape::String,
            "duration" => Shape::Duration,
            "time" => Shape::Time,
            "bytes" => Shape::Bytes,
            "bool" => Shape::Bool,
            "int32" => Shape::Int32,
            "int64" | "int" => Shape::Int64,
            "float" | "number" => Shape::Number,
            "quantity" => Shape::Quantity,
            "int-or-string" => Shape::IntOrString,
            "object" => Shape::Object,
            name => Shape::Type(self.type_named(name)),
        }
    }

    fn type_named(&self, name: &str) -> TypeId {
        match self.names.get(name) {
            Some(id) => *id,
            None => panic!("table has no type {name:?}"),
        }
    }

    /// A structure by index.
    #[must_use]
    pub fn get(&self, id: TypeId) -> &Type {
        &self.types[id.0 as usize]
    }

    /// A structure by name, such as `core.v1.PodSpec`.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&Type> {
        self.names.get(name).map(|id| self.get(*id))
    }

    /// The kind of this version and name; one without a structure exists but is not in the table.
    #[must_use]
    pub fn kind(&self, api_version: &str, kind: &str) -> Option<&Kind> {
        self.kinds
            .iter()
            .find(|one| &*one.api_version == api_version && &*one.kind == kind)
    }

    /// Every kind, in order of the table.
    #[must_use]
    pub fn kinds(&self) -> &[Kind] {
        &self.kinds
    }

    /// The shape of the value at a path of field names, from a structure inward; list items and
    /// map values need no segment of their own if the segment is a number or any key.
    #[must_use]
    pub fn field_at<'t>(&'t self, root: TypeId, path: &[&str]) -> Option<&'t Field> {
        let mut current = self.get(root);
        let mut found = None;
        let mut shape: Option<&Shape> = None;
        for segment in path {
            match shape {
                Some(Shape::List(items)) => {
                    shape = Some(items);
                    if segment.parse::<u32>().is_ok() {
                        continue;
                    }
                }
                Some(Shape::Map { values, .. }) => {
                    shape = Some(values);
                    continue;
                }
                Some(_) | None => {}
            }
            if let Some(inner) = shape {
                let Shape::Type(id) = inner else { return None };
                current = self.get(*id);
            }
            let field = current.field(segment)?;
            found = Some(field);
            shape = Some(&field.shape);
        }
        found
    }
}

impl Type {
    /// A field by name.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields
            .binary_search_by(|field| (*field.name).cmp(name))
            .ok()
            .map(|index| &self.fields[index])
    }

    /// The name of the structure in Go: `PodSpec` of `core.v1.PodSpec`.
    #[must_use]
    pub fn go_name(&self) -> &str {
        self.name.rsplit('.').next().unwrap_or(&self.name)
    }

    /// The name with its package, as Go prints types: `v1.PodSpec`.
    #[must_use]
    pub fn go_path(&self) -> &str {
        self.name
            .split_once('.')
            .map_or(&self.name, |(_, rest)| rest)
    }
}

/// Splits outside parentheses.
fn split_top(text: &str, separator: char) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut depth, mut start) = (0_u32, 0);
    for (at, character) in text.char_indices() {
        match character {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            other if other == separator && depth == 0 => {
                parts.push(&text[start..at]);
                start = at + separator.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

#[cfg(test)]
mod tests {
    use super::{ListType, Shape, compose, kubernetes, stack};

    #[test]
    fn tables_parse_and_know_how_lists_merge() {
        let table = kubernetes();
        let containers = table
            .named("core.v1.PodSpec")
            .and_then(|spec| spec.field("containers"))
            .unwrap();
        assert!(containers.is_required && containers.merges);
        assert_eq!(containers.merge_key.as_deref(), Some("name"));
        assert_eq!(containers.list_type, ListType::Map);
        let root = table
            .kind("apps/v1", "Deployment")
            .and_then(|kind| kind.root)
            .unwrap();
        let path = ["spec", "template", "spec", "containers", "0", "ports"];
        let ports = table.field_at(root, &path).unwrap();
        assert_eq!(
            ports.list_keys.iter().map(|key| &**key).collect::<Vec<_>>(),
            ["containerPort", "protocol"]
        );
        assert!(
            table
                .kind("authentication.k8s.io/v1", "TokenReview")
                .unwrap()
                .root
                .is_none()
        );
        assert!(
            compose()
                .named("service")
                .unwrap()
                .field("profiles")
                .is_some()
        );
        let published = stack()
            .named("service.ports")
            .unwrap()
            .field("published")
            .unwrap();
        assert_eq!(published.shape, Shape::Int64);
        assert!(
            stack()
                .named("service")
                .unwrap()
                .field("profiles")
                .is_none()
        );
    }
}
