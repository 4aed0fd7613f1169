//! The service account controller: each active namespace has an account named `default`.
//! Source: `pkg/controller/serviceaccount/serviceaccounts_controller.go`.

use crate::base::name::Name;
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

/// Active namespaces that lack their account.
fn lacking(store: &Store) -> Vec<String> {
    store
        .documents()
        .of("namespaces")
        .filter(|(_, document)| document.deletion.is_none())
        .map(|(key, _)| key.name.to_string())
        .filter(|namespace| store.documents().get(&key(namespace)).is_none())
        .collect()
}

/// Whether there is something to do.
pub fn is_due(store: &Store) -> bool {
    !lacking(store).is_empty()
}

/// One pass over all namespaces.
pub fn sync(turn: &mut Turn<'_, '_>) {
    let now = turn.now();
    for namespace in lacking(turn.store) {
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
