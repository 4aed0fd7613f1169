//! Requests for certificates: who asks is for the server to say, and what is asked stays.
//! Source: `pkg/registry/certificates/certificates/strategy.go` (`csrStrategy`).

use std::cmp::Ordering;

use crate::base::base64;
use crate::base::sorted::SortedSet;
use crate::kube::apiserver::admission::policy::{ADMINISTRATOR, ADMINISTRATOR_GROUPS};
use crate::kube::apiserver::rbac::Who;
use crate::kube::apiserver::refusal::{Cause, Refusal, cause};
use crate::kube::kinds::Kind;
use crate::manifest::decode::kube::name;
use crate::manifest::value::Value;

/// Writes who asks into a request that is created, or what was asked into one that is written
/// anew; none: the administrator asks.
pub fn prepare(kind: &Kind, old: Option<&Value>, value: &mut Value, who: Option<&Who>) {
    if kind.kind != "CertificateSigningRequest" || kind.custom {
        return;
    }
    if let Some(spec) = old.and_then(|old| old.get("spec")) {
        value.set("spec", spec.clone());
        return;
    }
    for field in ["username", "uid", "groups", "extra"] {
        value.remove_path(&["spec", field]);
    }
    let groups: Vec<Value> = match who {
        Some(who) => who.groups.iter().map(|group| (&**group).into()).collect(),
        None => ADMINISTRATOR_GROUPS.map(Value::from).to_vec(),
    };
    let user = who.map_or(ADMINISTRATOR, |who| &*who.user);
    value.set_path(&["spec", "groups"], Value::list(groups));
    value.set_path(&["spec", "username"], user.into());
}

/// What a certificate may be asked for, in the order of its names.
/// Source: `staging/src/k8s.io/api/certificates/v1/types.go` (`KeyUsage`).
const USAGES: [&str; 23] = [
    "any",
    "cert sign",
    "client auth",
    "code signing",
    "content commitment",
    "crl sign",
    "data encipherment",
    "decipher only",
    "digital signature",
    "email protection",
    "encipher only",
    "ipsec end system",
    "ipsec tunnel",
    "ipsec user",
    "key agreement",
    "key encipherment",
    "microsoft sgc",
    "netscape sgc",
    "ocsp signing",
    "s/mime",
    "server auth",
    "signing",
    "timestamping",
];

/// Shortest span that may be asked for. Source: as [`check`].
const EXPIRATION_MIN_S: i64 = 600;

/// Whether a request says what it has to. Its signature is not verified.
/// Source: `pkg/apis/certificates/validation/validation.go` (`validateCertificateSigningRequest`).
///
/// # Errors
/// The refusal with every fault.
pub fn check(kind: &Kind, name: &str, value: &Value) -> Result<(), Refusal> {
    if kind.kind != "CertificateSigningRequest" || kind.custom {
        return Ok(());
    }
    let mut faults: Vec<Cause> = Vec::new();
    let request = value.str_at(&["spec", "request"]).unwrap_or("");
    let bytes = base64::decode(request).map_err(|at| {
        Refusal::bad_request(format!(
            "CertificateSigningRequest in version \"v1\" cannot be handled as a CertificateSigningRequest: illegal base64 data at input byte {at}"
        ))
    })?;
    if let Err(why) = judge(&bytes) {
        let message = format!("Invalid value: {request:?}: {why}");
        faults.push(cause("spec.request", message));
    }
    let usages = value.path(&["spec", "usages"]).and_then(Value::as_list);
    let usages: Vec<&str> = usages
        .unwrap_or(&[])
        .iter()
        .filter_map(Value::as_str)
        .collect();
    if usages.is_empty() {
        faults.push(cause("spec.usages", "Required value"));
    }
    let supported = USAGES.map(|one| format!("{one:?}")).join(", ");
    for (index, usage) in usages.iter().enumerate() {
        if !USAGES.contains(usage) {
            let message = format!("Unsupported value: {usage:?}: supported values: {supported}");
            faults.push(cause(format!("spec.usages[{index}]"), message));
        }
    }
    let mut seen = SortedSet::new();
    for (index, usage) in usages.iter().enumerate() {
        if !seen.insert(*usage) {
            let message = format!("Duplicate value: {usage:?}");
            faults.push(cause(format!("spec.usages[{index}]"), message));
        }
    }
    let signer = value.str_at(&["spec", "signerName"]).unwrap_or("");
    let of_signer = signer_faults(signer).into_iter();
    faults.extend(of_signer.map(|message| cause("spec.signerName", message)));
    if let Some(seconds) = value
        .i64_at(&["spec", "expirationSeconds"])
        .filter(|seconds| *seconds < EXPIRATION_MIN_S)
    {
        let message = format!(
            "Invalid value: {seconds}: may not specify a duration less than 600 seconds (10 minutes)"
        );
        faults.push(cause("spec.expirationSeconds", message));
    }
    if faults.is_empty() {
        return Ok(());
    }
    Err(Refusal::invalid(kind, name, faults))
}

