//! `kubectl auth` and `kubectl api-versions`.

use crate::base::arrange::Arrange;
use crate::base::sentence::catalogue;
use crate::console::not_modelled;
use crate::console::table::Table;
use crate::kube::apiserver::admission::policy;
use crate::kube::apiserver::rbac::{self, Wish};
use crate::kube::kinds::{ALSO, KINDS, Kind};
use crate::manifest::value::Value;

use super::describe::config::in_group;
use super::pod_status::items;
use super::problem::Problem;
use super::{Call, printers};

/// Flags of `auth`.
pub const AUTH_FLAGS: &[&str] = &[
    "!list",
    "!quiet:q",
    "!all-namespaces:A",
    "subresource",
    "!no-headers",
    "output:o",
    "filename:f",
];

/// `auth can-i VERB TYPE[/NAME]`, `auth whoami`. The administrator may do everything; another
/// (`--as system:serviceaccount:NS:NAME`, `--as USER`) what its bindings give.
///
/// # Errors
/// Other subcommands; `no` ends with 1.
pub fn auth(call: &mut Call<'_>) -> Result<(), Problem> {
    let words = call.arguments.words.clone();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["whoami"] => whoami(call),
        ["reconcile"] => Err(Problem::error(
            not_modelled("kubectl auth reconcile").advise(catalogue::APPLY_ROLES.plain()),
        )),
        ["can-i", _, _] if call.arguments.on("list") => Err(Problem::error(
            "list option must be specified with no arguments",
        )),
        ["can-i", verb, what] => {
            let allowed = can(call, verb, what)?;
            if !call.arguments.on("quiet") {
                call.say(if allowed { "yes" } else { "no" });
            }
            if allowed {
                Ok(())
            } else {
                Err(Problem::code(1))
            }
        }
        ["can-i"] if call.arguments.on("list") => list(call),
        ["can-i", ..] => Err(Problem::error(
            "you must specify two arguments: verb resource or verb resource/resourceName.\nSee 'kubectl auth can-i -h' for help and examples.",
        )),
        _ => {
            let what = format!("kubectl auth {}", words.join(" "));
            Err(Problem::error(not_modelled(what)))
        }
    }
}

/// `auth whoami`: what a SelfSubjectReview answers.
/// Source: `k8s.io/kubectl/pkg/cmd/auth/whoami.go`.
fn whoami(call: &mut Call<'_>) -> Result<(), Problem> {
    let (user, groups): (String, Vec<String>) = match &call.who {
        None => (
            policy::ADMINISTRATOR.to_owned(),
            policy::ADMINISTRATOR_GROUPS.map(str::to_owned).to_vec(),
        ),
        Some(who) => (
            who.user.to_string(),
            who.groups.iter().map(|group| group.to_string()).collect(),
        ),
    };
    if call
        .arguments
        .flag("output")
        .is_some_and(|text| !text.is_empty())
    {
        let names = groups.iter().map(|group| group.as_str().into()).collect();
        let mut review = Value::object([
            ("apiVersion", Value::from("authentication.k8s.io/v1")),
            ("kind", "SelfSubjectReview".into()),
            ("metadata", Value::map()),
        ]);
        review.set_path(&["status", "userInfo", "groups"], Value::list(names));
        review.set_path(&["status", "userInfo", "username"], user.into());
        return printers::document(call, &review, &printers::Format::Yaml);
    }
    let mut table = Table::new(&["ATTRIBUTE", "VALUE"]);
    table.rows.push(vec!["Username".to_owned(), user]);
    table
        .rows
        .push(vec!["Groups".to_owned(), format!("[{}]", groups.join(" "))]);
    call.stdout.push_str(&table.kubectl(true));
    Ok(())
}

/// Verbs of resources, and of paths. Source: `k8s.io/kubectl/pkg/cmd/auth/cani.go`.
const RESOURCE_VERBS: [&str; 14] = [
    "get",
    "list",
    "watch",
    "create",
    "update",
    "patch",
    "delete",
    "deletecollection",
    "use",
    "bind",
    "impersonate",
    "*",
    "approve",
    "sign",
];
const PATH_VERBS: [&str; 8] = [
    "get", "put", "post", "head", "options", "delete", "patch", "*",
];

