//! Selectors over labels, as written. Compiling and evaluating them is the planes' matter.

use std::sync::Arc;

use crate::base::sorted::SortedMap;

/// `matchLabels` and `matchExpressions`, all of which must hold. Empty: matches everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct LabelSelector {
    /// Labels that must be there with this value.
    pub match_labels: SortedMap<Arc<str>, Arc<str>>,
    /// Further requirements.
    pub match_expressions: Vec<Requirement>,
}

/// One requirement on one key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Requirement {
    /// Label key, or `metadata.name` in a node's `matchFields`.
    pub key: Arc<str>,
    /// How the values are compared.
    pub operator: Operator,
    /// Values in the order written; empty for `Exists` and `DoesNotExist`.
    pub values: Vec<Arc<str>>,
}

/// Comparison of a requirement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operator {
    /// The label has one of the values.
    In,
    /// The label is absent or has none of the values.
    NotIn,
    /// The label is there.
    Exists,
    /// The label is absent.
    DoesNotExist,
    /// The label is an integer above the one value. Node selectors only.
    GreaterThan,
    /// The label is an integer below the one value. Node selectors only.
    LessThan,
}
