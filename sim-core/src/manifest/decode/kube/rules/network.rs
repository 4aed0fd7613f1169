//! NetworkPolicies.
//! Source: `pkg/apis/networking/validation/validation.go`.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use crate::manifest::decode::kube::fault;
use crate::manifest::decode::kube::name;
use crate::manifest::decode::scribe::{Field, Scribe};

use super::{items, number, one_of, text};

const CIDR: &str = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)";
const PORT: &str = "must be between 1 and 65535, inclusive";

/// `spec` of a NetworkPolicy.
#[inline(never)]
pub fn policy(spec: &Field<'_>, scribe: &Scribe) {
    for (rules, peers) in [("ingress", "from"), ("egress", "to")] {
        for rule in items(&spec.peek(rules)) {
            for one in items(&rule.peek("ports")) {
                port(&one, scribe);
            }
            for one in items(&rule.peek(peers)) {
                peer(&one, scribe);
            }
        }
    }
    for one in items(&spec.peek("policyTypes")) {
        one_of(&one, &["Ingress", "Egress"], scribe);
    }
}

fn port(field: &Field<'_>, scribe: &Scribe) {
    one_of(&field.peek("protocol"), &["TCP", "UDP", "SCTP"], scribe);
    let (first, last) = (field.peek("port"), field.peek("endPort"));
    let is_port = |found: i64| (1..=65_535).contains(&found);
    let end = number(&last);
    if let Some(found) = number(&first) {
        if !is_port(found) {
            fault::invalid(scribe, &first, found, PORT);
        }
        if let Some(end) = end {
            if end < found {
                let detail = "must be greater than or equal to `port`";
                fault::invalid(scribe, &last, found, detail);
            }
            if !is_port(end) {
                fault::invalid(scribe, &last, end, PORT);
            }
        }
        return;
    }
    if let Some(end) = end {
        let detail = if first.exists() {
            "may not be specified when `port` is non-numeric"
        } else {
            "may not be specified when `port` is not specified"
        };
        fault::invalid(scribe, &last, end, detail);
    }
    if first.exists() {
        let found = text(&first);
        for detail in name::port_name(found) {
            fault::invalid(scribe, &first, format!("{found:?}"), &detail);
        }
    }
}

fn peer(field: &Field<'_>, scribe: &Scribe) {
    let block = field.peek("ipBlock");
    let selects = field.peek("podSelector").exists() || field.peek("namespaceSelector").exists();
    if block.exists() {
        ip_block(&block, scribe);
    }
    if !block.exists() && !selects {
        fault::required(scribe, field, "must specify a peer");
    } else if block.exists() && selects {
        let detail = "may not specify both ipBlock and another peer";
        fault::forbidden(scribe, field, detail);
    }
}

fn ip_block(block: &Field<'_>, scribe: &Scribe) {
    let cidr = block.peek("cidr");
    if text(&cidr).is_empty() {
        fault::required(scribe, &cidr, "");
        return;
    }
    let Some(range) = Range::parse(text(&cidr)) else {
        fault::invalid(scribe, &cidr, format!("{:?}", text(&cidr)), CIDR);
        return;
    };
    for except in items(&block.peek("except")) {
        let found = text(&except);
        let detail = match Range::parse(found) {
            None => CIDR,
            Some(hole) if !range.holds(&hole) => "must be a strict subset of `cidr`",
            Some(_) => continue,
        };
        fault::invalid(scribe, &except, format!("{found:?}"), detail);
    }
}

/// `spec.podCIDRs` of a Node.
/// Source: `pkg/apis/core/validation/validation.go` (`ValidateNode`).
pub fn pod_ranges(list: &Field<'_>, ranges: &[Arc<str>], scribe: &Scribe) {
    let mut families = Vec::new();
    for (index, range) in ranges.iter().enumerate() {
        match Range::parse(range) {
            Some(range) => families.push(range.bits),
            None => {
                let mut one = list.clone();
                one.path = format!("{}[{index}]", list.path);
                fault::invalid(scribe, &one, format!("{range:?}"), CIDR);
            }
        }
    }
    let repeats = families.len() == ranges.len() && families.first() == families.get(1);
    if ranges.len() > 1 && (ranges.len() > 2 || repeats) {
        let shown: Vec<String> = ranges.iter().map(|range| format!("{range:?}")).collect();
        let detail = "may specify no more than one CIDR for each IP family";
        fault::invalid(scribe, list, format!("[{}]", shown.join(",")), detail);
    }
}

/// `spec` of a ServiceCIDR.
pub fn ranges(spec: &Field<'_>, scribe: &Scribe) {
    let field = spec.peek("cidrs");
    let all = items(&field);
    match all.len() {
        0 => fault::required(scribe, &field, "at least one CIDR required"),
        1 | 2 => {}
        _ => {
            let detail = "may only hold up to 2 values";
            return fault::invalid(scribe, &field, super::shown(&field), detail);
        }
    }
    let mut families = Vec::new();
    for one in &all {
        let range = Range::parse(text(one));
        families.extend(range.as_ref().map(|range| range.bits));
        let detail = match range {
            None => CIDR,
            Some(range) if range.has_more() => "must not have bits set beyond the prefix length",
            Some(_) => continue,
        };
        fault::invalid(scribe, one, super::shown(one), detail);
    }
    if let [first, second] = families[..]
        && first == second
    {
        let detail = "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64";
        fault::invalid(scribe, &field, super::shown(&field), detail);
    }
}

/// Addresses of either family.
struct Range {
    base: u128,
    prefix: u32,
    bits: u32,
}

impl Range {
    /// Whether the address is not the network's.
    fn has_more(&self) -> bool {
        let host = self.bits - self.prefix;
        host == 128 && self.base != 0 || host < 128 && self.base & ((1 << host) - 1) != 0
    }

    fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = text.split_once('/')?;
        let (base, bits) = match address.parse::<Ipv4Addr>() {
            Ok(address) => (u128::from(u32::from(address)), 32),
            Err(_) => (u128::from(address.parse::<Ipv6Addr>().ok()?), 128),
        };
        let digits = prefix.bytes().all(|byte| byte.is_ascii_digit());
        let prefix = prefix.parse().ok().filter(|prefix| *prefix <= bits)?;
        digits.then_some(Self { base, prefix, bits })
    }

    /// Whether another lies in it and is smaller.
    fn holds(&self, other: &Self) -> bool {
        let first = |base: u128| base.checked_shr(self.bits - self.prefix).unwrap_or(0);
        self.bits == other.bits
            && self.prefix < other.prefix
            && first(self.base) == first(other.base)
    }
}
