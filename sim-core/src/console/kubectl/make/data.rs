//! `kubectl create configmap`, `create secret generic` and `create secret tls`: what files and words hold.
//! Sources: `k8s.io/kubectl/pkg/cmd/create/{create_configmap,create_secret,create_secret_tls}.go`,
//! `pkg/util/util.go`, `pkg/util/hash/hash.go`, `pkg/cmd/util/env_file.go`.

use std::sync::Arc;

use crate::base::base64;
use crate::base::sha256::sha256;
use crate::console::kubectl::Call;
use crate::console::kubectl::problem::Problem;
use crate::manifest::decode::kube::name;
use crate::manifest::value::Value;
use crate::object::print::{KeyOrder, json};

/// Which of the two kinds is made.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Of {
    ConfigMap,
    Secret,
}

impl Of {
    const fn kind(self) -> &'static str {
        match self {
            Self::ConfigMap => "ConfigMap",
            Self::Secret => "Secret",
        }
    }
}

/// Entries that are collected, of one object.
struct Entries<'a> {
    of: Of,
    name: &'a str,
    map: Value,
}

impl Entries<'_> {
    fn add(&mut self, key: &str, text: &str) -> Result<(), Problem> {
        let faults = name::config_key(key);
        match self.of {
            Of::ConfigMap if !faults.is_empty() => {
                return Err(Problem::error(format!(
                    "{key:?} is not a valid key name for a ConfigMap: {}",
                    faults.join(",")
                )));
            }
            Of::Secret if !faults.is_empty() => {
                return Err(Problem::error(format!(
                    "{key:?} is not valid key name for a Secret {}",
                    faults.join(";")
                )));
            }
            Of::ConfigMap if self.map.get(key).is_some() => {
                return Err(Problem::error(format!(
                    "cannot add key {key:?}, another key by that name already exists in Data for ConfigMap {:?}",
                    self.name
                )));
            }
            Of::Secret if self.map.get(key).is_some() => {
                return Err(Problem::error(format!(
                    "cannot add key {key}, another key by that name already exists"
                )));
            }
            Of::ConfigMap => self.map.set(key, text.into()),
            Of::Secret => self.map.set(key, base64::encode(text.as_bytes()).into()),
        }
        Ok(())
    }

    fn literals(&mut self, call: &Call<'_>) -> Result<(), Problem> {
        for pair in call.arguments.each("from-literal") {
            let split = pair.split_once('=').filter(|(key, _)| !key.is_empty());
            let (key, value) = split.ok_or_else(|| {
                Problem::error(format!("invalid literal source {pair}, expected key=value"))
            })?;
            self.add(key, value)?;
        }
        Ok(())
    }

    fn files(&mut self, call: &Call<'_>, sources: &[String]) -> Result<(), Problem> {
        for source in sources {
            let (key, path) = file_source(source)?;
            if let Some(text) = call.session.file(path).cloned() {
                self.add(key, &text)?;
                continue;
            }
            let folder = folder(call, path);
            if folder.is_empty() {
                return Err(absent(path));
            }
            if source.contains('=') {
                return Err(Problem::error(
                    "cannot give a key name for a directory path",
                ));
            }
            for (file, text) in folder {
                self.add(&file, &text)?;
            }
        }
        Ok(())
    }

    fn variables(&mut self, call: &Call<'_>) -> Result<(), Problem> {
        for file in call.arguments.all("from-env-file") {
            let Some(text) = call.session.file(&file).cloned() else {
                if folder(call, &file).is_empty() {
                    return Err(absent(&file));
                }
                let kind = if self.of == Of::Secret {
                    "secret"
                } else {
                    "config"
                };
                return Err(Problem::error(format!(
                    "env {kind} file cannot be a directory"
                )));
            };
            let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
            for line in text.lines().map(str::trim_start) {
                if line.is_empty() || line.starts_with('#') {
                    continue;
                }
                let (key, value) = match line.split_once('=') {
                    Some((key, value)) => (key, value.to_owned()),
                    None => {
                        let own = call.session.environment.get(line);
                        (line, own.cloned().unwrap_or_default())
                    }
                };
                let faults = name::variable(key);
                if !faults.is_empty() {
                    return Err(Problem::error(format!(
                        "{key:?} is not a valid key name: {}",
                        faults.join(";")
                    )));
                }
                self.add(key, &value)?;
            }
        }
        Ok(())
    }
}

fn absent(path: &str) -> Problem {
    Problem::error(format!("error reading {path}: no such file or directory"))
}

/// Files right below a folder, by their names.
fn folder(call: &Call<'_>, path: &str) -> Vec<(String, Arc<str>)> {
    let plain = path.strip_prefix("./").unwrap_or(path);
    let below = format!("{}/", plain.trim_end_matches('/'));
    let files = call.session.files.iter();
    files
        .filter_map(|(file, text)| {
            let rest = file.strip_prefix(&below)?;
            (!rest.contains('/')).then(|| (rest.to_owned(), text.clone()))
        })
        .collect()
}

