//! `docker swarm …`: the swarm itself. Source: docker/cli `cli/command/swarm`.

use super::flags::{Grammar, parse};
use super::{ask, manager, not_modelled, swarm as plane_of, unknown_command};
use crate::base::rng::Seed;
use crate::base::sentence::catalogue;
use crate::base::sentence::passage::Passage;
use crate::console::{Output, Session};
use crate::engine::command::{Answer, Command, Orchestrator};
use crate::swarm::SwarmPlane;
use crate::swarm::cluster::{Change, NO_SWARM};
use crate::swarm::control_api::Request;
use crate::swarm::state::Role;

const INIT: Grammar = Grammar {
    path: "docker swarm init",
    usage: "[OPTIONS]",
    flags: "advertise-addr= autolock availability= cert-expiry=! data-path-addr=! data-path-port=! default-addr-pool=*! default-addr-pool-mask-length=! dispatcher-heartbeat=! external-ca=! force-new-cluster listen-addr= max-snapshots=! snapshot-interval=! task-history-limit=!",
    least: 0,
    most: Some(0),
    interspersed: true,
};
const JOIN: Grammar = Grammar {
    path: "docker swarm join",
    usage: "[OPTIONS] HOST:PORT",
    flags: "advertise-addr= availability= data-path-addr=! listen-addr= token=",
    least: 1,
    most: Some(1),
    interspersed: true,
};
const LEAVE: Grammar = Grammar {
    path: "docker swarm leave",
    usage: "[OPTIONS]",
    flags: "force,f",
    least: 0,
    most: Some(0),
    interspersed: true,
};
const UPDATE: Grammar = Grammar {
    path: "docker swarm update",
    usage: "[OPTIONS]",
    flags: "task-history-limit= dispatcher-heartbeat= autolock cert-expiry=! external-ca=! max-snapshots=! snapshot-interval=!",
    least: 0,
    most: Some(0),
    interspersed: true,
};
const JOIN_TOKEN: Grammar = Grammar {
    path: "docker swarm join-token",
    usage: "[OPTIONS] (worker|manager)",
    flags: "quiet,q rotate",
    least: 1,
    most: Some(1),
    interspersed: true,
};
const UNLOCK_KEY: Grammar = Grammar {
    path: "docker swarm unlock-key",
    usage: "[OPTIONS]",
    flags: "quiet,q rotate",
    least: 0,
    most: Some(0),
    interspersed: true,
};
const UNLOCK: Grammar = Grammar {
    path: "docker swarm unlock",
    usage: "",
    flags: "",
    least: 0,
    most: Some(0),
    interspersed: true,
};
const CA: Grammar = Grammar {
    path: "docker swarm ca",
    usage: "[OPTIONS]",
    flags: "rotate detach,d quiet,q ca-cert=! ca-key=! cert-expiry=! external-ca=!",
    least: 0,
    most: Some(0),
    interspersed: true,
};

/// Runs one `docker swarm` command.
pub fn run(session: &mut Session, words: &[String], input: &str) -> Result<Output, Output> {
    let Some(verb) = words.first() else {
        return Ok(Output::text(
            "Usage:  docker swarm COMMAND\n\nCommands: ca, init, join, join-token, leave, unlock, unlock-key, update\n",
        ));
    };
    let rest = &words[1..];
    match verb.as_str() {
        "init" => init(session, rest),
        "join" => {
            parse(&JOIN, rest)?;
            if plane_of(session)?.is_over() {
                return Err(not_modelled(catalogue::OTHER_SWARM.plain()));
            }
            Err(Output::error(1, IN_A_SWARM))
        }
        "leave" => leave(session, rest),
        "update" => update(session, rest),
        "join-token" => join_token(session, rest),
        "unlock-key" => unlock_key(session, rest),
        "unlock" => unlock(session, rest, input),
        "ca" => authority(session, rest),
        word => Err(unknown_command("docker swarm", word)),
    }
}

/// Every machine of a simulation is in the swarm; more join with `sim node add`.
/// Source: moby `daemon/cluster/errors.go` errSwarmExists.
const IN_A_SWARM: &str = "Error response from daemon: This node is already part of a swarm. Use \"docker swarm leave\" to leave this swarm and join another one.";

