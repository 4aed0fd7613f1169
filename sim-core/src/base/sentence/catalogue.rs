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
