//! Errors as kubectl prints them. Source: `k8s.io/kubectl/pkg/cmd/util/helpers.go`.

use crate::base::sentence::passage::Passage;
use crate::base::sorted::SortedSet;
use crate::console::{Output, not_modelled};
use crate::kube::Refusal;
use crate::kube::apiserver::refusal::UNREACHABLE;
use crate::kube::kinds;

/// What went wrong, ready to be printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Text for standard error.
    pub text: Passage,
    /// Exit code.
    pub code: i32,
    /// `reason` of the API server's refusal, if it was one.
    pub reason: &'static str,
    /// What was being done: told of an invalid object only where others fail beside it.
    pub doing: Option<Box<str>>,
}

impl Problem {
    /// What is printed, with the reason of a server's refusal.
    pub fn said(text: impl Into<Passage>, reason: &'static str) -> Self {
        Self {
            text: text.into(),
            code: 1,
            reason,
            doing: None,
        }
    }

    /// With another exit code.
    #[must_use]
    pub fn ending(self, code: i32) -> Self {
        Self { code, ..self }
    }

    /// What is said where nothing is named.
    /// Source: `k8s.io/cli-runtime/pkg/resource/builder.go` (`missingResourceError`).
    pub fn no_resource() -> Self {
        Self::error(
            "You must provide one or more resources by argument or filename.\nExample resource specifications include:\n   '-f rsrc.yaml'\n   '--filename=rsrc.json'\n   '<resource> <name>'\n   '<resource>'",
        )
    }

    /// `error: …`.
    pub fn error(message: impl Into<Passage>) -> Self {
        Self::said(Passage::from("error: ").then(message), "")
    }

    /// An object of a kind that verbs with types of their own do not have.
    /// Source: `k8s.io/apimachinery/pkg/runtime/error.go` (`notRegisteredErr`).
    pub fn unregistered(kind: &kinds::Kind) -> Self {
        Self::error(format!(
            "no kind \"{}\" is registered for version \"{}\" in scheme \"k8s.io/kubectl/pkg/scheme/scheme.go:28\"",
            kind.kind, kind.api_version
        ))
    }

    /// An object whose kind the cluster does not serve: its name and namespace, and its file.
    /// Source: `k8s.io/cli-runtime/pkg/resource/mapper.go` (`infoForData`), `visitor.go`.
    pub fn no_mapping(version: &str, kind: &str, place: (&str, &str), source: &str) -> Self {
        let reviews = ["authentication.k8s.io/", "authorization.k8s.io/"];
        if reviews.iter().any(|group| version.starts_with(group)) {
            return Self::error(not_modelled(format!("{kind} in version {version}")));
        }
        let (name, namespace) = place;
        Self::error(format!(
            "resource mapping not found for name: \"{name}\" namespace: \"{namespace}\" from \"{source}\": no matches for kind \"{kind}\" in version \"{version}\"\nensure CRDs are installed first"
        ))
    }

    /// An ending without further text.
    pub fn code(code: i32) -> Self {
        Self::said("", "").ending(code)
    }

    /// The API server's refusal.
    pub fn server(refusal: &Refusal) -> Self {
        Self::said(text(refusal), refusal.reason)
    }

    /// Says what was being done: `error when creating "f.yaml": …`. Invalid objects do not tell.
    pub fn when(mut self, doing: &str, source: &str) -> Self {
        let doing = format!("error when {doing} \"{source}\": ");
        if self.text.starts_with("The ") {
            self.doing = Some(doing.into());
            return self;
        }
        let at = self.text.find(": ").map_or(0, |at| at + 2);
        self.text = self.text.with_inside(at, &doing);
        self
    }

    /// Several, one per line; none is success. More than one are told without `error: `, and invalid
    /// objects in the server's words. Source: `pkg/cmd/util/helpers.go` (`MultipleErrors`).
    ///
    /// # Errors
    /// If there is any.
    pub fn all(mut problems: Vec<Self>) -> Result<(), Self> {
        if problems.len() < 2 {
            return problems.pop().map_or(Ok(()), Err);
        }
        let texts = problems
            .into_iter()
            .map(|problem| problem.listed().then("\n"));
        Err(Self::said(texts.collect::<Passage>().trimmed(), ""))
    }

    /// As it is told beside others.
    fn listed(self) -> Passage {
        let text = self.text.trimmed();
        let invalid = text
            .strip_prefix("The ")
            .filter(|_| self.reason == "Invalid");
        let Some((head, _)) = invalid.and_then(|rest| rest.split_once(" is invalid: ")) else {
            return text.without_start("error: ");
        };
        let (kind, name) = head.split_once(' ').unwrap_or((head, ""));
        let known = kinds::KINDS.iter().find(|known| known.kind == kind);
        let whole = known.map_or_else(|| kind.to_owned(), kinds::Kind::qualified);
        let start = format!("The {head} is invalid: ");
        let doing = self.doing.as_deref().unwrap_or("");
        let head = format!("Error from server (Invalid): {doing}{whole} {name} is invalid: ");
        let causes = text.without_start(&start);
        match causes.strip_prefix("\n* ") {
            Some(list) => format!("{head}[{}]", list.replace("\n* ", ", ")).into(),
            None => Passage::from(head).then(causes),
        }
    }
}

impl From<Output> for Problem {
    fn from(output: Output) -> Self {
        Self::error(output.stderr).ending(output.code)
    }
}

fn text(refusal: &Refusal) -> Passage {
    if refusal.reason == "Invalid" {
        let head = format!("The {} \"{}\" is invalid", refusal.kind, refusal.name);
        let mut lines: Vec<Passage> = Vec::new();
        let mut seen = SortedSet::new();
        for cause in &refusal.causes {
            let line = if cause.field.is_empty() {
                cause.message.clone()
            } else {
                cause.whole()
            };
            if seen.insert(line.to_string()) {
                lines.push(line);
            }
        }
        return match lines.as_slice() {
            [] => head.into(),
            [one] => Passage::from(head + ": ").then(one),
            many => {
                let lines = many
                    .iter()
                    .map(|line| Passage::from("* ").then(line).then("\n"));
                Passage::from(head + ": \n").then(lines.collect::<Passage>())
            }
        };
    }
    let head = match refusal.reason {
        UNREACHABLE => String::new(),
        "" => "Error from server: ".to_owned(),
        reason => format!("Error from server ({reason}): "),
    };
    Passage::from(head).then(&refusal.message)
}
