//! How closely the machines are shown: three levels, chosen by their number or by the reader.
//!
//! Left to itself, the page goes by the number of replicas, and comes closer again only when they are
//! clearly fewer, so that a number at the border does not turn it to and fro:
//!
//! ```text
//! level  shows                                                from                    until below
//! Map    a tile for each machine, by the worst state on it    2,001 replicas or       1,600 replicas
//!                                                             201 machines            and 161 machines
//! Signs  a row for each machine, a sign for each replica      51 replicas             41 replicas
//! Names  each replica by its name, or of the machine opened   fewer
//! ```
//!
//! The level is worked out once for each frame and world, with the level before.

use std::rc::Rc;

use sim_core::protocol::{DENSE_MACHINES, DENSE_UNITS, StateGroup, WorldFrame};
use yew::prelude::*;

use crate::control::Control;
use crate::text::Text;

/// Replicas of a world up to which each is shown by its name.
const NAMED_MAX: u32 = 50;

/// Share of a limit, in percent, up to which the level beyond it stays.
const STAYS: u32 = 80;

/// A level of detail, or the choice of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Detail {
    /// By the number of replicas.
    #[default]
    Auto,
    /// Tiles.
    Map,
    /// Signs.
    Signs,
    /// Names.
    Names,
}

impl Detail {
    /// All of them, in the order shown.
    pub const ALL: [Self; 4] = [Self::Auto, Self::Map, Self::Signs, Self::Names];

    /// As in test ids.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Map => "map",
            Self::Signs => "signs",
            Self::Names => "names",
        }
    }

    /// As people read it.
    #[must_use]
    pub fn title(self, t: Text) -> &'static str {
        match self {
            Self::Auto => t.detail_auto(),
            Self::Map => t.detail_map(),
            Self::Signs => t.detail_signs(),
            Self::Names => t.detail_names(),
        }
    }

    /// The level at which a world is shown by itself, after it was shown at another or, at first, at
    /// none.
    #[must_use]
    pub fn fitting(world: &WorldFrame, last: Option<Self>) -> Self {
        let replicas: u32 = counts(world).iter().sum();
        let stays = |limit: u32| limit * STAYS / 100;
        let machines = u32::try_from(world.machines.len()).unwrap_or(u32::MAX);
        let is_large = replicas >= stays(DENSE_UNITS) || machines > stays(DENSE_MACHINES as u32);
        if world.dense || (last == Some(Self::Map) && is_large) {
            return Self::Map;
        }
        let is_named = last.is_none_or(|last| last == Self::Names);
        let named_max = if is_named {
            NAMED_MAX
        } else {
            stays(NAMED_MAX)
        };
        if replicas > named_max {
            Self::Signs
        } else {
            Self::Names
        }
    }

    /// The level at which a world is shown that would be shown at `fitting` by itself: never
    /// [`Self::Auto`]. A world that is too large to be named shows names of one machine at a time.
    #[must_use]
    pub fn of(self, fitting: Self, world: &WorldFrame) -> Self {
        match self {
            Self::Auto => fitting,
            Self::Names if world.dense => Self::Signs,
            chosen => chosen,
        }
    }

    /// One level closer or farther than the closest of those shown now.
    #[must_use]
    pub fn next(shown: &[Self], closer: bool) -> Self {
        let shown = shown.iter().map(|level| *level as usize).max();
        let now = shown.unwrap_or(Self::Names as usize);
        let next = if closer { now + 1 } else { now - 1 };
        Self::ALL[next.clamp(1, Self::ALL.len() - 1)]
    }
}

/// How many replicas of a world are in each state, placed or not.
#[must_use]
pub fn counts(world: &WorldFrame) -> [u32; 7] {
    let mut counts = [0_u32; 7];
    if world.dense {
        counts[StateGroup::Pending as usize] = world.waiting;
    }
    for machine in &world.machines {
        for (sum, count) in counts.iter_mut().zip(machine.counts) {
            *sum += count;
        }
        for unit in &machine.units {
            counts[unit.group as usize] += 1;
        }
    }
    for unit in world.unplaced.iter().filter(|_| !world.dense) {
        counts[unit.group as usize] += 1;
    }
    counts
}

/// The choice of a level.
pub fn choice(t: Text, control: &Control, worlds: &[Rc<WorldFrame>], chosen: Detail) -> Html {
    let large = !worlds.is_empty() && worlds.iter().all(|world| world.dense);
    html! {
        <div class="segments looks detail" role="group" aria-label={t.detail()}>
            { for Detail::ALL.into_iter().map(|detail| {
                let control = control.clone();
                html! { <button type="button" class="segment small" aria-pressed={(detail == chosen).to_string()} data-testid={format!("detail-{}", detail.word())}
                    disabled={large && detail == Detail::Names} title={t.detail_hint()} onclick={move |_| control.detail(detail)}>{ detail.title(t) }</button> }
            }) }
        </div>
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_core::protocol::MachineFrame;

    fn world(replicas: u32, dense: bool) -> WorldFrame {
        let mut machine = MachineFrame::default();
        machine.counts[StateGroup::Ready as usize] = replicas;
        WorldFrame {
            machines: vec![machine],
            dense,
            ..WorldFrame::default()
        }
    }

    #[test]
    fn the_level_follows_the_size_unless_one_is_chosen() {
        let level = |replicas: u32, dense: bool, last: Option<Detail>| {
            Detail::fitting(&world(replicas, dense), last)
        };
        assert_eq!(level(50, false, None), Detail::Names);
        assert_eq!(level(51, false, None), Detail::Signs);
        assert_eq!(level(2_001, true, None), Detail::Map);
        let large = world(2_001, true);
        assert_eq!(Detail::Auto.of(Detail::Map, &large), Detail::Map);
        assert_eq!(Detail::Names.of(Detail::Map, &large), Detail::Signs);
        let small = world(900, false);
        assert_eq!(Detail::Names.of(Detail::Signs, &small), Detail::Names);
    }

    #[test]
    fn a_number_at_the_border_does_not_turn_the_level_to_and_fro() {
        let level =
            |replicas: u32, last: Detail| Detail::fitting(&world(replicas, false), Some(last));
        assert_eq!(level(50, Detail::Names), Detail::Names);
        assert_eq!(level(51, Detail::Names), Detail::Signs);
        assert_eq!(level(50, Detail::Signs), Detail::Signs);
        assert_eq!(level(41, Detail::Signs), Detail::Signs);
        assert_eq!(level(40, Detail::Signs), Detail::Names);
        assert_eq!(level(1_999, Detail::Map), Detail::Map);
        assert_eq!(level(1_599, Detail::Map), Detail::Signs);
        assert_eq!(level(40, Detail::Map), Detail::Names);
    }

    #[test]
    fn closer_and_farther_stop_at_the_ends() {
        use Detail::{Map, Names, Signs};
        assert_eq!(Detail::next(&[Map], false), Map);
        assert_eq!(Detail::next(&[Map], true), Signs);
        assert_eq!(Detail::next(&[Signs], false), Map);
        assert_eq!(Detail::next(&[Names, Map], true), Names);
        assert_eq!(Detail::next(&[Names], false), Signs);
    }
}
