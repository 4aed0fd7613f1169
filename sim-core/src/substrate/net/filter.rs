//! Packet filter rules: how they are printed, and what they do to one packet.
//!
//! Rules are data. Who makes them (an engine, a proxy) is above; here they are written as
//! `iptables-save` prints them and followed as the kernel follows them. A walk takes every branch
//! that chance could take, so its result is the set of all outcomes.

use std::net::Ipv4Addr;

use crate::base::sorted::SortedMap;

/// Transport protocol, lower case.
pub type Protocol = &'static str;

/// A range of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cidr {
    /// First address.
    pub base: u32,
    /// Length of the prefix, at most 32.
    pub prefix: u8,
}

impl Cidr {
    /// One address.
    pub const fn host(address: u32) -> Self {
        Self {
            base: address,
            prefix: 32,
        }
    }

    /// Reads `10.0.0.0/8` or one address.
    pub fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = text.split_once('/').unwrap_or((text, "32"));
        let base = u32::from(address.parse::<Ipv4Addr>().ok()?);
        let prefix: u8 = prefix.parse().ok().filter(|prefix| *prefix <= 32)?;
        Some(Self { base, prefix })
    }

    /// Whether an address is in it.
    pub const fn holds(self, address: u32) -> bool {
        if self.prefix == 0 {
            return true;
        }
        let shift = 32 - self.prefix;
        self.base >> shift == address >> shift
    }

    /// Text with its prefix.
    pub fn text(self) -> String {
        format!("{}/{}", Ipv4Addr::from(self.base), self.prefix)
    }
}

/// What a packet must be like. In the order in which `iptables-save` prints them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Match {
    /// Source; true: any but this.
    pub source: Option<(Cidr, bool)>,
    /// Destination; true: any but this.
    pub destination: Option<(Cidr, bool)>,
    /// Interface by which it came; true: any but this.
    pub input: Option<(String, bool)>,
    /// Interface by which it goes; true: any but this.
    pub output: Option<(String, bool)>,
    /// Protocol.
    pub protocol: Option<Protocol>,
    /// What the rule is for; empty: nothing is said.
    pub comment: String,
    /// States of connections, any of which it must have; true: none of which.
    pub states: Option<(&'static str, bool)>,
    /// Whether the destination must (or, false, must not) be an address of the machine.
    pub to_local: Option<bool>,
    /// Whether the source must be an address of the machine.
    pub from_local: bool,
    /// Port of the destination.
    pub port: Option<u16>,
    /// Mark and mask; true: any but this.
    pub mark: Option<(u32, u32, bool)>,
    /// Chance of one in so many.
    pub one_in: Option<u64>,
    /// Only those of a client that was sent this way in the last seconds: list's name and seconds.
    pub recent: Option<(String, u32)>,
}

/// What a rule does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Go through another chain.
    Jump(String),
    /// Let it pass.
    Accept,
    /// Leave the chain.
    Return,
    /// Forget it.
    Drop,
    /// Refuse it.
    Reject,
    /// Set bits: value and mask, as `--set-xmark`.
    Mark(u32, u32),
    /// Send it there.
    Destination(u32, u16),
    /// Let it come from the machine.
    Masquerade,
    /// Nothing.
    None,
}

/// A rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// What it is for.
    pub when: Match,
    /// What it does.
    pub then: Target,
    /// Options behind the target, as printed, e.g. `--random-fully`.
    pub extra: &'static str,
}

impl Rule {
    /// A rule without extras.
    pub fn new(when: Match, then: Target) -> Self {
        Self {
            when,
            then,
            extra: "",
        }
    }
}

/// A table: chains by name; a policy makes one of the kernel's own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// Chains of the kernel with their policies, in its order.
    pub hooks: Vec<(&'static str, bool)>,
    /// Rules by chain.
    pub chains: SortedMap<String, Vec<Rule>>,
}

impl Table {
    /// A table with these hooks, all of which let pass.
    pub fn new(hooks: &[&'static str]) -> Self {
        Self {
            hooks: hooks.iter().map(|name| (*name, true)).collect(),
            chains: SortedMap::new(),
        }
    }

    /// Adds a chain, empty if it is new.
    pub fn chain(&mut self, name: &str) -> &mut Vec<Rule> {
        self.chains.entry(name.to_owned()).or_default()
    }

    /// Adds a rule at the end of a chain.
    pub fn add(&mut self, chain: &str, when: Match, then: Target) {
        self.chain(chain).push(Rule::new(when, then));
    }
}

/// All tables of a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ruleset {
    /// Before connections are tracked.
    pub raw: Table,
    /// Changes of packets.
    pub mangle: Table,
    /// Changes of addresses.
    pub nat: Table,
    /// What may pass.
    pub filter: Table,
}

