use super::*;

fn value(text: &str) -> Value {
    Value::parse_json(text).unwrap()
}

fn deployment(containers: &str, more: &str) -> Value {
    value(&format!(
        r#"{{"apiVersion":"apps/v1","kind":"Deployment","spec":{{{more}"template":{{"spec":{{"containers":{containers}}}}}}}}}"#
    ))
}

#[test]
fn applying_keeps_what_others_wrote_and_removes_what_was_taken_out() {
    let known = schema("apps/v1", "Deployment");
    let original = deployment(
        r#"[{"name":"a","image":"x:1"},{"name":"b","image":"y"}]"#,
        r#""minReadySeconds":5,"#,
    );
    let modified = deployment(r#"[{"name":"a","image":"x:2"}]"#, "");
    let current = deployment(
        r#"[{"name":"side","image":"s"},{"name":"a","image":"x:1","imagePullPolicy":"Always"},{"name":"b","image":"y"}]"#,
        r#""minReadySeconds":5,"replicas":7,"#,
    );
    let expected = deployment(
        r#"[{"name":"side","image":"s"},{"name":"a","image":"x:2","imagePullPolicy":"Always"}]"#,
        r#""replicas":7,"#,
    );
    assert_eq!(
        three_way(&original, &modified, &current, known.as_ref()),
        expected
    );
    assert_eq!(
        three_way(&modified, &modified, &expected, known.as_ref()),
        expected,
        "an empty patch changes nothing"
    );
}

#[test]
fn a_new_strategy_drops_the_old_ones_fields() {
    let known = schema("apps/v1", "Deployment");
    let modified = deployment("[]", r#""strategy":{"type":"Recreate"},"#);
    let current = deployment(
        "[]",
        r#""strategy":{"type":"RollingUpdate","rollingUpdate":{"maxSurge":1}},"#,
    );
    assert_eq!(
        three_way(&Value::Null, &modified, &current, known.as_ref()),
        modified
    );
}

#[test]
fn strategic_patches_obey_directives() {
    let known = schema("apps/v1", "Deployment");
    let current = deployment(r#"[{"name":"a","image":"x"},{"name":"b","image":"y"}]"#, "");
    let patch = value(
        r#"{"spec":{"template":{"spec":{"containers":[{"name":"a","$patch":"delete"},{"name":"c","image":"z"}]}}}}"#,
    );
    assert_eq!(
        strategic(&current, &patch, known.as_ref()),
        Ok(deployment(
            r#"[{"name":"b","image":"y"},{"name":"c","image":"z"}]"#,
            ""
        )),
        "what is new falls into the slot of what was deleted"
    );
    let added =
        value(r#"{"spec":{"template":{"spec":{"containers":[{"name":"c","image":"z"}]}}}}"#);
    assert_eq!(
        strategic(&current, &added, known.as_ref()),
        Ok(deployment(
            r#"[{"name":"c","image":"z"},{"name":"a","image":"x"},{"name":"b","image":"y"}]"#,
            ""
        )),
        "without a deletion it goes first, as in upstream's guide to patches"
    );
    let patch = value(r#"{"spec":{"template":{"spec":{"containers":[{"image":"z"}]}}}}"#);
    assert!(
        strategic(&current, &patch, known.as_ref())
            .unwrap_err()
            .contains("does not contain declared merge key: name")
    );
}

#[test]
fn json_patches_follow_the_rfc() {
    let current = value(r#"{"a":[1,2],"b":{"x/y":1}}"#);
    let patch = value(
        r#"[{"op":"test","path":"/b/x~1y","value":1},{"op":"add","path":"/a/1","value":9},{"op":"remove","path":"/b"},{"op":"add","path":"/a/-","value":3}]"#,
    );
    assert_eq!(
        json_patch(&current, &patch),
        Ok(value(r#"{"a":[1,9,2,3]}"#))
    );
    assert!(
        json_patch(
            &current,
            &value(r#"[{"op":"test","path":"/a/0","value":5}]"#)
        )
        .is_err()
    );
    assert_eq!(
        merge(&current, &value(r#"{"a":null,"b":{"z":[2]}}"#)),
        value(r#"{"b":{"x/y":1,"z":[2]}}"#)
    );
}
