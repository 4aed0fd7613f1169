//! What an operator does, as it is written: children with holes, and a status.
//!
//! ```yaml
//! operator: website            # field manager of its writes
//! for: websites.example.com    # resource that it looks after
//! children:
//! - name: web                  # how expressions call it
//!   when: ${self.spec.public ?? true}
//!   template:                  # an object; its namespace and owner are filled in
//!     apiVersion: apps/v1
//!     kind: Deployment
//!     metadata:
//!       name: ${self.metadata.name}
//!     spec: …
//! status:
//!   ready: ${children.web.status.readyReplicas ?? 0}
//! ```
//! An expression is a path from `self` or `children.NAME`, and what stands there instead when it
//! leads nowhere (`??` and a JSON value). A text that is one expression takes the value as it is;
//! within a text it is written out. Without `??` a path that leads nowhere makes its child wait.

use std::fmt::Display;
use std::sync::Arc;

use crate::base::sentence::{Form, Sentence, catalogue};
use crate::base::sorted::SortedMap;
use crate::manifest::value::Value;

/// Levels of a template. Objects of real operators have about ten.
const DEPTH_MAX: u32 = 64;

/// An operator.
#[derive(Clone, Debug, PartialEq, Hash)]
pub struct Operator {
    /// Its name: the field manager of its writes.
    pub name: Arc<str>,
    /// The resource that it looks after, e.g. `websites.example.com`.
    pub resource: Arc<str>,
    /// What it makes, in order.
    pub children: Vec<Child>,
    status: Option<Hole>,
}

/// Something that an operator makes.
#[derive(Clone, Debug, PartialEq, Hash)]
pub struct Child {
    /// How expressions call it.
    pub name: Arc<str>,
    when: Option<Hole>,
    template: Hole,
    api_version: String,
    kind: String,
}

/// A value with expressions in it.
#[derive(Clone, Debug, PartialEq, Hash)]
enum Hole {
    Plain(Value),
    Value(Expression),
    Text(Vec<Piece>),
    List(Vec<Hole>),
    Map(Vec<(Arc<str>, Hole)>),
}

#[derive(Clone, Debug, PartialEq, Hash)]
enum Piece {
    Plain(String),
    Value(Expression),
}

#[derive(Clone, Debug, PartialEq, Hash)]
struct Expression {
    path: Vec<Step>,
    instead: Option<Value>,
}

#[derive(Clone, Debug, PartialEq, Hash)]
enum Step {
    Key(String),
    Index(usize),
}

/// What expressions see.
#[derive(Clone, Debug)]
pub struct Scope {
    owner: Value,
    children: SortedMap<Arc<str>, Value>,
}

impl Scope {
    /// The object itself.
    pub fn new(owner: Value) -> Self {
        Self {
            owner,
            children: SortedMap::new(),
        }
    }

    /// A child as it is now.
    pub fn child(&mut self, name: &Arc<str>, object: Value) {
        self.children.insert(name.clone(), object);
    }
}

impl Operator {
    /// Reads a plan.
    ///
    /// # Errors
    /// A sentence that names the place.
    pub fn parse(document: &Value) -> Result<Self, Sentence> {
        only(document, "", &["operator", "for", "children", "status"])?;
        let name = required(document, "", "operator")?;
        let resource = required(document, "", "for")?;
        if !resource.contains('.') {
            let example = [("examples", &"websites.example.com" as &dyn Display)];
            let wrong = catalogue::NO_GROUP.with(&[("word", &resource)]);
            return Err(wrong.advise(catalogue::EXAMPLES.with(&example)).at("for"));
        }
        let list = document.get("children").and_then(Value::as_list);
        let list = list.ok_or_else(|| needed(catalogue::KIND_LIST).at("children"))?;
        let mut children: Vec<Child> = Vec::new();
        for (index, entry) in list.iter().enumerate() {
            let place = format!("children[{index}]");
            let child = Child::parse(entry, &place)?;
            if children.iter().any(|known| known.name == child.name) {
                let twice = catalogue::TWICE.with(&[("word", &child.name)]);
                return Err(twice.at(place + ".name"));
            }
            children.push(child);
        }
        let status = document.get("status");
        let status = status.map(|status| hole(status, "status", 0));
        let plan = Self {
            name: name.into(),
            resource: resource.into(),
            children,
            status: status.transpose()?,
        };
        plan.check_names()?;
        Ok(plan)
    }

