//! Label selectors: `matchLabels` and `matchExpressions`, or a Service's plain map.

use std::sync::Arc;

/// Labels, sorted by key.
pub type Labels = Arc<[(Arc<str>, Arc<str>)]>;

/// The value of a label.
pub fn label<'a>(labels: &'a [(Arc<str>, Arc<str>)], key: &str) -> Option<&'a Arc<str>> {
    labels
        .iter()
        .find(|(name, _)| &**name == key)
        .map(|(_, value)| value)
}

/// One demand on the labels.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Requirement {
    /// The label has one of these values.
    In(Arc<str>, Arc<[Arc<str>]>),
    /// It has none of these values, or is absent.
    NotIn(Arc<str>, Arc<[Arc<str>]>),
    /// It is there.
    Exists(Arc<str>),
    /// It is not there.
    DoesNotExist(Arc<str>),
}

/// All requirements together. An empty selector matches everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Selector(pub Vec<Requirement>);

impl Selector {
    /// A selector that wants these labels.
    pub fn from_labels(labels: &[(Arc<str>, Arc<str>)]) -> Self {
        Self(
            labels
                .iter()
                .map(|(key, value)| Requirement::In(key.clone(), [value.clone()].into()))
                .collect(),
        )
    }

    /// Whether the labels satisfy all requirements.
    pub fn matches(&self, labels: &[(Arc<str>, Arc<str>)]) -> bool {
        self.0.iter().all(|requirement| match requirement {
            Requirement::In(key, values) => {
                label(labels, key).is_some_and(|value| values.contains(value))
            }
            Requirement::NotIn(key, values) => {
                label(labels, key).is_none_or(|value| !values.contains(value))
            }
            Requirement::Exists(key) => label(labels, key).is_some(),
            Requirement::DoesNotExist(key) => label(labels, key).is_none(),
        })
    }
}
