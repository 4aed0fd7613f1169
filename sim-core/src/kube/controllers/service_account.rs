//! The service account controller and the publisher of the cluster's root certificate: each active
//! namespace has an account named `default` and a ConfigMap `kube-root-ca.crt`, which nobody alters
//! for long.
//! Sources: `pkg/controller/serviceaccount/serviceaccounts_controller.go`,
//! `pkg/controller/certificates/rootcacertpublisher/publisher.go`.
//!
//! The certificate is a stand-in: its bytes follow from the run's seed, and nothing verifies it.

pub mod tokens;

use crate::base::name::Name;
use crate::base::rng::Seed;
use crate::base::sha256::sha256;
use crate::des::notice::Detail;
use crate::kube::store::Store;
use crate::kube::store::document::DocumentKey;
use crate::kube::turn::Turn;
use crate::manifest::value::Value;

/// Name of the account that pods have unless they say otherwise.
const DEFAULT: &str = "default";

/// Key of a namespace's account.
pub fn key(namespace: &str) -> DocumentKey {
    DocumentKey {
        resource: "serviceaccounts".into(),
        namespace: namespace.into(),
        name: DEFAULT.into(),
    }
}

/// The account of a namespace.
pub fn account(namespace: &str) -> Value {
    let metadata = Value::object([
        ("name", Value::from(DEFAULT)),
        ("namespace", namespace.into()),
    ]);
    Value::object([
        ("apiVersion", Value::from("v1")),
        ("kind", "ServiceAccount".into()),
        ("metadata", metadata),
    ])
}

/// Name of the ConfigMap with the cluster's certificate.
const ROOT: &str = "kube-root-ca.crt";

/// Key of a namespace's certificate.
pub fn root_key(namespace: &str) -> DocumentKey {
    DocumentKey {
        resource: "configmaps".into(),
        namespace: namespace.into(),
        name: ROOT.into(),
    }
}

/// The certificate of a namespace, the same in all of them.
pub fn root(namespace: &str, seed: Seed) -> Value {
    let mut block = sha256(format!("{ROOT} {}", seed.0).as_bytes());
    let mut bytes = Vec::new();
    while bytes.len() < 816 {
        bytes.extend_from_slice(&block);
        block = sha256(&block);
    }
    bytes.truncate(816);
    let text = crate::base::base64::encode(&bytes);
    let mut certificate = "-----BEGIN CERTIFICATE-----\n".to_owned();
    for line in text.as_bytes().chunks(64) {
        certificate.push_str(&String::from_utf8_lossy(line));
        certificate.push('\n');
    }
    certificate.push_str("-----END CERTIFICATE-----\n");
    let mut value = Value::object([
        ("apiVersion", Value::from("v1")),
        ("kind", "ConfigMap".into()),
    ]);
    value.set_path(&["data", "ca.crt"], certificate.into());
    let why = "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters.";
    value.set_path(
        &["metadata", "annotations", "kubernetes.io/description"],
        why.into(),
    );
    value.set_path(&["metadata", "name"], ROOT.into());
    value.set_path(&["metadata", "namespace"], namespace.into());
    value
}

/// Active namespaces that lack their account.
fn lacking(store: &Store) -> Vec<String> {
    store
        .documents()
        .of("namespaces")
        .filter(|(_, document)| document.deletion.is_none())
        .map(|(key, _)| key.name.to_string())
        .filter(|namespace| {
            let lacks = |key: DocumentKey| store.documents().get(&key).is_none();
            lacks(key(namespace)) || lacks(root_key(namespace))
        })
        .collect()
}

/// Whether there is something to do.
pub fn is_due(store: &Store) -> bool {
    !lacking(store).is_empty() || tokens::is_due(store)
}

/// Whether a ConfigMap or Secret that was written is one of these.
pub fn concerns(key: &DocumentKey, store: &Store) -> bool {
    *key.name == *ROOT || tokens::concerns(key, store)
}

/// Puts back what somebody has altered of a namespace's certificate.
/// Source: `publisher.go` (`syncNamespace`).
fn restore(found: &DocumentKey, root: &Value, turn: &mut Turn<'_, '_>) {
    let described = ["metadata", "annotations", "kubernetes.io/description"];
    let Some(document) = turn.store.documents().get(found) else {
        return;
    };
    let has = |path: &[&str]| document.value.path(path).is_some();
    if document.value.get("data") != root.get("data") || !has(&described) {
        let part = |path: &[&str]| root.path(path).cloned().unwrap_or_default();
        let (data, why) = (part(&["data"]), part(&described));
        turn.store.change_document(found, |value| {
            value.set("data", data);
            value.set_path(&described, why);
        });
    }
}

/// One pass over all namespaces.
pub fn sync(turn: &mut Turn<'_, '_>) {
    let now = turn.now();
    let documents = turn.store.documents();
    let roots = documents.of("configmaps").map(|(key, _)| key);
    let roots = roots.filter(|key| *key.name == *ROOT).cloned();
    let roots: Vec<DocumentKey> = roots.collect();
    let root_here = root("", turn.ctx.seed);
    for key in roots {
        restore(&key, &root_here, turn);
    }
    let certificate = root_here.str_at(&["data", "ca.crt"]);
    tokens::sync(certificate.unwrap_or_default(), turn);
    for namespace in lacking(turn.store) {
        if turn.store.documents().get(&root_key(&namespace)).is_none() {
            let root = root(&namespace, turn.ctx.seed);
            turn.store.add_document(root_key(&namespace), root, 0, now);
        }
        if turn.store.documents().get(&key(&namespace)).is_some() {
            continue;
        }
        turn.store
            .add_document(key(&namespace), account(&namespace), 0, now);
        let name = turn.ctx.symbols.intern(&format!("{namespace}/{DEFAULT}"));
        turn.note(
            "kube.serviceaccount",
            "create",
            "serviceaccount",
            Name::plain(name),
            Detail::None,
        );
    }
}
