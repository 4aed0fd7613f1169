//! The table of diagnostic codes, one paragraph each, for `podium explain CODE`.
//!
//! Codes are stable: links, ignore lists and CI logs hold them. A code is never reused; a rule
//! that goes leaves a gap.
use crate::manifest::diagnostic::Code;

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $name:ident = $code:literal: $text:literal;)+) => {
        $($(#[doc = $doc])+ pub const $name: Code = Code($code);)+

        /// Every code with its explanation, in order of code.
        pub const TABLE: &[(Code, &str)] = &[$(($name, $text)),+];
    };
}

codes! {
    /// An unknown property of a Compose file.
    COMPOSE_UNKNOWN_PROPERTY = "CMP001": "Docker Compose checks a file against the Compose Specification before it does anything. A property the specification does not know stops the whole command, so that a misspelt key cannot silently do nothing. Extensions are allowed where they start with x-.";
    /// A Compose value of the wrong type.
    COMPOSE_WRONG_TYPE = "CMP002": "The Compose Specification gives each property a type, sometimes several. A value of another type stops the whole command. The usual causes are a list where a mapping is wanted, and the other way round, because of one dash too many or too few.";
    /// A Compose value outside its allowed values.
    COMPOSE_UNSUPPORTED_VALUE = "CMP003": "The property takes one of a fixed set of words, and this is not one of them.";
    /// A missing Compose property.
    COMPOSE_MISSING_PROPERTY = "CMP004": "The Compose Specification requires this property whenever its parent is given.";

    /// An unknown field of a Kubernetes object.
    KUBERNETES_UNKNOWN_FIELD = "K8S001": "kubectl asks the API server for strict field validation. A field that the kind does not have, or a misspelt one, makes the server refuse the object. With --validate=warn it would be dropped with a warning, with --validate=false silently.";
    /// A Kubernetes value of the wrong type.
    KUBERNETES_WRONG_TYPE = "K8S002": "The API server decodes objects into typed structures; a value of another type cannot be decoded and the request is refused. Typical cases are numbers and truth values where text is wanted (quote them: \"8080\", \"true\") and quoted numbers where a number is wanted.";
    /// A kind that the cluster does not serve.
    KUBERNETES_UNKNOWN_KIND = "K8S003": "kubectl looks the kind up in the API the cluster serves. A misspelt kind, a wrong apiVersion or a custom resource whose definition is not installed is not found.";
    /// A required field that is missing.
    KUBERNETES_MISSING_FIELD = "K8S004": "The kind cannot work without this field and the API server refuses the object: Required value.";
    /// A document without apiVersion or kind.
    KUBERNETES_NO_TYPE = "K8S005": "Every Kubernetes document says what it is: apiVersion and kind. Without them kubectl cannot tell where to send it.";
    /// A version that is no longer served.
    KUBERNETES_OLD_VERSION = "K8S006": "The kind has moved: this apiVersion was served by older clusters and has been removed. The fields may have changed with it.";
    /// A quantity that cannot be read.
    KUBERNETES_BAD_QUANTITY = "K8S008": "Quantities are numbers with an optional suffix: 500m (thousandths), 2, 1.5, 128Mi (binary), 128M (decimal), 1e3. Nothing else is accepted, and the suffix is case-sensitive.";
    /// A duration that cannot be read.
    KUBERNETES_BAD_DURATION = "K8S009": "Durations are written as Go does: a number and a unit, one or several, such as 300ms, 1.5h or 2h45m. Units are ns, us, ms, s, m and h; a unit is needed unless the number is zero.";

    /// A field that the simulator accepts and does not act on.
    NOT_MODELLED = "SIM001": "The field is valid and kept, and comes back when the object is printed, but nothing in the simulation reads it. What you see is what would happen without it.";

    /// An unknown property of a stack file.
    STACK_UNKNOWN_PROPERTY = "STK001": "docker stack deploy reads the older version 3 format, which lacks what the Compose Specification added later (name, profiles, scale, pull_policy, the long form of depends_on and more). Such a property stops the whole command.";
    /// A stack value of the wrong type.
    STACK_WRONG_TYPE = "STK002": "The version 3 format gives each property a type, stricter than Compose: published ports are numbers, depends_on is a list. A value of another type stops the whole command.";
    /// A stack value outside its allowed values.
    STACK_UNSUPPORTED_VALUE = "STK003": "The property takes one of a fixed set of words, and this is not one of them.";
    /// A missing stack property.
    STACK_MISSING_PROPERTY = "STK004": "The version 3 format requires this property whenever its parent is given.";

    /// Text that is not YAML.
    YAML_SYNTAX = "YAML001": "The text is not YAML from here on. Most often the indentation is uneven, a tab is used for it, a colon or a quote is missing, or a value that starts with a special character needs quotes. Documents after the next --- are still read.";
    /// A key that occurs twice.
    YAML_DUPLICATE_KEY = "YAML002": "The same key is given twice in one mapping. kubectl silently takes the last one; Compose and docker stack refuse the file.";
    /// An alias without its anchor.
    YAML_UNKNOWN_ANCHOR = "YAML003": "An alias (*name) repeats the value that an anchor (&name) marked earlier in the same document. There is no such anchor before this place.";
    /// Aliases that expand to too much.
    YAML_EXCESSIVE_ALIASING = "YAML004": "Aliases that contain aliases can blow a small file up without bound, and an anchor may not contain itself. Real tools stop here too.";
    /// A merge of something that is not a mapping.
    YAML_BAD_MERGE = "YAML005": "The merge key << copies the entries of a mapping, or of each mapping of a sequence, into this one. Its value must be one of these.";
    /// A key that is not a scalar.
    YAML_BAD_KEY = "YAML006": "Keys must be text. YAML would also allow lists, mappings or nothing as a key, but JSON and therefore Kubernetes and Compose do not.";
    /// A text beyond a limit.
    YAML_LIMIT = "YAML007": "The text is larger, deeper or has more documents than the simulator reads. The limits are far beyond files that real clusters accept.";
    /// A value that does not fit its tag.
    YAML_BAD_TAG = "YAML008": "A tag such as !!int says how a value is to be read, and this value cannot be read so.";
    /// Text that is not JSON.
    JSON_SYNTAX = "YAML009": "The text starts like JSON and was read as JSON first, then as YAML, and is neither.";
}

/// The paragraph about a code, whatever the case of its letters.
#[must_use]
pub fn explain(code: &str) -> Option<&'static str> {
    TABLE
        .iter()
        .find(|(known, _)| known.0.eq_ignore_ascii_case(code))
        .map(|(_, text)| *text)
}

#[cfg(test)]
mod tests {
    use super::{TABLE, explain};

    #[test]
    fn codes_are_unique_sorted_and_explained() {
        assert!(TABLE.windows(2).all(|pair| pair[0].0.0 < pair[1].0.0));
        assert!(explain("k8s001").is_some_and(|text| text.contains("strict")));
        assert_eq!(explain("K8S999"), None);
    }
}
