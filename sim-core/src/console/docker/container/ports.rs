//! The ports column of `docker ps`. Source: docker/cli `cli/command/formatter/container.go`
//! (DisplayablePorts).

use crate::base::arrange::Arrange;
/// A port of a container; without a public number it is only open inside.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Port {
    /// Port inside.
    pub private: u16,
    /// Host address; empty: not published.
    pub address: String,
    /// Host port.
    pub public: u16,
    /// `tcp` or `udp`.
    pub protocol: &'static str,
}

/// Neighbours with equal numbers inside and outside are joined to ranges and come first; what is
/// mapped to another number follows.
pub fn text(ports: &[Port]) -> String {
    let mut ports = ports.to_vec();
    ports.arrange();
    let mut groups: Vec<(String, &'static str, u16, u16)> = Vec::new();
    let mut done = Vec::new();
    let mut mapped = Vec::new();
    for port in ports {
        if !port.address.is_empty() && port.public != port.private {
            mapped.push(format!(
                "{}->{}/{}",
                joined(&port.address, &port.public.to_string()),
                port.private,
                port.protocol
            ));
            continue;
        }
        let group = groups
            .iter_mut()
            .find(|(address, protocol, ..)| *address == port.address && *protocol == port.protocol);
        match group {
            None => groups.push((port.address, port.protocol, port.private, port.private)),
            Some((.., last)) if u32::from(*last) + 1 == u32::from(port.private) => {
                *last = port.private;
            }
            Some((.., last)) if *last == port.private => {}
            Some(group) => {
                done.push(shown(group));
                (group.2, group.3) = (port.private, port.private);
            }
        }
    }
    done.extend(groups.iter().map(shown));
    done.append(&mut mapped);
    done.join(", ")
}

fn shown((address, protocol, first, last): &(String, &'static str, u16, u16)) -> String {
    let span = if first == last {
        first.to_string()
    } else {
        format!("{first}-{last}")
    };
    if address.is_empty() {
        format!("{span}/{protocol}")
    } else {
        format!("{}->{span}/{protocol}", joined(address, &span))
    }
}

/// Address and port; an address of the sixth version stands in brackets.
fn joined(address: &str, port: &str) -> String {
    if address.contains(':') {
        format!("[{address}]:{port}")
    } else {
        format!("{address}:{port}")
    }
}
