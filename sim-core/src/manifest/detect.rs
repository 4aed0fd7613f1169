//! Which of the files given are manifests, and of which dialect.
//!
//! ```text
//! apiVersion and kind           -> Kubernetes
//! services, name has `stack`    -> stack
//! services                      -> Compose: the file of the usual name, else the only one
//! anything else                 -> a file that containers may mount
//! ```

use std::sync::Arc;

use crate::base::sentence::{Sentence, catalogue};
use crate::manifest::decode;
use crate::manifest::diagnostic::{Diagnostic, Severity};
use crate::manifest::explain;
use crate::manifest::lines::{Source, Span};
use crate::manifest::scalar::Dialect;
use crate::manifest::tree::Node;

/// Names that Compose looks for, best first, as the command line promises them.
pub const COMPOSE_NAMES: [&str; 4] = [
    "compose.yaml",
    "compose.yml",
    "docker-compose.yaml",
    "docker-compose.yml",
];

/// The files by what they are.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    /// Files with Kubernetes documents, in the order given.
    pub kube: Vec<Source>,
    /// The stack file.
    pub stack: Option<Source>,
    /// The Compose files, the later on top of the earlier.
    pub compose: Vec<Source>,
    /// All other files; manifests that were not chosen are among them.
    pub files: Vec<Source>,
}

/// What the user has said about the files.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wishes<'a> {
    /// `--stack FILE`.
    pub stack: Option<&'a str>,
    /// `--compose FILE`, repeatable.
    pub compose: &'a [&'a str],
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Kubernetes,
    Services,
    Other,
}

/// Sorts files, given as name and text, into what they are.
pub fn detect(files: &[(Arc<str>, Arc<str>)], wishes: Wishes<'_>) -> (Inputs, Vec<Diagnostic>) {
    let sources: Vec<Source> = files
        .iter()
        .map(|(name, text)| Source::new(name, text))
        .collect();
    let kinds: Vec<Kind> = sources.iter().map(kind).collect();
    let mut problems = Vec::new();
    let stack = choose_stack(&sources, &kinds, wishes, &mut problems);
    let compose = choose_compose(&sources, &kinds, wishes, stack, &mut problems);
    let mut inputs = Inputs {
        stack: stack.map(|index| sources[index].clone()),
        compose: compose
            .iter()
            .map(|index| sources[*index].clone())
            .collect(),
        ..Inputs::default()
    };
    for (index, source) in sources.into_iter().enumerate() {
        if kinds[index] == Kind::Kubernetes {
            inputs.kube.push(source);
        } else if stack != Some(index) && !compose.contains(&index) {
            inputs.files.push(source);
        }
    }
    (inputs, problems)
}

fn choose_stack(
    sources: &[Source],
    kinds: &[Kind],
    wishes: Wishes<'_>,
    problems: &mut Vec<Diagnostic>,
) -> Option<usize> {
    if let Some(name) = wishes.stack {
        return find(sources, name, problems);
    }
    let named = |index: &usize| {
        kinds[*index] == Kind::Services
            && !wishes.compose.contains(&&*sources[*index].name)
            && base_name(&sources[*index].name)
                .to_lowercase()
                .contains("stack")
    };
    let candidates: Vec<usize> = (0..sources.len()).filter(named).collect();
    if candidates.len() > 1 {
        problems.push(ambiguous(sources, &candidates, Role::Stack));
        return None;
    }
    candidates.first().copied()
}

