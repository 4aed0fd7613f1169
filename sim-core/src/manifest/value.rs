//! `Value`: a document without positions, the common currency of objects, patches and printers.
//!
//! Cheap to clone (strings, lists and maps are shared) and copied on write. Maps keep the order
//! they were written in; equality ignores it, as JSON objects do.
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::base::arrange::Arrange;
use crate::manifest::json;

/// A JSON-like value.
#[derive(Clone, Debug, Default)]
pub enum Value {
    /// `null`.
    #[default]
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number that fits 64 bits.
    Int(i64),
    /// Any other number, exact, in the notation Go's JSON encoder would print it.
    Number(Arc<str>),
    /// Text.
    String(Arc<str>),
    /// A list.
    List(Arc<Vec<Value>>),
    /// A map with string keys.
    Map(Arc<Map>),
}

/// An ordered map with unique keys.
#[derive(Clone, Debug, Default)]
pub struct Map {
    entries: Vec<(Arc<str>, Value)>,
}

impl Value {
    /// The empty map.
    #[must_use]
    pub fn map() -> Self {
        Self::Map(Arc::default())
    }

    /// A text value.
    #[must_use]
    pub fn string(text: &str) -> Self {
        Self::String(text.into())
    }

    /// A list of these items.
    #[must_use]
    pub fn list(items: Vec<Self>) -> Self {
        Self::List(Arc::new(items))
    }

    /// A map of these entries; a repeated key keeps its last value.
    pub fn object<K: Into<Arc<str>>>(entries: impl IntoIterator<Item = (K, Self)>) -> Self {
        Self::Map(Arc::new(
            entries
                .into_iter()
                .map(|(key, value)| (key.into(), value))
                .collect(),
        ))
    }

    /// Strict JSON text to a value; a repeated key keeps its last value.
    ///
    /// # Errors
    /// A sentence with the byte offset, if the text is not one JSON value.
    pub fn parse_json(text: &str) -> Result<Self, json::JsonError> {
        Ok(json::parse(text, crate::manifest::lines::FileId::default())?.to_value())
    }

