//! Errors as kubectl prints them. Source: `k8s.io/kubectl/pkg/cmd/util/helpers.go`.

use crate::base::sentence::passage::Passage;
use crate::base::sorted::SortedSet;
use crate::console::Output;
use crate::kube::Refusal;
use crate::kube::apiserver::refusal::UNREACHABLE;

/// What went wrong, ready to be printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Text for standard error.
    pub text: Passage,
    /// Exit code.
    pub code: i32,
    /// `reason` of the API server's refusal, if it was one.
    pub reason: &'static str,
}

impl Problem {
    /// `error: …`.
    pub fn error(message: impl Into<Passage>) -> Self {
        Self {
            text: Passage::from("error: ").then(message),
            code: 1,
            reason: "",
        }
    }

    /// An object whose kind the cluster does not serve: its name and namespace, and its file.
    /// Source: `k8s.io/cli-runtime/pkg/resource/mapper.go` (`infoForData`), `visitor.go`.
    pub fn no_mapping(version: &str, kind: &str, place: (&str, &str), source: &str) -> Self {
        let (name, namespace) = place;
        Self::error(format!(
            "resource mapping not found for name: \"{name}\" namespace: \"{namespace}\" from \"{source}\": no matches for kind \"{kind}\" in version \"{version}\"\nensure CRDs are installed first"
        ))
    }

    /// An ending without further text.
    pub fn code(code: i32) -> Self {
        Self {
            text: Passage::default(),
            code,
            reason: "",
        }
    }

    /// The API server's refusal.
    pub fn server(refusal: &Refusal) -> Self {
        Self {
            text: text(refusal),
            code: 1,
            reason: refusal.reason,
        }
    }

    /// Says what was being done: `error when creating "f.yaml": …`. Invalid objects do not tell.
    pub fn when(mut self, doing: &str, source: &str) -> Self {
        if self.text.starts_with("The ") {
            return self;
        }
        let at = self.text.find(": ").map_or(0, |at| at + 2);
        let doing = format!("error when {doing} \"{source}\": ");
        self.text = self.text.with_inside(at, &doing);
        self
    }

    /// Several, one per line; none is success.
    ///
    /// # Errors
    /// If there is any.
    pub fn all(problems: Vec<Self>) -> Result<(), Self> {
        if problems.is_empty() {
            return Ok(());
        }
        let texts = problems.into_iter().enumerate().map(|(place, problem)| {
            let end = if place > 0 { "\n" } else { "" };
            Passage::from(end).then(problem.text.trimmed())
        });
        Err(Self {
            text: texts.collect(),
            code: 1,
            reason: "",
        })
    }
}

impl From<Output> for Problem {
    fn from(output: Output) -> Self {
        Self {
            text: Passage::from("error: ").then(output.stderr),
            code: output.code,
            reason: "",
        }
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
