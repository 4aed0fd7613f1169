//! Several trees to one: which value wins, which lists grow. Source: compose-go `override/merge.go`
//! and `override/uncity.go`.

use crate::base::sentence::catalogue;
use crate::manifest::compose::port;
use crate::manifest::decode::scribe::Scribe;
use crate::manifest::explain;
use crate::manifest::lines::Span;
use crate::manifest::tree::{Entry, Key, Node, NodeValue, Style, Tag};

/// How two values of one place become one.
enum Rule {
    /// The later one counts.
    Replace,
    /// Lists `K=V` and mappings become one mapping.
    KeyValue,
    /// Lists of names become mappings to nothing.
    Names,
    /// Lists of names become mappings to what a name alone means.
    Dependencies,
    /// Lists are appended; an item with a key that is there takes its place.
    Unique(fn(&Node) -> String),
    /// Options are merged if the drivers agree.
    Logging,
    /// A text stands for a mapping with this one key.
    TextIs(&'static str),
    /// Mappings are merged, lists appended, scalars replaced.
    Plain,
}

fn rule(path: &[&str]) -> Rule {
    match path {
        ["services", _, "command" | "entrypoint"] | ["services", _, "healthcheck", "test"] => {
            Rule::Replace
        }
        ["services", _, "ulimits", _] => Rule::Replace,
        [
            "services",
            _,
            "environment" | "labels" | "annotations" | "sysctls",
        ]
        | [
            "services",
            _,
            "build",
            "args" | "labels" | "additional_contexts",
        ]
        | ["services", _, "deploy", "labels"]
        | ["networks" | "volumes" | "secrets" | "configs", _, "labels"] => Rule::KeyValue,
        ["services", _, "depends_on"] => Rule::Dependencies,
        ["services", _, "networks" | "models"] => Rule::Names,
        ["services", _, "build"] => Rule::TextIs("context"),
        ["services", _, "extends"] => Rule::TextIs("service"),
        ["services", _, "ports"] => Rule::Unique(port::merge_key),
        ["services", _, "volumes"] => Rule::Unique(mount_target),
        ["services", _, "devices"] => Rule::Unique(mount_target),
        ["services", _, "secrets"] => Rule::Unique(secret_target),
        ["services", _, "configs"] => Rule::Unique(config_target),
        ["services", _, "networks", _, "aliases" | "link_local_ips"] => Rule::Unique(whole),
        [
            "services",
            _,
            "dns" | "dns_search" | "dns_opt" | "env_file" | "tmpfs" | "cap_add" | "cap_drop"
            | "profiles" | "label_file" | "expose" | "security_opt" | "external_links" | "links"
            | "extra_hosts" | "group_add",
        ] => Rule::Unique(whole),
        ["services", _, "logging"] => Rule::Logging,
        ["networks", _, "ipam", "config"] => Rule::Unique(subnet),
        _ => Rule::Plain,
    }
}

fn whole(node: &Node) -> String {
    node.scalar_text()
        .map_or_else(|| format!("{:?}", node.to_value()), |text| text.to_string())
}

fn subnet(node: &Node) -> String {
    node.get("subnet").map_or_else(String::new, whole)
}

fn mount_target(node: &Node) -> String {
    if let Some(target) = node.get("target") {
        return whole(target);
    }
    let text = whole(node);
    let mut parts = text.split(':');
    let first = parts.next().unwrap_or("").to_owned();
    parts.next().map_or(first, str::to_owned)
}

fn secret_target(node: &Node) -> String {
    grant_target(node, "/run/secrets")
}

fn config_target(node: &Node) -> String {
    grant_target(node, "")
}

fn grant_target(node: &Node, folder: &str) -> String {
    match (node.get("target"), node.get("source")) {
        (Some(target), _) => whole(target),
        (None, Some(source)) => format!("{folder}/{}", whole(source)),
        (None, None) => format!("{folder}/{}", whole(node)),
    }
}

/// `over` on top of `base`.
#[inline(never)]
pub fn merge(base: Node, over: Node, scribe: &Scribe) -> Node {
    let mut path = Vec::new();
    merge_at(base, over, &mut path, scribe)
}

/// One service on top of another, for `extends`.
pub fn merge_service(base: Node, over: Node, scribe: &Scribe) -> Node {
    let mut path = vec!["services".to_owned(), String::new()];
    merge_at(base, over, &mut path, scribe)
}

fn merge_at(base: Node, over: Node, path: &mut Vec<String>, scribe: &Scribe) -> Node {
    if over.tag == Some(Tag::Override) || base.is_null() {
        return over;
    }
    if over.is_null() {
        // A key without a value changes nothing, except that it takes a mapping's place for none.
        return base;
    }
    let words: Vec<&str> = path.iter().map(String::as_str).collect();
    match rule(&words) {
        Rule::Replace => over,
        Rule::KeyValue => plain(key_values(base), key_values(over), path, scribe),
        Rule::Names => {
            let nothing = |_| Vec::new();
            plain(names(base, nothing), names(over, nothing), path, scribe)
        }
        Rule::Dependencies => plain(names(base, started), names(over, started), path, scribe),
        Rule::TextIs(key) => plain(text_is(base, key), text_is(over, key), path, scribe),
        // Only hosts are merged across the two forms.
        Rule::Unique(_)
            if words.last() != Some(&"extra_hosts")
                && (base.as_map().is_some() || over.as_map().is_some()) =>
        {
            plain(base, over, path, scribe)
        }
        Rule::Unique(key) => unique(base, over, key),
        Rule::Logging => {
            let driver = |node: &Node| node.get("driver").and_then(|driver| driver.scalar_text());
            match (driver(&base), driver(&over)) {
                (Some(one), Some(two)) if one != two => over,
                _ => plain(base, over, path, scribe),
            }
        }
        Rule::Plain => plain(base, over, path, scribe),
    }
}

fn plain(base: Node, over: Node, path: &mut Vec<String>, scribe: &Scribe) -> Node {
    let span = over.span;
    let tag = over.tag;
    let value = match (base.value, over.value) {
        (NodeValue::Map(mut entries), NodeValue::Map(later)) => {
            for entry in later {
                let place = entries
                    .iter()
                    .position(|known| known.key.text == entry.key.text);
                match place {
                    None => entries.push(entry),
                    Some(_) if entry.value.tag == Some(Tag::Reset) => {
                        entries.retain(|known| known.key.text != entry.key.text);
                    }
                    Some(place) => {
                        path.push(entry.key.text.to_string());
                        let old = std::mem::replace(
                            &mut entries[place].value,
                            Node::new(NodeValue::Null, span),
                        );
                        entries[place] = Entry {
                            key: entry.key,
                            value: merge_at(old, entry.value, path, scribe),
                        };
                        path.pop();
                    }
                }
            }
            NodeValue::Map(entries)
        }
        (NodeValue::Seq(mut items), NodeValue::Seq(later)) => {
            items.extend(later);
            NodeValue::Seq(items)
        }
        (
            NodeValue::Map(_) | NodeValue::Seq(_),
            other @ (NodeValue::Map(_) | NodeValue::Seq(_)),
        )
        | (NodeValue::Map(_), other)
        | (
            NodeValue::Bool(_) | NodeValue::Int(_) | NodeValue::Float(_) | NodeValue::Str { .. },
            other @ NodeValue::Map(_),
        ) => {
            let message = format!("cannot override {}", path.join("."));
            let help = catalogue::SAME_FORM.plain();
            scribe.error_with_help(explain::COMPOSE_CONFLICT, span, message, help);
            other
        }
        (_, other) => other,
    };
    Node { value, span, tag }
}

fn unique(base: Node, over: Node, key: fn(&Node) -> String) -> Node {
    let span = over.span;
    let mut items = into_items(base);
    for item in into_items(over) {
        let name = key(&item);
        match items.iter().position(|known| key(known) == name) {
            Some(place) => items[place] = item,
            None => items.push(item),
        }
    }
    Node::new(NodeValue::Seq(items), span)
}

fn into_items(node: Node) -> Vec<Node> {
    match node.value {
        NodeValue::Seq(items) => items,
        NodeValue::Null => Vec::new(),
        // `host: address` beside `host=address`. Source: compose-go `override/merge.go`
        // convertIntoSequence.
        NodeValue::Map(entries) => {
            let texts = entries.into_iter().flat_map(|entry| {
                let Entry { key, value } = entry;
                let span = key.span;
                into_items(value).into_iter().map(move |value| {
                    let value = value.scalar_text().unwrap_or_else(|| "".into());
                    let text = NodeValue::Str {
                        text: format!("{}={value}", key.text).into(),
                        style: Style::Plain,
                    };
                    Node::new(text, span)
                })
            });
            texts.collect()
        }
        _ => vec![node],
    }
}

/// A list of `K=V` as a mapping; a name alone maps to nothing.
pub fn key_values(node: Node) -> Node {
    let NodeValue::Seq(items) = &node.value else {
        return node;
    };
    let mut entries: Vec<Entry> = Vec::new();
    for item in items {
        let Some(text) = item.scalar_text() else {
            return node;
        };
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => {
                let text = NodeValue::Str {
                    text: value.into(),
                    style: Style::Double,
                };
                (name, text)
            }
            None => (&*text, NodeValue::Null),
        };
        let entry = Entry {
            key: Key {
                text: name.into(),
                span: item.span,
            },
            value: Node::new(value, item.span),
        };
        match entries
            .iter()
            .position(|known| known.key.text == entry.key.text)
        {
            Some(place) => entries[place] = entry,
            None => entries.push(entry),
        }
    }
    Node {
        value: NodeValue::Map(entries),
        span: node.span,
        tag: node.tag,
    }
}

