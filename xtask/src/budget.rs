//! Byte budgets of `dist/`: what the page may weigh, compressed as hosts compress it.

use std::path::Path;

use crate::run;

const KIB: u64 = 1024;

/// Bytes that one part of the page may have after gzip.
struct Budget {
    part: &'static str,
    limit: u64,
    /// Whether a file, named relative to `dist/` with `/`, belongs to the part.
    owns: fn(&str) -> bool,
    /// Whether the first screen waits for it.
    first: bool,
}

/// The first part that owns a file counts it; the last owns what is left.
const BUDGETS: [Budget; 11] = [
    Budget {
        part: "index.html",
        limit: 20 * KIB,
        owns: |file| file == "index.html",
        first: true,
    },
    Budget {
        part: "app",
        limit: 550 * KIB,
        owns: is_app,
        first: true,
    },
    Budget {
        part: "unpacker",
        limit: 18 * KIB,
        owns: |file| file.starts_with("unpack-"),
        first: true,
    },
    Budget {
        part: "worker",
        // What the first screen of the default experiment runs (www/split.mjs).
        limit: 600 * KIB,
        owns: |file| file.starts_with("worker") && later_part(file).is_none(),
        first: true,
    },
    Budget {
        part: "worker, to play",
        limit: 235 * KIB,
        owns: |file| later_part(file) == Some("play"),
        first: false,
    },
    Budget {
        part: "worker, the rest",
        limit: 870 * KIB,
        owns: |file| later_part(file) == Some("rest"),
        first: false,
    },
    Budget {
        part: "css",
        limit: 30 * KIB,
        owns: |file| file.ends_with(".css"),
        first: true,
    },
    Budget {
        part: "icons",
        limit: 15 * KIB,
        owns: is_icon,
        first: true,
    },
    Budget {
        part: "editor",
        limit: 130 * KIB,
        owns: |file| file.starts_with("vendor/"),
        first: false,
    },
    Budget {
        part: "web fonts",
        limit: 0,
        owns: is_font,
        first: true,
    },
    Budget {
        part: "other",
        limit: 150 * KIB,
        owns: |_| true,
        first: false,
    },
];

const FIRST_SCREEN_LIMIT: u64 = 1_229 * KIB;
const EVERYTHING_LIMIT: u64 = 2_048 * KIB;

fn is_app(file: &str) -> bool {
    let code = [".js", ".mjs", ".wasm", ".wasm.lzma"]
        .iter()
        .any(|end| file.ends_with(end));
    code && ["app-", "boot-", "snippets/"]
        .iter()
        .any(|start| file.starts_with(start))
}

/// Which of the worker's parts that the first screen does not wait for a file is.
fn later_part(file: &str) -> Option<&str> {
    let (worker, part) = file.strip_suffix(".wasm.lzma")?.rsplit_once('_')?;
    (worker.starts_with("worker") && part != "first").then_some(part)
}

fn is_icon(file: &str) -> bool {
    [".svg", ".png", ".ico"]
        .iter()
        .any(|end| file.ends_with(end))
}

fn is_font(file: &str) -> bool {
    [".woff", ".woff2", ".ttf", ".otf"]
        .iter()
        .any(|end| file.ends_with(end))
}

struct File {
    name: String,
    raw: u64,
    gzip: u64,
}

