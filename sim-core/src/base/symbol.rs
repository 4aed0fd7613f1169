//! Interned strings.
//!
//! Append-only; cloning shares everything, and a clone may go on interning by itself (a branch of
//! history). A symbol's number therefore depends on which branch interned first: symbols are
//! compared for equality only, never ordered, never hashed into a fingerprint, never sent away.

use std::sync::Arc;

use crate::base::intern::HashIndex;
use crate::base::rng::stable_hash;

const CHUNK_TEXTS: usize = 256;

/// An interned string. `Hash` is for lookup tables only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Symbol(u32);

impl Symbol {
    /// The empty string, in every interner.
    pub const EMPTY: Self = Self(0);

    /// Its number, for keys of indices: it says nothing of the text, and nothing may be shown or done
    /// in its order.
    pub const fn number(self) -> u32 {
        self.0
    }

    /// Whether this is the empty string.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// The interner.
#[derive(Clone, Debug)]
pub struct Symbols {
    chunks: Vec<Arc<Chunk>>,
    index: HashIndex,
    len: u32,
}

/// Up to [`CHUNK_TEXTS`] strings end to end; only the last chunk ever grows.
#[derive(Clone, Debug, Default)]
struct Chunk {
    text: String,
    ends: Vec<u32>,
}

impl Symbols {
    /// An interner that knows the empty string.
    pub fn new() -> Self {
        let mut symbols = Self {
            chunks: Vec::new(),
            index: HashIndex::default(),
            len: 0,
        };
        let empty = symbols.intern("");
        assert!(empty == Symbol::EMPTY);
        symbols
    }

    /// The symbol of `text`, made when it is new.
    pub fn intern(&mut self, text: &str) -> Symbol {
        let hash = stable_hash(text);
        if let Some(symbol) = self.find(hash, text) {
            return symbol;
        }
        let chunks = &self.chunks;
        let number = self
            .index
            .push(hash, |number| stable_hash(chunk_text(chunks, number)));
        assert!(number == self.len);
        if (number as usize).is_multiple_of(CHUNK_TEXTS) {
            self.chunks.push(Arc::new(Chunk::default()));
        }
        let last = self.chunks.len() - 1;
        let chunk = Arc::make_mut(&mut self.chunks[last]);
        chunk.text.push_str(text);
        chunk
            .ends
            .push(u32::try_from(chunk.text.len()).expect("256 bounded texts fit 4 GiB"));
        self.len += 1;
        Symbol(number)
    }

    /// The symbol of `text`, if it was interned.
    pub fn get(&self, text: &str) -> Option<Symbol> {
        self.find(stable_hash(text), text)
    }

    /// The text of `symbol`. Panics when another interner made it and this one is shorter.
    pub fn text(&self, symbol: Symbol) -> &str {
        chunk_text(&self.chunks, symbol.0)
    }

    /// Number of interned strings.
    pub const fn len(&self) -> u32 {
        self.len
    }

    /// Never: the empty string is always there.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn find(&self, hash: u64, text: &str) -> Option<Symbol> {
        self.index
            .find(hash, |number| chunk_text(&self.chunks, number) == text)
            .map(Symbol)
    }
}

impl Default for Symbols {
    fn default() -> Self {
        Self::new()
    }
}

fn chunk_text(chunks: &[Arc<Chunk>], number: u32) -> &str {
    let chunk = &chunks[number as usize / CHUNK_TEXTS];
    let position = number as usize % CHUNK_TEXTS;
    let start = if position == 0 {
        0
    } else {
        chunk.ends[position - 1]
    };
    &chunk.text[start as usize..chunk.ends[position] as usize]
}

#[cfg(test)]
mod tests;
