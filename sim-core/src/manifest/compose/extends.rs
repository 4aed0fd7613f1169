//! One file with what it takes over from others: `include` and `extends`.
//! Source: compose-go `loader/include.go` and `loader/extends.go`.

use crate::base::sentence::catalogue;
use crate::base::sorted::SortedMap;
use crate::manifest::compose::loaded::{OtherFiles, Texts, Variables, relative};
use crate::manifest::compose::{interpolate, merge};
use crate::manifest::decode::scribe::Scribe;
use crate::manifest::explain;
use crate::manifest::lines::Span;
use crate::manifest::tree::{Node, NodeValue};

/// Longest chain of files and services that take over from one another.
const CHAIN_MAX: usize = 64;

/// Reads files and follows what they name.
pub struct Gather<'f> {
    /// The texts read so far.
    pub texts: Texts,
    /// Problems so far.
    pub scribe: Scribe,
    variables: Variables,
    others: OtherFiles<'f>,
    including: Vec<String>,
    extended: SortedMap<String, Option<Node>>,
}

impl<'f> Gather<'f> {
    /// Nothing read yet.
    pub fn new(variables: Variables, others: OtherFiles<'f>) -> Self {
        let scribe = Scribe::new(explain::COMPOSE_WRONG_TYPE, []);
        Self {
            texts: Texts::default(),
            scribe,
            variables,
            others,
            including: Vec::new(),
            extended: SortedMap::new(),
        }
    }

    /// A file with everything it takes over; nothing if it cannot be read.
    pub fn file(&mut self, name: &str, text: &str) -> Option<Node> {
        self.including.push(name.to_owned());
        let root = self.read(name, text);
        let whole = root.map(|root| {
            let root = self.follow_includes(root, name);
            self.follow_extends(root, name)
        });
        self.including.pop();
        whole
    }

    /// The documents of a text as one interpolated tree.
    fn read(&mut self, name: &str, text: &str) -> Option<Node> {
        let documents = self.texts.read(name, text);
        if let Some(source) = self.texts.iter().last() {
            self.scribe.know(source);
        }
        let mut whole: Option<Node> = None;
        for mut document in documents {
            if document.as_map().is_none() {
                self.scribe.error(
                    explain::COMPOSE_WRONG_TYPE,
                    document.span,
                    "Top-level object must be a mapping",
                );
                continue;
            }
            interpolate::tree(&mut document, &self.variables, &self.scribe);
            whole = Some(match whole {
                Some(base) => merge::merge(base, document, &self.scribe),
                None => document,
            });
        }
        whole
    }

    fn follow_includes(&mut self, mut root: Node, name: &str) -> Node {
        let Some(include) = take(&mut root, "include") else {
            return root;
        };
        for item in include.as_seq().unwrap_or_default() {
            let paths: Vec<(String, Span)> = match item.get("path") {
                Some(path) => path
                    .as_seq()
                    .map_or_else(|| vec![path], |paths| paths.iter().collect())
                    .into_iter()
                    .filter_map(|path| Some((path.as_str()?.to_owned(), path.span)))
                    .collect(),
                None => item
                    .as_str()
                    .map(|path| (path.to_owned(), item.span))
                    .into_iter()
                    .collect(),
            };
            for (path, span) in paths {
                if let Some(included) = self.include(&relative(name, &path), span) {
                    root = merge::merge(included, root, &self.scribe);
                }
            }
        }
        root
    }

    fn include(&mut self, path: &str, span: Span) -> Option<Node> {
        if self.including.iter().any(|open| open == path) || self.including.len() > CHAIN_MAX {
            let chain = self.including.join("\n includes ");
            let message = format!("include cycle detected:\n{chain}\n includes {path}");
            self.scribe
                .error(explain::COMPOSE_BAD_EXTENDS, span, message);
            return None;
        }
        let Some(text) = (self.others)(path) else {
            self.missing(path, span);
            return None;
        };
        let mut root = self.file(path, &text)?;
        rebase(&mut root, path);
        Some(root)
    }

    fn missing(&self, path: &str, span: Span) {
        let message = format!("open {path}: no such file or directory");
        let help = catalogue::GIVE_FILE.plain();
        self.scribe
            .error_with_help(explain::COMPOSE_BAD_EXTENDS, span, message, help);
    }

