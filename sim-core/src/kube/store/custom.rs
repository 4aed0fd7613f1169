//! Definitions of custom resources that this cluster serves.
//!
//! Made from CustomResourceDefinition documents when they are written. Kinds are looked up here
//! after the built-in ones; a definition has one kind for each version, all over the same documents.

use std::sync::Arc;

use crate::base::sorted::SortedMap;
use crate::kube::kinds::{self, Kind};
use crate::manifest::value::Value;
use crate::object::jsonpath::Template;
use crate::object::structural::Structural;

/// `additionalPrinterColumns`.
#[derive(Clone, Debug)]
pub struct PrinterColumn {
    /// Header, upper case.
    pub header: String,
    /// `type`.
    pub kind: String,
    /// `jsonPath`.
    pub path: Template,
    /// Whether only `-o wide` shows it: its priority is not 0.
    pub wide: bool,
}

/// `subresources.scale`: paths without the leading dot, split.
#[derive(Clone, Debug)]
pub struct ScalePaths {
    /// `specReplicasPath`.
    pub spec: Vec<String>,
    /// `statusReplicasPath`.
    pub status: Vec<String>,
    /// `labelSelectorPath`.
    pub selector: Option<Vec<String>>,
}

/// One version.
#[derive(Clone, Debug)]
pub struct Version {
    /// Its kind.
    pub kind: &'static Kind,
    /// Whether requests may use it.
    pub served: bool,
    /// The schema of its objects.
    pub schema: Arc<Structural>,
    /// Columns of `kubectl get`.
    pub columns: Vec<PrinterColumn>,
    /// Fields that objects can be chosen by: `selectableFields`, without the leading dots.
    pub selectable: Vec<String>,
    /// Whether status is a subresource.
    pub status: bool,
    /// Whether scale is, and where it reads and writes.
    pub scale: Option<ScalePaths>,
    /// What a client is told when it uses the version.
    pub warning: Option<String>,
}

/// One definition.
#[derive(Clone, Debug)]
pub struct Definition {
    /// Resource with group: also its own name.
    pub resource: Arc<str>,
    /// `names.singular`.
    pub singular: String,
    /// `names.categories`.
    pub categories: Vec<String>,
    /// Versions, the preferred first.
    pub versions: Vec<Version>,
}

/// All definitions.
#[derive(Clone, Debug, Default)]
pub struct Definitions {
    by_resource: Arc<SortedMap<Arc<str>, Arc<Definition>>>,
}

impl Definitions {
    /// A definition by resource with group.
    pub fn get(&self, resource: &str) -> Option<&Arc<Definition>> {
        self.by_resource.get(resource)
    }

    /// Adds or replaces one.
    pub fn insert(&mut self, definition: Definition) {
        Arc::make_mut(&mut self.by_resource)
            .insert(definition.resource.clone(), Arc::new(definition));
    }

    /// Removes one.
    pub fn remove(&mut self, resource: &str) {
        if self.by_resource.contains_key(resource) {
            Arc::make_mut(&mut self.by_resource).remove(resource);
        }
    }

    /// All, by resource.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Definition>> {
        self.by_resource.values()
    }

    /// The definition and version of a kind that it made.
    pub fn of_kind(&self, kind: &Kind) -> Option<(&Arc<Definition>, &Version)> {
        if !kind.custom {
            return None;
        }
        let definition = self.get(&kind.resource())?;
        let version = definition
            .versions
            .iter()
            .find(|version| version.kind.api_version == kind.api_version)?;
        Some((definition, version))
    }

    /// The served kind that an object names.
    pub fn of_object(&self, api_version: &str, kind: &str) -> Option<&'static Kind> {
        self.served()
            .find(|found| found.kind == kind && found.api_version == api_version)
    }

    /// The kind that a person means.
    pub fn of_word(&self, word: &str) -> Option<&'static Kind> {
        let word = word.to_ascii_lowercase();
        let (head, rest) = word.split_once('.').unwrap_or((&word, ""));
        let in_group = |kind: &Kind| {
            let version = kind.api_version.rsplit('/').next().unwrap_or("");
            rest.is_empty()
                || rest == kind.group()
                || rest
                    .strip_prefix(version)
                    .and_then(|rest| rest.strip_prefix('.'))
                    == Some(kind.group())
        };
        let named = |definition: &Definition, kind: &Kind| {
            // With its group a kind is known by its own name, too.
            // Source: `k8s.io/client-go/restmapper/discovery.go` (`NewDiscoveryRESTMapper`).
            let own = !rest.is_empty() && kind.kind.eq_ignore_ascii_case(head);
            own || kind.plural == head || definition.singular == head || kind.short.contains(&head)
        };
        self.iter()
            .flat_map(|definition| definition.versions.iter().map(move |one| (definition, one)))
            .find(|(definition, version)| {
                version.served && named(definition, version.kind) && in_group(version.kind)
            })
            .map(|(_, version)| version.kind)
    }

    /// The kinds of a category, in the version that is preferred.
    pub fn in_category(&self, category: &str) -> impl Iterator<Item = &'static Kind> {
        self.iter()
            .filter(move |definition| definition.categories.iter().any(|it| it == category))
            .filter_map(|definition| definition.versions.iter().find(|version| version.served))
            .map(|version| version.kind)
    }

    /// Served kinds.
    pub fn served(&self) -> impl Iterator<Item = &'static Kind> {
        self.iter()
            .flat_map(|definition| definition.versions.iter())
            .filter(|version| version.served)
            .map(|version| version.kind)
    }

    /// The kind that a request names: `Pod`, or `widgets.example.com` for a custom one.
    pub fn request_kind(&self, name: &str) -> Option<&'static Kind> {
        let built_in = kinds::KINDS.iter().find(|known| known.kind == name);
        built_in.or_else(|| {
            let definition = self.get(name)?;
            definition.versions.first().map(|version| version.kind)
        })
    }
}

/// Splits `.spec.replicas`.
pub fn split_path(path: &str) -> Vec<String> {
    path.trim_start_matches('.')
        .split('.')
        .map(str::to_owned)
        .collect()
}

/// The value at a split path.
pub fn at<'v>(value: &'v Value, path: &[String]) -> Option<&'v Value> {
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    value.path(&path)
}

/// How versions are ranked: GA before beta before alpha, then by number, then other names.
/// Source: `k8s.io/apimachinery/pkg/version/helpers.go`.
pub fn version_rank(version: &str) -> (u8, u32, u32) {
    let number = |text: &str| text.parse::<u32>().unwrap_or(0);
    let Some(rest) = version.strip_prefix('v') else {
        return (0, 0, 0);
    };
    if !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit()) {
        return (3, number(rest), 0);
    }
    for (word, stage) in [("beta", 2), ("alpha", 1)] {
        if let Some((major, minor)) = rest.split_once(word)
            && major.bytes().all(|byte| byte.is_ascii_digit())
            && minor.bytes().all(|byte| byte.is_ascii_digit())
        {
            return (stage, number(major), number(minor));
        }
    }
    (0, 0, 0)
}

#[cfg(test)]
mod tests {
    use super::version_rank;

    #[test]
    fn stable_versions_come_first() {
        let mut versions = ["v1alpha1", "foo", "v2", "v1beta2", "v1", "v11"];
        versions.sort_by_key(|version| std::cmp::Reverse(version_rank(version)));
        assert_eq!(versions, ["v11", "v2", "v1", "v1beta2", "v1alpha1", "foo"]);
    }
}
