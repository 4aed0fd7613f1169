//! `kubectl taint`. Source: `k8s.io/kubectl/pkg/cmd/taint`.

use crate::base::labels::syntax::{label_value_errors, qualified_name_errors};
use crate::kube::rows::node::parse_effect;
use crate::manifest::value::Value;

use super::pod_status::items;
use super::problem::Problem;
use super::{Call, name_of};

/// Flags of `taint`.
pub const FLAGS: &[&str] = &[
    "!overwrite",
    "!all",
    "selector:l",
    "?dry-run",
    "?validate",
    "output:o",
    "field-manager",
    "!show-managed-fields",
    "!allow-missing-template-keys",
];

/// One taint as it is written; an empty effect means all of the key's.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Taint {
    key: String,
    value: String,
    effect: String,
}

impl Taint {
    fn parse(text: &str) -> Result<Self, Problem> {
        let wrong = || Problem::error(format!("invalid taint spec: {text}"));
        let (pair, effect) = match text.split(':').collect::<Vec<_>>().as_slice() {
            [pair] => (*pair, ""),
            [pair, effect] => {
                if parse_effect(effect).is_none() {
                    return Err(Problem::error(format!(
                        "invalid taint effect: {effect}, unsupported taint effect"
                    )));
                }
                (*pair, *effect)
            }
            _ => return Err(wrong()),
        };
        let (key, value) = match (effect, pair.split('=').collect::<Vec<_>>().as_slice()) {
            (_, [key]) => (*key, ""),
            ("", _) => (pair, ""),
            (_, [key, value]) => (*key, *value),
            _ => return Err(wrong()),
        };
        for errors in [label_value_errors(value), qualified_name_errors(key)] {
            if !errors.is_empty() {
                return Err(Problem::error(format!(
                    "invalid taint spec: {text}, {}",
                    errors.join("; ")
                )));
            }
        }
        Ok(Self {
            key: key.to_owned(),
            value: value.to_owned(),
            effect: effect.to_owned(),
        })
    }

    fn of(value: &Value) -> Self {
        let text = |key| value.str_at(&[key]).unwrap_or("").to_owned();
        Self {
            key: text("key"),
            value: text("value"),
            effect: text("effect"),
        }
    }

    fn is(&self, other: &Self) -> bool {
        self.key == other.key && self.effect == other.effect
    }

    fn text(&self) -> String {
        match (self.value.is_empty(), self.effect.is_empty()) {
            (true, true) => self.key.clone(),
            (false, true) => format!("{}={}:", self.key, self.value),
            (true, false) => format!("{}:{}", self.key, self.effect),
            (false, false) => format!("{}={}:{}", self.key, self.value, self.effect),
        }
    }
}

/// `taint NODE NAME KEY=VALUE:EFFECT … KEY[:EFFECT]- …`.
///
/// # Errors
/// Specs that cannot be read, taints that are there or are not, in upstream's words.
pub fn taint(call: &mut Call<'_>) -> Result<(), Problem> {
    let (mut resources, mut specs) = (Vec::new(), Vec::new());
    for word in &call.arguments.words {
        if word.contains('=') || word.contains(':') || word.ends_with('-') {
            specs.push(word.clone());
        } else if specs.is_empty() {
            resources.push(word.clone());
        } else {
            return Err(Problem::error(format!(
                "all resources must be specified before taint changes: {word}"
            )));
        }
    }
    let Some(first) = resources.first() else {
        return Err(Problem::error(
            "one or more resources must be specified as <resource> <name> or <resource>/<name>",
        ));
    };
    if specs.is_empty() {
        return Err(Problem::error("at least one taint update is required"));
    }
    let kind = first.split('/').next().unwrap_or("").to_lowercase();
    if !["node", "nodes", "no"].contains(&kind.as_str()) {
        return Err(Problem::error(format!(
            "invalid resource type {kind}, only [\"node\" \"nodes\"] are supported"
        )));
    }
    let (add, remove) = read(&specs)?;
    let both: Vec<String> = add
        .iter()
        .filter(|one| {
            let gone =
                |other: &&Taint| other.key == one.key && (other.effect.is_empty() || one.is(other));
            remove.iter().any(|other| gone(&other))
        })
        .map(Taint::text)
        .collect();
    if !both.is_empty() {
        return Err(Problem::error(format!(
            "can not both modify and remove the following taint(s) in the same command: {}",
            both.join(", ")
        )));
    }
    let overwrite = call.arguments.on("overwrite");
    let (found, mut problems) = call.looked_up(&resources)?;
    for (kind, mut node) in found {
        match change(&node, overwrite, &add, &remove) {
            Ok((word, taints)) => {
                if taints.is_empty() {
                    node.remove_path(&["spec", "taints"]);
                } else {
                    node.set_path(&["spec", "taints"], Value::list(taints));
                }
                let put = call.put(node);
                let told = put.and_then(|made| super::printers::outcome(call, kind, &made, word));
                problems.extend(told.err());
            }
            Err(problem) => problems.push(problem),
        }
    }
    Problem::all(problems)
}

