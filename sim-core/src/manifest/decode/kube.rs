//! Kubernetes documents to objects: kind by kind, with the server's own validation texts.
//!
//! A document keeps its whole tree; beside it stands what the loops read. [`kinds`] says which
//! kinds exist, [`defaults`] fills a document the way the server does.

pub mod affinity;
pub mod container;
pub mod defaults;
pub mod elsewhere;
pub mod fault;
pub mod kinds;
pub mod list;
pub mod meta;
pub mod name;
pub mod node;
pub mod pod;
pub mod probe;
pub mod rules;
pub mod service;
pub mod volume;
pub mod workload;

use std::sync::Arc;

use crate::api::kube::object::KubeSpec;
use crate::api::kube::pod::PodTemplate;
use crate::api::meta::ObjectMeta;
use crate::base::arrange::Arrange;
use crate::base::sentence::{Sentence, catalogue};
use crate::manifest::decode;
use crate::manifest::decode::scribe::{Field, Scribe};
use crate::manifest::diagnostic::Diagnostic;
use crate::manifest::explain;
use crate::manifest::lines::{Source, Span};
use crate::manifest::scalar::Dialect;
use crate::manifest::schema::kubernetes;
use crate::manifest::tree::Node;
use crate::manifest::value::Value;

/// One object of a manifest.
#[derive(Clone, Debug)]
pub struct KubeObject {
    /// Its kind, e.g. `Deployment`.
    pub kind: Arc<str>,
    /// Its group and version, e.g. `apps/v1`.
    pub api_version: Arc<str>,
    /// Name, labels and annotations.
    pub meta: ObjectMeta,
    /// Where it is written.
    pub span: Span,
    /// Where its namespace is written.
    pub namespace_span: Span,
    /// The whole document as written, without defaults.
    pub document: Value,
    /// What it wants, with defaults.
    pub spec: KubeSpec,
    /// Where each node port of a Service is written, by index of the port.
    node_ports: Vec<Span>,
    /// Valid fields that nothing reads, outermost only: path and position of the key.
    pub not_modelled: Vec<(String, Span)>,
}

impl KubeObject {
    /// Whether a place of its file is in it.
    pub fn holds(&self, place: Span) -> bool {
        (self.span.start..self.span.end).contains(&place.start)
    }
}

/// All objects of a file, and what is wrong with it. Objects with errors are left out; `List`s are
/// taken apart.
pub fn decode_kube(source: &Source) -> (Vec<KubeObject>, Vec<Diagnostic>) {
    let (documents, mut problems) = decode::documents(source, Dialect::Kubernetes);
    let mut objects = Vec::new();
    for document in &documents {
        for item in items(document) {
            let (object, found) = read(item, Some(source));
            problems.extend(found);
            objects.extend(object);
        }
    }
    check_duplicates(source, &objects, &mut problems);
    problems.arrange_by_key(|problem| problem.span);
    (objects, problems)
}

/// One object from its tree; nothing if it has errors.
fn read(node: &Node, source: Option<&Source>) -> (Option<KubeObject>, Vec<Diagnostic>) {
    let scribe = Scribe::new(explain::KUBERNETES_WRONG_TYPE, source);
    let field = Field::root(node);
    let known = decode::schema_problems(source, |report| {
        kubernetes::check(node, &|version, _| kinds::is_foreign(version), report);
    });
    // Without a kind that exists there is nothing to read against.
    let is_unknown = known.iter().any(|problem| {
        [
            explain::KUBERNETES_NO_TYPE,
            explain::KUBERNETES_UNKNOWN_KIND,
            explain::KUBERNETES_OLD_VERSION,
        ]
        .contains(&problem.code)
    });
    let (api_version, kind) = (field.get(&scribe, "apiVersion"), field.get(&scribe, "kind"));
    let span = kind.span;
    let texts = (
        api_version.node.and_then(Node::as_str),
        kind.node.and_then(Node::as_str),
    );
    let (Some(api_version), Some(kind), false) = (texts.0, texts.1, is_unknown) else {
        return (None, known);
    };
    let (api_version, kind): (Arc<str>, Arc<str>) = (api_version.into(), kind.into());
    if kinds::is_foreign(&api_version) {
        let message = format!(
            "no matches for kind {kind:?} in version {api_version:?} until its CustomResourceDefinition is installed"
        );
        scribe.warning(explain::KUBERNETES_UNKNOWN_KIND, span, message);
    }
    let meta = meta::object(&field, &scribe, kinds::name_rule(&kind));
    let spec = spec(&api_version, &kind, &field, &scribe);
    rules::check(&api_version, &kind, &field, &scribe);
    for key in ["status", "metadata"] {
        if let Some(inner) = field.get(&scribe, key).node {
            scribe.mark_below(inner);
        }
    }
    scribe.join(known);
    if scribe.failed() {
        return (None, scribe.into_problems());
    }
    // Only of texts it is told.
    let mut not_modelled = Vec::new();
    if source.is_some() {
        let (is_read, left) = elsewhere::mark(&api_version, &kind, &field, &scribe);
        if spec == KubeSpec::Other && !is_read {
            not_modelled.push(("kind".to_owned(), span));
        }
        not_modelled.extend(scribe.unread(node));
        not_modelled.extend(left);
    }
    let ports = field.peek("spec").peek("ports").items(&scribe);
    let node_ports = ports
        .iter()
        .map(|port| port.peek("nodePort").span)
        .collect();
    let object = KubeObject {
        kind,
        api_version,
        meta,
        span: node.span,
        namespace_span: field.peek("metadata").peek("namespace").span,
        document: node.to_value(),
        spec,
        node_ports,
        not_modelled,
    };
    (Some(object), scribe.into_problems())
}

