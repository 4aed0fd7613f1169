//! Identifiers as SwarmKit makes them: 25 characters of base 36.
//! Source: swarmkit `identity/randomid.go`.

use crate::base::rng::{Seed, Stream, mix, stable_hash};

/// Length of an identifier's text.
pub const ID_LENGTH: usize = 25;

/// Length that tables cut an identifier to.
pub const SHORT_LENGTH: usize = 12;

/// An object's identifier, kept as the number that its text grows from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity(u64);

impl Identity {
    /// Draws the `draw`th identifier of a `purpose` for the thing with this stable name.
    pub fn draw(seed: Seed, purpose: &'static str, name: &str, draw: u32) -> Self {
        Self(Stream::new(seed, purpose, stable_hash(name), draw).bits())
    }

    /// The identifier of a fixed number; for tests and for keys derived from another identifier.
    pub const fn of(number: u64) -> Self {
        Self(number)
    }

    /// The number, as a key for streams.
    pub const fn key(self) -> u64 {
        self.0
    }

    /// The text: 25 digits of base 36.
    pub fn text(self) -> String {
        const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
        // Twelve digits of base 36 need 62 bits; three words give more than 25 digits.
        let mut text = String::with_capacity(ID_LENGTH);
        let mut state = self.0;
        for count in [12, 12, 1] {
            state = mix(state);
            let mut rest = state;
            for _ in 0..count {
                text.push(char::from(DIGITS[(rest % 36) as usize]));
                rest /= 36;
            }
        }
        text
    }

    /// The first twelve characters, as tables show them.
    pub fn short(self) -> String {
        let mut text = self.text();
        text.truncate(SHORT_LENGTH);
        text
    }
}
