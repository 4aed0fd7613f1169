//! Kubernetes documents against the tables: strict decoding, as the API server does it for kubectl.
//!
//! All problems are reported, where the server stops at the first it cannot decode; each message
//! is what the server says about that one problem.
use crate::base::quantity::Quantity;
use crate::base::sentence::catalogue;
use crate::manifest::diagnostic::{Report, Severity};
use crate::manifest::explain;
use crate::manifest::lines::Span;
use crate::manifest::schema::suggest::nearest;
use crate::manifest::schema::table::{Shape, Table, Type, kubernetes};
use crate::manifest::tree::{Entry, Node, NodeValue};

/// The kinds and versions a text may use besides those in the table: custom resources.
pub type IsCustom<'a> = &'a dyn Fn(&str, &str) -> bool;

/// Checks one document. `is_custom` tells kinds defined by custom resource definitions.
pub fn check(document: &Node, is_custom: IsCustom<'_>, report: &Report<'_>) {
    Checker {
        table: kubernetes(),
        is_custom,
        report,
    }
    .document(document);
}

/// Whether a document says it is for Kubernetes: it has both `apiVersion` and `kind`.
#[must_use]
pub fn is_kubernetes(document: &Node) -> bool {
    document.get("apiVersion").is_some() && document.get("kind").is_some()
}

/// The word Go's JSON decoder uses for what a value is.
#[must_use]
pub fn json_word(node: &Node) -> &'static str {
    match &node.value {
        NodeValue::Null => "null",
        NodeValue::Bool(_) => "bool",
        NodeValue::Int(_) | NodeValue::Float(_) => "number",
        NodeValue::Str { .. } => "string",
        NodeValue::Seq(_) => "array",
        NodeValue::Map(_) => "object",
    }
}

struct Checker<'a, 's> {
    table: &'static Table,
    is_custom: IsCustom<'a>,
    report: &'a Report<'s>,
}

/// Where a value stands: the innermost structure and the dotted path without indices, which Go
/// prints, and the full path, which people need.
#[derive(Clone)]
struct Place<'p> {
    structure: &'p Type,
    go_path: String,
    path: String,
}

fn is_early(version: &str) -> bool {
    version.contains("alpha") || version.contains("beta")
}

impl Checker<'_, '_> {
    fn document(&self, document: &Node) {
        let report = self.report;
        if document.as_map().is_none() {
            let message = format!(
                "json: cannot unmarshal {} into Go value of type runtime.TypeMeta",
                json_word(document)
            );
            report.error(explain::KUBERNETES_WRONG_TYPE, document.span, "", message);
            return;
        }
        let mut words = Vec::new();
        for name in ["apiVersion", "kind"] {
            match document.get(name).map(|node| (node, node.as_str())) {
                Some((node, Some(text))) if !text.is_empty() => words.push((text, node.span)),
                Some((node, _)) if !node.is_null() && node.as_str().is_none() => {
                    let message = format!(
                        "json: cannot unmarshal {} into Go struct field TypeMeta.{name} of type string",
                        json_word(node)
                    );
                    report.error(explain::KUBERNETES_WRONG_TYPE, node.span, name, message);
                }
                Some(_) | None => {
                    let at = Span {
                        end: document.span.start,
                        ..document.span
                    };
                    report.error(
                        explain::KUBERNETES_NO_TYPE,
                        at,
                        name,
                        format!("{name} not set"),
                    );
                }
            }
        }
        let [(version, version_span), (kind, kind_span)] = words.as_slice() else {
            return;
        };
        if *kind == "List" && *version == "v1" {
            // Each item is an object of its own, with paths of its own.
            for item in document.get("items").and_then(Node::as_seq).unwrap_or(&[]) {
                self.document(item);
            }
            return;
        }
        match self.table.kind(version, kind) {
            // Early versions are served only where somebody has turned them on.
            // Source: `pkg/controlplane/instance.go` (`DefaultAPIResourceConfigSource`).
            Some(found) if found.root.is_none() && is_early(version) => {
                self.unknown_kind((*version, *version_span), (*kind, *kind_span));
            }
            Some(found) => {
                if let Some(root) = found.root {
                    let structure = self.table.get(root);
                    self.structure(
                        document,
                        &Place {
                            structure,
                            go_path: String::new(),
                            path: String::new(),
                        },
                    );
                }
            }
            None if (self.is_custom)(version, kind) => {}
            None => self.unknown_kind((*version, *version_span), (*kind, *kind_span)),
        }
    }

