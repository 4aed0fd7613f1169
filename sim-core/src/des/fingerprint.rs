//! A rolling 64-bit hash of a run: equal runs have equal fingerprints on every target.

use std::hash::{Hash, Hasher};

use crate::base::rng::mix;

/// The hash so far. A `Hasher`, so that `derive(Hash)` describes what goes in; every integer
/// enters as a 64-bit word, whatever the size of `usize`.
///
/// Slices of bytes enter alike everywhere. Slices of `usize` would not: there are none in state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fingerprint(u64);

impl Fingerprint {
    /// The fingerprint of nothing.
    pub const fn new() -> Self {
        Self(0x506f_6469_756d_0001)
    }

    /// Folds one value in.
    pub fn fold<T: Hash + ?Sized>(&mut self, value: &T) {
        value.hash(self);
    }

    /// The hash as 16 hexadecimal digits.
    pub fn hex(&self) -> String {
        format!("{:016x}", self.finish())
    }

    fn word(&mut self, word: u64) {
        // Multiplying by an odd number and rotating loses nothing; order matters.
        self.0 = (self.0.rotate_left(23) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

impl Default for Fingerprint {
    fn default() -> Self {
        Self::new()
    }
}

impl Hasher for Fingerprint {
    fn finish(&self) -> u64 {
        mix(self.0)
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.word(u64::from_le_bytes(word));
        }
        self.word(bytes.len() as u64);
    }

    fn write_u8(&mut self, number: u8) {
        self.word(u64::from(number));
    }

    fn write_u16(&mut self, number: u16) {
        self.word(u64::from(number));
    }

    fn write_u32(&mut self, number: u32) {
        self.word(u64::from(number));
    }

    fn write_u64(&mut self, number: u64) {
        self.word(number);
    }

    fn write_u128(&mut self, number: u128) {
        self.word(number as u64);
        self.word((number >> 64) as u64);
    }

    fn write_usize(&mut self, number: usize) {
        self.word(number as u64);
    }

    fn write_i8(&mut self, number: i8) {
        self.write_i64(i64::from(number));
    }

    fn write_i16(&mut self, number: i16) {
        self.write_i64(i64::from(number));
    }

    fn write_i32(&mut self, number: i32) {
        self.write_i64(i64::from(number));
    }

    fn write_i64(&mut self, number: i64) {
        self.word(number as u64);
    }

    fn write_i128(&mut self, number: i128) {
        self.write_u128(number as u128);
    }

    fn write_isize(&mut self, number: isize) {
        self.write_i64(number as i64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of<T: Hash>(value: T) -> Fingerprint {
        let mut fingerprint = Fingerprint::new();
        fingerprint.fold(&value);
        fingerprint
    }

    #[test]
    fn the_size_of_an_integer_does_not_matter() {
        assert_eq!(of(7_u8), of(7_u64));
        assert_eq!(of(7_usize), of(7_u64));
        assert_eq!(of(7_isize), of(7_i64));
        assert_eq!(of(-7_i32), of(-7_isize));
    }

    #[test]
    fn order_and_grouping_matter() {
        assert_ne!(of((1, 2)), of((2, 1)));
        assert_ne!(of(("ab", "c")), of(("a", "bc")));
        assert_ne!(of(0), Fingerprint::new());
        assert_ne!(of(vec![0_u32; 2]), of(vec![0_u32; 3]));
    }

    /// Saved runs carry fingerprints: this number is the same on every target.
    #[test]
    fn the_hash_is_that_of_every_target() {
        #[derive(Hash)]
        enum Event {
            Sync { slot: u32, revision: u64 },
        }
        let fingerprint = of((
            Event::Sync {
                slot: 3,
                revision: 9,
            },
            "web",
            Some(1_u16),
        ));
        expect_test::expect!["de9bb0024f0e2769"].assert_eq(&fingerprint.hex());
    }
}
