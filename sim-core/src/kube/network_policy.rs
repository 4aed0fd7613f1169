//! NetworkPolicies: which traffic of pods they allow.
//!
//! ```text
//! no policy selects the pod for a direction   everything passes
//! some do                                     what a rule of any of them names passes, nothing else
//! ```
//!
//! Judges only; who enforces is the network driver's affair ([`agents`]). Replies of what was allowed
//! pass, a pod reaches itself, and what comes from the pod's own node is always let in.
//! Sources: `staging/src/k8s.io/api/networking/v1/types.go`, `pkg/apis/networking/validation`.
//!
//! Not modelled: policies on pods of their node's own network (undefined upstream), AdminNetworkPolicy.

pub mod agents;

use std::net::Ipv4Addr;
use std::sync::Arc;

use crate::api::kube::container::Protocol;
use crate::base::arrange::Arrange;
use crate::base::sorted::SortedMap;
use crate::base::symbol::Symbols;
use crate::kube::rows::PodId;
use crate::kube::selector::{Labels, Selector};
use crate::kube::store::Store;
use crate::kube::volumes::claim::label_selector;
use crate::manifest::value::Value;
use crate::substrate::net::filter::Cidr;

/// Resource of the policies.
pub const POLICIES: &str = "networkpolicies.networking.k8s.io";

/// Which way traffic goes, as the pod sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// To the pod.
    Ingress,
    /// From the pod.
    Egress,
}

impl Direction {
    /// Upstream's word.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Ingress => "Ingress",
            Self::Egress => "Egress",
        }
    }
}

/// A pod as policies see it.
#[derive(Clone, Debug)]
pub struct Pod {
    /// Its namespace.
    pub namespace: Arc<str>,
    /// Its labels.
    pub labels: Labels,
    /// Its named ports: name, protocol, number.
    pub ports: Vec<(Arc<str>, &'static str, u16)>,
}

/// The other end of traffic.
#[derive(Clone, Copy, Debug)]
pub struct Peer<'a> {
    /// Its address.
    pub address: u32,
    /// The pod that has it; none: it is no pod's.
    pub pod: Option<&'a Pod>,
}

/// What policies say to one packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// No policy selects the pod for this direction.
    Free,
    /// A rule allows it: the policy and the rule's place.
    Allowed {
        /// `namespace/name`.
        policy: String,
        /// Place in `ingress` or `egress`, from 0.
        rule: usize,
    },
    /// No rule of these policies does.
    Denied {
        /// `namespace/name` of each.
        policies: Vec<String>,
    },
}

/// Whom a rule names.
#[derive(Clone, Debug)]
enum Who {
    Pods {
        /// None: those of the policy's own namespace.
        namespaces: Option<Selector>,
        /// None: all.
        pods: Option<Selector>,
    },
    Block {
        range: Cidr,
        except: Vec<Cidr>,
    },
    /// Addresses that nobody here has: those of IPv6, or none at all.
    Nobody,
}

/// A port that a rule names.
#[derive(Clone, Debug)]
struct Port {
    protocol: &'static str,
    place: Place,
}

/// Which ports of a protocol.
#[derive(Clone, Debug)]
enum Place {
    All,
    /// The first and the last.
    Range(u16, u16),
    Named(Arc<str>),
    /// A number that no port has.
    Nowhere,
}

#[derive(Clone, Debug)]
struct Rule {
    /// Empty: everybody.
    who: Vec<Who>,
    /// Empty: all.
    ports: Vec<Port>,
}

#[derive(Clone, Debug)]
struct Policy {
    namespace: Arc<str>,
    name: Arc<str>,
    pods: Selector,
    /// None: it does not isolate for this direction.
    ingress: Option<Vec<Rule>>,
    egress: Option<Vec<Rule>>,
}

/// All policies, and the labels of namespaces.
#[derive(Clone, Debug, Default)]
pub struct Policies {
    policies: Vec<Policy>,
    namespaces: SortedMap<Arc<str>, Labels>,
}

fn protocol(text: Option<&str>) -> &'static str {
    match text {
        Some("UDP") => "udp",
        Some("SCTP") => "sctp",
        _ => "tcp",
    }
}

fn items<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_list).unwrap_or(&[])
}

fn rules(spec: &Value, field: &str, peers: &str) -> Vec<Rule> {
    items(spec, field)
        .iter()
        .map(|rule| Rule {
            who: items(rule, peers).iter().map(who).collect(),
            ports: items(rule, "ports").iter().map(port).collect(),
        })
        .collect()
}

