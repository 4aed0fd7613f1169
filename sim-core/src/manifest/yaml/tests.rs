use arbtest::arbtest;
use expect_test::{Expect, expect};

use super::parse;
use crate::manifest::diagnostic::{Report, render_all};
use crate::manifest::lines::Sources;
use crate::manifest::scalar::Dialect;
use crate::manifest::tree::{Node, NodeValue, Tag};
use crate::object::print::{KeyOrder, json};

fn check(text: &str, dialect: Dialect, expected: &Expect) {
    let mut sources = Sources::new();
    let file = sources.add("a.yaml", text);
    let report = Report::new(&sources);
    let mut out = String::new();
    for document in parse(sources.get(file).unwrap(), dialect, &report) {
        let broken = if document.is_broken { "broken " } else { "" };
        out.push_str(&format!(
            "{broken}{}\n",
            json(&document.root.to_value(), KeyOrder::Stored)
        ));
    }
    out.push_str(&render_all(&report.finish(), &sources));
    expected.assert_eq(&out);
}

#[test]
fn a_broken_document_does_not_hide_the_others() {
    check(
        "a: 1\n---\nb: [1, 2\nc: 3\n---\n# nothing\n---\nd: 中文 x: y\n---\ne: 5\n",
        Dialect::Kubernetes,
        &expect![[r#"
            {"a":1}
            broken null
            null
            broken null
            {"e":5}
            a.yaml:4:2: error YAML001: illegal placement of ':' indicator
              4 | c: 3
                |  ^
              help: indent the key as its neighbours are, or put quotes around a value that holds a colon
            a.yaml:8:8: error YAML001: mapping values are not allowed in this context
              8 | d: 中文 x: y
                |          ^
              help: indent the key as its neighbours are, or put quotes around a value that holds a colon
        "#]],
    );
}

#[test]
fn tabs_get_advice() {
    check(
        "a:\n\tb: 1\n",
        Dialect::Kubernetes,
        &expect![[r#"
        broken null
        a.yaml:2:2: error YAML001: tabs disallowed within this context (block indentation)
          2 | 	b: 1
            | 	^
          help: indent with spaces; YAML does not allow tabs here
    "#]],
    );
}

#[test]
fn merge_keys_yield_to_explicit_ones() {
    check(
        "base: &b {x: 1, y: 2}\nmore: &m\n  y: 3\n  z: 4\nuse:\n  y: 9\n  <<: [*m, *b]\nquoted: {'<<': 1}\n",
        Dialect::Compose,
        &expect![[r#"
            {"base":{"x":1,"y":2},"more":{"y":3,"z":4},"use":{"y":9,"z":4,"x":1},"quoted":{"\u003c\u003c":1}}
        "#]],
    );
    check(
        "a:\n  <<: 5\n",
        Dialect::Compose,
        &expect![[r#"
        broken {"a":{}}
        a.yaml:2:3: error YAML005: map merge requires map or sequence of maps as the value
          2 |   <<: 5
            |   ^^
    "#]],
    );
}

#[test]
fn repeated_keys_are_accepted_by_one_and_refused_by_the_other() {
    check(
        "名: 1\nb: 2\n名: 3\n",
        Dialect::Kubernetes,
        &expect![[r#"
            {"名":3,"b":2}
            a.yaml:3:1: warning YAML002: mapping key "名" already defined at line 1
              3 | 名: 3
                | ^^
              help: kubectl keeps the last one
        "#]],
    );
    check(
        "b: 1\nb: 2\n",
        Dialect::Compose,
        &expect![[r#"
        broken {"b":2}
        a.yaml:2:1: error YAML002: mapping key "b" already defined at line 1
          2 | b: 2
            | ^
    "#]],
    );
}

#[test]
fn keys_become_text() {
    check(
        "on: 1\n8080: 2\n1.50: 3\n? [a]\n: 4\n~: 5\n",
        Dialect::Kubernetes,
        &expect![[r#"
            broken {"true":1,"8080":2,"1.5":3}
            a.yaml:4:3: error YAML006: keys must be text
              4 | ? [a]
                |   ^^^
            a.yaml:6:1: error YAML006: keys must be text
              6 | ~: 5
                | ^
        "#]],
    );
}

#[test]
fn aliases_are_bounded() {
    let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for level in 1..9 {
        let items = vec![format!("*a{}", level - 1); 9].join(", ");
        text.push_str(&format!("a{level}: &a{level} [{items}]\n"));
    }
    let mut sources = Sources::new();
    let file = sources.add("laughs.yaml", &text);
    let report = Report::new(&sources);
    let documents = parse(sources.get(file).unwrap(), Dialect::Kubernetes, &report);
    assert!(documents[0].is_broken);
    assert!(documents[0].root.count() < 1_000_000);
    assert!(
        report
            .to_vec()
            .iter()
            .all(|found| found.code.0 == "YAML004")
    );
    check(
        "a: &a [*a, *b]\n",
        Dialect::Kubernetes,
        &expect![[r#"
        broken {"a":[null,null]}
        a.yaml:1:8: error YAML004: anchor 'a' value contains itself
          1 | a: &a [*a, *b]
            |        ^^
        a.yaml:1:12: error YAML003: unknown anchor 'b' referenced
          1 | a: &a [*a, *b]
            |            ^^
    "#]],
    );
}

#[test]
fn json_streams_and_tags_are_read() {
    check(
        "{\"a\": 1}\n{\"b\": \"\\u4e2d\"}",
        Dialect::Kubernetes,
        &expect![[r#"
            {"a":1}
            {"b":"中"}
        "#]],
    );
    check(
        "{a: 1, b: yes, c: !!str 1, d: ! 2, e: !!int x}",
        Dialect::Kubernetes,
        &expect![[r#"
            broken {"a":1,"b":true,"c":"1","d":"2","e":"x"}
            a.yaml:1:45: error YAML008: cannot decode !!str `x` as a !!int
              1 | {a: 1, b: yes, c: !!str 1, d: ! 2, e: !!int x}
                |                                             ^
        "#]],
    );
    let mut sources = Sources::new();
    let file = sources.add("a.yaml", "a: !reset null\nb: !override\n  - 1\n");
    let report = Report::new(&sources);
    let documents = parse(sources.get(file).unwrap(), Dialect::Compose, &report);
    assert_eq!(documents[0].root.get("a").unwrap().tag, Some(Tag::Reset));
    assert_eq!(documents[0].root.get("b").unwrap().tag, Some(Tag::Override));
}

#[test]
fn spans_cover_what_was_written() {
    let text =
        "a:\n  b: |\n    text\n    more\n\n  c: [1, {d: 'x'}] # note\nlast: &k v\nagain: *k\n";
    let mut sources = Sources::new();
    let file = sources.add("a.yaml", text);
    let source = sources.get(file).unwrap();
    let report = Report::new(&sources);
    let documents = parse(source, Dialect::Kubernetes, &report);
    let root = &documents[0].root;
    let slice = |path: &[&str]| source.slice(root.path(path).unwrap().span);
    assert_eq!(slice(&["a", "b"]), "text\n    more");
    assert_eq!(slice(&["a", "c"]), "[1, {d: 'x'}]");
    assert_eq!(slice(&["a", "c", "1", "d"]), "'x'");
    assert_eq!(
        slice(&["a"]),
        "b: |\n    text\n    more\n\n  c: [1, {d: 'x'}]"
    );
    assert_eq!(slice(&["again"]), "v");
    assert_eq!(source.slice(root.span_at("a.c[0].gone")), "1");
    assert_eq!(source.slice(documents[0].comments[0].span), "# note");
}

fn assert_in_bounds(node: &Node, text: &str) {
    let (start, end) = (node.span.start as usize, node.span.end as usize);
    assert!(text.get(start..end).is_some(), "{start}..{end} in {text:?}");
    match &node.value {
        NodeValue::Seq(items) => items.iter().for_each(|item| assert_in_bounds(item, text)),
        NodeValue::Map(entries) => {
            for entry in entries {
                assert!(
                    text.get(entry.key.span.start as usize..entry.key.span.end as usize)
                        .is_some()
                );
                assert_in_bounds(&entry.value, text);
            }
        }
        NodeValue::Null
        | NodeValue::Bool(_)
        | NodeValue::Int(_)
        | NodeValue::Float(_)
        | NodeValue::Str { .. } => {}
    }
}

#[test]
fn any_text_is_read_without_panic_and_spans_stay_inside() {
    const PIECES: &[&str] = &[
        "a", "b", ": ", ":", "\n", "\n  ", "- ", "-", "[", "]", "{", "}", ", ", "&x ", "*x",
        "<<: ", "|\n", ">\n", "'", "\"", "#", "---\n", "...\n", "!!str ", "!x ", "? ", "中", "😀",
        "\t", "%", "\\", "\u{FEFF}", "\r\n", "@", "0x1", "1e9",
    ];
    arbtest(|u| {
        let mut text = String::new();
        if u.arbitrary()? {
            for _ in 0..u.int_in_range(0..=60)? {
                text.push_str(u.choose(PIECES)?);
            }
        } else {
            text = String::from_utf8_lossy(u.arbitrary::<&[u8]>()?).into_owned();
        }
        let mut sources = Sources::new();
        let file = sources.add("x", &text);
        for dialect in [Dialect::Kubernetes, Dialect::Compose] {
            let report = Report::new(&sources);
            for document in parse(sources.get(file).unwrap(), dialect, &report) {
                assert_in_bounds(&document.root, &text);
            }
            let found = report.finish();
            for one in &found {
                assert!(
                    text.get(one.span.start as usize..one.span.end as usize)
                        .is_some()
                );
            }
            assert_eq!(render_all(&found, &sources).is_empty(), found.is_empty());
        }
        Ok(())
    });
}