    fn unknown_kind(&self, (version, version_span): (&str, Span), (kind, kind_span): (&str, Span)) {
        let message = format!("no matches for kind {kind:?} in version {version:?}");
        let kinds = self.table.kinds();
        let versions: Vec<&str> = kinds
            .iter()
            .filter(|one| &*one.kind == kind && !is_early(&one.api_version))
            .map(|one| &*one.api_version)
            .collect();
        let draft = |code, span| {
            self.report
                .draft(code, Severity::Error, span, message.clone())
        };
        let diagnostic = if let Some(newest) = versions.iter().copied().max() {
            let removed = REMOVED
                .iter()
                .find(|(old, kinds, _)| *old == version && kinds.contains(&kind));
            let help = match removed {
                Some((_, _, since)) => catalogue::REMOVED_IN.with(&[
                    ("since", since),
                    ("kind", &kind),
                    ("version", &newest),
                ]),
                None => catalogue::IN_VERSION.with(&[("kind", &kind), ("version", &newest)]),
            };
            let code = if removed.is_some() {
                explain::KUBERNETES_OLD_VERSION
            } else {
                explain::KUBERNETES_UNKNOWN_KIND
            };
            draft(code, version_span)
                .at("apiVersion")
                .help(help)
                .fix(version_span, newest)
        } else {
            let served = || kinds.iter().filter(|one| !is_early(&one.api_version));
            let same = served()
                .filter(|one| &*one.api_version == version)
                .map(|one| &*one.kind);
            let near =
                nearest(kind, same).or_else(|| nearest(kind, served().map(|one| &*one.kind)));
            let draft = draft(explain::KUBERNETES_UNKNOWN_KIND, kind_span).at("kind");
            match near {
                Some(near) => draft
                    .help(catalogue::NEAR.with(&[("near", &near)]))
                    .fix(kind_span, near),
                None => draft.help(catalogue::DEFINITION_FIRST.plain()),
            }
        };
        self.report.push(diagnostic);
    }

    fn structure(&self, node: &Node, place: &Place<'_>) {
        let NodeValue::Map(entries) = &node.value else {
            return;
        };
        let structure = place.structure;
        for entry in entries {
            let path = join(&place.path, &entry.key.text);
            match structure.field(&entry.key.text) {
                Some(field) => {
                    let inner = Place {
                        structure,
                        go_path: join(&place.go_path, &field.name),
                        path,
                    };
                    self.value(&entry.value, &field.shape, &inner);
                }
                None if structure.is_open => {}
                None => self.unknown_field(structure, entry, &path),
            }
        }
        // The status is the server's to fill; what is missing there is nobody's mistake.
        if place.path == "status"
            || place.path.starts_with("status.")
            || place.path.ends_with(".status")
        {
            return;
        }
        for field in structure.fields.iter().filter(|field| field.is_required) {
            if is_said_by_validation(&structure.name, &field.name) {
                continue;
            }
            if entries
                .iter()
                .all(|entry| *entry.key.text != *field.name || entry.value.is_null())
            {
                let path = join(&place.path, &field.name);
                let at = Span {
                    end: node.span.start.saturating_add(1).min(node.span.end),
                    ..node.span
                };
                self.report.error(
                    explain::KUBERNETES_MISSING_FIELD,
                    at,
                    &path,
                    format!("{path}: Required value{}", detail(&field.name)),
                );
            }
        }
    }

    fn unknown_field(&self, structure: &Type, entry: &Entry, path: &str) {
        let message = format!("unknown field {path:?}");
        let span = entry.key.span;
        let draft = self
            .report
            .draft(
                explain::KUBERNETES_UNKNOWN_FIELD,
                Severity::Error,
                span,
                message,
            )
            .at(path);
        let free = structure.fields.iter().map(|field| &*field.name);
        self.report.push(match nearest(&entry.key.text, free) {
            Some(near) => draft
                .help(catalogue::NEAR.with(&[("near", &near)]))
                .fix(span, near),
            None => draft,
        });
    }