fn who(peer: &Value) -> Who {
    if let Some(block) = peer.get("ipBlock").filter(|block| !block.is_null()) {
        let Some(range) = block.str_at(&["cidr"]).and_then(Cidr::parse) else {
            return Who::Nobody;
        };
        let except = items(block, "except");
        return Who::Block {
            range,
            except: except
                .iter()
                .filter_map(|range| Cidr::parse(range.as_str()?))
                .collect(),
        };
    }
    let selector = |key: &str| {
        let written = peer.get(key).filter(|selector| !selector.is_null());
        written.map(label_selector)
    };
    Who::Pods {
        namespaces: selector("namespaceSelector"),
        pods: selector("podSelector"),
    }
}

fn port(port: &Value) -> Port {
    let written = |key: &str| port.get(key).filter(|value| !value.is_null());
    let number = |value: &Value| u16::try_from(value.as_i64()?).ok();
    let place = match (written("port"), written("endPort")) {
        (None, _) => Place::All,
        (Some(Value::String(name)), _) => Place::Named(name.clone()),
        (Some(first), last) => match (number(first), number(last.unwrap_or(first))) {
            (Some(first), Some(last)) => Place::Range(first, last),
            _ => Place::Nowhere,
        },
    };
    Port {
        protocol: protocol(port.str_at(&["protocol"])),
        place,
    }
}

fn labels(value: &Value) -> Labels {
    let map = value.path(&["metadata", "labels"]).and_then(Value::as_map);
    let mut all: Vec<(Arc<str>, Arc<str>)> = map
        .unwrap_or_default()
        .iter()
        .filter_map(|(key, value)| Some((key.clone(), Arc::from(value.as_str()?))))
        .collect();
    all.arrange();
    all.into()
}

impl Policies {
    /// Whether a store holds any.
    pub fn are_in(store: &Store) -> bool {
        store.documents().of(POLICIES).next().is_some()
    }

    /// Whether nothing is restricted.
    pub fn is_empty(&self) -> bool {
        self.policies.is_empty()
    }

    /// Reads all of a store.
    pub fn read(store: &Store) -> Self {
        let policies = store
            .documents()
            .of(POLICIES)
            .map(|(key, document)| policy(&key.namespace, &key.name, &document.value))
            .collect();
        let namespaces = store
            .documents()
            .of("namespaces")
            .map(|(key, document)| (key.name.clone(), labels(&document.value)))
            .collect();
        Self {
            policies,
            namespaces,
        }
    }

    /// A pod of a store.
    pub fn pod(id: PodId, store: &Store, symbols: &Symbols) -> Option<Pod> {
        let row = store.pod(id)?;
        let template = store.template(row.template);
        let ports = template
            .spec
            .containers
            .iter()
            .flat_map(|container| &container.ports)
            .map(|port| {
                let protocol = match port.protocol {
                    Protocol::Tcp => "tcp",
                    Protocol::Udp => "udp",
                    Protocol::Sctp => "sctp",
                };
                (port.name.clone(), protocol, port.container_port)
            })
            .collect();
        Some(Pod {
            namespace: symbols.text(template.namespace).into(),
            labels: template.labels.clone(),
            ports,
        })
    }

