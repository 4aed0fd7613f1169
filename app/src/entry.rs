//! A line of the console with what it printed, and what becomes of it while a `watch` goes on.

use std::rc::Rc;

use sim_core::protocol::Printed;

use crate::screen::{self, Places};

/// A console line with what it printed.
#[derive(Clone, Debug, PartialEq)]
pub struct ConsoleEntry {
    /// Number, for lists.
    pub number: u32,
    /// The line and its output; of a `watch` the last one.
    pub printed: Rc<Printed>,
    /// What a `watch` marks in it.
    pub marks: Rc<Places>,
    /// Runs in a row that a `watch` printed the same.
    pub equal: u32,
}

impl ConsoleEntry {
    /// Whether it is a `watch` that goes on.
    #[must_use]
    pub fn watches(&self) -> bool {
        self.printed.every_us > 0
    }

    /// A `watch` has run again: what it marks now, and whether it goes on.
    /// Source: `procps-ng/src/watch.c` main.
    pub fn draw(&mut self, mut printed: Printed) {
        let (last, options) = (&self.printed, printed.watch);
        let head = options.header_rows as usize;
        let changed = screen::differs(&last.stdout, &printed.stdout, head);
        // The same moment shown once more is no run.
        if changed || last.at_us != printed.at_us {
            let is_enough = options.until_equal > 0 && self.equal >= options.until_equal;
            if changed && options.until_change || !changed && is_enough {
                printed.every_us = 0;
            }
            self.equal = if changed { 1 } else { self.equal + 1 };
            if options.differences {
                let mut places = screen::differing(&last.stdout, &printed.stdout, head);
                if options.permanent {
                    screen::join(&mut places, &self.marks);
                }
                self.marks = Rc::new(places);
            }
        }
        self.printed = Rc::new(printed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_core::protocol::WatchOptions;

    #[test]
    fn a_watch_marks_what_changed_and_ends_as_it_was_asked_to() {
        let entry = |watch| ConsoleEntry {
            number: 1,
            printed: Rc::new(run("1", 0, watch)),
            marks: Rc::default(),
            equal: 1,
        };
        fn run(stdout: &str, at_us: u64, watch: WatchOptions) -> Printed {
            Printed {
                stdout: stdout.to_owned(),
                at_us,
                every_us: 1,
                watch,
                ..Printed::default()
            }
        }
        let marks = WatchOptions {
            differences: true,
            ..WatchOptions::default()
        };
        let mut marked = entry(marks);
        marked.draw(run("2", 5, marks));
        assert_eq!(*marked.marks, [[true]]);
        // Drawn once more at the same moment, and at another.
        marked.draw(run("2", 5, marks));
        assert_eq!(*marked.marks, [[true]]);
        marked.draw(run("2", 6, marks));
        assert_eq!(*marked.marks, [[false]]);
        assert!(marked.watches());
        let change = WatchOptions {
            until_change: true,
            ..WatchOptions::default()
        };
        let mut changing = entry(change);
        changing.draw(run("1", 5, change));
        assert!(changing.watches());
        changing.draw(run("2", 6, change));
        assert!(!changing.watches() && changing.marks.is_empty());
        let equal = WatchOptions {
            until_equal: 2,
            ..WatchOptions::default()
        };
        let mut still = entry(equal);
        for (text, at, goes_on) in [
            ("1", 1, true),
            ("2", 2, true),
            ("2", 3, true),
            ("2", 4, false),
        ] {
            still.draw(run(text, at, equal));
            assert_eq!(still.watches(), goes_on, "{at}");
        }
    }
}
