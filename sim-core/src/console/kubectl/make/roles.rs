//! `kubectl create role`, `create clusterrole` and their bindings.
//! Sources: `k8s.io/kubectl/pkg/cmd/create/{create_role,create_clusterrole,create_rolebinding}.go`.

use crate::base::arrange::Arrange;
use crate::console::kubectl::Call;
use crate::console::kubectl::problem::Problem;
use crate::manifest::value::Value;

use super::generators::{head, texts};

const GROUP: &str = "rbac.authorization.k8s.io";
const VERSION: &str = "rbac.authorization.k8s.io/v1";

/// Verbs of resources that are not warned of.
const VERBS: [&str; 14] = [
    "*",
    "get",
    "delete",
    "list",
    "create",
    "update",
    "patch",
    "watch",
    "proxy",
    "deletecollection",
    "use",
    "bind",
    "escalate",
    "impersonate",
];
/// Verbs of addresses that are no resources.
const URL_VERBS: [&str; 8] = [
    "*", "get", "post", "put", "delete", "patch", "head", "options",
];
/// Verbs of some resources only, as group and resource.
const SPECIAL: [(&str, &[(&str, &str)]); 4] = [
    (
        "use",
        &[
            ("policy", "podsecuritypolicies"),
            ("extensions", "podsecuritypolicies"),
        ],
    ),
    ("bind", &[(GROUP, "roles"), (GROUP, "clusterroles")]),
    ("escalate", &[(GROUP, "roles"), (GROUP, "clusterroles")]),
    (
        "impersonate",
        &[
            ("", "users"),
            ("", "serviceaccounts"),
            ("", "groups"),
            ("authentication.k8s.io", "userextras"),
        ],
    ),
];

/// What `--resource` names.
#[derive(Clone, Default)]
struct Resource {
    group: String,
    resource: String,
    sub: String,
}

impl Resource {
    fn parse(text: &str) -> Self {
        let (word, sub) = text.split_once('/').unwrap_or((text, ""));
        let (resource, group) = word.split_once('.').unwrap_or((word, ""));
        Self {
            group: group.to_owned(),
            resource: resource.to_owned(),
            sub: sub.to_owned(),
        }
    }

    /// By its plural and its group, if the server knows it.
    fn found(&self, call: &Call<'_>) -> Option<Self> {
        let word = if self.group.is_empty() {
            self.resource.clone()
        } else {
            format!("{}.{}", self.resource, self.group)
        };
        let kind = call.kind_of(&word).ok()?;
        Some(Self {
            group: kind.group().to_owned(),
            resource: kind.plural.to_owned(),
            sub: self.sub.clone(),
        })
    }
}

/// The list without repetitions.
fn once(list: Vec<String>) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for one in list {
        if !out.contains(&one) {
            out.push(one);
        }
    }
    out
}

fn verbs(call: &Call<'_>) -> Vec<String> {
    let all = call.arguments.all("verb");
    if all.iter().any(|verb| verb == "*") {
        return vec!["*".to_owned()];
    }
    once(all)
}

fn resources(call: &Call<'_>) -> Vec<Resource> {
    let mut list = Vec::new();
    for text in call.arguments.all("resource") {
        if text == "*" {
            return vec![Resource::parse("*")];
        }
        list.push(Resource::parse(&text));
    }
    list
}

fn check(call: &Call<'_>, verbs: &[String], resources: &[Resource]) -> Result<(), Problem> {
    for named in resources {
        if named.resource.is_empty() {
            return Err(Problem::error(
                "resource must be specified if apiGroup/subresource specified",
            ));
        }
        if named.resource == "*" {
            return Ok(());
        }
        let found = named.found(call);
        let mut known = found.is_some();
        let resource = found.unwrap_or_else(|| named.clone());
        for verb in verbs {
            let Some((_, of)) = SPECIAL.iter().find(|(special, _)| special == verb) else {
                continue;
            };
            let own = (&*resource.group, &*resource.resource);
            if !of.contains(&own) {
                return Err(Problem::error(format!(
                    "can not perform '{verb}' on '{}' in group '{}'",
                    resource.resource, resource.group
                )));
            }
            known = true;
        }
        if !known {
            let group = if named.group.is_empty() {
                String::new()
            } else {
                format!(" in group \"{}\"", named.group)
            };
            return Err(Problem::error(format!(
                "the server doesn't have a resource type \"{}\"{group}",
                named.resource
            )));
        }
    }
    Ok(())
}

fn warn(call: &mut Call<'_>, verbs: &[String]) {
    for verb in verbs.iter().filter(|verb| !VERBS.contains(&verb.as_str())) {
        call.stderr.push(format!(
            "Warning: '{verb}' is not a standard resource verb\n"
        ));
    }
}

fn rules(call: &Call<'_>, verbs: &[String], named: &[Resource], urls: &[String]) -> Vec<Value> {
    let names: Vec<String> = call
        .arguments
        .each("resource-name")
        .into_iter()
        .map(str::to_owned)
        .collect();
    let names = once(names);
    let mut groups: Vec<(String, Vec<String>)> = Vec::new();
    for resource in named {
        let resource = resource.found(call).unwrap_or_else(|| resource.clone());
        let word = match &*resource.sub {
            "" => resource.resource,
            sub => format!("{}/{sub}", resource.resource),
        };
        match groups
            .iter_mut()
            .find(|(group, _)| *group == resource.group)
        {
            Some((_, list)) if list.contains(&word) => {}
            Some((_, list)) => list.push(word),
            None => groups.push((resource.group, vec![word])),
        }
    }
    groups.arrange();
    let mut rules = Vec::new();
    for (group, list) in groups {
        let mut rule = Value::object([
            ("apiGroups", texts(&[group])),
            ("resources", texts(&list)),
            ("verbs", texts(verbs)),
        ]);
        if !names.is_empty() {
            rule.set("resourceNames", texts(&names));
        }
        rules.push(rule);
    }
    if !urls.is_empty() {
        rules.push(Value::object([
            ("nonResourceURLs", texts(urls)),
            ("verbs", texts(verbs)),
        ]));
    }
    rules
}

