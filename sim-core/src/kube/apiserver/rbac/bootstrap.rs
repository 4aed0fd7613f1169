//! Roles and bindings that a fresh cluster has.
//! Sources: `plugin/pkg/auth/authorizer/rbac/bootstrappolicy/{policy,controller_policy}.go`, kubeadm
//! `cmd/kubeadm/app/phases/{kubeconfig,bootstraptoken}`.
//!
//! Not modelled: roles in namespaces, and that API servers put these right when they start.

use crate::kube::render::object;
use crate::manifest::value::Value;

use super::aggregation;

/// A role a line, `>name` with the letter of the role that it is part of; controllers' without
/// `system:controller:`. Below it its rules: groups (`-`: the first, `/`: paths), resources, verbs by
/// their letters (`D`: deletecollection, `e`: escalate) or a word, names. `E`: what writes events.
const ROLES: &str = "\
>system:aggregate-to-admin a
authorization.k8s.io localsubjectaccessreviews c
rbac.authorization.k8s.io rolebindings,roles cdDglpuw
>system:aggregate-to-edit e
- pods/attach,pods/exec,pods/portforward,pods/proxy,secrets,services/proxy glw
- serviceaccounts =impersonate
- pods,pods/attach,pods/exec,pods/portforward,pods/proxy cdDpu
- pods/eviction c
- configmaps,events,persistentvolumeclaims,replicationcontrollers,replicationcontrollers/scale,secrets,serviceaccounts,services,services/proxy cdDpu
- serviceaccounts/token c
apps daemonsets,deployments,deployments/rollback,deployments/scale,replicasets,replicasets/scale,statefulsets,statefulsets/scale cdDpu
autoscaling horizontalpodautoscalers cdDpu
batch cronjobs,jobs cdDpu
extensions daemonsets,deployments,deployments/rollback,deployments/scale,ingresses,networkpolicies,replicasets,replicasets/scale,replicationcontrollers/scale cdDpu
policy poddisruptionbudgets cdDpu
networking.k8s.io ingresses,networkpolicies cdDpu
coordination.k8s.io leases cdDglpuw
>system:aggregate-to-view v
- configmaps,endpoints,persistentvolumeclaims,persistentvolumeclaims/status,pods,replicationcontrollers,replicationcontrollers/scale,serviceaccounts,services,services/status glw
- bindings,events,limitranges,namespaces/status,pods/log,pods/status,replicationcontrollers/status,resourcequotas,resourcequotas/status glw
- namespaces glw
discovery.k8s.io endpointslices glw
apps controllerrevisions,daemonsets,daemonsets/status,deployments,deployments/scale,deployments/status,replicasets,replicasets/scale,replicasets/status,statefulsets,statefulsets/scale,statefulsets/status glw
autoscaling horizontalpodautoscalers,horizontalpodautoscalers/status glw
batch cronjobs,cronjobs/status,jobs,jobs/status glw
extensions daemonsets,daemonsets/status,deployments,deployments/scale,deployments/status,ingresses,ingresses/status,networkpolicies,replicasets,replicasets/scale,replicasets/status,replicationcontrollers/scale glw
policy poddisruptionbudgets,poddisruptionbudgets/status glw
networking.k8s.io ingresses,ingresses/status,networkpolicies glw
>system:auth-delegator
authentication.k8s.io tokenreviews c
authorization.k8s.io subjectaccessreviews c
>system:basic-user
authorization.k8s.io selfsubjectaccessreviews,selfsubjectrulesreviews c
authentication.k8s.io selfsubjectreviews c
>system:certificates.k8s.io:certificatesigningrequests:nodeclient
certificates.k8s.io certificatesigningrequests/nodeclient c
>system:certificates.k8s.io:certificatesigningrequests:selfnodeclient
certificates.k8s.io certificatesigningrequests/selfnodeclient c
>system:certificates.k8s.io:kube-apiserver-client-approver
certificates.k8s.io signers =approve kubernetes.io/kube-apiserver-client
>system:certificates.k8s.io:kube-apiserver-client-kubelet-approver
certificates.k8s.io signers =approve kubernetes.io/kube-apiserver-client-kubelet
>system:certificates.k8s.io:kubelet-serving-approver
certificates.k8s.io signers =approve kubernetes.io/kubelet-serving
>system:certificates.k8s.io:legacy-unknown-approver
certificates.k8s.io signers =approve kubernetes.io/legacy-unknown
>system:discovery
/ /api,/api/*,/apis,/apis/*,/healthz,/livez,/openapi,/openapi/*,/readyz,/version,/version/ g
>system:heapster
- events,namespaces,nodes,pods glw
extensions deployments glw
>system:kube-aggregator
- endpoints,services glw
>system:kube-controller-manager
E
coordination.k8s.io leases c
coordination.k8s.io leases gu kube-controller-manager
- secrets,serviceaccounts c
- secrets d
- configmaps,namespaces,secrets,serviceaccounts g
- secrets,serviceaccounts u
authentication.k8s.io tokenreviews c
authorization.k8s.io subjectaccessreviews c
* * lw
- serviceaccounts/token c
>system:kube-dns
- endpoints,services lw
>system:kube-scheduler
E
coordination.k8s.io leases c
coordination.k8s.io leases gluw kube-scheduler
coordination.k8s.io leasecandidates cdDglpuw
- nodes glw
- pods dglw
- bindings,pods/binding c
- pods/status pu
- replicationcontrollers,services glw
apps,extensions replicasets glw
apps statefulsets glw
policy poddisruptionbudgets glw
- persistentvolumeclaims,persistentvolumes glw
authentication.k8s.io tokenreviews c
authorization.k8s.io subjectaccessreviews c
storage.k8s.io csinodes glw
storage.k8s.io volumeattachments glw
- namespaces glw
storage.k8s.io csidrivers glw
storage.k8s.io csistoragecapacities glw
resource.k8s.io deviceclasses glw
resource.k8s.io resourceclaims glpuw
resource.k8s.io resourceclaims/status glpuw
- pods/finalizers glpuw
resource.k8s.io resourceslices glw
>system:kubelet-api-admin
- nodes glw
- nodes =proxy
- nodes/log,nodes/metrics,nodes/proxy,nodes/stats *
>system:monitoring
/ /healthz,/healthz/*,/livez,/livez/*,/metrics,/metrics/slis,/readyz,/readyz/* g
>system:node
authentication.k8s.io tokenreviews c
authorization.k8s.io localsubjectaccessreviews,subjectaccessreviews c
- services glw
- nodes cglw
- nodes/status pu
- nodes pu
- events cpu
- pods glw
- pods cd
- pods/status pu
- pods/eviction c
- configmaps,secrets glw
- persistentvolumeclaims,persistentvolumes g
- endpoints g
certificates.k8s.io certificatesigningrequests cglw
coordination.k8s.io leases cdgpu
storage.k8s.io volumeattachments g
- serviceaccounts/token c
- persistentvolumeclaims/status gpu
storage.k8s.io csidrivers glw
storage.k8s.io csinodes cdgpu
node.k8s.io runtimeclasses glw
resource.k8s.io resourceclaims g
resource.k8s.io resourceslices D
>system:node-bootstrapper
certificates.k8s.io certificatesigningrequests cglw
>system:node-problem-detector
- nodes g
- nodes/status p
E
>system:node-proxier
- endpoints,services lw
- nodes glw
E
discovery.k8s.io endpointslices lw
networking.k8s.io servicecidrs lw
>system:persistent-volume-provisioner
- persistentvolumes cdglw
- persistentvolumeclaims gluw
storage.k8s.io storageclasses glw
- events w
E
>system:public-info-viewer
/ /healthz,/livez,/readyz,/version,/version/ g
>system:service-account-issuer-discovery
/ /.well-known/openid-configuration,/.well-known/openid-configuration/,/openid/v1/jwks,/openid/v1/jwks/ g
>system:volume-scheduler
- persistentvolumes glpuw
storage.k8s.io storageclasses glw
- persistentvolumeclaims glpuw
>attachdetach-controller
- persistentvolumeclaims,persistentvolumes lw
- nodes glw
- nodes/status pu
- pods lw
E
storage.k8s.io volumeattachments cdglw
storage.k8s.io csidrivers glw
storage.k8s.io csinodes glw
>certificate-controller
certificates.k8s.io certificatesigningrequests dglw
certificates.k8s.io certificatesigningrequests/approval,certificatesigningrequests/status u
certificates.k8s.io signers =approve kubernetes.io/kube-apiserver-client-kubelet
certificates.k8s.io signers =sign kubernetes.io/kube-apiserver-client,kubernetes.io/kube-apiserver-client-kubelet,kubernetes.io/kubelet-serving,kubernetes.io/legacy-unknown
authorization.k8s.io subjectaccessreviews c
E
>clusterrole-aggregation-controller
rbac.authorization.k8s.io clusterroles eglpuw
>cronjob-controller
batch cronjobs gluw
batch jobs cdglpuw
batch cronjobs/status u
batch cronjobs/finalizers u
- pods dlw
E
>daemon-set-controller
apps,extensions daemonsets glw
apps,extensions daemonsets/status u
apps,extensions daemonsets/finalizers u
- nodes lw
- pods cdlpw
- pods/binding c
apps controllerrevisions cdglpuw
E
>deployment-controller
apps,extensions deployments gluw
apps,extensions deployments/status u
apps,extensions deployments/finalizers u
apps,extensions replicasets cdglpuw
- pods gluw
E
>disruption-controller
apps,extensions deployments glw
apps,extensions replicasets glw
- replicationcontrollers glw
policy poddisruptionbudgets glw
apps statefulsets glw
policy poddisruptionbudgets/status u
- pods/status pu
* */scale g
E
>endpoint-controller
- pods,services glw
- endpoints cdgluw
- endpoints/restricted c
E
>endpointslice-controller
- nodes,pods,services glw
- services/finalizers u
discovery.k8s.io endpointslices cdgluw
E
>endpointslicemirroring-controller
- endpoints,services glw
- services/finalizers u
- endpoints/finalizers u
discovery.k8s.io endpointslices cdgluw
E
>ephemeral-volume-controller
- pods glw
- pods/finalizers u
- persistentvolumeclaims cglw
E
>expand-controller
- persistentvolumes glpuw
- persistentvolumeclaims/status pu
- persistentvolumeclaims glw
E
>generic-garbage-collector
* * dglpuw
E
>horizontal-pod-autoscaler
autoscaling horizontalpodautoscalers glw
autoscaling horizontalpodautoscalers/status u
* */scale gu
- pods lw
metrics.k8s.io pods lw
custom.metrics.k8s.io * glw
external.metrics.k8s.io * glw
E
>job-controller
batch jobs glpuw
batch jobs/status u
batch jobs/finalizers u
- pods cdlpw
E
>legacy-service-account-token-cleaner
- configmaps g kube-apiserver-legacy-service-account-token-tracking
- secrets dp
>namespace-controller
- namespaces dglw
- namespaces/finalize,namespaces/status u
* * dDglw
>node-controller
- nodes dglpuw
- nodes/status pu
- pods/status pu
- pods dglw
E
>persistent-volume-binder
- persistentvolumes cdgluw
- persistentvolumes/status u
- persistentvolumeclaims gluw
- persistentvolumeclaims/status u
- pods cdglw
storage.k8s.io storageclasses glw
- nodes lw
E
- events w
>pod-garbage-collector
- pods dlw
- nodes glw
- pods/status p
>pv-protection-controller
- persistentvolumes gluw
E
>pvc-protection-controller
- persistentvolumeclaims gluw
- persistentvolumeclaims/status u
- pods glw
E
>replicaset-controller
apps,extensions replicasets gluw
apps,extensions replicasets/status u
apps,extensions replicasets/finalizers u
- pods cdlpw
E
>replication-controller
- replicationcontrollers gluw
- replicationcontrollers/status u
- replicationcontrollers/finalizers u
- pods cdlpw
E
>resource-claim-controller
- pods glw
- pods/finalizers u
resource.k8s.io resourceclaims cdglw
resource.k8s.io resourceclaims,resourceclaims/status pu
- pods/status pu
E
resource.k8s.io resourceclaims/binding pu
>resourcequota-controller
* * lw
- resourcequotas/status u
E
>root-ca-cert-publisher
- configmaps cu
E
>route-controller
- nodes lw
- nodes/status p
E
>selinux-warning-controller
E
- persistentvolumes glw
- persistentvolumeclaims glw
- pods glw
storage.k8s.io csidrivers glw
>service-account-controller
- serviceaccounts c
E
>service-cidrs-controller
networking.k8s.io servicecidrs glpuw
networking.k8s.io servicecidrs/finalizers pu
networking.k8s.io servicecidrs/status pu
networking.k8s.io ipaddresses glw
E
>service-controller
- services glw
- services/status pu
- nodes lw
E
>statefulset-controller
- pods lw
apps statefulsets glw
apps statefulsets/status u
apps statefulsets/finalizers u
- pods cdgpu
apps controllerrevisions cdglpuw
- persistentvolumeclaims cglw
- persistentvolumeclaims du
- pods/finalizers u
E
>ttl-after-finished-controller
batch jobs dglw
E
>ttl-controller
- nodes lpuw
E
>validatingadmissionpolicy-status-controller
admissionregistration.k8s.io validatingadmissionpolicies glw
admissionregistration.k8s.io validatingadmissionpolicies/status gpu
E
>volumeattributesclass-protection-controller
- persistentvolumeclaims glw
- persistentvolumes glw
storage.k8s.io volumeattributesclasses gluw
E
";