/// `[key=]path`.
fn file_source(source: &str) -> Result<(&str, &str), Problem> {
    let pair = source.split_once('=');
    match pair {
        None => Ok((source.rsplit('/').next().unwrap_or(source), source)),
        Some(_) if source.matches('=').count() > 1 => {
            Err(Problem::error("key names or file paths cannot contain '='"))
        }
        Some(("", path)) => Err(Problem::error(format!(
            "key name for file path {path} missing"
        ))),
        Some((key, "")) => Err(Problem::error(format!(
            "file path for key name {key} missing"
        ))),
        Some(pair) => Ok(pair),
    }
}

/// `create configmap NAME`.
///
/// # Errors
/// Sources that make no sense or are not there, keys that repeat or may not be.
pub fn config_map(call: &Call<'_>, name: &str) -> Result<Value, Problem> {
    made(call, Of::ConfigMap, name, |entries| {
        entries.files(call, &call.arguments.all("from-file"))?;
        entries.literals(call)?;
        entries.variables(call)
    })
}

/// `create secret generic NAME`.
///
/// # Errors
/// As for [`config_map`].
pub fn generic(call: &Call<'_>, name: &str) -> Result<Value, Problem> {
    made(call, Of::Secret, name, |entries| {
        entries.literals(call)?;
        entries.files(call, &call.arguments.all("from-file"))?;
        entries.variables(call)
    })
}

/// A Secret of one type, of files.
///
/// # Errors
/// As for [`config_map`].
pub fn of_files(call: &Call<'_>, name: &str, files: &[String]) -> Result<Value, Problem> {
    made(call, Of::Secret, name, |entries| entries.files(call, files))
}

fn made(
    call: &Call<'_>,
    of: Of,
    name: &str,
    fill: impl FnOnce(&mut Entries<'_>) -> Result<(), Problem>,
) -> Result<Value, Problem> {
    let given = |flag: &str| !call.arguments.each(flag).is_empty();
    if given("from-env-file") && (given("from-file") || given("from-literal")) {
        return Err(Problem::error(
            "from-env-file cannot be combined with from-file or from-literal",
        ));
    }
    let mut entries = Entries {
        of,
        name,
        map: Value::map(),
    };
    fill(&mut entries)?;
    let mut object = Value::object([
        ("apiVersion", "v1".into()),
        ("kind", of.kind().into()),
        ("metadata", Value::object([("name", name.into())])),
    ]);
    if entries.map.as_map().is_some_and(|map| !map.is_empty()) {
        object.set("data", entries.map);
    }
    if let Some(kind) = call.arguments.flag("type").filter(|_| of == Of::Secret) {
        object.set("type", kind.into());
    }
    Ok(object)
}

/// `create secret tls NAME`. Whether the key is the certificate's own is not looked at.
///
/// # Errors
/// Files that are missing or hold no PEM data.
pub fn tls(call: &Call<'_>, name: &str) -> Result<Value, Problem> {
    let flag = |flag: &str| call.arguments.flag(flag).unwrap_or("").to_owned();
    let (cert, key) = (flag("cert"), flag("key"));
    if key.is_empty() || cert.is_empty() {
        return Err(Problem::error("key and cert must be specified"));
    }
    let read = |path: &str| {
        call.session.file(path).cloned().ok_or_else(|| {
            Problem::error(format!(
                "Cannot read file {path}, open {path}: no such file or directory"
            ))
        })
    };
    let (cert, key) = (read(&cert)?, read(&key)?);
    for (text, what) in [(&cert, "certificate"), (&key, "key")] {
        if !text.contains("-----BEGIN ") {
            return Err(Problem::error(format!(
                "tls: failed to find any PEM data in {what} input"
            )));
        }
    }
    let mut object = Value::object([
        ("apiVersion", "v1".into()),
        ("kind", "Secret".into()),
        ("metadata", Value::object([("name", name.into())])),
        ("type", "kubernetes.io/tls".into()),
    ]);
    for (key, text) in [("tls.crt", &cert), ("tls.key", &key)] {
        let text = base64::encode(text.as_bytes());
        object.set_path(&["data", key], text.into());
    }
    Ok(object)
}

/// With `--append-hash`: the name with what the content comes to.
pub fn hashed(call: &Call<'_>, mut object: Value) -> Value {
    if !call.arguments.on("append-hash") {
        return object;
    }
    let kind = object.str_at(&["kind"]).unwrap_or("").to_owned();
    let name = object
        .str_at(&["metadata", "name"])
        .unwrap_or("")
        .to_owned();
    let data = object.get("data").cloned().unwrap_or_else(Value::map);
    let mut told = Value::object([
        ("data", data),
        ("kind", kind.as_str().into()),
        ("name", name.as_str().into()),
    ]);
    if kind == "Secret" {
        told.set("type", object.str_at(&["type"]).unwrap_or("").into());
    }
    let digest = sha256(json(&told, KeyOrder::Sorted).as_bytes());
    let hex: String = digest
        .iter()
        .take(5)
        .map(|it| format!("{it:02x}"))
        .collect();
    // No vowels, so that no words come about.
    let hash: String = hex
        .chars()
        .map(|digit| match digit {
            '0' => 'g',
            '1' => 'h',
            '3' => 'k',
            'a' => 'm',
            'e' => 't',
            other => other,
        })
        .collect();
    object.set_path(&["metadata", "name"], format!("{name}-{hash}").into());
    object
}
