//! The trace: every notice with its time, event and cause, kept for the retained window.
//!
//! A chain of causes is a walk over this table alone: `sim why`, the mechanism sentences of
//! `compare` and the page's causal view all read it.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::base::symbol::Symbols;
use crate::base::time::SimTime;
use crate::des::notice::{Detail, Notice};
use crate::des::queue::Seq;

/// Entries kept in memory; older ones come back by replay from a snapshot. 120 bytes each.
pub const TRACE_ENTRIES_MAX: usize = 1 << 17;

/// Entries in one shared block, so that a snapshot copies one block at most.
const BLOCK: usize = 256;

/// One line of the trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Entry {
    /// When.
    pub at: SimTime,
    /// The event or command that left it, numbered in the order in which they were carried out.
    /// Several entries of one event share the number.
    pub seq: Seq,
    /// The noted event that led to this one; zero: it came from outside.
    pub cause: Seq,
    /// What.
    pub notice: Notice,
}

/// The retained entries, oldest first. Blocks are shared between snapshots.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    blocks: VecDeque<Arc<Vec<Entry>>>,
    len: usize,
    dropped: u64,
}

impl Trace {
    /// Adds an entry; the oldest block goes when the window is full.
    pub fn push(&mut self, entry: Entry) {
        let full = self.blocks.back().is_none_or(|block| block.len() == BLOCK);
        if full {
            if self.len >= TRACE_ENTRIES_MAX
                && let Some(block) = self.blocks.pop_front()
            {
                self.len -= block.len();
                self.dropped += block.len() as u64;
            }
            self.blocks.push_back(Arc::new(Vec::with_capacity(BLOCK)));
        }
        let last = self.blocks.len() - 1;
        Arc::make_mut(&mut self.blocks[last]).push(entry);
        self.len += 1;
    }

    /// Number of retained entries.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing is retained.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Entries that fell out of the window since the start.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Bytes of entries that `later`, a clone that went on, no longer has.
    pub fn bytes_apart(&self, later: &Self) -> usize {
        let gone = later.dropped.saturating_sub(self.dropped);
        let gone = usize::try_from(gone).unwrap_or(usize::MAX).min(self.len);
        // The last block was copied when `later` went on.
        (gone + BLOCK) * size_of::<Entry>() + self.blocks.len() * size_of::<usize>()
    }

    /// The entry at `position` among the retained ones.
    pub fn get(&self, position: usize) -> Option<&Entry> {
        if position >= self.len {
            return None;
        }
        // All blocks but the last are full.
        self.blocks.get(position / BLOCK)?.get(position % BLOCK)
    }

    /// Retained entries, oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Entry> {
        self.blocks.iter().flat_map(|block| block.iter())
    }

    /// Position of the first entry of event `seq` or a later one.
    pub fn position(&self, seq: Seq) -> usize {
        let (mut low, mut high) = (0, self.len);
        while low < high {
            let middle = usize::midpoint(low, high);
            if self.get(middle).is_some_and(|entry| entry.seq < seq) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// Position of the first entry at `at` or later.
    pub fn position_at(&self, at: SimTime) -> usize {
        let (mut low, mut high) = (0, self.len);
        while low < high {
            let middle = usize::midpoint(low, high);
            if self.get(middle).is_some_and(|entry| entry.at < at) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// Entries that event `seq` left.
    pub fn of(&self, seq: Seq) -> impl Iterator<Item = &Entry> {
        let start = self.position(seq);
        (start..self.len)
            .map_while(move |position| self.get(position))
            .take_while(move |entry| entry.seq == seq)
    }

    /// The chain of causes that ends at `seq`: one representative entry for each event, oldest
    /// first. The representative is the entry with a rule if there is one, else the first.
    pub fn chain(&self, seq: Seq) -> Vec<Entry> {
        let mut chain = Vec::new();
        let mut at = seq;
        while let Some(entry) = self.representative(at) {
            chain.push(entry);
            if entry.cause >= at {
                break;
            }
            at = entry.cause;
        }
        chain.reverse();
        chain
    }

    fn representative(&self, seq: Seq) -> Option<Entry> {
        let mut first = None;
        for entry in self.of(seq) {
            if entry.notice.rule.is_some() {
                return Some(*entry);
            }
            if first.is_none() {
                first = Some(*entry);
            }
        }
        first
    }
}

/// `kind/name` of an entry's subject.
pub fn subject_text(notice: &Notice, symbols: &Symbols) -> String {
    let mut text = String::from(notice.subject.kind);
    text.push('/');
    notice.subject.name.write(symbols, &mut text);
    text
}

/// The text of an entry's detail; empty if there is none.
pub fn detail_text(notice: &Notice, symbols: &Symbols) -> String {
    match notice.detail {
        Detail::None => String::new(),
        Detail::Text(symbol) => symbols.text(symbol).to_owned(),
        Detail::To(name) => format!("-> {}", name.text(symbols)),
        Detail::ToOf(name, number, of) => format!("-> {}  {number} of {of}", name.text(symbols)),
        Detail::Change(from, to) => format!("{from} -> {to}"),
        Detail::Number(number) => number.to_string(),
        Detail::Span(span) => span.to_string(),
        Detail::Exit(code) => format!("exit {code}"),
    }
}

/// One line: time, source, verb, subject, detail and rule, in fixed columns.
pub fn line(entry: &Entry, symbols: &Symbols) -> String {
    let notice = &entry.notice;
    let mut text = format!(
        "{:<10} {:<22} {:<10} {}",
        entry.at.to_string(),
        notice.source,
        notice.verb,
        subject_text(notice, symbols)
    );
    let detail = detail_text(notice, symbols);
    if !detail.is_empty() {
        text.push_str("  ");
        text.push_str(&detail);
    }
    if let Some(rule) = notice.rule {
        text.push_str(&format!("  [{} {}]", rule.key, rule.value));
    }
    text
}