    /// Children are named only after they are made.
    fn check_names(&self) -> Result<(), Sentence> {
        let mut known: Vec<&str> = Vec::new();
        for (index, child) in self.children.iter().enumerate() {
            for hole in child.when.iter().chain([&child.template]) {
                check(hole, &known).map_err(|why| why.at(format!("children[{index}]")))?;
            }
            known.push(&child.name);
        }
        self.status
            .iter()
            .try_for_each(|status| check(status, &known).map_err(|why| why.at("status")))
    }

    /// The status; fields whose expressions lead nowhere are left out. None: the plan has no status.
    pub fn status(&self, scope: &Scope) -> Option<Value> {
        let filled = fill(self.status.as_ref()?, scope, true);
        Some(filled.unwrap_or_else(Value::map))
    }
}

impl Child {
    /// Reads a child, which stands at `place`.
    fn parse(entry: &Value, place: &str) -> Result<Self, Sentence> {
        only(entry, place, &["name", "when", "template"])?;
        let name = required(entry, place, "name")?;
        let nothing = Value::map();
        let template = entry.get("template").unwrap_or(&nothing);
        let below = format!("{place}.template");
        let api_version = required(template, &below, "apiVersion")?;
        let kind = required(template, &below, "kind")?;
        if matches!(kind.as_str(), "Pod" | "ReplicaSet" | "Node" | "Event") {
            let what = catalogue::CHILD_KIND.with(&[("kind", &kind)]);
            return Err(what.at(below + ".kind"));
        }
        if template.path(&["metadata", "name"]).is_none() {
            return Err(needed(catalogue::KIND_TEXT).at(below + ".metadata.name"));
        }
        let when = entry.get("when");
        let when = when.map(|when| hole(when, &format!("{place}.when"), 0));
        Ok(Self {
            name: name.into(),
            when: when.transpose()?,
            template: hole(template, &below, 0)?,
            api_version,
            kind,
        })
    }

    /// `apiVersion` and `kind`.
    pub fn kind(&self) -> (&str, &str) {
        (&self.api_version, &self.kind)
    }

    /// Whether it shall be there; none while that cannot be told.
    pub fn wanted(&self, scope: &Scope) -> Option<bool> {
        match &self.when {
            None => Some(true),
            Some(when) => {
                let value = fill(when, scope, false)?;
                Some(match value {
                    Value::Bool(value) => value,
                    Value::Null => false,
                    Value::Int(number) => number != 0,
                    other => other
                        .as_str()
                        .is_none_or(|text| !matches!(text, "" | "false")),
                })
            }
        }
    }

    /// The object; none while something that it needs is not there.
    pub fn render(&self, scope: &Scope) -> Option<Value> {
        fill(&self.template, scope, false)
    }
}

/// Something of this form is missing.
fn needed(kind: Form) -> Sentence {
    catalogue::REQUIRED.plain().and("what", kind.plain())
}

/// A field's place.
fn join(place: &str, field: &str) -> String {
    if place.is_empty() {
        return field.to_owned();
    }
    format!("{place}.{field}")
}

fn only(value: &Value, place: &str, fields: &[&str]) -> Result<(), Sentence> {
    let Some(map) = value.as_map() else {
        return Err(needed(catalogue::KIND_MAP).at(place));
    };
    match map.iter().find(|(key, _)| !fields.contains(&&***key)) {
        Some((key, _)) => {
            let known = catalogue::FIELDS_ARE.with(&[("names", &fields.join(", "))]);
            Err(known.at(join(place, key)))
        }
        None => Ok(()),
    }
}

fn required(value: &Value, place: &str, field: &str) -> Result<String, Sentence> {
    let text = value.str_at(&[field]).filter(|text| !text.is_empty());
    text.map(str::to_owned)
        .ok_or_else(|| needed(catalogue::KIND_TEXT).at(join(place, field)))
}

fn hole(value: &Value, place: &str, depth: u32) -> Result<Hole, Sentence> {
    if depth > DEPTH_MAX {
        let most = catalogue::MORE_THAN.with(&[("most", &DEPTH_MAX)]);
        return Err(most.and("what", catalogue::LEVELS.plain()).at(place));
    }
    if let Some(map) = value.as_map() {
        let entries = map
            .iter()
            .map(|(key, entry)| Ok((key.clone(), hole(entry, &join(place, key), depth + 1)?)))
            .collect::<Result<Vec<_>, Sentence>>()?;
        return Ok(Hole::Map(entries));
    }
    if let Some(list) = value.as_list() {
        let items = list.iter().enumerate();
        let items = items.map(|(index, item)| hole(item, &format!("{place}[{index}]"), depth + 1));
        return Ok(Hole::List(items.collect::<Result<_, _>>()?));
    }
    match value.as_str() {
        Some(text) if text.contains("${") => pieces(text).map_err(|what| what.at(place)),
        _ => Ok(Hole::Plain(value.clone())),
    }
}