fn seed(session: &Session) -> Result<Seed, Output> {
    Ok(session.world(Orchestrator::Swarm)?.seed)
}

fn change(session: &mut Session, change: Change) -> Result<(), Output> {
    ask(session, Request::Cluster(change)).map(|_| ())
}

fn init(session: &mut Session, words: &[String]) -> Result<Output, Output> {
    let parsed = parse(&INIT, words)?;
    if plane_of(session)?.is_over() {
        return Err(not_modelled(catalogue::NEW_SWARM.plain()));
    }
    if !parsed.has("force-new-cluster") {
        return Err(Output::error(1, IN_A_SWARM));
    }
    change(session, Change::ForceNewCluster)?;
    let plane = plane_of(session)?;
    let own = plane.spoken_to().and_then(|id| plane.store.node(id));
    let id = own.map(|node| node.identity.text()).unwrap_or_default();
    let mut text = format!("Swarm initialized: current node ({id}) is now a manager.\n\n");
    text.push_str(&join_command(plane, Role::Worker, seed(session)?));
    text.push_str("To add a manager to this swarm, run 'docker swarm join-token manager' and follow the instructions.\n\n");
    if parsed.has("autolock") {
        change(session, Change::Autolock(true))?;
        text.push_str(&unlock_command(session)?);
    }
    Ok(Output::text(text))
}

fn join_command(plane: &SwarmPlane, role: Role, seed: Seed) -> String {
    let own = plane.spoken_to().and_then(|id| plane.store.node(id));
    let address = own.map(|node| node.address.to_string()).unwrap_or_default();
    format!(
        "To add a {} to this swarm, run the following command:\n\n    docker swarm join --token {} {address}:2377\n\n",
        role.word(),
        plane.join_token(role, seed)
    )
}

fn join_token(session: &mut Session, words: &[String]) -> Result<Output, Output> {
    let parsed = parse(&JOIN_TOKEN, words)?;
    let role = match parsed.words[0].as_str() {
        "worker" => Role::Worker,
        "manager" => Role::Manager,
        other => return Err(Output::error(1, format!("unknown role {other}"))),
    };
    manager(session)?;
    let quiet = parsed.has("quiet");
    let mut text = String::new();
    if parsed.has("rotate") {
        change(session, Change::RotateToken(role))?;
        if !quiet {
            text = format!("Successfully rotated {} join token.\n\n", role.word());
        }
    }
    let (plane, seed) = (manager(session)?, seed(session)?);
    text.push_str(&if quiet {
        format!("{}\n", plane.join_token(role, seed))
    } else {
        join_command(plane, role, seed)
    });
    Ok(Output::text(text))
}

fn leave(session: &mut Session, words: &[String]) -> Result<Output, Output> {
    let parsed = parse(&LEAVE, words)?;
    let plane = plane_of(session)?;
    let nodes = plane.store.nodes();
    let members: Vec<_> = nodes
        .map(|(id, _)| id)
        .filter(|id| plane.is_member(*id))
        .collect();
    if plane.is_over() {
        return Err(Output::error(
            1,
            format!("Error response from daemon: {NO_SWARM}"),
        ));
    }
    if parsed.has("force") {
        change(session, Change::Leave)?;
        return Ok(Output::text("Node left the swarm.\n"));
    }
    let mut text = "Error response from daemon: You are attempting to leave the swarm on a node that is participating as a manager. ".to_owned();
    if members.len() <= 1 {
        text.push_str("Removing the last manager erases all current state of the swarm. Use `--force` to ignore this message. ");
        return Err(Output::error(1, text));
    }
    let up = members.iter().filter(|id| plane.is_reachable(**id)).count();
    // Source: moby `daemon/cluster/utils.go` isLastManager, removingManagerCausesLossOfQuorum.
    if up.saturating_sub(2) <= members.len() - up {
        text.push_str(&format!(
            "Removing this node leaves {} managers out of {}. Without a Raft quorum your swarm will be inaccessible. ",
            up.saturating_sub(1),
            members.len()
        ));
    }
    text.push_str("The only way to restore a swarm that has lost consensus is to reinitialize it with `--force-new-cluster`. Use `--force` to suppress this message.");
    Err(Output::error(1, text))
}

