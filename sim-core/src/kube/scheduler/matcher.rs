//! Which pods a rule about other pods means: namespaces and labels, compiled.
//!
//! Sources: `staging/src/k8s.io/kube-scheduler/framework/types.go` (`AffinityTerm`),
//! `pkg/registry/core/pod/strategy.go` (label keys of the pod become requirements).

use std::sync::Arc;

use crate::api::kube::affinity::PodAffinityTerm;
use crate::api::selector::LabelSelector;
use crate::base::arrange::Arrange;
use crate::base::symbol::Symbols;
use crate::kube::apiserver::template::selector;
use crate::kube::selector::{Labels, Requirement, Selector, label};
use crate::kube::store::Store;
use crate::kube::template::PodTemplate;
use crate::manifest::value::Value;

/// Where templates, namespaces and texts are looked up.
#[derive(Clone, Copy, Debug)]
pub struct Look<'a> {
    /// The store.
    pub store: &'a Store,
    /// Text.
    pub symbols: &'a Symbols,
}

/// Namespaces of a term.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Namespaces {
    names: Vec<Arc<str>>,
    selector: Option<Selector>,
}

/// Pods of some namespaces with some labels.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Term {
    namespaces: Namespaces,
    /// Absent: no pod.
    selector: Option<Selector>,
}

/// Pods that match every one of some terms.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PodMatcher(pub Vec<Term>);

impl PodMatcher {
    /// Whether pods of a template match.
    pub fn matches(&self, template: &PodTemplate, look: Look<'_>) -> bool {
        self.0.iter().all(|term| term.matches(template, look))
    }

    /// The value of a label that all pods which match have; `None`: it names none.
    pub fn value(&self) -> Option<&Arc<str>> {
        let selectors = self.0.iter().filter_map(|term| term.selector.as_ref());
        let mut wanted = selectors.flat_map(|selector| &selector.0);
        wanted.find_map(|requirement| match requirement {
            Requirement::In(_, values) if values.len() == 1 => values.first(),
            _ => None,
        })
    }

    /// Whether the answer depends on the labels of namespaces.
    pub fn reads_namespaces(&self) -> bool {
        self.0.iter().any(|term| term.namespaces.selector.is_some())
    }
}

impl Term {
    /// A term of pod affinity, as a pod of this namespace with these labels states it.
    pub fn of(written: &PodAffinityTerm, namespace: &str, labels: &Labels) -> Self {
        let own = written.namespaces.is_empty() && written.namespace_selector.is_none();
        let mut names = written.namespaces.clone();
        if own {
            names.push(namespace.into());
        }
        let mut compiled = written.selector.as_ref().map(selector);
        if let Some(Selector(list)) = &mut compiled {
            add_keys(list, &written.match_label_keys, labels);
            for key in &written.mismatch_label_keys {
                if let Some(value) = label(labels, key) {
                    list.push(Requirement::NotIn(key.clone(), [value.clone()].into()));
                }
            }
        }
        Self {
            namespaces: Namespaces {
                names,
                selector: written.namespace_selector.as_ref().map(selector),
            },
            selector: compiled,
        }
    }

    /// Pods of one namespace with these labels; no selector or an empty one: none.
    pub fn counted(namespace: &str, selector: Option<Selector>) -> Self {
        Self {
            namespaces: Namespaces {
                names: vec![namespace.into()],
                selector: None,
            },
            selector: selector.filter(|selector| !selector.0.is_empty()),
        }
    }

    /// Whether pods of a template match.
    pub fn matches(&self, template: &PodTemplate, look: Look<'_>) -> bool {
        let Some(selector) = &self.selector else {
            return false;
        };
        if !selector.matches(&template.labels) {
            return false;
        }
        let namespace = look.symbols.text(template.namespace);
        if self
            .namespaces
            .names
            .iter()
            .any(|name| &**name == namespace)
        {
            return true;
        }
        self.namespaces
            .selector
            .as_ref()
            .is_some_and(|selector| selector.matches(&namespace_labels(namespace, look.store)))
    }
}

/// A spread constraint's selector with the values of the pod's own keys.
pub fn spread_selector(
    written: Option<&LabelSelector>,
    keys: &[Arc<str>],
    labels: &Labels,
) -> Option<Selector> {
    let mut compiled = written.map(selector)?;
    add_keys(&mut compiled.0, keys, labels);
    Some(compiled)
}

fn add_keys(list: &mut Vec<Requirement>, keys: &[Arc<str>], labels: &Labels) {
    for key in keys {
        if let Some(value) = label(labels, key) {
            list.push(Requirement::In(key.clone(), [value.clone()].into()));
        }
    }
}

/// Labels of a namespace.
fn namespace_labels(name: &str, store: &Store) -> Vec<(Arc<str>, Arc<str>)> {
    let mut all = store.documents().of("namespaces");
    let found = all.find(|(key, _)| &*key.name == name);
    let map = found.and_then(|(_, document)| document.value.path(&["metadata", "labels"]));
    let mut labels: Vec<(Arc<str>, Arc<str>)> = map
        .and_then(Value::as_map)
        .unwrap_or_default()
        .iter()
        .filter_map(|(key, value)| Some((Arc::from(&**key), Arc::from(value.as_str()?))))
        .collect();
    labels.arrange();
    labels
}
