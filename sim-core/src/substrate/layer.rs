//! Layers of images: content-addressed, so that images share them, on disk and in a pull.
//!
//! ```text
//! image ──▶ [base, what it installs, its own configuration]      the lowest first
//! pull  ──▶ transfers the layers that the machine has not got
//! ```
//!
//! How an image's bytes are split over layers is our own figure: registries are not asked. What is
//! the image's own and what it shares with others is as builds commonly make it: a distribution's
//! layer below, the application's on top.

use super::image::ImageRef;
use super::program::Program;

/// Percent of its compressed size that an unpacked layer takes: layers of common images compress to
/// about two fifths. Our own figure.
pub const UNPACKED_PERCENT: u64 = 250;

/// One layer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Layer {
    /// What it is made of: equal text, equal content.
    pub key: String,
    /// Compressed size that a pull transfers, in bytes.
    pub bytes: u64,
}

impl Layer {
    /// Digest of its content, 64 hexadecimal digits.
    pub fn digest(&self) -> String {
        use crate::base::rng::stable_hash;
        (0..4)
            .map(|part| {
                format!(
                    "{:016x}",
                    stable_hash(&format!("layer {part} {}", self.key))
                )
            })
            .collect()
    }

    /// Size on disk, in bytes.
    pub const fn unpacked(&self) -> u64 {
        self.bytes.saturating_mul(UNPACKED_PERCENT) / 100
    }
}

/// A distribution whose layer others stand on.
struct Base {
    /// Repository of the distribution's own image.
    repository: &'static str,
    /// Words in tags that name it.
    words: &'static [&'static str],
    /// What its layer is known by.
    key: &'static str,
    /// Compressed size, in bytes.
    bytes: u64,
}

const ALPINE: Base = Base {
    repository: "docker.io/library/alpine",
    words: &["alpine"],
    key: "docker.io/library/alpine:latest",
    bytes: 4_000_000,
};
const UBUNTU: Base = Base {
    repository: "docker.io/library/ubuntu",
    words: &["ubuntu", "xenial", "bionic", "focal", "jammy", "noble"],
    key: "docker.io/library/ubuntu:latest",
    bytes: 30_000_000,
};
const DEBIAN: Base = Base {
    repository: "docker.io/library/debian",
    words: &["debian", "buster", "bullseye", "bookworm", "trixie", "slim"],
    // Images stand on the small variant, not on what `debian` alone names.
    key: "docker.io/library/debian:slim",
    bytes: 28_200_000,
};

/// Size of the layer with an image's own configuration, in bytes.
const CONFIGURATION: u64 = 1_400;

/// Of what a stranger's image has above its base, the percent that changes with each build; the rest
/// is what it depends on. Our own figure.
const APPLICATION_PERCENT: u64 = 15;

/// The distribution below an image; none: it stands on nothing.
fn base(tag: &str, program: &Program) -> Option<&'static Base> {
    /// Smallest image that is taken to stand on Debian, in bytes.
    const LARGE: u64 = 40_000_000;
    if !program.shell {
        return None;
    }
    let named = [&ALPINE, &UBUNTU, &DEBIAN]
        .into_iter()
        .find(|base| base.words.iter().any(|word| tag.contains(word)));
    let base = named.unwrap_or(if program.size_bytes >= LARGE {
        &DEBIAN
    } else {
        &ALPINE
    });
    (program.size_bytes > base.bytes + CONFIGURATION).then_some(base)
}

/// The layers of an image, the lowest first.
pub fn layers(reference: &ImageRef, program: &Program) -> Vec<Layer> {
    let repository = reference.repository();
    // A tag beside a digest says as much as the digest: both name one build.
    let version = match (&reference.tag, &reference.digest) {
        (Some(tag), _) => tag.clone(),
        (None, Some(digest)) => digest.clone(),
        (None, None) => String::new(),
    };
    let layer = |key: String, bytes: u64| Layer { key, bytes };
    // A distribution's own image is one layer.
    let is_base = |base: &&Base| base.repository == repository;
    if [&ALPINE, &UBUNTU, &DEBIAN].iter().any(is_base) {
        return vec![layer(format!("{repository}:{version}"), program.size_bytes)];
    }
    let Some(base) = base(&version, program) else {
        return vec![layer(format!("{repository}:{version}"), program.size_bytes)];
    };
    let rest = program.size_bytes - base.bytes;
    let mut all = vec![layer(base.key.to_owned(), base.bytes)];
    if program.known {
        all.push(layer(
            format!("{repository}:{version}"),
            rest - CONFIGURATION,
        ));
        all.push(layer(
            format!("{repository}:{version} configuration"),
            CONFIGURATION,
        ));
    } else {
        let own = rest * APPLICATION_PERCENT / 100;
        all.push(layer(format!("{repository} dependencies"), rest - own));
        all.push(layer(format!("{repository}:{version}"), own));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::substrate::catalogue;

    fn of(text: &str) -> Vec<Layer> {
        let reference = ImageRef::parse(text).expect(text);
        layers(&reference, &catalogue::program(&reference))
    }

    #[test]
    fn layers_add_up_and_are_shared() {
        for text in [
            "nginx",
            "nginx:alpine",
            "alpine",
            "a/b:1",
            "redis:7",
            "traefik",
        ] {
            let reference = ImageRef::parse(text).expect(text);
            let program = catalogue::program(&reference);
            let sum: u64 = of(text).iter().map(|layer| layer.bytes).sum();
            assert_eq!(sum, program.size_bytes, "{text}");
        }
        assert_eq!(of("nginx")[0].digest(), of("redis:7")[0].digest());
        assert_eq!(of("nginx:alpine")[0].digest(), of("alpine")[0].digest());
        assert_ne!(of("nginx")[0].digest(), of("nginx:alpine")[0].digest());
        // A new build of one's own image brings its last layer only.
        let (old, new) = (of("a/b:1"), of("a/b:2"));
        assert_eq!(old[..2], new[..2]);
        assert_ne!(old[2], new[2]);
    }
}
