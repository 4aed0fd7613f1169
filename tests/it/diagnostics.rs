//! What the editor gets: several findings in one file at their tokens, suggestions, and completion and
//! meaning of every field that the tables know.

use sim_core::console::open::open;
use sim_core::host::assist::{complete, hover};
use sim_core::host::check;
use sim_core::manifest::schema::table::{self, Shape, Table, TypeId};
use sim_core::protocol::{Answer, Diagnostic, File, Project, Said};

/// Levels that the walk through the fields goes down; deeper ones repeat types met before.
const LEVELS: usize = 9;

fn found(text: &str) -> Vec<Diagnostic> {
    let project = Project {
        files: vec![File {
            name: "web.yaml".to_owned(),
            text: text.to_owned(),
        }],
        nodes: 1,
        ..Project::default()
    };
    let experiment = check::experiment(&project).expect("a project");
    check::diagnostics(&open(&experiment).expect("a cluster"))
}

/// What the real tools say of it.
fn quoted(finding: &Diagnostic) -> String {
    match &finding.message {
        Said::Plain(text) => text.clone(),
        Said::Own { key, .. } => panic!("{key} is Podium's own"),
    }
}

/// The text that a finding marks, cut as editors count: in UTF-16 units.
fn marked(text: &str, finding: &Diagnostic) -> String {
    let units: Vec<u16> = text.encode_utf16().collect();
    let (from, to) = (finding.from as usize, finding.to as usize);
    String::from_utf16(&units[from..to]).expect("whole letters")
}

#[test]
fn one_file_shows_all_its_findings_at_their_tokens() {
    let text = "# 𝄞 größer 註解
apiVersion: apps/v1
kind: Deployment
metadata: {name: wéb, labels: {note: \"𝄞𝄞\"}}
spec:
  replica: 2
  replicas: many
---
apiVersion: apps/v1
kind: Deploiment
metadata: {name: two}
---
apiVersion: extensions/v1beta1
kind: Ingress
metadata: {name: three}
---
apiVersion: v1
kind: Service
metadata: {name: four}
spec: {ports: [{port: 99999}]}
";
    let all = found(text);
    let tokens: Vec<(String, String)> = all
        .iter()
        .map(|one| (marked(text, one), quoted(one)))
        .collect();
    let said = |token: &str, words: &str| {
        assert!(
            tokens
                .iter()
                .any(|(at, message)| at == token && message.contains(words)),
            "{token} {words}: {tokens:#?}"
        );
    };
    said("replica", "unknown field \"spec.replica\"");
    said("many", "cannot unmarshal string");
    said("Deploiment", "no matches for kind \"Deploiment\"");
    said("extensions/v1beta1", "no matches for kind \"Ingress\"");
    said("99999", "must be between 1 and 65535");
    said("wéb", "a lowercase RFC 1123 subdomain");
    let help = |token: &str, words: &str| {
        assert!(
            all.iter().any(|one| marked(text, one) == token
                && format!("{:?} {:?}", one.help, one.fix).contains(words)),
            "{token} {words}: {all:#?}"
        );
    };
    help("replica", "replicas");
    help("Deploiment", "Deployment");
    help("extensions/v1beta1", "networking.k8s.io/v1");
}

#[test]
fn after_broken_text_the_next_document_is_read() {
    let text = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n bad: 1\n---\napiVersion: v1\nkind: Servce\nmetadata: {name: b}\n";
    let all = found(text);
    assert!(
        all.iter()
            .any(|one| quoted(one).contains("did not find expected key")),
        "{all:#?}"
    );
    assert!(
        all.iter().any(|one| marked(text, one) == "Servce"),
        "{all:#?}"
    );
}

/// A way to a field: names, with whether a list stands there.
type Way = Vec<(String, bool)>;

/// Every structure that can be reached from a kind, each once, with its way.
fn structures(table: &'static Table, root: TypeId) -> Vec<(TypeId, Way)> {
    let mut all: Vec<(TypeId, Way)> = vec![(root, Vec::new())];
    let mut at = 0;
    while at < all.len() {
        let (id, way) = all[at].clone();
        at += 1;
        if way.len() >= LEVELS {
            continue;
        }
        for field in &table.get(id).fields {
            let (inner, is_list) = match &field.shape {
                Shape::List(inner) => (&**inner, true),
                other => (other, false),
            };
            if let Shape::Type(inner) = inner
                && !all.iter().any(|(known, _)| known == inner)
                && !(way.is_empty() && &*field.name == "status")
            {
                let mut way = way.clone();
                way.push((field.name.to_string(), is_list));
                all.push((*inner, way));
            }
        }
    }
    all
}

/// A manifest that is written down to a place, and the indentation of what comes there.
fn manifest(api_version: &str, kind: &str, way: &Way) -> String {
    let mut text = format!("apiVersion: {api_version}\nkind: {kind}\n");
    let mut indent = String::new();
    for (name, is_list) in way {
        let dash = if *is_list { "- " } else { "" };
        text.push_str(&format!("{name}:\n{indent}  {dash}"));
        indent.push_str(if *is_list { "    " } else { "  " });
    }
    text
}

#[test]
fn every_field_of_every_kind_is_offered_and_explained() {
    let table = table::kubernetes();
    let mut count = 0;
    for kind in table.kinds() {
        let Some(root) = kind.root else { continue };
        for (id, way) in structures(table, root) {
            let before = manifest(&kind.api_version, &kind.kind, &way);
            let file = |text: String| File {
                name: "a.yaml".to_owned(),
                text,
            };
            let place = u32::try_from(before.len()).expect("short");
            let offered = match complete(&file(before.clone()), place) {
                Answer::Words { words, .. } => words,
                _ => Vec::new(),
            };
            for field in &table.get(id).fields {
                let name = &*field.name;
                if way.is_empty() && matches!(name, "apiVersion" | "kind" | "status") {
                    continue;
                }
                count += 1;
                assert!(
                    offered.iter().any(|word| word.label == name),
                    "{} {way:?}: {name} is not offered",
                    kind.kind
                );
                let text = format!("{before}{name}: x\n");
                let Answer::Meaning { lines, .. } = hover(&file(text), place + 1, &[]) else {
                    panic!("{} {way:?}: {name} is not explained", kind.kind)
                };
                let own = ("name".to_owned(), Said::from(name));
                assert!(
                    matches!(&lines[0], Said::Own { parts, .. } if parts.contains(&own)),
                    "{} {way:?}: {name} is {lines:?}",
                    kind.kind
                );
            }
        }
    }
    assert!(count > 2_000, "only {count} fields were looked at");
}
