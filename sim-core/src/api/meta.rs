//! Metadata of an object that a person wrote.

use std::collections::BTreeMap;
use std::sync::Arc;

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
    pub labels: BTreeMap<Arc<str>, Arc<str>>,
    /// Annotations by key.
    pub annotations: BTreeMap<Arc<str>, Arc<str>>,
}
