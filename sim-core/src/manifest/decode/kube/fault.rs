//! The server's words for a bad field: `<path>: <type>[: <value>][: <detail>]`.
//! Source: `staging/src/k8s.io/apimachinery/pkg/util/validation/field/errors.go`.

use crate::base::sentence::{Sentence, catalogue};
use crate::manifest::decode::scribe::{Field, Scribe};
use crate::manifest::explain;
use crate::manifest::schema::suggest::nearest;

/// Something is missing.
pub fn required(scribe: &Scribe, field: &Field<'_>, detail: &str) {
    let detail = if detail.is_empty() {
        String::new()
    } else {
        format!(": {detail}")
    };
    scribe.fault(
        explain::KUBERNETES_MISSING_FIELD,
        field,
        format!("{}: Required value{detail}", field.path),
    );
}

/// A value breaks a rule. `value` is printed as it is: quote texts first.
pub fn invalid(scribe: &Scribe, field: &Field<'_>, value: impl std::fmt::Display, detail: &str) {
    scribe.fault(
        explain::KUBERNETES_INVALID_VALUE,
        field,
        format!("{}: Invalid value: {value}: {detail}", field.path),
    );
}

/// A value is not one of a few, which are listed in the order given: some of upstream's lists are sorted, some not.
pub fn unsupported(scribe: &Scribe, field: &Field<'_>, value: &str, supported: &[&str]) {
    unsupported_shown(scribe, field, value, &format!("{value:?}"), supported);
}

/// As [`unsupported`], with the value as it is printed: some rules print the object around the word.
pub fn unsupported_shown(
    scribe: &Scribe,
    field: &Field<'_>,
    value: &str,
    shown: &str,
    supported: &[&str],
) {
    let list = supported
        .iter()
        .map(|word| format!("{word:?}"))
        .collect::<Vec<_>>()
        .join(", ");
    let message = format!(
        "{}: Unsupported value: {shown}: supported values: {list}",
        field.path
    );
    match nearest(value, supported.iter().copied()) {
        Some(word) => scribe.fault(
            explain::KUBERNETES_UNSUPPORTED_VALUE,
            field,
            Sentence::from(message).advise(catalogue::NEAR.with(&[("near", &word)])),
        ),
        None => scribe.fault(explain::KUBERNETES_UNSUPPORTED_VALUE, field, message),
    }
}

/// A value stands twice where it may stand once.
pub fn duplicate(scribe: &Scribe, field: &Field<'_>, value: impl std::fmt::Display) {
    scribe.fault(
        explain::KUBERNETES_DUPLICATE_VALUE,
        field,
        format!("{}: Duplicate value: {value}", field.path),
    );
}

/// A field may not be set here.
pub fn forbidden(scribe: &Scribe, field: &Field<'_>, detail: &str) {
    scribe.fault(
        explain::KUBERNETES_FORBIDDEN_FIELD,
        field,
        format!("{}: Forbidden: {detail}", field.path),
    );
}

/// A name refers to nothing.
pub fn not_found(scribe: &Scribe, field: &Field<'_>, value: &str) {
    scribe.fault(
        explain::KUBERNETES_DANGLING_NAME,
        field,
        format!("{}: Not found: {value:?}", field.path),
    );
}

/// A number that must not be negative; the default if absent or wrong.
pub fn non_negative(scribe: &Scribe, field: &Field<'_>, default: u32) -> u32 {
    let Some(number) = field.integer(scribe) else {
        return default;
    };
    u32::try_from(number)
        .ok()
        .filter(|number| *number <= i32::MAX as u32)
        .unwrap_or_else(|| {
            let detail = if number < 0 {
                "must be greater than or equal to 0"
            } else {
                "must be a 32-bit integer"
            };
            invalid(scribe, field, number, detail);
            default
        })
}

/// A port from 1 to 65535; nothing if absent or wrong.
pub fn port(scribe: &Scribe, field: &Field<'_>) -> Option<u16> {
    let number = field.integer(scribe)?;
    match u16::try_from(number) {
        Ok(port) if port > 0 => Some(port),
        _ => {
            invalid(
                scribe,
                field,
                number,
                "must be between 1 and 65535, inclusive",
            );
            None
        }
    }
}

/// One of a few words; the default if absent or wrong.
pub fn word<T: Copy>(scribe: &Scribe, field: &Field<'_>, words: &[(&str, T)], default: T) -> T {
    let Some(text) = field.text(scribe) else {
        return default;
    };
    match words.iter().find(|(word, _)| **word == *text) {
        Some((_, value)) => *value,
        None => {
            let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            unsupported(scribe, field, &text, &names);
            default
        }
    }
}

/// As [`word`], and an absent one is refused as an empty one: no default is written into it.
pub fn needed_word<T: Copy>(
    scribe: &Scribe,
    field: &Field<'_>,
    words: &[(&str, T)],
    default: T,
) -> T {
    if !field.exists() {
        let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        unsupported(scribe, field, "", &names);
    }
    word(scribe, field, words, default)
}
