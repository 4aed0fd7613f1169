//! Secrets whose type promises certain keys. Source: `ValidateSecret` in
//! `pkg/apis/core/validation/validation.go`.

use crate::manifest::decode::scribe::{Field, Scribe};

use super::super::fault;
use super::text;

/// Checks that a Secret holds what its type says.
#[inline(never)]
pub fn check(object: &Field<'_>, scribe: &Scribe) {
    let has = |key: &str| {
        ["data", "stringData"]
            .iter()
            .any(|part| object.peek(part).peek(key).exists())
    };
    let missing = |field: &str, key: &str| {
        let at = Field {
            path: format!("{field}[{key}]"),
            ..object.peek(field.split('.').next().unwrap_or(field))
        };
        fault::required(scribe, &at, "");
    };
    let needed: &[&str] = match text(&object.peek("type")) {
        "kubernetes.io/tls" => &["tls.crt", "tls.key"],
        "kubernetes.io/dockercfg" => &[".dockercfg"],
        "kubernetes.io/dockerconfigjson" => &[".dockerconfigjson"],
        "kubernetes.io/ssh-auth" => &["ssh-privatekey"],
        "kubernetes.io/basic-auth" if !has("username") && !has("password") => {
            &["username", "password"]
        }
        "kubernetes.io/service-account-token" => {
            let key = "kubernetes.io/service-account.name";
            let account = object.peek("metadata").peek("annotations").peek(key);
            if text(&account).is_empty() {
                missing("metadata.annotations", key);
            }
            &[]
        }
        _ => &[],
    };
    for key in needed.iter().filter(|key| !has(key)) {
        missing("data", key);
    }
}