    fn of<'a>(
        &'a self,
        direction: Direction,
        pod: &'a Pod,
    ) -> impl Iterator<Item = (&'a Policy, &'a [Rule])> {
        // They stand by namespace.
        let from = self
            .policies
            .partition_point(|policy| policy.namespace < pod.namespace);
        let own = self.policies[from..].iter();
        let own = own.take_while(|policy| policy.namespace == pod.namespace);
        own.filter_map(move |policy| {
            let rules = match direction {
                Direction::Ingress => policy.ingress.as_deref(),
                Direction::Egress => policy.egress.as_deref(),
            };
            let selects = policy.pods.matches(&pod.labels);
            rules.filter(|_| selects).map(|rules| (policy, rules))
        })
    }

    /// What policies say to traffic between a pod and a peer.
    pub fn judge(
        &self,
        direction: Direction,
        pod: &Pod,
        peer: Peer<'_>,
        (protocol, port): (&str, u16),
    ) -> Verdict {
        // Ports are always those of the receiver.
        let named = match direction {
            Direction::Ingress => Some(pod),
            Direction::Egress => peer.pod,
        };
        let mut denied = Vec::new();
        for (policy, rules) in self.of(direction, pod) {
            let allows = |rule: &Rule| {
                let open = rule.ports.is_empty()
                    || rule.ports.iter().any(|it| it.is(protocol, port, named));
                open && self.names(policy, rule, peer)
            };
            if let Some(rule) = rules.iter().position(allows) {
                return Verdict::Allowed {
                    policy: policy.text(),
                    rule,
                };
            }
            denied.push(policy.text());
        }
        if denied.is_empty() {
            Verdict::Free
        } else {
            Verdict::Denied { policies: denied }
        }
    }

    /// Ports of a pod at which TCP from a peer passes, as ranges; none: all of them.
    pub fn open_ports(&self, pod: &Pod, peer: Peer<'_>) -> Option<Vec<(u16, u16)>> {
        let mut isolated = false;
        let mut open = Vec::new();
        for (policy, rules) in self.of(Direction::Ingress, pod) {
            isolated = true;
            for rule in rules {
                if !self.names(policy, rule, peer) {
                    continue;
                }
                if rule.ports.is_empty() {
                    open.push((0, u16::MAX));
                }
                for port in rule.ports.iter().filter(|port| port.protocol == "tcp") {
                    match &port.place {
                        Place::All => open.push((0, u16::MAX)),
                        Place::Range(first, last) => open.push((*first, *last)),
                        Place::Nowhere => {}
                        Place::Named(name) => open.extend(
                            pod.ports
                                .iter()
                                .filter(|(own, protocol, _)| own == name && *protocol == "tcp")
                                .map(|(_, _, number)| (*number, *number)),
                        ),
                    }
                }
            }
        }
        open.arrange();
        open.dedup();
        isolated.then_some(open)
    }

    /// Whether a rule names a peer.
    fn names(&self, policy: &Policy, rule: &Rule, peer: Peer<'_>) -> bool {
        rule.who.is_empty()
            || rule.who.iter().any(|who| match who {
                Who::Nobody => false,
                Who::Block { range, except } => {
                    range.holds(peer.address)
                        && !except.iter().any(|range| range.holds(peer.address))
                }
                Who::Pods { namespaces, pods } => peer.pod.is_some_and(|other| {
                    let near = match namespaces {
                        None => other.namespace == policy.namespace,
                        Some(selector) => self
                            .namespaces
                            .get(&other.namespace)
                            .is_some_and(|labels| selector.matches(labels)),
                    };
                    near && pods
                        .as_ref()
                        .is_none_or(|selector| selector.matches(&other.labels))
                }),
            })
    }
}

impl Policy {
    fn text(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }
}

impl Port {
    fn is(&self, protocol: &str, port: u16, receiver: Option<&Pod>) -> bool {
        self.protocol == protocol
            && match &self.place {
                Place::All => true,
                Place::Range(first, last) => (*first..=*last).contains(&port),
                Place::Nowhere => false,
                Place::Named(name) => receiver.is_some_and(|pod| {
                    pod.ports.iter().any(|(own, own_protocol, number)| {
                        own == name && *own_protocol == protocol && *number == port
                    })
                }),
            }
    }
}

fn policy(namespace: &Arc<str>, name: &Arc<str>, value: &Value) -> Policy {
    let empty = Value::map();
    let spec = value.get("spec").unwrap_or(&empty);
    let types = items(spec, "policyTypes");
    let says = |word: &str| types.iter().any(|it| it.as_str() == Some(word));
    // Without types: always ingress, and egress if it has rules for it.
    let ingress = types.is_empty() || says("Ingress");
    let egress = says("Egress") || types.is_empty() && spec.get("egress").is_some();
    Policy {
        namespace: namespace.clone(),
        name: name.clone(),
        pods: spec
            .get("podSelector")
            .map(label_selector)
            .unwrap_or_default(),
        ingress: ingress.then(|| rules(spec, "ingress", "from")),
        egress: egress.then(|| rules(spec, "egress", "to")),
    }
}

