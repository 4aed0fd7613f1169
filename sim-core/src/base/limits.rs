//! Every bound in the program, with its reason.

/// Bytes of one document from outside. Well above any manifest that people write by hand; a parse
/// tree of this size still fits a browser tab.
pub const MAX_DOCUMENT_BYTES: usize = 4 << 20;

/// Objects of one world. Six times the largest cluster Kubernetes supports (150,000 pods).
pub const MAX_OBJECTS: u32 = 1_000_000;

/// Machines of one world. Kubernetes supports 5,000; the rest is room for questions.
pub const MAX_NODES: u32 = 200_000;

/// Bytes of one console line. Longer input is a paste by mistake.
pub const MAX_CONSOLE_LINE: usize = 64 << 10;

/// Nodes that aliases of one YAML document may add when expanded: stops "billion laughs".
pub const MAX_ALIASES_EXPANDED: usize = 100_000;

/// Depth of nested values in a document. Parsers and printers recurse; the stack in WASM is 1 MiB.
pub const MAX_DEPTH: usize = 128;

/// Events that may fire at one instant before a run stops with an error: a loop without delay.
pub const MAX_EVENTS_PER_INSTANT: u64 = 10_000_000;

/// Choices that a recording keeps; later ones are only counted and hashed.
pub const MAX_CHOICES_RECORDED: usize = 100_000;

/// Bytes of one text with any number of documents: the dump of a large cluster fits, and spans
/// stay 32 bits wide.
pub const MAX_TEXT_BYTES: usize = 256 << 20;

/// Bytes that one template makes, printed or kept in variables: a line for each pod of the largest
/// cluster fits, and a browser tab lives on.
pub const MAX_TEMPLATE_BYTES: usize = 128 << 20;

/// Documents of one text. More than any directory of manifests in one file.
pub const MAX_DOCUMENTS: usize = 100_000;

/// Diagnostics kept of one reading. A text with more has one cause, not a thousand.
pub const MAX_DIAGNOSTICS: usize = 500;

/// Input files of one experiment: a repository's manifests fit, a home directory given by mistake
/// does not.
pub const MAX_INPUT_FILES: usize = 2_000;

/// Tasks of one service, or containers of one service of a project. All of them are made at one moment,
/// and more would hold up a run for seconds.
pub const MAX_REPLICAS: u32 = 20_000;

/// Ports that one service or one range publishes. Rules are written for each, again at every change.
pub const MAX_PUBLISHED_PORTS: usize = 2_000;