/// An object that has no text, e.g. after a patch: problems point nowhere, their paths still tell.
pub fn decode_value(document: &Value) -> (Option<KubeObject>, Vec<Diagnostic>) {
    read(&Node::of_value(document, Span::default()), None)
}

/// A template (`metadata` and `spec`) that has no text; nothing if it has errors.
pub fn decode_template(document: &Value) -> Option<PodTemplate> {
    let node = Node::of_value(document, Span::default());
    let scribe = Scribe::new(explain::KUBERNETES_WRONG_TYPE, None);
    let template = pod::template(&Field::root(&node), &scribe);
    (!scribe.failed()).then_some(template)
}

fn items(document: &Node) -> Vec<&Node> {
    if document.is_null() {
        return Vec::new();
    }
    list::flat(document)
}

fn spec(api_version: &str, kind: &str, field: &Field<'_>, scribe: &Scribe) -> KubeSpec {
    let inner = |scribe: &Scribe| field.get(scribe, "spec");
    match (api_version, kind) {
        ("apps/v1", "Deployment") => {
            let spec = inner(scribe);
            workload::deployment(&spec, scribe)
                .map_or(KubeSpec::Other, |it| KubeSpec::Deployment(Box::new(it)))
        }
        ("apps/v1", "ReplicaSet") => {
            let spec = inner(scribe);
            workload::replica_set(&spec, scribe)
                .map_or(KubeSpec::Other, |it| KubeSpec::ReplicaSet(Box::new(it)))
        }
        ("v1", "Pod") => {
            let spec = inner(scribe);
            KubeSpec::Pod(Box::new(pod::spec(&spec, scribe)))
        }
        ("v1", "Service") => {
            let spec = inner(scribe);
            KubeSpec::Service(service::service(&spec, scribe))
        }
        ("v1", "Node") => KubeSpec::Node(node::node(field, scribe)),
        ("v1", "Namespace") => KubeSpec::Namespace,
        ("v1", "ConfigMap") => {
            volume::config_data(field, scribe, &["data", "binaryData", "immutable"]);
            KubeSpec::ConfigMap
        }
        ("v1", "Secret") => {
            volume::config_data(field, scribe, &["data", "stringData", "type", "immutable"]);
            KubeSpec::Secret
        }
        _ => KubeSpec::Other,
    }
}

/// Two objects of one name in one file: `apply` would let the second win without a word.
fn check_duplicates(source: &Source, objects: &[KubeObject], problems: &mut Vec<Diagnostic>) {
    let mut seen = crate::base::sorted::SortedSet::new();
    let scribe = Scribe::new(explain::KUBERNETES_WRONG_TYPE, [source]);
    for object in objects {
        if object.meta.name.is_empty() {
            // As kubectl apply says it. Source: `k8s.io/kubectl/pkg/cmd/apply/apply.go` (`applyOneObject`).
            let base = &object.meta.generate_name;
            if !base.is_empty() {
                let message = Sentence::quoted(format_args!(
                    "from {base}: cannot use generate name with apply"
                ));
                scribe.warning(
                    explain::KUBERNETES_GENERATED_NAME,
                    object.span,
                    message.advise(catalogue::CREATE_INSTEAD.plain()),
                );
            }
            continue;
        }
        let key = (
            object.api_version.clone(),
            object.kind.clone(),
            object.meta.namespace.clone(),
            object.meta.name.clone(),
        );
        if !seen.insert(key) {
            scribe.warning(
                explain::KUBERNETES_OBJECT_TWICE,
                object.span,
                catalogue::OBJECT_TWICE
                    .with(&[("kind", &object.kind), ("name", &object.meta.name)]),
            );
        }
    }
    check_node_ports(objects, &scribe);
    problems.extend(scribe.into_problems());
}

/// Two services of one file cannot have one node port: the server refuses the second.
fn check_node_ports(objects: &[KubeObject], scribe: &Scribe) {
    let mut taken = crate::base::sorted::SortedMap::new();
    for object in objects {
        let KubeSpec::Service(service) = &object.spec else {
            continue;
        };
        for (index, port) in service
            .ports
            .iter()
            .enumerate()
            .filter(|(_, port)| port.node_port > 0)
        {
            let owner = taken
                .entry((port.node_port, port.protocol))
                .or_insert(&object.meta);
            if owner.name == object.meta.name && owner.namespace == object.meta.namespace {
                continue;
            }
            let path = format!("spec.ports[{index}].nodePort");
            let message = format!(
                "{path}: Invalid value: {}: provided port is already allocated",
                port.node_port
            );
            let help = catalogue::NODE_PORT_TAKEN.with(&[("service", &owner.name)]);
            let span = object.node_ports.get(index).copied().unwrap_or(object.span);
            let field = Field {
                node: None,
                span,
                path,
            };
            scribe.fault(
                explain::KUBERNETES_INVALID_VALUE,
                &field,
                Sentence::from(message).advise(help),
            );
        }
    }
}

#[cfg(test)]
mod tests;
