//! LimitRanges. Source: `plugin/pkg/admission/limitranger/admission.go`.

use crate::base::quantity::Quantity;
use crate::base::sorted::SortedMap;
use crate::kube::turn::Turn;
use crate::manifest::value::Value;

/// Amounts by resource.
type Amounts = SortedMap<String, Quantity>;

/// Annotation that tells what was filled in.
const ANNOTATION: &str = "kubernetes.io/limit-ranger";

fn ranges(namespace: &str, turn: &Turn<'_, '_>) -> Vec<Value> {
    let found = turn
        .store
        .documents()
        .of("limitranges")
        .filter(|(key, _)| &*key.namespace == namespace);
    found
        .flat_map(|(_, document)| list(&document.value, &["spec", "limits"]).to_vec())
        .collect()
}

fn list<'v>(value: &'v Value, path: &[&str]) -> &'v [Value] {
    value.path(path).and_then(Value::as_list).unwrap_or(&[])
}

fn amounts(value: Option<&Value>) -> Amounts {
    let map = value.and_then(Value::as_map);
    map.unwrap_or_default()
        .iter()
        .filter_map(|(name, amount)| {
            let text = match amount {
                Value::String(text) => text.to_string(),
                Value::Int(number) => number.to_string(),
                Value::Number(text) => text.to_string(),
                _ => return None,
            };
            Some((name.to_string(), Quantity::parse(&text).ok()?))
        })
        .collect()
}

/// Merges the defaults of the namespace into a pod's containers: only what is missing.
pub fn fill(namespace: &str, pod: &mut Value, turn: &Turn<'_, '_>) {
    let mut defaults = [Value::map(), Value::map()];
    for range in ranges(namespace, turn) {
        if range.str_at(&["type"]) != Some("Container") {
            continue;
        }
        for (at, field) in ["defaultRequest", "default"].iter().enumerate() {
            let map = range.get(field).and_then(Value::as_map);
            for (name, amount) in map.unwrap_or_default().iter() {
                if defaults[at].get(name).is_none() {
                    defaults[at].set(name, amount.clone());
                }
            }
        }
    }
    let mut notes = Vec::new();
    for (field, word) in [
        ("containers", "container"),
        ("initContainers", "init container"),
    ] {
        let containers = pod.path_mut(&["spec", field]).and_then(Value::as_list_mut);
        for container in containers.into_iter().flatten() {
            let name = container.str_at(&["name"]).unwrap_or("").to_owned();
            for (at, (field, kind)) in [("requests", "request"), ("limits", "limit")]
                .iter()
                .enumerate()
            {
                let mut set = Vec::new();
                let wanted = defaults[at].as_map();
                for (resource, amount) in wanted.map(|map| map.sorted()).unwrap_or_default() {
                    let path = ["resources", field, resource];
                    if container.path(&path).is_none() {
                        container.set_path(&path, amount.clone());
                        set.push(resource.to_string());
                    }
                }
                if !set.is_empty() {
                    notes.push(format!("{} {kind} for {word} {name}", set.join(", ")));
                }
            }
        }
    }
    if !notes.is_empty() {
        let text = format!("LimitRanger plugin set: {}", notes.join("; "));
        pod.set_path(&["metadata", "annotations", ANNOTATION], text.into());
    }
}

/// Whether a pod is within the limits of its namespace.
///
/// # Errors
/// All violations.
pub fn check_pod(namespace: &str, pod: &Value, turn: &Turn<'_, '_>) -> Result<(), String> {
    let mut faults = Vec::new();
    for range in ranges(namespace, turn) {
        match range.str_at(&["type"]) {
            Some("Container") => {
                for field in ["containers", "initContainers"] {
                    for container in list(pod, &["spec", field]) {
                        let (requests, limits) = of(container);
                        check(&range, "Container", &requests, &limits, &mut faults);
                    }
                }
            }
            Some("Pod") => {
                let (requests, limits) = sums(pod);
                check(&range, "Pod", &requests, &limits, &mut faults);
            }
            _ => {}
        }
    }
    joined(faults)
}

/// Whether a claim is.
///
/// # Errors
/// All violations.
pub fn check_claim(namespace: &str, claim: &Value, turn: &Turn<'_, '_>) -> Result<(), String> {
    let mut faults = Vec::new();
    let requests = amounts(claim.path(&["spec", "resources", "requests"]));
    for range in ranges(namespace, turn) {
        if range.str_at(&["type"]) != Some("PersistentVolumeClaim") {
            continue;
        }
        for (resource, least) in amounts(range.get("min")) {
            minimum(
                &resource,
                &least,
                "PersistentVolumeClaim",
                requests.get(&resource),
                None,
                &mut faults,
            );
        }
        for (resource, most) in amounts(range.get("max")) {
            let word = format!(
                "maximum {resource} usage per PersistentVolumeClaim is {}",
                most.canonical()
            );
            match requests.get(&resource) {
                None => faults.push(format!("{word}.  No request is specified")),
                Some(request) if above(request, &most) => {
                    faults.push(format!("{word}, but request is {}", request.canonical()))
                }
                Some(_) => {}
            }
        }
    }
    joined(faults)
}

