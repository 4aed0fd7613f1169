//! The page's words in its two languages, made from `www/locales/*.ftl` when the page is built.
// A message with one form for every number is still a match in the generated code.
#![allow(clippy::match_single_binding)]

use std::fmt::Write as _;

use sim_core::protocol::Said;

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

impl Text {
    /// What the engine says, in the page's language; the real tools' words as they are.
    #[must_use]
    pub fn said(self, said: &Said) -> String {
        let mut out = String::new();
        self.say(said, &mut out);
        out
    }

    /// The language of what the engine says, where it is not the page's: the real tools speak English.
    #[must_use]
    pub fn said_lang(self, said: &Said) -> Option<&'static str> {
        matches!(said, Said::Plain(_)).then(|| Language::English.html())
    }

    /// What stands between two sentences: Chinese full stops bring their own space.
    #[must_use]
    pub const fn between_sentences(self) -> &'static str {
        match self.language {
            Language::English => " ",
            Language::Chinese => "",
        }
    }

    /// What stands between what is wrong and what to do about it.
    #[must_use]
    pub const fn between_clauses(self) -> &'static str {
        match self.language {
            Language::English => "; ",
            Language::Chinese => "；",
        }
    }

    fn say(self, said: &Said, out: &mut String) {
        let (mut rest, parts) = match said {
            Said::Plain(text) => return out.push_str(text),
            Said::Own { english, parts, .. }
                if self.language == Language::English && !english.is_empty() =>
            {
                (&**english, parts)
            }
            Said::Own { key, parts, .. } => {
                // The engine is of the same build, and a test compares both.
                (template(key, self.language).unwrap_or(key), parts)
            }
        };
        while let Some((before, (name, after))) = rest
            .split_once('{')
            .and_then(|(before, gap)| Some((before, gap.split_once('}')?)))
        {
            out.push_str(before);
            if let Some((_, part)) = parts.iter().find(|(known, _)| known == name) {
                self.say(part, out);
            }
            rest = after;
        }
        out.push_str(rest);
    }
}

/// A sentence of the engine's, with its gaps.
fn template(key: &str, language: Language) -> Option<&'static str> {
    let mut lines = SAID[language as usize].lines();
    lines.find_map(|line| line.strip_prefix(key)?.strip_prefix('\t'))
}

include!(concat!(env!("OUT_DIR"), "/text.rs"));

#[cfg(test)]
mod tests {
    use sim_core::base::sentence::catalogue;
    use sim_core::host::EngineHost;
    use sim_core::protocol::{Answer, FAULTS, File, Query, Reply, Request};

    use super::*;

    /// A sentence in English, if it is the page's, and in Chinese.
    fn templates(key: &str) -> Option<[&'static str; 2]> {
        let english = template(key, Language::English).unwrap_or_default();
        Some([english, template(key, Language::Chinese)?])
    }

    /// Keys that the page has in Chinese, and how.
    fn chinese() -> impl Iterator<Item = (&'static str, &'static str)> {
        let lines = SAID[Language::Chinese as usize].lines();
        lines.map(|line| line.split_once('\t').expect("a key and words"))
    }

    /// The gaps of a text, sorted.
    fn gaps(text: &str) -> Vec<&str> {
        let parts = text.split('{').skip(1);
        let mut gaps: Vec<&str> = parts.filter_map(|part| part.split('}').next()).collect();
        gaps.sort_unstable();
        gaps.dedup();
        gaps
    }

    #[test]
    fn the_engines_sentences_have_their_gaps_in_other_languages() {
        for (form, key) in catalogue::ALL.iter().zip(catalogue::KEYS) {
            let number = form.number.to_string();
            let [english, chinese] = templates(&number).unwrap_or_else(|| panic!("{key}"));
            assert_eq!(english, "", "{key}: it comes from the engine");
            assert_eq!(gaps(chinese), gaps(form.english), "{key}");
            let locale = include_str!("../../www/locales/zh-TW.ftl");
            let line = format!("said-{key} = ");
            assert_eq!(locale.matches(&line).count(), 1, "{key}");
        }
        for (key, words) in chinese() {
            let english = template(key, Language::English).is_some();
            let numbered = key
                .parse::<usize>()
                .is_ok_and(|it| it <= catalogue::ALL.len());
            assert!(english || numbered, "{key} has no English: {words}");
        }
    }

