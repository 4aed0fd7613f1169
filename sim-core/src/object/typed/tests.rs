//! Owning and merging at their edges.

use super::compare::compare;
use super::field_set::{field_set, with_named};
use super::merge::merge;
use super::remove::remove;
use super::{Shape, Typed, kubernetes};
use crate::manifest::value::Value;
use crate::object::fields::FieldSet;

fn value(text: &str) -> Value {
    Value::parse_json(text).unwrap()
}

#[test]
fn a_pod_is_owned_container_by_container() {
    let root = Shape::Type(
        kubernetes()
            .kind("v1", "Pod")
            .and_then(|kind| kind.root)
            .unwrap(),
    );
    let typed = Typed::Table(&root, None);
    let one = value(
        r#"{"spec":{"nodeSelector":{"a":"b"},"containers":[{"name":"a","image":"x","ports":[{"containerPort":80}]}]}}"#,
    );
    let set = field_set(&one, typed).unwrap();
    assert_eq!(
        set.paths(),
        [
            ".spec.containers[name=\"a\"]",
            ".spec.containers[name=\"a\"].image",
            ".spec.containers[name=\"a\"].name",
            ".spec.containers[name=\"a\"].ports[containerPort=80,protocol=\"TCP\"]",
            ".spec.containers[name=\"a\"].ports[containerPort=80,protocol=\"TCP\"].containerPort",
            ".spec.nodeSelector",
        ]
    );
    assert_eq!(FieldSet::from_value(&set.to_value()), set);
    let two = value(r#"{"spec":{"containers":[{"name":"b"},{"name":"a","image":"y"}]}}"#);
    let merged = merge(&one, &two, typed);
    let names: Vec<_> = ["0", "1"]
        .iter()
        .map(|index| merged.str_at(&["spec", "containers", index, "name"]))
        .collect();
    assert_eq!(names, [Some("b"), Some("a")]);
    assert_eq!(
        merged.i64_at(&["spec", "containers", "1", "ports", "0", "containerPort"]),
        Some(80)
    );
    assert_eq!(
        compare(&one, &merged, typed).modified.paths(),
        [".spec.containers[name=\"a\"].image"]
    );
    let left = remove(&merged, &with_named(&set, typed), typed);
    assert_eq!(left, Value::Null);
}

#[test]
fn items_of_one_key_are_refused() {
    let root = Shape::Type(
        kubernetes()
            .kind("v1", "Pod")
            .and_then(|kind| kind.root)
            .unwrap(),
    );
    let twice = value(r#"{"spec":{"containers":[{"name":"a"},{"name":"a"},{"image":"x"}]}}"#);
    assert_eq!(
        field_set(&twice, Typed::Table(&root, None)).unwrap_err(),
        [
            ".spec.containers: duplicate entries for key [name=\"a\"]",
            ".spec.containers: element 2: associative list with keys has an element that omits all key fields [\"name\"] (and doesn't have default values for any key fields)"
        ]
    );
}