    fn follow_extends(&mut self, mut root: Node, name: &str) -> Node {
        let original = root.clone();
        let Some(services) = root.as_map_mut().and_then(|entries| {
            entries
                .iter_mut()
                .find(|entry| &*entry.key.text == "services")
                .map(|entry| &mut entry.value)
        }) else {
            return root;
        };
        for entry in services.as_map_mut().into_iter().flatten() {
            if entry.value.get("extends").is_none() {
                continue;
            }
            let mut trail = Vec::new();
            if let Some(service) = self.service(&original, name, &entry.key.text, &mut trail) {
                entry.value = service;
            } else if let Some(entries) = entry.value.as_map_mut() {
                entries.retain(|inner| &*inner.key.text != "extends");
            }
        }
        root
    }

    /// A service with all it extends; nothing after a problem.
    fn service(
        &mut self,
        root: &Node,
        file: &str,
        service: &str,
        trail: &mut Vec<(String, String)>,
    ) -> Option<Node> {
        let mut node = root.path(&["services", service])?.clone();
        let Some(extends) = take(&mut node, "extends") else {
            return Some(node);
        };
        let here = (file.to_owned(), service.to_owned());
        if trail.contains(&here) || trail.len() > CHAIN_MAX {
            let chain: Vec<String> = trail
                .iter()
                .map(|(file, service)| format!("{service} in {file}"))
                .collect();
            let message = format!(
                "Circular reference:\n  {}\n  extends {service} in {file}",
                chain.join("\n  extends ")
            );
            self.scribe
                .error(explain::COMPOSE_BAD_EXTENDS, extends.span, message);
            return None;
        }
        trail.push(here);
        let wanted = extends
            .as_str()
            .or_else(|| extends.get("service").and_then(Node::as_str));
        let Some(wanted) = wanted else {
            let message = format!("services.{service}.extends.service is required");
            self.scribe
                .error(explain::COMPOSE_MISSING_PROPERTY, extends.span, message);
            return None;
        };
        let (base_file, base_root) = match extends.get("file").and_then(Node::as_str) {
            Some(path) => {
                let path = relative(file, path);
                let root = self.extended_file(&path, extends.span)?;
                (path, root)
            }
            None => (file.to_owned(), root.clone()),
        };
        if base_root.path(&["services", wanted]).is_none() {
            let message = format!(
                "cannot extend service \"{service}\" in {file}: service \"{wanted}\" not found"
            );
            self.scribe
                .error(explain::COMPOSE_BAD_EXTENDS, extends.span, message);
            return None;
        }
        let base = self.service(&base_root, &base_file, wanted, trail)?;
        Some(merge::merge_service(base, node, &self.scribe))
    }

    fn extended_file(&mut self, path: &str, span: Span) -> Option<Node> {
        if let Some(known) = self.extended.get(path) {
            return known.clone();
        }
        let root = match (self.others)(path) {
            Some(text) => {
                let mut root = self.read(path, &text);
                if let Some(root) = &mut root {
                    rebase(root, path);
                }
                root
            }
            None => {
                self.missing(path, span);
                None
            }
        };
        self.extended.insert(path.to_owned(), root.clone());
        root
    }
}

/// Paths of a file in another folder are seen from that folder.
fn rebase(root: &mut Node, file: &str) {
    let services = root
        .as_map_mut()
        .into_iter()
        .flatten()
        .find(|entry| &*entry.key.text == "services");
    let services = services.and_then(|entry| entry.value.as_map_mut());
    for service in services.into_iter().flatten() {
        for entry in service.value.as_map_mut().into_iter().flatten() {
            match &*entry.key.text {
                "env_file" | "label_file" => {
                    rebase_each(&mut entry.value, "path", &|path| relative(file, path))
                }
                "volumes" => rebase_each(&mut entry.value, "source", &|mount| {
                    if mount.starts_with('.') {
                        format!("./{}", relative(file, mount))
                    } else {
                        mount.to_owned()
                    }
                }),
                _ => {}
            }
        }
    }
}

/// Changes a text, each text of a list, or the text under `key` of each mapping.
fn rebase_each(node: &mut Node, key: &str, change: &dyn Fn(&str) -> String) {
    match &mut node.value {
        NodeValue::Str { text, .. } => *text = change(text).into(),
        NodeValue::Seq(items) => items
            .iter_mut()
            .for_each(|item| rebase_each(item, key, change)),
        NodeValue::Map(entries) => {
            for entry in entries.iter_mut().filter(|entry| &*entry.key.text == key) {
                rebase_each(&mut entry.value, key, change);
            }
        }
        NodeValue::Null | NodeValue::Bool(_) | NodeValue::Int(_) | NodeValue::Float(_) => {}
    }
}

/// Takes a key out of a mapping.
fn take(node: &mut Node, key: &str) -> Option<Node> {
    let NodeValue::Map(entries) = &mut node.value else {
        return None;
    };
    let place = entries.iter().position(|entry| &*entry.key.text == key)?;
    Some(entries.remove(place).value)
}
