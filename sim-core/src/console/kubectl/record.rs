//! `--record`: the command line that changed an object, kept as the cause of the change.
//! Source: `k8s.io/cli-runtime/pkg/genericclioptions/record_flags.go`.

use std::sync::Arc;

use crate::kube::Request;
use crate::manifest::value::Value;

use super::Call;
use super::arguments::Arguments;

/// Where the cause stands, and where `rollout history` looks for it.
const ANNOTATION: &str = "kubernetes.io/change-cause";

/// What the client says of the flag.
pub const DEPRECATED: &str =
    "Flag --record has been deprecated, --record will be removed in the future\n";

/// Whether a verb takes the flag.
pub fn is_taken_by(verb: &str) -> bool {
    const VERBS: [&str; 12] = [
        "annotate",
        "apply",
        "autoscale",
        "create",
        "edit",
        "expose",
        "label",
        "patch",
        "replace",
        "run",
        "scale",
        "set",
    ];
    VERBS.contains(&verb)
}

/// Whether it is written where a part of its verb does not take it.
pub fn is_misplaced(verb: &str, arguments: &Arguments) -> bool {
    let word = arguments.words.first().map(String::as_str);
    let lacks = match verb {
        "create" => !arguments.has_files(),
        "set" => matches!(word, Some("env" | "subject")),
        _ => false,
    };
    lacks && arguments.flag("record").is_some()
}

impl Call<'_> {
    /// Notes the command in an object, if that is asked for.
    pub fn record(&self, object: &mut Value) {
        if self.arguments.on("record") {
            let cause = self.arguments.written(self.verb);
            object.set_path(&["metadata", "annotations", ANNOTATION], cause.into());
        }
    }

    /// The request with the command noted in what it writes.
    pub(super) fn recording(&self, request: Request) -> Request {
        if !self.arguments.on("record") {
            return request;
        }
        match request {
            Request::Create {
                mut object,
                namespace,
            } => {
                self.record(&mut object);
                Request::Create { object, namespace }
            }
            Request::Update {
                mut object,
                namespace,
            } => {
                self.record(&mut object);
                Request::Update { object, namespace }
            }
            Request::Apply {
                mut object,
                namespace,
                force,
                status,
            } => {
                self.record(&mut object);
                Request::Apply {
                    object,
                    namespace,
                    force,
                    status,
                }
            }
            Request::As { manager, request } => Request::As {
                manager,
                // It was made just now and is nobody else's.
                request: Arc::try_unwrap(request)
                    .map_or_else(|shared| shared, |own| Arc::new(self.recording(own))),
            },
            other => other,
        }
    }
}
