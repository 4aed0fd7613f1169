//! What a `watch` marks: the places of its screen whose letter is another than at the last run.
//!
//! As in procps' `watch.c`, the screen is compared place by place; beyond a line's end, and below the
//! last line, it is blank.
//!
//! ```text
//! last   NAME READY        now   NAME READY        marked   2 and the blank after it
//!        web  10/10              web  2/10
//! ```

/// Places of a screen, row by row: whether each is marked.
pub type Places = Vec<Vec<bool>>;

/// A stretch of a text that is marked, and blanks that are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Its first byte.
    pub from: usize,
    /// The byte after its last.
    pub to: usize,
    /// What stands there before the blanks, unmarked: line ends and blanks that the text has not.
    pub gap: String,
    /// Blanks where there was more at the last run.
    pub blanks: usize,
}

/// Places that differ, below the first `head` rows.
#[must_use]
pub fn differing(last: &str, now: &str, head: usize) -> Places {
    let rows = |text: &str| -> Vec<Vec<char>> {
        let rows = text.trim_end_matches('\n').split('\n').skip(head);
        rows.map(|row| row.chars().collect()).collect()
    };
    let (last, now) = (rows(last), rows(now));
    let none = Vec::new();
    (0..last.len().max(now.len()))
        .map(|row| {
            let (last, now) = (
                last.get(row).unwrap_or(&none),
                now.get(row).unwrap_or(&none),
            );
            let letter = |row: &[char], column: usize| row.get(column).copied().unwrap_or(' ');
            (0..last.len().max(now.len()))
                .map(|column| letter(last, column) != letter(now, column))
                .collect()
        })
        .collect()
}

/// Whether [`differing`] marks anything.
#[must_use]
pub fn differs(last: &str, now: &str, head: usize) -> bool {
    fn rows(text: &str, head: usize) -> impl Iterator<Item = &str> {
        let rows = text.trim_end_matches('\n').split('\n').skip(head);
        rows.map(|row| row.trim_end_matches(' '))
    }
    let (mut last, mut now) = (rows(last, head), rows(now, head));
    loop {
        match (last.next(), now.next()) {
            (None, None) => return false,
            (last, now) if last.unwrap_or("") != now.unwrap_or("") => return true,
            _ => {}
        }
    }
}

/// Adds the places that were marked before.
pub fn join(places: &mut Places, before: &Places) {
    for (row, before) in before.iter().enumerate() {
        if places.len() <= row {
            places.push(Vec::new());
        }
        let length = places[row].len().max(before.len());
        places[row].resize(length, false);
        for (place, before) in places[row].iter_mut().zip(before) {
            *place |= before;
        }
    }
}

/// The marked places as stretches of a text without its last line end, in order.
#[must_use]
pub fn marks(text: &str, places: &Places, head: usize) -> Vec<Mark> {
    let mut marks = Vec::new();
    let (mut next, mut rows) = (0, text.split('\n'));
    for _ in 0..head {
        next += rows.next().map_or(0, |row| row.len() + 1);
    }
    // Line ends that the text has not.
    let mut below = String::new();
    for places in places {
        let start = next.min(text.len());
        let row = rows.next();
        match row {
            Some(row) => next += row.len() + 1,
            None => below.push('\n'),
        }
        let row = row.unwrap_or_default();
        let letters = row.char_indices().map(|(place, _)| start + place);
        let ends: Vec<usize> = letters.chain([start + row.len()]).collect();
        let length = ends.len() - 1;
        // Columns that the row has by now.
        let (mut column, mut written) = (0, length);
        while let Some(from) = (column..places.len()).find(|place| places[*place]) {
            let run = places[from..].iter().take_while(|marked| **marked);
            let to = from + run.count();
            column = to;
            if from < length {
                marks.push(Mark {
                    from: ends[from],
                    to: ends[to.min(length)],
                    gap: String::new(),
                    blanks: 0,
                });
            }
            if to > length {
                let from = from.max(length);
                let gap = std::mem::take(&mut below) + &" ".repeat(from - written);
                written = to;
                marks.push(Mark {
                    from: ends[length],
                    to: ends[length],
                    gap,
                    blanks: to - from,
                });
            }
        }
    }
    marks
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The screen as it is shown, with what is marked in brackets.
    fn shown(last: &str, now: &str, head: usize) -> String {
        bracketed(now, &differing(last, now, head), head)
    }

    fn bracketed(text: &str, places: &Places, head: usize) -> String {
        let (mut out, mut at) = (String::new(), 0);
        for mark in marks(text, places, head) {
            out += &text[at..mark.from];
            out += &mark.gap;
            out += &format!("[{}{}]", &text[mark.from..mark.to], "_".repeat(mark.blanks));
            at = mark.to;
        }
        out + &text[at..]
    }

    #[test]
    fn letters_are_compared_place_by_place() {
        assert_eq!(shown("web 10/10\n", "web 2/10", 0), "web [2/10][_]");
        assert_eq!(shown("a b", "a c", 0), "a [c]");
        assert_eq!(shown("same", "same", 0), "same");
        assert_eq!(
            shown("Every 2s\n\nx", "Every 3s\n\ny", 2),
            "Every 3s\n\n[y]"
        );
        assert_eq!(shown("叢集", "故集", 0), "[故]集");
    }

    #[test]
    fn what_is_gone_is_a_marked_blank() {
        assert_eq!(shown("abc\nd e", "a", 0), "a[__]\n[_] [_]");
        assert_eq!(shown("a", "a\nb", 0), "a\n[b]");
    }

    #[test]
    fn marks_may_stay() {
        let mut places = differing("ab", "xb", 0);
        assert!(differs("ab", "xb", 0));
        let later = differing("xb", "xbc", 0);
        let before = std::mem::replace(&mut places, later);
        join(&mut places, &before);
        assert_eq!(bracketed("xbc", &places, 0), "[x]b[c]");
        assert!(!differs("a", "a ", 0) && !differs("x\na", "y\na", 1));
        assert!(differs("a", "a\nb", 0));
    }
}
