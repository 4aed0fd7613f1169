//! Who may do what: rules of roles, given by bindings. The administrator, and everybody of the group
//! `system:masters`, may do everything.
//! Sources: `plugin/pkg/auth/authorizer/rbac/{rbac.go,bootstrappolicy/policy.go}`,
//! `staging/src/k8s.io/apiserver/pkg/endpoints/handlers/responsewriters/errors.go`.
//!
//! A fresh cluster has upstream's roles and bindings ([`bootstrap`]); ClusterRoles with an aggregation
//! rule are made of others ([`aggregation`]). No component is asked.

pub mod aggregation;
pub mod bootstrap;

use std::sync::Arc;

use crate::kube::kinds::{Kind, of_word};
use crate::kube::render::View;
use crate::kube::rows::read as fields;
use crate::manifest::value::Value;

use super::Refusal;

/// A user with groups, other than the administrator.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Who {
    /// Name.
    pub user: Arc<str>,
    /// Groups, those of everybody included.
    pub groups: Vec<Arc<str>>,
}

impl Who {
    /// Somebody whom a person acts as. Source: `staging/src/k8s.io/apiserver/pkg/endpoints/filters/impersonation.go`.
    pub fn acting(user: &str, groups: Vec<String>) -> Self {
        let mut groups: Vec<Arc<str>> = groups.into_iter().map(Arc::from).collect();
        let mut of = user
            .strip_prefix("system:serviceaccount:")
            .into_iter()
            .flat_map(|rest| rest.split_once(':'));
        if groups.is_empty()
            && let Some((namespace, _)) = of.next()
        {
            groups.push("system:serviceaccounts".into());
            groups.push(format!("system:serviceaccounts:{namespace}").into());
        }
        // Whoever is said to be unauthenticated is not authenticated besides.
        let (everybody, other) = match user {
            "system:anonymous" => ("system:unauthenticated", ""),
            _ => ("system:authenticated", "system:unauthenticated"),
        };
        if !groups
            .iter()
            .any(|group| **group == *everybody || **group == *other)
        {
            groups.push(everybody.into());
        }
        Self {
            user: user.into(),
            groups,
        }
    }

    /// Whether nothing is refused.
    pub fn is_master(&self) -> bool {
        self.groups.iter().any(|group| &**group == "system:masters")
    }

    fn is_named_by(&self, subject: &Value) -> bool {
        let name = fields::text(subject, &["name"]);
        match subject.str_at(&["kind"]) {
            Some("ServiceAccount") => {
                let namespace = fields::text(subject, &["namespace"]);
                let rest = self.user.strip_prefix("system:serviceaccount:");
                rest.and_then(|rest| rest.split_once(':')) == Some((namespace, name))
            }
            Some("Group") => self.groups.iter().any(|group| **group == *name),
            _ => *self.user == *name,
        }
    }
}

/// What somebody wants.
#[derive(Clone, Copy, Debug)]
pub struct Wish<'a> {
    /// Verb, e.g. `list`.
    pub verb: &'a str,
    /// Group of the API.
    pub group: &'a str,
    /// Resource, with its subresource: `pods`, `pods/log`.
    pub resource: &'a str,
    /// Namespace; empty: all, or a kind that has none.
    pub namespace: &'a str,
    /// Name; empty: none.
    pub name: &'a str,
}

/// What bindings give somebody in a namespace, and the roles that are not there.
pub fn rules(view: &View<'_>, who: &Who, namespace: &str) -> (Vec<Value>, Vec<String>) {
    let list = |word: &str, place: Option<&str>| {
        of_word(word).map_or_else(Vec::new, |kind| view.list(kind, place))
    };
    let mut bindings = list("clusterrolebindings", None);
    if !namespace.is_empty() {
        bindings.extend(list("rolebindings", Some(namespace)));
    }
    let (mut found, mut missing) = (Vec::new(), Vec::new());
    for binding in &bindings {
        let subjects = fields::list(binding, &["subjects"]);
        if !subjects.iter().any(|subject| who.is_named_by(subject)) {
            continue;
        }
        let name = fields::text(binding, &["roleRef", "name"]);
        let (word, place) = match binding.str_at(&["roleRef", "kind"]) {
            Some("Role") => ("roles", namespace),
            _ => ("clusterroles", ""),
        };
        let Some(kind) = of_word(word) else { continue };
        match view.get(kind, place, name) {
            Some(role) => found.extend(fields::list(&role, &["rules"]).to_vec()),
            None => missing.push(format!(
                "{}.{} \"{name}\" not found",
                kind.kind.to_ascii_lowercase(),
                kind.group()
            )),
        }
    }
    (found, missing)
}