impl Default for Ruleset {
    fn default() -> Self {
        Self {
            raw: Table::new(&["PREROUTING", "OUTPUT"]),
            mangle: Table::new(&["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"]),
            nat: Table::new(&["PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"]),
            filter: Table::new(&["INPUT", "FORWARD", "OUTPUT"]),
        }
    }
}

/// A chance of one in `count` as a proxy prints it: ten decimals, rounded down to even thirds.
/// Source: `pkg/proxy/iptables/proxier.go` (`computeProbability`).
pub fn probability(count: u64) -> String {
    const SCALE: u64 = 10_000_000_000;
    let count = count.max(1);
    let (mut scaled, rest) = (SCALE / count, SCALE % count);
    if rest * 2 > count || (rest * 2 == count && scaled % 2 == 1) {
        scaled += 1;
    }
    format!("{}.{:010}", scaled / SCALE, scaled % SCALE)
}

fn render_match(when: &Match) -> String {
    let mut text = String::new();
    let not = |inverse: bool| if inverse { " !" } else { "" };
    if let Some((range, inverse)) = when.source {
        text.push_str(&format!("{} -s {}", not(inverse), range.text()));
    }
    if let Some((range, inverse)) = when.destination {
        text.push_str(&format!("{} -d {}", not(inverse), range.text()));
    }
    if let Some((name, inverse)) = &when.input {
        text.push_str(&format!("{} -i {name}", not(*inverse)));
    }
    if let Some((name, inverse)) = &when.output {
        text.push_str(&format!("{} -o {name}", not(*inverse)));
    }
    if let Some(protocol) = when.protocol {
        text.push_str(&format!(" -p {protocol}"));
    }
    let states = |text: &mut String| {
        if let Some((states, inverse)) = when.states {
            text.push_str(&format!(" -m conntrack{} --ctstate {states}", not(inverse)));
        }
    };
    // Rules keep the order in which their matches were given.
    let states_first =
        when.comment.is_empty() || when.states.is_some_and(|(states, _)| states == "NEW");
    if states_first {
        states(&mut text);
    }
    if !when.comment.is_empty() {
        let quoted = if when.comment.contains(' ')
            || when.comment.contains(':')
            || when.comment.contains('/')
        {
            format!("\"{}\"", when.comment)
        } else {
            when.comment.clone()
        };
        text.push_str(&format!(" -m comment --comment {quoted}"));
    }
    if !states_first {
        states(&mut text);
    }
    if let Some(local) = when.to_local {
        text.push_str(&format!(" -m addrtype{} --dst-type LOCAL", not(!local)));
    }
    if when.from_local {
        text.push_str(" -m addrtype --src-type LOCAL");
    }
    if let (Some(protocol), Some(port)) = (when.protocol, when.port) {
        text.push_str(&format!(" -m {protocol} --dport {port}"));
    }
    if let Some((mark, mask, inverse)) = when.mark {
        text.push_str(&format!(
            " -m mark{} --mark {mark:#x}/{mask:#x}",
            not(inverse)
        ));
    }
    if let Some((name, seconds)) = &when.recent {
        text.push_str(&format!(
            " -m recent --rcheck --seconds {seconds} --reap --name {name} --mask 255.255.255.255 --rsource"
        ));
    }
    if let Some(count) = when.one_in {
        text.push_str(&format!(
            " -m statistic --mode random --probability {}",
            probability(count)
        ));
    }
    text
}

/// A rule as `iptables-save` prints it.
pub fn render_rule(chain: &str, rule: &Rule) -> String {
    let target = match &rule.then {
        Target::Jump(name) => format!(" -j {name}"),
        Target::Accept => " -j ACCEPT".to_owned(),
        Target::Return => " -j RETURN".to_owned(),
        Target::Drop => " -j DROP".to_owned(),
        Target::Reject => " -j REJECT --reject-with icmp-port-unreachable".to_owned(),
        Target::Mark(value, mask) => format!(" -j MARK --set-xmark {value:#x}/{mask:#x}"),
        Target::Destination(address, port) => {
            let module = rule.when.protocol.filter(|_| rule.when.port.is_none());
            let module = module.map_or_else(String::new, |protocol| format!(" -m {protocol}"));
            format!(
                "{module} -j DNAT --to-destination {}:{port}",
                Ipv4Addr::from(*address)
            )
        }
        Target::Masquerade => " -j MASQUERADE".to_owned(),
        Target::None => String::new(),
    };
    format!(
        "-A {chain}{}{target}{}",
        render_match(&rule.when),
        rule.extra
    )
}

