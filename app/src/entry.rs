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
        let (last, manner) = (&self.printed, printed.manner);
        let head = manner.head as usize;
        let changed = screen::differs(&last.stdout, &printed.stdout, head);
        // The same moment shown once more is no run.
        if changed || last.at_us != printed.at_us {
            let is_enough = manner.until_equal > 0 && self.equal >= manner.until_equal;
            if changed && manner.until_change || !changed && is_enough {
                printed.every_us = 0;
            }
            self.equal = if changed { 1 } else { self.equal + 1 };
            if manner.marks {
                let mut places = screen::differing(&last.stdout, &printed.stdout, head);
                if manner.lasting {
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
    use sim_core::protocol::Manner;

    #[test]
    fn a_watch_marks_what_changed_and_ends_as_it_was_asked_to() {
        let entry = |manner| ConsoleEntry {
            number: 1,
            printed: Rc::new(run("1", 0, manner)),
            marks: Rc::default(),
            equal: 1,
        };
        fn run(stdout: &str, at_us: u64, manner: Manner) -> Printed {
            Printed {
                stdout: stdout.to_owned(),
                at_us,
                every_us: 1,
                manner,
                ..Printed::default()
            }
        }
        let marks = Manner {
            marks: true,
            ..Manner::default()
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
        let change = Manner {
            until_change: true,
            ..Manner::default()
        };
        let mut changing = entry(change);
        changing.draw(run("1", 5, change));
        assert!(changing.watches());
        changing.draw(run("2", 6, change));
        assert!(!changing.watches() && changing.marks.is_empty());
        let equal = Manner {
            until_equal: 2,
            ..Manner::default()
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