/// Whether somebody may do something.
///
/// # Errors
/// `Forbidden`, in upstream's words.
pub fn judge(view: &View<'_>, who: &Who, wish: &Wish<'_>) -> Result<(), Refusal> {
    if who.is_master() {
        return Ok(());
    }
    let (rules, missing) = rules(view, who, wish.namespace);
    if rules.iter().any(|rule| grants(rule, wish)) {
        return Ok(());
    }
    let place = match wish.namespace {
        "" => "at the cluster scope".to_owned(),
        name => format!("in the namespace \"{name}\""),
    };
    let mut why = format!(
        "User \"{}\" cannot {} resource \"{}\" in API group \"{}\" {place}",
        who.user, wish.verb, wish.resource, wish.group
    );
    match missing.as_slice() {
        [] => {}
        [one] => why.push_str(&format!(": RBAC: {one}")),
        many => why.push_str(&format!(": RBAC: [{}]", many.join(", "))),
    }
    let plain = wish.resource.split('/').next().unwrap_or("");
    let resource = match wish.group {
        "" => plain.to_owned(),
        group => format!("{plain}.{group}"),
    };
    let named = match wish.name {
        "" => String::new(),
        name => format!(" \"{name}\""),
    };
    Err(Refusal {
        code: 403,
        reason: "Forbidden",
        message: format!("{resource}{named} is forbidden: {why}").into(),
        kind: plain.into(),
        name: wish.name.to_owned(),
        causes: Vec::new(),
    })
}

/// Source: `pkg/apis/rbac/v1/evaluation_helpers.go`.
pub fn grants(rule: &Value, wish: &Wish<'_>) -> bool {
    let has = |field: &str, wanted: &str| {
        fields::list(rule, &[field])
            .iter()
            .any(|one| matches!(one.as_str(), Some(found) if found == "*" || found == wanted))
    };
    let sub = wish
        .resource
        .split_once('/')
        .map(|(_, sub)| format!("*/{sub}"));
    let of_resource =
        has("resources", wish.resource) || sub.is_some_and(|sub| has("resources", &sub));
    let named = fields::list(rule, &["resourceNames"]);
    has("verbs", wish.verb)
        && has("apiGroups", wish.group)
        && of_resource
        && (named.is_empty() || named.iter().any(|one| one.as_str() == Some(wish.name)))
}

/// The namespace by which a request is judged: that of a namespace is itself.
/// Source: `staging/src/k8s.io/apiserver/pkg/endpoints/request/requestinfo.go`.
pub fn place<'a>(kind: &Kind, namespace: &'a str, name: &'a str) -> &'a str {
    match kind.kind {
        "Namespace" => name,
        _ if kind.namespaced => namespace,
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_give_what_they_name() {
        let roles = bootstrap::roles();
        let may = |role: &str, verb: &str, group: &str, resource: &str| {
            let wish = Wish {
                verb,
                group,
                resource,
                namespace: "default",
                name: "",
            };
            let named = |one: &&Value| fields::text(one, &["metadata", "name"]) == role;
            let role = roles.iter().find(named).expect("a role");
            let rules = fields::list(role, &["rules"]);
            rules.iter().any(|rule| grants(rule, &wish))
        };
        assert!(may("view", "list", "", "pods/log"));
        assert!(!may("view", "get", "", "secrets"));
        assert!(!may("view", "create", "", "pods/exec"));
        assert!(may("edit", "create", "", "pods/exec"));
        assert!(!may("edit", "create", "rbac.authorization.k8s.io", "roles"));
        assert!(may("admin", "create", "rbac.authorization.k8s.io", "roles"));
        assert!(!may("admin", "update", "", "resourcequotas"));
        assert!(may("cluster-admin", "patch", "", "nodes/status"));
        assert!(may("admin", "create", "batch", "cronjobs"));
        let deployments = "system:controller:deployment-controller";
        assert!(may(deployments, "patch", "apps", "replicasets"));
        assert!(!may(deployments, "delete", "", "pods"));
        assert!(may(
            "system:kube-scheduler",
            "update",
            "events.k8s.io",
            "events"
        ));
    }

    #[test]
    fn nobody_is_authenticated_and_not() {
        let who = Who::acting("ann", vec!["system:unauthenticated".to_owned()]);
        assert_eq!(who.groups, [Arc::from("system:unauthenticated")]);
    }

    #[test]
    fn a_service_account_is_of_its_groups() {
        let who = Who::acting("system:serviceaccount:a:b", Vec::new());
        let groups: Vec<&str> = who.groups.iter().map(|group| &**group).collect();
        assert_eq!(
            groups,
            [
                "system:serviceaccounts",
                "system:serviceaccounts:a",
                "system:authenticated"
            ]
        );
    }
}
