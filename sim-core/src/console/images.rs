//! Images that no registry has: said where they are written, before a pull fails.
//!
//! The real tools accept any name and find out when they pull. What exists is the catalogue's word
//! (`substrate::catalogue`), the same that decides when the simulated pull is tried, so that this
//! finding and the run cannot disagree.

use crate::base::sentence::catalogue;
use crate::compose::client::pull_error;
use crate::manifest::decode::documents;
use crate::manifest::diagnostic::{Diagnostic, Severity};
use crate::manifest::explain;
use crate::manifest::lines::Source;
use crate::manifest::scalar::Dialect;
use crate::manifest::schema::suggest::nearest;
use crate::manifest::tree::{Node, NodeValue};
use crate::substrate::catalogue::{has_tag, official, program};
use crate::substrate::image::ImageRef;
use crate::substrate::order::PullError;

/// Keys of lists of containers in Kubernetes objects.
const LISTS: [&str; 3] = ["containers", "initContainers", "ephemeralContainers"];

/// A warning for each image of `source` that cannot be pulled from anywhere.
pub fn missing(source: &Source, dialect: Dialect) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for root in documents(source, dialect).0 {
        match dialect {
            Dialect::Kubernetes => in_lists(&root, source, &mut found),
            Dialect::Compose => {
                let services = root.get("services").and_then(Node::as_map);
                for service in services.unwrap_or_default() {
                    // What is built here need not be in a registry.
                    if service.value.get("build").is_none() {
                        judge(&service.value, source, &mut found);
                    }
                }
            }
        }
    }
    found
}

fn in_lists(node: &Node, source: &Source, found: &mut Vec<Diagnostic>) {
    match &node.value {
        NodeValue::Map(entries) => {
            for entry in entries {
                if LISTS.contains(&&*entry.key.text) {
                    for container in entry.value.as_seq().unwrap_or_default() {
                        judge(container, source, found);
                    }
                } else {
                    in_lists(&entry.value, source, found);
                }
            }
        }
        NodeValue::Seq(items) => {
            for item in items {
                in_lists(item, source, found);
            }
        }
        NodeValue::Null
        | NodeValue::Bool(_)
        | NodeValue::Int(_)
        | NodeValue::Float(_)
        | NodeValue::Str { .. } => {}
    }
}

fn judge(container: &Node, source: &Source, found: &mut Vec<Diagnostic>) {
    let Some(value) = container.get("image") else {
        return;
    };
    // A variable's value is not known here; what is no reference is another finding.
    let Some(image) = value.as_str().filter(|image| !image.contains('$')) else {
        return;
    };
    let Some(reference) = ImageRef::parse(image) else {
        return;
    };
    let known = program(&reference);
    let error = if !known.exists {
        PullError::Denied
    } else if !reference
        .tag
        .as_deref()
        .is_none_or(|tag| has_tag(known.tags, tag))
    {
        PullError::ManifestUnknown
    } else {
        return;
    };
    let found_here = Diagnostic::new(
        explain::IMAGE_MISSING,
        Severity::Warning,
        source,
        value.span,
        pull_error(image, error),
    )
    .at("image");
    let near = match error {
        PullError::Denied => reference
            .official()
            .and_then(|name| nearest(name, official::NAMES.iter().copied())),
        PullError::ManifestUnknown
        | PullError::RegistryDown
        | PullError::NoSpace
        | PullError::InvalidName
        | PullError::NotPresent => None,
    };
    found.push(match near {
        Some(near) => {
            let written = reference.official().unwrap_or_default();
            let right = image.replacen(written, near, 1);
            found_here
                .help(catalogue::NEAR.with(&[("near", &right)]))
                .fix(value.span, right)
        }
        None => found_here.help(catalogue::IMAGE_WRONG.plain()),
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str, dialect: Dialect) -> Vec<String> {
        let source = Source::new("file.yaml", text);
        let said = |found: Diagnostic| {
            let at = source.position(found.span.start);
            format!(
                "{}:{}: {} ({})",
                at.line,
                at.column,
                found.message,
                found.help.map_or_else(String::new, String::from)
            )
        };
        missing(&source, dialect).into_iter().map(said).collect()
    }

    #[test]
    fn a_name_that_the_library_lacks_is_found_in_every_dialect() {
        let pod =
            "kind: Pod\nspec:\n  containers:\n    - image: ngnix\n  volumes:\n    - image: ngnix\n";
        let words = "pull access denied for ngnix, repository does not exist or may require 'docker login' (did you mean \"nginx\"?)";
        assert_eq!(said(pod, Dialect::Kubernetes), [format!("4:14: {words}")]);
        let stack = "services:\n  a:\n    image: ngnix\n  b:\n    image: ngnix\n    build: .\n  c:\n    image: ${IMAGE}\n";
        assert_eq!(said(stack, Dialect::Compose), [format!("3:12: {words}")]);
    }

    #[test]
    fn a_tag_that_never_was_is_found_and_what_exists_is_not() {
        let text =
            "services:\n  a:\n    image: nginx:banana\n  b:\n    image: somebody/thing:banana\n";
        assert_eq!(
            said(text, Dialect::Compose),
            [
                "3:12: manifest for nginx:banana not found: manifest unknown: manifest unknown (correct the name or the tag: every pull of it will fail)"
            ]
        );
    }
}
