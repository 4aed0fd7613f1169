//! `kubectl config`: one cluster, one user, and contexts that choose a namespace there.
//! Source: `k8s.io/kubectl/pkg/cmd/config`.

use crate::base::sentence::{Sentence, catalogue};
use crate::console::table::Table;
use crate::console::{Session, not_modelled_since};
use crate::manifest::value::Value;

use super::arguments::Arguments;
use super::problem::Problem;
use super::{Call, printers};

/// Flags of `config`.
pub const FLAGS: &[&str] = &[
    "!minify",
    "!raw",
    "output:o",
    "!current",
    "!no-headers",
    "!flatten",
];

/// The cluster, and the context that there is from the start.
pub const CLUSTER: &str = "podium";
/// The client's file of the one who uses it, `root`.
/// Source: `k8s.io/client-go/tools/clientcmd/loader.go` (`RecommendedHomeFile`).
const KUBECONFIG: &str = "/root/.kube/config";
/// The only user.
pub const USER: &str = "podium-admin";

/// Verbs that write what there is only one of.
const SINGLE: [&str; 7] = [
    "set",
    "unset",
    "set-cluster",
    "set-credentials",
    "delete-cluster",
    "delete-user",
    "rename-context",
];

/// `config VERB`.
///
/// # Errors
/// Contexts that are not there, and what would need another cluster or user.
pub fn config(call: &mut Call<'_>) -> Result<(), Problem> {
    let words = call.arguments.words.clone();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let current = call.session.context.clone();
    match words.as_slice() {
        ["current-context"] => call.say(&current),
        ["get-contexts", names @ ..] => return contexts(call, names),
        ["view"] => {
            let only = call.arguments.on("minify").then(|| {
                let asked = call.arguments.flag("context");
                asked.filter(|name| !name.is_empty()).unwrap_or(&current)
            });
            if let Some(only) = only
                && !call.session.contexts.contains_key(only)
            {
                return Err(Problem::error(format!("cannot locate context {only}")));
            }
            let document = document(call.session, only);
            return printers::document(call, &document, &printers::Format::Yaml);
        }
        ["set-context", rest @ ..] => return set_context(call, rest),
        ["use-context" | "use", name] => {
            if !call.session.contexts.contains_key(*name) {
                return Err(Problem::error(format!(
                    "no context exists with the name: \"{name}\""
                )));
            }
            (*name).clone_into(&mut call.session.context);
            call.say(&format!("Switched to context \"{name}\"."));
        }
        ["delete-context", name] => {
            if *name == current {
                return Err(Problem::error(not_modelled_since(
                    catalogue::CONTEXT_IN_USE.plain(),
                    catalogue::NO_CLUSTER_LEFT.plain(),
                )));
            }
            if call.session.contexts.remove(*name).is_none() {
                return Err(Problem::error(format!(
                    "cannot delete context {name}, not in {KUBECONFIG}"
                )));
            }
            call.say(&format!("deleted context {name} from {KUBECONFIG}"));
        }
        ["get-clusters"] => call.say(&format!("NAME\n{CLUSTER}")),
        ["get-users"] => call.say(&format!("NAME\n{USER}")),
        [verb, ..] if SINGLE.contains(verb) => {
            return Err(single(format!("kubectl config {verb}").into()));
        }
        [] => {
            return Err(Problem::error(catalogue::CONFIG_WHICH.plain()));
        }
        [other, ..] => {
            return Err(Problem::error(format!(
                "unknown command \"{other}\" for \"kubectl config\""
            )));
        }
    }
    Ok(())
}

/// The namespace of a command: the flag's, or that of the context, or `default`.
/// Source: `k8s.io/client-go/tools/clientcmd/client_config.go`.
///
/// # Errors
/// Contexts, clusters and users that are not there. `config` talks to no cluster.
pub fn namespace(session: &Session, verb: &str, arguments: &Arguments) -> Result<String, Problem> {
    let file = arguments.flag("kubeconfig").filter(|file| !file.is_empty());
    if let Some(file) = file.filter(|file| session.file(file).is_none()) {
        return Err(Problem::error(format!(
            "stat {file}: no such file or directory"
        )));
    }
    let flag = |name: &str| arguments.flag(name).filter(|text| !text.is_empty());
    let missing =
        |what: &str, name: &str| Err(Problem::error(format!("{what} \"{name}\" does not exist")));
    // What asks for the namespace of the context looks at the file as a whole before.
    let asks = flag("namespace").is_none()
        && !matches!(verb, "api-resources" | "api-versions" | "version");
    let wrong = |text: String| Err(Problem::said(format!("Error in configuration: {text}"), ""));
    let mut context = session.context.as_str();
    if verb != "config" {
        context = flag("context").unwrap_or(context);
        if !session.contexts.contains_key(context) {
            if asks {
                return wrong(format!(
                    "\n* context was not found for specified context: {context}\n* cluster has no server defined"
                ));
            }
            return missing("context", context);
        }
        match (flag("user"), flag("cluster")) {
            // `create rolebinding --user` and `set subject --user` name subjects.
            (Some(user), _) if user != USER && !matches!(verb, "create" | "set") => {
                return missing("auth info", user);
            }
            (_, Some(cluster)) if cluster != CLUSTER && asks => {
                return wrong(format!("no server found for cluster \"{cluster}\""));
            }
            (_, Some(cluster)) if cluster != CLUSTER => return missing("cluster", cluster),
            _ => {}
        }
    }
    let of_context = session.contexts.get(context).map(String::as_str);
    let namespace = flag("namespace").or(of_context.filter(|text| !text.is_empty()));
    Ok(namespace.unwrap_or("default").to_owned())
}

