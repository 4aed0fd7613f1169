//! The swarm as a whole: join tokens, the key that locks managers, and what a manager does to its own
//! membership. Source: moby `daemon/cluster/swarm.go`, swarmkit `manager/controlapi/cluster.go`,
//! `manager/state/raft/raft.go` (ForceNewCluster).
//!
//! Keys and digests are drawn, not computed: no certificate is behind them.

use std::sync::Arc;

use crate::base::rng::Seed;
use crate::base::sorted::SortedSet;
use crate::substrate::{Context, PlaneOutbox};
use crate::swarm::control_api::{Code, Refusal, Response};
use crate::swarm::identity::Identity;
use crate::swarm::state::Role;
use crate::swarm::store::NodeId;
use crate::swarm::{Event, SwarmPlane};

/// What a client asks about the swarm itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Change {
    /// `join-token --rotate`.
    RotateToken(Role),
    /// `update --autolock=…`.
    Autolock(bool),
    /// `unlock-key --rotate`.
    RotateUnlockKey,
    /// `ca --rotate`.
    RotateAuthority,
    /// `unlock`, with a key.
    Unlock(Arc<str>),
    /// `init --force-new-cluster`.
    ForceNewCluster,
    /// `leave --force` of the manager that is spoken to.
    Leave,
}

/// Keys, and managers that do not take part.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cluster {
    tokens: [u32; 2],
    authority: u32,
    keys: u32,
    autolock: bool,
    /// Managers that booted with autolock on and wait for the key.
    locked: SortedSet<NodeId>,
    /// Nodes that were promoted and have not heard of it: they join the group when they do.
    joining: SortedSet<NodeId>,
    /// Former members of the group that a forced new cluster left behind.
    expelled: SortedSet<NodeId>,
    /// Nodes that have left by themselves: their engines run on, without a swarm.
    left: SortedSet<NodeId>,
    /// Whether the last manager has left: nobody has the swarm's state any more.
    over: bool,
}

impl Cluster {
    /// Whether a node that boots waits for the key before it does anything.
    pub(crate) fn locks(&self, node: NodeId) -> bool {
        self.locked.contains(&node)
    }

    /// A machine that lost power waits for nothing.
    pub(crate) fn loses_power(&mut self, node: NodeId) {
        self.locked.remove(&node);
    }

    /// A node has another role. One that cannot be told of its promotion is no member of the group
    /// yet: it asks the leader to let it in. Source: swarmkit `manager/role_manager.go`,
    /// `manager/state/raft/raft.go` (Join).
    pub(crate) fn role_changes(&mut self, node: NodeId, role: Role, hears: bool) {
        if role == Role::Manager && !hears {
            self.joining.insert(node);
        } else {
            self.joining.remove(&node);
        }
    }

    /// A node hears what it is. Answers whether it joins the group now.
    pub(crate) fn joins(&mut self, node: NodeId) -> bool {
        self.joining.remove(&node)
    }

    /// Whether a node has nothing to do with the swarm any more.
    pub(crate) fn has_left(&self, node: NodeId) -> bool {
        self.left.contains(&node)
    }
}

impl SwarmPlane {
    /// Whether a node is a manager that takes part in the group.
    pub fn is_member(&self, node: NodeId) -> bool {
        self.store
            .node(node)
            .is_some_and(|node| node.role == Role::Manager)
            && !self.cluster.expelled.contains(&node)
            && !self.cluster.joining.contains(&node)
    }

    /// Whether there is no swarm any more: its last manager has left, and its state is gone with it.
    /// Workers run on what they were given.
    pub fn is_over(&self) -> bool {
        self.cluster.over
    }

    /// The secret that lets a machine join in a role.
    pub fn join_token(&self, role: Role, seed: Seed) -> String {
        let draw = |what: &str, number: u32| Identity::draw(seed, "swarm.join-token", what, number);
        // The digest of the certificate authority is the same for both roles; the secret is not.
        let digest = self.cluster.authority * 2;
        let secret = self.cluster.tokens[usize::from(role == Role::Manager)] + 2;
        format!(
            "SWMTKN-1-{}{}-{}",
            draw("authority", digest).text(),
            draw("authority", digest + 1).text(),
            draw(role.word(), secret).text()
        )
    }

    /// What the swarm's own object is called.
    pub fn cluster_id(&self, seed: Seed) -> String {
        Identity::draw(seed, "swarm.cluster", "id", 0).text()
    }

    /// How often the certificate authority was rotated: `Spec.CAConfig.ForceRotate`.
    pub const fn rotations(&self) -> u32 {
        self.cluster.authority
    }

    /// Whether managers that boot wait for a key.
    pub const fn has_autolock(&self) -> bool {
        self.cluster.autolock
    }

    /// Digest of the certificate authority that nodes trust.
    pub fn authority_digest(&self, seed: Seed) -> String {
        let draw = |part| {
            let number = self.cluster.authority * 4 + part;
            Identity::draw(seed, "swarm.authority", "digest", number).key()
        };
        (0..4).map(|part| format!("{:016x}", draw(part))).collect()
    }

