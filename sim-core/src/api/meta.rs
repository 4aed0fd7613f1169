//! Metadata of an object that a person wrote.

use std::sync::Arc;

use crate::base::sorted::SortedMap;

/// Name and marks of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ObjectMeta {
    /// The object's name; empty when only `generate_name` is given.
    pub name: Arc<str>,
    /// Prefix from which the server makes a name; empty when absent.
    pub generate_name: Arc<str>,
    /// Namespace as written; absent when the request's namespace applies.
    pub namespace: Option<Arc<str>>,
    /// Labels by key.
    pub labels: SortedMap<Arc<str>, Arc<str>>,
    /// Annotations by key.
    pub annotations: SortedMap<Arc<str>, Arc<str>>,
}