/// Who has which of them: role, then users, groups (`%`) and the accounts of `kube-system` (`@`).
const BINDINGS: &str = "\
cluster-admin %system:masters
system:basic-user %system:authenticated
system:discovery %system:authenticated
system:kube-controller-manager system:kube-controller-manager
system:kube-dns @kube-dns
system:kube-scheduler system:kube-scheduler
system:monitoring %system:monitoring
system:node
system:node-proxier system:kube-proxy
system:public-info-viewer %system:authenticated %system:unauthenticated
system:service-account-issuer-discovery %system:serviceaccounts
system:volume-scheduler system:kube-scheduler
";

/// Verbs by their letters.
const VERBS: [(char, &str); 10] = [
    ('c', "create"),
    ('d', "delete"),
    ('D', "deletecollection"),
    ('e', "escalate"),
    ('g', "get"),
    ('l', "list"),
    ('p', "patch"),
    ('u', "update"),
    ('w', "watch"),
    ('*', "*"),
];

/// The group of roles.
const GROUP: &str = "rbac.authorization.k8s.io";

fn list(text: &str) -> Value {
    let one = |word| Value::from(if word == "-" { "" } else { word });
    Value::list(text.split(',').map(one).collect())
}

fn rule(line: &str) -> Value {
    let line = if line == "E" {
        "-,events.k8s.io events cpu"
    } else {
        line
    };
    let mut parts = line.split(' ');
    let mut next = || parts.next().unwrap_or("");
    let (groups, resources, verbs, names) = (next(), next(), next(), next());
    let verbs = match verbs.strip_prefix('=') {
        Some(word) => list(word),
        None => {
            let word = |letter| VERBS.iter().find(|(known, _)| *known == letter);
            let words = verbs.chars().filter_map(word);
            Value::list(words.map(|(_, word)| Value::from(*word)).collect())
        }
    };
    if groups == "/" {
        return object([("nonResourceURLs", list(resources)), ("verbs", verbs)]);
    }
    let mut rule = object([
        ("apiGroups", list(groups)),
        ("resources", list(resources)),
        ("verbs", verbs),
    ]);
    if !names.is_empty() {
        rule.set("resourceNames", list(names));
    }
    rule
}

