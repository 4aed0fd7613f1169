//! `kubectl top`: samples of the metrics API, those that were set and those that machines measure.

use crate::base::arrange::Arrange;
use crate::base::sentence::catalogue;
use crate::base::sentence::passage::Passage;
use crate::console::table::Table;
use crate::console::{after, no_world};
use crate::kube::KubePlane;
use crate::kube::apiserver::rbac::Wish;
use crate::manifest::value::Value;
use crate::substrate::order::SandboxId;

use super::pod_status::items;
use super::problem::Problem;
use super::{Call, kind_of, name_of, selectors};
use crate::engine::command::Orchestrator;

/// Flags of `top`.
pub const FLAGS: &[&str] = &[
    "!all-namespaces:A",
    "selector:l",
    "!no-headers",
    "sort-by",
    "!containers",
    "!sum",
    "field-selector",
    "!use-protocol-buffers",
];

/// Thousandths of a core and bytes.
type Sample = (Option<i64>, Option<i64>);

/// `top pods [NAME]` and `top nodes [NAME]`. Pods without any sample are left out, as they are by a
/// metrics server that has not scraped them.
///
/// # Errors
/// Absent pods, and nothing to show.
pub fn top(call: &mut Call<'_>) -> Result<(), Problem> {
    let words = call.arguments.words.clone();
    let Some((what, names)) = words.split_first() else {
        return Err(Problem::error(
            "specify what to show: kubectl top pod or kubectl top node",
        ));
    };
    let nodes = match what.as_str() {
        "pod" | "pods" | "po" => false,
        "node" | "nodes" | "no" => true,
        other => {
            return Err(Problem::error(format!(
                "unknown command \"{other}\" for \"kubectl top\""
            )));
        }
    };
    if nodes && call.arguments.on("containers") {
        return Err(Problem::error(
            "unknown flag: --containers\nSee 'kubectl top node --help' for usage.",
        ));
    }
    let by_container = !nodes && call.arguments.on("containers");
    let selector = call.selector()?;
    let everywhere = call.arguments.on("all-namespaces");
    let namespace = (!nodes && !everywhere).then_some(call.namespace.as_str());
    let named = names.first().map_or("", String::as_str);
    call.may_wish(&Wish {
        verb: if named.is_empty() { "list" } else { "get" },
        group: "metrics.k8s.io",
        resource: if nodes { "nodes" } else { "pods" },
        namespace: namespace.unwrap_or(""),
        name: named,
    })?;
    let mut pods = call.view()?.list(kind_of("pods")?, namespace);
    if !nodes {
        let fields = call.arguments.flag("field-selector").unwrap_or("");
        let fields = selectors::field_selector(fields)?;
        selectors::check_fields(call, kind_of("pods")?, &fields)?;
        pods.retain(|pod| selectors::fields_match(&fields, pod));
    }
    if !nodes && !named.is_empty() && !pods.iter().any(|pod| name_of(pod) == named) {
        return Err(call
            .stored(kind_of("pods")?, named)
            .err()
            .unwrap_or_else(|| {
                Problem::error("a resource cannot be retrieved by name across all namespaces")
            }));
    }
    let world = call.session.world(Orchestrator::Kubernetes)?;
    let plane = world
        .kube()
        .ok_or_else(|| no_world(Orchestrator::Kubernetes))?;
    let samples: Vec<(&Value, Sample)> = pods
        .iter()
        .map(|pod| (pod, sample(plane, world, pod)))
        .collect();
    let mut rows: Vec<(String, String, Sample, Vec<String>)> = Vec::new();
    if by_container {
        let chosen = samples.iter().filter(|(pod, _)| {
            let name = name_of(pod).to_owned();
            selector
                .as_ref()
                .is_none_or(|one| selectors::selected(one, pod))
                && (names.is_empty() || names.contains(&name))
        });
        for (pod, total) in chosen {
            let space = pod.str_at(&["metadata", "namespace"]).unwrap_or("");
            for (container, own) in parts(plane, world, pod, *total) {
                let name = name_of(pod).to_owned();
                rows.push((space.to_owned(), name, own, vec![container]));
            }
        }
    } else if nodes {
        for node in call.view()?.list(kind_of("nodes")?, None) {
            let name = name_of(&node).to_owned();
            let chosen = selector
                .as_ref()
                .is_none_or(|one| selectors::selected(one, &node));
            if !chosen || !names.is_empty() && !names.contains(&name) {
                continue;
            }
            let own = samples
                .iter()
                .filter(|(pod, _)| pod.str_at(&["spec", "nodeName"]) == Some(&name));
            let total = own.fold((None, None), |sum: Sample, (_, one)| {
                (add(sum.0, one.0), add(sum.1, one.1))
            });
            let total = whole(world, &name, total);
            let shares = shares(&node, total);
            rows.push((String::new(), name, total, shares));
        }
    } else {
        for (pod, total) in &samples {
            let name = name_of(pod).to_owned();
            let chosen = selector
                .as_ref()
                .is_none_or(|one| selectors::selected(one, pod));
            let known = total.0.is_some() || total.1.is_some();
            if !chosen || !known || !names.is_empty() && !names.contains(&name) {
                continue;
            }
            let space = pod
                .str_at(&["metadata", "namespace"])
                .unwrap_or("")
                .to_owned();
            rows.push((space, name, *total, Vec::new()));
        }
    }
    if rows.is_empty() {
        if !named.is_empty() {
            // As metrics-server `pkg/api/{pod,node}.go`.
            let (kind, place) = match namespace {
                None => ("nodemetrics", named.to_owned()),
                Some(namespace) => ("podmetrics", format!("{namespace}/{named}")),
            };
            if nodes {
                call.object(kind_of("nodes")?, named)?;
            }
            return Err(Problem::said(
                format!(
                    "Error from server (NotFound): {kind}.metrics.k8s.io \"{place}\" not found"
                ),
                "NotFound",
            ));
        }
        // Source: `k8s.io/kubectl/pkg/cmd/top/top_pod.go` (`RunTopPod`).
        let chosen = |pod: &Value| {
            selector
                .as_ref()
                .is_none_or(|one| selectors::selected(one, pod))
        };
        if !nodes && !pods.iter().any(chosen) {
            let place = namespace.map_or_else(String::new, |name| format!(" in {name} namespace."));
            call.stderr.push(format!("No resources found{place}\n"));
            return Ok(());
        }
        return Err(Problem::error(if nodes {
            Passage::from("metrics not available yet")
        } else {
            after("Metrics not available: ", catalogue::NO_SAMPLE.plain())
        }));
    }
    match call.arguments.flag("sort-by") {
        Some("cpu") => rows.arrange_by_key(|(_, _, total, _)| std::cmp::Reverse(total.0)),
        Some("memory") => rows.arrange_by_key(|(_, _, total, _)| std::cmp::Reverse(total.1)),
        Some(other) if !other.is_empty() => {
            return Err(Problem::error("--sort-by accepts only cpu or memory"));
        }
        _ => {}
    }
    let mut table = Table::new(&["NAME", "CPU(cores)", "MEMORY(bytes)"]);
    if nodes {
        table = Table::new(&["NAME", "CPU(cores)", "CPU(%)", "MEMORY(bytes)", "MEMORY(%)"]);
    }
    if by_container {
        table = Table::new(&["POD", "NAME", "CPU(cores)", "MEMORY(bytes)"]);
    }
    if everywhere && !nodes {
        table.header.insert(0, "NAMESPACE".to_owned());
    }
    let mut sum: Sample = (None, None);
    for (space, name, total, shares) in rows {
        sum = (add(sum.0, total.0), add(sum.1, total.1));
        let cpu = total
            .0
            .map_or_else(|| "<unknown>".to_owned(), |milli| format!("{milli}m"));
        let memory = total.1.map_or_else(
            || "<unknown>".to_owned(),
            |bytes| format!("{}Mi", bytes >> 20),
        );
        table.rows.push(match shares.as_slice() {
            [cpu_share, memory_share] => {
                vec![name, cpu, cpu_share.clone(), memory, memory_share.clone()]
            }
            [container] if everywhere => vec![space, name, container.clone(), cpu, memory],
            [container] => vec![name, container.clone(), cpu, memory],
            _ if everywhere => vec![space, name, cpu, memory],
            _ => vec![name, cpu, memory],
        });
    }
    if call.arguments.on("sum") && !nodes {
        let lead = table.header.len() - 2;
        let blank = |text: &str| vec![text.to_owned(); lead];
        let mut rule = blank("");
        rule.extend(["________", "________"].map(str::to_owned));
        let mut last = blank("");
        last.extend([
            format!("{}m", sum.0.unwrap_or(0)),
            format!("{}Mi", sum.1.unwrap_or(0) >> 20),
        ]);
        table.rows.extend([rule, last]);
    }
    call.stdout
        .push_str(&table.kubectl(!call.arguments.on("no-headers")));
    Ok(())
}

