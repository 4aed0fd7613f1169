//! Published ports: the short form and the long form.
//! Source: docker/go-connections `nat/nat.go`, which Compose and the stack loader use.

use std::sync::Arc;

use crate::api::compose::service::{Port, PortRange};
use crate::api::swarm::service::{PortProtocol, PublishMode};
use crate::base::limits::MAX_PUBLISHED_PORTS;
use crate::base::sentence::catalogue;
use crate::base::sentence::passage::Passage;
use crate::base::sorted::SortedSet;
use crate::manifest::compose::part;
use crate::manifest::decode::scribe::{Field, Scribe};
use crate::manifest::diagnostic::Code;
use crate::manifest::lines::Span;

/// A port with what only Swarm or only messages need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenPort {
    /// The port.
    pub port: Port,
    /// Where it is open; only Swarm asks.
    pub mode: PublishMode,
    /// Where it is written.
    pub span: Span,
}

/// All ports of a list. `code` is that of a value that cannot be used.
pub fn ports(field: &Field<'_>, scribe: &Scribe, code: Code) -> Vec<WrittenPort> {
    let mut found: Vec<WrittenPort> = Vec::new();
    for item in field.items(scribe) {
        let written = match item.node {
            Some(node) if node.as_map().is_some() => long(&item, scribe, code),
            Some(_) => short(&item, scribe, code),
            None => Vec::new(),
        };
        for port in written {
            // The same port twice in one list is one port.
            if !found.iter().any(|other| other.port == port.port) {
                found.push(port);
            }
        }
    }
    found
}

fn short(item: &Field<'_>, scribe: &Scribe, code: Code) -> Vec<WrittenPort> {
    let Some(text) = item.scalar(scribe) else {
        return Vec::new();
    };
    match parse(&text) {
        Ok(ports) => ports
            .into_iter()
            .map(|port| WrittenPort {
                port,
                mode: PublishMode::Ingress,
                span: item.span,
            })
            .collect(),
        Err(message) => {
            let help = catalogue::PORT_FORM.with(&[("example", &"\"8080:80\"")]);
            let message = after(format!("{}: ", item.path), message);
            scribe.error_with_help(code, item.span, message, help);
            Vec::new()
        }
    }
}

fn long(item: &Field<'_>, scribe: &Scribe, code: Code) -> Vec<WrittenPort> {
    let target_field = item.get(scribe, "target");
    let protocol_field = item.get(scribe, "protocol");
    let protocol_text = protocol_field.text(scribe).unwrap_or_else(|| "tcp".into());
    let Some(protocol) = protocol(&protocol_text) else {
        scribe.error(
            code,
            protocol_field.span,
            format!("{}: Invalid proto: {protocol_text}", protocol_field.path),
        );
        return Vec::new();
    };
    let published_field = item.get(scribe, "published");
    let published = published_field
        .scalar(scribe)
        .filter(|text| !text.is_empty() && &**text != "0");
    let range = match published.as_deref().map(range) {
        Some(Err(message)) => {
            let message = after(
                format!("{}: Invalid hostPort: ", published_field.path),
                message,
            );
            scribe.error(code, published_field.span, message);
            return Vec::new();
        }
        Some(Ok(range)) => Some(range),
        None => None,
    };
    let mode = match item.get(scribe, "mode").text(scribe).as_deref() {
        Some("host") => PublishMode::Host,
        _ => PublishMode::Ingress,
    };
    let Some(number) = part::integer(&target_field, scribe) else {
        if !target_field.exists() {
            scribe.error(
                code,
                item.span,
                format!("{}: No port specified: <empty>", item.path),
            );
        }
        return Vec::new();
    };
    let Some(target) = u16::try_from(number).ok().filter(|target| *target > 0) else {
        scribe.error(
            code,
            target_field.span,
            format!("{}: Invalid containerPort: {number}", item.path),
        );
        return Vec::new();
    };
    let host_ip = item.get(scribe, "host_ip").text_or_empty(scribe);
    vec![WrittenPort {
        port: Port {
            target,
            published: range,
            host_ip,
            protocol,
        },
        mode,
        span: item.span,
    }]
}

/// `[address:][host[-host]:]container[-container][/protocol]`.
///
/// # Errors
/// The real tool's sentence.
pub fn parse(text: &str) -> Result<Vec<Port>, Passage> {
    let (rest, protocol_text) = match text.split_once('/') {
        Some((rest, word)) => (rest, word),
        None => (text, "tcp"),
    };
    let (front, container) = match rest.rsplit_once(':') {
        Some((front, container)) => (front, container),
        None => ("", rest),
    };
    let (host_ip, host) = match front.rsplit_once(':') {
        Some((address, host)) => (address.trim_start_matches('[').trim_end_matches(']'), host),
        None => ("", front),
    };
    if container.is_empty() {
        let rest = if front.is_empty() { "" } else { rest };
        return Err(format!("No port specified: {rest}<empty>").into());
    }
    if !host_ip.is_empty() && host_ip.parse::<std::net::IpAddr>().is_err() {
        return Err(format!("Invalid ip address: {host_ip}").into());
    }
    let protocol = protocol(protocol_text)
        .ok_or_else(|| Passage::from(format!("Invalid proto: {protocol_text}")))?;
    let inner = range(container).map_err(|wrong| after("Invalid containerPort: ", wrong))?;
    let outer = match host {
        "" => None,
        _ => Some(range(host).map_err(|wrong| after("Invalid hostPort: ", wrong))?),
    };
    let address: Arc<str> = host_ip.into();
    let port = |target, published| Port {
        target,
        published,
        host_ip: address.clone(),
        protocol,
    };
    let width = |range: PortRange| range.last - range.first;
    match outer {
        None => Ok((inner.first..=inner.last)
            .map(|target| port(target, None))
            .collect()),
        Some(outer) if width(inner) == 0 => Ok(vec![port(inner.first, Some(outer))]),
        Some(outer) if width(inner) == width(outer) => Ok((inner.first..=inner.last)
            .zip(outer.first..=outer.last)
            .map(|(target, published)| {
                port(
                    target,
                    Some(PortRange {
                        first: published,
                        last: published,
                    }),
                )
            })
            .collect()),
        Some(_) => Err(format!(
            "Invalid ranges specified for container and host Ports: {container} and {host}"
        )
        .into()),
    }
}

