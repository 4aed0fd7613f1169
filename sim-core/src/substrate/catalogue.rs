//! Facts about well-known images. The only place that knows images by name, and it knows them as
//! data.
//!
//! Ports, entry points and stop behaviour are the images' own. Sizes are of the compressed
//! `linux/amd64` image, rounded, and age with every release; start times and memory are orders of
//! magnitude on an idle machine, memory being what the idle process keeps, so that a limit below it
//! kills for certain. CPU for one request is a plain small request's.
//!
//! What exists: a name without a slash is Docker's official library, a closed list
//! ([`official::NAMES`]); any other is a stranger's and is taken to exist, with the behaviour of
//! [`stranger`]. A scenario can say otherwise. Tags of catalogued libraries follow their version
//! ranges; all other repositories are taken to have every tag.

pub mod official;
pub mod platform;
pub mod start;
mod table;

use std::sync::Arc;

use crate::base::time::SimDuration;

use super::image::ImageRef;
use super::program::{OnStop, Program, Run, Tags};

/// Compressed size of an image that is not in the catalogue, in bytes: 100 MB.
pub const STRANGER_SIZE: u64 = 100_000_000;

/// Time from start to listening of a program that is not in the catalogue.
pub const STRANGER_LISTEN: SimDuration = SimDuration::from_millis(500);

/// Time from start to readiness of a program that is not in the catalogue.
pub const STRANGER_READY: SimDuration = SimDuration::from_millis(1_000);

/// One image as the table has it.
#[derive(Clone, Copy, Debug)]
pub(in crate::substrate) struct Entry {
    repository: &'static str,
    megabytes: u64,
    ports: &'static [u16],
    listen_ms: u64,
    ready_ms: u64,
    request_us: u64,
    memory_mb: u64,
    run: Run,
    on_stop: OnStop,
    tags: Tags,
    shell: bool,
    paths: &'static [&'static str],
    content: &'static [&'static str],
    line: &'static str,
}

impl Entry {
    /// A server that leaves in an orderly way 50 ms after the stop signal.
    const fn server(repository: &'static str, megabytes: u64, ports: &'static [u16]) -> Self {
        Self {
            repository,
            megabytes,
            ports,
            listen_ms: 300,
            ready_ms: 300,
            request_us: 500,
            memory_mb: 8,
            run: Run::Serve,
            on_stop: OnStop::Exit {
                after: SimDuration::from_millis(50),
                code: 0,
            },
            tags: Tags::Any,
            shell: true,
            paths: &[],
            content: &[],
            line: "",
        }
    }

    /// An image whose process ends with 0 at once when nobody is at its terminal.
    const fn tool(repository: &'static str, megabytes: u64) -> Self {
        let run = Run::Exit {
            after: SimDuration::from_millis(5),
            code: 0,
        };
        Self {
            run,
            memory_mb: 1,
            on_stop: OnStop::Ignore,
            ..Self::server(repository, megabytes, &[])
        }
    }

    /// Times to listening and to readiness, milliseconds from start.
    const fn starts(self, listen_ms: u64, ready_ms: u64) -> Self {
        Self {
            listen_ms,
            ready_ms,
            ..self
        }
    }

    /// CPU of a request in microseconds, and idle memory in megabytes.
    const fn costs(self, request_us: u64, memory_mb: u64) -> Self {
        Self {
            request_us,
            memory_mb,
            ..self
        }
    }

    const fn versions(self, versions: &'static [(u32, u32)]) -> Self {
        Self {
            tags: Tags::Versions(versions),
            ..self
        }
    }

    const fn stops(self, after_ms: u64, code: i32) -> Self {
        Self {
            on_stop: OnStop::Exit {
                after: SimDuration::from_millis(after_ms),
                code,
            },
            ..self
        }
    }

    /// No handler for the stop signal, as the first process of its namespace.
    const fn ignores_stop(self) -> Self {
        Self {
            on_stop: OnStop::Ignore,
            ..self
        }
    }

