//! The project's files: the examples, text that holds several files, and what the browser keeps.

use sim_core::protocol::{self, File, Project};

use crate::dom;

/// Key of the last session in the browser's store.
const SESSION: &str = "podium.session";

/// Raised when a project's shape changes: sessions outlive builds.
const SESSION_VERSION: &str = "2";

/// Longest session that is kept, in bytes: browsers give a page a few megabytes.
const SESSION_BYTES_MAX: usize = 2 << 20;

fn project(files: &[(&str, &str)], faults: &[&str]) -> Project {
    Project {
        files: files
            .iter()
            .map(|(name, text)| File {
                name: (*name).to_owned(),
                text: (*text).to_owned(),
            })
            .collect(),
        nodes: 3,
        seed: 42,
        faults: faults.iter().map(|fault| (*fault).to_owned()).collect(),
        length_us: 900_000_000,
    }
}

/// The default example: a poll, and a machine that runs it dies.
#[must_use]
pub fn poll() -> Project {
    let files = [
        (
            "compose.yaml",
            include_str!("../../examples/poll/compose.yaml"),
        ),
        (
            "kubernetes.yaml",
            include_str!("../../examples/poll/kubernetes.yaml"),
        ),
        ("stack.yml", include_str!("../../examples/poll/stack.yml")),
    ];
    project(&files, &["node-crash of:poll at 60s"])
}

/// Machines and nothing on them.
#[must_use]
pub fn blank() -> Project {
    project(
        &[
            ("compose.yaml", ""),
            ("kubernetes.yaml", ""),
            ("stack.yml", ""),
        ],
        &[],
    )
}

/// Puts files in the order in which a directory is read: by name, level by level.
pub fn sort(files: &mut [File]) {
    files.sort_by(|one, two| one.name.split('/').cmp(two.name.split('/')));
}

/// Adds files; one of the same name is replaced.
pub fn merge(files: &mut Vec<File>, added: Vec<File>) {
    for file in added {
        match files.iter_mut().find(|known| known.name == file.name) {
            Some(known) => *known = file,
            None => files.push(file),
        }
    }
    sort(files);
}

/// Splits pasted text into files. A line `# file: NAME` begins a file; text before the first such
/// line, or all of it without one, is named after what it seems to be.
#[must_use]
pub fn split(text: &str) -> Vec<File> {
    let mut files: Vec<File> = Vec::new();
    let mut name = None;
    let mut body = String::new();
    let mut finish = |name: Option<String>, body: &mut String| {
        let text = std::mem::take(body);
        if name.is_some() || !text.trim().is_empty() {
            let name = name.unwrap_or_else(|| guess(&text).to_owned());
            merge(&mut files, vec![File { name, text }]);
        }
    };
    for line in text.split_inclusive('\n') {
        match line.trim().strip_prefix("# file:").map(str::trim) {
            Some(next) if !next.is_empty() => {
                finish(name.take(), &mut body);
                name = Some(next.to_owned());
            }
            Some(_) | None => body.push_str(line),
        }
    }
    finish(name, &mut body);
    files
}

/// The name under which a text of this kind is usually found.
fn guess(text: &str) -> &'static str {
    let has = |key: &str| text.lines().any(|line| line.starts_with(key));
    if has("apiVersion:") || has("kind:") {
        "kubernetes.yaml"
    } else if has("services:")
        && text
            .lines()
            .any(|line| line.trim_start().starts_with("deploy:"))
    {
        "stack.yml"
    } else {
        "compose.yaml"
    }
}

/// All files as one text that [`split`] reads back.
#[must_use]
pub fn join(files: &[File]) -> String {
    let mut text = String::new();
    for file in files {
        text.push_str(&format!("# file: {}\n{}", file.name, file.text));
        if !file.text.ends_with('\n') {
            text.push('\n');
        }
    }
    text
}

/// Keeps the session in the browser, for this tab and as the last one for new tabs. Two tabs do not
/// take each other's work away. Returns whether the browser took it.
pub fn keep(project: &Project) -> bool {
    let bytes = protocol::encode(project);
    if bytes.len() > SESSION_BYTES_MAX {
        return false;
    }
    let Some(text) = dom::to_base64(&bytes) else {
        return false;
    };
    let text = format!("{SESSION_VERSION}.{text}");
    let own = dom::keep_for_tab(SESSION, Some(&text));
    dom::keep(SESSION, Some(&text)) || own
}

/// Forgets it.
pub fn forget() {
    dom::keep_for_tab(SESSION, None);
    dom::keep(SESSION, None);
}

/// The kept session; none if there is none or it is of another version.
#[must_use]
pub fn kept() -> Option<Project> {
    let text = dom::kept_for_tab(SESSION).or_else(|| dom::kept(SESSION))?;
    let (version, text) = text.split_once('.')?;
    if version != SESSION_VERSION {
        return None;
    }
    protocol::decode(&dom::from_base64(text)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pasted_text_becomes_files() {
        let files = split("# file: a/one.yaml\nkind: Pod\n# file: two.yml\nservices: {}\n");
        let names: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
        assert_eq!(names, ["a/one.yaml", "two.yml"]);
        assert_eq!(files[0].text, "kind: Pod\n");
        assert_eq!(split(&join(&files)), files);
    }

    #[test]
    fn text_without_names_is_named_after_its_kind() {
        assert_eq!(
            split("apiVersion: v1\nkind: Pod\n")[0].name,
            "kubernetes.yaml"
        );
        assert_eq!(
            split("services:\n  a:\n    deploy: {}\n")[0].name,
            "stack.yml"
        );
        assert_eq!(split("services: {}\n")[0].name, "compose.yaml");
        assert!(split("  \n").is_empty());
    }

    #[test]
    fn files_stand_in_the_order_of_a_directory() {
        let named = |name: &str| File {
            name: name.to_owned(),
            text: String::new(),
        };
        let mut files = vec![
            named("k8s-more.yaml"),
            named("k8s/b.yaml"),
            named("k8s/a.yaml"),
            named("a.yml"),
        ];
        sort(&mut files);
        let names: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
        assert_eq!(
            names,
            ["a.yml", "k8s/a.yaml", "k8s/b.yaml", "k8s-more.yaml"]
        );
    }
}