/// `create role NAME`.
///
/// # Errors
/// Without verbs or resources; resources that are not there.
pub fn role(call: &mut Call<'_>, name: &str) -> Result<Value, Problem> {
    let (verbs, resources) = (verbs(call), resources(call));
    if verbs.is_empty() {
        return Err(Problem::error("at least one verb must be specified"));
    }
    warn(call, &verbs);
    if resources.is_empty() {
        return Err(Problem::error("at least one resource must be specified"));
    }
    check(call, &verbs, &resources)?;
    let mut object = head(VERSION, "Role", name);
    object.set("rules", rules(call, &verbs, &resources, &[]).into());
    Ok(object)
}

/// `create clusterrole NAME`.
///
/// # Errors
/// As for [`role`]; what does not go together, addresses that are none.
pub fn cluster_role(call: &mut Call<'_>, name: &str) -> Result<Value, Problem> {
    let (verbs, resources) = (verbs(call), resources(call));
    let urls = once(call.arguments.all("non-resource-url"));
    let mut object = head(VERSION, "ClusterRole", name);
    if let Some(selector) = aggregation(call)? {
        let named = !call.arguments.each("resource-name").is_empty();
        if !urls.is_empty() || !verbs.is_empty() || !resources.is_empty() || named {
            return Err(Problem::error(
                "aggregation rule must be specified without nonResourceURLs, verbs, resources or resourceNames",
            ));
        }
        let selector = Value::object([("matchLabels", selector)]);
        object.set_path(
            &["aggregationRule", "clusterRoleSelectors"],
            vec![selector].into(),
        );
        object.set("rules", Value::Null);
        return Ok(object);
    }
    if verbs.is_empty() {
        return Err(Problem::error("at least one verb must be specified"));
    }
    if resources.is_empty() && urls.is_empty() {
        return Err(Problem::error(
            "one of resource or nonResourceURL must be specified",
        ));
    }
    if !resources.is_empty() {
        warn(call, &verbs);
        check(call, &verbs, &resources)?;
    }
    if !urls.is_empty() {
        if let Some(verb) = verbs
            .iter()
            .find(|verb| !URL_VERBS.contains(&verb.as_str()))
        {
            return Err(Problem::error(format!(
                "invalid verb: '{verb}' for nonResourceURL"
            )));
        }
        for url in urls.iter().filter(|url| *url != "*") {
            if !url.starts_with('/') {
                return Err(Problem::error("nonResourceURL should start with /"));
            }
            if url[..url.len() - 1].contains('*') {
                return Err(Problem::error(
                    "nonResourceURL only supports wildcard matches when '*' is at the end",
                ));
            }
        }
    }
    object.set("rules", rules(call, &verbs, &resources, &urls).into());
    Ok(object)
}

/// The labels of `--aggregation-rule`.
fn aggregation(call: &Call<'_>) -> Result<Option<Value>, Problem> {
    let mut labels = Value::map();
    for pair in call.arguments.all("aggregation-rule") {
        let (key, value) = pair.split_once('=').ok_or_else(|| {
            Problem::error(format!(
                "invalid argument \"{pair}\" for \"--aggregation-rule\" flag: malformed pair, expect string=string"
            ))
        })?;
        labels.set(key.trim(), value.trim().into());
    }
    let any = labels.as_map().is_some_and(|map| !map.is_empty());
    Ok(any.then_some(labels))
}

/// `create rolebinding NAME`, `create clusterrolebinding NAME`.
///
/// # Errors
/// Without a role, with two; accounts without their namespace.
pub fn binding(call: &Call<'_>, kind: &str, name: &str) -> Result<Value, Problem> {
    let (cluster, own) = (
        call.arguments.flag("clusterrole"),
        call.arguments.flag("role"),
    );
    let (role_kind, role) = match (cluster, own) {
        (Some(role), None) => ("ClusterRole", role),
        (None, Some(role)) if kind == "RoleBinding" => ("Role", role),
        _ if kind == "RoleBinding" => {
            return Err(Problem::error(
                "exactly one of clusterrole or role must be specified",
            ));
        }
        _ => return Err(Problem::error("clusterrole must be specified")),
    };
    let mut object = head(VERSION, kind, name);
    object.set(
        "roleRef",
        Value::object([
            ("apiGroup", GROUP.into()),
            ("kind", role_kind.into()),
            ("name", role.into()),
        ]),
    );
    let mut subjects = Vec::new();
    for (flag, kind) in [("user", "User"), ("group", "Group")] {
        for name in call.arguments.all(flag) {
            subjects.push(Value::object([
                ("apiGroup", Value::from(GROUP)),
                ("kind", kind.into()),
                ("name", name.as_str().into()),
            ]));
        }
    }
    for account in call.arguments.all("serviceaccount") {
        let (namespace, name) = account
            .split_once(':')
            .ok_or_else(|| Problem::error("serviceaccount must be <namespace>:<name>"))?;
        subjects.push(Value::object([
            ("kind", Value::from("ServiceAccount")),
            ("name", name.into()),
            ("namespace", namespace.into()),
        ]));
    }
    if !subjects.is_empty() {
        object.set("subjects", subjects.into());
    }
    Ok(object)
}
