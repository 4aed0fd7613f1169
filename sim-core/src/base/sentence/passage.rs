//! Text in which some stretches are sentences of Podium's own.
//!
//! It reads as the whole text in English, so that pipes, files and the command line get the same bytes
//! whoever speaks; where Podium does is kept beside it for the page, which says that in its language.
//!
//! ```
//! use sim_core::base::sentence::{catalogue::NOT_MODELLED, passage::{Passage, Stretch}};
//!
//! let mut passage = Passage::from("error: ").then(NOT_MODELLED.with(&[("what", &"kubectl cp")]));
//! passage.push("\n");
//! assert_eq!(&*passage, "error: kubectl cp is not modelled\n");
//! let own = |stretch| matches!(stretch, Stretch::Said(_));
//! assert_eq!(passage.stretches().map(own).collect::<Vec<_>>(), [false, true, false]);
//! ```

use std::ops::Deref;

use super::catalogue::BOTH;
use super::{Part, Sentence};

/// Words of the real tools, with sentences of Podium's own among them. It cannot be formatted into
/// another text, where the sentences would be lost unseen: put it behind another, or take its letters
/// (`&*passage`) where only these are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Passage {
    text: String,
    /// None in most. One word wide: results that hold passages are many.
    said: Option<Box<Said>>,
}

/// Sentences in order, each with the bytes that it takes of the text: its first, and the one after its
/// last.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Said(Vec<(usize, usize, Sentence)>);

/// A part of a passage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stretch<'a> {
    /// Words of the real tools.
    Text(&'a str),
    /// A sentence of Podium's own.
    Said(&'a Sentence),
}

impl Passage {
    /// Adds text, a sentence or another passage at the end.
    pub fn push(&mut self, more: impl Into<Self>) {
        self.append(more.into());
    }

    /// With more at the end.
    #[must_use]
    pub fn then(mut self, more: impl Into<Self>) -> Self {
        self.append(more.into());
        self
    }

    #[inline(never)]
    fn append(&mut self, more: Self) {
        let at = self.text.len();
        self.text.push_str(&more.text);
        let Some(mut more) = more.said else {
            return;
        };
        move_by(&mut more, at);
        match &mut self.said {
            Some(said) => said.0.append(&mut more.0),
            None => self.said = Some(more),
        }
    }

    /// Puts more at the start.
    pub fn put_before(&mut self, more: impl Into<Self>) {
        let rest = std::mem::replace(self, more.into());
        self.append(rest);
    }

    /// With text between its first `at` bytes, which say nothing of Podium's own, and the others.
    #[must_use]
    pub fn with_inside(mut self, at: usize, text: &str) -> Self {
        self.text.insert_str(at, text);
        if let Some(said) = &mut self.said {
            move_by(said, text.len());
        }
        self
    }

    /// Without text that it may begin with, in which Podium does not speak.
    #[must_use]
    pub fn without_start(mut self, start: &str) -> Self {
        if self.text.starts_with(start) {
            self.text.drain(..start.len());
            if let Some(said) = &mut self.said {
                // What begins within the start is a sentence no more.
                said.0.retain(|(from, ..)| *from >= start.len());
                for (from, to, _) in &mut said.0 {
                    *from -= start.len();
                    *to -= start.len();
                }
            }
        }
        self
    }

    /// Adds a line end, unless there is one or nothing to end.
    pub fn end_line(&mut self) {
        if !self.text.is_empty() && !self.text.ends_with('\n') {
            self.text.push('\n');
        }
    }

    /// Without blanks and line ends at its end.
    #[must_use]
    pub fn trimmed(mut self) -> Self {
        let length = self.text.trim_end().len();
        self.cut(length);
        self
    }

    /// Forgets what stands after so many bytes. A sentence that is cut is text.
    pub fn cut(&mut self, length: usize) {
        self.text.truncate(length);
        if let Some(said) = &mut self.said {
            said.0.retain(|(_, to, _)| *to <= length);
        }
    }

    /// Whether Podium speaks in it.
    #[must_use]
    pub fn says(&self) -> bool {
        self.said.as_ref().is_some_and(|said| !said.0.is_empty())
    }

    /// Its parts in order; none is empty.
    pub fn stretches(&self) -> impl Iterator<Item = Stretch<'_>> {
        let said = self.said.iter().flat_map(|said| &said.0);
        let ends = said.map(Some).chain([None]);
        let mut at = 0;
        ends.flat_map(move |said| {
            let (from, to) = said.map_or((self.text.len(), 0), |(from, to, _)| (*from, *to));
            let before = &self.text[std::mem::replace(&mut at, to)..from];
            let before = (!before.is_empty()).then_some(Stretch::Text(before));
            let said = said.map(|(.., sentence)| Stretch::Said(sentence));
            before.into_iter().chain(said)
        })
    }
}

