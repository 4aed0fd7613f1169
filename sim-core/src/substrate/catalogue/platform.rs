//! What images are made for, as far as their names say it: the official library's images are made
//! for many platforms, and its namespaces of one architecture for that one.
//! Source: docker-library/official-images `README.md` (architectures other than amd64).

use super::super::image::ImageRef;

/// Operating system and architecture in Go's spelling.
pub type Platform = (&'static str, &'static str);

/// Namespaces of Docker Hub that hold one architecture each.
const NAMESPACES: [(&str, Platform); 11] = [
    ("amd64", ("linux", "amd64")),
    ("arm32v5", ("linux", "arm")),
    ("arm32v6", ("linux", "arm")),
    ("arm32v7", ("linux", "arm")),
    ("arm64v8", ("linux", "arm64")),
    ("i386", ("linux", "386")),
    ("mips64le", ("linux", "mips64le")),
    ("ppc64le", ("linux", "ppc64le")),
    ("riscv64", ("linux", "riscv64")),
    ("s390x", ("linux", "s390x")),
    ("winamd64", ("windows", "amd64")),
];

/// Microsoft's base images of Windows.
const WINDOWS: &str = "mcr.microsoft.com/windows/";

/// The platform of an image; none: its name does not tell, and it is taken to be made for any.
pub fn platform(reference: &ImageRef) -> Option<Platform> {
    let repository = reference.repository();
    if repository.starts_with(WINDOWS) {
        return Some(("windows", "amd64"));
    }
    let (namespace, _) = repository.strip_prefix("docker.io/")?.split_once('/')?;
    NAMESPACES
        .iter()
        .find(|(name, _)| *name == namespace)
        .map(|(_, platform)| *platform)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_of_one_architecture_says_it() {
        let of = |text: &str| platform(&ImageRef::parse(text).unwrap());
        assert_eq!(of("arm64v8/nginx:1.27"), Some(("linux", "arm64")));
        assert_eq!(
            of("mcr.microsoft.com/windows/nanoserver:ltsc2022"),
            Some(("windows", "amd64"))
        );
        assert_eq!(of("nginx"), None);
        assert_eq!(of("quay.io/arm64v8/nginx"), None);
    }
}
