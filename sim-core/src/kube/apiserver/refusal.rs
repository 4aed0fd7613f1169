//! Refusals, as the API server words them.

use crate::base::sentence::passage::Passage;
use crate::kube::kinds::Kind;

/// Stands for a reason where no server gave one.
pub const UNREACHABLE: &str = "Unreachable";

/// One field that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// Path, e.g. `spec.ports[0].nodePort`.
    pub field: String,
    /// What is wrong, e.g. `Invalid value: 30080: provided port is already allocated`.
    pub message: Passage,
}

/// A request that was not granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// HTTP status.
    pub code: u16,
    /// `reason`, e.g. `NotFound`.
    pub reason: &'static str,
    /// `message`; what the real server would not say is a sentence in it.
    pub message: Passage,
    /// Kind of the object, e.g. `Deployment`; empty when it has none.
    pub kind: Box<str>,
    /// Name of the object.
    pub name: String,
    /// Fields that are wrong, for `Invalid`.
    pub causes: Vec<Cause>,
}

impl Refusal {
    fn of(
        code: u16,
        reason: &'static str,
        kind: &Kind,
        name: &str,
        message: impl Into<Passage>,
    ) -> Self {
        Self {
            code,
            reason,
            message: message.into(),
            kind: kind.kind.into(),
            name: name.to_owned(),
            causes: Vec::new(),
        }
    }

    /// There is no such object.
    pub fn not_found(kind: &Kind, name: &str) -> Self {
        Self::of(
            404,
            "NotFound",
            kind,
            name,
            format!("{} \"{name}\" not found", kind.resource()),
        )
    }

    /// There is one already.
    pub fn already_exists(kind: &Kind, name: &str) -> Self {
        Self::of(
            409,
            "AlreadyExists",
            kind,
            name,
            format!("{} \"{name}\" already exists", kind.resource()),
        )
    }

    /// It was changed meanwhile.
    pub fn conflict(kind: &Kind, name: &str) -> Self {
        let message = format!(
            "Operation cannot be fulfilled on {} \"{name}\": the object has been modified; please apply your changes to the latest version and try again",
            kind.resource()
        );
        Self::of(409, "Conflict", kind, name, message)
    }

    /// Not allowed.
    pub fn forbidden(kind: &Kind, name: &str, why: impl Into<Passage>) -> Self {
        let message = Passage::from(format!("{} \"{name}\" is forbidden: ", kind.resource()));
        Self::of(403, "Forbidden", kind, name, message.then(why))
    }

    /// Not allowed, said in whole.
    pub fn forbidden_text(kind: &Kind, name: &str, message: String) -> Self {
        Self::of(403, "Forbidden", kind, name, message)
    }

    /// Fields are wrong.
    pub fn invalid(kind: &Kind, name: &str, causes: Vec<Cause>) -> Self {
        let mut message = Passage::from(format!("{} \"{name}\" is invalid: ", kind.qualified()));
        let list = causes.len() != 1;
        message.push(if list { "[" } else { "" });
        for (place, cause) in causes.iter().enumerate() {
            message.push(if place > 0 { ", " } else { "" });
            message.push(cause.whole());
        }
        message.push(if list { "]" } else { "" });
        let mut refusal = Self::of(422, "Invalid", kind, name, message);
        refusal.causes = causes;
        refusal
    }

    /// No API server answers: the sentence is the client's.
    /// Source: `staging/src/k8s.io/kubectl/pkg/cmd/util/helpers.go` (`StandardErrorMessage`).
    pub fn unreachable() -> Self {
        Self {
            code: 0,
            reason: UNREACHABLE,
            message: "The connection to the server podium:6443 was refused - did you specify the right host or port?".into(),
            kind: "".into(),
            name: String::new(),
            causes: Vec::new(),
        }
    }

    /// Something that upstream answers without a reason of its own.
    pub fn internal(message: &str) -> Self {
        Self {
            code: 500,
            reason: "",
            message: message.into(),
            kind: "".into(),
            name: String::new(),
            causes: Vec::new(),
        }
    }

    /// The request makes no sense.
    pub fn bad_request(message: impl Into<Passage>) -> Self {
        Self {
            code: 400,
            reason: "BadRequest",
            message: message.into(),
            kind: "".into(),
            name: String::new(),
            causes: Vec::new(),
        }
    }

    /// No such kind is served.
    pub fn no_such_resource() -> Self {
        Self {
            code: 404,
            reason: "NotFound",
            message: "the server could not find the requested resource".into(),
            kind: "".into(),
            name: String::new(),
            causes: Vec::new(),
        }
    }
}

impl Cause {
    /// `field: message`.
    pub fn whole(&self) -> Passage {
        Passage::from(format!("{}: ", self.field)).then(&self.message)
    }
}

/// One wrong field.
pub fn cause(field: impl Into<String>, message: impl Into<Passage>) -> Cause {
    Cause {
        field: field.into(),
        message: message.into(),
    }
}