    /// Listens nowhere.
    const fn works(self) -> Self {
        Self {
            run: Run::Work,
            ..self
        }
    }

    const fn ends(self, after_ms: u64, code: i32) -> Self {
        Self {
            run: Run::Exit {
                after: SimDuration::from_millis(after_ms),
                code,
            },
            ..self
        }
    }

    const fn without_shell(self) -> Self {
        Self {
            shell: false,
            ..self
        }
    }

    /// Answers these paths only, unless something is mounted into these directories.
    const fn answers(
        self,
        paths: &'static [&'static str],
        content: &'static [&'static str],
    ) -> Self {
        Self {
            paths,
            content,
            ..self
        }
    }

    const fn prints(self, line: &'static str) -> Self {
        Self { line, ..self }
    }

    fn program(&self) -> Program {
        let texts = |texts: &[&str]| {
            texts
                .iter()
                .map(|text| Arc::from(*text))
                .collect::<Vec<Arc<str>>>()
                .into()
        };
        Program {
            name: Arc::from(""),
            exists: true,
            tags: self.tags,
            size_bytes: self.megabytes * 1_000_000,
            ports: self.ports.into(),
            listen: SimDuration::from_millis(self.listen_ms),
            ready: SimDuration::from_millis(self.ready_ms),
            request_cpu: SimDuration::from_micros(self.request_us),
            memory_bytes: self.memory_mb << 20,
            run: self.run,
            on_stop: self.on_stop,
            shell: self.shell,
            known: true,
            files: None,
            paths: texts(self.paths),
            content: texts(self.content),
            line: Arc::from(self.line),
        }
    }
}

/// What is known of an image: its entry, or the default for its kind.
pub fn program(reference: &ImageRef) -> Program {
    let repository = reference.repository();
    let last = repository.rsplit('/').next().unwrap_or_default();
    let name = COMMANDS
        .iter()
        .find(|(image, _)| *image == repository)
        .map_or(last, |(_, command)| *command);
    let facts = facts(reference, &repository);
    // What others put at the root of their images, such as scripts for probes, is not known.
    let is_official = facts.known && repository.starts_with("docker.io/library/");
    Program {
        name: name.into(),
        files: is_official.then(|| files(&repository)),
        ..facts
    }
}

/// Files that people look for in well-known images, with their sizes in bytes. They age with every
/// release.
const FILES: &[(&str, &[(&str, u64)])] = &[
    (
        "docker.io/library/nginx",
        &[
            ("/docker-entrypoint.sh", 1_620),
            ("/etc/nginx/conf.d/default.conf", 1_093),
            ("/etc/nginx/mime.types", 5_349),
            ("/etc/nginx/nginx.conf", 644),
            ("/usr/sbin/nginx", 1_535_160),
            ("/usr/share/nginx/html/50x.html", 497),
            ("/usr/share/nginx/html/index.html", 615),
        ],
    ),
    (
        "docker.io/library/httpd",
        &[
            ("/usr/local/apache2/conf/httpd.conf", 21_050),
            ("/usr/local/apache2/htdocs/index.html", 45),
        ],
    ),
    (
        "docker.io/library/redis",
        &[("/usr/local/bin/docker-entrypoint.sh", 661)],
    ),
    (
        "docker.io/library/postgres",
        &[("/usr/local/bin/docker-entrypoint.sh", 15_171)],
    ),
];

/// Files of a repository's images that are known by name.
pub fn files(repository: &str) -> &'static [(&'static str, u64)] {
    FILES
        .iter()
        .find(|(known, _)| *known == repository)
        .map_or(&[], |(_, files)| *files)
}

/// Processes that well-known images' first ones start: command lines and how many, none: one for each
/// CPU.
pub type Workers = &'static [(&'static str, Option<u64>)];

/// Of an image whose first process works alone.
pub const NO_WORKERS: Workers = &[];

