//! Unified differences of two texts, as `diff -u` prints their hunks.

/// Lines of context around a change.
const CONTEXT: usize = 3;

/// Longest text, in lines, that is compared line by line; longer ones are one change. The table of
/// common lines grows with the product of both lengths.
const LINES_MAX: usize = 4_000;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Edit {
    Same(usize, usize),
    Gone(usize),
    New(usize),
}

/// The hunks that make `new` of `old`; empty if they are equal.
pub fn hunks(old: &str, new: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let edits = edits(&old, &new);
    let changed: Vec<usize> = (0..edits.len())
        .filter(|at| !matches!(edits[*at], Edit::Same(..)))
        .collect();
    let mut out = String::new();
    let mut at = 0;
    while at < changed.len() {
        let from = changed[at].saturating_sub(CONTEXT);
        let mut last = changed[at];
        while at + 1 < changed.len() && changed[at + 1] <= last + 2 * CONTEXT + 1 {
            at += 1;
            last = changed[at];
        }
        at += 1;
        let to = (last + CONTEXT + 1).min(edits.len());
        hunk(&edits, (from, to), (&old, &new), &mut out);
    }
    out
}

fn hunk(
    edits: &[Edit],
    (from, to): (usize, usize),
    (old, new): (&[&str], &[&str]),
    out: &mut String,
) {
    let before = |edits: &[Edit]| {
        let gone = edits.iter().filter(|edit| !matches!(edit, Edit::New(_)));
        let made = edits.iter().filter(|edit| !matches!(edit, Edit::Gone(_)));
        (gone.count(), made.count())
    };
    let start = before(&edits[..from]);
    let count = before(&edits[from..to]);
    let range = |start: usize, count: usize| {
        let first = if count == 0 { start } else { start + 1 };
        if count == 1 {
            format!("{first}")
        } else {
            format!("{first},{count}")
        }
    };
    out.push_str(&format!(
        "@@ -{} +{} @@\n",
        range(start.0, count.0),
        range(start.1, count.1)
    ));
    for edit in &edits[from..to] {
        let (mark, line) = match edit {
            Edit::Same(at, _) => (' ', old[*at]),
            Edit::Gone(at) => ('-', old[*at]),
            Edit::New(at) => ('+', new[*at]),
        };
        out.push(mark);
        out.push_str(line);
        out.push('\n');
    }
}

/// The shortest edit script by the longest common subsequence; removals stand before additions.
fn edits(old: &[&str], new: &[&str]) -> Vec<Edit> {
    let head = old
        .iter()
        .zip(new)
        .take_while(|(one, two)| one == two)
        .count();
    let tail = old[head..]
        .iter()
        .rev()
        .zip(new[head..].iter().rev())
        .take_while(|(one, two)| one == two)
        .count();
    let (a, b) = (&old[head..old.len() - tail], &new[head..new.len() - tail]);
    let mut result: Vec<Edit> = (0..head).map(|at| Edit::Same(at, at)).collect();
    if a.len() > LINES_MAX || b.len() > LINES_MAX {
        result.extend((0..a.len()).map(|at| Edit::Gone(head + at)));
        result.extend((0..b.len()).map(|at| Edit::New(head + at)));
    } else {
        let width = b.len() + 1;
        let mut common = vec![0_u32; (a.len() + 1) * width];
        for row in (0..a.len()).rev() {
            for column in (0..b.len()).rev() {
                common[row * width + column] = if a[row] == b[column] {
                    common[(row + 1) * width + column + 1] + 1
                } else {
                    common[(row + 1) * width + column].max(common[row * width + column + 1])
                };
            }
        }
        let (mut row, mut column) = (0, 0);
        while row < a.len() || column < b.len() {
            if row < a.len() && column < b.len() && a[row] == b[column] {
                result.push(Edit::Same(head + row, head + column));
                row += 1;
                column += 1;
            } else if row < a.len()
                && (column == b.len()
                    || common[(row + 1) * width + column] >= common[row * width + column + 1])
            {
                result.push(Edit::Gone(head + row));
                row += 1;
            } else {
                result.push(Edit::New(head + column));
                column += 1;
            }
        }
    }
    let (old_from, new_from) = (old.len() - tail, new.len() - tail);
    result.extend((0..tail).map(|at| Edit::Same(old_from + at, new_from + at)));
    result
}

#[cfg(test)]
mod tests {
    use super::hunks;

    #[test]
    fn hunks_have_three_lines_of_context() {
        let old = "a\nb\nc\nd\ne\nf\ng\nh\n";
        let new = "a\nb\nc\nd\nE\nf\ng\nh\ni\n";
        assert_eq!(
            hunks(old, new),
            "@@ -2,7 +2,8 @@\n b\n c\n d\n-e\n+E\n f\n g\n h\n+i\n"
        );
        assert_eq!(hunks("", "x\n"), "@@ -0,0 +1 @@\n+x\n");
        assert_eq!(hunks("x\n", "x\n"), "");
    }
}
