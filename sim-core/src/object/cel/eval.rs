//! Values of expressions. Every step costs one, text and lists what they are long.
//! Source: cel-go `interpreter`, `ext/strings.go`; `apiserver/pkg/cel/library/lists.go`.

use std::cmp::Ordering;
use std::sync::Arc;

use crate::base::double;
use crate::manifest::value::{Map, Value};
use crate::object::structural::regex::Regex;
use crate::object::structural::validate::compare as by_size;

use super::{Expr, Node, Ty};

/// Longest text that is made of others, in bytes: to look at one letter costs a tenth, so a longer one
/// would spend what an expression has as soon as anything looks at it.
const TEXT_MAX: usize = 10 * super::COST_MAX as usize;

/// Told when the cost is spent.
pub const SPENT: &str = "operation cancelled: actual cost limit exceeded";

struct Run<'c> {
    names: Vec<(Arc<str>, Value)>,
    cost: &'c mut u32,
}

/// The value of an expression.
///
/// # Errors
/// cel-go's text.
pub fn eval(expr: &Expr, variables: &[(&str, Value)], cost: &mut u32) -> Result<Value, String> {
    let names = variables
        .iter()
        .map(|(name, value)| (Arc::from(*name), value.clone()))
        .collect();
    Run { names, cost }.eval(expr)
}

/// A floating-point number as a value.
pub fn double(number: f64) -> Value {
    Value::Number(format!("{number:?}").into())
}

/// The type of a value.
pub fn type_of(value: &Value) -> Ty {
    match value {
        Value::Null => Ty::Null,
        Value::Bool(_) => Ty::Bool,
        Value::Int(_) => Ty::Int,
        Value::Number(_) => Ty::Double,
        Value::String(_) => Ty::Text,
        Value::List(_) => Ty::List(Box::new(Ty::Any)),
        Value::Map(_) => Ty::Map(Box::new(Ty::Any)),
    }
}

fn float(value: &Value) -> Option<f64> {
    match value {
        Value::Int(number) => Some(*number as f64),
        Value::Number(text) => double::parse(text),
        _ => None,
    }
}

/// Equality across numbers of both kinds.
fn equal(one: &Value, two: &Value) -> bool {
    match (one, two) {
        (Value::Int(_) | Value::Number(_), Value::Int(_) | Value::Number(_)) => {
            by_size(one, two) == Some(Ordering::Equal)
        }
        (Value::List(one), Value::List(two)) => {
            one.len() == two.len() && one.iter().zip(two.iter()).all(|(one, two)| equal(one, two))
        }
        (Value::Map(one), Value::Map(two)) => {
            one.len() == two.len()
                && one
                    .iter()
                    .all(|(key, value)| two.get(key).is_some_and(|other| equal(value, other)))
        }
        _ => one == two,
    }
}

fn order(one: &Value, two: &Value) -> Option<Ordering> {
    match (one, two) {
        (Value::String(one), Value::String(two)) => Some(one.cmp(two)),
        (Value::Bool(one), Value::Bool(two)) => Some(one.cmp(two)),
        _ => by_size(one, two),
    }
}

fn none_such() -> String {
    "no such overload".to_owned()
}

/// About how much a value weighs.
fn weight(value: &Value) -> u32 {
    let weight = match value {
        Value::String(text) => text.len() / 10,
        Value::List(items) => items.len(),
        Value::Map(map) => map.len(),
        _ => 0,
    };
    u32::try_from(weight).unwrap_or(u32::MAX)
}