/// Words behind others.
fn after(first: impl Into<Passage>, rest: Passage) -> Passage {
    first.into().then(rest)
}

fn range(text: &str) -> Result<PortRange, Passage> {
    let number = |part: &str| {
        part.parse::<u16>()
            .ok()
            .filter(|port| *port > 0)
            .ok_or_else(|| Passage::from(text))
    };
    let (first, last) = match text.split_once('-') {
        Some((first, last)) => (number(first)?, number(last)?),
        None => (number(text)?, number(text)?),
    };
    if first > last {
        Err(text.into())
    } else if usize::from(last - first) >= MAX_PUBLISHED_PORTS {
        let most = catalogue::MORE_THAN.with(&[("most", &MAX_PUBLISHED_PORTS)]);
        let most = most.and("what", catalogue::PORTS_OF_RANGE.plain());
        Err(Passage::from(format!("{text}: ")).then(most))
    } else {
        Ok(PortRange { first, last })
    }
}

fn protocol(text: &str) -> Option<PortProtocol> {
    match text.to_ascii_lowercase().as_str() {
        "tcp" => Some(PortProtocol::Tcp),
        "udp" => Some(PortProtocol::Udp),
        "sctp" => Some(PortProtocol::Sctp),
        _ => None,
    }
}

/// A protocol's name.
pub fn protocol_word(protocol: PortProtocol) -> &'static str {
    match protocol {
        PortProtocol::Tcp => "tcp",
        PortProtocol::Udp => "udp",
        PortProtocol::Sctp => "sctp",
    }
}

fn any_address(address: &str) -> &str {
    if address.is_empty() {
        "0.0.0.0"
    } else {
        address
    }
}

/// `host:container/protocol` as the key under which merged lists hold a port once; a text that
/// cannot be read is its own key.
pub fn merge_key(node: &crate::manifest::tree::Node) -> String {
    if node.as_map().is_some() {
        let part = |key: &str| {
            node.get(key)
                .and_then(crate::manifest::tree::Node::scalar_text)
        };
        let text = |key: &str| part(key).map_or(String::new(), |text| text.to_string());
        let protocol = part("protocol").unwrap_or_else(|| "tcp".into());
        return format!(
            "{}:{}:{}/{protocol}",
            any_address(&text("host_ip")),
            text("published"),
            text("target")
        );
    }
    let text = node.scalar_text().unwrap_or_else(|| "".into());
    match parse(&text).as_deref() {
        Ok([port]) => {
            let published = port.published.map_or(String::new(), |range| {
                if range.first == range.last {
                    range.first.to_string()
                } else {
                    format!("{}-{}", range.first, range.last)
                }
            });
            format!(
                "{}:{published}:{}/{}",
                any_address(&port.host_ip),
                port.target,
                protocol_word(port.protocol)
            )
        }
        _ => text.to_string(),
    }
}

/// Adds ports that are only declared: `80`, `80-90`, each with `/tcp`, `/udp` or `/sctp`, to those that
/// are; none if the text is none of these.
pub fn expose(text: &str, all: &mut SortedSet<(u16, PortProtocol)>) -> Option<()> {
    let (numbers, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let protocol = self::protocol(protocol)?;
    let (first, last) = numbers.split_once('-').unwrap_or((numbers, numbers));
    let (first, last) = (first.parse::<u16>().ok()?, last.parse::<u16>().ok()?);
    if first == 0 || first > last {
        return None;
    }
    for port in first..=last {
        all.insert((port, protocol));
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn short_forms() {
        let shown = |text: &str| {
            parse(text).map(|ports| {
                ports
                    .iter()
                    .map(|port| {
                        let range = port.published.map(|range| (range.first, range.last));
                        format!("{} {range:?} {}", port.host_ip, port.target)
                    })
                    .collect::<Vec<_>>()
                    .join(", ")
            })
        };
        for (text, expected) in [
            ("80", Ok(" None 80")),
            ("8080:80/udp", Ok(" Some((8080, 8080)) 80")),
            ("127.0.0.1:8080:80", Ok("127.0.0.1 Some((8080, 8080)) 80")),
            ("80-90:8080", Ok(" Some((80, 90)) 8080")),
            (
                "80-81:8080-8081",
                Ok(" Some((80, 80)) 8080,  Some((81, 81)) 8081"),
            ),
            ("9999999", Err("Invalid containerPort: 9999999")),
            ("80/xyz", Err("Invalid proto: xyz")),
            ("", Err("No port specified: <empty>")),
            (
                "80-82:1-2",
                Err("Invalid ranges specified for container and host Ports: 1-2 and 80-82"),
            ),
        ] {
            let expected = expected
                .map(str::to_owned)
                .map_err(crate::base::sentence::passage::Passage::from);
            assert_eq!(shown(text), expected, "{text}");
        }
    }
}
