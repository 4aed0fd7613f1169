#!/usr/bin/env python3
"""Writes the structural tables that sim-core embeds. Runs at authoring time only.

Usage: generate.py KUBERNETES_DEFINITIONS_JSON COMPOSE_SCHEMA_JSON STACK_SCHEMA_JSON

See README.md here for where the three inputs come from. Output: kubernetes.txt, compose.txt,
stack.txt beside this file. The format is described in src/manifest/schema/table.rs.
"""
import json
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).parent

# Kinds that are modelled or at least kept whole, as group/version and kind.
KINDS = """
v1 Pod PodTemplate ReplicationController Service Endpoints ConfigMap Secret ServiceAccount Namespace Node
v1 Event PersistentVolume PersistentVolumeClaim LimitRange ResourceQuota Binding
apps/v1 Deployment StatefulSet DaemonSet ReplicaSet ControllerRevision
batch/v1 Job CronJob
discovery.k8s.io/v1 EndpointSlice
networking.k8s.io/v1 Ingress IngressClass NetworkPolicy
rbac.authorization.k8s.io/v1 Role RoleBinding ClusterRole ClusterRoleBinding
coordination.k8s.io/v1 Lease
events.k8s.io/v1 Event
storage.k8s.io/v1 StorageClass VolumeAttachment CSIDriver CSINode
autoscaling/v1 HorizontalPodAutoscaler Scale
autoscaling/v2 HorizontalPodAutoscaler
policy/v1 PodDisruptionBudget Eviction
scheduling.k8s.io/v1 PriorityClass
node.k8s.io/v1 RuntimeClass
apiextensions.k8s.io/v1 CustomResourceDefinition
admissionregistration.k8s.io/v1 ValidatingAdmissionPolicy ValidatingAdmissionPolicyBinding
admissionregistration.k8s.io/v1 MutatingAdmissionPolicy MutatingAdmissionPolicyBinding
admissionregistration.k8s.io/v1 MutatingWebhookConfiguration ValidatingWebhookConfiguration
apiregistration.k8s.io/v1 APIService
certificates.k8s.io/v1 CertificateSigningRequest
flowcontrol.apiserver.k8s.io/v1 FlowSchema PriorityLevelConfiguration
networking.k8s.io/v1 IPAddress ServiceCIDR
resource.k8s.io/v1 DeviceClass ResourceClaim ResourceClaimTemplate ResourceSlice
storage.k8s.io/v1 CSIStorageCapacity VolumeAttributesClass
"""

# "required" in the published schema that the API server does not enforce on write: the field has
# a default, or its zero value passes validation.
NOT_ENFORCED = {
    ("EndpointSlice", "endpoints"), ("LimitRangeSpec", "limits"), ("ControllerRevision", "revision"),
    ("CustomResourceDefinitionSpec", "names"), ("NamespaceCondition", "type"), ("Event", "metadata"),
    ("StatefulSetSpec", "serviceName"), ("CSINodeSpec", "drivers"), ("HTTPHeader", "value"), ("Sysctl", "value"),
}

SCALARS = {
    "Quantity": "quantity", "IntOrString": "int-or-string", "Time": "time", "MicroTime": "time",
    "FieldsV1": "any", "RawExtension": "any", "JSON": "any", "JSONSchemaProps": "any",
    "JSONSchemaPropsOrBool": "any", "JSONSchemaPropsOrArray": "any", "Patch": "any",
}


def first(types):
    if isinstance(types, list):
        types = [one for one in types if one != "null"]
        return types[0] if types else "null"
    return types