fn move_by(said: &mut Said, bytes: usize) {
    for (from, to, _) in &mut said.0 {
        *from += bytes;
        *to += bytes;
    }
}

impl Deref for Passage {
    type Target = str;

    fn deref(&self) -> &str {
        &self.text
    }
}

impl PartialEq<str> for Passage {
    fn eq(&self, other: &str) -> bool {
        self.text == other
    }
}

impl PartialEq<&str> for Passage {
    fn eq(&self, other: &&str) -> bool {
        self.text == *other
    }
}

impl From<&str> for Passage {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl From<String> for Passage {
    fn from(text: String) -> Self {
        Self { text, said: None }
    }
}

impl From<&String> for Passage {
    fn from(text: &String) -> Self {
        text.as_str().into()
    }
}

impl<T: Into<Self>> FromIterator<T> for Passage {
    fn from_iter<I: IntoIterator<Item = T>>(parts: I) -> Self {
        let mut passage = Self::default();
        for part in parts {
            passage.append(part.into());
        }
        passage
    }
}

impl From<Sentence> for Passage {
    /// What a real tool says is text, also here.
    #[inline(never)]
    fn from(sentence: Sentence) -> Self {
        if sentence.form() == BOTH && sentence.advice().is_none() {
            let parts = sentence.0.parts.into_iter().map(|(_, part)| match part {
                Part::Text(text) => text.into(),
                Part::Said(inner) => Self::from(inner),
            });
            return parts.collect();
        }
        let text = sentence.to_string();
        let said = (!sentence.is_quoted()).then(|| Box::new(Said(vec![(0, text.len(), sentence)])));
        Self { text, said }
    }
}

impl From<Passage> for Sentence {
    /// The same words, each stretch in the gap of another. They are joined by twos, and the pairs by
    /// twos again: one in the other, thousands would be too deep for whoever walks through them.
    #[inline(never)]
    fn from(passage: Passage) -> Self {
        let stretches = passage.stretches().map(|stretch| match stretch {
            Stretch::Text(text) => Self::quoted(text),
            Stretch::Said(sentence) => sentence.clone(),
        });
        let mut all: Vec<Self> = stretches.collect();
        while all.len() > 1 {
            let mut left = all.into_iter();
            let mut pairs = Vec::with_capacity(left.len().div_ceil(2));
            while let Some(one) = left.next() {
                pairs.push(match left.next() {
                    Some(other) => BOTH.plain().and("one", one).and("other", other),
                    None => one,
                });
            }
            all = pairs;
        }
        all.pop().unwrap_or_else(|| Self::quoted(""))
    }
}

impl From<&Passage> for Passage {
    fn from(passage: &Passage) -> Self {
        passage.clone()
    }
}

impl From<Passage> for String {
    fn from(passage: Passage) -> Self {
        passage.text
    }
}

#[cfg(test)]
mod tests {
    use super::super::catalogue::NOT_MODELLED;
    use super::*;

    fn shown(passage: &Passage) -> String {
        let parts = passage.stretches().map(|stretch| match stretch {
            Stretch::Text(text) => format!("[{text}]"),
            Stretch::Said(sentence) => format!("<{sentence}>"),
        });
        parts.collect()
    }

    #[test]
    fn sentences_keep_their_place_whatever_comes_before_and_after() {
        let said = || NOT_MODELLED.with(&[("what", &"wait")]);
        let mut passage = Passage::from(said());
        passage.push("\n");
        passage.push(passage.clone());
        passage.put_before("Warning: ");
        assert_eq!(
            shown(&passage),
            "[Warning: ]<wait is not modelled>[\n]<wait is not modelled>[\n]"
        );
        assert_eq!(
            shown(&passage.clone().trimmed()),
            "[Warning: ]<wait is not modelled>[\n]<wait is not modelled>"
        );
        let sentence = Sentence::from(passage.clone());
        assert_eq!(sentence.to_string(), &*passage);
        assert_eq!(Passage::from(sentence), passage);
        let rest = passage.clone().without_start("Warning: ");
        assert!(shown(&rest).starts_with("<wait is not modelled>["));
        passage.cut(12);
        assert_eq!(shown(&passage), "[Warning: wai]");
        assert!(!passage.says());
        assert_eq!(shown(&Passage::default()), "");
        assert_eq!(shown(&Sentence::quoted("no").into()), "[no]");
    }

    #[test]
    fn a_long_passage_is_no_deep_sentence() {
        let said = NOT_MODELLED.with(&[("what", &"wait")]);
        let many: Passage = (0..20_000)
            .flat_map(|_| [Passage::from(said.clone()), Passage::from(", ")])
            .collect();
        let again = Passage::from(Sentence::from(many.clone()));
        assert_eq!(again, many);
        assert_eq!(again.stretches().count(), 40_000);
    }
}
