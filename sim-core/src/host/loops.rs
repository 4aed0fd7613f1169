//! What each control loop saw and did, from the trace alone.

use crate::engine::lab::Lab;
use crate::engine::trace::Entry;
use crate::engine::world::World;
use crate::protocol::views::Loop;

use super::view;

/// Latest actions that are shown of each loop.
const LATEST: usize = 3;

/// Loops of all worlds, in the order in which they first acted.
pub fn loops(lab: &Lab) -> Vec<Loop> {
    lab.worlds.iter().flat_map(of_world).collect()
}

fn of_world(world: &World) -> Vec<Loop> {
    struct Seen<'w> {
        source: &'static str,
        count: u64,
        latest: Vec<&'w Entry>,
    }
    let mut seen: Vec<Seen<'_>> = Vec::new();
    for entry in world.trace.iter() {
        let source = entry.notice.source;
        // What is nobody's decision is no loop.
        if source == "fault" || source.starts_with("substrate.") {
            continue;
        }
        let known = seen.iter_mut().find(|known| known.source == source);
        match known {
            Some(known) => {
                known.count += 1;
                if known.latest.len() == LATEST {
                    known.latest.remove(0);
                }
                known.latest.push(entry);
            }
            None => seen.push(Seen {
                source,
                count: 1,
                latest: vec![entry],
            }),
        }
    }
    let one = |seen: Seen<'_>| Loop {
        orchestrator: world.orchestrator.name().to_owned(),
        source: seen.source.to_owned(),
        count: seen.count,
        did: seen
            .latest
            .iter()
            .rev()
            .map(|entry| view::line(world, entry))
            .collect(),
        saw: seen.latest.last().and_then(|entry| {
            let chain = world.trace.chain(entry.cause);
            let cause = chain.last().filter(|cause| cause.seq < entry.seq)?;
            Some(view::line(world, cause))
        }),
    };
    seen.into_iter().map(one).collect()
}