class Kubernetes:
    def __init__(self, definitions):
        self.definitions = definitions
        self.types = {}

    def name(self, ref):
        parts = ref.removeprefix("#/$defs/").split(".")
        return ".".join(parts[-3:])

    def shape(self, schema):
        if "$ref" in schema:
            ref = schema["$ref"]
            last = ref.split(".")[-1]
            if last in SCALARS:
                return SCALARS[last]
            target = self.definitions[ref.removeprefix("#/$defs/")]
            if "properties" not in target:
                return self.shape(target) if "type" in target else "any"
            self.add(ref.removeprefix("#/$defs/"))
            return self.name(ref)
        kind, form = first(schema.get("type")), schema.get("format")
        if kind == "array":
            return "[]" + self.shape(schema["items"])
        if kind == "object":
            inner = schema.get("additionalProperties")
            return "{}" + self.shape(inner) if isinstance(inner, dict) else "object"
        if kind == "string":
            return {"byte": "bytes", "date-time": "time"}.get(form, "string")
        if kind == "integer":
            return "int32" if form == "int32" else "int64"
        return {"boolean": "bool", "number": "float"}.get(kind, "any")

    def add(self, full):
        name = self.name(full)
        if name in self.types:
            return
        self.types[name] = []
        schema = self.definitions[full]
        required = set(schema.get("required", []))
        short = full.split(".")[-1]
        lines = []
        for field, inner in sorted(schema["properties"].items()):
            shape = self.shape(inner)
            # False is a fine truth value: its absence is never refused.
            is_enforced = field in required and (short, field) not in NOT_ENFORCED and shape != "bool"
            words = [("!" if is_enforced else "") + field, shape]
            strategy = inner.get("x-kubernetes-patch-strategy")
            if strategy:
                words.append("strategy=" + strategy)
            if inner.get("x-kubernetes-patch-merge-key"):
                words.append("merge=" + inner["x-kubernetes-patch-merge-key"])
            if inner.get("x-kubernetes-list-type"):
                words.append("list=" + inner["x-kubernetes-list-type"])
            if inner.get("x-kubernetes-list-map-keys"):
                words.append("keys=" + ",".join(inner["x-kubernetes-list-map-keys"]))
            target = self.definitions.get(inner.get("$ref", "").removeprefix("#/$defs/"), {})
            if (inner.get("x-kubernetes-map-type") or target.get("x-kubernetes-map-type")) == "atomic":
                words.append("map=atomic")
            lines.append(" ".join(words))
        self.types[name] = lines

    def write(self):
        wanted = set()
        for line in KINDS.split("\n"):
            version, *kinds = line.split() or [""]
            wanted |= {(version, kind) for kind in kinds}
        known, other = [], set()
        for full, schema in sorted(self.definitions.items()):
            gvks = schema.get("x-kubernetes-group-version-kind", [])
            if len(gvks) != 1:
                continue
            gvk = gvks[0]
            version = "/".join(filter(None, [gvk["group"], gvk["version"]]))
            if (version, gvk["kind"]) in wanted:
                wanted.discard((version, gvk["kind"]))
                self.add(full)
                known.append(f"kind {version} {gvk['kind']} {self.name(full)}")
            elif not gvk["kind"].endswith("List"):
                other.add(f"other {version} {gvk['kind']}")
        if wanted:
            sys.exit(f"not in the schema: {sorted(wanted)}")
        out = known + sorted(other)
        for name, lines in sorted(self.types.items()):
            out += ["@ " + name] + lines
        return "\n".join(out) + "\n"


class JsonSchema:
    """Compose and stack files: plain JSON schema with unions and pattern properties."""

    def __init__(self, schema, has_durations):
        self.schema = schema
        self.has_durations = has_durations
        self.types = {}

    def shape(self, schema, name):
        if "$ref" in schema:
            target = schema["$ref"].split("/")[-1]
            return self.shape(self.schema["definitions"][target], target)
        for union in ("oneOf", "anyOf"):
            if union in schema:
                return "|".join(self.shape(one, name) for one in schema[union])
        kinds = schema.get("type")
        if kinds is None:
            return "any"
        kinds = kinds if isinstance(kinds, list) else [kinds]
        return "/".join(self.one(kind, schema, name) for kind in kinds)

    def one(self, kind, schema, name):
        if kind == "array":
            inner = self.shape(schema["items"], name) if "items" in schema else "any"
            return "[]" + (f"({inner})" if "|" in inner or "/" in inner else inner)
        if kind == "object":
            return self.object(schema, name)
        if kind == "string":
            if "enum" in schema:
                return "enum(" + ",".join(schema["enum"]) + ")"
            return "duration" if schema.get("format") == "duration" and self.has_durations else "string"
        return {"integer": "int", "number": "number", "boolean": "bool", "null": "null"}[kind]

    def object(self, schema, name):
        patterns = {key: value for key, value in schema.get("patternProperties", {}).items() if key != "^x-"}
        if "properties" not in schema:
            extra = schema.get("additionalProperties")
            if patterns:
                (pattern, inner), = patterns.items()
                is_strict = extra is False and pattern not in ("^.+$", ".+")
                inner = self.shape(inner, name + ".item")
                return ("~{}" if is_strict else "{}") + (f"({inner})" if "|" in inner or "/" in inner else inner)
            if isinstance(extra, dict):
                inner = self.shape(extra, name + ".item")
                return "{}" + (f"({inner})" if "|" in inner or "/" in inner else inner)
            return "object"
        if name not in self.types:
            self.types[name] = None
            flags = ""
            if schema.get("additionalProperties", True) is not False:
                flags += " open"
            if "^x-" in schema.get("patternProperties", {}):
                flags += " x-"
            lines = []
            required = set(schema.get("required", []))
            for field, inner in sorted(schema["properties"].items()):
                inner_name = f"{name}.{field}" if name != "file" else field
                lines.append(("!" if field in required else "") + field + " " + self.shape(inner, inner_name))
            self.types[name] = (flags, lines)
        return name

    def write(self):
        self.shape(self.schema, "file")
        out = []
        for name, (flags, lines) in sorted(self.types.items()):
            out += [f"@ {name}{flags}"] + lines
        return "\n".join(out) + "\n"


def main():
    kubernetes, compose, stack = (json.loads(pathlib.Path(path).read_text()) for path in sys.argv[1:4])
    header = "# Generated by generate.py; see README.md. Do not edit.\n"
    (HERE / "kubernetes.txt").write_text(header + Kubernetes(kubernetes["$defs"]).write())
    (HERE / "compose.txt").write_text(header + JsonSchema(compose, False).write())
    (HERE / "stack.txt").write_text(header + JsonSchema(stack, True).write())


main()
