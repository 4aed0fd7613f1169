//! Names as rows keep them: an interned prefix and a number, made into text only where it is shown.

use crate::base::symbol::{Symbol, Symbols};
use crate::base::time::SimDuration;

/// The 27 letters of generated Kubernetes names.
/// Source: `staging/src/k8s.io/apimachinery/pkg/util/rand/rand.go`.
pub const SUFFIX_LETTERS: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";

/// Number of five-letter suffixes: 27^5.
pub const SUFFIX_COUNT: u32 = 14_348_907;

/// Writes the five letters of a number below [`SUFFIX_COUNT`] to the end of a text.
pub fn push_letters(text: &mut String, mut number: u32) {
    for _ in 0..5 {
        text.push(char::from(SUFFIX_LETTERS[(number % 27) as usize]));
        number /= 27;
    }
}

/// What follows the prefix of a [`Name`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Suffix {
    /// The prefix is the whole name.
    None,
    /// `-` and five letters of [`SUFFIX_LETTERS`]; the number is below [`SUFFIX_COUNT`].
    Letters(u32),
    /// `-` and a decimal number: an ordinal, a Compose container number.
    Dash(u32),
    /// `.` and a decimal number: a Swarm slot.
    Dot(u32),
}

/// A name of 12 bytes that rows and notices can carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Name {
    /// Interned first part.
    pub prefix: Symbol,
    /// Number after it.
    pub suffix: Suffix,
}

impl Name {
    /// A name that is its symbol.
    pub const fn plain(prefix: Symbol) -> Self {
        Self {
            prefix,
            suffix: Suffix::None,
        }
    }

    /// Writes the name's text to the end of `text`.
    pub fn write(self, symbols: &Symbols, text: &mut String) {
        text.push_str(symbols.text(self.prefix));
        match self.suffix {
            Suffix::None => {}
            Suffix::Letters(number) => {
                text.push('-');
                push_letters(text, number);
            }
            Suffix::Dash(number) => {
                text.push('-');
                text.push_str(&number.to_string());
            }
            Suffix::Dot(number) => {
                text.push('.');
                text.push_str(&number.to_string());
            }
        }
    }

    /// Whether a text is the name's: almost all that are not differ before anything is made of them.
    pub fn is(self, text: &str, symbols: &Symbols) -> bool {
        let rest = text.strip_prefix(symbols.text(self.prefix));
        rest.is_some_and(|rest| match self.suffix {
            Suffix::None => rest.is_empty(),
            Suffix::Letters(_) => rest.len() == 6 && self.text(symbols) == text,
            Suffix::Dash(_) => rest.starts_with('-') && self.text(symbols) == text,
            Suffix::Dot(_) => rest.starts_with('.') && self.text(symbols) == text,
        })
    }

    /// All names that a text can be the text of: its whole, or one that ends in a number.
    pub fn readings(text: &str, symbols: &Symbols) -> impl Iterator<Item = Self> {
        let named = |prefix: &str, suffix| {
            let prefix = symbols.get(prefix)?;
            Some(Self { prefix, suffix })
        };
        let numbered = |mark: char, suffix: fn(u32) -> Suffix| {
            let (prefix, digits) = text.rsplit_once(mark)?;
            let number = digits.parse().ok()?;
            named(prefix, suffix(number)).filter(|name| name.is(text, symbols))
        };
        let lettered = || {
            let (prefix, letters) = text.rsplit_once('-').filter(|(_, it)| it.len() == 5)?;
            let number = letters.bytes().rev().try_fold(0, |number, letter| {
                let digit = SUFFIX_LETTERS.iter().position(|one| *one == letter)?;
                Some(number * 27 + digit as u32)
            })?;
            named(prefix, Suffix::Letters(number))
        };
        [
            named(text, Suffix::None),
            lettered(),
            numbered('-', Suffix::Dash),
            numbered('.', Suffix::Dot),
        ]
        .into_iter()
        .flatten()
    }

    /// The name's text.
    pub fn text(self, symbols: &Symbols) -> String {
        let mut text = String::new();
        self.write(symbols, &mut text);
        text
    }
}

/// A documented timer or rule that made something wait, with the value it had in this run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rule {
    /// The upstream's own name of the setting, e.g. `node-monitor-grace-period`.
    pub key: &'static str,
    /// Its value in this run.
    pub value: SimDuration,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_read_as_every_name_that_it_can_be() {
        let mut symbols = Symbols::new();
        let (web, whole) = (symbols.intern("web"), symbols.intern("web-22222"));
        let suffixes = [
            Suffix::None,
            Suffix::Letters(0),
            Suffix::Letters(SUFFIX_COUNT - 1),
            Suffix::Letters(1_234_567),
            Suffix::Dash(0),
            Suffix::Dash(22_222),
            Suffix::Dot(7),
        ];
        for suffix in suffixes {
            let name = Name {
                prefix: web,
                suffix,
            };
            let text = name.text(&symbols);
            assert!(Name::readings(&text, &symbols).any(|one| one == name));
            assert!(Name::readings(&text, &symbols).all(|one| one.is(&text, &symbols)));
        }
        let all: Vec<Name> = Name::readings("web-22222", &symbols).collect();
        assert_eq!(all.len(), 3, "{all:?}");
        assert!(all.contains(&Name::plain(whole)));
        for nobody in ["web-007", "web-abcde", "other-22222", "web-", ""] {
            let found = Name::readings(nobody, &symbols).count();
            assert_eq!(found, usize::from(nobody.is_empty()), "{nobody}");
        }
    }
}