/// A node's sample: what its pods use, and of memory what its system takes besides. A machine
/// without power has none.
fn whole(world: &crate::engine::world::World, node: &str, pods: Sample) -> Sample {
    let Some(machine) = world.machine(node) else {
        return pods;
    };
    if !world.substrate.is_on(machine) {
        return (None, None);
    }
    let system = i64::try_from(world.substrate.working_set(machine, world.now)).ok();
    (Some(pods.0.unwrap_or(0)), pods.1.max(system))
}

fn add(one: Option<i64>, two: Option<i64>) -> Option<i64> {
    match (one, two) {
        (None, None) => None,
        _ => Some(one.unwrap_or(0).saturating_add(two.unwrap_or(0))),
    }
}

/// Shares of a node's allocatable processor time and memory.
fn shares(node: &Value, total: Sample) -> Vec<String> {
    let share = |key: &str, scale: i64, used: Option<i64>| {
        let all = node
            .path(&["status", "allocatable", key])
            .map(crate::object::jsonpath::text)
            .and_then(|text| crate::base::quantity::Quantity::parse(&text).ok())
            .map(|quantity| {
                if scale == 1_000 {
                    quantity.milli_value()
                } else {
                    quantity.value()
                }
            })
            .filter(|all| *all > 0);
        match (used, all) {
            (Some(used), Some(all)) => format!("{}%", used.saturating_mul(100) / all),
            _ => "<unknown>".to_owned(),
        }
    };
    vec![share("cpu", 1_000, total.0), share("memory", 1, total.1)]
}

