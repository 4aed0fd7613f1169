//! Words of the docker command line: time spans, sizes, ports, cut texts.

use crate::api::swarm::service::{PortProtocol, PublishedPort};
use crate::base::arrange::Arrange;
use crate::base::time::{SimDuration, SimTime};
use crate::console::table::width;
use crate::manifest::decode::amount::parse_bytes;

/// A time span in words. Source: docker/go-units `duration.go` HumanDuration.
pub fn human(span: SimDuration) -> String {
    let seconds = span.as_secs();
    let minutes = seconds / 60;
    // Hours are rounded to the nearest, unlike the rest.
    let hours = (seconds + 1_800) / 3_600;
    match seconds {
        0 => "Less than a second".to_owned(),
        1 => "1 second".to_owned(),
        2..60 => format!("{seconds} seconds"),
        _ if minutes == 1 => "About a minute".to_owned(),
        _ if minutes < 60 => format!("{minutes} minutes"),
        _ if hours == 1 => "About an hour".to_owned(),
        _ if hours < 48 => format!("{hours} hours"),
        _ if hours < 24 * 7 * 2 => format!("{} days", hours / 24),
        _ if hours < 24 * 30 * 2 => format!("{} weeks", hours / 24 / 7),
        _ if hours < 24 * 365 * 2 => format!("{} months", hours / 24 / 30),
        _ => format!("{} years", seconds / 3_600 / 24 / 365),
    }
}

/// RFC 3339 with nine decimals, as lines of logs and events have it.
pub fn nanos_text(at: SimTime) -> String {
    let text = at.rfc3339_micros();
    format!("{}000Z", text.trim_end_matches('Z'))
}

/// `… ago` in lower case.
pub fn ago(span: SimDuration) -> String {
    format!("{} ago", human(span).to_lowercase())
}

/// A text cut to so many columns of a terminal, the last one then being `…`.
/// Source: docker/cli `cli/command/formatter/displayutils.go` Ellipsis.
pub fn ellipsis(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut cut = String::new();
    for character in text.chars() {
        cut.push(character);
        if width(&cut) + 1 > columns {
            cut.pop();
            break;
        }
    }
    cut.push('…');
    cut
}

/// The first twelve characters of an identifier.
pub fn short(id: &str) -> String {
    id.chars().take(12).collect()
}

/// A protocol's name.
pub fn protocol(protocol: PortProtocol) -> &'static str {
    match protocol {
        PortProtocol::Tcp => "tcp",
        PortProtocol::Udp => "udp",
        PortProtocol::Sctp => "sctp",
    }
}

/// Ports of a service or task: `*:80->8080/tcp`, neighbours joined to ranges.
/// Source: docker/cli `cli/command/service/formatter.go` (portRange).
pub fn service_ports(ports: &[PublishedPort]) -> String {
    let mut ports: Vec<PublishedPort> = ports.to_vec();
    ports.arrange_by_key(|port| (protocol(port.protocol), port.published, port.target));
    let mut ranges: Vec<(PublishedPort, PublishedPort)> = Vec::new();
    for port in ports {
        match ranges.last_mut() {
            Some((_, last))
                if last.protocol == port.protocol
                    && u32::from(last.published) + 1 == u32::from(port.published)
                    && u32::from(last.target) + 1 == u32::from(port.target) =>
            {
                *last = port;
            }
            _ => ranges.push((port, port)),
        }
    }
    let span = |first: u16, last: u16| {
        if first == last {
            first.to_string()
        } else {
            format!("{first}-{last}")
        }
    };
    let texts: Vec<String> = ranges
        .iter()
        .map(|(first, last)| {
            format!(
                "*:{}->{}/{}",
                span(first.published, last.published),
                span(first.target, last.target),
                protocol(first.protocol)
            )
        })
        .collect();
    texts.join(", ")
}

/// A number of bytes in binary units, four digits. Source: docker/go-units `size.go` BytesSize.
pub fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut unit = 0;
    let mut scale = 1_u128;
    while unit + 1 < UNITS.len() && u128::from(bytes) >= scale * 1_024 {
        unit += 1;
        scale *= 1_024;
    }
    decimal(u128::from(bytes), scale, UNITS[unit])
}

/// A number of bytes in decimal units, three digits. Source: docker/go-units `size.go` HumanSize.
pub fn human_size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
    let mut unit = 0;
    let mut scale = 1_u128;
    while unit + 1 < UNITS.len() && u128::from(bytes) >= scale * 1_000 {
        unit += 1;
        scale *= 1_000;
    }
    let whole = u128::from(bytes) / scale;
    let places = if whole >= 100 {
        0
    } else if whole >= 10 {
        1
    } else {
        2
    };
    fixed(u128::from(bytes), scale, places, UNITS[unit])
}

fn decimal(bytes: u128, scale: u128, unit: &str) -> String {
    let whole = bytes / scale;
    let places = if whole >= 1_000 {
        0
    } else if whole >= 100 {
        1
    } else if whole >= 10 {
        2
    } else {
        3
    };
    fixed(bytes, scale, places, unit)
}

/// `bytes / scale` rounded to so many decimals, without zeros at the end (Go's `%.4g`).
fn fixed(bytes: u128, scale: u128, places: u32, unit: &str) -> String {
    let power = 10_u128.pow(places);
    let rounded = (bytes * power + scale / 2) / scale;
    let mut text = format!("{}", rounded / power);
    if places > 0 {
        let fraction = format!("{:0width$}", rounded % power, width = places as usize);
        let fraction = fraction.trim_end_matches('0');
        if !fraction.is_empty() {
            text.push('.');
            text.push_str(fraction);
        }
    }
    text.push_str(unit);
    text
}

/// Bytes of a flag: `512m`, `1.5g`, powers of 1024. Source: docker/go-units `size.go` RAMInBytes.
///
/// # Errors
/// Upstream's text.
pub fn read_bytes(text: &str) -> Result<u64, String> {
    parse_bytes(text).ok_or_else(|| format!("invalid size: '{text}'"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::swarm::service::PublishMode;

    #[test]
    fn spans_are_said_as_docker_says_them() {
        let said: Vec<String> = [0, 1, 59, 60, 119, 3_599, 3_600, 5_400, 172_799, 200_000]
            .iter()
            .map(|seconds| human(SimDuration::from_secs(*seconds)))
            .collect();
        expect_test::expect![[r#"Less than a second, 1 second, 59 seconds, About a minute, About a minute, 59 minutes, About an hour, 2 hours, 2 days, 2 days"#]].assert_eq(&said.join(", "));
    }

    #[test]
    fn neighbouring_ports_are_joined() {
        let port = |published, target| PublishedPort {
            published,
            target,
            protocol: PortProtocol::Tcp,
            mode: PublishMode::Ingress,
        };
        assert_eq!(
            service_ports(&[port(90, 190), port(91, 191), port(80, 8080)]),
            "*:80->8080/tcp, *:90-91->190-191/tcp"
        );
    }

    #[test]
    fn sizes_have_four_digits() {
        assert_eq!(bytes(1_572_864), "1.5MiB");
        assert_eq!(bytes(209_715_200), "200MiB");
        assert_eq!(read_bytes("1.5g"), Ok(1_610_612_736));
        assert_eq!(read_bytes("5x"), Err("invalid size: '5x'".to_owned()));
    }

    #[test]
    fn long_texts_end_in_an_ellipsis() {
        assert_eq!(
            ellipsis("no suitable node (insufficient resources)", 30),
            "no suitable node (insufficien…"
        );
    }
}