    /// Whether this is `null`.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The text, if this is text.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            Self::Null
            | Self::Bool(_)
            | Self::Int(_)
            | Self::Number(_)
            | Self::List(_)
            | Self::Map(_) => None,
        }
    }

    /// The whole number, if this is one.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        if let Self::Int(number) = self {
            Some(*number)
        } else {
            None
        }
    }

    /// The truth value, if this is one.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        if let Self::Bool(truth) = self {
            Some(*truth)
        } else {
            None
        }
    }

    /// The items, if this is a list.
    #[must_use]
    pub fn as_list(&self) -> Option<&[Self]> {
        if let Self::List(items) = self {
            Some(items)
        } else {
            None
        }
    }

    /// The map, if this is one.
    #[must_use]
    pub fn as_map(&self) -> Option<&Map> {
        if let Self::Map(map) = self {
            Some(map)
        } else {
            None
        }
    }

    /// The list to change; shared lists are copied first.
    pub fn as_list_mut(&mut self) -> Option<&mut Vec<Self>> {
        if let Self::List(items) = self {
            Some(Arc::make_mut(items))
        } else {
            None
        }
    }

    /// The map to change; shared maps are copied first.
    pub fn as_map_mut(&mut self) -> Option<&mut Map> {
        if let Self::Map(map) = self {
            Some(Arc::make_mut(map))
        } else {
            None
        }
    }

    /// The value under `key`, if this is a map that has it.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.as_map()?.get(key)
    }

    /// The item at `index`, if this is a list that long.
    #[must_use]
    pub fn at(&self, index: usize) -> Option<&Self> {
        self.as_list()?.get(index)
    }

    /// Follows keys inward; a segment that is a number also indexes lists.
    #[must_use]
    pub fn path(&self, path: &[&str]) -> Option<&Self> {
        path.iter().try_fold(self, |value, segment| match value {
            Self::List(items) => items.get(segment.parse::<usize>().ok()?),
            Self::Map(map) => map.get(segment),
            Self::Null | Self::Bool(_) | Self::Int(_) | Self::Number(_) | Self::String(_) => None,
        })
    }

    /// `path` and then `as_str`.
    #[must_use]
    pub fn str_at(&self, path: &[&str]) -> Option<&str> {
        self.path(path)?.as_str()
    }

    /// `path` and then `as_i64`.
    #[must_use]
    pub fn i64_at(&self, path: &[&str]) -> Option<i64> {
        self.path(path)?.as_i64()
    }

    /// The value at a path of keys, to change it in place; nothing is created.
    pub fn path_mut(&mut self, path: &[&str]) -> Option<&mut Self> {
        path.iter().try_fold(self, |value, segment| match value {
            Self::List(items) => Arc::make_mut(items).get_mut(segment.parse::<usize>().ok()?),
            Self::Map(map) => Arc::make_mut(map).get_mut(segment),
            Self::Null | Self::Bool(_) | Self::Int(_) | Self::Number(_) | Self::String(_) => None,
        })
    }

    /// Sets the value under `key`; anything that is not a map becomes one first.
    pub fn set(&mut self, key: &str, value: Self) {
        self.force_map().insert(key, value);
    }

    /// Sets the value at a path of map keys, creating maps on the way (and replacing what is not
    /// a map). List items are reached by number when they exist.
    pub fn set_path(&mut self, path: &[&str], value: Self) {
        let Some((first, rest)) = path.split_first() else {
            *self = value;
            return;
        };
        if let Self::List(items) = self
            && let Some(item) = first
                .parse::<usize>()
                .ok()
                .and_then(|index| Arc::make_mut(items).get_mut(index))
        {
            item.set_path(rest, value);
            return;
        }
        self.force_map().entry(first).set_path(rest, value);
    }

    /// Sets the list at a path of map keys; an empty one is no field.
    pub fn set_list(&mut self, path: &[&str], items: Vec<Self>) {
        if items.is_empty() {
            self.remove_path(path);
        } else {
            self.set_path(path, Self::list(items));
        }
    }

    /// Takes the items that are this text off the list at a path of map keys.
    pub fn take_off(&mut self, path: &[&str], text: &str) {
        if let Some(items) = self.path(path).and_then(Self::as_list) {
            let mut left = items.to_vec();
            left.retain(|item| item.as_str() != Some(text));
            self.set_list(path, left);
        }
    }

    /// Removes and returns the value under `key`.
    pub fn remove(&mut self, key: &str) -> Option<Self> {
        self.get(key)?;
        self.as_map_mut()?.remove(key)
    }

    /// Removes and returns the value at a path.
    pub fn remove_path(&mut self, path: &[&str]) -> Option<Self> {
        let (last, parents) = path.split_last()?;
        self.path(path)?;
        match self.path_mut(parents)? {
            Self::List(items) => Some(Arc::make_mut(items).remove(last.parse::<usize>().ok()?)),
            Self::Map(map) => Arc::make_mut(map).remove(last),
            Self::Null | Self::Bool(_) | Self::Int(_) | Self::Number(_) | Self::String(_) => None,
        }
    }

    fn force_map(&mut self) -> &mut Map {
        if self.as_map().is_none() {
            *self = Self::map();
        }
        match self.as_map_mut() {
            Some(map) => map,
            None => unreachable!("made a map above"),
        }
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(one), Self::Bool(two)) => one == two,
            (Self::Int(one), Self::Int(two)) => one == two,
            (Self::Number(one), Self::Number(two)) | (Self::String(one), Self::String(two)) => {
                one == two
            }
            (Self::List(one), Self::List(two)) => Arc::ptr_eq(one, two) || one == two,
            (Self::Map(one), Self::Map(two)) => Arc::ptr_eq(one, two) || one == two,
            (
                Self::Null
                | Self::Bool(_)
                | Self::Int(_)
                | Self::Number(_)
                | Self::String(_)
                | Self::List(_)
                | Self::Map(_),
                _,
            ) => false,
        }
    }
}

impl Eq for Value {}

impl Hash for Value {
    fn hash<H: Hasher>(&self, state: &mut H) {
        std::mem::discriminant(self).hash(state);
        match self {
            Self::Null => {}
            Self::Bool(truth) => truth.hash(state),
            Self::Int(number) => number.hash(state),
            Self::Number(text) | Self::String(text) => text.hash(state),
            Self::List(items) => items.hash(state),
            Self::Map(map) => map.sorted().hash(state),
        }
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Self::Bool(truth)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<i32> for Value {
    fn from(number: i32) -> Self {
        Self::Int(number.into())
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::Int(number.into())
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::string(text)
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::String(text.into())
    }
}

impl From<Arc<str>> for Value {
    fn from(text: Arc<str>) -> Self {
        Self::String(text)
    }
}

impl From<Vec<Value>> for Value {
    fn from(items: Vec<Value>) -> Self {
        Self::list(items)
    }
}

impl From<Map> for Value {
    fn from(map: Map) -> Self {
        Self::Map(Arc::new(map))
    }
}

impl Map {
    /// The empty map.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Number of entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The value under `key`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.entries
            .iter()
            .find(|(name, _)| &**name == key)
            .map(|(_, value)| value)
    }

    /// The value under `key`, to change it in place.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Value> {
        self.entries
            .iter_mut()
            .find(|(name, _)| &**name == key)
            .map(|(_, value)| value)
    }