impl Run<'_> {
    fn spend(&mut self, cost: u32) -> Result<(), String> {
        match self.cost.checked_sub(cost) {
            Some(left) => {
                *self.cost = left;
                Ok(())
            }
            None => {
                *self.cost = 0;
                Err(SPENT.to_owned())
            }
        }
    }

    fn eval(&mut self, expr: &Expr) -> Result<Value, String> {
        self.spend(1)?;
        match &expr.node {
            Node::Literal(value) => Ok(value.clone()),
            Node::Name(name) => {
                let known = self.names.iter().rev().find(|(known, _)| known == name);
                known
                    .map(|(_, value)| value.clone())
                    .ok_or_else(|| format!("no such attribute(s): {name}"))
            }
            Node::List(items) => {
                let mut all = Vec::new();
                for item in items {
                    all.push(self.eval(item)?);
                }
                Ok(Value::list(all))
            }
            Node::Map(entries) => {
                let mut map = Map::default();
                for (key, value) in entries {
                    let key = self.eval(key)?;
                    let Some(key) = key.as_str() else {
                        return Err("unsupported key type".to_owned());
                    };
                    map.insert(key, self.eval(value)?);
                }
                Ok(map.into())
            }
            Node::Select { of, field, has } => {
                let of = self.eval(of)?;
                match (&of, of.get(field)) {
                    (Value::Map(_), found) if *has => Ok(found.is_some().into()),
                    (Value::Map(_), Some(found)) => Ok(found.clone()),
                    (Value::Map(_), None) => Err(format!("no such key: {field}")),
                    _ => Err(none_such()),
                }
            }
            Node::Index(pair) => {
                let (of, by) = (self.eval(&pair[0])?, self.eval(&pair[1])?);
                match (&of, &by) {
                    (Value::List(items), Value::Int(at)) => usize::try_from(*at)
                        .ok()
                        .and_then(|at| items.get(at))
                        .cloned()
                        .ok_or_else(|| format!("index out of bounds: {at}")),
                    (Value::Map(map), Value::String(key)) => map
                        .get(key)
                        .cloned()
                        .ok_or_else(|| format!("no such key: {key}")),
                    _ => Err(none_such()),
                }
            }
            Node::Prefix(sign, of) => match (sign, self.eval(of)?) {
                ('!', Value::Bool(truth)) => Ok((!truth).into()),
                ('-', Value::Int(number)) => number
                    .checked_neg()
                    .map(Value::Int)
                    .ok_or_else(|| "integer overflow".to_owned()),
                ('-', Value::Number(text)) => float(&Value::Number(text))
                    .map(|number| double(-number))
                    .ok_or_else(none_such),
                _ => Err(none_such()),
            },
            Node::Binary(operator @ ("&&" | "||"), pair) => self.logic(*operator == "||", pair),
            Node::Binary(operator, pair) => {
                let (one, two) = (self.eval(&pair[0])?, self.eval(&pair[1])?);
                self.spend(weight(&one).saturating_add(weight(&two)))?;
                binary(operator, &one, &two)
            }
            Node::Either(three) => match self.eval(&three[0])? {
                Value::Bool(true) => self.eval(&three[1]),
                Value::Bool(false) => self.eval(&three[2]),
                _ => Err(none_such()),
            },
            Node::Call { name, of, .. } => {
                let mut given = Vec::new();
                for one in of {
                    let value = self.eval(one)?;
                    self.spend(weight(&value))?;
                    given.push(value);
                }
                let made = call(name, &given)?;
                self.spend(weight(&made))?;
                Ok(made)
            }
            Node::Macro {
                name,
                of,
                variable,
                bodies,
            } => self.comprehension(name, of, variable, bodies),
        }
    }

    /// `end` decides alone, on either side, whatever the other side comes to.
    fn logic(&mut self, end: bool, pair: &[Expr; 2]) -> Result<Value, String> {
        let truth = |value: Result<Value, String>| match value {
            Ok(Value::Bool(truth)) => Ok(truth),
            Ok(_) => Err(none_such()),
            Err(why) => Err(why),
        };
        let one = truth(self.eval(&pair[0]));
        if one == Ok(end) {
            return Ok(end.into());
        }
        let two = truth(self.eval(&pair[1]));
        if two == Ok(end) {
            return Ok(end.into());
        }
        one.and(two).map(Value::from)
    }

    fn comprehension(
        &mut self,
        name: &str,
        of: &Expr,
        variable: &Arc<str>,
        bodies: &[Expr],
    ) -> Result<Value, String> {
        let items: Vec<Value> = match self.eval(of)? {
            Value::List(items) => items.to_vec(),
            Value::Map(map) => map
                .sorted()
                .into_iter()
                .map(|(key, _)| Value::string(key))
                .collect(),
            _ => return Err(none_such()),
        };
        let (mut kept, mut count, mut failed) = (Vec::new(), 0_u64, None);
        for item in items {
            self.names.push((variable.clone(), item.clone()));
            let first = self.eval(&bodies[0]);
            let made = match (&first, bodies.get(1)) {
                (Ok(Value::Bool(true)), Some(second)) => Some(self.eval(second)),
                _ => None,
            };
            self.names.pop();
            match (name, first) {
                ("map", Ok(value)) if bodies.len() == 1 => kept.push(value),
                ("map", Ok(Value::Bool(_))) => {
                    if let Some(made) = made {
                        kept.push(made?);
                    }
                }
                (_, Ok(Value::Bool(truth))) => {
                    match (name, truth) {
                        ("all", false) => return Ok(false.into()),
                        ("exists", true) => return Ok(true.into()),
                        _ => {}
                    }
                    count += u64::from(truth);
                    if truth {
                        kept.push(item);
                    }
                }
                (_, Ok(_)) => return Err(none_such()),
                ("all" | "exists", Err(why)) if why != SPENT => failed = Some(why),
                (_, Err(why)) => return Err(why),
            }
        }
        match (name, failed) {
            (_, Some(why)) => Err(why),
            ("all", None) => Ok(true.into()),
            ("exists", None) => Ok(false.into()),
            ("exists_one", None) => Ok((count == 1).into()),
            _ => Ok(Value::list(kept)),
        }
    }
}