/// What is wrong with a stretch of text.
fn wrong(text: &str, why: Sentence) -> Sentence {
    catalogue::AMOUNT.with(&[("word", &text)]).and("why", why)
}

fn pieces(text: &str) -> Result<Hole, Sentence> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        if at > 0 {
            found.push(Piece::Plain(rest[..at].to_owned()));
        }
        let inner = &rest[at + 2..];
        let end = inner
            .find('}')
            .ok_or_else(|| wrong(text, catalogue::UNCLOSED.with(&[("sign", &"${")])))?;
        found.push(Piece::Value(expression(&inner[..end])?));
        rest = &inner[end + 1..];
    }
    if !rest.is_empty() {
        found.push(Piece::Plain(rest.to_owned()));
    }
    match found.as_slice() {
        [Piece::Value(only)] => Ok(Hole::Value(only.clone())),
        _ => Ok(Hole::Text(found)),
    }
}

fn expression(text: &str) -> Result<Expression, Sentence> {
    let (path, instead) = match text.split_once("??") {
        Some((path, instead)) => {
            let instead = instead.trim();
            let value = Value::parse_json(instead)
                .map_err(|_| catalogue::NO_JSON.with(&[("word", &instead)]))?;
            (path.trim(), Some(value))
        }
        None => (text.trim(), None),
    };
    let mut steps = Vec::new();
    for part in path.split('.') {
        let (key, mut rest) = match part.find('[') {
            Some(at) => part.split_at(at),
            None => (part, ""),
        };
        let plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-');
        if key.is_empty() || !key.chars().all(plain) {
            return Err(wrong(text, catalogue::NO_NAME.with(&[("word", &part)])));
        }
        steps.push(Step::Key(key.to_owned()));
        while let Some(inner) = rest.strip_prefix('[') {
            let right = "[0], [\"key\"]";
            let wrong = || wrong(text, catalogue::ONE_OF.with(&[("names", &right)]));
            let end = inner.find(']').ok_or_else(wrong)?;
            let index = &inner[..end];
            steps.push(match index.trim_matches('"') {
                quoted if quoted.len() + 2 == index.len() => Step::Key(quoted.to_owned()),
                number => Step::Index(number.parse().map_err(|_| wrong())?),
            });
            rest = &inner[end + 1..];
        }
    }
    match steps.as_slice() {
        [Step::Key(root), ..] if root == "self" => {}
        [Step::Key(root), Step::Key(_), ..] if root == "children" => {}
        _ => {
            return Err(catalogue::ROOTS.with(&[("word", &path)]));
        }
    }
    Ok(Expression {
        path: steps,
        instead,
    })
}

fn check(hole: &Hole, known: &[&str]) -> Result<(), Sentence> {
    let one = |expression: &Expression| match expression.path.as_slice() {
        [Step::Key(root), Step::Key(name), ..]
            if root == "children" && !known.contains(&name.as_str()) =>
        {
            Err(catalogue::NO_CHILD.with(&[("name", name)]))
        }
        _ => Ok(()),
    };
    match hole {
        Hole::Plain(_) => Ok(()),
        Hole::Value(expression) => one(expression),
        Hole::Text(pieces) => pieces.iter().try_for_each(|piece| match piece {
            Piece::Plain(_) => Ok(()),
            Piece::Value(expression) => one(expression),
        }),
        Hole::List(items) => items.iter().try_for_each(|item| check(item, known)),
        Hole::Map(entries) => entries
            .iter()
            .try_for_each(|(_, entry)| check(entry, known)),
    }
}

