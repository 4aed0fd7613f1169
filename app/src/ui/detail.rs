//! How closely the machines are shown: three levels, chosen by their number or by the reader.
//!
//! ```text
//! Map    a tile for each machine, coloured by the worst state on it       > 2,000 replicas
//! Signs  a row for each machine, a sign for each replica                  50 to 2,000
//! Names  each replica by its name                          below 50, or of the machine opened
//! ```

use std::rc::Rc;

use sim_core::protocol::{StateGroup, WorldFrame};
use yew::prelude::*;

use crate::control::Control;
use crate::text::Text;

/// Replicas of a world up to which each is shown by its name.
const NAMED_MAX: u32 = 50;

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

    /// The level at which a world is shown: never [`Self::Auto`]. A world that is too large to be
    /// named shows names of one machine at a time.
    #[must_use]
    pub fn of(self, world: &WorldFrame) -> Self {
        match self {
            Self::Auto if world.dense => Self::Map,
            Self::Auto if counts(world).iter().sum::<u32>() > NAMED_MAX => Self::Signs,
            Self::Auto => Self::Names,
            Self::Names if world.dense => Self::Signs,
            chosen => chosen,
        }
    }

    /// One level closer or farther than the closest that is shown now.
    #[must_use]
    pub fn next(self, worlds: &[Rc<WorldFrame>], closer: bool) -> Self {
        let shown = worlds.iter().map(|world| self.of(world) as usize).max();
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
        assert_eq!(Detail::Auto.of(&world(50, false)), Detail::Names);
        assert_eq!(Detail::Auto.of(&world(51, false)), Detail::Signs);
        assert_eq!(Detail::Auto.of(&world(2_001, true)), Detail::Map);
        assert_eq!(Detail::Names.of(&world(900, false)), Detail::Names);
        assert_eq!(Detail::Names.of(&world(2_001, true)), Detail::Signs);
    }

    #[test]
    fn closer_and_farther_stop_at_the_ends() {
        let worlds = [Rc::new(world(2_001, true))];
        assert_eq!(Detail::Auto.next(&worlds, false), Detail::Map);
        assert_eq!(Detail::Auto.next(&worlds, true), Detail::Signs);
        assert_eq!(Detail::Signs.next(&worlds, false), Detail::Map);
        let worlds = [Rc::new(world(3, false))];
        assert_eq!(Detail::Auto.next(&worlds, true), Detail::Names);
        assert_eq!(Detail::Auto.next(&worlds, false), Detail::Signs);
    }
}
