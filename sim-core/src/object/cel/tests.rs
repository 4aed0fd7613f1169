//! Expressions at their edges.

use std::sync::Arc;

use super::{COST_MAX, Program, Ty};
use crate::manifest::value::Value;

fn value(text: &str) -> Value {
    Value::parse_json(text).unwrap()
}

fn run(text: &str, given: &str) -> Result<Value, String> {
    let program = Program::new(text, &[("self", Ty::Any)]).map_err(|why| why.message(text))?;
    program.eval(&[("self", value(given))], &mut COST_MAX.clone())
}

#[test]
fn what_expressions_come_to() {
    let given =
        r#"{"a":3,"b":2.5,"s":"hello","l":[1,2,3],"m":{"k":"v","x-y":1},"n":null,"t":["b","a"]}"#;
    let cases = [
        ("self.a + 4 * 2 - 1", "10"),
        ("-self.a % 2", "-1"),
        ("7 / 2 == 3 && -7 / 2 == -3", "true"),
        ("self.a > self.b", "true"),
        ("1 == 1.0 && [1, 2] == [1, 2]", "true"),
        ("self.s + ' ' + \"world\"", "\"hello world\""),
        (
            "size(self.s) == 5 && self.l.size() == 3 && size(self.m) == 2",
            "true",
        ),
        ("2 in self.l && !(9 in self.l) && 'k' in self.m", "true"),
        ("self.a > 2 ? 'big' : 'small'", "\"big\""),
        ("has(self.a) && !has(self.zz) && has(self.m.k)", "true"),
        ("self.m.x__dash__y == 1 && self.m['x-y'] == 1", "true"),
        (
            "self.l.all(x, x > 0) && self.l.exists(x, x == 2) && self.l.exists_one(x, x > 2)",
            "true",
        ),
        ("self.l.filter(x, x > 1)", "[2,3]"),
        ("self.l.map(x, x * 2)", "[2,4,6]"),
        ("self.l.map(x, x > 1, x * 2)", "[4,6]"),
        ("self.m.all(k, k != '')", "true"),
        (
            "self.s.startsWith('he') && self.s.endsWith('lo') && self.s.contains('ell')",
            "true",
        ),
        ("self.s.matches('^h.*o$') && matches(self.s, 'l+')", "true"),
        (
            "self.s.upperAscii().replace('L', 'x').substring(1, 4)",
            "\"Exx\"",
        ),
        (
            "'a,b'.split(',').join('-') + string(self.l.sum()) + string(true)",
            "\"a-b6true\"",
        ),
        (
            "self.l.isSorted() && !self.t.isSorted() && self.l.max() == 3 && self.t.min() == 'a'",
            "true",
        ),
        (
            "self.l.indexOf(3) == 2 && self.s.indexOf('l') == 2 && self.s.lastIndexOf('l') == 3",
            "true",
        ),
        ("int('12') + int(2.9)", "14"),
        ("self.n == null", "true"),
        // Either side decides alone.
        ("self.zz == 1 || true", "true"),
        ("false && self.zz", "false"),
        ("self.l.exists(x, x / 0 == 1 || x == 2)", "true"),
        ("{'a': 1}.a == 1 // with a remark", "true"),
        (
            "r'a\\d' + '\\u00e9\\n' == 'a\\\\d\u{e9}\\n' && '''x''' == 'x'",
            "true",
        ),
        (
            "0x10 == 16 && 1e3 == 1000.0 && -9223372036854775808 < 0",
            "true",
        ),
    ];
    for (text, wanted) in cases {
        assert_eq!(run(text, given), Ok(value(wanted)), "{text}");
    }
}

#[test]
fn what_goes_wrong_is_told_as_upstream_does() {
    let cases = [
        ("self.zz > 1", "no such key: zz"),
        ("self.l[7]", "index out of bounds: 7"),
        ("1 / (self.a - 3)", "division by zero"),
        ("9223372036854775807 + self.a", "integer overflow"),
        ("self.a + 'x' == ''", "no such overload"),
        (
            "self.l.map(a, self.l.map(b, self.l.map(c, self.l.map(d, self.l.map(e, self.l.map(f, self.l.map(g, self.l.map(h, self.l.map(i, self.l.map(j, self.l.map(k, self.l.map(l, self.l.map(m, 1)))))))))))))",
            super::eval::SPENT,
        ),
    ];
    for (text, wanted) in cases {
        let given = r#"{"a":3,"l":[1,2,3]}"#;
        assert_eq!(run(text, given), Err(wanted.to_owned()), "{text}");
    }
}

#[test]
fn what_cannot_be_is_refused_before_it_runs() {
    let fields: Arc<[(Arc<str>, Ty)]> = Arc::new([
        ("a".into(), Ty::Int),
        ("s".into(), Ty::Text),
        ("l".into(), Ty::List(Box::new(Ty::Text))),
        ("d".into(), Ty::Foreign("duration")),
    ]);
    let own = Ty::Object(fields);
    let place = |message: &str, text: &str, column: usize| {
        format!(
            "compilation failed: ERROR: <input>:1:{}: {message}\n | {text}\n | {}^",
            column + 1,
            ".".repeat(column)
        )
    };
    let cases = [
        (
            "self.zz > 1",
            place("undefined field 'zz'", "self.zz > 1", 4),
        ),
        (
            "foo",
            place("undeclared reference to 'foo' (in container '')", "foo", 0),
        ),
        (
            "self.a > 'x'",
            place(
                "found no matching overload for '_>_' applied to '(int, string)'",
                "self.a > 'x'",
                7,
            ),
        ),
        (
            "self.d == self.d",
            "not modelled: duration in CEL".to_owned(),
        ),
        (
            "quantity(self.s)",
            "not modelled: quantity() in CEL".to_owned(),
        ),
        ("self.?a", "not modelled: .? in CEL".to_owned()),
    ];
    for (text, wanted) in cases {
        let seen = Program::new(text, &[("self", own.clone())])
            .map_err(|why| why.message(text).to_string());
        assert_eq!(seen.map(|program| program.gives), Err(wanted), "{text}");
    }
    for broken in [
        "", "(", "1 +", "self.", "'a", "1 2", "a.all(x)", "[1,", "{1", "has(1)", "if",
    ] {
        assert!(Program::new(broken, &[("a", Ty::Any)]).is_err(), "{broken}");
    }
    let deep = format!("{}1{}", "(".repeat(5_000), ")".repeat(5_000));
    assert!(Program::new(&deep, &[]).is_err());
    let long = vec!["1"; 5_000].join("+");
    assert!(Program::new(&long, &[]).is_err());
}
