//! Small numbers by node: a short list, or a column once many nodes have some.

/// Entries after which a list becomes a column.
const FEW_MAX: usize = 256;

/// Counts by node slot.
#[derive(Clone, Debug)]
pub enum Counts {
    /// Sorted by slot, none of them zero.
    Few(Vec<(u32, u32)>),
    /// By slot.
    Many(Vec<u32>),
}

impl Default for Counts {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

impl Counts {
    /// The count of a node.
    pub fn get(&self, slot: u32) -> u32 {
        match self {
            Self::Few(list) => list
                .binary_search_by_key(&slot, |(node, _)| *node)
                .map_or(0, |index| list[index].1),
            Self::Many(column) => column.get(slot as usize).copied().unwrap_or(0),
        }
    }

    /// Changes the count of a node; it never falls below zero.
    pub fn add(&mut self, slot: u32, by: i32) {
        match self {
            Self::Few(list) => match list.binary_search_by_key(&slot, |(node, _)| *node) {
                Ok(index) => {
                    list[index].1 = list[index].1.saturating_add_signed(by);
                    if list[index].1 == 0 {
                        list.remove(index);
                    }
                }
                Err(index) if by > 0 => list.insert(index, (slot, by.unsigned_abs())),
                Err(_) => {}
            },
            Self::Many(column) => {
                let index = slot as usize;
                if index >= column.len() {
                    column.resize(index + 1, 0);
                }
                column[index] = column[index].saturating_add_signed(by);
            }
        }
        if let Self::Few(list) = self
            && list.len() > FEW_MAX
        {
            let last = list.last().map_or(0, |(slot, _)| *slot as usize);
            let mut column = vec![0; last + 1];
            for (slot, count) in list.iter() {
                column[*slot as usize] = *count;
            }
            *self = Self::Many(column);
        }
    }

    /// Visits the nodes that have some, by slot.
    pub fn for_each(&self, mut visit: impl FnMut(u32, u32)) {
        match self {
            Self::Few(list) => list.iter().for_each(|(slot, count)| visit(*slot, *count)),
            Self::Many(column) => {
                (0..)
                    .zip(column)
                    .filter(|(_, count)| **count > 0)
                    .for_each(|(slot, count)| visit(slot, *count));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_list_becomes_a_column() {
        let mut counts = Counts::default();
        for slot in (0..400).rev() {
            counts.add(slot, 2);
            counts.add(slot, -1);
        }
        assert!(matches!(counts, Counts::Many(_)));
        counts.add(7, -5);
        assert_eq!((counts.get(6), counts.get(7), counts.get(900)), (1, 0, 0));
        let mut seen = 0;
        counts.for_each(|_, count| seen += count);
        assert_eq!(seen, 399);
    }
}
