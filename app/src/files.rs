//! The project's files: the examples, and text that holds several files.

use sim_core::protocol::{FAULTS, File, Project, is_fault};

use crate::gallery;

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

/// The text of the page's own file of this name.
#[must_use]
pub fn example(name: &str) -> Option<String> {
    let known = poll().files.into_iter().find(|file| file.name == name);
    known
        .map(|file| file.text)
        .or_else(|| gallery::text(name).map(str::to_owned))
}

/// Whether a file is as the page offers it.
#[must_use]
pub fn is_example(file: &File) -> bool {
    file.text.is_empty() || example(&file.name).is_some_and(|text| text == file.text)
}

/// Name of the file that describes the machines.
pub const CLUSTER: &str = "cluster";

/// What the editors show: the files, the machines, and the fault script. A scenario describes its
/// machines itself.
#[must_use]
pub fn tabs(project: &Project) -> Vec<File> {
    let (described, mut tabs): (Vec<File>, Vec<File>) = project
        .files
        .iter()
        .cloned()
        .partition(|file| file.name == CLUSTER);
    if !matches!(tabs.as_slice(), [only] if only.name.ends_with(".md")) {
        tabs.push(described.into_iter().next().unwrap_or_else(|| File {
            name: CLUSTER.to_owned(),
            text: format!("nodes {}\nseed {}\n", project.nodes, project.seed),
        }));
    }
    tabs.push(File {
        name: FAULTS.to_owned(),
        text: project.faults.join("\n"),
    });
    tabs
}

/// Takes the text of a tab into the project.
pub fn put(project: &mut Project, file: File) {
    if file.name == FAULTS {
        project.faults = file.text.split('\n').map(str::to_owned).collect();
    } else {
        merge(&mut project.files, vec![file]);
    }
}

/// A number of the experiment: as the cluster's text says it, else as given.
#[must_use]
pub fn said(project: &Project, key: &str, given: u64) -> u64 {
    let cluster = project.files.iter().find(|file| file.name == CLUSTER);
    let mut lines = cluster.into_iter().flat_map(|file| file.text.lines());
    lines
        .find_map(|line| line.trim().strip_prefix(key)?.trim().parse().ok())
        .unwrap_or(given)
}

/// Writes such a number where the cluster's text says it.
pub fn say(project: &mut Project, key: &str, number: u64) {
    for file in project.files.iter_mut().filter(|file| file.name == CLUSTER) {
        let lines = file.text.split('\n').map(|line| {
            let old = line.trim().strip_prefix(key).map(str::trim);
            match old.and_then(|old| old.parse::<u64>().ok()) {
                Some(_) => format!("{key} {number}"),
                None => line.to_owned(),
            }
        });
        file.text = lines.collect::<Vec<String>>().join("\n");
    }
}

/// Whether this line of the script, from 0, says a fault.
#[must_use]
pub fn says_fault(project: &Project, line: u32, fault: &str) -> bool {
    let line = project.faults.get(line as usize);
    line.filter(|line| is_fault(line)).is_some_and(|line| {
        let mut words = line.split_whitespace();
        fault
            .split_whitespace()
            .all(|word| words.next() == Some(word))
    })
}

/// The script without this line, if that says the fault.
#[must_use]
pub fn without_fault(project: &Project, line: u32, fault: &str) -> Option<File> {
    says_fault(project, line, fault).then(|| {
        let mut lines = project.faults.clone();
        lines.remove(line as usize);
        File {
            name: FAULTS.to_owned(),
            text: lines.join("\n"),
        }
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_experiments_own_tabs_are_texts_of_its_parts() {
        let mut project = poll();
        let names = |project: &Project| -> Vec<String> {
            tabs(project).into_iter().map(|file| file.name).collect()
        };
        assert_eq!(
            names(&project),
            [
                "compose.yaml",
                "kubernetes.yaml",
                "stack.yml",
                "cluster",
                "faults"
            ]
        );
        assert_eq!(tabs(&project)[3].text, "nodes 3\nseed 42\n");
        for file in tabs(&project) {
            put(&mut project, file);
        }
        assert_eq!(project.faults, poll().faults);
        assert_eq!(said(&project, "nodes", 9), 3);
        say(&mut project, "nodes", 5);
        assert_eq!(tabs(&project)[3].text, "nodes 5\nseed 42\n");
        assert_eq!(said(&poll(), "nodes", 9), 9);
        let mut scenario = blank();
        scenario.files = vec![File {
            name: "a.md".to_owned(),
            text: String::new(),
        }];
        assert_eq!(names(&scenario), ["a.md", "faults"]);
    }

    #[test]
    fn a_fault_is_taken_out_of_the_script_only_if_it_is_that_line() {
        let mut project = poll();
        project.faults = [
            "# why",
            "node-crash  worker-1 at 5s",
            "",
            "registry-down at 9s",
        ]
        .map(str::to_owned)
        .to_vec();
        let left = without_fault(&project, 1, "node-crash worker-1").expect("it is there");
        assert_eq!(left.text, "# why\n\nregistry-down at 9s");
        assert_eq!(without_fault(&project, 1, "node-crash worker-2"), None);
        assert!(without_fault(&project, 3, "registry-down ").is_some());
        for line in [0, 2, 4, u32::MAX] {
            assert_eq!(without_fault(&project, line, "registry-down"), None);
        }
    }

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