/// A value with its expressions replaced. `lenient` leaves out what leads nowhere, else there is none.
fn fill(hole: &Hole, scope: &Scope, lenient: bool) -> Option<Value> {
    match hole {
        Hole::Plain(value) => Some(value.clone()),
        Hole::Value(expression) => look(expression, scope),
        Hole::Text(pieces) => {
            let mut text = String::new();
            for piece in pieces {
                match piece {
                    Piece::Plain(plain) => text.push_str(plain),
                    Piece::Value(expression) => {
                        text.push_str(&crate::object::jsonpath::text(&look(expression, scope)?));
                    }
                }
            }
            Some(text.into())
        }
        Hole::List(items) => {
            let mut list = Vec::new();
            for item in items {
                match fill(item, scope, lenient) {
                    Some(value) => list.push(value),
                    None if lenient => {}
                    None => return None,
                }
            }
            Some(Value::list(list))
        }
        Hole::Map(entries) => {
            let mut map = Value::map();
            for (key, entry) in entries {
                match fill(entry, scope, lenient) {
                    Some(value) => map.set(key, value),
                    None if lenient => {}
                    None => return None,
                }
            }
            Some(map)
        }
    }
}

fn look(expression: &Expression, scope: &Scope) -> Option<Value> {
    let found = match expression.path.as_slice() {
        [Step::Key(root), rest @ ..] if root == "self" => walk(&scope.owner, rest),
        [_, Step::Key(name), rest @ ..] => scope
            .children
            .get(name.as_str())
            .and_then(|child| walk(child, rest)),
        _ => None,
    };
    found
        .filter(|value| !value.is_null())
        .cloned()
        .or_else(|| expression.instead.clone())
}

fn walk<'v>(value: &'v Value, path: &[Step]) -> Option<&'v Value> {
    path.iter().try_fold(value, |value, step| match step {
        Step::Key(key) => value.get(key),
        Step::Index(index) => value.at(*index),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Value {
        Value::parse_json(text).expect("JSON")
    }

    fn plan(text: &str) -> Result<Operator, Sentence> {
        Operator::parse(&json(text))
    }

    #[test]
    fn values_keep_their_type_and_texts_are_written_out() {
        let plan = plan(
            r#"{"operator":"o","for":"w.example.com","children":[
              {"name":"a","when":"${self.spec.on ?? true}","template":{"apiVersion":"v1","kind":"ConfigMap",
               "metadata":{"name":"${self.metadata.name}-a"},"data":{"n":"${self.spec.n}"}}},
              {"name":"b","template":{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"${children.a.status.x}"}}}],
              "status":{"x":"${children.a.data.n}","y":"${children.b.data.n}","z":"${self.spec.list[1]}"}}"#,
        )
        .expect("a plan");
        let mut scope = Scope::new(json(
            r#"{"metadata":{"name":"w"},"spec":{"n":3,"list":["p","q"]}}"#,
        ));
        assert_eq!(plan.children[0].wanted(&scope), Some(true));
        let made = plan.children[0].render(&scope).expect("all is there");
        assert_eq!(made.str_at(&["metadata", "name"]), Some("w-a"));
        assert_eq!(made.i64_at(&["data", "n"]), Some(3));
        scope.child(&plan.children[0].name, made);
        assert_eq!(plan.children[1].render(&scope), None, "it waits");
        assert_eq!(plan.status(&scope), Some(json(r#"{"x":3,"z":"q"}"#)));
    }

    #[test]
    fn wrong_plans_say_where() {
        for (text, why) in [
            (
                r#"{"operator":"o","for":"w.e.com","children":[],"extra":1}"#,
                "extra: no such field; the fields are operator",
            ),
            (
                r#"{"operator":"o","for":"w","children":[]}"#,
                "for: \"w\" must be a custom resource",
            ),
            (
                r#"{"operator":"o","for":"w.e.com","children":[{"name":"a","template":{"apiVersion":"v1","kind":"Pod","metadata":{"name":"x"}}}]}"#,
                "children[0].template.kind: children of the kind Pod",
            ),
            (
                r#"{"operator":"o","for":"w.e.com","children":[],"status":{"a":"${children.x.y}"}}"#,
                "status: there is no child x",
            ),
            (
                r#"{"operator":"o","for":"w.e.com","children":[],"status":{"a":"${spec.y}"}}"#,
                "must begin with self or children.NAME",
            ),
            (
                r#"{"operator":"o","for":"w.e.com","children":[],"status":{"a":"${self.y ?? z}"}}"#,
                "after ?? is no JSON value",
            ),
            (
                r#"{"operator":"o","for":"w.e.com","children":[],"status":{"a":"${self.y"}}"#,
                "status.a: \"${self.y\": unclosed ${",
            ),
        ] {
            let found = plan(text).expect_err(text);
            assert!(found.to_string().contains(why), "{found}");
            assert_eq!(found.form(), catalogue::AT_PLACE, "it can be translated");
        }
    }
}
