//! Files of volumes that the kubelet fills, and variables of containers, as they follow from what was
//! taken ([`super::content`]).
//!
//! ```text
//! key     ──▶ ..data/key
//! ..data  ──▶ ..2026_01_01_00_00_05.1234567890
//! ..2026_01_01_00_00_05.1234567890/key
//! ```
//! Sources: `pkg/volume/util/atomic_writer.go`, `pkg/volume/{configmap,secret,projected,downwardapi}`,
//! `pkg/kubelet/kubelet_pods.go` (`makeEnvironmentVariables`), `pkg/fieldpath/fieldpath.go`,
//! `pkg/api/v1/resource/helpers.go`, `third_party/forked/golang/expansion`.

use std::sync::Arc;

use crate::base::base64;
use crate::base::quantity::Quantity;
use crate::base::rng::stable_hash_parts;
use crate::base::sorted::SortedMap;
use crate::base::time::SimTime;
use crate::kube::rows::read;
use crate::manifest::value::Value;
use crate::substrate::file::{Kind, Tree, parent};

use super::content::{Source, Taken};

/// What files and variables are made of.
#[derive(Clone, Copy, Debug)]
pub struct Ground<'a> {
    /// The pod, with labels and annotations as they were taken.
    pub pod: &'a Value,
    /// What it takes from.
    pub sources: &'a [Source],
    /// What was taken; none: it takes nothing.
    pub taken: Option<&'a Taken>,
    /// What its node lets pods use, by resource.
    pub allocatable: &'a Value,
    /// The pod's token, and when it was issued.
    pub token: (&'a str, SimTime),
}

/// One file: its text and its mode.
type Files = SortedMap<String, (String, u16)>;

impl Ground<'_> {
    /// An object as it was taken, and since when it is so.
    fn object(&self, resource: &str, name: Option<&str>) -> Option<(&Value, SimTime)> {
        let is_it = |one: &Source| one.resource == resource && Some(&*one.name) == name;
        let index = self.sources.iter().position(is_it)?;
        let (value, since) = self.taken?.objects.get(index)?;
        Some((value, *since))
    }

    /// What an object says under a key.
    fn value_of(&self, resource: &str, name: Option<&str>, key: &str) -> Option<String> {
        let (object, _) = self.object(resource, name)?;
        data(object, resource).remove(key)
    }
}

