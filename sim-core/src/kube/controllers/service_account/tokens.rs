//! The tokens controller: a Secret of type `kubernetes.io/service-account-token` gets its account's
//! token, the cluster's certificate and its namespace, and goes when there is no such account.
//!
//! ```text
//! Secret of an account that is there ──▶ data ca.crt, namespace, token; the account's uid
//! Secret of one that is not there    ──▶ deleted
//! ```
//! The claims of a token are real, its signature is not.
//! Source: `pkg/controller/serviceaccount/tokens_controller.go` (`syncSecret`,
//! `generateTokenIfNeeded`).

use crate::base::base64;
use crate::base::rng::{Seed, stable_hash_parts};
use crate::kube::render::{uid, uid_text};
use crate::kube::rows::read::text;
use crate::kube::store::Store;
use crate::kube::store::document::{Document, DocumentKey};
use crate::kube::turn::Turn;
use crate::manifest::value::Value;
use crate::object::print::{KeyOrder, json};

/// Resource of the Secrets.
pub const SECRETS: &str = "secrets";
const TYPE: &str = "kubernetes.io/service-account-token";
const ACCOUNT: &str = "kubernetes.io/service-account.name";
const ACCOUNT_UID: &str = "kubernetes.io/service-account.uid";

/// Whether there is a Secret to fill or to delete.
pub fn is_due(store: &Store) -> bool {
    let mut secrets = store.documents().of(SECRETS);
    secrets.any(|(key, document)| {
        is_token(document) && (lacks(document) || account(key, document, store).is_none())
    })
}

fn is_token(document: &Document) -> bool {
    text(&document.value, &["type"]) == TYPE
}

fn lacks(document: &Document) -> bool {
    ["ca.crt", "namespace", "token"]
        .iter()
        .any(|key| text(&document.value, &["data", key]).is_empty())
}

/// Whether a document that was written is such a Secret.
pub fn concerns(key: &DocumentKey, store: &Store) -> bool {
    &*key.resource == SECRETS && store.documents().get(key).is_some_and(is_token)
}

/// Name and uid of a Secret's account; none: it is not there, or another of its name.
fn account(key: &DocumentKey, secret: &Document, store: &Store) -> Option<(String, String)> {
    let annotation = |name| text(&secret.value, &["metadata", "annotations", name]);
    let name = annotation(ACCOUNT);
    let account = DocumentKey {
        resource: "serviceaccounts".into(),
        namespace: key.namespace.clone(),
        name: name.into(),
    };
    let found = store.documents().get(&account)?;
    let stated = text(&found.value, &["metadata", "uid"]);
    let own = if stated.is_empty() {
        let created = found.created.as_micros();
        let seed = Seed(store.seed);
        uid_text(uid(seed, "serviceaccounts", &key.namespace, name, created))
    } else {
        stated.to_owned()
    };
    let wanted = annotation(ACCOUNT_UID);
    (wanted.is_empty() || wanted == own).then(|| (name.to_owned(), own))
}

/// One pass over all such Secrets. `certificate`: the cluster's, as text.
pub fn sync(certificate: &str, turn: &mut Turn<'_, '_>) {
    let documents = turn.store.documents();
    let secrets = documents.of(SECRETS).filter(|(_, it)| is_token(it));
    let coded = base64::encode(certificate.as_bytes());
    let lacks = |it: &Document| lacks(it) || text(&it.value, &["data", "ca.crt"]) != coded;
    let secrets: Vec<(DocumentKey, bool, Option<(String, String)>)> = secrets
        .map(|(key, it)| (key.clone(), lacks(it), account(key, it, turn.store)))
        .collect();
    for (key, lacks, account) in secrets {
        match account {
            None => {
                turn.store.remove_document(&key);
            }
            Some((name, uid)) if lacks => fill(&key, (&name, &uid), &coded, turn),
            Some(_) => {}
        }
    }
}

fn fill(
    key: &DocumentKey,
    (account, account_uid): (&str, &str),
    certificate: &str,
    turn: &mut Turn<'_, '_>,
) {
    let token = token(key, (account, account_uid));
    turn.store.change_document(key, |value| {
        value.set_path(&["data", "ca.crt"], certificate.into());
        let mut put = |name: &str, bytes: &str| {
            let path = ["data", name];
            if text(value, &path).is_empty() {
                value.set_path(&path, base64::encode(bytes.as_bytes()).into());
            }
        };
        put("namespace", &key.namespace);
        put("token", &token);
        let path = ["metadata", "annotations", ACCOUNT_UID];
        value.set_path(&path, account_uid.into());
    });
}

/// Source: `pkg/serviceaccount/legacy.go` (`LegacyClaims`).
fn token(key: &DocumentKey, (account, account_uid): (&str, &str)) -> String {
    const OWN: &str = "kubernetes.io/serviceaccount";
    let of = |name: &str| format!("{OWN}/{name}");
    let namespace = &*key.namespace;
    let subject = format!("system:serviceaccount:{namespace}:{account}");
    let claims = Value::object([
        ("iss", Value::from("kubernetes/serviceaccount")),
        (&*of("namespace"), namespace.into()),
        (&*of("secret.name"), (&*key.name).into()),
        (&*of("service-account.name"), account.into()),
        (&*of("service-account.uid"), account_uid.into()),
        ("sub", subject.as_str().into()),
    ]);
    let head = Value::object([("alg", Value::from("RS256")), ("kid", "podium".into())]);
    let part = |value: &Value| base64::encode_url(json(value, KeyOrder::Stored).as_bytes());
    let signed = format!("{}.{}", part(&head), part(&claims));
    let sign = stable_hash_parts(&[signed.as_str()]).to_be_bytes();
    format!("{signed}.{}", base64::encode_url(&sign))
}
