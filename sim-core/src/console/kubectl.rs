//! The `kubectl` grammar: words to requests, rendered objects to text.
//!
//! Everything that changes something goes to the API server as one command of the session's log;
//! everything that is printed is printed from rendered objects. Knows no rows of the store.

pub mod about;
pub mod acting;
pub mod apply;
pub mod arguments;
pub mod attach;
pub mod builder;
pub mod certificate;
pub mod clock;
pub mod columns;
pub mod config;
pub mod debug;
pub mod delete;
pub mod describe;
pub mod diff;
pub mod drain;
pub mod edit;
pub mod editor;
pub mod get;
pub mod inside;
pub mod kustomize;
pub mod logs;
pub mod make;
pub mod pod_status;
pub mod printers;
pub mod problem;
pub mod raw;
pub mod record;
pub mod replace;
pub mod rights;
pub mod rollout;
pub mod selectors;
pub mod set;
pub mod taint;
pub mod top;
pub mod wait;
pub mod watch;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::base::sentence::passage::Passage;
use crate::base::sentence::{Form, catalogue};
use crate::base::time::SimTime;
use crate::engine::command::{Answer, Command, Orchestrator};
use crate::kube::apiserver::rbac::Who;
use crate::kube::apiserver::{Request, Response};
use crate::kube::kinds::{self, Kind};
use crate::kube::render::View;
use crate::manifest::value::Value;

use super::{Output, Session, after, no_world, not_modelled, not_modelled_since};
use arguments::Arguments;
use problem::Problem;

/// One running command.
#[derive(Debug)]
pub struct Call<'a> {
    /// The experiment.
    pub session: &'a mut Session,
    /// Standard input.
    pub input: &'a str,
    /// The verb.
    pub verb: &'a str,
    /// What was written.
    pub arguments: Arguments,
    /// What `-o` asks for.
    pub format: Arc<printers::Format>,
    /// Namespace of the command.
    pub namespace: String,
    /// Whom the command acts as, if not as the administrator.
    pub who: Option<Arc<Who>>,
    /// Standard output so far.
    pub stdout: String,
    /// Warnings so far.
    pub stderr: Passage,
}

