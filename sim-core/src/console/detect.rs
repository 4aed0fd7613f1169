//! What each file of the input is: Kubernetes documents, a stack, Compose, or a file to mount.
//!
//! Works on the keys at the left margin, so that a file with a YAML error is still recognised and
//! its error is shown. Rules: design §3.1.

use std::sync::Arc;

use crate::manifest::lines::Source;

/// Names under which Compose looks for its file, first match first.
/// Source: `compose-spec/compose-go cli/options.go` (order of design §3.1).
pub const COMPOSE_NAMES: [&str; 4] = ["compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml"];

/// The input by kind.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    /// Kubernetes manifests in name order.
    pub kube: Vec<Source>,
    /// The stack file.
    pub stack: Option<Source>,
    /// Compose files; later ones are merged over earlier ones.
    pub compose: Vec<Source>,
}

/// What one file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// Documents with `apiVersion` and `kind`.
    Kubernetes,
    /// `services:` and a name that contains `stack`.
    Stack,
    /// `services:`.
    Compose,
    /// Anything else.
    Mounted,
}

/// What a file is by its name and text.
pub fn kind(name: &str, text: &str) -> FileKind {
    let base = name.rsplit('/').next().unwrap_or(name);
    let yaml = [".yaml", ".yml", ".json"].iter().any(|ending| base.ends_with(ending));
    if !yaml {
        return FileKind::Mounted;
    }
    let key = |wanted: &str| {
        text.lines().any(|line| {
            let line = line.trim_start_matches('\u{feff}').trim_start_matches("--- ");
            line.strip_prefix(wanted).is_some_and(|rest| rest.trim_start().starts_with(':'))
        }) || (text.trim_start().starts_with(['{', '[']) && text.contains(&format!("\"{wanted}\"")))
    };
    if key("apiVersion") || (key("kind") && !key("services")) {
        FileKind::Kubernetes
    } else if key("services") {
        if base.contains("stack") { FileKind::Stack } else { FileKind::Compose }
    } else {
        FileKind::Mounted
    }
}

/// Sorts the files. `stack` and `compose` name files that were chosen by hand.
///
/// # Errors
/// A sentence that names the candidates when the choice is open.
pub fn detect(files: &[(String, Arc<str>)], stack: Option<&str>, compose: &[String]) -> Result<Inputs, String> {
    let mut inputs = Inputs::default();
    let mut stacks: Vec<&(String, Arc<str>)> = Vec::new();
    let mut composes: Vec<&(String, Arc<str>)> = Vec::new();
    for file in files {
        if stack == Some(file.0.as_str()) || compose.contains(&file.0) {
            continue;
        }
        match kind(&file.0, &file.1) {
            FileKind::Kubernetes => inputs.kube.push(Source::new(&file.0, &file.1)),
            FileKind::Stack => stacks.push(file),
            FileKind::Compose => composes.push(file),
            FileKind::Mounted => {}
        }
    }
    let named = |name: &str| files.iter().find(|(known, _)| known == name).map(|(name, text)| Source::new(name, text));
    inputs.stack = match (stack, stacks.as_slice()) {
        (Some(name), _) => named(name),
        (None, []) => None,
        (None, [(name, text)]) => Some(Source::new(name, text)),
        (None, many) => return Err(format!("several stack files: {}; choose one with --stack FILE", list(many))),
    };
    if !compose.is_empty() {
        inputs.compose = compose.iter().filter_map(|name| named(name)).collect();
        return Ok(inputs);
    }
    let usual = COMPOSE_NAMES.iter().find_map(|wanted| {
        let mut found: Vec<&&(String, Arc<str>)> = composes.iter().filter(|(name, _)| name.rsplit('/').next() == Some(wanted)).collect();
        found.sort_by_key(|(name, _)| name.matches('/').count());
        found.first().map(|(name, text)| Source::new(name, text))
    });
    inputs.compose = match (usual, composes.as_slice()) {
        (Some(source), _) => vec![source],
        (None, []) => Vec::new(),
        (None, [(name, text)]) => vec![Source::new(name, text)],
        (None, many) => return Err(format!("several Compose files: {}; choose with --compose FILE", list(many))),
    };
    Ok(inputs)
}

fn list(files: &[&(String, Arc<str>)]) -> String {
    files.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds() {
        assert_eq!(kind("a.yaml", "apiVersion: v1\nkind: Pod\n"), FileKind::Kubernetes);
        assert_eq!(kind("docker-stack.yml", "version: '3'\nservices:\n"), FileKind::Stack);
        assert_eq!(kind("docker-compose.images.yml", "services:\n  a:\n"), FileKind::Compose);
        assert_eq!(kind("healthchecks/redis.sh", "services:\n"), FileKind::Mounted);
        assert_eq!(kind("x.yaml", "apiVersion: [\n"), FileKind::Kubernetes);
    }

    #[test]
    fn usual_names_win() {
        let file = |name: &str| (name.to_owned(), Arc::from("services: {}"));
        let inputs = detect(&[file("other.yml"), file("compose.yml")], None, &[]).expect("one choice");
        assert_eq!(&*inputs.compose[0].name, "compose.yml");
        let error = detect(&[file("a.yml"), file("b.yml")], None, &[]).expect_err("open");
        assert!(error.contains("a.yml, b.yml"), "{error}");
    }
}
