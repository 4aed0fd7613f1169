//! What Podium itself says, before it is put into words: which sentence it is, and what it is about.
//!
//! Whoever finds something names one of the [`catalogue`]'s forms and fills its gaps. The command line
//! prints it in English; the page gets the form's number with the parts, and has the same sentence in each
//! of its languages, so nobody takes sentences apart by their words. What the real tools say stays
//! text: [`Sentence::quoted`].
//!
//! ```
//! use sim_core::base::sentence::catalogue::{MACHINES_ARE, NO_MACHINE};
//!
//! let sentence = NO_MACHINE.with(&[("word", &"worker-9")]);
//! let sentence = sentence.advise(MACHINES_ARE.with(&[("names", &"worker-1, worker-2")]));
//! assert_eq!(
//!     sentence.to_string(),
//!     "there is no machine \"worker-9\"; machines are: worker-1, worker-2"
//! );
//! assert_eq!(sentence.word(), Some("worker-9"));
//! ```

pub mod catalogue;
pub mod passage;

use std::borrow::Cow;
use std::fmt;

/// A sentence with gaps: `there is no machine "{word}"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Form {
    /// Its place in the [`catalogue`], from 1, by which the page finds it in other languages; 0: words
    /// of the real tools.
    pub number: u16,
    /// In English, gaps in braces.
    pub english: &'static str,
}

/// The gap with the word of the input that a sentence is about.
const WORD: &str = "word";

/// Words of the real tools.
const QUOTED: Form = Form {
    number: 0,
    english: "{text}",
};

/// What fills a gap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// A name, a number, a time.
    Text(String),
    /// Words of its own.
    Said(Sentence),
}

/// A sentence whose gaps are filled. One word wide: results that hold one are many, sentences few.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sentence(Box<Inner>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Inner {
    form: Form,
    parts: Vec<(&'static str, Part)>,
    advice: Option<Sentence>,
}

impl Form {
    /// The sentence that it is without gaps.
    #[must_use]
    pub fn plain(self) -> Sentence {
        Sentence(Box::new(Inner {
            form: self,
            parts: Vec::new(),
            advice: None,
        }))
    }

    /// The sentence with these parts, each named as its gap.
    #[must_use]
    pub fn with(self, parts: &[(&'static str, &dyn fmt::Display)]) -> Sentence {
        let parts = parts.iter();
        let mut sentence = self.plain();
        sentence.0.parts = parts
            .map(|(name, part)| (*name, Part::Text(part.to_string())))
            .collect();
        sentence
    }
}

impl Sentence {
    /// What a real tool says.
    #[must_use]
    pub fn quoted(text: impl fmt::Display) -> Self {
        QUOTED.with(&[("text", &text)])
    }

    /// Behind words of a real tool.
    #[must_use]
    #[inline(never)]
    pub fn behind(self, words: &str) -> Self {
        if self.is_quoted() && self.0.advice.is_none() {
            return Self::quoted(words.to_owned() + &self.words());
        }
        let both = catalogue::BOTH.plain().and("one", Self::quoted(words));
        both.and("other", self)
    }

    /// At this place of the input; an empty one is none.
    #[must_use]
    #[inline(never)]
    pub fn at(self, place: impl fmt::Display) -> Self {
        let place = place.to_string();
        if place.is_empty() {
            return self;
        }
        let at = catalogue::AT_PLACE.with(&[("place", &place)]);
        at.and("what", self)
    }

    /// About this word of the input, where no gap has it.
    #[must_use]
    pub fn about(mut self, word: &str) -> Self {
        self.0.parts.push((WORD, Part::Text(word.to_owned())));
        self
    }

    /// With words of its own in a gap; what to do about them becomes what to do about the whole.
    #[must_use]
    pub fn and(mut self, name: &'static str, mut part: Self) -> Self {
        if self.0.advice.is_none() {
            self.0.advice = part.0.advice.take();
        }
        self.0.parts.push((name, Part::Said(part)));
        self
    }

    /// With what to do about it, or what would be right.
    #[must_use]
    pub fn advise(mut self, advice: Self) -> Self {
        self.0.advice = Some(advice);
        self
    }

    /// What it is without its parts.
    #[must_use]
    pub fn form(&self) -> Form {
        self.0.form
    }

    /// Whether it is words of a real tool.
    #[must_use]
    pub fn is_quoted(&self) -> bool {
        self.0.form.number == 0
    }

    /// What fills its gaps, by their names.
    #[must_use]
    pub fn parts(&self) -> &[(&'static str, Part)] {
        &self.0.parts
    }

    /// The word of the input that it is about.
    #[must_use]
    pub fn word(&self) -> Option<&str> {
        self.0.parts.iter().find_map(|(name, part)| match part {
            Part::Text(text) if *name == WORD => Some(text.as_str()),
            Part::Text(_) => None,
            Part::Said(inner) => inner.word(),
        })
    }

    /// What to do about it.
    #[must_use]
    pub fn advice(&self) -> Option<&Self> {
        self.0.advice.as_ref()
    }

    /// In English, without what to do about it.
    #[must_use]
    pub fn words(&self) -> Cow<'_, str> {
        match (&self.0.form, self.0.parts.as_slice()) {
            (form, [(_, Part::Text(text))]) if *form == QUOTED => text.into(),
            _ => self.statement().to_string().into(),
        }
    }

    /// Without what to do about it.
    #[must_use]
    pub fn statement(&self) -> Self {
        let mut statement = self.clone();
        statement.0.advice = None;
        statement
    }
}

impl fmt::Display for Sentence {
    /// In English, what to do after a semicolon.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0.form.english;
        while let Some((before, (name, after))) = rest
            .split_once('{')
            .and_then(|(before, gap)| Some((before, gap.split_once('}')?)))
        {
            formatter.write_str(before)?;
            match self.0.parts.iter().find(|(known, _)| *known == name) {
                Some((_, Part::Text(text))) => formatter.write_str(text)?,
                Some((_, Part::Said(inner))) => fmt::Display::fmt(inner, formatter)?,
                None => panic!("{}: nothing fills {name}", self.0.form.english),
            }
            rest = after;
        }
        formatter.write_str(rest)?;
        match &self.0.advice {
            Some(advice) => write!(formatter, "; {advice}"),
            None => Ok(()),
        }
    }
}

impl From<&str> for Sentence {
    /// What a real tool says.
    #[inline(never)]
    fn from(text: &str) -> Self {
        Self::quoted(text)
    }
}

impl From<String> for Sentence {
    /// What a real tool says.
    #[inline(never)]
    fn from(text: String) -> Self {
        Self::quoted(text)
    }
}

impl From<Sentence> for String {
    fn from(sentence: Sentence) -> Self {
        sentence.to_string()
    }
}
