//! What the tables of kinds do not tell: foreign groups and rules of names.

use crate::manifest::decode::kube::name::NameRule;
use crate::manifest::schema::table;

/// The group of a version; the core's has no name.
pub fn group(api_version: &str) -> &str {
    api_version.split_once('/').map_or("", |(group, _)| group)
}

/// Whether a version is of a group that is not built in, so that only a CustomResourceDefinition
/// can make its kinds known.
pub fn is_foreign(api_version: &str) -> bool {
    let Some((group, _)) = api_version.split_once('/') else {
        return false;
    };
    let of_group = |known: &str| {
        known
            .split_once('/')
            .is_some_and(|(other, _)| other == group)
    };
    group.contains('.')
        && !table::kubernetes()
            .kinds()
            .iter()
            .any(|kind| of_group(&kind.api_version))
}

/// Which rule the names of a kind follow.
pub fn name_rule(kind: &str) -> NameRule {
    match kind {
        "Namespace" | "Service" | "StatefulSet" => NameRule::Label,
        "ClusterRole" | "ClusterRoleBinding" | "Role" | "RoleBinding" => NameRule::PathSegment,
        "IPAddress" => NameRule::Address,
        _ => NameRule::Subdomain,
    }
}
