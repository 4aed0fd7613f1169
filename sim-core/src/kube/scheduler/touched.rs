//! Which nodes changed, in the order in which they did: what was made of the nodes' numbers is
//! brought up to date by what changed since, instead of by a look at every node.

/// Entries kept beyond one for each node.
const ENTRIES_MIN: usize = 1_024;

/// The latest changes. Nothing that a run depends on: a clone starts empty.
#[derive(Debug, Default)]
pub struct Touched {
    /// Number of the first entry that is kept.
    first: u64,
    slots: Vec<u32>,
}

impl Clone for Touched {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Touched {
    /// A node changed; `nodes`: how many there may be.
    pub fn push(&mut self, slot: u32, nodes: usize) {
        if self.slots.len() >= 2 * nodes.max(ENTRIES_MIN) {
            let old = self.slots.len() / 2;
            self.slots.drain(..old);
            self.first += old as u64;
        }
        self.slots.push(slot);
    }

    /// Number of the next entry.
    pub fn end(&self) -> u64 {
        self.first + self.slots.len() as u64
    }

    /// Entries from a number on; `None`: they are not kept any more.
    pub fn since(&self, number: u64) -> Option<&[u32]> {
        let skip = usize::try_from(number.checked_sub(self.first)?).ok()?;
        self.slots.get(skip..)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_entries_give_way() {
        let mut touched = Touched::default();
        touched.push(7, 1);
        assert_eq!(touched.since(0), Some(&[7][..]));
        let seen = touched.end();
        for slot in 0..3_000 {
            touched.push(slot, 1);
        }
        assert_eq!(touched.since(seen), None);
        assert_eq!(touched.since(touched.end() - 2), Some(&[2_998, 2_999][..]));
        assert_eq!(touched.since(touched.end()), Some(&[][..]));
    }
}