/// What a dependency is that is only named. Source: compose-go `override/merge.go` mergeDependsOn.
fn started(span: Span) -> Vec<Entry> {
    let text = NodeValue::Str {
        text: "service_started".into(),
        style: Style::Plain,
    };
    let entry = |key: &str, value| Entry {
        key: Key {
            text: key.into(),
            span,
        },
        value: Node::new(value, span),
    };
    vec![
        entry("condition", text),
        entry("required", NodeValue::Bool(true)),
    ]
}

/// A list of names as a mapping to what `meaning` says.
fn names(node: Node, meaning: fn(Span) -> Vec<Entry>) -> Node {
    let NodeValue::Seq(items) = &node.value else {
        return node;
    };
    let mut entries = Vec::new();
    for item in items {
        let Some(text) = item.as_str() else {
            return node;
        };
        let value = Node::new(NodeValue::Map(meaning(item.span)), item.span);
        entries.push(Entry {
            key: Key {
                text: text.into(),
                span: item.span,
            },
            value,
        });
    }
    Node {
        value: NodeValue::Map(entries),
        span: node.span,
        tag: node.tag,
    }
}

fn text_is(node: Node, key: &str) -> Node {
    if !matches!(node.value, NodeValue::Str { .. }) {
        return node;
    }
    let span = node.span;
    let entry = Entry {
        key: Key {
            text: key.into(),
            span,
        },
        value: node,
    };
    Node::new(NodeValue::Map(vec![entry]), span)
}