fn read(specs: &[String]) -> Result<(Vec<Taint>, Vec<Taint>), Problem> {
    let (mut add, mut remove): (Vec<Taint>, Vec<Taint>) = (Vec::new(), Vec::new());
    for spec in specs {
        if let Some(spec) = spec.strip_suffix('-') {
            remove.push(Taint::parse(spec)?);
            continue;
        }
        let taint = Taint::parse(spec)?;
        if taint.effect.is_empty() {
            return Err(Problem::error(format!("invalid taint spec: {spec}")));
        }
        if add.iter().any(|known| known.is(&taint)) {
            return Err(Problem::error(format!(
                "duplicated taints with the same key and effect: {}",
                taint.text()
            )));
        }
        add.push(taint);
    }
    Ok((add, remove))
}

/// What is said of the change, and the taints after it.
fn change(
    node: &Value,
    overwrite: bool,
    add: &[Taint],
    remove: &[Taint],
) -> Result<(&'static str, Vec<Value>), Problem> {
    let old = items(node, &["spec", "taints"]);
    if !overwrite {
        let there: Vec<&str> = old
            .iter()
            .filter(|one| add.iter().any(|taint| taint.is(&Taint::of(one))))
            .filter_map(|one| one.str_at(&["key"]))
            .collect();
        if !there.is_empty() {
            return Err(Problem::error(format!(
                "node {} already has {} taint(s) with same effect(s) and --overwrite is false",
                name_of(node),
                there.join(",")
            )));
        }
    }
    let mut taints: Vec<Value> = add.iter().map(written).collect();
    taints.extend(
        old.iter()
            .filter(|one| !add.iter().any(|taint| taint.is(&Taint::of(one))))
            .cloned(),
    );
    let added = taints.len() != old.len();
    let (mut missing, mut deleted) = (Vec::new(), false);
    for taint in remove {
        let before = taints.len();
        taints.retain(|one| {
            let one = Taint::of(one);
            one.key != taint.key || !(taint.effect.is_empty() || one.effect == taint.effect)
        });
        if taints.len() == before {
            missing.push(Problem::error(format!(
                "taint \"{}\" not found",
                taint.text()
            )));
        } else {
            deleted = true;
        }
    }
    Problem::all(missing)?;
    let word = match (added && deleted || overwrite, added) {
        (true, _) => "modified",
        (false, true) => "tainted",
        (false, false) => "untainted",
    };
    Ok((word, taints))
}

fn written(taint: &Taint) -> Value {
    let mut value = Value::map();
    value.set("effect", taint.effect.as_str().into());
    value.set("key", taint.key.as_str().into());
    if !taint.value.is_empty() {
        value.set("value", taint.value.as_str().into());
    }
    value
}
