//! `ipvsadm -Ln`: virtual servers of the mesh, from the rules that a swarm's manager programs.

use std::net::Ipv4Addr;

use crate::console::Output;
use crate::engine::command::Orchestrator;
use crate::substrate::order::Entry;

use super::place::Place;

/// Runs `ipvsadm`.
pub fn run(place: &Place<'_>, words: &[&str]) -> Output {
    if !words
        .iter()
        .any(|word| word.contains('L') || *word == "--list")
    {
        return Output::error(2, "ipvsadm: only -L [-n] is modelled");
    }
    let mut text = "IP Virtual Server version 1.2.1 (size=4096)\nProt LocalAddress:Port Scheduler Flags\n  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn\n".to_owned();
    if place.world.orchestrator != Orchestrator::Swarm {
        return Output::text(text);
    }
    // In the mesh's namespace each service has a firewall mark; its tasks are reached by NAT.
    let mut mark = 256;
    for (_, row) in place.world.substrate.balancers() {
        if !matches!(row.entry, Entry::EveryMachine(_)) {
            continue;
        }
        text.push_str(&format!("FWM  {mark} rr\n"));
        mark += 1;
        for backend in row.backends() {
            let Some(sandbox) = place.world.substrate.sandbox(backend.sandbox) else {
                continue;
            };
            text.push_str(&format!(
                "  -> {:<28} Masq    1      0          0         \n",
                format!("{}:0", Ipv4Addr::from(sandbox.address))
            ));
        }
    }
    Output::text(text)
}
