//! The nearest known word to a misspelt one.

/// The candidate most like `word`, if one is like enough: equal but for case, or at most a third
/// of its letters (and at least one) changed, swapped, left out or added. The first wins a tie.
pub fn nearest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    // Long words are pasted text, not typing errors.
    if word.chars().count() > 64 {
        return None;
    }
    let allowed = (word.chars().count() / 3).max(1);
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        let distance = if candidate.eq_ignore_ascii_case(word) {
            0
        } else {
            distance(word, candidate, allowed, true)
        };
        // A plural or singular is the commonest slip of all.
        let is_plural =
            candidate.strip_suffix('s') == Some(word) || word.strip_suffix('s') == Some(candidate);
        let distance = if is_plural { 0 } else { distance };
        if distance <= allowed && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// How many signs must be changed, left out or added, without regard to case, or more than `limit`. Where
/// `swaps`, two neighbours that changed places are one change (optimal string alignment).
pub fn distance(one: &str, two: &str, limit: usize, swaps: bool) -> usize {
    let one: Vec<char> = one
        .chars()
        .map(|letter| letter.to_ascii_lowercase())
        .collect();
    let two: Vec<char> = two
        .chars()
        .map(|letter| letter.to_ascii_lowercase())
        .collect();
    if one.len().abs_diff(two.len()) > limit {
        return limit + 1;
    }
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=two.len()).collect();
    for i in 1..=one.len() {
        let mut row = vec![i; two.len() + 1];
        for j in 1..=two.len() {
            let cost = usize::from(one[i - 1] != two[j - 1]);
            row[j] = (last[j] + 1).min(row[j - 1] + 1).min(last[j - 1] + cost);
            if swaps && i > 1 && j > 1 && one[i - 1] == two[j - 2] && one[i - 2] == two[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut last, row);
    }
    last[two.len()]
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn slips_are_found_and_strangers_are_not() {
        let fields = [
            "image",
            "imagePullPolicy",
            "name",
            "ports",
            "replicas",
            "containers",
        ];
        assert_eq!(nearest("imgae", fields), Some("image"));
        assert_eq!(nearest("replica", fields), Some("replicas"));
        assert_eq!(nearest("Containers", fields), Some("containers"));
        assert_eq!(nearest("imagepullpolicy", fields), Some("imagePullPolicy"));
        assert_eq!(nearest("volumes", fields), None);
        assert_eq!(nearest("", fields), None);
    }
}