impl Ruleset {
    /// What `iptables-save` prints; `only`: one table.
    pub fn save(&self, only: Option<&str>) -> String {
        let tables = [
            ("mangle", &self.mangle),
            ("raw", &self.raw),
            ("nat", &self.nat),
            ("filter", &self.filter),
        ];
        tables
            .iter()
            .filter(|(name, table)| {
                only.map_or(!table.chains.is_empty() || *name != "raw", |only| {
                    only == *name
                })
            })
            .map(|(name, table)| save_table(name, table))
            .collect()
    }
}

fn save_table(name: &str, table: &Table) -> String {
    let mut text = format!("# Generated by iptables-save v1.8.11 (nf_tables)\n*{name}\n");
    for (hook, pass) in &table.hooks {
        let policy = if *pass { "ACCEPT" } else { "DROP" };
        text.push_str(&format!(":{hook} {policy} [0:0]\n"));
    }
    let is_hook = |chain: &str| table.hooks.iter().any(|(hook, _)| *hook == chain);
    for chain in table.chains.keys().filter(|chain| !is_hook(chain)) {
        text.push_str(&format!(":{chain} - [0:0]\n"));
    }
    for (hook, _) in &table.hooks {
        for rule in table.chains.get(*hook).into_iter().flatten() {
            text.push_str(&render_rule(hook, rule));
            text.push('\n');
        }
    }
    for (chain, rules) in table.chains.iter().filter(|(chain, _)| !is_hook(chain)) {
        for rule in rules {
            text.push_str(&render_rule(chain, rule));
            text.push('\n');
        }
    }
    text.push_str("COMMIT\n# Completed\n");
    text
}

/// A packet that begins a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Source.
    pub source: u32,
    /// Destination.
    pub destination: u32,
    /// Port of the destination.
    pub port: u16,
    /// Protocol.
    pub protocol: Protocol,
    /// Mark.
    pub mark: u32,
    /// Interface by which it came; empty: it was made on the machine.
    pub input: String,
    /// Interface by which it goes.
    pub output: String,
    /// Whether its destination was changed.
    pub redirected: bool,
}

/// One way of a packet through some chains.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    /// The packet behind them.
    pub packet: Packet,
    /// What became of it.
    pub end: End,
    /// Rules that matched, as printed, each with its table.
    pub steps: Vec<String>,
    /// Chance of this way, as a fraction.
    pub chance: (u64, u64),
    /// Whether it shall come from the machine.
    pub masquerade: bool,
}

/// What became of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It goes on.
    Passed,
    /// It was forgotten.
    Dropped,
    /// It was refused.
    Rejected,
}

/// Rules that a packet is held against before a loop among chains is assumed.
const DEPTH_MAX: usize = 32;

/// Sends a packet through one chain of a table; every branch that chance could take is a way.
/// `local`: whether an address is the machine's own.
pub fn walk(
    name: &'static str,
    table: &Table,
    hook: &str,
    packet: Packet,
    local: &dyn Fn(u32) -> bool,
) -> Vec<Way> {
    let start = Way {
        packet,
        end: End::Passed,
        steps: Vec::new(),
        chance: (1, 1),
        masquerade: false,
    };
    let walker = Walker { name, table, local };
    let (mut open, mut closed) = walker.chain(hook, vec![start], 0);
    let pass = table
        .hooks
        .iter()
        .find(|(chain, _)| *chain == hook)
        .is_none_or(|(_, pass)| *pass);
    if !pass {
        for way in &mut open {
            way.end = End::Dropped;
            way.steps.push(format!("{name}: -P {hook} DROP"));
        }
    }
    closed.append(&mut open);
    closed
}

struct Walker<'a> {
    name: &'static str,
    table: &'a Table,
    local: &'a dyn Fn(u32) -> bool,
}