fn joined(faults: Vec<String>) -> Result<(), String> {
    match faults.as_slice() {
        [] => Ok(()),
        [one] => Err(one.clone()),
        many => Err(format!("[{}]", many.join(", "))),
    }
}

fn of(container: &Value) -> (Amounts, Amounts) {
    (
        amounts(container.path(&["resources", "requests"])),
        amounts(container.path(&["resources", "limits"])),
    )
}

/// What a pod asks for and may use: containers and sidecars together, or an init container with the
/// sidecars before it, whichever is more; what the pod as a whole states stands for all of them.
/// Source: `plugin/pkg/admission/limitranger/admission.go` (`podRequests`, `podLimits`).
fn sums(pod: &Value) -> (Amounts, Amounts) {
    let mut total = (Amounts::new(), Amounts::new());
    for container in list(pod, &["spec", "containers"]) {
        let (requests, limits) = of(container);
        add(&mut total.0, &requests);
        add(&mut total.1, &limits);
    }
    let mut sidecars = (Amounts::new(), Amounts::new());
    let mut peak = (Amounts::new(), Amounts::new());
    for container in list(pod, &["spec", "initContainers"]) {
        let own = of(container);
        let mut together = sidecars.clone();
        add(&mut together.0, &own.0);
        add(&mut together.1, &own.1);
        if container.str_at(&["restartPolicy"]) == Some("Always") {
            sidecars = together.clone();
        }
        raise(&mut peak.0, &together.0);
        raise(&mut peak.1, &together.1);
    }
    add(&mut total.0, &sidecars.0);
    add(&mut total.1, &sidecars.1);
    raise(&mut total.0, &peak.0);
    raise(&mut total.1, &peak.1);
    for (sum, key) in [(&mut total.0, "requests"), (&mut total.1, "limits")] {
        for (name, amount) in amounts(pod.path(&["spec", "resources", key])) {
            if matches!(&*name, "cpu" | "memory") || name.starts_with("hugepages-") {
                sum.insert(name, amount);
            }
        }
    }
    total
}

fn add(sum: &mut Amounts, more: &Amounts) {
    for (name, amount) in more {
        match sum.get_mut(name) {
            Some(there) => there.add(amount),
            None => drop(sum.insert(name.clone(), amount.clone())),
        }
    }
}

fn raise(sum: &mut Amounts, other: &Amounts) {
    for (name, amount) in other {
        if sum.get(name).is_none_or(|there| above(amount, there)) {
            sum.insert(name.clone(), amount.clone());
        }
    }
}

fn above(one: &Quantity, two: &Quantity) -> bool {
    one > two
}

fn minimum(
    resource: &str,
    least: &Quantity,
    kind: &str,
    request: Option<&Quantity>,
    limit: Option<&Quantity>,
    faults: &mut Vec<String>,
) {
    let word = format!(
        "minimum {resource} usage per {kind} is {}",
        least.canonical()
    );
    match (request, limit) {
        (None, _) => faults.push(format!("{word}.  No request is specified")),
        (Some(request), _) if above(least, request) => {
            faults.push(format!("{word}, but request is {}", request.canonical()));
        }
        (_, Some(limit)) if above(least, limit) => {
            faults.push(format!("{word}, but limit is {}", limit.canonical()));
        }
        _ => {}
    }
}

fn check(
    range: &Value,
    kind: &str,
    requests: &Amounts,
    limits: &Amounts,
    faults: &mut Vec<String>,
) {
    for (resource, least) in amounts(range.get("min")) {
        minimum(
            &resource,
            &least,
            kind,
            requests.get(&resource),
            limits.get(&resource),
            faults,
        );
    }
    for (resource, most) in amounts(range.get("max")) {
        let word = format!(
            "maximum {resource} usage per {kind} is {}",
            most.canonical()
        );
        match (limits.get(&resource), requests.get(&resource)) {
            (None, _) => faults.push(format!("{word}.  No limit is specified")),
            (Some(limit), _) if above(limit, &most) => {
                faults.push(format!("{word}, but limit is {}", limit.canonical()));
            }
            (_, Some(request)) if above(request, &most) => {
                faults.push(format!("{word}, but request is {}", request.canonical()));
            }
            _ => {}
        }
    }
    for (resource, ratio) in amounts(range.get("maxLimitRequestRatio")) {
        let word = format!(
            "{resource} max limit to request ratio per {kind} is {}",
            ratio.canonical()
        );
        let milli = |amount: Option<&Quantity>| amount.map_or(0, Quantity::milli_value);
        let (request, limit) = (milli(requests.get(&resource)), milli(limits.get(&resource)));
        if request <= 0 {
            faults.push(format!(
                "{word}, but no request is specified or request is 0"
            ));
        } else if limit <= 0 {
            faults.push(format!("{word}, but no limit is specified or limit is 0"));
        } else if i128::from(limit) * 1_000 > i128::from(request) * i128::from(ratio.milli_value())
        {
            // Six decimals, rounded half up, as `%f` prints it.
            let millionths = (i128::from(limit) * 2_000_000 / i128::from(request) + 1) / 2;
            faults.push(format!(
                "{word}, but provided ratio is {}.{:06}",
                millionths / 1_000_000,
                millionths % 1_000_000
            ));
        }
    }
}
