//! The collector looks at what changed: it does what looking at everything would.

use super::{Bench, deployment};
use crate::base::rng::{Seed, Stream};
use crate::base::time::SimDuration;
use crate::kube::Request;
use crate::kube::apiserver::Propagation;
use crate::kube::store::dependents::Dependent;
use crate::manifest::value::Value;

const DEFINITION: &str = r#"{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition",
    "metadata":{"name":"widgets.example.com"},"spec":{"group":"example.com","scope":"Namespaced",
    "names":{"plural":"widgets","singular":"widget","kind":"Widget"},"versions":[{"name":"v1",
    "served":true,"storage":true,"schema":{"openAPIV3Schema":{"type":"object",
    "x-kubernetes-preserve-unknown-fields":true}}}]}}"#;

const NAMESPACES: [&str; 4] = ["default", "default", "default", "other"];

/// Kinds that are made and deleted, with their `apiVersion`; those with a template need more.
const KINDS: [(&str, &str); 8] = [
    ("v1", "ConfigMap"),
    ("v1", "ConfigMap"),
    ("v1", "ConfigMap"),
    ("v1", "Secret"),
    ("v1", "Pod"),
    ("apps/v1", "ReplicaSet"),
    ("apps/v1", "Deployment"),
    ("example.com/v1", "Widget"),
];

struct Script {
    rng: Stream,
    bench: Bench,
    /// Whether every pass looks at everything.
    thorough: bool,
}

impl Script {
    fn new(seed: u64, thorough: bool) -> Self {
        let mut bench = Bench::new(2);
        let space = r#"{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"other"}}"#;
        bench.create(space).unwrap();
        Self {
            rng: Stream::new(Seed(seed), "owners", 0, 0),
            bench,
            thorough,
        }
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        self.rng.pick(from).copied().unwrap()
    }

    fn name(&mut self) -> String {
        format!("o{}", self.rng.below(4))
    }

    fn uid(&self, kind: &str, namespace: &str, name: &str) -> Option<String> {
        let bench = &self.bench;
        let kind = bench.plane.store.kind_of_word(kind)?;
        let view = bench
            .plane
            .view(&bench.symbols, &bench.machines, bench.now, Seed(7));
        let object = view.get(kind, namespace, name)?;
        Some(object.str_at(&["metadata", "uid"])?.to_owned())
    }

    fn references(&mut self) -> String {
        let mut list = Vec::new();
        for _ in 0..self.rng.below(3) {
            let (version, kind) = *self.rng.pick(&KINDS).unwrap();
            let (namespace, name) = (self.pick(&NAMESPACES), self.name());
            let known = self.uid(kind, namespace, &name);
            let uid = known
                .filter(|_| self.rng.below(8) > 0)
                .unwrap_or_else(|| "00000000-0000-4000-8000-000000000000".to_owned());
            let blocks = self.rng.below(2) == 0;
            list.push(format!(
                r#"{{"apiVersion":"{version}","kind":"{kind}","name":"{name}","uid":"{uid}","blockOwnerDeletion":{blocks}}}"#
            ));
        }
        list.join(",")
    }