fn choose_compose(
    sources: &[Source],
    kinds: &[Kind],
    wishes: Wishes<'_>,
    stack: Option<usize>,
    problems: &mut Vec<Diagnostic>,
) -> Vec<usize> {
    if !wishes.compose.is_empty() {
        return wishes
            .compose
            .iter()
            .filter_map(|name| find(sources, name, problems))
            .collect();
    }
    let is_stack = |name: &str| base_name(name).to_lowercase().contains("stack");
    let candidates: Vec<usize> = (0..sources.len())
        .filter(|index| {
            kinds[*index] == Kind::Services
                && stack != Some(*index)
                && !is_stack(&sources[*index].name)
        })
        .collect();
    // The usual names by rank, and the folder nearest to the top among equals.
    let rank = |index: usize| {
        let name = &sources[index].name;
        let place = COMPOSE_NAMES
            .iter()
            .position(|usual| *usual == base_name(name))?;
        Some((name.matches('/').count(), place))
    };
    let best = candidates.iter().filter_map(|index| rank(*index)).min();
    let chosen: Vec<usize> = match best {
        Some(best) => candidates
            .iter()
            .copied()
            .filter(|index| rank(*index) == Some(best))
            .collect(),
        None => candidates
            .iter()
            .copied()
            .filter(|index| !is_override(&sources[*index].name))
            .collect(),
    };
    let first = match chosen.as_slice() {
        [] => return Vec::new(),
        [only] => *only,
        _ => {
            problems.push(ambiguous(sources, &chosen, Role::Compose));
            return Vec::new();
        }
    };
    let over = candidates
        .iter()
        .copied()
        .find(|index| overrides(&sources[*index].name, &sources[first].name));
    [first].into_iter().chain(over).collect()
}

/// What a file of services is for.
#[derive(Clone, Copy)]
enum Role {
    Stack,
    Compose,
}

fn is_override(name: &str) -> bool {
    base_name(name).contains(".override.")
}

/// Whether `name` is the override file that Compose adds to `base` by itself.
fn overrides(name: &str, base: &str) -> bool {
    if !COMPOSE_NAMES.contains(&base_name(base)) || !is_override(name) {
        return false;
    }
    let stem = |name: &str| {
        name.rsplit_once('.')
            .map_or(name.to_owned(), |(stem, _)| stem.replace(".override", ""))
    };
    stem(name) == stem(base)
}

fn find(sources: &[Source], name: &str, problems: &mut Vec<Diagnostic>) -> Option<usize> {
    let matches = |source: &Source| {
        let known = source.name.strip_prefix("./").unwrap_or(&source.name);
        let name = name.strip_prefix("./").unwrap_or(name);
        known == name
            || known
                .strip_suffix(name)
                .is_some_and(|front| front.ends_with('/'))
    };
    let found = sources.iter().position(matches);
    if found.is_none() {
        problems.push(problem(
            explain::FILES_MISSING,
            name,
            format!("open {name}: no such file or directory"),
        ));
    }
    found
}

fn ambiguous(sources: &[Source], candidates: &[usize], role: Role) -> Diagnostic {
    let names: Vec<&str> = candidates
        .iter()
        .map(|index| &*sources[*index].name)
        .collect();
    let first = *names.first().unwrap_or(&"");
    let (what, help) = match role {
        Role::Stack => (catalogue::FILE_STACK, catalogue::NAME_STACK),
        Role::Compose => (catalogue::FILE_COMPOSE, catalogue::NAME_COMPOSE),
    };
    let message = catalogue::FILES_ALIKE
        .with(&[("names", &names.join(", "))])
        .and("what", what.plain())
        .advise(help.with(&[("file", &first)]));
    problem(explain::FILES_AMBIGUOUS, first, message)
}

fn problem(
    code: crate::manifest::diagnostic::Code,
    file: &str,
    message: impl Into<Sentence>,
) -> Diagnostic {
    Diagnostic::of(
        code,
        Severity::Error,
        (file.into(), Span::default()),
        message,
    )
}