/// Prints every file's size and every part's budget; returns the line with the totals.
///
/// # Errors
/// When a part is larger than its budget.
pub(crate) fn check(dist: &Path) -> Result<Vec<String>, String> {
    let files = measure(dist)?;
    let parts: Vec<u64> = (0..BUDGETS.len())
        .map(|index| part_bytes(&files, index))
        .collect();
    println!("\n{:<44} {:>10} {:>10}", "file", "raw", "gzip");
    for file in &files {
        println!("{:<44} {:>10} {:>10}", file.name, file.raw, file.gzip);
    }
    println!(
        "\n{:<44} {:>10} {:>10}",
        "part (KiB, gzip)", "now", "budget"
    );
    let mut over = Vec::new();
    let mut line = |part: &str, bytes: u64, limit: u64| {
        println!("{part:<44} {:>10} {:>10}", kib(bytes), kib(limit));
        if bytes > limit {
            over.push(format!(
                "{part} has {} KiB, {} allowed",
                kib(bytes),
                kib(limit)
            ));
        }
    };
    for (budget, bytes) in BUDGETS.iter().zip(&parts) {
        line(budget.part, *bytes, budget.limit);
    }
    let first = BUDGETS
        .iter()
        .zip(&parts)
        .filter(|(budget, _)| budget.first)
        .map(|(_, bytes)| bytes)
        .sum();
    let everything = parts.iter().sum();
    line("first screen", first, FIRST_SCREEN_LIMIT);
    line("everything", everything, EVERYTHING_LIMIT);
    println!();
    if !over.is_empty() {
        return Err(format!("over the byte budget: {}", over.join("; ")));
    }
    let (first, everything, app, worker) =
        (kib(first), kib(everything), kib(parts[1]), kib(parts[2]));
    Ok(vec![format!(
        "gzip KiB: app {app}, worker {worker}, first screen {first}, everything {everything}"
    )])
}

fn part_bytes(files: &[File], part: usize) -> u64 {
    let owner = |file: &File| BUDGETS.iter().position(|budget| (budget.owns)(&file.name));
    files
        .iter()
        .filter(|file| owner(file) == Some(part))
        .map(|file| file.gzip)
        .sum()
}

/// Node has gzip; the standard library has not.
const MEASURE: &str = r#"
const { readdirSync, readFileSync } = require("node:fs");
const { gzipSync } = require("node:zlib");
const { join } = require("node:path");
for (const entry of readdirSync(process.argv[1], { recursive: true, withFileTypes: true })) {
  if (!entry.isFile() || entry.name === ".keep") continue;
  const path = join(entry.parentPath ?? entry.path, entry.name);
  const bytes = readFileSync(path);
  const name = path.slice(process.argv[1].length + 1).replaceAll("\\", "/");
  console.log(`${bytes.length} ${gzipSync(bytes, { level: 9 }).length} ${name}`);
}
"#;

fn measure(dist: &Path) -> Result<Vec<File>, String> {
    let output = run::command("node")
        .args(["-e", MEASURE])
        .arg(dist)
        .output();
    let output = output.map_err(|error| format!("cannot run node: {error}"))?;
    if !output.status.success() {
        return Err(format!(
            "cannot measure dist/: {}",
            String::from_utf8_lossy(&output.stderr)
        ));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let mut files: Vec<File> = text.lines().filter_map(read_line).collect();
    files.sort_by(|left, right| left.name.cmp(&right.name));
    if files.is_empty() {
        return Err("dist/ is empty".into());
    }
    Ok(files)
}

fn read_line(line: &str) -> Option<File> {
    let (raw, rest) = line.split_once(' ')?;
    let (gzip, name) = rest.split_once(' ')?;
    let (raw, gzip): (u64, u64) = (raw.parse().ok()?, gzip.parse().ok()?);
    Some(File {
        name: name.into(),
        raw,
        // What is packed already is sent as it is.
        gzip: gzip.min(raw),
    })
}

/// KiB with one decimal.
fn kib(bytes: u64) -> String {
    format!("{}.{}", bytes / KIB, bytes % KIB * 10 / KIB)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part_of(name: &str) -> &'static str {
        let part = BUDGETS.iter().find(|budget| (budget.owns)(name));
        part.map_or("none", |budget| budget.part)
    }

    #[test]
    fn every_kind_of_file_has_its_part() {
        assert_eq!(part_of("app-0123.js"), "app");
        assert_eq!(part_of("app-0123_bg.wasm.lzma"), "app");
        assert_eq!(part_of("app-0123.css"), "css");
        assert_eq!(part_of("unpack-0123_bg.wasm"), "unpacker");
        assert_eq!(part_of("worker-0123_first.wasm.lzma"), "worker");
        assert_eq!(part_of("worker-0123.js"), "worker");
        assert_eq!(part_of("worker-0123_play.wasm.lzma"), "worker, to play");
        assert_eq!(part_of("worker-0123_rest.wasm.lzma"), "worker, the rest");
        assert_eq!(part_of("vendor/editor-ABC.js"), "editor");
        assert_eq!(part_of("x.woff2"), "web fonts");
        assert_eq!(part_of("robots.txt"), "other");
    }
}
