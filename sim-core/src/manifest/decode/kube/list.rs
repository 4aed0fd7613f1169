//! Lists of objects, taken apart.

use std::collections::VecDeque;

use crate::manifest::tree::Node;

/// The objects of a document: those of a list, and of the lists in it, or itself. What stands in the
/// outer list comes before what stands in inner ones.
/// Source: `staging/src/k8s.io/cli-runtime/pkg/resource/visitor.go` (`FlattenListVisitor`).
pub fn flat(document: &Node) -> Vec<&Node> {
    let (mut found, mut left) = (Vec::new(), VecDeque::from([document]));
    while let Some(node) = left.pop_front() {
        match items(node) {
            Some(items) => left.extend(items),
            None => found.push(node),
        }
    }
    found
}

fn items(node: &Node) -> Option<&[Node]> {
    let kind = node.get("kind").and_then(Node::as_str)?;
    kind.ends_with("List")
        .then(|| node.get("items").and_then(Node::as_seq))?
}