fn namespace_of(session: &Session, context: &str) -> String {
    session.contexts.get(context).cloned().unwrap_or_default()
}

fn contexts(call: &mut Call<'_>, names: &[&str]) -> Result<(), Problem> {
    let all: Vec<String> = call.session.contexts.keys().cloned().collect();
    let mut problems = Vec::new();
    let mut shown = Vec::new();
    for name in names {
        if all.iter().any(|known| known == name) {
            shown.push((*name).to_owned());
        } else {
            problems.push(Problem::error(format!("context {name} not found")));
        }
    }
    if names.is_empty() {
        shown = all;
    }
    match call.arguments.flag("output") {
        Some("name") => shown.iter().for_each(|name| call.say(name)),
        None | Some("") => {
            let mut table = Table::new(&["CURRENT", "NAME", "CLUSTER", "AUTHINFO", "NAMESPACE"]);
            for name in shown {
                let mark = if name == call.session.context {
                    "*"
                } else {
                    ""
                };
                let namespace = namespace_of(call.session, &name);
                table.rows.push(vec![
                    mark.to_owned(),
                    name,
                    CLUSTER.to_owned(),
                    USER.to_owned(),
                    namespace,
                ]);
            }
            call.stdout
                .push_str(&table.kubectl(!call.arguments.on("no-headers")));
        }
        Some(_) => {
            return Err(Problem::error("output must be one of '' or 'name'"));
        }
    }
    Problem::all(problems)
}

/// The file that a client reads, with all contexts or one.
fn document(session: &Session, only: Option<&str>) -> Value {
    let named = |key: &'static str, content: Value, name: &str| {
        Value::list(vec![Value::object([(key, content), ("name", name.into())])])
    };
    let contexts = session
        .contexts
        .keys()
        .filter(|name| only.is_none_or(|only| only == *name))
        .map(|name| {
            let mut context = Value::object([("cluster", Value::from(CLUSTER))]);
            let namespace = namespace_of(session, name);
            if !namespace.is_empty() {
                context.set("namespace", namespace.into());
            }
            context.set("user", USER.into());
            Value::object([("context", context), ("name", name.as_str().into())])
        });
    let server = Value::object([("server", Value::from("https://podium:6443"))]);
    Value::object([
        ("apiVersion", Value::from("v1")),
        ("clusters", named("cluster", server, CLUSTER)),
        ("contexts", Value::list(contexts.collect())),
        ("current-context", only.unwrap_or(&session.context).into()),
        ("kind", "Config".into()),
        ("users", {
            Value::list(vec![Value::object([
                ("name", Value::from(USER)),
                ("user", Value::map()),
            ])])
        }),
    ])
}

fn set_context(call: &mut Call<'_>, rest: &[&str]) -> Result<(), Problem> {
    let name = match rest {
        [] if call.arguments.on("current") => call.session.context.clone(),
        [name] if !call.arguments.on("current") => (*name).to_owned(),
        _ => {
            return Err(Problem::error(
                "you must specify a non-empty context name or --current",
            ));
        }
    };
    for (flag, only) in [("cluster", CLUSTER), ("user", USER)] {
        if call.arguments.flag(flag).is_some_and(|given| given != only) {
            return Err(single(catalogue::CONTEXT_OTHER.with(&[("flag", &flag)])));
        }
    }
    let there = call.session.contexts.contains_key(&name);
    let namespace = call.arguments.flag("namespace").map(str::to_owned);
    let namespace = namespace.unwrap_or_else(|| namespace_of(call.session, &name));
    call.session.contexts.insert(name.clone(), namespace);
    let word = if there { "modified" } else { "created" };
    call.say(&format!("Context \"{name}\" {word}."));
    Ok(())
}

/// What needs another cluster or user.
fn single(what: Sentence) -> Problem {
    let one = catalogue::ONE_CLUSTER.with(&[("cluster", &CLUSTER), ("user", &USER)]);
    Problem::error(not_modelled_since(what, one))
}