    /// Whether `key` is there.
    #[must_use]
    pub fn contains_key(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// Sets `key`, in its place if it is there, else at the end; returns the old value.
    pub fn insert(&mut self, key: &str, value: Value) -> Option<Value> {
        if let Some(old) = self.get_mut(key) {
            return Some(std::mem::replace(old, value));
        }
        self.entries.push((key.into(), value));
        None
    }

    /// The value under `key`, created as `null` at the end if it is not there.
    pub fn entry(&mut self, key: &str) -> &mut Value {
        let index = self
            .entries
            .iter()
            .position(|(name, _)| &**name == key)
            .unwrap_or_else(|| {
                self.entries.push((key.into(), Value::Null));
                self.entries.len() - 1
            });
        &mut self.entries[index].1
    }

    /// Removes and returns the value under `key`; the others keep their order.
    pub fn remove(&mut self, key: &str) -> Option<Value> {
        let index = self.entries.iter().position(|(name, _)| &**name == key)?;
        Some(self.entries.remove(index).1)
    }

    /// Keeps the entries that `keep` says yes to.
    pub fn retain(&mut self, mut keep: impl FnMut(&str, &Value) -> bool) {
        self.entries.retain(|(key, value)| keep(key, value));
    }

    /// Entries in stored order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&Arc<str>, &Value)> + ExactSizeIterator {
        self.entries.iter().map(|(key, value)| (key, value))
    }

    /// Entries in stored order, values to change in place.
    pub fn iter_mut(
        &mut self,
    ) -> impl DoubleEndedIterator<Item = (&Arc<str>, &mut Value)> + ExactSizeIterator {
        self.entries.iter_mut().map(|(key, value)| (&*key, value))
    }

    /// Entries in the order of their keys' bytes, as Go prints maps.
    #[must_use]
    pub fn sorted(&self) -> Vec<(&Arc<str>, &Value)> {
        let mut entries: Vec<_> = self.iter().collect();
        entries.arrange_by(|one, two| one.0.cmp(two.0));
        entries
    }
}

/// The empty map, for what has none.
impl Default for &Map {
    fn default() -> Self {
        const EMPTY: &Map = &Map {
            entries: Vec::new(),
        };
        EMPTY
    }
}

impl FromIterator<(Arc<str>, Value)> for Map {
    fn from_iter<I: IntoIterator<Item = (Arc<str>, Value)>>(entries: I) -> Self {
        let mut places: rustc_hash::FxHashMap<Arc<str>, usize> = rustc_hash::FxHashMap::default();
        let mut map = Self::new();
        for (key, value) in entries {
            if let Some(&place) = places.get(&key) {
                map.entries[place].1 = value;
            } else {
                places.insert(key.clone(), map.entries.len());
                map.entries.push((key, value));
            }
        }
        map
    }
}

impl PartialEq for Map {
    fn eq(&self, other: &Self) -> bool {
        if self.len() != other.len() {
            return false;
        }
        // The common case is the same order; only then is a sort avoided.
        if self
            .entries
            .iter()
            .zip(&other.entries)
            .all(|(one, two)| one.0 == two.0)
        {
            return self.entries == other.entries;
        }
        self.sorted() == other.sorted()
    }
}

impl Eq for Map {}

#[cfg(test)]
mod tests {
    use super::Value;

    #[test]
    fn paths_are_set_read_and_removed() {
        let mut value = Value::Null;
        value.set_path(&["spec", "replicas"], 3.into());
        value.set_path(
            &["spec", "list"],
            vec![Value::from("a"), Value::from("b")].into(),
        );
        value.set_path(&["spec", "list", "1"], "c".into());
        let kept = value.clone();
        assert_eq!(value.i64_at(&["spec", "replicas"]), Some(3));
        assert_eq!(value.str_at(&["spec", "list", "1"]), Some("c"));
        assert_eq!(value.remove_path(&["spec", "list", "0"]), Some("a".into()));
        assert_eq!(value.remove_path(&["spec", "gone"]), None);
        assert_eq!(
            kept.str_at(&["spec", "list", "0"]),
            Some("a"),
            "clones do not see later writes"
        );
    }

    #[test]
    fn equality_ignores_the_order_of_keys() {
        let one = Value::parse_json(r#"{"a":1,"b":[1,2]}"#).unwrap();
        let two = Value::parse_json(r#"{"b":[1,2],"a":1}"#).unwrap();
        assert_eq!(one, two);
        assert_ne!(one, Value::parse_json(r#"{"b":[2,1],"a":1}"#).unwrap());
    }
}
