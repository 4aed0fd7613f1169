//! Podium's own sentences that the command line prints, in English. The page's locale files have each
//! of them under `said-KEY`; a test of the page compares the English of both.

use super::Form;

macro_rules! forms {
    ($($name:ident $key:literal $english:literal)*) => {
        $(
            #[doc = concat!("“", $english, "”")]
            pub const $name: Form = Form { key: $key, english: $english };
        )*
        /// All of them.
        pub const ALL: &[Form] = &[$($name),*];
    };
}

forms! {
    // What came of a fault, and what it took.
    NEVER_BELOW "never-below" "service was never below what it was before the fault"
    SERVED_SINCE "served-since" "served as before since {at}, which counts when it has lasted {long}"
    SERVED "served" "served as before {took} after the fault"
    NOT_REACTED_YET "not-reacted-yet" "nothing has reacted to the fault by {now} ({up} of {all} machines up)"
    NOT_REACTED "not-reacted" "nothing reacted to the fault ({up} of {all} machines up); nothing is scheduled that could"
    NOT_SERVED "not-served" "not served as before by {now}; the last reaction was {step} at {at}"
    NO_TARGET "no-target" "the fault has no target in this world"
    CONVERGED "converged" "converged at {at} without faults"
    NOT_CONVERGED "not-converged" "not converged at {now}: {unmet} unmet"
    NOT_CONVERGED_BY "not-converged-by" "not converged at {now}: {unmet} unmet; {name}: {what}"
    NOTHING_ASKED "nothing-asked" "nothing was asked for by {now}"
    STEP "step" "{source} {verb} {subject}"
    STEP_AFTER "step-after" "{source} {verb} {subject} after {rule}"
    VERB_ASSIGN "verb-assign" "assigned"
    VERB_BIND "verb-bind" "bound"
    VERB_CREATE "verb-create" "created"
    VERB_DELETE "verb-delete" "deleted"
    VERB_DOWN "verb-down" "marked down"
    VERB_EVICT "verb-evict" "evicted"
    VERB_NOT_READY "verb-not-ready" "marked NotReady"
    VERB_PROGRAM "verb-program" "programmed"
    VERB_RESTART "verb-restart" "restarted"
    VERB_RUN "verb-run" "ran"
    VERB_START "verb-start" "started"
    VERB_TAINT "verb-taint" "tainted"
    VERB_UPDATE "verb-update" "updated"

    // A line of the fault script.
    FAULT_FORM "fault-form" "a fault is 'KIND TARGET at T [for D]'"
    FAULT_UNKNOWN "fault-unknown" "unknown fault kind \"{word}\""
    KNOWN "known" "known: {names}"
    FAULT_AT "fault-at" "'{word}' needs a time, e.g. 'at 60s'"
    FAULT_FOR "fault-for" "'{word}' needs a duration, e.g. 'for 30s'"
    FAULT_SIDES "fault-sides" "'{word}' needs machines on both sides"
    FAULT_KEY "fault-key" "{kind} knows no \"{word}\""
    FAULT_UNEXPECTED "fault-unexpected" "unexpected \"{word}\" in fault \"{fault}\""
    FAULT_TARGET "fault-target" "{word} needs a target"
    FAULT_CONTROLLER "fault-controller" "controller-restart: \"{word}\" is neither kube-controller-manager nor kube-scheduler"
    FAULT_GROUPS "fault-groups" "partition needs two groups of machines: 'A|B', names joined by commas"
    FAULT_SAYS "fault-says" "fault \"{fault}\": {what}"
    AMOUNT "amount" "\"{word}\": {why}"
    NEGATIVE "negative" "\"{word}\" is negative"
    SKEW_LONG "skew-long" "\"{word}\" is more than a clock is turned by here: a year"
    NO_SHARE "no-share" "\"{word}\" is no share"
    WRITE_SHARE "write-share" "write e.g. 10% or 0.5%"
    NO_ZONE "no-zone" "there is no zone \"{word}\""
    NO_MACHINE "no-machine" "there is no machine \"{word}\""
    MACHINES_ARE "machines-are" "machines are: {names}"

    // A line of the cluster's description.
    NO_MACHINE_COUNT "no-machine-count" "\"{word}\" is not a number of machines"
    NO_MANAGER_COUNT "no-manager-count" "\"{word}\" is not a number of managers"
    NO_SEED "no-seed" "\"{word}\" is not a seed"
    MACHINES_MOST "machines-most" "{word} machines are more than {most}"
    OWN_MACHINES_MOST "own-machines-most" "more than {most} machines"
    MANAGERS_MOST "managers-most" "more than {most} managers"
    ORCHESTRATOR_UNKNOWN "orchestrator-unknown" "unknown orchestrator \"{word}\""
    ORCHESTRATORS_TOLD "orchestrators-told" "which orchestrators run is told by the files"
    FOR_SCENARIOS "for-scenarios" "this line is for scenarios"
    LINE_UNKNOWN "line-unknown" "unknown cluster line \"{line}\""
    SETTING_UNKNOWN "setting-unknown" "unknown setting \"{word}\""
    SETTINGS_LISTED "settings-listed" "sim settings lists them"
    SETTINGS_SHELL "settings-shell" "podium shell -c 'sim settings' lists them"
    MACHINE_WORDS "machine-words" "\"{word}\": a machine's words are KEY=VALUE, e.g. cpu=4 memory=8Gi label.zone=a"
    MACHINE_WORD_UNKNOWN "machine-word-unknown" "unknown word \"{word}\""
    MACHINE_CGROUP "machine-cgroup" "\"{word}\": control groups are v1 or v2"
    MACHINE_DRIVER "machine-driver" "\"{word}\": drivers are systemd and cgroupfs"
    MACHINE_RUNTIME "machine-runtime" "\"{word}\": runtimes are containerd and crio, and as what they run by default runc, crun, runsc (gvisor) and kata"
    MACHINE_NETWORK "machine-network" "\"{word}\": networks are bridge, overlay and routed"
    MACHINE_ROLE "machine-role" "role \"{word}\": known are worker, manager and control-plane"
    MACHINE_SIZE "machine-size" "a machine needs some cpu and memory"

    // What is wrong with a file, where no real tool has words for it.
    MUST_BE "must-be" "{path}: must be {wanted}, not {found}"
    KIND_NOTHING "kind-nothing" "nothing"
    KIND_TRUTH "kind-truth" "true or false"
    KIND_WHOLE "kind-whole" "a whole number"
    KIND_NUMBER "kind-number" "a number"
    KIND_TEXT "kind-text" "text"
    KIND_LIST "kind-list" "a list"
    KIND_MAP "kind-map" "a mapping"
    VALUE_UNKNOWN "value-unknown" "{path}: unknown value \"{value}\""
    OBJECT_TWICE "object-twice" "{kind} \"{name}\" is described twice; the last one wins"
    CONTAINERS_MOST "containers-most" "services.{service}: {containers} containers of one service are not modelled; {most} are"
    PORT_OF_MANY "port-of-many" "service \"{service}\" runs {count} containers that all want host port {port}: only the first will start"
    TEXT_LONG "text-long" "the text is larger than {most} bytes"
    DOCUMENTS_MOST "documents-most" "more than {most} documents in one text"
    KEYS_TEXT "keys-text" "keys must be text"
    FILES_ALIKE "files-alike" "several files could be the {what}: {names}"
    FILE_STACK "file-stack" "stack"
    FILE_COMPOSE "file-compose" "Compose file"
    FILE_OVERLAY "file-overlay" "overlay"
    BUILT_LINE "built-line" "line {line} of what kubectl kustomize prints: {what}"

    // How to put a file right.
    NEAR "near" "did you mean \"{near}\"?"
    EXAMPLES "examples" "write for example {examples}"
    ONE_OF "one-of" "write one of {names}"
    SHAPES_ALLOWED "shapes-allowed" "allowed here: {names}"
    QUOTE "quote" "quote it: {text}"
    UNQUOTE "unquote" "write it without quotes: {text}"
    LIST_ITEMS "list-items" "start each item on its own line with a dash and a space"
    IN_VERSION "in-version" "{kind} is in {version}"
    REMOVED_IN "removed-in" "removed in v{since}; {kind} is in {version} now"
    NAMESPACE_FIRST "namespace-first" "describe the Namespace before what is in it, or make it with: kubectl create namespace {name}"
    DEFINITION_FIRST "definition-first" "a custom resource needs its CustomResourceDefinition applied first"
    ENCODE "encode" "encode the value, or use stringData for plain text"
    KEEPS_LAST "keeps-last" "kubectl keeps the last one"
    SELECT_TEMPLATE "select-template" "name the labels of the template, for example {example}"
    NODE_PORT_TAKEN "node-port-taken" "service \"{service}\" has this node port; choose another"
    IMAGE_WRONG "image-wrong" "correct the name or the tag: every pull of it will fail"
    IMAGE_LOWER "image-lower" "repository names are lower case: {image}"
    IMAGE_NEEDED "image-needed" "add image: or build:"
    IMAGE_NEEDED_STACK "image-needed-stack" "add image: to service \"{service}\"; a stack does not build"
    NAME_PROJECT "name-project" "add {text} at the top"
    NAME_STACK "name-stack" "let only the one that is meant have \"stack\" in its name, or say --stack {file}"
    NAME_OVERLAY "name-overlay" "give the folder of the one that is meant"
    NAME_COMPOSE "name-compose" "name the one that is meant compose.yaml, or say --compose {file}"
    DECLARE "declare" "declare it at the top level: {text}"
    DECLARE_SERVICE "declare-service" "declare the service, or remove the dependency"
    SECRET_SOURCE "secret-source" "say where its content comes from, or mark it external: true"
    BREAK_CIRCLE "break-circle" "remove this dependency of \"{service}\" on \"{other}\", or another link of the circle"
    PORT_FORM "port-form" "write for example {example}: host port, then container port"
    PORT_TAKEN "port-taken" "service \"{service}\" publishes this port too; choose another host port"
    PORT_TWICE "port-twice" "port {port} is published twice by this service"
    PORT_OTHER "port-other" "publish another port"
    REMOVE_ONE "remove-one" "remove one of the two"
    SAME_FORM "same-form" "the file before gives this another type; use the same form in both"
    GIVE_FILE "give-file" "give the file too, or correct the path, which is relative to this file"
    GIVE_FILE_OPTIONAL "give-file-optional" "give the file too, or mark it required: false"
    SET_VARIABLE "set-variable" "set {name} in the environment or in .env"
    DOLLAR "dollar" "write $$ for a dollar, or a name: {example}"
    YAML_TAB "yaml-tab" "indent with spaces; YAML does not allow tabs here"
    YAML_DEEP "yaml-deep" "nest less deeply"
    YAML_COLON "yaml-colon" "indent the key as its neighbours are, or put quotes around a value that holds a colon"
    YAML_BRACKETS "yaml-brackets" "close every bracket and every brace, the inner ones first"
    YAML_QUOTES "yaml-quotes" "close the quotation mark"
    YAML_ANCHOR "yaml-anchor" "define the anchor with & before the * that uses it"
    YAML_INDENT "yaml-indent" "indent all entries of a mapping or list by the same number of spaces"
    YAML_SPECIAL "yaml-special" "put quotes around a value that starts with a special character"
    YAML_LOOK "yaml-look" "look at the indentation, colons and quotes here and on the line above"

    // An experiment as a whole.
    INPUT_MISSING "input-missing" "no Kubernetes manifest, stack or Compose file among the input"
    INPUT_MISSING_FOR "input-missing-for" "there is no input for {orchestrator}"
    FILES_MOST "files-most" "{files} files are more than the {most} that are read at once"
    MACHINES_SHOWN_MOST "machines-shown-most" "{machines} machines are more than the {most} that the page shows"
    FILE_LONG "file-long" "{file}: more than {most} bytes"
    AT_LINE "at-line" "{file}:{line}: {what}"
    NO_BRANCH "no-branch" "there is no branch {number}"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_has_a_key_of_its_own_and_gaps_that_end() {
        let mut keys: Vec<&str> = ALL.iter().map(|form| form.key).collect();
        keys.sort_unstable();
        let before = keys.len();
        keys.dedup();
        assert_eq!(keys.len(), before);
        for form in ALL {
            let gaps = |sign| form.english.matches(sign).count();
            assert_eq!(gaps('{'), gaps('}'), "{}", form.key);
        }
    }
}