    fn value(&self, node: &Node, shape: &Shape, place: &Place<'_>) {
        // Null is the zero value of every Go type.
        if node.is_null() {
            return;
        }
        match (shape, &node.value) {
            (Shape::Any | Shape::Null, _)
            | (
                Shape::String | Shape::Enum(_) | Shape::Duration | Shape::Time,
                NodeValue::Str { .. },
            )
            | (Shape::Bool, NodeValue::Bool(_))
            | (Shape::Int64, NodeValue::Int(_))
            | (Shape::Number, NodeValue::Int(_) | NodeValue::Float(_))
            | (Shape::IntOrString, NodeValue::Str { .. })
            | (Shape::Object, NodeValue::Map(_))
            | (Shape::Plain(_) | Shape::OneOf(_), _) => {}
            (Shape::Int32 | Shape::IntOrString, NodeValue::Int(number))
                if i32::try_from(*number).is_ok() => {}
            (Shape::Bytes, NodeValue::Str { text, .. }) => self.base64(node, text, place),
            (Shape::Quantity, NodeValue::Str { .. } | NodeValue::Int(_) | NodeValue::Float(_)) => {
                self.quantity(node, place);
            }
            (Shape::List(inner), NodeValue::Seq(items)) => {
                for (index, item) in items.iter().enumerate() {
                    let path = format!("{}[{index}]", place.path);
                    self.value(
                        item,
                        inner,
                        &Place {
                            path,
                            ..place.clone()
                        },
                    );
                }
            }
            (Shape::Map { values, .. }, NodeValue::Map(entries)) => {
                for entry in entries {
                    let path = join(&place.path, &entry.key.text);
                    self.value(
                        &entry.value,
                        values,
                        &Place {
                            path,
                            ..place.clone()
                        },
                    );
                }
            }
            (Shape::Type(id), NodeValue::Map(_)) => {
                let structure = self.table.get(*id);
                self.structure(
                    node,
                    &Place {
                        structure,
                        ..place.clone()
                    },
                );
            }
            (_, _) => self.wrong_type(node, shape, place),
        }
    }

    fn wrong_type(&self, node: &Node, shape: &Shape, place: &Place<'_>) {
        let mut word = json_word(node).to_owned();
        let is_whole_type = matches!(shape, Shape::Int32 | Shape::Int64 | Shape::IntOrString);
        if is_whole_type && word == "number" {
            // A number of the wrong size or with a fraction is shown.
            word = format!("number {}", node.scalar_text().unwrap_or_default());
        }
        let message = match shape {
            Shape::IntOrString => {
                format!("json: cannot unmarshal {word} into Go value of type int32")
            }
            Shape::Quantity => BAD_QUANTITY.to_owned(),
            _ => format!(
                "json: cannot unmarshal {word} into Go struct field {}.{} of type {}",
                place.structure.go_name(),
                place.go_path,
                self.go_type(shape)
            ),
        };
        let mut draft = self
            .report
            .draft(
                explain::KUBERNETES_WRONG_TYPE,
                Severity::Error,
                node.span,
                message,
            )
            .at(place.path.clone());
        if matches!(
            shape,
            Shape::String | Shape::Time | Shape::Bytes | Shape::Duration
        ) && matches!(
            node.value,
            NodeValue::Bool(_) | NodeValue::Int(_) | NodeValue::Float(_)
        ) {
            let written = self.written(node);
            let quoted = format!("\"{written}\"");
            draft = draft
                .help(catalogue::QUOTE.with(&[("text", &quoted)]))
                .fix(node.span, quoted);
        } else if let Some(text) = node.as_str()
            && (is_whole_type && text.parse::<i64>().is_ok()
                || *shape == Shape::Bool && matches!(text, "true" | "false"))
        {
            draft = draft
                .help(catalogue::UNQUOTE.with(&[("text", &text)]))
                .fix(node.span, text);
        }
        self.report.push(draft);
    }

    /// The text of a scalar as written, so that quoting it changes nothing else.
    fn written(&self, node: &Node) -> String {
        let source = self.report.sources().get(node.span.file);
        let slice = source.map_or("", |source| source.slice(node.span));
        if slice.is_empty() {
            node.scalar_text().unwrap_or_default().to_string()
        } else {
            slice.to_owned()
        }
    }

