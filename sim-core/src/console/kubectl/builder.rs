//! What the words after a verb name: kinds, or objects by kind and name.
//!
//! Source: `k8s.io/cli-runtime/pkg/resource/builder.go`.

use crate::kube::kinds::{KINDS, Kind};

use super::problem::Problem;
use super::{ALL, Call, about, kind_of};

/// A kind, and a name; without one all of the kind.
pub type Target = (&'static Kind, Option<String>);

/// What is between commas, each once (`SplitResourceArgument`).
fn parts(word: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    for part in word.split(',') {
        if !parts.contains(&part) {
            parts.push(part);
        }
    }
    parts
}

/// Several kinds and names are a pair each (`normalizeMultipleResourcesArgs`).
fn pairs(words: &[String]) -> Option<Vec<String>> {
    let (kinds, names) = words.split_first()?;
    let kinds = parts(kinds);
    let pair = |kind: &&str| {
        let kind = (*kind).to_owned();
        names.iter().map(move |name| format!("{kind}/{name}"))
    };
    (kinds.len() > 1 && !names.is_empty()).then(|| kinds.iter().flat_map(pair).collect())
}

/// `TYPE/NAME` (`splitResourceTypeName`).
fn pair(word: &str) -> Result<(&str, &str), Problem> {
    match word.split_once('/') {
        None => Err(Problem::error(
            "there is no need to specify a resource type as a separate argument when passing arguments in resource/name form (e.g. 'kubectl get resource/<resource_name>' instead of 'kubectl get resource resource/<resource_name>'",
        )),
        Some((_, name)) if name.contains('/') => Err(Problem::error(
            "arguments in resource/name form may not have more than one slash",
        )),
        Some((kind, name)) if kind.is_empty() || name.is_empty() || parts(kind).len() > 1 => Err(
            Problem::error("arguments in resource/name form must have a single resource and name"),
        ),
        Some(pair) => Ok(pair),
    }
}

/// What is said of several kinds where one is wanted (`ErrMultipleResourceTypes`).
pub fn several() -> Problem {
    Problem::error("you may only specify a single resource type")
}

impl Call<'_> {
    /// Whether objects are chosen by what they have, not by their names.
    pub fn selects(&self) -> bool {
        let given = |flag| self.arguments.flag(flag).is_some_and(|it| !it.is_empty());
        // The selector of `expose` is the Service's.
        self.verb != "expose" && given("selector")
            || given("field-selector")
            || self.arguments.on("all")
    }

    /// `TYPE[,TYPE] [NAME…]` or `TYPE/NAME …` (`ResourceTypeOrNameArgs`).
    ///
    /// # Errors
    /// Unknown kinds, mixed forms, and names beside a selector, in upstream's words.
    pub fn targets(&self, words: &[String]) -> Result<Vec<Target>, Problem> {
        let paired = pairs(words);
        let words = paired.as_deref().unwrap_or(words);
        let Some((first, names)) = words.split_first() else {
            return Err(Problem::no_resource());
        };
        if words.iter().any(|word| word.contains('/')) {
            let pairs: Result<Vec<_>, _> = words.iter().map(|word| pair(word)).collect();
            let pairs = pairs?;
            if self.selects() {
                return Err(Problem::error(
                    "selectors and the all flag cannot be used when passing resource/name arguments",
                ));
            }
            let one = |(kind, name): (&str, &str)| Ok((self.kind_of(kind)?, Some(name.to_owned())));
            return pairs.into_iter().map(one).collect();
        }
        if !names.is_empty() && self.selects() {
            return Err(Problem::error(
                "name cannot be provided when a selector is specified",
            ));
        }
        let kinds = self.kinds_of(first)?;
        if names.is_empty() {
            return Ok(kinds.into_iter().map(|kind| (kind, None)).collect());
        }
        let [kind] = kinds[..] else {
            return Err(Problem::error("you must specify only one resource"));
        };
        // Source: `k8s.io/client-go/rest/request.go` (`Name`).
        if names.iter().any(String::is_empty) {
            return Err(Problem::error("resource name may not be empty"));
        }
        let names = names.iter().map(|name| (kind, Some(name.clone())));
        Ok(names.collect())
    }

    /// The kinds of a word, each once, however it is named (`resourceMappings`).
    ///
    /// # Errors
    /// Unknown kinds.
    pub fn kinds_of(&self, word: &str) -> Result<Vec<&'static Kind>, Problem> {
        let mut kinds: Vec<&'static Kind> = Vec::new();
        for part in parts(word) {
            let mut named = self.category(part)?;
            if named.is_empty() {
                named.push(self.kind_of(part)?);
            }
            for kind in named {
                if !kinds.iter().any(|known| std::ptr::eq(*known, kind)) {
                    kinds.push(kind);
                }
            }
        }
        Ok(kinds)
    }

    /// The kinds of a category: `all`, `api-extensions`, and what definitions name (`ReplaceAliases`).
    fn category(&self, word: &str) -> Result<Vec<&'static Kind>, Problem> {
        let mut kinds = Vec::new();
        if word == "all" {
            for name in ALL {
                kinds.push(kind_of(name)?);
            }
        } else {
            let is_in = |kind: &&Kind| about::categories(kind).contains(&word);
            kinds.extend(KINDS.iter().filter(is_in));
        }
        let definitions = self.view()?.store.definitions();
        kinds.extend(definitions.in_category(word));
        Ok(kinds)
    }
}