fn sandbox_of(
    plane: &KubePlane,
    world: &crate::engine::world::World,
    pod: &Value,
) -> Option<SandboxId> {
    let namespace = pod.str_at(&["metadata", "namespace"]).unwrap_or("default");
    plane.sandbox_of(namespace, name_of(pod), &world.symbols)
}

/// Samples of a pod's running containers. One that was set is the pod's: it is told of a container
/// only when the pod has no other.
fn parts(
    plane: &KubePlane,
    world: &crate::engine::world::World,
    pod: &Value,
    total: Sample,
) -> Vec<(String, Sample)> {
    let Some(sandbox) = sandbox_of(plane, world, pod) else {
        return Vec::new();
    };
    let running = world
        .substrate
        .containers_in(sandbox)
        .filter(|(_, container)| container.running_since().is_some());
    let mut all: Vec<(String, Sample)> = running
        .map(|(id, container)| {
            let memory = world
                .substrate
                .container_memory(id, world.now)
                .working_set();
            let own = (
                Some(i64::from(container.cpu.got).div_euclid(1_000)),
                i64::try_from(memory).ok(),
            );
            (world.symbols.text(container.spec.name).to_owned(), own)
        })
        .collect();
    if let [(_, own)] = all.as_mut_slice() {
        *own = total;
    }
    all.arrange();
    all
}

/// One pod's sample: what was set, else what its containers use at the moment. The metrics server
/// gives the average of the last 15 s, which is the same where nothing has changed meanwhile.
fn sample(plane: &KubePlane, world: &crate::engine::world::World, pod: &Value) -> Sample {
    let object = format!("pod/{}", name_of(pod));
    let set = |metric| plane.samples().get(&object, metric);
    let running = items(pod, &["status", "containerStatuses"])
        .iter()
        .any(|one| one.path(&["state", "running"]).is_some());
    let measured = || {
        let sandbox = sandbox_of(plane, world, pod)?;
        let mut sum = (None, None);
        for (id, container) in world.substrate.containers_in(sandbox) {
            if container.running_since().is_some() {
                let memory = world
                    .substrate
                    .container_memory(id, world.now)
                    .working_set();
                let milli = i64::from(container.cpu.got).div_euclid(1_000);
                sum.0 = add(sum.0, Some(milli));
                sum.1 = add(sum.1, i64::try_from(memory).ok());
            }
        }
        Some(sum)
    };
    let (cpu, memory) = running.then(measured).flatten().unwrap_or((None, None));
    (
        set("cpu").or(cpu),
        set("memory").map(|milli| milli / 1_000).or(memory),
    )
}