fn binary(operator: &str, one: &Value, two: &Value) -> Result<Value, String> {
    match operator {
        "==" => return Ok(equal(one, two).into()),
        "!=" => return Ok((!equal(one, two)).into()),
        "in" => {
            return match (one, two) {
                (_, Value::List(items)) => Ok(items.iter().any(|item| equal(item, one)).into()),
                (Value::String(key), Value::Map(map)) => Ok(map.contains_key(key).into()),
                _ => Err(none_such()),
            };
        }
        "<" | "<=" | ">" | ">=" => {
            let order = order(one, two).ok_or_else(none_such)?;
            return Ok(Value::from(match operator {
                "<" => order.is_lt(),
                "<=" => order.is_le(),
                ">" => order.is_gt(),
                _ => order.is_ge(),
            }));
        }
        _ => {}
    }
    match (one, two) {
        (Value::Int(one), Value::Int(two)) => whole(operator, *one, *two),
        (Value::Number(_), Value::Number(_)) => {
            let (one, two) = (float(one).unwrap_or(0.0), float(two).unwrap_or(0.0));
            let made = match operator {
                "+" => one + two,
                "-" => one - two,
                "*" => one * two,
                "/" => one / two,
                _ => return Err(none_such()),
            };
            Ok(double(made))
        }
        (Value::String(one), Value::String(two)) if operator == "+" => {
            Ok(format!("{one}{two}").into())
        }
        (Value::List(one), Value::List(two)) if operator == "+" => {
            Ok(Value::list(one.iter().chain(two.iter()).cloned().collect()))
        }
        _ => Err(none_such()),
    }
}

fn whole(operator: &str, one: i64, two: i64) -> Result<Value, String> {
    let made = match operator {
        "+" => one.checked_add(two),
        "-" => one.checked_sub(two),
        "*" => one.checked_mul(two),
        "/" if two == 0 => return Err("division by zero".to_owned()),
        "/" => one.checked_div(two),
        "%" if two == 0 => return Err("modulus by zero".to_owned()),
        _ => one.checked_rem(two),
    };
    made.map(Value::Int)
        .ok_or_else(|| "integer overflow".to_owned())
}

fn call(name: &str, given: &[Value]) -> Result<Value, String> {
    let texts: Vec<&str> = given.iter().map_while(Value::as_str).collect();
    let count = |length: usize| Value::Int(i64::try_from(length).unwrap_or(i64::MAX));
    match (name, &given[0], texts.as_slice()) {
        ("size", Value::String(text), _) => Ok(count(text.chars().count())),
        ("size", Value::List(items), _) => Ok(count(items.len())),
        ("size", Value::Map(map), _) => Ok(count(map.len())),
        ("dyn", value, _) => Ok(value.clone()),
        ("startsWith", _, [text, part]) => Ok(text.starts_with(part).into()),
        ("endsWith", _, [text, part]) => Ok(text.ends_with(part).into()),
        ("contains", _, [text, part]) => Ok(text.contains(part).into()),
        ("matches", _, [text, pattern]) => {
            Regex::parse(pattern).map(|regex| regex.is_match(text).into())
        }
        ("lowerAscii", _, [text]) => Ok(text.to_ascii_lowercase().into()),
        ("upperAscii", _, [text]) => Ok(text.to_ascii_uppercase().into()),
        ("trim", _, [text]) => Ok(text.trim().into()),
        ("split", _, [text, by]) => Ok(Value::list(match *by {
            "" => text.chars().map(|one| one.to_string().into()).collect(),
            by => text.split(by).map(Value::from).collect(),
        })),
        ("replace", _, [text, from, to]) => {
            let count = text.matches(from).count();
            if text.len() + count * to.len() > TEXT_MAX {
                return Err(SPENT.to_owned());
            }
            Ok(text.replace(from, to).into())
        }
        ("substring", _, [text, ..]) => substring(text, &given[1..]),
        ("indexOf" | "lastIndexOf", _, [text, part]) => {
            let found = if name == "indexOf" {
                text.find(part)
            } else {
                text.rfind(part)
            };
            let at = found.map(|at| count(text[..at].chars().count()));
            Ok(at.unwrap_or(Value::Int(-1)))
        }
        ("string", value, _) => conversion(value),
        ("int", value, _) => to_int(value),
        ("double", value, _) => {
            let number = match value {
                Value::String(text) => double::parse(text),
                value => float(value),
            };
            number
                .map(double)
                .ok_or_else(|| "type conversion error from 'string' to 'double'".to_owned())
        }
        (_, Value::List(items), _) => of_list(name, items, &given[1..]),
        _ => Err(none_such()),
    }
}

