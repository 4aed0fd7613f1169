//! Sets of fields, as `managedFields` has them: paths through maps, and through lists by key or value.
//! Source: `sigs.k8s.io/structured-merge-diff/fieldpath`.
//!
//! An element of a path is kept as it is written in `fieldsV1`: `f:replicas`, `k:{"name":"web"}`,
//! `v:"blue"`, `i:0`. A set is a tree of them.

use std::sync::Arc;

use crate::base::sorted::SortedMap;
use crate::manifest::value::Value;
use crate::object::print::{KeyOrder, json};

/// Nesting of a set that is read from text.
const DEPTH_MAX: u32 = 200;

/// A set of fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldSet {
    nodes: SortedMap<Arc<str>, Node>,
}

/// What is known of one element: whether it is in the set itself, and what is below it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Node {
    member: bool,
    below: FieldSet,
}

impl Node {
    fn is_empty(&self) -> bool {
        !self.member && self.below.is_empty()
    }
}

impl FieldSet {
    /// The set of nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Adds a path.
    pub fn insert(&mut self, path: &[Arc<str>]) {
        let Some((last, parents)) = path.split_last() else {
            return;
        };
        let mut set = self;
        for element in parents {
            set = &mut set.nodes.entry(element.clone()).or_default().below;
        }
        set.nodes.entry(last.clone()).or_default().member = true;
    }

    /// Whether an element of the first level is in the set itself.
    pub fn has(&self, element: &str) -> bool {
        self.nodes.get(element).is_some_and(|node| node.member)
    }

    /// What is below an element; nothing if there is nothing.
    pub fn below(&self, element: &str) -> Option<&Self> {
        self.nodes
            .get(element)
            .map(|node| &node.below)
            .filter(|set| !set.is_empty())
    }

    /// What is in either.
    pub fn union(&self, other: &Self) -> Self {
        let mut result = self.clone();
        result.add(other);
        result
    }

    fn add(&mut self, other: &Self) {
        for (element, node) in &other.nodes {
            let there = self.nodes.entry(element.clone()).or_default();
            there.member |= node.member;
            there.below.add(&node.below);
        }
    }

    /// Takes a path away, not what is below it.
    pub fn remove(&mut self, path: &[&str]) {
        let Some((first, rest)) = path.split_first() else {
            return;
        };
        let Some(node) = self.nodes.get_mut(*first) else {
            return;
        };
        if rest.is_empty() {
            node.member = false;
        } else {
            node.below.remove(rest);
        }
        if node.is_empty() {
            self.nodes.remove(*first);
        }
    }

    /// What is in both.
    pub fn intersection(&self, other: &Self) -> Self {
        let mut result = Self::new();
        for (element, node) in &self.nodes {
            let Some(there) = other.nodes.get(element) else {
                continue;
            };
            let both = Node {
                member: node.member && there.member,
                below: node.below.intersection(&there.below),
            };
            if !both.is_empty() {
                result.nodes.insert(element.clone(), both);
            }
        }
        result
    }

    /// What is here and not there; a path takes only itself away, not what is below it.
    pub fn difference(&self, other: &Self) -> Self {
        let mut result = Self::new();
        for (element, node) in &self.nodes {
            let left = match other.nodes.get(element) {
                None => node.clone(),
                Some(there) => Node {
                    member: node.member && !there.member,
                    below: node.below.difference(&there.below),
                },
            };
            if !left.is_empty() {
                result.nodes.insert(element.clone(), left);
            }
        }
        result
    }

    /// Without an element of the first level and all below it.
    pub fn without(&self, element: &str) -> Self {
        let mut result = self.clone();
        result.nodes.remove(element);
        result
    }

    /// Only an element of the first level and what is below it.
    pub fn only(&self, element: &str) -> Self {
        let mut result = Self::new();
        if let Some((key, node)) = self.nodes.get_key_value(element) {
            result.nodes.insert(key.clone(), node.clone());
        }
        result
    }

    /// Elements of the first level with what is below them.
    pub fn elements(&self) -> impl Iterator<Item = (&Arc<str>, &Self)> {
        self.nodes
            .iter()
            .map(|(element, node)| (element, &node.below))
    }