const WORKERS: &[(&str, Workers)] = &[
    (
        "docker.io/library/nginx",
        &[("nginx: worker process", None)],
    ),
    (
        "docker.io/library/httpd",
        &[("httpd -DFOREGROUND", Some(3))],
    ),
    (
        "docker.io/library/postgres",
        &[
            ("postgres: checkpointer", Some(1)),
            ("postgres: background writer", Some(1)),
            ("postgres: walwriter", Some(1)),
            ("postgres: autovacuum launcher", Some(1)),
            ("postgres: logical replication launcher", Some(1)),
        ],
    ),
];

/// Processes that the first one of a repository's images starts.
pub fn workers(repository: &str) -> Workers {
    WORKERS
        .iter()
        .find(|(known, _)| *known == repository)
        .map_or(NO_WORKERS, |(_, workers)| *workers)
}

/// Command lines of well-known images' first processes, where they are not the image's last name.
const COMMANDS: &[(&str, &str)] = &[
    (
        "docker.io/library/nginx",
        "nginx: master process nginx -g daemon off;",
    ),
    ("docker.io/library/httpd", "httpd -DFOREGROUND"),
    ("docker.io/library/redis", "redis-server *:6379"),
    ("docker.io/library/valkey", "valkey-server *:6379"),
    ("docker.io/library/mysql", "mysqld"),
    ("docker.io/library/mongo", "mongod --bind_ip_all"),
    ("docker.io/library/busybox", "sh"),
    ("docker.io/library/alpine", "/bin/sh"),
    ("docker.io/library/debian", "bash"),
    ("docker.io/library/ubuntu", "/bin/bash"),
];

fn facts(reference: &ImageRef, repository: &str) -> Program {
    if let Some(entry) = table::ENTRIES
        .iter()
        .find(|entry| entry.repository == repository)
    {
        return entry.program();
    }
    if let Some(entry) = table::FAMILIES.iter().find(|entry| {
        repository
            .strip_prefix(entry.repository)
            .is_some_and(|rest| rest.starts_with('/'))
    }) {
        return entry.program();
    }
    stranger(reference.official().is_none_or(official::has))
}

/// The default for an image that is not in the catalogue: 100 MB, any tag, listens on the ports that
/// its container declares after half a second, is ready after one, handles its stop signal, and keeps
/// an unknown amount of memory, so that no limit kills it.
pub fn stranger(exists: bool) -> Program {
    Program {
        name: Arc::from(""),
        exists,
        tags: Tags::Any,
        size_bytes: STRANGER_SIZE,
        ports: Arc::from([]),
        listen: STRANGER_LISTEN,
        ready: STRANGER_READY,
        request_cpu: SimDuration::from_millis(1),
        memory_bytes: 0,
        run: Run::Serve,
        on_stop: OnStop::Exit {
            after: SimDuration::from_millis(200),
            code: 0,
        },
        shell: true,
        known: false,
        files: None,
        paths: Arc::from([]),
        content: Arc::from([]),
        line: Arc::from(""),
    }
}

/// Words that make up the variants of library tags, e.g. in `15-alpine3.20` or `10.6-focal`.
const VARIANTS: [&str; 56] = [
    "latest",
    "stable",
    "mainline",
    "lts",
    "current",
    "alpine",
    "slim",
    "perl",
    "otel",
    "debian",
    "ubuntu",
    "wheezy",
    "jessie",
    "stretch",
    "buster",
    "bullseye",
    "bookworm",
    "trixie",
    "sid",
    "xenial",
    "bionic",
    "focal",
    "jammy",
    "noble",
    "management",
    "apache",
    "fpm",
    "cli",
    "php",
    "ubi",
    "ubi9",
    "musl",
    "glibc",
    "uclibc",
    "rc",
    "beta",
    "alpha",
    "m",
    "windowsservercore",
    "nanoserver",
    "ltsc",
    "rolling",
    "devel",
    "edge",
    "python",
    "iron",
    "hydrogen",
    "jod",
    "krypton",
    "linux",
    "r",
    "oracle",
    "oraclelinux",
    "backports",
    "jdk",
    "jre",
];