/// Whether a user may ask for a path.
fn may_ask(call: &mut Call<'_>, verb: &str, path: &str) -> Result<bool, Problem> {
    if !PATH_VERBS.contains(&verb) {
        call.stderr
            .push(format!("Warning: verb '{verb}' is not a known verb\n\n"));
    }
    let Some(who) = call.who.clone().filter(|who| !who.is_master()) else {
        return Ok(true);
    };
    let fits = |pattern: &str| match pattern.strip_suffix('*') {
        Some(head) => path.starts_with(head),
        None => path == pattern,
    };
    if verb == "get" && DISCOVERY.iter().any(|pattern| fits(pattern)) {
        return Ok(true);
    }
    let (rules, _) = rbac::rules(&call.view()?, &who, "");
    Ok(rules.iter().any(|rule| {
        let texts = |field: &str| items(rule, &[field]).iter().filter_map(Value::as_str);
        texts("verbs").any(|one| one == "*" || one == verb) && texts("nonResourceURLs").any(fits)
    }))
}

fn can(call: &mut Call<'_>, verb: &str, what: &str) -> Result<bool, Problem> {
    if what.starts_with('/') {
        return may_ask(call, verb, what);
    }
    if !RESOURCE_VERBS.contains(&verb) {
        call.stderr
            .push(format!("Warning: verb '{verb}' is not a known verb\n\n"));
    }
    let (resource, name) = what.split_once('/').unwrap_or((what, ""));
    let kind = call.kind_of(resource).ok();
    if kind.is_none() && resource != "*" {
        call.stderr.push(format!(
            "Warning: the server doesn't have a resource type '{resource}'\n\n"
        ));
    }
    if kind.is_some_and(|kind| !kind.namespaced) && !call.arguments.on("all-namespaces") {
        let group = kind.map_or("", Kind::group);
        let scope = if group.is_empty() {
            String::new()
        } else {
            format!(" in group '{group}'")
        };
        call.stderr.push(format!(
            "Warning: resource '{}' is not namespace scoped{scope}\n\n",
            kind.map_or(resource, |kind| kind.plural)
        ));
    }
    let Some(who) = call.who.clone().filter(|who| !who.is_master()) else {
        return Ok(true);
    };
    let mut plural = kind.map_or(resource, |kind| kind.plural).to_owned();
    if let Some(sub) = call.arguments.flag("subresource") {
        plural = format!("{plural}/{sub}");
    }
    let group = kind.map_or("*", Kind::group);
    let namespace = if call.arguments.on("all-namespaces") {
        ""
    } else {
        &call.namespace
    };
    let wish = Wish {
        verb,
        group,
        resource: &plural,
        namespace,
        name,
    };
    let (rules, _) = rbac::rules(&call.view()?, &who, namespace);
    Ok(rules.iter().any(|rule| rbac::grants(rule, &wish)))
}

/// What every authenticated user may do. Source: `plugin/pkg/auth/authorizer/rbac/bootstrappolicy/policy.go`
/// (`system:basic-user`, `system:discovery`).
const BASIC: [(&str, &str); 3] = [
    ("selfsubjectreviews.authentication.k8s.io", "create"),
    ("selfsubjectaccessreviews.authorization.k8s.io", "create"),
    ("selfsubjectrulesreviews.authorization.k8s.io", "create"),
];
const DISCOVERY: [&str; 11] = [
    "/api/*",
    "/api",
    "/apis/*",
    "/apis",
    "/healthz",
    "/livez",
    "/openapi/*",
    "/openapi",
    "/readyz",
    "/version/",
    "/version",
];