fn update(session: &mut Session, words: &[String]) -> Result<Output, Output> {
    let parsed = parse(&UPDATE, words)?;
    manager(session)?;
    for (flag, key) in [
        ("task-history-limit", crate::swarm::settings::HISTORY),
        ("dispatcher-heartbeat", crate::swarm::settings::HEARTBEAT),
    ] {
        let Some(value) = parsed.value(flag) else {
            continue;
        };
        if let Answer::Refused(message) =
            session.command(Orchestrator::Swarm, Command::Set(key.into(), value.into()))?
        {
            let head = format!("invalid argument \"{value}\" for \"--{flag}\" flag: ");
            return Err(Output::error(125, Passage::from(head).then(message)));
        }
    }
    let mut text = "Swarm updated.\n".to_owned();
    if parsed.value("autolock").is_some() {
        let seed = seed(session)?;
        let before = manager(session)?.unlock_key(seed);
        change(session, Change::Autolock(parsed.has("autolock")))?;
        if before.is_none() {
            text.push_str(&unlock_command(session)?);
        }
    }
    Ok(Output::text(text))
}

/// How to unlock, if there is a key. Source: `cli/command/swarm/unlock_key.go` printUnlockCommand.
fn unlock_command(session: &Session) -> Result<String, Output> {
    let key = plane_of(session)?.unlock_key(seed(session)?);
    Ok(key.map_or_else(String::new, |key| {
        format!(
            "To unlock a swarm manager after it restarts, run the `docker swarm unlock`\ncommand and provide the following key:\n\n    {key}\n\nRemember to store this key in a password manager, since without it you\nwill not be able to restart the manager.\n"
        )
    }))
}

fn unlock_key(session: &mut Session, words: &[String]) -> Result<Output, Output> {
    let parsed = parse(&UNLOCK_KEY, words)?;
    let none = || Output::error(1, "no unlock key is set");
    let seed = seed(session)?;
    let mut text = String::new();
    if parsed.has("rotate") {
        manager(session)?
            .unlock_key(seed)
            .ok_or_else(|| Output::error(1, "cannot rotate because autolock is not turned on"))?;
        change(session, Change::RotateUnlockKey)?;
        if !parsed.has("quiet") {
            text.push_str("Successfully rotated manager unlock key.\n\n");
        }
    }
    let key = manager(session)?.unlock_key(seed).ok_or_else(none)?;
    text.push_str(&if parsed.has("quiet") {
        format!("{key}\n")
    } else {
        unlock_command(session)?
    });
    Ok(Output::text(text))
}

/// A manager that waits for its key is unlocked with what is typed; the first one if there are more.
fn unlock(session: &mut Session, words: &[String], input: &str) -> Result<Output, Output> {
    parse(&UNLOCK, words)?;
    if !plane_of(session)?.has_locked() {
        return Err(Output::error(1, "Error: swarm is not locked"));
    }
    change(session, Change::Unlock(input.trim().into()))?;
    Ok(Output::default())
}

/// A new authority is modelled as far as digests and tokens show it. There is no certificate to
/// print: keys are drawn, not computed.
fn authority(session: &mut Session, words: &[String]) -> Result<Output, Output> {
    let parsed = parse(&CA, words)?;
    if !parsed.has("rotate") {
        let digest = manager(session)?.authority_digest(seed(session)?);
        return Err(Output::error(
            1,
            catalogue::CERTIFICATE.with(&[("digest", &digest)]),
        ));
    }
    manager(session)?;
    change(session, Change::RotateAuthority)?;
    if parsed.has("detach") || parsed.has("quiet") {
        return Ok(Output::default());
    }
    let (plane, seed) = (manager(session)?, seed(session)?);
    let nodes = plane.store.nodes().count();
    Ok(Output::text(format!(
        "desired root digest: sha256:{}\n  rotated TLS certificates:  {nodes}/{nodes} nodes\n  rotated CA certificates:   {nodes}/{nodes} nodes\n",
        plane.authority_digest(seed)
    )))
}
