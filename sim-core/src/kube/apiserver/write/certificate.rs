//! Requests for certificates: who asks is for the server to say, and what is asked stays.
//! Source: `pkg/registry/certificates/certificates/strategy.go` (`csrStrategy`).

use crate::kube::apiserver::admission::policy::{ADMINISTRATOR, ADMINISTRATOR_GROUPS};
use crate::kube::apiserver::rbac::Who;
use crate::kube::kinds::Kind;
use crate::manifest::value::Value;

/// Writes who asks into a request that is created, or what was asked into one that is written
/// anew; none: the administrator asks.
pub fn prepare(kind: &Kind, old: Option<&Value>, value: &mut Value, who: Option<&Who>) {
    if kind.kind != "CertificateSigningRequest" || kind.custom {
        return;
    }
    if let Some(spec) = old.and_then(|old| old.get("spec")) {
        value.set("spec", spec.clone());
        return;
    }
    for field in ["username", "uid", "groups", "extra"] {
        value.remove_path(&["spec", field]);
    }
    let groups: Vec<Value> = match who {
        Some(who) => who.groups.iter().map(|group| (&**group).into()).collect(),
        None => ADMINISTRATOR_GROUPS.map(Value::from).to_vec(),
    };
    let user = who.map_or(ADMINISTRATOR, |who| &*who.user);
    value.set_path(&["spec", "groups"], Value::list(groups));
    value.set_path(&["spec", "username"], user.into());
}