/// Texts of an object by key.
fn data(object: &Value, resource: &str) -> SortedMap<String, String> {
    let list = |field: &str| {
        let map = object.get(field).and_then(Value::as_map);
        map.unwrap_or_default().iter()
    };
    let text = |value: &Value| value.as_str().unwrap_or("").to_owned();
    let decoded = |value: &Value| {
        let bytes = base64::decode(value.as_str().unwrap_or("")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    };
    let (plain, coded) = if resource == "secrets" {
        ("stringData", "data")
    } else {
        ("data", "binaryData")
    };
    let coded = list(coded).map(|(key, value)| (key.to_string(), decoded(value)));
    let plain = list(plain).map(|(key, value)| (key.to_string(), text(value)));
    coded.chain(plain).collect()
}

/// A mode as a manifest has it.
fn mode(value: Option<i64>) -> Option<u16> {
    value.and_then(|value| u16::try_from(value).ok())
}

/// The files of a volume, under the links that the kubelet makes.
pub fn tree(volume: &Value, ground: &Ground<'_>) -> Tree {
    let mut files = Files::new();
    let mut since = SimTime::ZERO;
    let projected = volume.get("projected");
    let whole = projected.unwrap_or(volume);
    let default = ["configMap", "secret", "downwardAPI"];
    let default = default.iter().find_map(|kind| volume.get(kind));
    let default = mode(
        projected
            .or(default)
            .and_then(|it| it.i64_at(&["defaultMode"])),
    );
    let default = default.unwrap_or(0o644);
    if projected.is_some() {
        for source in read::list(whole, &["sources"]) {
            add(source, default, ground, &mut files, &mut since);
        }
    } else {
        add(whole, default, ground, &mut files, &mut since);
    }
    written(
        &files,
        since,
        ground,
        volume.str_at(&["name"]).unwrap_or(""),
    )
}

fn add(source: &Value, default: u16, ground: &Ground<'_>, files: &mut Files, since: &mut SimTime) {
    for (kind, resource) in [("configMap", "configmaps"), ("secret", "secrets")] {
        let Some(from) = source.get(kind) else {
            continue;
        };
        let name = from.str_at(&["secretName"]).or(from.str_at(&["name"]));
        let Some((object, at)) = ground.object(resource, name) else {
            continue;
        };
        *since = (*since).max(at);
        let mut all = data(object, resource);
        let items = read::list(from, &["items"]);
        for item in items {
            let key = item.str_at(&["key"]).unwrap_or("");
            if let (Some(text), Some(path)) = (all.get(key), item.str_at(&["path"])) {
                let own = mode(item.i64_at(&["mode"])).unwrap_or(default);
                files.insert(path.to_owned(), (text.clone(), own));
            }
        }
        if items.is_empty() {
            while let Some((key, text)) = all.pop_first() {
                files.insert(key, (text, default));
            }
        }
    }
    for item in read::list(source, &["downwardAPI", "items"]) {
        let Some(path) = item.str_at(&["path"]) else {
            continue;
        };
        let text = match item.get("fieldRef") {
            Some(field) => field_of(ground.pod, field.str_at(&["fieldPath"]).unwrap_or("")),
            None => {
                let from = item.get("resourceFieldRef");
                from.and_then(|from| resource_of(from, None, ground))
            }
        };
        let own = mode(item.i64_at(&["mode"])).unwrap_or(default);
        files.insert(path.to_owned(), (text.unwrap_or_default(), own));
        *since = (*since).max(ground.taken.map_or(SimTime::ZERO, |taken| taken.since));
    }
    if let Some(token) = source.get("serviceAccountToken") {
        let path = token.str_at(&["path"]).unwrap_or("token");
        // A token is for its reader alone where the pod says whose files are.
        let context = ground.pod.path(&["spec", "securityContext", "fsGroup"]);
        let own = if context.is_some() { 0o600 } else { default };
        files.insert(path.to_owned(), (ground.token.0.to_owned(), own));
        *since = (*since).max(ground.token.1);
    }
}

/// Files as the kubelet writes them.
fn written(files: &Files, since: SimTime, ground: &Ground<'_>, volume: &str) -> Tree {
    let mut tree = Tree::default();
    let uid = ground.pod.str_at(&["metadata", "uid"]).unwrap_or("");
    let stamp: String = since
        .rfc3339()
        .trim_end_matches('Z')
        .chars()
        .map(|letter| if letter.is_ascii_digit() { letter } else { '_' })
        .collect();
    let luck = stable_hash_parts(&[uid, volume, &stamp]) as u32;
    let own = format!("..{stamp}.{luck}");
    let directory = || Kind::Directory { opaque: false };
    tree.put(&format!("/{own}"), directory(), since);
    let link = |target: String| Kind::Link(target.into());
    tree.put("/..data", link(own.clone()), since);
    for (path, (text, mode)) in files {
        let whole = format!("/{own}/{path}");
        let mut above = parent(&whole);
        while let Some(at) = above.filter(|at| at.len() > own.len() + 1) {
            tree.put(at, directory(), since);
            above = parent(at);
        }
        let kind = Kind::File {
            bytes: text.len() as u64,
            text: Some(text.as_str().into()),
        };
        tree.put_as(&whole, kind, since, Some(*mode));
        let first = path.split('/').next().unwrap_or(path);
        tree.put(&format!("/{first}"), link(format!("..data/{first}")), since);
    }
    tree
}

/// What a pod says of itself at a path.
fn field_of(pod: &Value, path: &str) -> Option<String> {
    if let Some((map, key)) = path.split_once('[') {
        let key = key.trim_end_matches(']').trim_matches(['\'', '"']);
        let map = map.strip_prefix("metadata.")?;
        let value = pod.str_at(&["metadata", map, key]);
        return Some(value.unwrap_or("").to_owned());
    }
    let names: Vec<&str> = path.split('.').collect();
    match names.as_slice() {
        ["metadata", map @ ("labels" | "annotations")] => {
            let map = pod.path(&["metadata", map]).and_then(Value::as_map);
            let lines = map.unwrap_or_default().sorted().into_iter();
            let lines =
                lines.map(|(key, value)| format!("{key}={:?}", value.as_str().unwrap_or("")));
            Some(lines.collect::<Vec<_>>().join("\n"))
        }
        ["status", list @ ("hostIPs" | "podIPs")] => {
            // Pods and nodes have one address each here.
            let one = list.trim_end_matches('s');
            Some(pod.str_at(&["status", one]).unwrap_or("").to_owned())
        }
        names => Some(pod.str_at(names).unwrap_or("").to_owned()),
    }
}

/// What a container may use or asks for, in units of the divisor, rounded up.
fn resource_of(from: &Value, own: Option<&Value>, ground: &Ground<'_>) -> Option<String> {
    let named = from.str_at(&["containerName"]);
    let by_name = ["initContainers", "containers"]
        .into_iter()
        .find_map(|list| {
            let all = read::list(ground.pod, &["spec", list]);
            all.iter().find(|one| one.str_at(&["name"]) == named)
        });
    let container = by_name.or(own)?;
    let (part, resource) = from.str_at(&["resource"])?.split_once('.')?;
    let quantity = |value: &Value| {
        let text = value.as_str().map(str::to_owned);
        let text = text.or_else(|| value.as_i64().map(|number| number.to_string()))?;
        Quantity::parse(&text).ok()
    };
    let written = container
        .path(&["resources", part, resource])
        .and_then(quantity);
    // Without a limit, it is all that the node has.
    let whole = || ground.allocatable.get(resource).and_then(quantity);
    let amount = written.or_else(|| if part == "limits" { whole() } else { None });
    let divisor = from.get("divisor").and_then(quantity);
    let in_thousandths = resource == "cpu";
    let of = |quantity: &Quantity| {
        if in_thousandths {
            quantity.milli_value()
        } else {
            quantity.value()
        }
    };
    let one = if in_thousandths { 1_000 } else { 1 };
    let divisor = divisor.as_ref().map_or(one, of);
    let divisor = if divisor == 0 { one } else { divisor };
    let amount = amount.as_ref().map_or(0, of);
    Some(((amount + divisor - 1) / divisor).to_string())
}

/// Adds the variables that name a Service: its name, its address, and its ports by name, number and
/// protocol. Source: `pkg/kubelet/envvars/envvars.go`.
pub fn of_service(
    name: &str,
    address: &str,
    ports: &[(&str, i64, &str)],
    rows: &mut Vec<(String, String)>,
) {
    let word = |text: &str| text.to_uppercase().replace('-', "_");
    let name = word(name);
    let Some((_, first, protocol)) = ports.first() else {
        return;
    };
    let mut add = |suffix: String, value: String| rows.push((format!("{name}{suffix}"), value));
    let url = |protocol: &str, port: &i64| format!("{protocol}://{address}:{port}").to_lowercase();
    add("_SERVICE_HOST".to_owned(), address.to_owned());
    add("_SERVICE_PORT".to_owned(), first.to_string());
    for (port, number, _) in ports.iter().filter(|(port, _, _)| !port.is_empty()) {
        add(format!("_SERVICE_PORT_{}", word(port)), number.to_string());
    }
    add("_PORT".to_owned(), url(protocol, first));
    for (_, number, protocol) in ports {
        let base = format!("_PORT_{number}_{protocol}");
        add(base.clone(), url(protocol, number));
        add(format!("{base}_PROTO"), protocol.to_lowercase());
        add(format!("{base}_PORT"), number.to_string());
        add(format!("{base}_ADDR"), address.to_owned());
    }
}

/// A container's variables. `service`: those that name services.
pub fn variables(
    container: &Value,
    service: &dyn Fn(&str) -> Option<String>,
    ground: &Ground<'_>,
) -> Vec<(String, String)> {
    let mut all: SortedMap<String, String> = SortedMap::new();
    for from in read::list(container, &["envFrom"]) {
        let prefix = from.str_at(&["prefix"]).unwrap_or("");
        for (word, resource) in [("configMapRef", "configmaps"), ("secretRef", "secrets")] {
            let object = from
                .get(word)
                .and_then(|it| ground.object(resource, it.str_at(&["name"])));
            for (key, text) in object.map(|(it, _)| data(it, resource)).unwrap_or_default() {
                all.insert(format!("{prefix}{key}"), text);
            }
        }
    }
    for one in read::list(container, &["env"]) {
        let name = one.str_at(&["name"]).unwrap_or("");
        let written = one.str_at(&["value"]).unwrap_or("");
        let value = match one.get("valueFrom") {
            Some(from) if written.is_empty() => from_elsewhere(from, container, ground),
            _ => Some(expand(written, &|name| {
                all.get(name).cloned().or_else(|| service(name))
            })),
        };
        // What is optional and missing is not set at all.
        if let Some(value) = value {
            all.insert(name.to_owned(), value);
        }
    }
    all.into_iter().collect()
}

fn from_elsewhere(from: &Value, container: &Value, ground: &Ground<'_>) -> Option<String> {
    if let Some(field) = from.str_at(&["fieldRef", "fieldPath"]) {
        return field_of(ground.pod, field);
    }
    if let Some(resource) = from.get("resourceFieldRef") {
        return resource_of(resource, Some(container), ground);
    }
    let words = [
        ("configMapKeyRef", "configmaps"),
        ("secretKeyRef", "secrets"),
    ];
    words.into_iter().find_map(|(word, resource)| {
        let reference = from.get(word)?;
        let key = reference.str_at(&["key"]).unwrap_or("");
        ground.value_of(resource, reference.str_at(&["name"]), key)
    })
}

/// The value of a variable.
pub fn among(all: &[(Arc<str>, Arc<str>)], name: &str) -> Option<String> {
    let found = all.iter().find(|(known, _)| **known == *name);
    found.map(|(_, value)| value.to_string())
}

/// Words with the values of variables in them.
pub fn expanded(words: &[Arc<str>], all: &[(Arc<str>, Arc<str>)]) -> Arc<[Arc<str>]> {
    let words = words.iter();
    words
        .map(|word| expand(word, &|name| among(all, name)).into())
        .collect()
}

/// Puts values in the place of `$(NAME)`; what is not known stays, `$$` is a dollar sign.
pub fn expand(text: &str, value: &dyn Fn(&str) -> Option<String>) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        if let Some(plain) = after.strip_prefix('$') {
            out.push('$');
            rest = plain;
        } else if let Some((name, end)) = after.strip_prefix('(').and_then(|it| it.split_once(')'))
        {
            match value(name) {
                Some(value) => out.push_str(&value),
                None => out.push_str(&format!("$({name})")),
            }
            rest = end;
        } else {
            out.push('$');
            rest = after;
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_expanded_as_upstream_does() {
        let value = |name: &str| (name == "A").then(|| "1".to_owned());
        for (text, expected) in [
            ("$(A)-$(B)", "1-$(B)"),
            ("$$(A)", "$(A)"),
            ("$A $(A", "$A $(A"),
            ("100$", "100$"),
        ] {
            assert_eq!(expand(text, &value), expected, "{text}");
        }
    }
}
