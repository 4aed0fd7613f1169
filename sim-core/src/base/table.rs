//! Rows in pages of 16 that snapshots share.
//!
//! `clone` copies one pointer per page; the first write to a shared page copies its 16 rows. A
//! removed slot is reused last in, first out, under a new generation, so old ids read as absent.
//!
//! ```text
//! pages: [ Arc -> [16 slots] ][ Arc -> [16 slots] ] ...   slot = page * 16 + offset
//! free:  head -> slot -> slot -> end        (linked through the free slots themselves)
//! ```
//!
//! Sixteen rows a page: eight scan half as fast, thirty-two cost nearly twice as much per update.

use std::fmt;
use std::num::NonZeroU32;
use std::ops::{Index, IndexMut};
use std::sync::Arc;

use crate::base::id::Id;

const PAGE_ROWS: usize = 16;
const END_OF_FREE_LIST: u32 = u32::MAX;

/// Paged rows with generations.
#[derive(Clone)]
pub struct Table<T: Clone> {
    pages: Vec<Arc<[Slot<T>; PAGE_ROWS]>>,
    /// Slots that ever held a row; those after it are fresh.
    used_slots: u32,
    free_head: u32,
    len: u32,
}

#[derive(Clone)]
enum Slot<T> {
    Row {
        generation: NonZeroU32,
        row: T,
    },
    /// `generation` is that of the next row here.
    Free {
        generation: NonZeroU32,
        next: u32,
    },
}

impl<T: Clone> Table<T> {
    /// A table without rows.
    pub const fn new() -> Self {
        Self {
            pages: Vec::new(),
            used_slots: 0,
            free_head: END_OF_FREE_LIST,
            len: 0,
        }
    }

    /// Adds a row and names it. Panics past 2^32 - 1 slots.
    pub fn insert(&mut self, row: T) -> Id<T> {
        let slot = if self.free_head == END_OF_FREE_LIST {
            self.grow()
        } else {
            self.free_head
        };
        let place = self.slot_mut(slot);
        let Slot::Free { generation, next } = *place else {
            unreachable!("free list names a slot in use");
        };
        *place = Slot::Row { generation, row };
        if slot == self.free_head {
            self.free_head = next;
        }
        self.len += 1;
        Id::new(slot, generation)
    }

    /// The row `id` names, unless it was removed.
    pub fn get(&self, id: Id<T>) -> Option<&T> {
        match self.slot(id.slot())? {
            Slot::Row { generation, row } if *generation == id.generation() => Some(row),
            Slot::Row { .. } | Slot::Free { .. } => None,
        }
    }

    /// The row `id` names, for writing: copies its page when a snapshot shares it.
    pub fn get_mut(&mut self, id: Id<T>) -> Option<&mut T> {
        let slot = id.slot() as usize;
        let page = self.pages.get_mut(slot / PAGE_ROWS)?;
        // No page is copied for a row that is gone.
        match &page[slot % PAGE_ROWS] {
            Slot::Row { generation, .. } if *generation == id.generation() => {}
            Slot::Row { .. } | Slot::Free { .. } => return None,
        }
        match &mut Arc::make_mut(page)[slot % PAGE_ROWS] {
            Slot::Row { row, .. } => Some(row),
            Slot::Free { .. } => None,
        }
    }

    /// Whether `id` names a row.
    pub fn contains(&self, id: Id<T>) -> bool {
        self.get(id).is_some()
    }

    /// Removes the row `id` names and returns it; every id of it is stale from now on.
    pub fn remove(&mut self, id: Id<T>) -> Option<T> {
        if !self.contains(id) {
            return None;
        }
        let next = self.free_head;
        // A slot whose generations are used up is left out of the free list for good.
        let (generation, reusable) = match id.generation().checked_add(1) {
            Some(generation) => (generation, true),
            None => (id.generation(), false),
        };
        let place = self.slot_mut(id.slot());
        let Slot::Row { row, .. } = std::mem::replace(place, Slot::Free { generation, next })
        else {
            unreachable!("a row that was just read is gone");
        };
        if reusable {
            self.free_head = id.slot();
        }
        self.len -= 1;
        Some(row)
    }

    /// Removes every row; ids stay stale.
    pub fn clear(&mut self) {
        for slot in 0..self.used_slots {
            if let Some(id) = self.id_at(slot) {
                self.remove(id);
            }
        }
    }