/// Address as text.
pub fn text(address: u32) -> String {
    Ipv4Addr::from(address).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Value {
        Value::parse_json(text).expect("valid")
    }

    fn pod(namespace: &str, app: &str) -> Pod {
        Pod {
            namespace: namespace.into(),
            labels: vec![("app".into(), app.into())].into(),
            ports: vec![("web".into(), "tcp", 8_080)],
        }
    }

    fn policies(specs: &[&str]) -> Policies {
        let policies = specs.iter().enumerate().map(|(index, spec)| {
            let name: Arc<str> = format!("p{index}").into();
            policy(
                &"default".into(),
                &name,
                &value(&format!("{{\"spec\":{spec}}}")),
            )
        });
        Policies {
            policies: policies.collect(),
            namespaces: [(
                "other".into(),
                Labels::from(vec![("team".into(), "a".into())]),
            )]
            .into(),
        }
    }

    fn ingress(policies: &Policies, from: Option<&Pod>, address: u32, port: u16) -> Verdict {
        let peer = Peer { address, pod: from };
        policies.judge(
            Direction::Ingress,
            &pod("default", "db"),
            peer,
            ("tcp", port),
        )
    }

    #[test]
    fn rules_add_up_and_nothing_else_passes() {
        let all = policies(&[
            r#"{"podSelector":{}}"#,
            r#"{"podSelector":{"matchLabels":{"app":"db"}},"ingress":[
                {"from":[{"podSelector":{"matchLabels":{"app":"web"}}}],"ports":[{"port":"web"}]},
                {"from":[{"namespaceSelector":{"matchLabels":{"team":"a"}},"podSelector":{"matchLabels":{"app":"job"}}}]},
                {"from":[{"ipBlock":{"cidr":"10.0.0.0/8","except":["10.1.0.0/16"]}}],"ports":[{"port":100,"endPort":200}]}
            ]}"#,
        ]);
        let allowed = |rule| Verdict::Allowed {
            policy: "default/p1".to_owned(),
            rule,
        };
        let denied = Verdict::Denied {
            policies: vec!["default/p0".to_owned(), "default/p1".to_owned()],
        };
        let web = pod("default", "web");
        assert_eq!(ingress(&all, Some(&web), 1, 8_080), allowed(0));
        assert_eq!(ingress(&all, Some(&web), 1, 80), denied);
        assert_eq!(ingress(&all, Some(&pod("other", "web")), 1, 8_080), denied);
        assert_eq!(ingress(&all, Some(&pod("other", "job")), 1, 80), allowed(1));
        assert_eq!(ingress(&all, None, 10 << 24, 150), allowed(2));
        assert_eq!(ingress(&all, None, (10 << 24) + (1 << 16), 150), denied);
        assert_eq!(ingress(&all, None, 10 << 24, 201), denied);
        let from_outside = Peer {
            address: 10 << 24,
            pod: None,
        };
        assert_eq!(
            all.open_ports(&pod("default", "db"), from_outside),
            Some(vec![(100, 200)])
        );
        assert_eq!(all.open_ports(&pod("other", "db"), from_outside), None);
    }

    #[test]
    fn what_names_nobody_lets_nobody_in() {
        let block = |peer: &str, port: &str| {
            let rule = format!("{{\"from\":[{peer}],\"ports\":[{port}]}}");
            policies(&[&format!("{{\"podSelector\":{{}},\"ingress\":[{rule}]}}")])
        };
        let denied = Verdict::Denied {
            policies: vec!["default/p0".to_owned()],
        };
        let everywhere = r#"{"ipBlock":{"cidr":"0.0.0.0/0"}}"#;
        for (peer, port) in [
            (r#"{"ipBlock":{"cidr":"2001:db8::/64"}}"#, r#"{"port":80}"#),
            (r#"{"ipBlock":{"cidr":"10.0.0.0/33"}}"#, r#"{"port":80}"#),
            (everywhere, r#"{"port":70000}"#),
            (everywhere, r#"{"port":80,"endPort":70000}"#),
        ] {
            let all = block(peer, port);
            assert_eq!(ingress(&all, None, 1, 80), denied, "{peer} {port}");
            let from = Peer {
                address: 1,
                pod: None,
            };
            assert_eq!(all.open_ports(&pod("default", "db"), from), Some(vec![]));
        }
        let open = block(everywhere, r#"{"port":80}"#);
        assert!(matches!(
            ingress(&open, None, 1, 80),
            Verdict::Allowed { .. }
        ));
    }

    #[test]
    fn egress_is_isolated_only_when_a_policy_says_so() {
        let peer = Peer {
            address: 1,
            pod: None,
        };
        let own = pod("default", "db");
        let free = policies(&[r#"{"podSelector":{}}"#]);
        let egress = |all: &Policies| all.judge(Direction::Egress, &own, peer, ("udp", 53));
        assert_eq!(egress(&free), Verdict::Free);
        let shut = policies(&[r#"{"podSelector":{},"policyTypes":["Egress"]}"#]);
        assert_eq!(
            egress(&shut),
            Verdict::Denied {
                policies: vec!["default/p0".to_owned()]
            }
        );
        let dns = policies(&[
            r#"{"podSelector":{},"egress":[{"ports":[{"protocol":"UDP","port":53}]}]}"#,
        ]);
        assert_eq!(
            egress(&dns),
            Verdict::Allowed {
                policy: "default/p0".to_owned(),
                rule: 0
            }
        );
    }
}
