//! Placement constraints: `key==value` and `key!=value`, all of which must hold.
//! Source: swarmkit `manager/constraint/constraint.go`.

use std::net::IpAddr;
use std::sync::Arc;

use crate::swarm::store::Node;

/// One parsed constraint.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Constraint {
    key: String,
    equal: bool,
    value: String,
}

/// Parses all expressions. The error is upstream's own text.
pub fn parse(expressions: &[Arc<str>]) -> Result<Vec<Constraint>, String> {
    expressions
        .iter()
        .map(|expression| parse_one(expression))
        .collect()
}

fn parse_one(expression: &str) -> Result<Constraint, String> {
    // The operators are tried in this order, and the first one found splits the text.
    for (operator, equal) in [("==", true), ("!=", false)] {
        let Some((key, value)) = expression.split_once(operator) else {
            continue;
        };
        let (key, value) = (key.trim(), value.trim());
        if !key_is_valid(key) {
            return Err(format!("key '{key}' is invalid"));
        }
        if !value_is_valid(value) {
            return Err(format!("value '{value}' is invalid"));
        }
        return Ok(Constraint {
            key: key.to_owned(),
            equal,
            value: value.to_owned(),
        });
    }
    Err("constraint expected one operator from ==, !=".to_owned())
}

/// Starts with a letter or underscore, then at least one letter, digit, `_`, `.` or `-`.
fn key_is_valid(key: &str) -> bool {
    let mut bytes = key.bytes();
    bytes
        .next()
        .is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_')
        && key.len() >= 2
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-'))
}

/// Starts with a letter, digit or one of a few signs; may contain blanks and special characters.
fn value_is_valid(value: &str) -> bool {
    const SIGNS: &str = ":-_.*()?+[]\\^$|/ ";
    !value.is_empty()
        && value
            .chars()
            .all(|letter| letter.is_ascii_alphanumeric() || SIGNS.contains(letter))
}

/// Whether the node meets all of them.
pub fn node_matches(constraints: &[Constraint], node: &Node, id: &str) -> bool {
    constraints
        .iter()
        .all(|constraint| constraint.holds(node, id))
}

impl Constraint {
    fn compare(&self, actual: &str) -> bool {
        self.value.eq_ignore_ascii_case(actual) == self.equal
    }

    fn holds(&self, node: &Node, id: &str) -> bool {
        let key = self.key.to_ascii_lowercase();
        match key.as_str() {
            "node.id" => self.compare(id),
            "node.hostname" => self.compare(&node.hostname),
            "node.ip" => self.address_holds(&node.address),
            "node.role" => match self.value.to_ascii_lowercase().as_str() {
                // A value that is no role never matches, whatever the operator.
                "manager" | "worker" => self.compare(node.role.word()),
                _ => false,
            },
            "node.platform.os" => self.compare(&node.os),
            "node.platform.arch" => self.compare(&node.architecture),
            _ => {
                if key.starts_with("node.labels.") {
                    let label = &self.key["node.labels.".len()..];
                    self.label_holds(node.labels.get(label))
                } else if key.starts_with("engine.labels.") {
                    let label = &self.key["engine.labels.".len()..];
                    self.label_holds(node.engine_labels.get(label))
                } else {
                    // An unknown key never matches, whatever the operator.
                    false
                }
            }
        }
    }

    fn label_holds(&self, value: Option<&Arc<str>>) -> bool {
        match value {
            Some(value) => self.compare(value),
            None => !self.equal,
        }
    }

    fn address_holds(&self, address: &str) -> bool {
        let (network, bits) = match self.value.split_once('/') {
            Some((network, bits)) => (network, bits.parse::<u32>().ok()),
            None => (self.value.as_str(), Some(u32::MAX)),
        };
        let (Ok(network), Some(bits)) = (network.parse::<IpAddr>(), bits) else {
            return false;
        };
        let width = if network.is_ipv4() { 32 } else { 128 };
        if bits != u32::MAX && bits > width {
            return false;
        }
        let Ok(actual) = address.parse::<IpAddr>() else {
            return !self.equal;
        };
        let same_kind = actual.is_ipv4() == network.is_ipv4();
        let dropped = width - bits.min(width);
        let head = |address: IpAddr| {
            let number = match address {
                IpAddr::V4(address) => u128::from(u32::from(address)),
                IpAddr::V6(address) => u128::from(address),
            };
            number.checked_shr(dropped).unwrap_or(0)
        };
        (same_kind && head(actual) == head(network)) == self.equal
    }
}

/// A label that tasks are spread over.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Preference {
    /// A label of the node object.
    Node(String),
    /// A label of the engine.
    Engine(String),
}

/// Parses `node.labels.X` and `engine.labels.X`; anything else is ignored as upstream's scheduler
/// does (`manager/scheduler/nodeset.go`).
pub fn parse_preferences(descriptors: &[Arc<str>]) -> Vec<Preference> {
    descriptors
        .iter()
        .filter_map(|descriptor| {
            if let Some(label) = strip_prefix_fold(descriptor, "node.labels.") {
                Some(Preference::Node(label.to_owned()))
            } else {
                strip_prefix_fold(descriptor, "engine.labels.")
                    .map(|label| Preference::Engine(label.to_owned()))
            }
        })
        .collect()
}

fn strip_prefix_fold<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let head = text.get(..prefix.len())?;
    head.eq_ignore_ascii_case(prefix)
        .then(|| &text[prefix.len()..])
}

impl Preference {
    /// The node's value; nodes without the label share the branch of the empty text.
    pub fn value<'a>(&self, node: &'a Node) -> &'a str {
        let value = match self {
            Self::Node(label) => node.labels.get(label.as_str()),
            Self::Engine(label) => node.engine_labels.get(label.as_str()),
        };
        value.map_or("", |value| value)
    }
}