    fn quantity(&self, node: &Node, place: &Place<'_>) {
        let text = node.scalar_text().unwrap_or_default();
        if let Err(error) = Quantity::parse(text.trim()) {
            let draft = self
                .report
                .draft(
                    explain::KUBERNETES_BAD_QUANTITY,
                    Severity::Error,
                    node.span,
                    error,
                )
                .at(place.path.clone());
            let help = catalogue::EXAMPLES.with(&[("examples", &"500m, 2, 1.5, 128Mi, 1Gi")]);
            self.report.push(draft.help(help));
        }
    }

    fn base64(&self, node: &Node, text: &str, place: &Place<'_>) {
        if let Some(at) = bad_base64(text) {
            let message = format!("illegal base64 data at input byte {at}");
            let draft = self
                .report
                .draft(
                    explain::KUBERNETES_WRONG_TYPE,
                    Severity::Error,
                    node.span,
                    message,
                )
                .at(place.path.clone());
            self.report.push(draft.help(catalogue::ENCODE.plain()));
        }
    }

    fn go_type(&self, shape: &Shape) -> String {
        match shape {
            Shape::Any | Shape::Null | Shape::Plain(_) | Shape::OneOf(_) => {
                "interface {}".to_owned()
            }
            Shape::String | Shape::Enum(_) | Shape::Duration => "string".to_owned(),
            Shape::Time => "v1.Time".to_owned(),
            Shape::Bytes => "[]uint8".to_owned(),
            Shape::Bool => "bool".to_owned(),
            Shape::Int32 => "int32".to_owned(),
            Shape::Int64 => "int64".to_owned(),
            Shape::Number => "float64".to_owned(),
            Shape::Quantity => "resource.Quantity".to_owned(),
            Shape::IntOrString => "intstr.IntOrString".to_owned(),
            Shape::Object => "map[string]interface {}".to_owned(),
            Shape::List(inner) => format!("[]{}", self.go_type(inner)),
            Shape::Map { values, .. } => format!("map[string]{}", self.go_type(values)),
            Shape::Type(id) => self.table.get(*id).go_path().to_owned(),
        }
    }
}

/// As apimachinery's resource.Quantity (`pkg/api/resource/quantity.go`) says it.
pub const BAD_QUANTITY: &str =
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";

/// Versions that clusters served once: version, kinds, release that removed them.
const REMOVED: &[(&str, &[&str], &str)] = &[
    (
        "extensions/v1beta1",
        &["Deployment", "DaemonSet", "ReplicaSet", "NetworkPolicy"],
        "1.16",
    ),
    (
        "apps/v1beta1",
        &["Deployment", "StatefulSet", "ControllerRevision"],
        "1.16",
    ),
    (
        "apps/v1beta2",
        &[
            "Deployment",
            "DaemonSet",
            "ReplicaSet",
            "StatefulSet",
            "ControllerRevision",
        ],
        "1.16",
    ),
    ("extensions/v1beta1", &["Ingress"], "1.22"),
    (
        "networking.k8s.io/v1beta1",
        &["Ingress", "IngressClass"],
        "1.22",
    ),
    (
        "rbac.authorization.k8s.io/v1beta1",
        &["Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"],
        "1.22",
    ),
    (
        "apiextensions.k8s.io/v1beta1",
        &["CustomResourceDefinition"],
        "1.22",
    ),
    ("scheduling.k8s.io/v1beta1", &["PriorityClass"], "1.22"),
    (
        "storage.k8s.io/v1beta1",
        &["StorageClass", "VolumeAttachment", "CSIDriver", "CSINode"],
        "1.22",
    ),
    ("coordination.k8s.io/v1beta1", &["Lease"], "1.22"),
    ("batch/v1beta1", &["CronJob"], "1.25"),
    ("policy/v1beta1", &["PodDisruptionBudget"], "1.25"),
    ("discovery.k8s.io/v1beta1", &["EndpointSlice"], "1.25"),
    ("events.k8s.io/v1beta1", &["Event"], "1.25"),
    ("node.k8s.io/v1beta1", &["RuntimeClass"], "1.25"),
    ("autoscaling/v2beta1", &["HorizontalPodAutoscaler"], "1.25"),
    ("autoscaling/v2beta2", &["HorizontalPodAutoscaler"], "1.26"),
];

/// The most stable and highest version.
fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

