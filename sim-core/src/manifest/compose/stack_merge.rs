//! How `docker stack deploy` joins several files, which is older and simpler than Compose's way.
//! Source: docker/cli `cli/compose/loader/merge.go`.
//!
//! Lists that have a key (ports: the published number; volumes: the target; secrets and configs: the
//! source) hold each key once, the later file's item in its place. Other lists are joined, commands
//! are replaced, mappings are merged.

use std::sync::Arc;

use crate::manifest::compose::merge::key_values;
use crate::manifest::tree::{Entry, Node, NodeValue};

/// Merges one file over another.
pub fn merge(base: Node, over: Node) -> Node {
    let mut base = base;
    let NodeValue::Map(entries) = over.value else {
        return base;
    };
    let Some(known) = base.as_map_mut() else {
        return base;
    };
    for entry in entries {
        let place = known
            .iter()
            .position(|other| other.key.text == entry.key.text);
        match place {
            None => known.push(entry),
            Some(place) if &*entry.key.text == "services" => {
                merge_services(&mut known[place].value, entry.value);
            }
            Some(place) if entry.value.as_map().is_some() => {
                merge_map(&mut known[place].value, entry.value, |_, old, new| {
                    *old = new;
                });
            }
            Some(place) => known[place] = entry,
        }
    }
    base
}

fn merge_services(base: &mut Node, over: Node) {
    merge_map(base, over, |_, old, new| {
        merge_map(old, new, merge_option);
    });
}

/// Merges the entries of two mappings; anything else is replaced.
fn merge_map(base: &mut Node, over: Node, both: impl Fn(&str, &mut Node, Node)) {
    if base.as_map().is_none() || over.as_map().is_none() {
        if !over.is_null() {
            *base = over;
        }
        return;
    }
    let NodeValue::Map(entries) = over.value else {
        return;
    };
    let Some(known) = base.as_map_mut() else {
        return;
    };
    for entry in entries {
        match known
            .iter()
            .position(|other| other.key.text == entry.key.text)
        {
            Some(place) => both(&entry.key.text, &mut known[place].value, entry.value),
            None => known.push(entry),
        }
    }
}

/// One option of a service.
fn merge_option(option: &str, old: &mut Node, new: Node) {
    match option {
        "command" | "entrypoint" | "test" => *old = new,
        "ports" => merge_list(old, new, published),
        "volumes" => merge_list(old, new, target),
        "secrets" | "configs" => merge_list(old, new, source),
        "environment" | "labels" | "sysctls" | "extra_hosts" if option != "extra_hosts" => {
            let base = std::mem::replace(old, Node::new(NodeValue::Null, new.span));
            *old = key_values(base);
            merge_map(old, key_values(new), |_, old, new| *old = new);
        }
        "logging" => {
            let driver = |node: &Node| node.get("driver").and_then(Node::scalar_text);
            let (first, second) = (driver(old), driver(&new));
            if first.is_some() && second.is_some() && first != second {
                *old = new;
            } else {
                merge_map(old, new, merge_option);
            }
        }
        _ if old.as_seq().is_some() && new.as_seq().is_some() => {
            if let (NodeValue::Seq(items), NodeValue::Seq(more)) = (&mut old.value, new.value) {
                items.extend(more);
            }
        }
        _ => merge_map(old, new, merge_option),
    }
}

fn merge_list(old: &mut Node, new: Node, key: impl Fn(&Node) -> Arc<str>) {
    let (NodeValue::Seq(items), NodeValue::Seq(more)) = (&mut old.value, new.value) else {
        return;
    };
    for item in more {
        let name = key(&item);
        match items.iter().position(|known| key(known) == name) {
            Some(place) => items[place] = item,
            None => items.push(item),
        }
    }
}

/// The published port; all ports without one share the number zero.
fn published(item: &Node) -> Arc<str> {
    if item.as_map().is_some() {
        let number = item.get("published").and_then(Node::scalar_text);
        return number.unwrap_or_else(|| "0".into());
    }
    let text = item.scalar_text().unwrap_or_else(|| "".into());
    let text = text.split('/').next().unwrap_or_default();
    match text.rsplit_once(':') {
        Some((front, _)) => front.rsplit(':').next().unwrap_or(front).into(),
        None => "0".into(),
    }
}

fn target(item: &Node) -> Arc<str> {
    if item.as_map().is_some() {
        let target = item.get("target").and_then(Node::scalar_text);
        return target.unwrap_or_else(|| "".into());
    }
    let text = item.scalar_text().unwrap_or_else(|| "".into());
    let mut parts = text.split(':');
    let first = parts.next().unwrap_or_default();
    parts.next().unwrap_or(first).into()
}

fn source(item: &Node) -> Arc<str> {
    let source = if item.as_map().is_some() {
        item.get("source").and_then(Node::scalar_text)
    } else {
        item.scalar_text()
    };
    source.unwrap_or_else(|| "".into())
}

/// The format's version that a file says, if any.
pub fn version(root: &Node) -> Option<Arc<str>> {
    let entry: &Entry = root.entry("version")?;
    entry.value.scalar_text()
}