    /// Rows with their ids, in slot order.
    pub fn iter(&self) -> Rows<'_, T> {
        Rows {
            pages: self.pages.iter(),
            page: [].iter(),
            slot: 0,
        }
    }

    /// Ids of all rows, in slot order.
    pub fn ids(&self) -> impl Iterator<Item = Id<T>> + Clone {
        self.iter().map(|(id, _)| id)
    }

    /// Rows, in slot order.
    pub fn rows(&self) -> impl Iterator<Item = &T> + Clone {
        self.iter().map(|(_, row)| row)
    }

    /// Number of rows.
    pub const fn len(&self) -> u32 {
        self.len
    }

    /// Whether there is no row.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The id of the row in `slot`, if there is one. With [`Table::capacity_slots`] this walks a
    /// table while writing to it.
    pub fn id_at(&self, slot: u32) -> Option<Id<T>> {
        match self.slot(slot)? {
            Slot::Row { generation, .. } => Some(Id::new(slot, *generation)),
            Slot::Free { .. } => None,
        }
    }

    /// Bytes of this table that `later`, a clone that went on, no longer shares, list of pages included.
    pub fn bytes_apart(&self, later: &Self) -> usize {
        let pages = self.pages.iter().enumerate();
        let own = pages.filter(|(place, page)| {
            !later
                .pages
                .get(*place)
                .is_some_and(|other| Arc::ptr_eq(page, other))
        });
        own.count() * size_of::<[Slot<T>; PAGE_ROWS]>() + size_of_val(self.pages.as_slice())
    }

    /// Slots that ever held a row: every id's slot is below it.
    pub const fn capacity_slots(&self) -> u32 {
        self.used_slots
    }

    fn slot(&self, slot: u32) -> Option<&Slot<T>> {
        let page = self.pages.get(slot as usize / PAGE_ROWS)?;
        Some(&page[slot as usize % PAGE_ROWS])
    }

    fn slot_mut(&mut self, slot: u32) -> &mut Slot<T> {
        let page = &mut self.pages[slot as usize / PAGE_ROWS];
        &mut Arc::make_mut(page)[slot as usize % PAGE_ROWS]
    }

    fn grow(&mut self) -> u32 {
        let slot = self.used_slots;
        assert!(slot < END_OF_FREE_LIST, "table is full");
        if slot as usize == self.pages.len() * PAGE_ROWS {
            self.pages
                .push(Arc::new(std::array::from_fn(|_| Slot::Free {
                    generation: NonZeroU32::MIN,
                    next: END_OF_FREE_LIST,
                })));
        }
        self.used_slots += 1;
        slot
    }
}

/// Rows of a [`Table`] with their ids, in slot order. A type of its own, since adapters of the standard
/// library would be compiled anew for each type of row and each use.
pub struct Rows<'a, T> {
    pages: std::slice::Iter<'a, Arc<[Slot<T>; PAGE_ROWS]>>,
    page: std::slice::Iter<'a, Slot<T>>,
    /// The next one's.
    slot: u32,
}

impl<T> Clone for Rows<'_, T> {
    fn clone(&self) -> Self {
        Self {
            pages: self.pages.clone(),
            page: self.page.clone(),
            slot: self.slot,
        }
    }
}

impl<'a, T> Iterator for Rows<'a, T> {
    type Item = (Id<T>, &'a T);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let Some(slot) = self.page.next() else {
                self.page = self.pages.next()?.iter();
                continue;
            };
            let number = self.slot;
            self.slot += 1;
            if let Slot::Row { generation, row } = slot {
                return Some((Id::new(number, *generation), row));
            }
        }
    }
}

impl<T: Clone> Default for Table<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Clone> Index<Id<T>> for Table<T> {
    type Output = T;
    /// Panics when the row was removed.
    fn index(&self, id: Id<T>) -> &T {
        self.get(id).unwrap_or_else(|| panic!("stale id {id:?}"))
    }
}

impl<T: Clone> IndexMut<Id<T>> for Table<T> {
    /// Panics when the row was removed.
    fn index_mut(&mut self, id: Id<T>) -> &mut T {
        self.get_mut(id)
            .unwrap_or_else(|| panic!("stale id {id:?}"))
    }
}

impl<T: Clone + fmt::Debug> fmt::Debug for Table<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_map().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests;
