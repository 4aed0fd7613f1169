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
    /// A line of the cluster's description that means nothing.
    CLUSTER_LINE = "CLU001": "A file called cluster, or a scenario's cluster block, describes the machines, a line for each fact: nodes N, worker cpu=4 memory=8Gi, node NAME cpu=2, managers N, seed N, set KEY VALUE. Lines that begin with # are for people.";

    /// An unknown property of a Compose file.
    COMPOSE_UNKNOWN_PROPERTY = "CMP001": "Docker Compose checks a file against the Compose Specification before it does anything. A property the specification does not know stops the whole command, so that a misspelt key cannot silently do nothing. Extensions are allowed where they start with x-.";
    /// A Compose value of the wrong type.
    COMPOSE_WRONG_TYPE = "CMP002": "The Compose Specification gives each property a type, sometimes several. A value of another type stops the whole command. The usual causes are a list where a mapping is wanted, and the other way round, because of one dash too many or too few.";
    /// A Compose value outside its allowed values.
    COMPOSE_UNSUPPORTED_VALUE = "CMP003": "The property takes one of a fixed set of words, and this is not one of them.";
    /// A missing Compose property.
    COMPOSE_MISSING_PROPERTY = "CMP004": "The Compose Specification requires this property whenever its parent is given.";

    /// A Compose value that breaks a rule.
    COMPOSE_INVALID_VALUE = "CMP005": "The value has the right type but cannot be used: a duration without a unit, a port out of range, a size that is no size, an image reference that cannot be parsed.";
    /// A circle of dependencies.
    COMPOSE_DEPENDENCY_CYCLE = "CMP006": "Services start in the order of depends_on. Services that wait for one another, directly or through others, can never start, so that Compose refuses the whole project. Remove one of the links.";
    /// A name that is declared nowhere.
    COMPOSE_UNDEFINED_NAME = "CMP007": "A service refers to another service, a network, a volume, a config or a secret that the project does not declare. Declare it at the top level, or correct the name.";
    /// A host port that is published twice.
    COMPOSE_PORT_TAKEN = "CMP008": "Two containers of one host cannot listen on the same address, port and protocol. The first to start takes it; the other fails: Bind for 0.0.0.0:PORT failed: port is already allocated.";
    /// A variable expression that cannot be read.
    COMPOSE_BAD_INTERPOLATION = "CMP009": "Values may contain $NAME, ${NAME}, and ${NAME} with a default (:-, -), a replacement (:+, +) or a demand (:?, ?). Anything else after a dollar and a brace is an error. A dollar that is meant as such is written twice.";
    /// A variable that is not set.
    COMPOSE_UNSET_VARIABLE = "CMP010": "The variable is neither in the environment nor in .env and has no default. Compose puts an empty text in its place and warns.";
    /// A variable that must be set.
    COMPOSE_REQUIRED_VARIABLE = "CMP011": "The file demands this variable with ${NAME:?message} or ${NAME?message}, and it is not set. Put it into the environment or into .env.";
    /// An extends or include that cannot be followed.
    COMPOSE_BAD_EXTENDS = "CMP012": "extends takes over a service from this or another file, include takes over a whole file. The file or service must exist, and no chain of them may come back to its start.";
    /// An attribute that no longer does anything.
    COMPOSE_OBSOLETE = "CMP013": "The top-level version selected a file format once. Compose ignores it and says so.";
    /// Values that contradict each other.
    COMPOSE_CONFLICT = "CMP014": "Two settings of one service exclude each other, or two services claim the same thing, such as a container name.";
    /// A service without image and build.
    COMPOSE_NO_IMAGE = "CMP015": "Compose must know what to run: an image to pull, or a build to make one.";

    /// Files whose use is not clear.
    FILES_AMBIGUOUS = "FIL001": "Several files could be the stack or the Compose file and none has the usual name. Name the one that is meant with --stack or --compose. Of several folders with a kustomization that no other one stands upon, give the one that is meant.";
    /// A file that is not there.
    FILES_MISSING = "FIL002": "No file of this name was given.";

    /// An image that no registry has.
    IMAGE_MISSING = "IMG001": "Nothing checks that an image exists until a machine pulls it. Then Kubernetes shows ErrImagePull and ImagePullBackOff and tries again for ever, Swarm rejects the task and makes another, and docker compose up stops. Names without a slash are Docker's official library, whose list Podium knows with the range of its tags; any other name is taken to exist.";

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
    /// A Kubernetes value that breaks a rule.
    KUBERNETES_INVALID_VALUE = "K8S010": "The value has the right type but breaks a rule of its field: a name with letters that are not allowed, a port out of range, a request above its limit, a selector that does not match the template. The API server refuses the object.";
    /// A Kubernetes value outside a fixed set of words.
    KUBERNETES_UNSUPPORTED_VALUE = "K8S011": "The field takes one of a fixed set of words, upper and lower case included, and this is not one of them.";
    /// A Kubernetes value that must be unique.
    KUBERNETES_DUPLICATE_VALUE = "K8S012": "The value must be unique in its list (names of containers, volumes and ports, ports of a service) and occurs twice.";
    /// A Kubernetes field that may not be set here.
    KUBERNETES_FORBIDDEN_FIELD = "K8S013": "The field exists but may not be set together with another one, or not in this kind.";
    /// A name that refers to nothing in the same object.
    KUBERNETES_DANGLING_NAME = "K8S014": "The field names something that must be declared in the same object, such as a volume of the pod, and is not.";
    /// The same object twice in one file.
    KUBERNETES_OBJECT_TWICE = "K8S015": "Two documents describe an object of the same kind, namespace and name. kubectl apply sends both, one after the other, so that the last one wins.";
    /// An image reference that cannot be parsed.
    KUBERNETES_INVALID_IMAGE = "K8S016": "The API server accepts any text as an image. The kubelet cannot parse this one: the container will wait with the reason InvalidImageName. Repository names are lower case.";
    /// An object in a namespace that nothing makes.
    KUBERNETES_NO_NAMESPACE = "K8S017": "A namespace must be there before an object is put into it; the API server does not make it. A new cluster has default, kube-system, kube-public and kube-node-lease. kubectl sends documents in the order they are written in, so that the Namespace comes before what is in it.";
    /// An object that only has the beginning of a name.
    KUBERNETES_GENERATED_NAME = "K8S018": "The server makes a new name of metadata.generateName at each kubectl create. kubectl apply changes the object of a name, and refuses one that has none.";

    /// An overlay that cannot be built.
    KUSTOMIZE_FAILED = "KUS001": "A folder with a kustomization is deployed as kubectl apply -k does: its resources, changed by its patches and fields. The build stops at the first file that is not there, patch that fits nothing, or field that Podium's kustomize does not model.";

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
    /// A stack option that is ignored.
    STACK_IGNORED_OPTION = "STK005": "docker stack deploy accepts this option of Compose and does nothing with it. The command says so on standard error.";
    /// A stack option that is deprecated.
    STACK_DEPRECATED_OPTION = "STK006": "docker stack deploy accepts this option, does nothing with it and says why.";
    /// A stack option that is refused.
    STACK_FORBIDDEN_OPTION = "STK007": "docker stack deploy refuses files with this option, because a Swarm service cannot do what it asks for.";
    /// A stack value that breaks a rule.
    STACK_INVALID_VALUE = "STK008": "The value has the right type but cannot be used: a duration without a unit, a size below the minimum, a published port that two services claim, an image reference that cannot be parsed. Swarm's manager refuses the service; what the command has created before stays.";
    /// A name that is declared nowhere.
    STACK_UNDEFINED_NAME = "STK009": "A service refers to a network, a config or a secret that the file does not declare. Declare it at the top level.";

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
