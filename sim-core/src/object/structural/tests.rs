//! Schemas at their edges.

use super::regex::Regex;
use super::{Fault, defaults, parse, prune, validate};
use crate::manifest::value::Value;

fn value(text: &str) -> Value {
    Value::parse_json(text).unwrap()
}

fn lines(faults: &[Fault]) -> Vec<String> {
    faults
        .iter()
        .map(|fault| format!("{}: {}", fault.field, &*fault.message))
        .collect()
}

#[test]
fn patterns_match_as_re2_has_it() {
    let cases = [
        ("^[a-z]([-a-z0-9]*[a-z0-9])?$", "web-1", true),
        ("^[a-z]([-a-z0-9]*[a-z0-9])?$", "web-", false),
        ("b+", "abc", true),
        ("^(a|bc){2,3}$", "abca", true),
        ("^(a|bc){2,3}$", "a", false),
        (r"^\d+(\.\d+)?$", "10.5", true),
        (r"^[^\s/]+$", "a b", false),
        ("(?i)^abc$", "ABC", true),
        ("^$", "", true),
        (r"^(\w+)\b.*?x$", "ab x", true),
        ("^[[:alpha:]]{3}$", "abc", true),
        (r"^[\D]$", "5", false),
    ];
    for (pattern, text, wanted) in cases {
        let regex = Regex::parse(pattern).unwrap();
        assert_eq!(regex.is_match(text), wanted, "{pattern} {text:?}");
    }
    assert!(Regex::parse("a**").is_err());
    assert!(Regex::parse("(a").is_err());
    assert!(Regex::parse("(?=a)").is_err());
    assert!(Regex::parse("((a{1000}){1000}){1000}").is_err());
}

#[test]
fn an_object_is_pruned_defaulted_and_judged() {
    let schema = value(
        r#"{"type":"object","properties":{"spec":{"type":"object","required":["a"],"properties":{
        "a":{"type":"integer","minimum":1},"n":{"type":"object","default":{},"properties":{"x":{"type":"string","default":"dx"}}},
        "free":{"type":"object","x-kubernetes-preserve-unknown-fields":true,"properties":{"in":{"type":"object","properties":{"k":{"type":"string"}}}}},
        "l":{"type":"array","items":{"type":"string"},"x-kubernetes-list-type":"set"}}}}}"#,
    );
    let schema = parse::parse(&schema, "spec.validation.openAPIV3Schema").unwrap();
    let mut object =
        value(r#"{"spec":{"zzz":1,"a":0,"free":{"any":1,"in":{"k":"v","gone":1}},"l":["x","x"]}}"#);
    assert_eq!(
        prune::prune(&mut object, &schema),
        ["spec.free.in.gone", "spec.zzz"]
    );
    defaults::apply(&mut object, &schema);
    assert_eq!(object.str_at(&["spec", "n", "x"]), Some("dx"));
    assert_eq!(
        lines(&validate::validate(&object, &schema)),
        [
            "spec.a: Invalid value: 0: spec.a in body should be greater than or equal to 1",
            "spec.l[1]: Duplicate value: \"x\""
        ]
    );
}

#[test]
fn what_is_not_structural_is_named() {
    let schema = value(
        r#"{"type":"object","properties":{"spec":{"properties":{"a":{"type":"array"},"u":{"type":"array","uniqueItems":true,"items":{"type":"string"}}}}}}"#,
    );
    let faults = parse::parse(&schema, "s").unwrap_err();
    assert_eq!(
        lines(&faults),
        [
            "s.properties[spec].type: Required value: must not be empty for specified object fields",
            "s.properties[spec].properties[a].items: Required value: must be specified",
            "s.properties[spec].properties[u].uniqueItems: Forbidden: uniqueItems cannot be set to true since the runtime complexity becomes quadratic"
        ]
    );
}

#[test]
fn a_default_is_known_and_valid() {
    let schema = value(
        r#"{"type":"object","properties":{"spec":{"type":"object","default":{"a":"x","zz":1},"properties":{"a":{"type":"integer","default":3}}}}}"#,
    );
    let faults = parse::parse(&schema, "s").unwrap_err();
    assert_eq!(
        lines(&faults),
        [
            "s.properties[spec].default: Invalid value: {\"a\":\"x\",\"zz\":1}: must not have unknown fields",
            "s.properties[spec].default.a: Invalid value: \"string\": a in body must be of type integer: \"string\"",
        ]
    );
}
