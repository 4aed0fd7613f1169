//! Image references: the grammar of `distribution/reference`.

/// Whether `text` is a reference that a container engine can parse:
/// `[host[:port]/]path[:tag][@digest]`.
pub fn is_reference(text: &str) -> bool {
    let (rest, digest) = match text.split_once('@') {
        Some((rest, digest)) => (rest, Some(digest)),
        None => (text, None),
    };
    if digest.is_some_and(|digest| !is_digest(digest)) {
        return false;
    }
    // A colon after the last slash starts a tag; one before it belongs to a port.
    let path_start = rest.rfind('/').map_or(0, |at| at + 1);
    let (name, tag) = match rest[path_start..].find(':') {
        Some(at) => (&rest[..path_start + at], Some(&rest[path_start + at + 1..])),
        None => (rest, None),
    };
    tag.is_none_or(is_tag) && is_name(name)
}

/// The tag of a reference; absent if it has none or has a digest.
pub fn tag(text: &str) -> Option<&str> {
    if text.contains('@') {
        return None;
    }
    let last = text.rsplit('/').next()?;
    last.split_once(':').map(|(_, tag)| tag)
}

/// Whether Kubernetes pulls it before each start by default: tag `latest`, or neither tag nor digest.
/// Source: `pkg/apis/core/v1/defaults.go`.
pub fn is_latest(text: &str) -> bool {
    !text.contains('@') && tag(text).is_none_or(|tag| tag == "latest")
}

fn is_name(name: &str) -> bool {
    if name.is_empty() || name.len() > 255 {
        return false;
    }
    match name.split_once('/') {
        Some((first, rest)) if is_host(first) => rest.split('/').all(is_path_component),
        _ => name.split('/').all(is_path_component),
    }
}

/// As Docker decides: the first part is a host if it has a dot, a port or an upper-case letter, or is `localhost`.
fn is_host(part: &str) -> bool {
    if !(part.contains(['.', ':'])
        || part == "localhost"
        || part.bytes().any(|byte| byte.is_ascii_uppercase()))
    {
        return false;
    }
    let (host, port) = match part.rsplit_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (part, None),
    };
    port.is_none_or(|port| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()))
        && host.split('.').all(|label| {
            !label.is_empty()
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        })
}

/// Lower-case letters and digits, joined by `.`, `_`, `__` or any number of `-`.
fn is_path_component(part: &str) -> bool {
    let alphanumeric = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = part.as_bytes();
    let (Some(&first), Some(&last)) = (bytes.first(), bytes.last()) else {
        return false;
    };
    if !alphanumeric(first) || !alphanumeric(last) {
        return false;
    }
    part.split(|letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit())
        .all(|joint| {
            matches!(joint, "" | "." | "_" | "__") || joint.bytes().all(|byte| byte == b'-')
        })
}

fn is_tag(tag: &str) -> bool {
    tag.len() <= 128
        && tag
            .bytes()
            .next()
            .is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && tag
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-'))
}

fn is_digest(digest: &str) -> bool {
    let Some((algorithm, hex)) = digest.split_once(':') else {
        return false;
    };
    !algorithm.is_empty()
        && algorithm.split(['-', '_', '+', '.']).all(|part| {
            part.bytes()
                .next()
                .is_some_and(|byte| byte.is_ascii_alphabetic())
                && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
        })
        && hex.len() >= 32
        && hex.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::{is_latest, is_reference};

    #[test]
    fn references_follow_the_grammar() {
        let digest = format!("redis@sha256:{}", "0f".repeat(32));
        for good in [
            "redis",
            "redis:alpine",
            "a/b/c:1.2",
            "localhost:5000/x",
            "gcr.io/google_samples/gb-redisslave:v1",
            "a__b/c--d",
            &digest,
        ] {
            assert!(is_reference(good), "{good}");
        }
        for bad in [
            "",
            "x y",
            "Redis",
            "redis:",
            "a//b",
            "a/b_",
            "a___b",
            "redis@sha256:12",
            ":tag",
            "-a",
        ] {
            assert!(!is_reference(bad), "{bad}");
        }
    }

    #[test]
    fn only_moving_tags_are_latest() {
        assert!(is_latest("redis"));
        assert!(is_latest("localhost:5000/redis:latest"));
        assert!(!is_latest("redis:7"));
        assert!(!is_latest("redis@sha256:00"));
    }
}
