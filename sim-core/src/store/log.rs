//! Revisions and change logs. One counter numbers all writes; a log keeps what has not been read yet.

/// The cluster-wide counter that every write takes a number from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Revision(pub u32);

impl Revision {
    /// The next number.
    pub fn bump(&mut self) -> u32 {
        assert!(self.0 < u32::MAX, "revisions are used up");
        self.0 += 1;
        self.0
    }
}

/// Changes in the order of their writes, until the plane hands them to its loops.
#[derive(Clone, Debug)]
pub struct ChangeLog<C> {
    entries: Vec<C>,
    read: usize,
}

impl<C> Default for ChangeLog<C> {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            read: 0,
        }
    }
}

impl<C: Copy> ChangeLog<C> {
    /// Adds a change.
    pub fn push(&mut self, change: C) {
        self.entries.push(change);
    }

    /// The oldest change that was not read. The log empties itself when all have been read.
    pub fn next_change(&mut self) -> Option<C> {
        let change = self.entries.get(self.read).copied();
        if change.is_some() {
            self.read += 1;
        } else {
            self.entries.clear();
            self.read = 0;
        }
        change
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_read_once_in_order_even_when_written_meanwhile() {
        let mut log = ChangeLog::default();
        log.push(1);
        log.push(2);
        assert_eq!(log.next_change(), Some(1));
        log.push(3);
        assert_eq!(
            (log.next_change(), log.next_change(), log.next_change()),
            (Some(2), Some(3), None)
        );
        assert!(log.entries.is_empty());
    }
}
