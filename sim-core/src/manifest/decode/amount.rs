//! Amounts of resources: quantities of Kubernetes, sizes and CPU shares of Docker's files.

use std::sync::Arc;

use crate::api::resources::{ResourceAmounts, ResourceNeeds};
use crate::base::quantity::{Format, Quantity};
use crate::base::sentence::passage::Passage;
use crate::base::sentence::{Sentence, catalogue};
use crate::manifest::decode::kube::fault;
use crate::manifest::decode::scribe::{Field, Scribe};
use crate::manifest::diagnostic::Code;
use crate::manifest::explain;

/// A quantity of Kubernetes: text or a bare number.
pub fn quantity(field: &Field<'_>, scribe: &Scribe) -> Option<Quantity> {
    let text = field.scalar(scribe)?;
    match Quantity::parse(text.trim()) {
        Ok(quantity) => Some(quantity.rounded_to_milli()),
        Err(error) => {
            scribe.fault(
                explain::KUBERNETES_BAD_QUANTITY,
                field,
                Sentence::from(
                    Passage::from(format!("{}: Invalid value: {text:?}: ", field.path))
                        .then(Sentence::from(error)),
                )
                .advise(catalogue::EXAMPLES.with(&[("examples", &"500m, 2, 1.5, 128Mi, 1Gi")])),
            );
            None
        }
    }
}

/// `resources` of a container of Kubernetes. Requests that are missing are filled from limits.
/// Source: `pkg/apis/core/v1/defaults.go`, `SetDefaults_Pod`.
pub fn needs(field: &Field<'_>, scribe: &Scribe) -> ResourceNeeds {
    let limits_field = field.get(scribe, "limits");
    let requests_field = field.get(scribe, "requests");
    for list in [&limits_field, &requests_field] {
        check_names(list, scribe);
    }
    let limits = amounts(&limits_field, scribe);
    let mut requests = amounts(&requests_field, scribe);
    check_limit(&requests_field, scribe, &limits);
    requests.cpu_milli = requests.cpu_milli.or(limits.cpu_milli);
    requests.memory_bytes = requests.memory_bytes.or(limits.memory_bytes);
    requests.ephemeral_storage_bytes = requests
        .ephemeral_storage_bytes
        .or(limits.ephemeral_storage_bytes);
    for (name, amount) in &limits.extended {
        requests.extended.entry(name.clone()).or_insert(*amount);
    }
    ResourceNeeds { requests, limits }
}

/// Resources without a domain, beside those that a container has.
/// Source: `pkg/apis/core/helper/helpers.go` (`standardResources`).
const STANDARD: [&str; 8] = [
    "configmaps",
    "persistentvolumeclaims",
    "pods",
    "replicationcontrollers",
    "resourcequotas",
    "secrets",
    "services",
    "storage",
];

/// A resource list of Kubernetes.
pub fn amounts(field: &Field<'_>, scribe: &Scribe) -> ResourceAmounts {
    let mut amounts = ResourceAmounts::default();
    for (key, inner) in field.entries(scribe) {
        let Some(quantity) = quantity(&inner, scribe) else {
            continue;
        };
        let inner = Field {
            path: format!("{}[{}]", field.path, key.text),
            ..inner
        };
        if quantity.is_negative() {
            let shown = format!("{:?}", quantity.to_string());
            fault::invalid(scribe, &inner, shown, "must be greater than or equal to 0");
            continue;
        }
        let whole = quantity.value().unsigned_abs();
        match &*key.text {
            "cpu" => amounts.cpu_milli = Some(quantity.milli_value().unsigned_abs()),
            "memory" => amounts.memory_bytes = Some(whole),
            "ephemeral-storage" => amounts.ephemeral_storage_bytes = Some(whole),
            _ => {
                if !quantity.is_whole() {
                    fault::invalid(
                        scribe,
                        &inner,
                        format!("{:?}", quantity.to_string()),
                        "must be an integer",
                    );
                }
                amounts.extended.insert(key.text.clone(), whole);
            }
        }
    }
    amounts
}

/// Source: `pkg/apis/core/validation/validation.go` (`validateContainerResourceName`).
fn check_names(list: &Field<'_>, scribe: &Scribe) {
    const OWN: [&str; 3] = ["cpu", "memory", "ephemeral-storage"];
    for (key, inner) in list.entries(scribe) {
        let name = &*key.text;
        if name.contains('/') || name.starts_with("hugepages-") || OWN.contains(&name) {
            continue;
        }
        let at = Field {
            path: format!("{}[{name}]", list.path),
            ..inner
        };
        if !STANDARD.contains(&name) {
            let detail = "must be a standard resource type or fully qualified";
            fault::invalid(scribe, &at, format!("{name:?}"), detail);
        }
        let detail = "must be a standard resource for containers";
        fault::invalid(scribe, &at, format!("{name:?}"), detail);
    }
}