fn named(kind: &'static str, name: &str) -> Value {
    let mut value = object([
        ("apiVersion", "rbac.authorization.k8s.io/v1".into()),
        ("kind", kind.into()),
    ]);
    let annotations = [
        "metadata",
        "annotations",
        "rbac.authorization.kubernetes.io/autoupdate",
    ];
    value.set_path(&annotations, "true".into());
    let labels = ["metadata", "labels", "kubernetes.io/bootstrapping"];
    value.set_path(&labels, "rbac-defaults".into());
    value.set_path(&["metadata", "name"], name.into());
    value
}

/// `rbac.authorization.k8s.io/aggregate-to-…`.
fn part_of(role: &str) -> String {
    format!("{GROUP}/aggregate-to-{role}")
}

fn is_controller(name: &str) -> bool {
    !name.starts_with("system:")
}

fn full_name(name: &str) -> String {
    let prefix = if is_controller(name) {
        "system:controller:"
    } else {
        ""
    };
    format!("{prefix}{name}")
}

/// The ClusterRoles.
pub fn roles() -> Vec<Value> {
    let mut all = Vec::new();
    for text in ROLES.split('>').skip(1) {
        let mut lines = text.lines();
        let (name, letter) = lines
            .next()
            .and_then(|head| head.split_once(' '))
            .map_or((text.lines().next().unwrap_or(""), ""), |found| found);
        let mut role = named("ClusterRole", &full_name(name));
        let of = ["admin", "edit", "view"];
        if let Some(of) = of
            .iter()
            .find(|of| !letter.is_empty() && of.starts_with(letter))
        {
            role.set_path(&["metadata", "labels", &part_of(of)], "true".into());
        }
        role.set("rules", Value::list(lines.map(rule).collect()));
        all.push(role);
    }
    for (name, of) in [("view", "edit"), ("edit", "admin"), ("admin", "")] {
        let mut role = named("ClusterRole", name);
        if !of.is_empty() {
            role.set_path(&["metadata", "labels", &part_of(of)], "true".into());
        }
        let mut selector = Value::map();
        selector.set_path(&["matchLabels", &part_of(name)], "true".into());
        let path = ["aggregationRule", "clusterRoleSelectors"];
        role.set_path(&path, Value::list(vec![selector]));
        let known: Vec<&Value> = all.iter().collect();
        let rules = aggregation::rules(&role, &known);
        role.set("rules", Value::list(rules));
        all.push(role);
    }
    let mut role = named("ClusterRole", "cluster-admin");
    let everything = Value::list(vec![rule("* * *"), rule("/ * *")]);
    role.set("rules", everything);
    all.push(role);
    all
}