/// Whether a repository with these tags has this one.
pub fn has_tag(tags: Tags, tag: &str) -> bool {
    match tags {
        Tags::Any => true,
        Tags::Versions(versions) => tag.split('-').enumerate().all(|(position, part)| {
            is_variant(part) || (position == 0 && is_version(versions, part))
        }),
    }
}

/// A known word, alone or with a number behind it: `alpine3.20`, `rc1`, `php8`.
fn is_variant(part: &str) -> bool {
    let word = part.trim_end_matches(|last: char| last.is_ascii_digit() || last == '.');
    VARIANTS.contains(&word) || VARIANTS.contains(&part)
}

/// `major`, `major.minor` or `major.minor.patch`, a leading `v` allowed, within the ranges.
fn is_version(versions: &[(u32, u32)], part: &str) -> bool {
    let mut numbers = part.strip_prefix('v').unwrap_or(part).splitn(3, '.');
    let number = |text: Option<&str>| text.map(|text| text.parse::<u32>().ok());
    let Some(Some(major)) = number(numbers.next()) else {
        return false;
    };
    let minor = match number(numbers.next()) {
        None => None,
        Some(Some(minor)) => Some(minor),
        Some(None) => return false,
    };
    let patch_is_number = numbers.next().is_none_or(|patch| {
        patch
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'.')
    });
    patch_is_number
        && versions.iter().any(|(known, minor_max)| {
            major == *known && minor.is_none_or(|minor| minor <= *minor_max)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> (Program, bool) {
        let reference = ImageRef::parse(text).expect(text);
        let program = program(&reference);
        let has = reference
            .tag
            .as_deref()
            .is_none_or(|tag| has_tag(program.tags, tag));
        (program, has)
    }

    #[test]
    fn tags_follow_the_version_ranges() {
        let known = [
            "nginx",
            "nginx:1.14.2",
            "nginx:1.16.1",
            "nginx:alpine",
            "nginx:1.25.3-alpine3.18",
            "redis:alpine",
            "postgres:15-alpine",
            "postgres:alpine",
            "mysql:8.0.27",
            "mariadb:10.6.4-focal",
            "mariadb:10-focal",
            "mongo:4.2.0",
            "nextcloud:apache",
            "elasticsearch:7.16.1",
            "traefik:2.6",
            "traefik:v3.0",
            "busybox:1.28",
            "busybox:1.38.0",
            "python:3.12-slim-bookworm",
            "wordpress:latest",
            "node:20-alpine",
            "ubuntu:22.04",
        ];
        for text in known {
            let (program, has_tag) = of(text);
            assert!(program.exists && has_tag, "{text}");
        }
        for text in [
            "nginx:1.161",
            "nginx:does-not-exist",
            "redis:99",
            "postgres:15-alpin",
        ] {
            assert!(!of(text).1, "{text}");
        }
    }

    #[test]
    fn the_official_library_is_closed_and_strangers_exist() {
        assert!(!of("ngnix").0.exists);
        assert!(of("caddy").0.exists);
        assert!(of("somebody/ngnix:v1").0.exists);
        assert_eq!(of("somebody/thing").0.size_bytes, STRANGER_SIZE);
    }

    #[test]
    fn entries_are_well_formed_and_unique() {
        for (position, entry) in table::ENTRIES.iter().enumerate() {
            let reference = ImageRef::parse(entry.repository).expect(entry.repository);
            assert_eq!(reference.repository(), entry.repository);
            assert!(entry.ports.is_sorted(), "{}", entry.repository);
            assert!(entry.listen_ms <= entry.ready_ms, "{}", entry.repository);
            assert!(
                reference.official().is_none_or(official::has),
                "{}",
                entry.repository
            );
            assert!(
                table::ENTRIES[..position]
                    .iter()
                    .all(|other| other.repository != entry.repository)
            );
        }
    }
}
