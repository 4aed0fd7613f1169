//! What label keys and values may look like, with upstream's refusals.
//!
//! Source: `pkg/api/validate/content/kube.go`, `dns.go` and `pkg/util/validation/validation.go` of
//! apimachinery.

/// Bytes of a label's value, and of a key's part after the slash.
pub const MAX_NAME_BYTES: usize = 63;
/// Bytes of a DNS subdomain, such as a key's part before the slash.
pub const MAX_SUBDOMAIN_BYTES: usize = 253;

const NAME_RULE: &str = "must consist of alphanumeric characters, '-', '_' or '.', and must start \
    and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used \
    for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";

const VALUE_RULE: &str = "a valid label must be an empty string or consist of alphanumeric \
    characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. \
    'MyValue',  or 'my_value',  or '12345', regex used for validation is \
    '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";

const SUBDOMAIN_RULE: &str = "a lowercase RFC 1123 subdomain must consist of lower case \
    alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character \
    (e.g. 'example.com', regex used for validation is \
    '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";

/// What is wrong with a qualified name (label key, annotation key, taint key, resource name);
/// empty when nothing is.
pub fn qualified_name_errors(text: &str) -> Vec<String> {
    let mut errors = Vec::new();
    let name = match text.split_once('/') {
        None => text,
        Some((_, name)) if name.contains('/') => {
            return vec![format!(
                "a qualified name {NAME_RULE} with an optional DNS subdomain prefix and '/' (e.g. \
                 'example.com/MyName')"
            )];
        }
        Some(("", name)) => {
            errors.push("prefix part must be non-empty".to_owned());
            name
        }
        Some((prefix, name)) => {
            let found = subdomain_errors(prefix).into_iter();
            errors.extend(found.map(|error| format!("prefix part {error}")));
            name
        }
    };
    if name.is_empty() {
        errors.push("name part must be non-empty".to_owned());
    } else if name.len() > MAX_NAME_BYTES {
        errors.push(format!("name part {}", too_long(MAX_NAME_BYTES)));
    }
    if !is_name(name) {
        errors.push(format!("name part {NAME_RULE}"));
    }
    errors
}

/// What is wrong with a label's value; empty when nothing is.
pub fn label_value_errors(text: &str) -> Vec<String> {
    let mut errors = Vec::new();
    if text.len() > MAX_NAME_BYTES {
        errors.push(too_long(MAX_NAME_BYTES));
    }
    if !text.is_empty() && !is_name(text) {
        errors.push(VALUE_RULE.to_owned());
    }
    errors
}

/// What is wrong with a DNS subdomain (RFC 1123); empty when nothing is.
pub fn subdomain_errors(text: &str) -> Vec<String> {
    let mut errors = Vec::new();
    if text.len() > MAX_SUBDOMAIN_BYTES {
        errors.push(too_long(MAX_SUBDOMAIN_BYTES));
    }
    if !text.split('.').all(is_dns_label) {
        errors.push(SUBDOMAIN_RULE.to_owned());
    }
    errors
}

fn too_long(bytes_max: usize) -> String {
    format!("must be no more than {bytes_max} characters")
}

fn is_name(text: &str) -> bool {
    let bytes = text.as_bytes();
    let is_inner = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
    match (bytes.first(), bytes.last()) {
        (Some(first), Some(last)) => {
            first.is_ascii_alphanumeric()
                && last.is_ascii_alphanumeric()
                && bytes.iter().all(is_inner)
        }
        _ => false,
    }
}

fn is_dns_label(text: &str) -> bool {
    let bytes = text.as_bytes();
    let is_edge = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    match (bytes.first(), bytes.last()) {
        (Some(first), Some(last)) => {
            is_edge(*first)
                && is_edge(*last)
                && bytes.iter().all(|byte| is_edge(*byte) || *byte == b'-')
        }
        _ => false,
    }
}