/// Source: `pkg/apis/core/validation/names.go` (`ValidateSignerName`).
fn signer_faults(signer: &str) -> Vec<String> {
    /// Of a domain: a DNS-1123 subdomain.
    const DOMAIN_MAX: usize = 253;
    /// Of the whole: a domain, and a path of a label and a subdomain.
    const NAME_MAX: usize = DOMAIN_MAX + 1 + 63 + 1 + 253;
    if signer.is_empty() {
        return vec!["Required value".to_owned()];
    }
    if signer == "kubernetes.io/legacy-unknown" {
        return vec![format!(
            "Invalid value: {signer:?}: the legacy signerName is not allowed via this API version"
        )];
    }
    let Some((domain, path)) = signer
        .split_once('/')
        .filter(|(_, path)| !path.contains('/'))
    else {
        return vec![format!(
            "Invalid value: {signer:?}: must be a fully qualified domain and path of the form 'example.com/signer-name'"
        )];
    };
    let too_long = |most: usize| format!("Too long: may not be more than {most} bytes");
    // The first label that is wrong says it for all.
    let wrong = |whole: &str, check: fn(&str) -> Vec<String>| -> Vec<String> {
        let labels = whole.split('.').map(|label| (label, check(label)));
        let first = labels.into_iter().find(|(_, faults)| !faults.is_empty());
        let (label, faults) = first.unwrap_or_default();
        let said = faults.iter();
        said.map(|fault| format!("Invalid value: {whole:?}: validating label {label:?}: {fault}"))
            .collect()
    };
    let mut faults = Vec::new();
    if domain.len() > DOMAIN_MAX {
        faults.push(too_long(DOMAIN_MAX));
    }
    faults.extend(wrong(domain, name::label));
    if !domain.contains('.') {
        faults.push(format!(
            "Invalid value: {domain:?}: should be a domain with at least two segments separated by dots"
        ));
    }
    faults.extend(wrong(path, name::subdomain));
    if signer.len() > NAME_MAX {
        faults.push(too_long(NAME_MAX));
    }
    faults
}

/// A length of several digits, the highest first. Source: Go's `encoding/asn1` (`parseTagAndLength`).
fn long_length(bytes: &[u8], count: usize) -> Result<usize, String> {
    let wrong = |what: &str| Err(format!("asn1: structure error: {what}"));
    let mut length = 0_usize;
    for place in 0..count {
        let Some(digit) = bytes.get(place) else {
            return Err("asn1: syntax error: truncated tag or length".to_owned());
        };
        if length >= 1 << 23 {
            return wrong("length too large");
        }
        length = length << 8 | usize::from(*digit);
        if length == 0 {
            return wrong("superfluous leading zeros in length");
        }
    }
    if length < 0x80 {
        return wrong("non-minimal length");
    }
    Ok(length)
}

/// The request inside its two wrappings: one sequence, whole and alone.
/// Source: `pkg/apis/certificates/helpers.go` (`ParseCSR`), Go's `encoding/asn1`.
fn judge(request: &[u8]) -> Result<(), String> {
    const BEGIN: &str = "CERTIFICATE REQUEST-----";
    const END: &str = "-----END CERTIFICATE REQUEST-----";
    let kind = "PEM block type must be CERTIFICATE REQUEST";
    let text = String::from_utf8_lossy(request);
    // The first block counts, whatever it is.
    let body = text
        .split_once("-----BEGIN ")
        .and_then(|(_, rest)| rest.strip_prefix(BEGIN))
        .and_then(|rest| rest.split_once(END));
    let body: String = body.ok_or(kind)?.0.split_whitespace().collect();
    let bytes = base64::decode(&body).map_err(|_| kind)?;
    let (Some(tag), Some(first)) = (bytes.first(), bytes.get(1)) else {
        return Err("asn1: syntax error: truncated tag or length".to_owned());
    };
    let (head, length) = match usize::from(*first) {
        short @ 0..0x80 => (2, short),
        0x80 => return Err("asn1: syntax error: indefinite length found (not DER)".to_owned()),
        long => (2 + long - 0x80, long_length(&bytes[2..], long - 0x80)?),
    };
    /// A constructed sequence.
    const SEQUENCE: u8 = 0x30;
    if *tag != SEQUENCE {
        return Err(format!(
            "asn1: structure error: tags don't match (16 vs {{class:{} tag:{} length:{length} isCompound:{}}}) {{optional:false explicit:false application:false private:false defaultValue:<nil> tag:<nil> stringType:0 timeType:0 set:false omitEmpty:false}} certificateRequest @{head}",
            tag >> 6,
            tag & 0x1f,
            tag & 0x20 != 0
        ));
    }
    match bytes.len().cmp(&head.saturating_add(length)) {
        Ordering::Less => Err("asn1: syntax error: data truncated".to_owned()),
        Ordering::Greater => Err("asn1: syntax error: trailing data".to_owned()),
        Ordering::Equal => Ok(()),
    }
}