fn check_limit(requests: &Field<'_>, scribe: &Scribe, limits: &ResourceAmounts) {
    for (key, inner) in requests.entries(scribe) {
        let Some(quantity) = inner
            .node
            .and_then(|node| node.scalar_text())
            .and_then(|text| Quantity::parse(text.trim()).ok())
        else {
            continue;
        };
        let whole = quantity.value().unsigned_abs();
        let (request, limit) = match &*key.text {
            "cpu" => (quantity.milli_value().unsigned_abs(), limits.cpu_milli),
            "memory" => (whole, limits.memory_bytes),
            "ephemeral-storage" => (whole, limits.ephemeral_storage_bytes),
            name => {
                // Extended resources cannot be shared, so request and limit must be the same.
                let limit = limits.extended.get(name).copied();
                if limit != Some(whole) && name.contains('/') {
                    let detail = format!("must be equal to {name} limit of {}", limit.unwrap_or(0));
                    let at = Field {
                        path: requests.path.clone(),
                        ..inner
                    };
                    fault::invalid(scribe, &at, format!("{:?}", quantity.to_string()), &detail);
                }
                continue;
            }
        };
        if quantity.is_negative() || limit.is_none_or(|limit| request <= limit) {
            continue;
        }
        let shown = limit.map_or_else(String::new, |limit| match &*key.text {
            "cpu" => Quantity::from_milli(i64::try_from(limit).unwrap_or(i64::MAX)).canonical(),
            _ => Quantity::from_units(i64::try_from(limit).unwrap_or(i64::MAX), Format::BinarySi)
                .canonical(),
        });
        let detail = format!(
            "must be less than or equal to {} limit of {shown}",
            key.text
        );
        // As upstream, the path ends at `requests`.
        let at = Field {
            path: requests.path.clone(),
            ..inner
        };
        fault::invalid(scribe, &at, format!("{:?}", quantity.to_string()), &detail);
    }
}

/// A size of Docker's files: a number of bytes, or a number with `b`, `k`, `m`, `g`, `t` (each also
/// with `b` or `ib`), powers of 1024. Source: docker/go-units `size.go`, `RAMInBytes`.
pub fn bytes(field: &Field<'_>, scribe: &Scribe, code: Code) -> Option<u64> {
    let text = field.scalar(scribe)?;
    let size = parse_bytes(&text);
    if size.is_none() {
        scribe.error_with_help(
            code,
            field.span,
            format!("{}: invalid size: '{text}'", field.path),
            catalogue::EXAMPLES.with(&[("examples", &"512m, 1g")]),
        );
    }
    size
}

/// A size as text: see [`bytes`].
pub fn parse_bytes(text: &str) -> Option<u64> {
    let text = text.trim();
    let split = text
        .find(|letter: char| !(letter.is_ascii_digit() || letter == '.'))
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let shift = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        "t" | "tb" | "tib" => 40,
        "p" | "pb" | "pib" => 50,
        _ => return None,
    };
    let millionths = parse_decimal(number, 6)?;
    let size = (u128::from(millionths) << shift) / 1_000_000;
    u64::try_from(size)
        .ok()
        .filter(|size| *size <= i64::MAX as u64)
}

/// CPUs of Docker's files, a decimal number, in thousandths.
pub fn cpu_milli(field: &Field<'_>, scribe: &Scribe, code: Code) -> Option<u64> {
    let text = field.scalar(scribe)?;
    let milli = parse_decimal(&text, 3);
    match milli {
        None => scribe.error_with_help(
            code,
            field.span,
            format!("{}: invalid cpu value {text}", field.path),
            catalogue::EXAMPLES.with(&[("examples", &"0.5")]),
        ),
        Some(0) if text.bytes().any(|byte| (b'1'..=b'9').contains(&byte)) => scribe.error(
            code,
            field.span,
            format!("invalid cpu value {text}: Must be at least 0.001"),
        ),
        Some(_) => {}
    }
    milli
}

/// A non-negative decimal number times 10^`places`; further places are cut off.
pub fn parse_decimal(text: &str, places: usize) -> Option<u64> {
    let (whole, fraction) = text.trim().split_once('.').unwrap_or((text.trim(), ""));
    let is_digits = |part: &str| part.len() <= 15 && part.bytes().all(|byte| byte.is_ascii_digit());
    if (whole.is_empty() && fraction.is_empty()) || !is_digits(whole) || !is_digits(fraction) {
        return None;
    }
    let padded: String = fraction
        .chars()
        .chain(std::iter::repeat('0'))
        .take(places)
        .collect();
    let scale = 10_u64.checked_pow(u32::try_from(places).ok()?)?;
    let part = |digits: &str| {
        if digits.is_empty() {
            Some(0)
        } else {
            digits.parse::<u64>().ok()
        }
    };
    part(whole)?.checked_mul(scale)?.checked_add(part(&padded)?)
}

/// Generic resources of Swarm: `discrete_resource_spec` of kind and value.
pub fn generic(field: &Field<'_>, scribe: &Scribe) -> Vec<(Arc<str>, u64)> {
    let mut found = Vec::new();
    for item in field.items(scribe) {
        let spec = item.get(scribe, "discrete_resource_spec");
        let kind = spec.get(scribe, "kind").text_or_empty(scribe);
        let value = spec
            .get(scribe, "value")
            .integer(scribe)
            .and_then(|value| u64::try_from(value).ok());
        if let Some(value) = value.filter(|_| !kind.is_empty()) {
            found.push((kind, value));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::{parse_bytes, parse_decimal};

    #[test]
    fn sizes_are_powers_of_1024() {
        assert_eq!(parse_bytes("512m"), Some(512 << 20));
        assert_eq!(parse_bytes("1.5GB"), Some(3 << 29));
        assert_eq!(parse_bytes("64"), Some(64));
        assert_eq!(parse_bytes("1x"), None);
        assert_eq!(parse_bytes(""), None);
        assert_eq!(parse_decimal("0.25", 3), Some(250));
        assert_eq!(parse_decimal("1e3", 3), None);
    }
}
