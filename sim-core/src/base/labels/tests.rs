use super::*;

fn labels(pairs: &[(&str, &str)]) -> Vec<(Arc<str>, Arc<str>)> {
    sorted(
        pairs
            .iter()
            .map(|(key, value)| (Arc::from(*key), Arc::from(*value)))
            .collect(),
    )
}

fn check(selector: &str, pairs: &[(&str, &str)], expected: bool) {
    let parsed = Selector::parse(selector).unwrap();
    assert_eq!(
        parsed.matches(&labels(pairs)),
        expected,
        "{selector} on {pairs:?}"
    );
}

#[test]
fn kubectl_selectors_match() {
    let web = [("app", "web"), ("tier", "front"), ("weight", "7")];
    check("", &web, true);
    check("app=web", &web, true);
    check("app==web , tier!=back", &web, true);
    check("app in (api, web)", &web, true);
    check("app notin (api,web)", &web, false);
    check("zone notin (a)", &web, true);
    check("zone!=a", &web, true);
    check("zone=a", &web, false);
    check("app,!zone", &web, true);
    check("!app", &web, false);
    check("weight>6,weight<8", &web, true);
    check("weight>7", &web, false);
    check("app>1", &web, false);
    check("in in (in)", &[("in", "in")], true);
    check("app=", &[("app", "")], true);
    check("app in (,x)", &[("app", "")], true);
}

#[test]
fn selectors_are_written_as_upstream_writes_them() {
    let text = |text: &str| Selector::parse(text).unwrap().to_string();
    assert_eq!(
        text("z,a=b , c!=d,e in (y,x),!f,g notin(q),h>5,i<6"),
        "a=b,c!=d,e in (x,y),!f,g notin (q),h>5,i<6,z"
    );
    let selector = Selector::from_match_labels(&labels(&[("tier", "front"), ("app", "web")]));
    assert_eq!(selector.to_string(), "app=web,tier=front");
}

#[test]
fn bad_selectors_are_refused_in_upstreams_words() {
    let name_rule = "name part must consist of alphanumeric characters, '-', '_' or '.', and must \
                     start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  \
                     or '123-abc', regex used for validation is \
                     '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
    let cases = [
        (
            "=a",
            "found '=', expected: !, identifier, or 'end of string'".to_owned(),
        ),
        (
            "a=b,",
            "found '', expected: identifier after ','".to_owned(),
        ),
        (
            "a=b c",
            "found 'c', expected: ',' or 'end of string'".to_owned(),
        ),
        (
            "!",
            "unable to parse requirement: found '', expected: identifier".to_owned(),
        ),
        (
            "a b",
            "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"
                .to_owned(),
        ),
        (
            "a in b",
            "unable to parse requirement: found 'b' expected: '('".to_owned(),
        ),
        (
            "a in (b",
            "unable to parse requirement: found '', expected: ',' or ')'".to_owned(),
        ),
        (
            "a=(",
            "unable to parse requirement: found '(', expected: identifier".to_owned(),
        ),
        (
            "a in ()",
            "unable to parse requirement: values: Invalid value: []: for 'in', 'notin' operators, \
             values set can't be empty"
                .to_owned(),
        ),
        (
            "a>b",
            "unable to parse requirement: values[0]: Invalid value: \"b\": for 'Gt', 'Lt' \
             operators, the value must be an integer"
                .to_owned(),
        ),
        (
            "a_=b",
            format!("unable to parse requirement: <nil>: Invalid value: \"a_\": {name_rule}"),
        ),
    ];
    for (text, error) in cases {
        assert_eq!(Selector::parse(text), Err(error), "{text}");
    }
    let value = Selector::parse("a=-b").unwrap_err();
    assert!(
        value.starts_with(
            "unable to parse requirement: values[0][a]: Invalid value: \"-b\": a valid"
        ),
        "{value}"
    );
}