    fn asked(query: Query) -> Answer {
        let mut host = EngineHost::new();
        let replies = host.handle(Request::Ask { number: 1, query });
        match replies.into_iter().next() {
            Some(Reply::Answer { answer, .. }) => answer,
            other => panic!("{other:?}"),
        }
    }

    /// What is said of each word that is offered at the end of a text.
    fn offered(name: &str, text: &str) -> Vec<Said> {
        let file = File {
            name: name.to_owned(),
            text: text.to_owned(),
        };
        let query = Query::Complete {
            offset: u32::try_from(text.len()).expect("it is short"),
            file,
        };
        let Answer::Words { words, .. } = asked(query) else {
            panic!("{name}: nothing fits {text}")
        };
        let details = words.into_iter().map(|word| word.detail);
        details.filter(|detail| !detail.is_empty()).collect()
    }

    /// Whether every key of it is known in both languages.
    fn is_known(said: &Said) -> bool {
        match said {
            Said::Plain(_) => true,
            Said::Own { key, parts, .. } => {
                templates(key).is_some() && parts.iter().all(|(_, part)| is_known(part))
            }
        }
    }

    #[test]
    fn every_word_of_podiums_own_languages_has_its_meaning() {
        let mut all = [offered(FAULTS, ""), offered(crate::files::CLUSTER, "")].concat();
        all.extend(offered(FAULTS, "cpu-hog worker-1 "));
        assert!(all.len() > 40, "{all:?}");
        let deployment = "apiVersion: apps/v1\nkind: Deployment\nspec:\n  ";
        all.extend(offered("a.yaml", deployment));
        all.extend(offered("compose.yaml", "services:\n  web:\n    "));
        for said in &all {
            assert!(is_known(said), "{said:?}");
        }
    }

    #[test]
    fn nothing_is_blank_beside_full_width_punctuation() {
        let locale = include_str!("../../www/locales/zh-TW.ftl");
        let wide = |letter: char| "，。：；！？（）「」、".contains(letter);
        for line in locale.lines().filter(|line| !line.starts_with('#')) {
            let Some((key, value)) = line.split_once(" = ") else {
                continue;
            };
            let letters: Vec<char> = value.chars().collect();
            let beside = letters
                .windows(2)
                .any(|pair| pair[0] == ' ' && wide(pair[1]) || wide(pair[0]) && pair[1] == ' ');
            assert!(!beside, "{key}: {value}");
        }
        // Verbs stand before a space.
        let verbs = catalogue::ALL.iter().zip(catalogue::KEYS);
        for (form, key) in verbs.filter(|(_, key)| key.starts_with("verb-")) {
            let chinese =
                template(&form.number.to_string(), Language::Chinese).expect("it is there");
            assert!(!chinese.ends_with(wide), "{key}: {chinese}");
        }
    }

    #[test]
    fn parts_are_put_into_the_gaps_of_each_language() {
        let step = catalogue::STEP_AFTER.with(&[
            ("source", &"kube-scheduler"),
            ("subject", &"pod/web-1 worker-2"),
            ("rule", &"back-off 10s"),
        ]);
        let step = Said::from(&step.and("verb", catalogue::VERB_BIND.plain()));
        let english = Text::default();
        assert_eq!(
            english.said(&step),
            "kube-scheduler bound pod/web-1 worker-2 after back-off 10s"
        );
        let chinese = Text {
            language: Language::Chinese,
        };
        assert_eq!(
            chinese.said(&step),
            "kube-scheduler 在 back-off 10s 之後綁定 pod/web-1 worker-2"
        );
        assert_eq!(chinese.said_lang(&step), None);
        let tools = Said::from("time: invalid duration \"soon\"");
        assert_eq!(chinese.said(&tools), "time: invalid duration \"soon\"");
        assert_eq!(chinese.said_lang(&tools), Some("en"));
    }
}
