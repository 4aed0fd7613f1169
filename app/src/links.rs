//! Links between machines: what cuts one, and what mends it and nothing else.

use sim_core::protocol::{FaultMark, Request};

/// The ends of a link, or the sides of a partition.
fn sides(text: &str) -> Option<[Vec<&str>; 2]> {
    let (one, two) = text.split_once('|')?;
    Some([one, two].map(|side| side.split(',').map(str::trim).collect()))
}

/// What a partition cuts beside the link of two machines, as partitions; none: it does not cut that.
fn beside<'t>(
    [left, right]: &[Vec<&'t str>; 2],
    ends: [&str; 2],
) -> Option<Vec<[Vec<&'t str>; 2]>> {
    let [one, two] = ends;
    let on = |side: &[&str], machine: &str| side.contains(&machine);
    let (one, two) = if on(left, one) && on(right, two) {
        (one, two)
    } else if on(left, two) && on(right, one) {
        (two, one)
    } else {
        return None;
    };
    let without = |side: &[&'t str], machine: &str| -> Vec<&'t str> {
        let others = side.iter().filter(|other| **other != machine);
        others.copied().collect()
    };
    let own: Vec<&str> = left.iter().filter(|name| **name == one).copied().collect();
    let rest = [
        [without(left, one), right.clone()],
        [own, without(right, two)],
    ];
    let rest = rest.into_iter();
    Some(
        rest.filter(|[one, two]| !one.is_empty() && !two.is_empty())
            .collect(),
    )
}

/// Partitions in force that cut a link, `A|B`.
pub fn cuts<'f>(faults: &'f [FaultMark], link: &str) -> impl Iterator<Item = &'f FaultMark> {
    let ends = sides(link);
    faults.iter().filter(move |fault| {
        let cut = fault.text.strip_prefix("partition ").and_then(sides);
        let (Some(cut), Some([one, two])) = (cut, &ends) else {
            return false;
        };
        let ends = one.first().zip(two.first());
        fault.active && ends.is_some_and(|(one, two)| beside(&cut, [one, two]).is_some())
    })
}

/// What mends a link, `A|B`, and nothing else: what else a partition cuts is cut by itself first, for
/// as long as the partition would have lasted.
#[must_use]
pub fn mending(faults: &[FaultMark], link: &str, now_us: u64) -> Vec<Request> {
    let (mut cut, mut healed, mut numbers) = (Vec::new(), Vec::new(), Vec::new());
    let Some((one, two)) = link.split_once('|') else {
        return cut;
    };
    for fault in cuts(faults, link) {
        // Each world has the same faults.
        if numbers.contains(&fault.number) {
            continue;
        }
        numbers.push(fault.number);
        let rest = fault.text.strip_prefix("partition ").and_then(sides);
        let rest = rest.and_then(|sides| beside(&sides, [one, two]));
        let long = match fault.until_us {
            u64::MAX => String::new(),
            until => format!(" for {}us", until.saturating_sub(now_us)),
        };
        cut.extend(rest.unwrap_or_default().iter().map(|[left, right]| {
            Request::Inject(format!(
                "partition {}|{}{long}",
                left.join(","),
                right.join(",")
            ))
        }));
        healed.push(Request::Heal(Some(fault.number)));
    }
    cut.extend(healed);
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_cut_by_a_partition_with_an_end_on_either_side() {
        let fault = |number, text: &str, active| FaultMark {
            number,
            text: text.to_owned(),
            active,
            ..FaultMark::default()
        };
        let faults = [
            fault(0, "partition a|b,c", true),
            fault(1, "partition a|d", false),
            fault(2, "node-crash a", true),
        ];
        let cut =
            |link: &str| -> Vec<u32> { cuts(&faults, link).map(|fault| fault.number).collect() };
        assert_eq!(cut("c|a"), [0]);
        for link in ["b|c", "a|d", "a"] {
            assert!(cut(link).is_empty(), "{link}");
        }
    }

    #[test]
    fn mending_a_link_leaves_cut_what_else_was_cut() {
        let fault = |number, text: &str, until_us| FaultMark {
            number,
            text: text.to_owned(),
            active: true,
            until_us,
            ..FaultMark::default()
        };
        let inject = |text: &str| Request::Inject(text.to_owned());
        let heal = |number| Request::Heal(Some(number));
        let mut faults = vec![fault(0, "partition a|b", u64::MAX)];
        assert_eq!(mending(&faults, "b|a", 5), [heal(0)]);
        faults.push(fault(1, "partition a,x|b,c", 65));
        // As another world tells of it.
        faults.push(fault(1, "partition a,x|b,c", 65));
        assert_eq!(
            mending(&faults, "b|a", 5),
            [
                inject("partition x|b,c for 60us"),
                inject("partition a|c for 60us"),
                heal(0),
                heal(1)
            ]
        );
        assert!(mending(&faults, "a|x", 5).is_empty());
    }
}
