//! Random numbers without floats and without stored generators.
//!
//! Every decision has its own stream, named by seed, purpose, the stable name of whom it concerns
//! and a draw counter. One row more must not change another row's luck, and two worlds that differ
//! in one field share the luck of everything else. Names are hashes of text, never slots.

use rand::rngs::Xoshiro256PlusPlus;
use rand::{Rng, SeedableRng};

use crate::base::ratio::Ratio;
use crate::base::time::SimDuration;

/// What a run's luck grows from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Seed(pub u64);

/// Random numbers for one decision: built on the stack, never stored.
#[derive(Debug)]
pub struct Stream(Xoshiro256PlusPlus);

impl Stream {
    /// The stream of the `draw`th decision of `purpose` about the thing named `stable_key`
    /// ([`stable_hash`] of its name).
    #[inline]
    pub fn new(seed: Seed, purpose: &'static str, stable_key: u64, draw: u32) -> Self {
        // Purposes are constants, and so are their hashes.
        Self::of(seed, stable_hash(purpose), stable_key, draw)
    }

    fn of(seed: Seed, purpose: u64, stable_key: u64, draw: u32) -> Self {
        let mut state = mix(seed.0);
        state = mix(state ^ purpose);
        state = mix(state ^ stable_key);
        state = mix(state ^ u64::from(draw));
        Self(Xoshiro256PlusPlus::seed_from_u64(state))
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// True with probability `ratio` (always, from one upwards).
    pub fn chance(&mut self, ratio: Ratio) -> bool {
        self.below(ratio.denominator) < ratio.numerator
    }

    /// A number in `0..limit`, each equally likely. Panics when `limit` is zero.
    pub fn below(&mut self, limit: u32) -> u32 {
        assert!(limit != 0, "a number below zero was asked for");
        // The high half of a 32 x 32 bit product is uniform once low halves below 2^32 mod limit
        // are drawn again.
        let rejected = limit.wrapping_neg() % limit;
        loop {
            let product = (self.bits() >> 32) * u64::from(limit);
            if product as u32 >= rejected {
                return (product >> 32) as u32;
            }
        }
    }

    /// A number in `low..=high`, each equally likely. Panics when `low > high`.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        assert!(low <= high, "empty range {low}..={high}");
        let Some(limit) = (high - low).checked_add(1) else {
            return self.bits();
        };
        let rejected = limit.wrapping_neg() % limit;
        loop {
            let product = u128::from(self.bits()) * u128::from(limit);
            if product as u64 >= rejected {
                return low + (product >> 64) as u64;
            }
        }
    }

    /// A span between the two, both included, each microsecond equally likely.
    pub fn duration_between(&mut self, low: SimDuration, high: SimDuration) -> SimDuration {
        SimDuration::from_micros(self.between(low.as_micros(), high.as_micros()))
    }

    /// `base` lengthened by a uniform share of at most `factor` of it, as apimachinery's
    /// `wait.Jitter` does.
    pub fn jitter(&mut self, base: SimDuration, factor: Ratio) -> SimDuration {
        base + SimDuration::from_micros(self.between(0, factor.of(base.as_micros())))
    }

    /// An exponentially distributed span with this mean.
    pub fn exponential(&mut self, mean: SimDuration) -> SimDuration {
        let surprise = negative_log2(self.bits());
        let natural = (u128::from(surprise) * LN_2) >> LN_2_BITS;
        let micros = (u128::from(mean.as_micros()) * natural) >> LOG_BITS;
        SimDuration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
    }

    /// How many times something of probability `success` fails before it first succeeds;
    /// `u64::MAX` when it never does.
    pub fn geometric(&mut self, success: Ratio) -> u64 {
        if success.is_zero() {
            return u64::MAX;
        }
        if success.numerator >= success.denominator {
            return 0;
        }
        let failure = success.denominator - success.numerator;
        let step = log2(u64::from(success.denominator)) - log2(u64::from(failure));
        negative_log2(self.bits()) / step.max(1)
    }

    /// One of `items`, each equally likely; `None` when there is none.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        if items.is_empty() {
            return None;
        }
        let limit = u32::try_from(items.len()).expect("a slice to pick from fits u32");
        Some(&items[self.below(limit) as usize])
    }

    /// Puts `items` in an order, each equally likely.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let limit = u32::try_from(last + 1).expect("a slice to shuffle fits u32");
            items.swap(last, self.below(limit) as usize);
        }
    }
}

/// Hash of a text that is the same on every target and in every version: FNV-1a, 64 bits.
#[inline]
pub const fn stable_hash(text: &str) -> u64 {
    fold_bytes(FNV_OFFSET, text.as_bytes())
}

/// Hash of several texts, told apart from their concatenation.
pub fn stable_hash_parts(parts: &[&str]) -> u64 {
    parts.iter().fold(FNV_OFFSET, |state, part| {
        // 0xff is in no UTF-8 text.
        fold_bytes(fold_bytes(state, part.as_bytes()), &[0xff])
    })
}

/// A key made of another key and a number: a replica's ordinal, an attempt.
pub const fn stable_key_with(key: u64, number: u64) -> u64 {
    mix(key ^ mix(number))
}

/// Spreads every bit over all 64: the finalizer of SplitMix64.
pub const fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0000_0100_0000_01b3;

#[inline]
const fn fold_bytes(mut state: u64, bytes: &[u8]) -> u64 {
    let mut position = 0;
    while position < bytes.len() {
        state = (state ^ bytes[position] as u64).wrapping_mul(FNV_PRIME);
        position += 1;
    }
    state
}

/// Fraction bits of the logarithms below.
const LOG_BITS: u32 = 48;
/// The natural logarithm of two, with [`LN_2_BITS`] fraction bits.
const LN_2: u128 = 2_977_044_472;
const LN_2_BITS: u32 = 32;

/// -log2 of a uniform number in (0, 1] made of random bits, with [`LOG_BITS`] fraction bits.
fn negative_log2(bits: u64) -> u64 {
    (64 << LOG_BITS) - log2(bits.max(1))
}

/// log2 of `value >= 1`, with [`LOG_BITS`] fraction bits, rounded down: squaring the mantissa
/// yields one bit of the fraction at a time.
fn log2(value: u64) -> u64 {
    let zeros = value.leading_zeros();
    let mut mantissa = value << zeros;
    let mut result = u64::from(63 - zeros);
    for _ in 0..LOG_BITS {
        let square = u128::from(mantissa) * u128::from(mantissa);
        let carry = (square >> 127) as u32;
        mantissa = (square >> (63 + carry)) as u64;
        result = result << 1 | u64::from(carry);
    }
    result
}

#[cfg(test)]
mod tests;
