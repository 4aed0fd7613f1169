#![expect(clippy::disallowed_types, reason = "the model that is compared with")]

use std::collections::{BTreeMap, BTreeSet};

use super::{SortedMap, SortedSet};

#[test]
fn a_map_does_as_a_tree_does() {
    arbtest::arbtest(|u| {
        // Many entries of few keys and values that are wide: runs split and empty.
        let mut map: SortedMap<u16, [u64; 16]> = SortedMap::new();
        let mut model = BTreeMap::new();
        while !u.is_empty() {
            let key = u.int_in_range(0..=300)?;
            match u.int_in_range(0..=8)? {
                0 => assert_eq!(map.remove(&key), model.remove(&key)),
                1 => assert_eq!(map.pop_first(), model.pop_first()),
                2 => {
                    let value = [u.arbitrary()?; 16];
                    let held = *map
                        .entry(key)
                        .and_modify(|held| held[0] ^= 1)
                        .or_insert(value);
                    let known = model
                        .entry(key)
                        .and_modify(|held| held[0] ^= 1)
                        .or_insert(value);
                    assert_eq!(held, *known);
                }
                3 if u.ratio(1, 8)? => {
                    map.retain(|key, value| !(key ^ value[0] as u16).is_multiple_of(3));
                    model.retain(|key, value| !(key ^ value[0] as u16).is_multiple_of(3));
                }
                4 => {
                    let next = map.last_key_value().map_or(0, |(key, _)| key + 1);
                    map.insert(next, [0; 16]);
                    model.insert(next, [0; 16]);
                }
                _ => {
                    let value = [u.arbitrary()?; 16];
                    assert_eq!(map.insert(key, value), model.insert(key, value));
                }
            }
            assert_eq!(map.get(&key), model.get(&key));
            assert_eq!(map.len(), model.len());
            assert_eq!(map.first_key_value(), model.first_key_value());
            assert!(map.since(&key).eq(model.range(key..)));
        }
        assert!(map.iter().eq(&model));
        assert!(map.iter().rev().eq(model.iter().rev()));
        assert!(map.iter_mut().eq(model.iter_mut()));
        assert_eq!(map.iter().len(), model.len());
        let mut both = map.iter();
        let mut ends = model.iter();
        while let Some(entry) = both.next() {
            assert_eq!(Some(entry), ends.next());
            assert_eq!(both.next_back(), ends.next_back());
        }
        let bytes = postcard::to_allocvec(&map).unwrap();
        assert_eq!(bytes, postcard::to_allocvec(&model).unwrap());
        assert_eq!(map, postcard::from_bytes(&bytes).unwrap());
        assert!(
            map.runs
                .iter()
                .all(|run| !run.is_empty() && run.len() <= 16)
        );
        assert!(map.into_iter().eq(model));
        Ok(())
    })
    .size_max(1 << 14);
}

#[test]
fn a_set_does_as_a_tree_does() {
    arbtest::arbtest(|u| {
        let (ours, theirs): (Vec<u8>, Vec<u8>) = u.arbitrary()?;
        let left: SortedSet<u8> = ours.iter().copied().collect();
        let right: SortedSet<u8> = theirs.iter().copied().collect();
        let left_model: BTreeSet<u8> = ours.into_iter().collect();
        let right_model: BTreeSet<u8> = theirs.into_iter().collect();
        assert!(left.iter().eq(&left_model));
        assert!(
            left.difference(&right)
                .eq(left_model.difference(&right_model))
        );
        assert!(
            left.intersection(&right)
                .eq(left_model.intersection(&right_model))
        );
        assert!(
            left.union(&right)
                .into_iter()
                .eq(left_model.union(&right_model))
        );
        assert_eq!(
            left.is_disjoint(&right),
            left_model.is_disjoint(&right_model)
        );
        assert_eq!(left.cmp(&right), left_model.cmp(&right_model));
        assert_eq!(left == right, left_model == right_model);
        assert!(left.into_iter().eq(left_model));
        Ok(())
    });
}

#[test]
fn entries_that_come_in_order_fill_their_runs() {
    let map: SortedMap<u64, u64> = (0..1_280).map(|key| (key, key)).collect();
    assert_eq!(map.runs.len(), 10);
}
