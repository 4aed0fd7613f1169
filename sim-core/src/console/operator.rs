//! `sim operator`: brings a loop over a custom resource, as a plan in YAML
//! ([`crate::kube::controllers::operators::plan`]).

use std::sync::Arc;

use crate::base::sentence::{Sentence, catalogue};
use crate::engine::command::{Answer, Command, Orchestrator};
use crate::engine::world::World;
use crate::kube::controllers::operators::plan::Operator;
use crate::manifest::decode;
use crate::manifest::lines::Source;
use crate::manifest::scalar::Dialect;

use super::{Output, Session, located, table, usage};

const USAGE: &str = "sim operator start -f FILE… | sim operator stop NAME… | sim operator list";

/// `operator start -f FILE…`, `operator stop NAME…`, `operator list`.
pub fn run(session: &mut Session, words: &[&str], input: &str) -> Output {
    match words {
        ["list"] => list(session),
        ["start", rest @ ..] => {
            let files: Vec<&str> = rest.iter().copied().filter(|word| *word != "-f").collect();
            if files.is_empty() {
                return usage(USAGE);
            }
            for name in files {
                match plans(session, name, input) {
                    Ok(plans) => {
                        for plan in plans {
                            let output = give(session, Command::Operator(Arc::new(plan)));
                            if output.code != 0 {
                                return output;
                            }
                        }
                    }
                    Err(message) => return Output::error(3, message),
                }
            }
            Output::default()
        }
        ["stop", names @ ..] if !names.is_empty() => {
            for name in names {
                let output = give(session, Command::StopOperator((*name).into()));
                if output.code != 0 {
                    return output;
                }
            }
            Output::default()
        }
        _ => usage(USAGE),
    }
}

fn give(session: &mut Session, command: Command) -> Output {
    match session.command(Orchestrator::Kubernetes, command) {
        Ok(Answer::Refused(message)) => Output::error(2, message),
        Ok(_) => Output::default(),
        Err(output) => output,
    }
}

/// The plans of a file: every document is one.
fn plans(session: &Session, name: &str, input: &str) -> Result<Vec<Operator>, Sentence> {
    let text: Arc<str> = if name == "-" {
        input.into()
    } else {
        session
            .file(name)
            .cloned()
            .ok_or_else(|| format!("open {name}: no such file or directory"))?
    };
    let source = Source::new(name, &text);
    let (documents, remarks) = decode::documents(&source, Dialect::Kubernetes);
    if let Some(remark) = remarks.iter().find(|remark| remark.is_error()) {
        return Err(located(remark, &source));
    }
    let plans: Result<Vec<Operator>, Sentence> = documents
        .iter()
        .map(|node| node.to_value())
        .filter(|value| !value.is_null())
        .map(|value| Operator::parse(&value).map_err(|why| why.at(name)))
        .collect();
    let plans = plans?;
    if plans.is_empty() {
        return Err(catalogue::NO_OPERATOR_IN.with(&[("file", &name)]));
    }
    Ok(plans)
}

fn list(session: &Session) -> Output {
    let world = match session.world(Orchestrator::Kubernetes) {
        Ok(world) => world,
        Err(output) => return output,
    };
    let columns = [
        catalogue::COLUMN_NAME,
        catalogue::COLUMN_FOR,
        catalogue::COLUMN_CHILDREN,
    ];
    let mut rows = Vec::new();
    for plan in World::kube(world).map_or(&[][..], |plane| plane.operators()) {
        let children: Vec<&str> = plan.children.iter().map(|child| &*child.name).collect();
        let cells = vec![
            plan.name.to_string(),
            plan.resource.to_string(),
            children.join(","),
        ];
        rows.push(cells);
    }
    Output::text(table::own(&columns, rows))
}
