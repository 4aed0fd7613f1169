//! The page's words in its two languages, made from `www/locales/*.ftl` when the page is built.
// A message with one form for every number is still a match in the generated code.
#![allow(clippy::match_single_binding)]

use std::fmt::Write as _;

/// A language of the page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    /// English.
    #[default]
    English,
    /// Chinese as written in Taiwan.
    Chinese,
}

impl Language {
    /// As in the address and in the store.
    #[must_use]
    pub const fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Chinese => "zh-TW",
        }
    }

    /// As in `<html lang>`: the script chooses the glyphs.
    #[must_use]
    pub const fn html(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Chinese => "zh-Hant-TW",
        }
    }

    /// The language that a tag asks for, if the page has it.
    #[must_use]
    pub fn parse(tag: &str) -> Option<Self> {
        let tag = tag.to_ascii_lowercase();
        if tag.starts_with("zh") {
            Some(Self::Chinese)
        } else if tag.starts_with("en") {
            Some(Self::English)
        } else {
            None
        }
    }
}

/// The words in one language. Each method is a key of the locale files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Text {
    /// The language.
    pub language: Language,
}

include!(concat!(env!("OUT_DIR"), "/text.rs"));