fn substring(text: &str, bounds: &[Value]) -> Result<Value, String> {
    let letters: Vec<char> = text.chars().collect();
    let bound = |value: Option<&Value>, otherwise: usize| match value {
        None => Ok(otherwise),
        Some(value) => {
            let at = value.as_i64().ok_or_else(none_such)?;
            usize::try_from(at)
                .ok()
                .filter(|at| *at <= letters.len())
                .ok_or_else(|| format!("index out of range: {at}"))
        }
    };
    let (from, to) = (
        bound(bounds.first(), 0)?,
        bound(bounds.get(1), letters.len())?,
    );
    match letters.get(from..to) {
        Some(part) => Ok(part.iter().collect::<String>().into()),
        None => Err(format!("invalid substring range. start: {from}, end: {to}")),
    }
}

fn conversion(value: &Value) -> Result<Value, String> {
    match value {
        Value::String(_) => Ok(value.clone()),
        Value::Bool(truth) => Ok(truth.to_string().into()),
        Value::Int(number) => Ok(number.to_string().into()),
        Value::Number(_) => Ok(float(value).unwrap_or(0.0).to_string().into()),
        _ => Err(none_such()),
    }
}

fn to_int(value: &Value) -> Result<Value, String> {
    match value {
        Value::Int(_) => Ok(value.clone()),
        Value::String(text) => text
            .parse()
            .map(Value::Int)
            .map_err(|_| "type conversion error from 'string' to 'int'".to_owned()),
        Value::Number(_) => {
            let number = float(value).unwrap_or(0.0).trunc();
            // Both bounds are whole powers of two, which floating-point numbers hold exactly.
            if (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&number) {
                Ok(Value::Int(number as i64))
            } else {
                Err("integer overflow".to_owned())
            }
        }
        _ => Err(none_such()),
    }
}

fn of_list(name: &str, items: &[Value], rest: &[Value]) -> Result<Value, String> {
    match name {
        "isSorted" => {
            let mut sorted = true;
            for pair in items.windows(2) {
                sorted &= order(&pair[0], &pair[1]).ok_or_else(none_such)?.is_le();
            }
            Ok(sorted.into())
        }
        "min" | "max" => {
            let mut best = items
                .first()
                .ok_or_else(|| format!("{name} called on empty list"))?;
            for item in &items[1..] {
                let order = order(item, best).ok_or_else(none_such)?;
                if if name == "min" {
                    order.is_lt()
                } else {
                    order.is_gt()
                } {
                    best = item;
                }
            }
            Ok(best.clone())
        }
        "sum" => items.iter().skip(1).try_fold(
            items.first().cloned().unwrap_or(Value::Int(0)),
            |sum, item| binary("+", &sum, item),
        ),
        "indexOf" | "lastIndexOf" => {
            let wanted = rest.first().ok_or_else(none_such)?;
            let is = |item: &Value| equal(item, wanted);
            let found = if name == "indexOf" {
                items.iter().position(is)
            } else {
                items.iter().rposition(is)
            };
            Ok(Value::Int(
                found.map_or(-1, |at| i64::try_from(at).unwrap_or(-1)),
            ))
        }
        "join" => {
            let texts: Option<Vec<&str>> = items.iter().map(Value::as_str).collect();
            let by = rest.first().map_or(Some(""), Value::as_str);
            match (texts, by) {
                (Some(texts), Some(by)) => Ok(texts.join(by).into()),
                _ => Err(none_such()),
            }
        }
        _ => Err(none_such()),
    }
}
