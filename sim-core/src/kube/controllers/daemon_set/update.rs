//! A DaemonSet's rolling update: which pods give way, and where a new one comes beside the old.
//! Source: `pkg/controller/daemon/update.go`.

use crate::kube::rows::{NodeId, PodId};
use crate::kube::turn::Turn;

use super::placement::Fit;
use super::{Pass, alive, available};

/// Nodes that get a pod, pods that go.
pub(super) fn step(pass: &Pass, turn: &Turn<'_, '_>) -> (Vec<NodeId>, Vec<PodId>) {
    if pass.surge() > 0 {
        surge(pass, turn)
    } else {
        (Vec::new(), replace(pass, turn))
    }
}

/// The up-to-date pod and the old one of a node; `None`: more than one of either.
fn pair(
    pass: &Pass,
    pods: &[PodId],
    turn: &Turn<'_, '_>,
) -> Option<(Option<PodId>, Option<PodId>)> {
    let (mut new, mut old) = (None, None);
    for pod in pods {
        if alive(*pod, turn).is_none() {
            continue;
        }
        let place = if pass.is_new(*pod, turn) {
            &mut new
        } else {
            &mut old
        };
        if place.is_some() {
            return None;
        }
        *place = Some(*pod);
    }
    Some((new, old))
}

/// Nodes that the update looks at: those that run a pod or are to.
fn looked_at(pass: &Pass) -> impl Iterator<Item = (NodeId, bool, &[PodId])> {
    pass.nodes.iter().filter_map(|(node, fit)| {
        let runs = *fit == Fit::Run;
        match pass.pods.get(node) {
            Some(pods) => Some((*node, runs, pods.as_slice())),
            None if runs => Some((*node, runs, &[] as &[PodId])),
            None => None,
        }
    })
}

fn replace(pass: &Pass, turn: &Turn<'_, '_>) -> Vec<PodId> {
    let bound = pass.unavailable();
    let mut unavailable = 0;
    let (mut delete, mut candidates) = (Vec::new(), Vec::new());
    for (.., pods) in looked_at(pass) {
        match pair(pass, pods, turn) {
            Some((Some(new), None)) => unavailable += i64::from(!available(new, turn)),
            Some((None, Some(old))) => {
                if !available(old, turn) {
                    delete.push(old);
                    unavailable += 1;
                } else if unavailable < bound {
                    candidates.push(old);
                }
            }
            _ => unavailable += 1,
        }
    }
    let room = usize::try_from(bound - unavailable).unwrap_or(0);
    delete.extend(candidates.into_iter().take(room));
    delete
}

fn surge(pass: &Pass, turn: &Turn<'_, '_>) -> (Vec<NodeId>, Vec<PodId>) {
    let bound = pass.surge();
    let mut surging = 0;
    let (mut create, mut candidates, mut delete) = (Vec::new(), Vec::new(), Vec::new());
    // Old pods of nodes that are to run none any more go once the others suffice.
    let (mut leaving, mut enough) = (Vec::new(), -pass.desired());
    for (node, stays, pods) in looked_at(pass) {
        let pair = pair(pass, pods, turn);
        let first = pair.and_then(|(new, old)| old.or(new));
        enough += i64::from(first.is_some_and(|pod| available(pod, turn)));
        match pair {
            None => surging += 1,
            Some((_, None)) => {}
            Some((None, Some(old))) => {
                if !available(old, turn) {
                    if stays {
                        create.push(node);
                    } else {
                        delete.push(old);
                    }
                } else if !stays {
                    leaving.push(old);
                } else if surging < bound {
                    candidates.push(node);
                }
            }
            Some((Some(new), Some(old))) => {
                if available(new, turn) {
                    delete.push(old);
                } else {
                    surging += 1;
                }
            }
        }
    }
    let room = usize::try_from(bound - surging).unwrap_or(0);
    create.extend(candidates.into_iter().take(room));
    delete.extend(
        leaving
            .into_iter()
            .take(usize::try_from(enough).unwrap_or(0)),
    );
    (create, delete)
}