    /// The same set with elements of the first level added where `named` says so, and with each
    /// level below made by `inner`.
    pub fn mapped(
        &self,
        named: &dyn Fn(&str) -> bool,
        inner: &dyn Fn(&str, &Self) -> Self,
    ) -> Self {
        let mut result = Self::new();
        for (element, node) in &self.nodes {
            result.nodes.insert(
                element.clone(),
                Node {
                    member: node.member || named(element),
                    below: inner(element, &node.below),
                },
            );
        }
        result
    }

    /// Shows every path to `visit`, in order; `path` is what leads to this set.
    pub fn each(&self, path: &mut Vec<Arc<str>>, visit: &mut dyn FnMut(&[Arc<str>])) {
        for (element, node) in &self.nodes {
            path.push(element.clone());
            if node.member {
                visit(path);
            }
            node.below.each(path, visit);
            path.pop();
        }
    }

    /// Whether a path is in the set.
    pub fn holds(&self, path: &[Arc<str>]) -> bool {
        match path {
            [] => false,
            [last] => self.has(last),
            [first, rest @ ..] => self.below(first).is_some_and(|below| below.holds(rest)),
        }
    }

    /// Paths as messages have them: `.spec.containers[name="web"].image`.
    pub fn paths(&self) -> Vec<String> {
        let mut found = Vec::new();
        self.collect("", &mut found);
        found
    }

    fn collect(&self, base: &str, found: &mut Vec<String>) {
        for (element, node) in &self.nodes {
            let path = format!("{base}{}", shown(element));
            if node.member {
                found.push(path.clone());
            }
            node.below.collect(&path, found);
        }
    }

    /// `fieldsV1`.
    pub fn to_value(&self) -> Value {
        Value::object(self.nodes.iter().map(|(element, node)| {
            let mut below = node.below.to_value();
            if node.member && !node.below.is_empty() {
                below.set(".", Value::map());
            }
            (element.clone(), below)
        }))
    }

    /// Reads `fieldsV1`; what makes no sense is left out.
    pub fn from_value(value: &Value) -> Self {
        Self::read(value, 0)
    }

    fn read(value: &Value, depth: u32) -> Self {
        let mut set = Self::new();
        let Some(map) = value.as_map().filter(|_| depth < DEPTH_MAX) else {
            return set;
        };
        for (element, inner) in map.iter() {
            if !["f:", "k:", "v:", "i:"]
                .iter()
                .any(|head| element.starts_with(head))
            {
                continue;
            }
            let below = Self::read(inner, depth + 1);
            let member = inner.get(".").is_some() || below.is_empty();
            set.nodes.insert(element.clone(), Node { member, below });
        }
        set
    }
}

/// A named field.
pub fn named(name: &str) -> Arc<str> {
    format!("f:{name}").into()
}

/// The name of a named field.
pub fn name_of(element: &str) -> Option<&str> {
    element.strip_prefix("f:")
}

/// An item of a list by its keys.
pub fn keyed(keys: &Value) -> Arc<str> {
    format!("k:{}", json(keys, KeyOrder::Sorted)).into()
}

/// An item of a set.
pub fn valued(value: &Value) -> Arc<str> {
    format!("v:{}", json(value, KeyOrder::Sorted)).into()
}

/// An item by its place.
pub fn placed(index: usize) -> Arc<str> {
    format!("i:{index}").into()
}

/// An element as messages have it.
pub fn shown(element: &str) -> String {
    let (head, rest) = element.split_once(':').unwrap_or(("f", element));
    match head {
        "k" => {
            let keys = Value::parse_json(rest).unwrap_or_default();
            let pairs: Vec<String> = keys
                .as_map()
                .map(|map| map.sorted())
                .unwrap_or_default()
                .into_iter()
                .map(|(key, value)| format!("{key}={}", json(value, KeyOrder::Sorted)))
                .collect();
            format!("[{}]", pairs.join(","))
        }
        "v" => format!("[={rest}]"),
        "i" => format!("[{rest}]"),
        _ => format!(".{rest}"),
    }
}
