//! Image references: `registry/repository:tag@digest`, with the short forms that people write.
//!
//! Source of the grammar and of the defaults: distribution/reference `reference.go`,
//! `normalize.go`. Knows nothing of what an image contains.

use crate::base::rng::{Seed, Stream, stable_hash};

/// Registry of references that name none.
pub const DEFAULT_REGISTRY: &str = "docker.io";

/// Namespace of the official library inside [`DEFAULT_REGISTRY`].
pub const OFFICIAL_NAMESPACE: &str = "library";

/// Longest repository name that upstream accepts, registry included, in bytes.
const REPOSITORY_BYTES_MAX: usize = 255;

/// Longest tag that upstream accepts, in bytes.
const TAG_BYTES_MAX: usize = 128;

/// A parsed reference in its full form.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ImageRef {
    /// Registry host, with its port if it has one.
    pub registry: String,
    /// Path below the registry, e.g. `library/nginx`.
    pub path: String,
    /// Tag: as written, `latest` where neither tag nor digest was, else none.
    pub tag: Option<String>,
    /// Digest as written, e.g. `sha256:…`.
    pub digest: Option<String>,
}

impl ImageRef {
    /// Parses a reference as written; none if it is not a valid one.
    ///
    /// `nginx` is `docker.io/library/nginx:latest`.
    pub fn parse(text: &str) -> Option<Self> {
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest)),
            None => (text, None),
        };
        if digest.is_some_and(|digest| !is_digest(digest)) {
            return None;
        }
        let last_slash = rest.rfind('/').map_or(0, |at| at + 1);
        let (name, tag) = match rest[last_slash..].split_once(':') {
            Some((_, tag)) => (&rest[..rest.len() - tag.len() - 1], Some(tag)),
            None => (rest, None),
        };
        if tag.is_some_and(|tag| !is_tag(tag)) {
            return None;
        }
        let (registry, path) = split_registry(name);
        let path = if registry == DEFAULT_REGISTRY && !path.contains('/') {
            format!("{OFFICIAL_NAMESPACE}/{path}")
        } else {
            path.to_owned()
        };
        let valid = path.split('/').all(is_path_component)
            && !registry.is_empty()
            && registry.len() + 1 + path.len() <= REPOSITORY_BYTES_MAX;
        valid.then(|| Self {
            registry: registry.to_owned(),
            path,
            tag: match (tag, digest) {
                (Some(tag), _) => Some(tag.to_owned()),
                (None, Some(_)) => None,
                (None, None) => Some("latest".to_owned()),
            },
            digest: digest.map(str::to_owned),
        })
    }

    /// What is wrong with a text that is no reference.
    /// Source: distribution `reference/normalize.go` (`ParseNormalizedNamed`).
    pub fn flaw(text: &str) -> String {
        let (registry, path) = split_registry(text);
        let path = path.split_once(':').map_or(path, |(path, _)| path);
        if path.to_lowercase() == path {
            return "invalid reference format".to_owned();
        }
        let official = registry == DEFAULT_REGISTRY && !path.contains('/');
        let before = if official { "library/" } else { "" };
        format!("invalid reference format: repository name ({before}{path}) must be lowercase")
    }

    /// Registry and path: what tags are looked up in, e.g. `docker.io/library/nginx`.
    pub fn repository(&self) -> String {
        format!("{}/{}", self.registry, self.path)
    }

    /// The full form that equals for equal images, e.g. `docker.io/library/nginx:latest`. A digest
    /// decides alone, as it does upstream.
    pub fn canonical(&self) -> String {
        let repository = self.repository();
        match (&self.digest, &self.tag) {
            (Some(digest), _) => format!("{repository}@{digest}"),
            (None, Some(tag)) => format!("{repository}:{tag}"),
            (None, None) => repository,
        }
    }

    /// The shortest form that means the same, with its tag: `nginx:latest`.
    pub fn familiar(&self) -> String {
        let mut text = match self.official() {
            Some(name) => name.to_owned(),
            None if self.registry == DEFAULT_REGISTRY => self.path.clone(),
            None => self.repository(),
        };
        for (mark, part) in [(':', &self.tag), ('@', &self.digest)] {
            if let Some(part) = part {
                text.push(mark);
                text.push_str(part);
            }
        }
        text
    }

    /// The repository with the digest of what its tag names: `docker.io/library/nginx@sha256:…`. As the
    /// catalogue holds no manifests, it is made of the name.
    pub fn digested(&self) -> String {
        let digest = self.digest.clone();
        let own = || {
            format!(
                "sha256:{}",
                hexadecimal(&format!("digest {}", self.familiar()))
            )
        };
        format!("{}@{}", self.repository(), digest.unwrap_or_else(own))
    }

    /// The name inside the official library, if the image belongs to it.
    pub fn official(&self) -> Option<&str> {
        (self.registry == DEFAULT_REGISTRY)
            .then(|| self.path.strip_prefix("library/"))
            .flatten()
    }
}