fn base_name(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

fn kind(source: &Source) -> Kind {
    let base = base_name(&source.name);
    let ends = [".yaml", ".yml", ".json"]
        .iter()
        .any(|end| base.to_ascii_lowercase().ends_with(end));
    if !ends && base.contains('.') {
        return Kind::Other;
    }
    if !ends
        && !matches!(base, "-" | "STDIN")
        && !mentions(&source.text, "services")
        && !mentions(&source.text, "kind")
    {
        return Kind::Other;
    }
    let (documents, problems) = decode::documents(source, Dialect::Compose);
    if documents.iter().any(is_kubernetes) {
        return Kind::Kubernetes;
    }
    if documents
        .iter()
        .any(|document| document.get("services").is_some())
    {
        return Kind::Services;
    }
    // What cannot be read still has a first column, and the reader will say what is wrong.
    if problems.is_empty() {
        Kind::Other
    } else if mentions(&source.text, "apiVersion") || mentions(&source.text, "kind") {
        Kind::Kubernetes
    } else if mentions(&source.text, "services") {
        Kind::Services
    } else {
        Kind::Other
    }
}

/// Both words, or one of them and a part that only objects have: the other was forgotten.
fn is_kubernetes(document: &Node) -> bool {
    let has = |key: &str| document.get(key).is_some();
    let words = usize::from(has("apiVersion")) + usize::from(has("kind"));
    words == 2 || words == 1 && (has("metadata") && !has("services") || has("items"))
}

fn mentions(text: &str, key: &str) -> bool {
    text.lines().any(|line| {
        line.strip_prefix(key)
            .is_some_and(|rest| rest.starts_with(':'))
    })
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::{Wishes, detect};

    fn check(files: &[(&str, &str)], wishes: Wishes<'_>, expected: &Expect) {
        let files: Vec<_> = files
            .iter()
            .map(|(name, text)| ((*name).into(), (*text).into()))
            .collect();
        let (inputs, problems) = detect(&files, wishes);
        let names = |sources: &[crate::manifest::lines::Source]| {
            sources
                .iter()
                .map(|source| source.name.to_string())
                .collect::<Vec<_>>()
                .join(" ")
        };
        let mut seen = format!(
            "kubernetes: {}\nstack: {}\ncompose: {}\nfiles: {}\n",
            names(&inputs.kube),
            names(inputs.stack.as_slice()),
            names(&inputs.compose),
            names(&inputs.files)
        );
        problems
            .iter()
            .for_each(|problem| seen.push_str(&problem.render(None)));
        expected.assert_eq(&seen);
    }

    const SERVICES: &str = "services: {a: {image: a}}\n";
    const OBJECT: &str = "apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n";

    #[test]
    fn a_folder_with_everything() {
        check(
            &[
                ("app/docker-stack.yml", SERVICES),
                ("app/docker-compose.yml", SERVICES),
                ("app/docker-compose.override.yml", SERVICES),
                ("app/docker-compose.images.yml", SERVICES),
                ("app/k8s/a.yaml", OBJECT),
                ("app/k8s/broken.yaml", "apiVersion: v1\nkind: [\n"),
                ("app/k8s/forgot.yaml", "kind: Pod\nmetadata: {name: a}\n"),
                ("app/check.sh", "#!/bin/sh\n"),
                ("app/conf.yaml", "a: 1\n"),
            ],
            Wishes::default(),
            &expect![[r#"
                kubernetes: app/k8s/a.yaml app/k8s/broken.yaml app/k8s/forgot.yaml
                stack: app/docker-stack.yml
                compose: app/docker-compose.yml app/docker-compose.override.yml
                files: app/docker-compose.images.yml app/check.sh app/conf.yaml
            "#]],
        );
    }

    #[test]
    fn unusual_names_must_be_clear() {
        check(
            &[("a.yaml", SERVICES)],
            Wishes::default(),
            &expect![[r#"
            kubernetes: 
            stack: 
            compose: a.yaml
            files: 
        "#]],
        );
        check(
            &[("a.yaml", SERVICES), ("b.yaml", SERVICES)],
            Wishes::default(),
            &expect![[r#"
                kubernetes: 
                stack: 
                compose: 
                files: a.yaml b.yaml
                a.yaml: error FIL001: several could be the Compose file: a.yaml, b.yaml
                  help: name the one that is meant compose.yaml, or say --compose a.yaml
            "#]],
        );
        let wishes = Wishes {
            stack: Some("a.yaml"),
            compose: &["./b.yaml", "c.yaml"],
        };
        check(
            &[("a.yaml", SERVICES), ("b.yaml", SERVICES)],
            wishes,
            &expect![[r#"
            kubernetes: 
            stack: a.yaml
            compose: b.yaml
            files: 
            c.yaml: error FIL002: open c.yaml: no such file or directory
        "#]],
        );
    }
}