fn subject(word: &str) -> Value {
    let (kind, name) = match (word.strip_prefix('%'), word.strip_prefix('@')) {
        (Some(group), _) => ("Group", group),
        (_, Some(account)) => {
            return object([
                ("kind", "ServiceAccount".into()),
                ("name", account.into()),
                ("namespace", "kube-system".into()),
            ]);
        }
        _ => ("User", word),
    };
    object([
        ("apiGroup", GROUP.into()),
        ("kind", kind.into()),
        ("name", name.into()),
    ])
}

fn bind(binding: &mut Value, role: &str, subjects: Vec<Value>) {
    let role = object([
        ("apiGroup", GROUP.into()),
        ("kind", "ClusterRole".into()),
        ("name", role.into()),
    ]);
    binding.set("roleRef", role);
    if !subjects.is_empty() {
        binding.set("subjects", Value::list(subjects));
    }
}

/// The ClusterRoleBindings.
pub fn bindings() -> Vec<Value> {
    let mut all = Vec::new();
    for line in BINDINGS.lines() {
        let mut words = line.split(' ');
        let name = words.next().unwrap_or("");
        let mut binding = named("ClusterRoleBinding", name);
        bind(&mut binding, name, words.map(subject).collect());
        all.push(binding);
    }
    let names = ROLES
        .split('>')
        .skip(1)
        .filter_map(|text| text.lines().next());
    for name in names.filter(|name| is_controller(name)) {
        let full = full_name(name);
        let mut binding = named("ClusterRoleBinding", &full);
        bind(&mut binding, &full, vec![subject(&format!("@{name}"))]);
        all.push(binding);
    }
    let mut own = named("ClusterRoleBinding", "kubeadm:cluster-admins");
    own.remove_path(&["metadata", "annotations"]);
    own.remove_path(&["metadata", "labels"]);
    let group = subject("%kubeadm:cluster-admins");
    bind(&mut own, "cluster-admin", vec![group]);
    all.push(own);
    all
}
