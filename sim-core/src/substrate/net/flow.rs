//! Users: an even stream of requests to every balancer, counted by stretches.
//!
//! Between two changes of the answered share nothing happens; at a change the stretch behind it is
//! added up. What is counted is requests in 10^-12 (rate in 10^-6 per second, times time in 10^-6
//! seconds): exact for what was offered, rounded down once for each stretch for what was answered.

use std::sync::Arc;

use crate::base::name::Name;
use crate::base::symbol::Symbol;
use crate::base::time::{SimDuration, SimTime};
use crate::des::notice::{Detail, Notice, Subject};
use crate::substrate::{Scope, Substrate, SubstrateOutbox};

/// Requests per second, in millionths, that users send to a balancer unless told otherwise: 10/s.
pub const DEFAULT_RATE: u64 = 10_000_000;

/// Changes of share that a flow keeps for charts. When there are more, the older half is thinned.
pub const HISTORY_MAX: usize = 1_024;

/// An exact share in lowest terms. 0 is 0/1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Share {
    /// Numerator.
    pub numerator: u64,
    /// Denominator, not 0.
    pub denominator: u64,
}

impl Share {
    /// Nothing.
    pub const NONE: Self = Self {
        numerator: 0,
        denominator: 1,
    };
    /// All.
    pub const ALL: Self = Self {
        numerator: 1,
        denominator: 1,
    };

    /// `numerator / denominator`. Panics when the denominator is zero.
    pub fn new(numerator: u64, denominator: u64) -> Self {
        Self::reduced(u128::from(numerator), u128::from(denominator))
    }

    /// Sum.
    pub fn plus(self, other: Self) -> Self {
        let (a, b) = (u128::from(self.denominator), u128::from(other.denominator));
        Self::reduced(
            u128::from(self.numerator) * b + u128::from(other.numerator) * a,
            a * b,
        )
    }

    /// Quotient by a whole number. Panics when it is zero.
    pub fn divided(self, by: u64) -> Self {
        Self::reduced(
            u128::from(self.numerator),
            u128::from(self.denominator) * u128::from(by),
        )
    }

    /// Thousandths, rounded down: 1000 means all and nothing less.
    pub fn per_mille(self) -> u64 {
        u64::try_from(u128::from(self.numerator) * 1_000 / u128::from(self.denominator))
            .unwrap_or(u64::MAX)
    }

    /// The part of `amount`, rounded down.
    pub fn of(self, amount: u128) -> u128 {
        amount * u128::from(self.numerator) / u128::from(self.denominator)
    }

    /// In lowest terms. Where even these are beyond what rules of real size can give, both numbers
    /// lose their last bits.
    fn reduced(mut numerator: u128, mut denominator: u128) -> Self {
        assert!(denominator != 0, "a share of nothing");
        let divisor = greatest_common_divisor(numerator, denominator);
        numerator /= divisor;
        denominator /= divisor;
        while numerator.max(denominator) > u128::from(LARGEST_TERM) {
            numerator >>= 1;
            denominator >>= 1;
        }
        Self {
            numerator: u64::try_from(numerator).expect("below the largest term"),
            denominator: u64::try_from(denominator.max(1)).expect("below the largest term"),
        }
    }
}

/// Keeps sums of two shares within 128 bits, and a year of a billion requests per second too.
const LARGEST_TERM: u64 = 1 << 40;

fn greatest_common_divisor(mut a: u128, mut b: u128) -> u128 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// From then on, this share was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Change {
    /// When.
    pub at: SimTime,
    /// What was answered from then on.
    pub share: Share,
}

/// What the users of one balancer offered and got.
#[derive(Clone, Debug)]
pub struct Flow {
    /// When the rules were first there.
    pub since: SimTime,
    /// When a request was first answered.
    pub first_answered: Option<SimTime>,
    /// What was offered before the first answer, in 10^-12 requests.
    pub offered_before: u128,
    /// Requests per second, in millionths.
    pub rate: u64,
    /// What is answered now.
    pub share: Share,
    /// Last change of the share.
    pub changed: SimTime,
    /// Up to where the sums go.
    counted: SimTime,
    offered: u128,
    answered: u128,
    unserved: SimDuration,
    history: Vec<Change>,
}

/// Sums of a flow up to a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Totals {
    /// Requests sent, in 10^-12.
    pub offered: u128,
    /// Requests answered, in 10^-12.
    pub answered: u128,
    /// Time during which less than all requests were answered, whatever the rate.
    pub unserved: SimDuration,
}