/// `auth can-i --list`. Source: `k8s.io/kubectl/pkg/cmd/auth/cani.go`, `…/pkg/util/rbac`.
fn list(call: &mut Call<'_>) -> Result<(), Problem> {
    let rules = match &call.who {
        Some(who) if !who.is_master() => rbac::rules(&call.view()?, who, &call.namespace).0,
        _ => vec![
            Value::object([
                ("apiGroups", Value::list(vec!["*".into()])),
                ("resources", Value::list(vec!["*".into()])),
                ("verbs", Value::list(vec!["*".into()])),
            ]),
            Value::object([
                ("nonResourceURLs", Value::list(vec!["*".into()])),
                ("verbs", Value::list(vec!["*".into()])),
            ]),
        ],
    };
    let texts = |rule: &Value, field: &str| -> Vec<String> {
        let list = items(rule, &[field]).iter();
        list.filter_map(|one| one.as_str().map(str::to_owned))
            .collect()
    };
    // One row for each resource with its names; verbs of equal rows come together.
    let mut rows: Vec<(String, String, String, Vec<String>)> = Vec::new();
    let mut add = |resource: String, url: String, names: String, verbs: Vec<String>| {
        let there = rows
            .iter_mut()
            .find(|row| row.0 == resource && row.1 == url && row.2 == names);
        match there {
            Some(row) => {
                for verb in verbs {
                    if !row.3.contains(&verb) {
                        row.3.push(verb);
                    }
                }
            }
            None => rows.push((resource, url, names, verbs)),
        }
    };
    for rule in &rules {
        let verbs = texts(rule, "verbs");
        let names = format!("[{}]", texts(rule, "resourceNames").join(" "));
        for group in texts(rule, "apiGroups") {
            for resource in texts(rule, "resources") {
                let name = in_group(&resource, &group);
                add(name, "[]".to_owned(), names.clone(), verbs.clone());
            }
        }
        for url in texts(rule, "nonResourceURLs") {
            add(
                String::new(),
                format!("[{url}]"),
                "[]".to_owned(),
                verbs.clone(),
            );
        }
    }
    for (resource, verb) in BASIC {
        add(
            resource.to_owned(),
            "[]".to_owned(),
            "[]".to_owned(),
            vec![verb.to_owned()],
        );
    }
    for url in DISCOVERY {
        add(
            String::new(),
            format!("[{url}]"),
            "[]".to_owned(),
            vec!["get".to_owned()],
        );
    }
    // Upstream sorts rules by how Go prints them: verbs first. Source: `…/pkg/util/rbac/rbac.go`.
    rows.arrange_by_key(|(resource, url, names, verbs)| {
        let (resource, part) = match resource.split_once('/') {
            Some((resource, part)) => (resource, format!("/{part}")),
            None => (resource.as_str(), String::new()),
        };
        let (resource, group) = resource.split_once('.').unwrap_or((resource, ""));
        let resources = if resource.is_empty() {
            "[]".to_owned()
        } else {
            format!("[{resource}{part}]")
        };
        let groups = if resource.is_empty() {
            "[]".to_owned()
        } else {
            format!("[{group}]")
        };
        format!("[{}] {groups} {resources} {names} {url}", verbs.join(" "))
    });
    let mut table = Table::new(&["Resources", "Non-Resource URLs", "Resource Names", "Verbs"]);
    for (resource, url, names, verbs) in rows {
        let verbs = format!("[{}]", verbs.join(" "));
        table.rows.push(vec![resource, url, names, verbs]);
    }
    call.stdout
        .push_str(&table.kubectl(!call.arguments.on("no-headers")));
    Ok(())
}

/// `api-versions`.
///
/// # Errors
/// None.
pub fn api_versions(call: &mut Call<'_>) -> Result<(), Problem> {
    let mut versions: Vec<&str> = KINDS
        .iter()
        .chain(ALSO)
        .map(|kind| kind.api_version)
        .collect();
    let served = call.view()?.store.definitions().served();
    versions.extend(served.map(|kind| kind.api_version));
    versions.push("autoscaling/v1");
    versions.arrange();
    versions.dedup();
    for version in versions {
        call.say(version);
    }
    Ok(())
}