/// The byte at which Go's standard base64 decoder stops, if it does. Line breaks are skipped.
fn bad_base64(text: &str) -> Option<usize> {
    let bytes: Vec<(usize, u8)> = text
        .bytes()
        .enumerate()
        .filter(|(_, byte)| !matches!(byte, b'\n' | b'\r'))
        .collect();
    let body = bytes.iter().take_while(|(_, byte)| *byte != b'=').count();
    let bad = bytes[..body]
        .iter()
        .find(|(_, byte)| !(byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/')));
    if let Some((at, _)) = bad {
        return Some(*at);
    }
    let padding = bytes.len() - body;
    let wanted = match body % 4 {
        0 => 0,
        2 => 2,
        3 => 1,
        _ => return Some(text.len().saturating_sub(padding)),
    };
    let is_padded = padding == wanted && bytes[body..].iter().all(|(_, byte)| *byte == b'=');
    if is_padded {
        None
    } else {
        Some(bytes.get(body).map_or(text.len(), |(at, _)| *at))
    }
}

/// Required fields of a pod that validation finds empty in words of its own.
fn is_said_by_validation(structure: &str, field: &str) -> bool {
    let fields: &[&str] = match structure {
        "core.v1.ContainerRestartRule" => &["action"],
        "core.v1.ContainerRestartRuleOnExitCodes" => &["operator"],
        "core.v1.PodAffinityTerm" => &["topologyKey"],
        "core.v1.PreferredSchedulingTerm" | "core.v1.WeightedPodAffinityTerm" => &["weight"],
        "core.v1.TopologySpreadConstraint" => &["maxSkew", "topologyKey", "whenUnsatisfiable"],
        _ => &[],
    };
    fields.contains(&field)
}

/// What the server adds where a required field is missing.
fn detail(field: &str) -> &'static str {
    match field {
        "pathType" => ": pathType must be specified",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::check;
    use crate::manifest::diagnostic::{Report, render_all};
    use crate::manifest::lines::Sources;
    use crate::manifest::scalar::Dialect;
    use crate::manifest::yaml::parse;

    fn lint(text: &str, expected: &Expect) {
        let mut sources = Sources::new();
        let file = sources.add("web.yaml", text);
        let report = Report::new(&sources);
        for document in parse(sources.get(file).unwrap(), Dialect::Kubernetes, &report) {
            check(&document.root, &|_, kind| kind == "Widget", &report);
        }
        expected.assert_eq(&render_all(&report.finish(), &sources));
    }

    #[test]
    fn fields_and_types_are_checked_in_the_servers_words() {
        lint(
            "\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {tier: 1, 層: yes}}
spec:
  replica: 3
  replicas: '3'
  paused: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        imgae: nginx
        args: [-c, 5]
        ports: {containerPort: 80}
        env:
        - name: PORT
          value: 8080
        resources: {limits: {cpu: 2x, memory: 1Gi}}
        livenessProbe: {httpGet: {port: 1.5}}
",
            &expect![[r#"
                web.yaml:3:38: error K8S002: json: cannot unmarshal number into Go struct field ObjectMeta.metadata.labels of type string
                  3 | metadata: {name: web, labels: {tier: 1, 層: yes}}
                    |                                      ^
                  help: quote it: "1"
                web.yaml:3:44: error K8S002: json: cannot unmarshal bool into Go struct field ObjectMeta.metadata.labels of type string
                  3 | metadata: {name: web, labels: {tier: 1, 層: yes}}
                    |                                             ^^^
                  help: quote it: "yes"
                web.yaml:5:3: error K8S001: unknown field "spec.replica"
                  5 |   replica: 3
                    |   ^^^^^^^
                  help: did you mean "replicas"?
                web.yaml:6:13: error K8S002: json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32
                  6 |   replicas: '3'
                    |             ^^^
                  help: write it without quotes: 3
                web.yaml:7:11: error K8S002: json: cannot unmarshal number into Go struct field DeploymentSpec.spec.paused of type bool
                  7 |   paused: 1
                    |           ^
                web.yaml:14:9: error K8S001: unknown field "spec.template.spec.containers[0].imgae"
                  14 |         imgae: nginx
                     |         ^^^^^
                  help: did you mean "image"?
                web.yaml:15:20: error K8S002: json: cannot unmarshal number into Go struct field Container.spec.template.spec.containers.args of type string
                  15 |         args: [-c, 5]
                     |                    ^
                  help: quote it: "5"
                web.yaml:16:16: error K8S002: json: cannot unmarshal object into Go struct field Container.spec.template.spec.containers.ports of type []v1.ContainerPort
                  16 |         ports: {containerPort: 80}
                     |                ^^^^^^^^^^^^^^^^^^^
                web.yaml:19:18: error K8S002: json: cannot unmarshal number into Go struct field EnvVar.spec.template.spec.containers.env.value of type string
                  19 |           value: 8080
                     |                  ^^^^
                  help: quote it: "8080"
                web.yaml:20:35: error K8S008: quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'
                  20 |         resources: {limits: {cpu: 2x, memory: 1Gi}}
                     |                                   ^^
                  help: write for example 500m, 2, 1.5, 128Mi, 1Gi
                web.yaml:21:41: error K8S002: json: cannot unmarshal number 1.5 into Go value of type int32
                  21 |         livenessProbe: {httpGet: {port: 1.5}}
                     |                                         ^^^
            "#]],
        );
    }

    #[test]
    fn kinds_are_looked_up() {
        lint(
            "apiVersion: apps/v1\nkind: Deploymnet\n",
            &expect![[r#"
            web.yaml:2:7: error K8S003: no matches for kind "Deploymnet" in version "apps/v1"
              2 | kind: Deploymnet
                |       ^^^^^^^^^^
              help: did you mean "Deployment"?
        "#]],
        );
        lint(
            "apiVersion: v1\nkind: Deployment\n",
            &expect![[r#"
            web.yaml:1:13: error K8S003: no matches for kind "Deployment" in version "v1"
              1 | apiVersion: v1
                |             ^^
              help: Deployment is in apps/v1
        "#]],
        );
        lint(
            "apiVersion: extensions/v1beta1\nkind: Ingress\n",
            &expect![[r#"
                web.yaml:1:13: error K8S006: no matches for kind "Ingress" in version "extensions/v1beta1"
                  1 | apiVersion: extensions/v1beta1
                    |             ^^^^^^^^^^^^^^^^^^
                  help: removed in v1.22; Ingress is in networking.k8s.io/v1 now
            "#]],
        );
        lint(
            "apiVersion: example.com/v1\nkind: Widget\nanything: {goes: 1}\n",
            &expect![[r#""#]],
        );
        lint(
            "kind: 5\n---\n- a\n",
            &expect![[r#"
            web.yaml:1:1: error K8S005: apiVersion not set
              1 | kind: 5
                | ^
            web.yaml:1:7: error K8S002: json: cannot unmarshal number into Go struct field TypeMeta.kind of type string
              1 | kind: 5
                |       ^
            web.yaml:3:1: error K8S002: json: cannot unmarshal array into Go value of type runtime.TypeMeta
              3 | - a
                | ^^^
        "#]],
        );
    }

    #[test]
    fn lists_are_checked_item_by_item() {
        lint(
            "{\"apiVersion\": \"v1\", \"kind\": \"List\", \"items\": [{\"apiVersion\": \"v1\", \"kind\": \"Secret\", \"data\": {\"a\": \"%\"}, \"x\": 1}]}",
            &expect![[r#"
                web.yaml:1:101: error K8S002: illegal base64 data at input byte 0
                  1 | … "kind": "List", "items": [{"apiVersion": "v1", "kind": "Secret", "data": {"a": "%"}, "x": 1}]}
                    |                                                                                  ^^^
                  help: encode the value, or use stringData for plain text
                web.yaml:1:107: error K8S001: unknown field "x"
                  1 | …": "List", "items": [{"apiVersion": "v1", "kind": "Secret", "data": {"a": "%"}, "x": 1}]}
                    |                                                                                  ^^^
            "#]],
        );
    }

    #[test]
    fn required_fields_are_missed_but_not_in_the_status() {
        lint(
            "apiVersion: v1\nkind: Pod\nspec: {}\nstatus: {conditions: [{}]}\n",
            &expect![[r#"
                web.yaml:3:7: error K8S004: spec.containers: Required value
                  3 | spec: {}
                    |       ^
            "#]],
        );
    }
}