#[test]
fn keys_and_values_are_judged_at_their_bounds() {
    use syntax::{label_value_errors, qualified_name_errors};
    let long = "a".repeat(63);
    let prefix = [
        "a".repeat(63).as_str(),
        &"b".repeat(63),
        &"c".repeat(63),
        &"d".repeat(61),
    ]
    .join(".");
    assert_eq!(prefix.len(), 253);
    assert!(qualified_name_errors(&format!("{prefix}/{long}")).is_empty());
    assert_eq!(
        qualified_name_errors(&format!("{long}a")),
        ["name part must be no more than 63 characters"]
    );
    assert_eq!(
        qualified_name_errors(&format!("{prefix}e/a")),
        ["prefix part must be no more than 253 characters"]
    );
    assert_eq!(
        qualified_name_errors("/a"),
        ["prefix part must be non-empty"]
    );
    assert_eq!(qualified_name_errors("").len(), 2);
    assert_eq!(qualified_name_errors("A.b/c").len(), 1);
    assert_eq!(qualified_name_errors("a/b/c").len(), 1);
    assert!(label_value_errors("").is_empty());
    assert!(label_value_errors(&long).is_empty());
    assert_eq!(label_value_errors(&format!("{long}a")).len(), 1);
}

#[test]
fn equal_sets_are_one_in_any_order() {
    let mut sets = LabelSets::new();
    let pairs = labels(&[("a", "1"), ("b", "2")]);
    let id = sets.intern(&pairs);
    let reversed: Vec<_> = pairs.iter().rev().cloned().collect();
    assert_eq!(sets.intern(&reversed), id);
    assert_eq!(sets.labels(id), pairs.as_slice());
    assert_eq!(sets.value(id, "b").map(|value| &**value), Some("2"));
    assert_eq!(sets.intern(&[]), LabelSetId::EMPTY);
    // The last of one key wins.
    let twice: Vec<_> = [("b", "9"), ("a", "1"), ("b", "2")]
        .map(|(key, value)| (Arc::from(key), Arc::from(value)))
        .into();
    assert_eq!(sets.intern(&twice), id);
    assert_eq!(sets.len(), 2);
}

/// A compiled selector agrees with the naive match for sets old and new.
#[test]
fn compiled_selectors_agree_with_naive_ones() {
    const KEYS: [&str; 3] = ["app", "tier", "n"];
    const VALUES: [&str; 4] = ["a", "b", "3", "12"];
    const OPS: [Op; 8] = [
        Op::In,
        Op::NotIn,
        Op::Exists,
        Op::DoesNotExist,
        Op::Gt,
        Op::Lt,
        Op::Equals,
        Op::NotEquals,
    ];
    arbtest::arbtest(|u| {
        let mut requirements = Vec::new();
        for _ in 0..u.int_in_range(0..=3)? {
            let key = Arc::from(*u.choose(&KEYS)?);
            let mut values = vec![Arc::from(*u.choose(&VALUES)?)];
            if u.arbitrary()? {
                values.push(Arc::from(*u.choose(&VALUES)?));
            }
            requirements.push(Requirement {
                key,
                op: *u.choose(&OPS)?,
                values,
            });
        }
        let selector = Selector { requirements };
        let mut sets = LabelSets::new();
        let mut compiled = CompiledSelector::new(selector.clone(), &sets);
        for _ in 0..u.int_in_range(0..=40)? {
            let mut pairs = Vec::new();
            for _ in 0..u.int_in_range(0..=4)? {
                pairs.push((*u.choose(&KEYS)?, *u.choose(&VALUES)?));
            }
            let pairs = labels(&pairs);
            let id = sets.intern(&pairs);
            assert_eq!(
                compiled.matches_refreshed(id, &sets),
                selector.matches(&pairs)
            );
        }
        let naive: Vec<_> = (0..sets.len())
            .map(LabelSetId)
            .filter(|id| selector.matches(sets.labels(*id)))
            .collect();
        compiled.refresh(&sets);
        assert_eq!(compiled.sets().collect::<Vec<_>>(), naive);
        Ok(())
    });
}

#[test]
fn any_text_is_read_or_refused_and_what_is_read_reads_back() {
    arbtest::arbtest(|u| {
        const PIECES: [&str; 14] = [
            "a", "b-", "in", "notin", "(", ")", ",", "=", "!", ">", "<", " ", "5", "x/y",
        ];
        let mut text = String::new();
        for _ in 0..u.int_in_range(0..=12)? {
            text.push_str(u.choose(&PIECES)?);
        }
        if let Ok(selector) = Selector::parse(&text) {
            assert_eq!(
                Selector::parse(&selector.to_string()),
                Ok(selector),
                "{text}"
            );
        }
        Ok(())
    });
}