impl Walker<'_> {
    /// Ways that fall out of the chain's end, and ways that were decided in it.
    fn chain(&self, chain: &str, ways: Vec<Way>, depth: usize) -> (Vec<Way>, Vec<Way>) {
        let Some(rules) = self.table.chains.get(chain).filter(|_| depth < DEPTH_MAX) else {
            return (ways, Vec::new());
        };
        let (mut inside, mut left, mut decided) = (ways, Vec::new(), Vec::new());
        for rule in rules {
            let mut next = Vec::new();
            for way in inside {
                if !self.fits(&rule.when, &way.packet) {
                    next.push(way);
                    continue;
                }
                let mut taken = way.clone();
                if let Some(count) = rule.when.one_in.filter(|count| *count > 1) {
                    let mut other = way;
                    other.chance = fraction(other.chance, (count - 1, count));
                    next.push(other);
                    taken.chance = fraction(taken.chance, (1, count));
                }
                taken
                    .steps
                    .push(format!("{}: {}", self.name, render_rule(chain, rule)));
                match &rule.then {
                    Target::Jump(name) => {
                        let (mut open, mut closed) = self.chain(name, vec![taken], depth + 1);
                        next.append(&mut open);
                        decided.append(&mut closed);
                    }
                    Target::Return => left.push(taken),
                    Target::Accept => decided.push(taken),
                    Target::Drop => {
                        taken.end = End::Dropped;
                        decided.push(taken);
                    }
                    Target::Reject => {
                        taken.end = End::Rejected;
                        decided.push(taken);
                    }
                    Target::Mark(value, mask) => {
                        taken.packet.mark = (taken.packet.mark & !mask) ^ value;
                        next.push(taken);
                    }
                    Target::Destination(address, port) => {
                        taken.packet.destination = *address;
                        taken.packet.port = *port;
                        taken.packet.redirected = true;
                        decided.push(taken);
                    }
                    Target::Masquerade => {
                        taken.masquerade = true;
                        decided.push(taken);
                    }
                    Target::None => next.push(taken),
                }
            }
            inside = next;
        }
        inside.append(&mut left);
        (inside, decided)
    }

    fn fits(&self, when: &Match, packet: &Packet) -> bool {
        let range = |wanted: Option<(Cidr, bool)>, address: u32| {
            wanted.is_none_or(|(range, inverse)| range.holds(address) != inverse)
        };
        let interface = |wanted: &Option<(String, bool)>, name: &str| {
            wanted
                .as_ref()
                .is_none_or(|(wanted, inverse)| (wanted == name) != *inverse)
        };
        // A walk follows the first packet of a connection.
        let state = when.states.is_none_or(|(states, inverse)| {
            states
                .split(',')
                .any(|state| state == "NEW" || (state == "DNAT" && packet.redirected))
                != inverse
        });
        range(when.source, packet.source)
            && range(when.destination, packet.destination)
            && interface(&when.input, &packet.input)
            && interface(&when.output, &packet.output)
            && when
                .protocol
                .is_none_or(|protocol| protocol == packet.protocol)
            && when.port.is_none_or(|port| port == packet.port)
            && state
            && when
                .to_local
                .is_none_or(|wanted| (self.local)(packet.destination) == wanted)
            && (!when.from_local || (self.local)(packet.source))
            && when
                .mark
                .is_none_or(|(value, mask, inverse)| (packet.mark & mask == value) != inverse)
            && when.recent.is_none()
    }
}

/// Product of two fractions, in lowest terms as far as small numbers go.
fn fraction(left: (u64, u64), right: (u64, u64)) -> (u64, u64) {
    let (top, bottom) = (
        left.0.saturating_mul(right.0),
        left.1.saturating_mul(right.1),
    );
    let (mut a, mut b) = (top, bottom);
    while b != 0 {
        (a, b) = (b, a % b);
    }
    let divisor = a.max(1);
    (top / divisor, bottom / divisor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_have_ten_decimals() {
        let texts = [1, 2, 3, 10, 100_001].map(probability);
        assert_eq!(
            texts,
            [
                "1.0000000000",
                "0.5000000000",
                "0.3333333333",
                "0.1000000000",
                "0.0000099999"
            ]
        );
    }

    #[test]
    fn ranges_hold_their_addresses() {
        let range = Cidr::parse("10.0.0.0/8").unwrap();
        assert!(range.holds(u32::from(Ipv4Addr::new(10, 200, 1, 1))));
        assert!(!range.holds(u32::from(Ipv4Addr::new(11, 0, 0, 1))));
        assert!(Cidr::parse("10.0.0.0/33").is_none());
    }
}
