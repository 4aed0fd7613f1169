//! Who may do what: rules of roles, given by bindings. The administrator, and everybody of the group
//! `system:masters`, may do everything.
//! Sources: `plugin/pkg/auth/authorizer/rbac/{rbac.go,bootstrappolicy/policy.go}`,
//! `staging/src/k8s.io/apiserver/pkg/endpoints/handlers/responsewriters/errors.go`.
//!
//! Of the roles that a fresh cluster has there are `cluster-admin`, `admin`, `edit` and `view`; those of
//! the components (`system:…`) are not modelled, and no component is asked. Roles are not aggregated:
//! labels on a ClusterRole add nothing to these.

use std::sync::Arc;

use crate::kube::kinds::{Kind, of_word};
use crate::kube::render::{View, object};
use crate::kube::rows::read as fields;
use crate::manifest::value::Value;

use super::Refusal;

/// A user with groups, other than the administrator.
#[derive(Clone, Debug, PartialEq, Eq)]
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
        let everybody = match user {
            "system:anonymous" => "system:unauthenticated",
            _ => "system:authenticated",
        };
        if !groups.iter().any(|group| &**group == everybody) {
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
        message: format!("{resource}{named} is forbidden: {why}"),
        kind: plain.to_owned(),
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

const READ: &str = "get list watch";
const WRITE: &str = "create delete deletecollection patch update";

/// Rules of `view`: groups and resources that are read.
const VIEW: [(&str, &str); 9] = [
    (
        "",
        "configmaps endpoints persistentvolumeclaims persistentvolumeclaims/status pods replicationcontrollers replicationcontrollers/scale serviceaccounts services services/status",
    ),
    (
        "",
        "bindings events limitranges namespaces/status pods/log pods/status replicationcontrollers/status resourcequotas resourcequotas/status",
    ),
    ("", "namespaces"),
    ("discovery.k8s.io", "endpointslices"),
    (
        "apps",
        "controllerrevisions daemonsets daemonsets/status deployments deployments/scale deployments/status replicasets replicasets/scale replicasets/status statefulsets statefulsets/scale statefulsets/status",
    ),
    (
        "autoscaling",
        "horizontalpodautoscalers horizontalpodautoscalers/status",
    ),
    ("batch", "cronjobs cronjobs/status jobs jobs/status"),
    ("policy", "poddisruptionbudgets poddisruptionbudgets/status"),
    (
        "networking.k8s.io",
        "ingresses ingresses/status networkpolicies",
    ),
];

/// What `edit` adds: groups, resources, verbs.
const EDIT: [(&str, &str, &str); 12] = [
    (
        "",
        "pods/attach pods/exec pods/portforward pods/proxy secrets services/proxy",
        READ,
    ),
    ("", "serviceaccounts", "impersonate"),
    (
        "",
        "pods pods/attach pods/exec pods/portforward pods/proxy",
        WRITE,
    ),
    ("", "pods/eviction", "create"),
    (
        "",
        "configmaps events persistentvolumeclaims replicationcontrollers replicationcontrollers/scale secrets serviceaccounts services services/proxy",
        WRITE,
    ),
    ("", "serviceaccounts/token", "create"),
    (
        "apps",
        "daemonsets deployments deployments/rollback deployments/scale replicasets replicasets/scale statefulsets statefulsets/scale",
        WRITE,
    ),
    ("autoscaling", "horizontalpodautoscalers", WRITE),
    ("batch", "cronjobs jobs", WRITE),
    ("policy", "poddisruptionbudgets", WRITE),
    ("networking.k8s.io", "ingresses networkpolicies", WRITE),
    (
        "coordination.k8s.io",
        "leases",
        "create delete deletecollection get list patch update watch",
    ),
];

/// What `admin` adds.
const ADMIN: [(&str, &str, &str); 2] = [
    (
        "authorization.k8s.io",
        "localsubjectaccessreviews",
        "create",
    ),
    (
        "rbac.authorization.k8s.io",
        "rolebindings roles",
        "create delete deletecollection get list patch update watch",
    ),
];

/// The objects that a fresh cluster has.
pub fn bootstrap() -> Vec<Value> {
    let words = |text: &str| Value::list(text.split(' ').map(Value::from).collect());
    let rule = |(groups, resources, verbs): (&str, &str, &str)| {
        object([
            ("apiGroups", words(groups)),
            ("resources", words(resources)),
            ("verbs", words(verbs)),
        ])
    };
    let named = |kind: &'static str, name: &'static str| {
        let mut value = object([
            ("apiVersion", "rbac.authorization.k8s.io/v1".into()),
            ("kind", kind.into()),
        ]);
        value.set_path(
            &[
                "metadata",
                "annotations",
                "rbac.authorization.kubernetes.io/autoupdate",
            ],
            "true".into(),
        );
        value.set_path(
            &["metadata", "labels", "kubernetes.io/bootstrapping"],
            "rbac-defaults".into(),
        );
        value.set_path(&["metadata", "name"], name.into());
        value
    };
    let view = VIEW.map(|(groups, resources)| rule((groups, resources, READ)));
    let mut all = Vec::new();
    let mut rules = Vec::new();
    for (name, more) in [
        ("view", view.to_vec()),
        ("edit", EDIT.map(rule).to_vec()),
        ("admin", ADMIN.map(rule).to_vec()),
    ] {
        rules.extend(more);
        let mut role = named("ClusterRole", name);
        role.set("rules", Value::list(rules.clone()));
        all.push(role);
    }
    let mut role = named("ClusterRole", "cluster-admin");
    let everything = rule(("*", "*", "*"));
    let paths = object([("nonResourceURLs", words("*")), ("verbs", words("*"))]);
    role.set("rules", Value::list(vec![everything, paths]));
    all.push(role);
    let group = "rbac.authorization.k8s.io";
    for (name, masters) in [
        ("cluster-admin", "system:masters"),
        ("kubeadm:cluster-admins", "kubeadm:cluster-admins"),
    ] {
        let mut binding = named("ClusterRoleBinding", name);
        if name != "cluster-admin" {
            binding.remove_path(&["metadata", "annotations"]);
            binding.remove_path(&["metadata", "labels"]);
        }
        let role = object([
            ("apiGroup", group.into()),
            ("kind", "ClusterRole".into()),
            ("name", "cluster-admin".into()),
        ]);
        binding.set("roleRef", role);
        let subject = object([
            ("apiGroup", group.into()),
            ("kind", "Group".into()),
            ("name", masters.into()),
        ]);
        binding.set("subjects", Value::list(vec![subject]));
        all.push(binding);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_give_what_they_name() {
        let roles = bootstrap();
        let may = |role: usize, verb: &str, group: &str, resource: &str| {
            let wish = Wish {
                verb,
                group,
                resource,
                namespace: "default",
                name: "",
            };
            let rules = fields::list(&roles[role], &["rules"]);
            rules.iter().any(|rule| grants(rule, &wish))
        };
        assert!(may(0, "list", "", "pods/log"));
        assert!(!may(0, "get", "", "secrets"));
        assert!(!may(0, "create", "", "pods/exec"));
        assert!(may(1, "create", "", "pods/exec"));
        assert!(!may(1, "create", "rbac.authorization.k8s.io", "roles"));
        assert!(may(2, "create", "rbac.authorization.k8s.io", "roles"));
        assert!(!may(2, "update", "", "resourcequotas"));
        assert!(may(3, "patch", "", "nodes/status"));
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