/// How the client of a service writes its image before it sends the specification: short, and with
/// the tag that is meant. Source: moby `client/service_create.go` (imageWithTagString).
pub fn tagged(image: &str) -> String {
    ImageRef::parse(image).map_or_else(|| image.to_owned(), |image| image.familiar())
}

/// Splits the registry from a name. The first component is one if it has a dot or a port, is
/// `localhost`, or has capitals, which a repository cannot have.
fn split_registry(name: &str) -> (&str, &str) {
    if let Some((first, rest)) = name.split_once('/') {
        let is_host = first.contains(['.', ':'])
            || first == "localhost"
            || first.bytes().any(|byte| byte.is_ascii_uppercase());
        if is_host {
            // Docker's old index name is the same registry.
            let registry = if first == "index.docker.io" {
                DEFAULT_REGISTRY
            } else {
                first
            };
            return (registry, rest);
        }
    }
    (DEFAULT_REGISTRY, name)
}

/// Lower-case words joined by a dot, one or two underscores, or dashes.
fn is_path_component(text: &str) -> bool {
    let mut separator = String::new();
    let mut in_word = false;
    for character in text.chars() {
        if character.is_ascii_lowercase() || character.is_ascii_digit() {
            let joined = separator.is_empty()
                || matches!(separator.as_str(), "." | "_" | "__")
                || separator.bytes().all(|byte| byte == b'-');
            if !joined || (!in_word && !separator.is_empty()) {
                return false;
            }
            separator.clear();
            in_word = true;
        } else if matches!(character, '.' | '_' | '-') {
            separator.push(character);
        } else {
            return false;
        }
    }
    in_word && separator.is_empty()
}

/// A word character, then word characters, dots and dashes.
fn is_tag(text: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    text.len() <= TAG_BYTES_MAX
        && text.bytes().next().is_some_and(word)
        && text
            .bytes()
            .all(|byte| word(byte) || matches!(byte, b'.' | b'-'))
}

/// `algorithm:hex`, at least 32 digits, as upstream's grammar says; 64 for SHA-256.
fn is_digest(text: &str) -> bool {
    let Some((algorithm, hex)) = text.split_once(':') else {
        return false;
    };
    let long_enough = if algorithm == "sha256" {
        hex.len() == 64
    } else {
        hex.len() >= 32
    };
    algorithm.starts_with(|first: char| first.is_ascii_alphabetic())
        && long_enough
        && hex
            .bytes()
            .all(|byte| byte.is_ascii_hexdigit() && !byte.is_ascii_uppercase())
}

/// 64 hexadecimal digits made of a text. Equal in every run.
pub fn hexadecimal(name: &str) -> String {
    let mut stream = Stream::new(Seed(0), "image-id", stable_hash(name), 0);
    (0..4).map(|_| format!("{:016x}", stream.bits())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_services_image_is_written_short_and_with_its_tag() {
        let digest = format!("sha256:{}", "a".repeat(64));
        let cases = [
            ("nginx", "nginx:latest".to_owned()),
            ("docker.io/library/nginx:1.27", "nginx:1.27".to_owned()),
            ("dockersamples/vote", "dockersamples/vote:latest".to_owned()),
            ("ghcr.io/a/b", "ghcr.io/a/b:latest".to_owned()),
            (&*format!("nginx:1@{digest}"), format!("nginx:1@{digest}")),
            (&*format!("nginx@{digest}"), format!("nginx@{digest}")),
            ("No Image", "No Image".to_owned()),
        ];
        for (written, expected) in cases {
            assert_eq!(tagged(written), expected);
        }
    }

    #[test]
    fn short_forms_get_their_defaults() {
        let cases = [
            ("nginx", "docker.io/library/nginx:latest"),
            ("redis:alpine", "docker.io/library/redis:alpine"),
            ("dockersamples/vote", "docker.io/dockersamples/vote:latest"),
            ("registry.k8s.io/pause:3.10", "registry.k8s.io/pause:3.10"),
            ("localhost:5000/a/b", "localhost:5000/a/b:latest"),
            ("docker.io/nginx:1", "docker.io/library/nginx:1"),
        ];
        for (text, canonical) in cases {
            assert_eq!(ImageRef::parse(text).expect(text).canonical(), canonical);
        }
        let digest = format!("a/b:1@sha256:{}", "0".repeat(64));
        assert!(
            ImageRef::parse(&digest)
                .expect("digest")
                .canonical()
                .starts_with("docker.io/a/b@sha256:0")
        );
    }

    #[test]
    fn malformed_references_are_refused() {
        for text in [
            "",
            "Nginx",
            "nginx:",
            "a//b",
            "a/-b",
            "nginx@sha256:12",
            "a b",
            "nginx:-1",
            "a___b",
        ] {
            assert_eq!(ImageRef::parse(text), None, "{text}");
        }
    }

    #[test]
    fn only_the_library_is_official() {
        assert_eq!(
            ImageRef::parse("nginx").expect("valid").official(),
            Some("nginx")
        );
        assert_eq!(ImageRef::parse("a/nginx").expect("valid").official(), None);
        assert_eq!(
            ImageRef::parse("ghcr.io/library/nginx")
                .expect("valid")
                .official(),
            None
        );
    }
}
