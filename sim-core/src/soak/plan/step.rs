//! Operations and faults of a plan.

use crate::base::rng::Stream;

use super::app::App;

/// One operation or fault, in the words of each orchestrator; what a plane does not have it refuses.
pub(super) fn step(nodes: u32, managers: u32, apps: &[App], draw: &mut Stream) -> Vec<String> {
    let node = format!("worker-{}", 1 + draw.below(nodes));
    let manager = format!("control-{}", 1 + draw.below(managers));
    let app = &apps[draw.below(apps.len() as u32) as usize];
    let seconds = 1 + draw.below(600);
    match draw.below(28) {
        0..=2 => vec![format!("sim fault node-crash {node} for {seconds}s")],
        3 => vec![format!("sim fault node-crash {node}")],
        4 => vec![format!("sim fault node-reboot {node}")],
        5 => vec![format!(
            "sim fault partition {node}|control-1 for {seconds}s"
        )],
        6 => vec![format!("sim fault pod-kill of:{}", app.name)],
        7 => vec![format!("sim fault container-kill of:{}", app.name)],
        8 => vec![format!("sim fault registry-down all for {seconds}s")],
        9 => vec![format!("sim fault leader-loss for {seconds}s")],
        10 => vec![format!("sim fault node-crash {manager} for {seconds}s")],
        24 => vec![format!(
            "sim fault delay {node}|control-1 {}ms for {seconds}s",
            draw.below(3_000)
        )],
        25 => vec![format!(
            "sim fault loss {node} {}% for {seconds}s",
            draw.below(100)
        )],
        26 => vec![format!(
            "sim fault disk-slow {node} {}ms for {seconds}s",
            draw.below(2_000)
        )],
        27 => vec![format!(
            "sim fault clock-skew {node} {}{}s for {seconds}s",
            ["", "-"][draw.below(2) as usize],
            draw.below(7_200)
        )],
        other => operation(other, &node, app, draw),
    }
}

fn operation(which: u32, node: &str, app: &App, draw: &mut Stream) -> Vec<String> {
    let name = &app.name;
    match which {
        11 | 12 => {
            let replicas = draw.below(6);
            vec![
                format!("kubectl scale deployment/{name} --replicas={replicas}"),
                format!("docker service scale --detach app_{name}={replicas}"),
            ]
        }
        13 | 14 => {
            let image = app.image[draw.below(2) as usize];
            vec![
                format!("kubectl set image deployment/{name} main={image}"),
                format!("docker service update --detach --image {image} app_{name}"),
            ]
        }
        15 => vec![
            format!("kubectl rollout restart deployment/{name}"),
            format!("docker service update --detach --force app_{name}"),
        ],
        16 => vec![
            format!("kubectl rollout undo deployment/{name}"),
            format!("docker service rollback --detach app_{name}"),
        ],
        17 => vec![format!(
            "docker service update --detach --env-add TURN={} app_{name}",
            draw.below(1_000)
        )],
        18 | 19 => vec![format!("docker node update --availability drain {node}")],
        20 => vec![format!("docker node update --availability pause {node}")],
        21 => vec![format!("docker node promote {node}")],
        22 => vec![format!("docker node demote {node}")],
        _ => vec![match draw.below(3) {
            0 => format!("docker compose restart {name}"),
            1 => "docker compose up -d --force-recreate".to_owned(),
            _ => "docker compose up -d".to_owned(),
        }],
    }
}