    /// The key that unlocks managers; none while autolock is off.
    pub fn unlock_key(&self, seed: Seed) -> Option<String> {
        if !self.cluster.autolock {
            return None;
        }
        let draw = |part| {
            let number = self.cluster.keys * 2 + part;
            Identity::draw(seed, "swarm.unlock-key", "key", number).text()
        };
        let mut key = format!("{}{}", draw(0), draw(1));
        // 32 bytes in base64 without padding.
        key.truncate(43);
        Some(format!("SWMKEY-1-{key}"))
    }

    /// Whether a manager waits for the key.
    pub fn has_locked(&self) -> bool {
        !self.cluster.locked.is_empty()
    }

    /// Whether the manager that a client speaks to waits for the key.
    pub fn is_locked(&self) -> bool {
        self.spoken_to()
            .is_some_and(|node| self.cluster.locks(node))
    }

    /// A manager boots: with autolock on it waits for the key.
    pub(crate) fn boots_locked(&mut self, node: NodeId) -> bool {
        let locks = self.cluster.autolock && self.is_member(node);
        if locks {
            self.cluster.locked.insert(node);
        }
        locks
    }

    /// Carries out what is asked about the swarm.
    ///
    /// # Errors
    /// The daemon's text.
    #[inline(never)]
    pub(crate) fn change_cluster(
        &mut self,
        change: &Change,
        ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<Event>,
    ) -> Result<Response, Refusal> {
        match change {
            Change::RotateToken(_)
            | Change::Autolock(_)
            | Change::RotateUnlockKey
            | Change::RotateAuthority => self.require_leader(ctx.now)?,
            Change::Unlock(_) | Change::ForceNewCluster | Change::Leave => {}
        }
        match change {
            Change::RotateToken(role) => {
                self.cluster.tokens[usize::from(*role == Role::Manager)] += 1;
            }
            Change::Autolock(on) => {
                self.cluster.keys += u32::from(*on && !self.cluster.autolock);
                self.cluster.autolock = *on;
            }
            Change::RotateUnlockKey => self.cluster.keys += 1,
            Change::RotateAuthority => self.cluster.authority += 1,
            Change::Unlock(key) => self.unlock(key, ctx, out)?,
            Change::ForceNewCluster => self.force_new_cluster(ctx, out)?,
            Change::Leave => self.leave(ctx, out),
        }
        Ok(Response::Done)
    }

    fn unlock(
        &mut self,
        key: &str,
        ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<Event>,
    ) -> Result<(), Refusal> {
        if self.unlock_key(ctx.seed).as_deref() != Some(key) {
            return Err(Refusal::new(
                Code::Plain,
                "swarm could not be unlocked: invalid key provided",
            ));
        }
        if let Some(node) = self.cluster.locked.pop_first() {
            self.node_boots(node, ctx, out);
        }
        Ok(())
    }

    /// The manager makes itself the only member, keeps all objects, and leads at once.
    fn force_new_cluster(
        &mut self,
        ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<Event>,
    ) -> Result<(), Refusal> {
        let Some(own) = self.spoken_to() else {
            return Ok(());
        };
        if self.cluster.locks(own) {
            return Err(Refusal::new(Code::Plain, LOCKED));
        }
        let others: Vec<NodeId> = self
            .store
            .nodes()
            .map(|(id, _)| id)
            .filter(|id| *id != own && self.is_member(*id))
            .collect();
        self.cluster.expelled.extend(others);
        self.lead_alone(own, ctx, out);
        Ok(())
    }

    /// The manager stops its part, and its tasks go with it. To the others it is a member that does
    /// not answer.
    fn leave(&mut self, ctx: &mut Context<'_>, out: &mut PlaneOutbox<Event>) {
        let Some(node) = self.spoken_to() else {
            return;
        };
        self.cluster.left.insert(node);
        self.agent_leaves(node, out);
        if let Some(session) = self.sessions.get_mut(&node) {
            session.up = false;
        }
        self.node_falls_silent(node, ctx, out);
        self.raft_check(ctx, out);
        self.cluster.over = self.spoken_to().is_none();
    }
}

/// What a client is told of a swarm that this engine manages no part of.
/// Source: moby `daemon/cluster/cluster.go` errNoManager texts.
pub const NOT_A_MANAGER: &str = "This node is not a swarm manager. Use \"docker swarm init\" or \"docker swarm join\" to connect this node to swarm and try again.";

/// What an engine without a swarm answers. Source: moby `daemon/cluster/errors.go` errNoSwarm.
pub const NO_SWARM: &str = "This node is not part of a swarm";

/// What a client of a locked manager is told. Source: moby `daemon/cluster/errors.go` errSwarmLocked.
pub const LOCKED: &str = "Swarm is encrypted and needs to be unlocked before it can be used. Please use \"docker swarm unlock\" to unlock it.";