impl Totals {
    /// What came between an earlier reading and this one.
    pub fn since(self, earlier: Self) -> Self {
        Self {
            offered: self.offered.saturating_sub(earlier.offered),
            answered: self.answered.saturating_sub(earlier.answered),
            unserved: self.unserved.saturating_sub(earlier.unserved),
        }
    }

    /// Answered share in millionths, rounded down; all if nothing was offered.
    pub fn availability_millionths(self) -> u64 {
        if self.offered == 0 {
            return 1_000_000;
        }
        u64::try_from(self.answered * 1_000_000 / self.offered).unwrap_or(u64::MAX)
    }
}

impl Flow {
    pub(super) fn new(now: SimTime, rate: u64) -> Self {
        Self {
            since: now,
            first_answered: None,
            offered_before: 0,
            rate,
            share: Share::NONE,
            changed: now,
            counted: now,
            offered: 0,
            answered: 0,
            unserved: SimDuration::ZERO,
            history: vec![Change {
                at: now,
                share: Share::NONE,
            }],
        }
    }

    /// Sums up to `now`, which is not before the last change.
    pub fn totals(&self, now: SimTime) -> Totals {
        let span = now.since(self.counted);
        let offered = u128::from(self.rate) * u128::from(span.as_micros());
        let missing = if self.share == Share::ALL {
            SimDuration::ZERO
        } else {
            span
        };
        Totals {
            offered: self.offered + offered,
            answered: self.answered + self.share.of(offered),
            unserved: self.unserved + missing,
        }
    }

    /// Changes of the share, oldest first; the first is the flow's beginning. Long histories are
    /// thinned at their old end; sums are not.
    pub fn history(&self) -> &[Change] {
        &self.history
    }

    fn count(&mut self, now: SimTime) {
        let Totals {
            offered,
            answered,
            unserved,
        } = self.totals(now);
        self.offered = offered;
        self.answered = answered;
        self.unserved = unserved;
        self.counted = now;
    }

    pub(super) fn set_share(
        &mut self,
        name: Symbol,
        share: Share,
        now: SimTime,
        out: &mut SubstrateOutbox,
    ) {
        if share == self.share {
            return;
        }
        self.count(now);
        let (before, after) = (self.share.per_mille(), share.per_mille());
        self.share = share;
        self.changed = now;
        if share != Share::NONE && self.first_answered.is_none() {
            self.first_answered = Some(now);
            self.offered_before = self.offered;
        }
        match self.history.last_mut() {
            Some(last) if last.at == now => last.share = share,
            Some(_) | None => self.history.push(Change { at: now, share }),
        }
        if self.history.len() > HISTORY_MAX {
            let mut position = 0_usize;
            self.history.retain(|_| {
                position += 1;
                position > HISTORY_MAX / 2 || position % 2 == 1
            });
        }
        if before != after {
            out.notice(Notice {
                source: "substrate.users",
                verb: "served",
                subject: Subject {
                    kind: "service",
                    name: Name::plain(name),
                },
                detail: Detail::Change(before.cast_signed(), after.cast_signed()),
                rule: None,
            });
        }
    }
}

impl Substrate {
    /// Sets what users send to the balancers of this name, in millionths of requests per second.
    pub fn set_traffic(&mut self, name: Symbol, rate: u64, scope: &mut Scope<'_>) {
        self.rates.insert(name, rate);
        let mut asked = Vec::new();
        for balancer in self.balancers.values_mut().filter(|row| row.name == name) {
            asked.extend(balancer.backends().iter().map(|backend| backend.sandbox));
            let flow = &mut Arc::make_mut(balancer).flow;
            flow.count(scope.now);
            flow.rate = rate;
        }
        self.unsummed.append(&mut asked);
        self.settle(scope);
    }

    /// What users send to the balancers of this name, in millionths of requests per second.
    pub(super) fn rate_of(&self, name: Symbol) -> u64 {
        self.rates.get(&name).copied().unwrap_or(DEFAULT_RATE)
    }

    /// All flows: name and what its users offered and got, in the order of the planes' keys.
    pub fn flows(&self) -> impl Iterator<Item = (Symbol, &Flow)> {
        self.balancers.values().map(|row| (row.name, &row.flow))
    }
}