    fn create(&mut self) {
        let (version, kind) = *self.rng.pick(&KINDS).unwrap();
        let (namespace, name) = (self.pick(&NAMESPACES), self.name());
        let references = self.references();
        let held = self.pick(&["", "", r#""example.com/wait""#]);
        let template = deployment(1, "nginx");
        let start = template.find(r#""spec":"#).unwrap();
        let rest = match kind {
            "Deployment" | "ReplicaSet" => {
                format!(",{}", &template[start..template.len() - 1])
            }
            "Pod" => r#","spec":{"containers":[{"name":"c","image":"nginx"}]}"#.to_owned(),
            _ => String::new(),
        };
        let object = Value::parse_json(&format!(
            r#"{{"apiVersion":"{version}","kind":"{kind}","metadata":{{"name":"{name}","namespace":"{namespace}",
            "finalizers":[{held}],"ownerReferences":[{references}]}}{rest}}}"#
        ))
        .unwrap();
        let namespace = namespace.into();
        let _ = self.bench.request(&Request::Create { object, namespace });
    }

    fn delete(&mut self) {
        let (_, kind) = *self.rng.pick(&KINDS).unwrap();
        let (namespace, name) = (self.pick(&NAMESPACES), self.name());
        let propagation = [
            None,
            Some(Propagation::Foreground),
            Some(Propagation::Orphan),
        ];
        let propagation = *self.rng.pick(&propagation).unwrap();
        let _ = self.bench.request(&Request::Delete {
            kind: kind.into(),
            namespace: namespace.into(),
            name: name.into(),
            propagation,
            grace_seconds: None,
        });
    }

    fn write(&mut self) {
        let (_, kind) = *self.rng.pick(&KINDS).unwrap();
        let (namespace, name) = (self.pick(&NAMESPACES), self.name());
        let references = self.references();
        let bench = &self.bench;
        let Some(known) = bench.plane.store.kind_of_word(kind) else {
            return;
        };
        let view = bench
            .plane
            .view(&bench.symbols, &bench.machines, bench.now, Seed(7));
        let Some(mut object) = view.get(known, namespace, &name) else {
            return;
        };
        if self.rng.below(2) == 0 {
            object.set_path(&["metadata", "finalizers"], Value::list(Vec::new()));
        } else {
            let list = Value::parse_json(&format!("[{references}]")).unwrap();
            object.set_path(&["metadata", "ownerReferences"], list);
        }
        let namespace = namespace.into();
        let _ = self.bench.request(&Request::Update { object, namespace });
    }

    fn define(&mut self) {
        let known = self.bench.plane.store.kind_of_word("Widget").is_some();
        if known {
            let _ = self.bench.request(&Request::Delete {
                kind: "CustomResourceDefinition".into(),
                namespace: "".into(),
                name: "widgets.example.com".into(),
                propagation: None,
                grace_seconds: None,
            });
        } else {
            let _ = self.bench.create(DEFINITION);
        }
    }

    fn run(&mut self, steps: u32) {
        for _ in 0..steps {
            match self.rng.below(80) {
                0 => self.define(),
                1..=44 => self.create(),
                45..=64 => self.delete(),
                _ => self.write(),
            }
            let until = self.bench.now + SimDuration::from_millis(u64::from(self.rng.below(4_000)));
            while let Some((&(at, number), &item)) = self.bench.queue.first_key_value()
                && at <= until
            {
                self.bench.queue.remove(&(at, number));
                self.bench.now = at;
                if self.thorough {
                    self.bench.plane.store.look_at_all_dependents();
                }
                self.bench.step(item);
                assert!(
                    self.bench.plane.store.dependents_agree(),
                    "the index at {at:?}"
                );
            }
            self.bench.now = until;
        }
    }

    fn lines(&self) -> Vec<String> {
        let line = |(at, notice): &(_, crate::des::notice::Notice)| format!("{at:?} {notice:?}");
        self.bench.trace.iter().map(line).collect()
    }
}

#[test]
fn a_pass_over_what_changed_does_what_one_over_everything_would() {
    let mut deletions = 0;
    for seed in 0..8 {
        let mut quick = Script::new(seed, false);
        let mut thorough = Script::new(seed, true);
        quick.run(400);
        thorough.run(400);
        let (lines, wanted) = (quick.lines(), thorough.lines());
        for (line, wanted) in lines.iter().zip(&wanted) {
            assert_eq!(line, wanted, "seed {seed}");
        }
        assert_eq!(lines.len(), wanted.len(), "seed {seed}");
        let kinds = ["ConfigMap", "Secret", "Pod", "ReplicaSet", "Deployment"];
        for kind in kinds {
            assert_eq!(quick.bench.list(kind), thorough.bench.list(kind), "{kind}");
        }
        deletions += quick.bench.times("kube.garbage-collector", "delete").len();
    }
    assert!(deletions > 100, "{deletions} deletions of the collector's");
}

#[test]
fn a_pass_is_given_what_changed_however_many_items_there_are() {
    for count in [10, 1_000] {
        let mut bench = Bench::new(1);
        let plain = |name: &str, more: &str| {
            format!(
                r#"{{"apiVersion":"v1","kind":"ConfigMap","metadata":{{"name":"{name}"{more}}}}}"#
            )
        };
        let owner = |name: &str, uid: &str| {
            format!(
                r#","ownerReferences":[{{"apiVersion":"v1","kind":"ConfigMap","name":"{name}","uid":"{uid}"}}]"#
            )
        };
        for name in ["kept", "gone"] {
            bench.create(&plain(name, "")).unwrap();
        }
        let uid_of = |bench: &Bench, name: &str| {
            let object = bench.get("configmap", name);
            object.str_at(&["metadata", "uid"]).unwrap().to_owned()
        };
        let (kept, gone) = (uid_of(&bench, "kept"), uid_of(&bench, "gone"));
        for number in 0..count {
            let name = format!("c{number}");
            bench.create(&plain(&name, &owner("kept", &kept))).unwrap();
        }
        bench.create(&plain("last", &owner("gone", &gone))).unwrap();
        bench.run(1);
        let delete = Request::Delete {
            kind: "ConfigMap".into(),
            namespace: "default".into(),
            name: "gone".into(),
            propagation: None,
            grace_seconds: None,
        };
        bench.request(&delete).unwrap();
        let mut given = Vec::new();
        bench.with(|_, turn| {
            let mut last = None;
            while let Some(item) = turn.store.next_fresh(last.as_ref(), turn.ctx.symbols) {
                given.push(item.clone());
                last = Some(item);
            }
        });
        let [Dependent::Document(key)] = &given[..] else {
            panic!("{given:?}");
        };
        assert_eq!(&*key.name, "last");
    }
}