/// Lets every list hold each key once, the later item in the earlier one's place: also lists of one
/// file. Source: compose-go `override/uncity.go` EnforceUnicity.
pub fn enforce_unicity(root: &mut Node) {
    unique_below(root, &mut Vec::new());
}

fn unique_below(node: &mut Node, path: &mut Vec<String>) {
    let words: Vec<&str> = path.iter().map(String::as_str).collect();
    let rule = rule(&words);
    match &mut node.value {
        NodeValue::Seq(items) => {
            let key: fn(&Node) -> String = match rule {
                Rule::Unique(key) => key,
                Rule::KeyValue => assigned,
                _ => return,
            };
            let mut once: Vec<(String, Node)> = Vec::new();
            for item in std::mem::take(items) {
                let name = key(&item);
                match once.iter_mut().find(|(known, _)| *known == name) {
                    Some((_, place)) => *place = item,
                    None => once.push((name, item)),
                }
            }
            *items = once.into_iter().map(|(_, item)| item).collect();
        }
        NodeValue::Map(entries) => {
            for entry in entries {
                path.push(entry.key.text.to_string());
                unique_below(&mut entry.value, path);
                path.pop();
            }
        }
        NodeValue::Null
        | NodeValue::Bool(_)
        | NodeValue::Int(_)
        | NodeValue::Float(_)
        | NodeValue::Str { .. } => {}
    }
}

/// The name that `K=V` sets.
fn assigned(node: &Node) -> String {
    let text = whole(node);
    text.split('=').next().unwrap_or("").to_owned()
}

/// Removes what `!reset` marks, also where there was nothing to merge with.
#[inline(never)]
pub fn drop_resets(node: &mut Node) {
    match &mut node.value {
        NodeValue::Map(entries) => {
            entries.retain(|entry| entry.value.tag != Some(Tag::Reset));
            entries
                .iter_mut()
                .for_each(|entry| drop_resets(&mut entry.value));
        }
        NodeValue::Seq(items) => {
            items.retain(|item| item.tag != Some(Tag::Reset));
            items.iter_mut().for_each(drop_resets);
        }
        NodeValue::Null
        | NodeValue::Bool(_)
        | NodeValue::Int(_)
        | NodeValue::Float(_)
        | NodeValue::Str { .. } => {}
    }
}
