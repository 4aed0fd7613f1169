//! `ipvsadm -Ln`: virtual servers of one network namespace.
//!
//! A swarm's tables lie in the namespaces of its load balancers, one for each overlay; the machine's
//! own namespace has none, and kube-proxy's mode `ipvs` is not modelled.
//! Source: moby `daemon/libnetwork/service_linux.go`.

use std::net::Ipv4Addr;

use crate::base::sentence::catalogue;
use crate::console::{Output, after};

use super::networks::{NETNS, balancer_namespace, on_machine, virtuals};
use super::place::Place;

const HEADER: &str = "IP Virtual Server version 1.2.1 (size=4096)\nProt LocalAddress:Port Scheduler Flags\n  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn\n";

/// Runs `ipvsadm` in the namespace of this name; none: the machine's own.
pub fn run(place: &Place<'_>, namespace: Option<&str>, words: &[&str]) -> Output {
    let lists = words
        .iter()
        .any(|word| word.contains('L') || word.contains('l') || *word == "--list");
    if !lists {
        return Output::error(
            2,
            after(
                "ipvsadm: ",
                catalogue::ONLY_MODELLED.with(&[("what", &"-L [-n]")]),
            ),
        );
    }
    let mut text = HEADER.to_owned();
    let Some(namespace) = namespace else {
        return Output::text(text);
    };
    let Some(net) = on_machine(place)
        .into_iter()
        .find(|net| !net.overlay.is_empty() && balancer_namespace(net) == namespace)
    else {
        return Output::text(text);
    };
    for row in virtuals(place)
        .into_iter()
        .filter(|row| row.network == net.name)
    {
        text.push_str(&format!("FWM  {} rr\n", row.mark));
        for (_, address) in &row.receivers {
            text.push_str(&format!(
                "  -> {:<28} Masq    1      0          0         \n",
                format!("{}:0", Ipv4Addr::from(*address))
            ));
        }
    }
    Output::text(text)
}

/// The name of a namespace in a path below the engine's directory.
pub fn namespace_of(path: &str) -> Option<&str> {
    path.trim_start_matches("/var")
        .strip_prefix(NETNS)?
        .strip_prefix('/')
}
