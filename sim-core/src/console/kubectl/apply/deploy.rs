//! `kubectl apply` of what an experiment brings, before its run begins: one object after the other,
//! so that a kind is known once its definition is there, and each problem has its line.

use crate::base::sentence::passage::Passage;
use crate::console::kubectl::{Call, begin};
use crate::console::{Output, Session};
use crate::manifest::decode;
use crate::manifest::lines::Source;
use crate::manifest::scalar::Dialect;
use crate::manifest::tree::Node;

use super::{FLAGS, Problem, list, one, printers, read};

/// Applies all objects of the texts. `flags` are words of `apply` other than `-f` and `-k`. Problems
/// come as `FILE:LINE: ` and the words of `kubectl apply`; the objects without any are applied.
pub fn deploy(session: &mut Session, flags: &[String], texts: &[Source]) -> Output {
    let mut call = match begin(session, "apply", FLAGS, flags, "") {
        Ok(call) => call,
        Err(output) => return output,
    };
    let mut problems = Vec::new();
    for source in texts {
        let (documents, _) = decode::documents(source, Dialect::Kubernetes);
        for part in documents.iter().flat_map(list::flat) {
            if let Err(problem) = object(&mut call, source, part) {
                let line = source.position(part.span.start).line;
                let place = Passage::from(format!("{}:{line}: ", source.name));
                let text = place.then(problem.text.trimmed());
                problems.push(Problem { text, ..problem });
            }
        }
    }
    let mut output = Output {
        stdout: call.stdout.into(),
        stderr: call.stderr,
        code: 0,
    };
    if let Err(problem) = Problem::all(problems) {
        let refused = Output::error(problem.code, problem.text);
        output.stderr.push(refused.stderr);
        output.code = refused.code;
    }
    output
}

fn object(call: &mut Call<'_>, source: &Source, part: &Node) -> Result<(), Problem> {
    let item = read(call, &source.name, source, part)?;
    let (object, word) = one(call, &item)?;
    printers::outcome(call, item.kind, &object, word)
}