type Verb = fn(&mut Call<'_>) -> Result<(), Problem>;

/// Objects that are there, and what is said of those that are not.
pub type Found = (Vec<(&'static Kind, Value)>, Vec<Problem>);

/// Verbs, their flags and what does them.
const VERBS: &[(&str, &[&str], Verb)] = &[
    ("annotate", edit::META_FLAGS, edit::annotate),
    (
        "api-resources",
        &[
            "!namespaced",
            "!no-headers",
            "output:o",
            "api-group",
            "!cached",
            "sort-by",
            "verbs",
            "categories",
        ],
        about::api_resources,
    ),
    ("api-versions", &[], rights::api_versions),
    ("apply", apply::FLAGS, apply::apply),
    ("attach", attach::FLAGS, attach::attach),
    ("auth", rights::AUTH_FLAGS, rights::auth),
    ("certificate", certificate::FLAGS, certificate::certificate),
    ("cluster-info", &[], about::cluster_info),
    (
        "autoscale",
        make::autoscale::FLAGS,
        make::autoscale::autoscale,
    ),
    ("config", config::FLAGS, config::config),
    ("cordon", &["selector:l", "?dry-run"], edit::cordon),
    ("create", make::FLAGS, make::create),
    ("debug", debug::FLAGS, debug::debug),
    ("delete", delete::FLAGS, delete::delete),
    (
        "describe",
        &[
            "selector:l",
            "!all-namespaces:A",
            "filename:f",
            "show-events",
            "chunk-size",
        ],
        describe::describe,
    ),
    ("diff", diff::FLAGS, diff::diff),
    ("drain", drain::FLAGS, drain::drain),
    (
        "events",
        &[
            "!all-namespaces:A",
            "for",
            "types",
            "!no-headers",
            "output:o",
            "!watch:w",
            "chunk-size",
        ],
        get::events,
    ),
    ("edit", editor::FLAGS, editor::run),
    (
        "exec",
        &[
            "container:c",
            "!stdin:i",
            "!tty:t",
            "!quiet:q",
            "filename:f",
            "pod-running-timeout",
        ],
        inside::exec,
    ),
    ("explain", about::EXPLAIN_FLAGS, about::explain),
    ("expose", make::expose::FLAGS, make::expose::expose),
    ("get", get::FLAGS, get::get),
    ("kustomize", &["output:o"], kustomize::print),
    ("label", edit::META_FLAGS, edit::label),
    ("logs", logs::LOG_FLAGS, logs::logs),
    ("patch", edit::PATCH_FLAGS, edit::patch),
    ("replace", replace::FLAGS, replace::replace),
    ("rollout", rollout::FLAGS, rollout::rollout),
    ("run", make::run::FLAGS, make::run::run),
    ("scale", edit::SCALE_FLAGS, edit::scale),
    ("set", set::FLAGS, set::set),
    ("taint", taint::FLAGS, taint::taint),
    ("top", top::FLAGS, top::top),
    ("uncordon", &["selector:l", "?dry-run"], edit::uncordon),
    (
        "version",
        &["!client", "output:o", "!short"],
        about::version,
    ),
    ("wait", wait::FLAGS, wait::wait),
];

/// Verbs of the real tool that are refused in words, with what does their work here.
const REFUSED: &[(&str, Option<Form>)] = &[
    ("alpha", None),
    ("completion", Some(catalogue::COMPLETES_ITSELF)),
    ("cp", Some(catalogue::NO_COPY)),
    ("kuberc", None),
    ("options", None),
    ("plugin", Some(catalogue::NO_PLUGINS)),
    ("port-forward", Some(catalogue::NO_FORWARD)),
    ("proxy", Some(catalogue::NO_PROXY)),
];

/// A command before it does anything.
fn begin<'a>(
    session: &'a mut Session,
    verb: &'a str,
    flags: &[&str],
    words: &[String],
    input: &'a str,
) -> Result<Call<'a>, Output> {
    let flags = arguments::with_implied(verb, flags);
    let misread = |message| {
        let path = make::below::path(verb, words);
        let text = format!("error: {message}\nSee 'kubectl {path} --help' for usage.");
        Output::error(1, text)
    };
    let arguments = Arguments::parse(words, &flags).map_err(misread)?;
    if record::is_misplaced(verb, &arguments) {
        return Err(misread("unknown flag: --record".to_owned()));
    }
    let mut stderr = Passage::default();
    if arguments.flag("record").is_some() {
        stderr.push(record::DEPRECATED);
    }
    let settled = config::namespace(session, verb, &arguments).and_then(|namespace| {
        let format = printers::Format::of(session, verb, &arguments)?;
        Ok((namespace, format, acting::who(&arguments)?))
    });
    let (namespace, format, who) =
        settled.map_err(|problem| Output::error(problem.code, problem.text))?;
    Ok(Call {
        session,
        input,
        verb,
        arguments,
        format: Arc::new(format),
        namespace,
        who,
        stdout: String::new(),
        stderr,
    })
}

/// Runs one `kubectl` command.
pub fn run(session: &mut Session, words: &[String], input: &str) -> Output {
    let mut words = words.to_vec();
    let at = match arguments::verb_position(&words) {
        Some(at) => at,
        None => return about::usage(),
    };
    let verb = words.remove(at);
    if verb == "help"
        || words
            .iter()
            .take_while(|word| *word != "--")
            .any(|word| word == "--help" || word == "-h")
    {
        let asked = if verb == "help" {
            words.first().map_or("", String::as_str)
        } else {
            &verb
        };
        let known = VERBS.iter().find(|(name, ..)| *name == asked);
        return known.map_or_else(about::usage, |(verb, flags, _)| about::help(verb, flags));
    }
    let Some((_, flags, act)) = VERBS.iter().find(|(name, _, _)| *name == verb) else {
        if let Some((_, why)) = REFUSED.iter().find(|(name, _)| *name == verb) {
            let what = format!("kubectl {verb}");
            let said = match why {
                Some(why) => not_modelled_since(what, why.plain()),
                None => not_modelled(what),
            };
            return Output::error(1, after("error: ", said));
        }
        let near = about::meant(&verb);
        let hint = if near.is_empty() {
            String::new()
        } else {
            format!("\n\nDid you mean this?\n\t{}", near.join("\n\t"))
        };
        return Output::error(
            1,
            format!("error: unknown command \"{verb}\" for \"kubectl\"{hint}"),
        );
    };
    let mut call = match begin(session, &verb, flags, &words, input) {
        Ok(call) => call,
        Err(output) => return output,
    };
    let raw = call.arguments.flag("raw").map(str::to_owned);
    let result = call.reach_server().and_then(|()| match raw {
        Some(path) if !path.is_empty() && verb == "delete" => {
            delete::check_raw(&call).and_then(|()| raw::raw(&mut call, &path))
        }
        Some(path) if !path.is_empty() && verb != "config" => raw::raw(&mut call, &path),
        _ => act(&mut call),
    });
    let mut output = Output {
        stdout: call.stdout.into(),
        stderr: call.stderr,
        code: 0,
    };
    if let Err(problem) = result {
        output
            .stderr
            .push(Output::error(problem.code, problem.text).stderr);
        output.code = problem.code;
    }
    output
}

impl Call<'_> {
    /// Sees whether an API server answers, unless the command needs none.
    ///
    /// # Errors
    /// What the client prints when it gets no answer.
    fn reach_server(&self) -> Result<(), Problem> {
        self.view()?;
        let alone =
            self.verb == "config" || (self.verb == "version" && self.arguments.on("client"));
        let world = self.session.world(Orchestrator::Kubernetes)?;
        match world.kube().and_then(crate::kube::KubePlane::refusal) {
            Some(refusal) if !alone => Err(Problem::server(&refusal)),
            Some(_) | None => Ok(()),
        }
    }

    /// What a client reads now.
    ///
    /// # Errors
    /// A sentence if the session runs no Kubernetes.
    pub fn view(&self) -> Result<View<'_>, Problem> {
        let world = self.session.world(Orchestrator::Kubernetes)?;
        let plane = world
            .kube()
            .ok_or_else(|| no_world(Orchestrator::Kubernetes))?;
        Ok(plane.view(&world.symbols, &world.substrate, world.now, world.seed))
    }

    /// Now.
    pub fn now(&self) -> SimTime {
        self.session.history.now()
    }

    /// Asks the API server, as the verb's field manager. A server-side dry run asks a copy of the
    /// cluster, which is thrown away: everything is checked and nothing is kept.
    ///
    /// # Errors
    /// Its refusal as a [`crate::kube::Refusal`] wrapped in a [`Problem`].
    pub fn ask(&mut self, request: Request) -> Result<Response, Problem> {
        let request = Request::As {
            manager: self.manager().as_str().into(),
            request: Arc::new(request),
        };
        self.send(request)
    }

    /// Asks the API server as whatever manager the request names.
    ///
    /// # Errors
    /// Its refusal.
    pub fn send(&mut self, request: Request) -> Result<Response, Problem> {
        self.warn_of(&request)?;
        let request = self.acting(self.recording(request))?;
        let command = Command::Kube(Arc::new(request));
        let answer = if self.arguments.flag("dry-run") == Some("server") {
            self.session
                .world(Orchestrator::Kubernetes)?
                .clone()
                .command(&command)
        } else {
            self.session.command(Orchestrator::Kubernetes, command)?
        };
        match answer {
            Answer::Kube(answer) => (*answer).map_err(|refusal| Problem::server(&refusal)),
            Answer::Refused(text) => Err(Problem::error(text)),
            _ => Err(Problem::error("the API server gave no answer")),
        }
    }

    /// Tells what the server tells with every answer about a deprecated kind, once.
    /// Source: `k8s.io/apiserver/pkg/endpoints/installer.go`, `apiextensions-apiserver/pkg/apiserver`.
    ///
    /// # Errors
    /// A session without Kubernetes.
    pub fn warn(&mut self, kind: &Kind) -> Result<(), Problem> {
        let view = self.view()?;
        let version = view.store.definitions().of_kind(kind);
        let said = match (kind.kind, version) {
            (_, Some((_, version))) => version.warning.clone(),
            ("Endpoints", None) => Some(get::ENDPOINTS_DEPRECATED.to_owned()),
            (_, None) => None,
        };
        if let Some(said) = said {
            let line = format!("Warning: {said}\n");
            if !self.stderr.contains(line.as_str()) {
                self.stderr.push(line);
            }
        }
        Ok(())
    }

    fn warn_of(&mut self, request: &Request) -> Result<(), Problem> {
        let store = self.view()?.store;
        let kind = match request {
            Request::As { request, .. } | Request::By { request, .. } => {
                return self.warn_of(request);
            }
            Request::Create { object, .. }
            | Request::Update { object, .. }
            | Request::UpdateStatus { object, .. }
            | Request::Apply { object, .. } => {
                let text = |field: &str| object.str_at(&[field]).unwrap_or("");
                store.kind_of_object(text("apiVersion"), text("kind"))
            }
            Request::Delete { kind, .. } | Request::Scale { kind, .. } => {
                store.definitions().request_kind(kind)
            }
            _ => None,
        };
        kind.map_or(Ok(()), |kind| self.warn(kind))
    }

    /// The field manager of the verb's requests. Source: `k8s.io/kubectl/pkg/cmd/*`.
    pub fn manager(&self) -> String {
        if let Some(named) = self.arguments.flag("field-manager") {
            return named.to_owned();
        }
        match self.verb {
            "apply" => apply::MANAGER.to_owned(),
            "scale" | "cordon" | "uncordon" | "drain" | "delete" | "debug" => "kubectl".to_owned(),
            verb => format!("kubectl-{verb}"),
        }
    }

    /// The kind a person means, built in or defined in the cluster.
    ///
    /// # Errors
    /// Upstream's text.
    pub fn kind_of(&self, word: &str) -> Result<&'static Kind, Problem> {
        let found = self.view()?.store.kind_of_word(word);
        found.ok_or_else(|| unknown_kind(word))
    }

    /// One object, or upstream's NotFound.
    ///
    /// # Errors
    /// `Error from server (NotFound): …`.
    pub fn object(&self, kind: &Kind, name: &str) -> Result<Value, Problem> {
        self.may("get", kind, &self.namespace, name)?;
        self.stored(kind, name)
    }

    /// One object, whoever asks, or upstream's NotFound.
    ///
    /// # Errors
    /// `Error from server (NotFound): …`.
    pub fn stored(&self, kind: &Kind, name: &str) -> Result<Value, Problem> {
        let found = self.view()?.get(kind, &self.namespace, name);
        found.ok_or_else(|| Problem::server(&crate::kube::Refusal::not_found(kind, name)))
    }

    /// Adds a line to standard output.
    pub fn say(&mut self, line: &str) {
        self.stdout.push_str(line);
        self.stdout.push('\n');
    }

    /// ` (dry run)` and the like.
    pub fn suffix(&self) -> &'static str {
        match self.arguments.flag("dry-run") {
            Some("server") => " (server dry run)",
            Some("client" | "") => " (dry run)",
            _ => "",
        }
    }

    /// Whether nothing is to be written.
    pub fn dry(&self) -> bool {
        !self.suffix().is_empty()
    }

    /// Whether the server is not even to be asked.
    pub fn dry_client(&self) -> bool {
        matches!(self.arguments.flag("dry-run"), Some("client" | ""))
    }

    /// PUT of a whole object, unless it is a dry run.
    ///
    /// # Errors
    /// The API server's refusal.
    pub fn put(&mut self, object: Value) -> Result<Value, Problem> {
        self.put_by(object, |object, namespace| Request::Update {
            object,
            namespace,
        })
    }

    fn put_by(
        &mut self,
        object: Value,
        request: impl FnOnce(Value, Arc<str>) -> Request,
    ) -> Result<Value, Problem> {
        if self.dry_client() {
            return Ok(object);
        }
        let namespace = object
            .str_at(&["metadata", "namespace"])
            .unwrap_or("")
            .into();
        Ok(self.ask(request(object, namespace))?.object)
    }

    /// PUT of an object to its status subresource.
    ///
    /// # Errors
    /// The API server's refusal.
    pub fn put_status(&mut self, object: Value) -> Result<Value, Problem> {
        self.put_by(object, |object, namespace| Request::UpdateStatus {
            object,
            namespace,
        })
    }

    /// PUT of a pod to its resize subresource.
    ///
    /// # Errors
    /// The API server's refusal.
    pub fn put_size(&mut self, object: Value) -> Result<Value, Problem> {
        self.put_by(object, |object, namespace| Request::Resize {
            object,
            namespace,
        })
    }

    /// The objects that words like `deploy/web`, `deploy web api` or `pods -l app=web` mean.
    ///
    /// # Errors
    /// Unknown kinds, missing names, and objects that are not there.
    pub fn chosen(&self, words: &[String]) -> Result<Vec<(&'static Kind, Value)>, Problem> {
        let (found, problems) = self.looked_up(words)?;
        Problem::all(problems)?;
        Ok(found)
    }

    /// What words mean, and what is not there beside it.
    ///
    /// # Errors
    /// Unknown kinds and missing names.
    pub fn looked_up(&self, words: &[String]) -> Result<Found, Problem> {
        self.looked_up_by(words, |kind, name| self.object(kind, name).map(Some))
    }

    /// What words mean, each name looked up by `one`, which may pass over what is not there.
    ///
    /// # Errors
    /// Unknown kinds and missing names.
    pub fn looked_up_by(
        &self,
        words: &[String],
        one: impl Fn(&'static Kind, &str) -> Result<Option<Value>, Problem>,
    ) -> Result<Found, Problem> {
        // The selector of `expose` is the Service's.
        let selector = match self.verb {
            "expose" => None,
            _ => self.selector()?,
        };
        let fields = self.field_selector()?;
        let many = self.selects();
        let namespace = (!self.arguments.on("all-namespaces")).then_some(self.namespace.as_str());
        let (mut found, mut problems) = (Vec::new(), Vec::new());
        for (kind, name) in self.targets(words)? {
            match name {
                Some(name) => match one(kind, &name) {
                    Ok(object) => found.extend(object.map(|object| (kind, object))),
                    Err(problem) => problems.push(problem),
                },
                // A kind alone means all of it (`ResourceTypeOrNameArgs(true, …)`).
                None if many || self.verb == "rollout" => {
                    selectors::check_fields(self, kind, &fields)?;
                    let mut objects = self.listing(kind, namespace)?;
                    objects.retain(|object| {
                        let labels = selector.as_ref();
                        labels.is_none_or(|selector| selectors::selected(selector, object))
                            && selectors::fields_match(&fields, object)
                    });
                    found.extend(objects.into_iter().map(|object| (kind, object)));
                }
                None => {
                    return Err(Problem::error(
                        "resource(s) were provided, but no name was specified",
                    ));
                }
            }
        }
        Ok((found, problems))
    }

    /// What follows `--field-selector`.
    ///
    /// # Errors
    /// The parser's text.
    pub fn field_selector(&self) -> Result<Vec<(String, String, bool)>, Problem> {
        selectors::field_selector(self.arguments.flag("field-selector").unwrap_or(""))
    }

    /// What follows `-l`.
    ///
    /// # Errors
    /// The parser's text.
    pub fn selector(&self) -> Result<Option<crate::base::labels::Selector>, Problem> {
        match self.arguments.flag("selector") {
            Some(text) if !text.is_empty() => crate::base::labels::Selector::parse(text)
                .map(Some)
                .map_err(|error| Problem::error(&error)),
            _ => Ok(None),
        }
    }
}

/// `deployment.apps/web`, `pod/x`.
pub fn title(kind: &Kind, name: &str) -> String {
    format!("{}/{name}", kind.qualified().to_ascii_lowercase())
}

/// Name of an object.
pub fn name_of(object: &Value) -> &str {
    object.str_at(&["metadata", "name"]).unwrap_or("")
}

/// The built-in kind a word means.
///
/// # Errors
/// Upstream's text.
pub fn kind_of(word: &str) -> Result<&'static Kind, Problem> {
    kinds::of_word(word).ok_or_else(|| unknown_kind(word))
}

/// Without the group. Source: `k8s.io/cli-runtime/pkg/resource/builder.go` (`mappingFor`).
fn unknown_kind(word: &str) -> Problem {
    let word = word.split('.').next().unwrap_or(word);
    Problem::error(format!(
        "the server doesn't have a resource type \"{word}\""
    ))
}

/// What `kubectl get all` shows.
const ALL: [&str; 10] = [
    "pods",
    "replicationcontrollers",
    "services",
    "daemonsets",
    "deployments",
    "replicasets",
    "statefulsets",
    "horizontalpodautoscalers",
    "cronjobs",
    "jobs",
];
