//! Generic resources of a service's command line.

use std::sync::Arc;

use crate::base::sorted::SortedMap;
use crate::console::Output;

/// Generic resources, each `KIND=COUNT`; a kind is counted, once, or its units have names, which a
/// service cannot ask for. Source: moby/swarmkit `api/genericresource/parse.go`, docker/cli
/// `cli/command/service/generic_resource_opts.go`.
///
/// # Errors
/// The command line's text, of the first kind by name.
pub fn generic(terms: &[&str]) -> Result<Vec<(Arc<str>, u64)>, Output> {
    let invalid = |message: String| {
        Output::error(
            1,
            format!(
                "invalid generic resource specification: could not parse GenericResource: {message}"
            ),
        )
    };
    let mut kinds: SortedMap<&str, Vec<&str>> = SortedMap::new();
    for term in terms {
        let mut halves = term.split('=');
        let (Some(kind), Some(value), None) = (halves.next(), halves.next(), halves.next()) else {
            return Err(invalid(format!(
                "incorrect term {term}, missing '=' or malformed expression"
            )));
        };
        kinds.entry(kind.trim()).or_default().push(value.trim());
    }
    let mut counted = Vec::new();
    let mut named = None;
    for (kind, values) in kinds {
        let counts: Vec<i64> = values
            .iter()
            .filter_map(|value| value.parse().ok())
            .collect();
        match (&*counts, &*values) {
            (&[count], [_]) => {
                let amount = u64::try_from(count)
                    .map_err(|_| invalid(format!("cannot ask for negative resource {kind}")))?;
                counted.push((kind.into(), amount));
            }
            ([], [first, ..]) => named = named.or(Some((kind, *first))),
            _ => {
                return Err(invalid(format!(
                    "mixed discrete and named resources in expression '{kind}=[{}]'",
                    values.join(" ")
                )));
            }
        }
    }
    match named {
        Some((kind, value)) => Err(Output::error(
            1,
            format!(
                "invalid generic-resource request `{kind}={value}`, Named Generic Resources is not supported for service create or update"
            ),
        )),
        None => Ok(counted),
    }
}
