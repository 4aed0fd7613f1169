//! Commands below verbs: where a mistake in flags sends to the help of, e.g. `kubectl set env --help`.

/// What stands below a command. Source: `k8s.io/kubectl/pkg/cmd`.
const BELOW: [(&str, &str); 10] = [
    (
        "apply",
        "edit-last-applied set-last-applied view-last-applied",
    ),
    ("auth", "can-i reconcile whoami"),
    ("certificate", "approve deny"),
    (
        "config",
        "current-context delete-cluster delete-context delete-user get-clusters get-contexts get-users rename-context set set-cluster set-context set-credentials unset use-context view",
    ),
    (
        "create",
        "clusterrole clusterrolebinding configmap cronjob deployment ingress job namespace poddisruptionbudget priorityclass quota role rolebinding secret service serviceaccount token",
    ),
    ("rollout", "history pause restart resume status undo"),
    ("secret", "docker-registry generic tls"),
    ("service", "clusterip externalname loadbalancer nodeport"),
    ("set", "env image resources selector serviceaccount subject"),
    ("top", "node pod"),
];

/// A command by its own name.
pub fn plain(word: &str) -> &str {
    match word {
        "cj" => "cronjob",
        "cm" => "configmap",
        "deploy" | "dep" => "deployment",
        "ing" => "ingress",
        "no" | "nodes" => "node",
        "ns" => "namespace",
        "pc" => "priorityclass",
        "pdb" => "poddisruptionbudget",
        "po" | "pods" => "pod",
        "resourcequota" => "quota",
        "sa" => "serviceaccount",
        "svc" => "service",
        other => other,
    }
}

/// The command that words begin, e.g. `create secret tls`.
pub fn path(verb: &str, words: &[String]) -> String {
    let mut path = verb.to_owned();
    let mut last = verb;
    for word in words.iter().filter(|word| !word.starts_with('-')) {
        let word = plain(word);
        let below = BELOW.iter().find(|(command, _)| *command == last);
        if !below.is_some_and(|(_, known)| known.split(' ').any(|one| one == word)) {
            break;
        }
        path.push(' ');
        path.push_str(word);
        last = word;
    }
    path
}
