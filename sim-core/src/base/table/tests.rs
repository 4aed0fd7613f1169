use std::sync::Arc;

use super::*;

#[test]
fn a_removed_row_is_absent_and_its_slot_reused_last_in_first_out() {
    let mut table = Table::new();
    let [first, second, third] = ["a", "b", "c"].map(|row| table.insert(row));
    assert_eq!(table.remove(first), Some("a"));
    assert_eq!(table.remove(third), Some("c"));
    assert_eq!(table.remove(first), None);
    assert_eq!(table.get(first), None);
    assert_eq!(table.get_mut(first), None);
    let fourth = table.insert("d");
    assert_eq!((fourth.slot(), fourth.generation().get()), (2, 2));
    let fifth = table.insert("e");
    assert_eq!((fifth.slot(), fifth.generation().get()), (0, 2));
    assert_eq!(table.insert("f").slot(), 3);
    assert_eq!(
        table.iter().map(|(_, row)| *row).collect::<String>(),
        "ebdf"
    );
    assert_eq!(table.id_at(1), Some(second));
    assert_eq!(table.id_at(4), None);
    assert_eq!(table.id_at(1_000), None);
    assert_eq!((table.len(), table.capacity_slots()), (4, 4));
}

#[test]
fn a_snapshot_shares_pages_until_they_are_written() {
    let mut table = Table::new();
    let ids: Vec<_> = (0..64_u64).map(|row| table.insert(row)).collect();
    let snapshot = table.clone();
    table[ids[20]] = 1_000;
    // A stale id is looked up without copying a page.
    assert_eq!(table.get_mut(Id::new(0, NonZeroU32::MAX)), None);
    let shared: Vec<bool> = std::iter::zip(&table.pages, &snapshot.pages)
        .map(|(mine, theirs)| Arc::ptr_eq(mine, theirs))
        .collect();
    assert_eq!(shared, [true, false, true, true]);
    assert_eq!((table[ids[20]], snapshot[ids[20]]), (1_000, 20));
}

#[test]
fn a_slot_whose_generations_are_used_up_is_retired() {
    let mut table = Table::new();
    let id = table.insert(1);
    *table.slot_mut(0) = Slot::Row {
        generation: NonZeroU32::MAX,
        row: 2,
    };
    let last = Id::new(id.slot(), NonZeroU32::MAX);
    assert_eq!(table.remove(last), Some(2));
    assert_eq!(table.get(last), None);
    assert_eq!(table.insert(3).slot(), 1);
}

#[test]
#[should_panic(expected = "stale id 0.1")]
fn indexing_by_a_stale_id_panics() {
    let mut table = Table::new();
    let id = table.insert(1);
    table.remove(id);
    let _ = table[id];
}

/// Every operation agrees with a plain list of all rows that ever were, in every snapshot.
#[test]
fn it_agrees_with_a_plain_list() {
    type Model = Vec<(Id<u32>, Option<u32>)>;
    fn check(table: &Table<u32>, model: &Model) {
        let mut live: Vec<_> = model
            .iter()
            .filter_map(|(id, row)| row.map(|r| (*id, r)))
            .collect();
        live.sort_unstable();
        assert_eq!(
            table.iter().map(|(id, row)| (id, *row)).collect::<Vec<_>>(),
            live
        );
        assert_eq!(table.len() as usize, live.len());
        for (id, row) in model {
            assert_eq!(table.get(*id), row.as_ref());
        }
    }
    arbtest::arbtest(|u| {
        let mut table = Table::new();
        let mut model = Model::new();
        let mut snapshots = Vec::new();
        for _ in 0..u.int_in_range(0..=120)? {
            let pick = u.int_in_range(0..=model.len().max(1) - 1)?;
            match u.int_in_range(0..=9)? {
                0..=4 => {
                    let row = u.arbitrary()?;
                    model.push((table.insert(row), Some(row)));
                }
                5..=6 if !model.is_empty() => {
                    let (id, row) = &mut model[pick];
                    assert_eq!(table.remove(*id), row.take());
                }
                7..=8 if !model.is_empty() => {
                    let (id, row) = &mut model[pick];
                    let new: u32 = u.arbitrary()?;
                    if let Some(place) = table.get_mut(*id) {
                        *place = new;
                    }
                    *row = row.map(|_| new);
                }
                _ => snapshots.push((table.clone(), model.clone())),
            }
        }
        check(&table, &model);
        for (snapshot, model) in &snapshots {
            check(snapshot, model);
        }
        Ok(())
    });
}
