//! `kubectl get` and `kubectl events`.

use std::cmp::Ordering;

use crate::base::arrange::Arrange;
use crate::base::labels::sorted;
use crate::base::quantity::Quantity;
use crate::base::sentence::catalogue;
use crate::base::time::SimTime;
use crate::console::table::Table;
use crate::kube::kinds::Kind;
use crate::kube::store::custom::PrinterColumn;
use crate::manifest::value::Value;
use crate::object::jsonpath::Template;
use crate::swarm::view::natural;

use super::columns::headers::columns;
use super::columns::{cells, event_times, pairs};
use super::printers::{self, Format};
use super::problem::Problem;
use super::selectors::{check_fields, fields_match, selector};
use super::{Call, kind_of, name_of, not_modelled, title};

/// Flags of `get`.
pub const FLAGS: &[&str] = &[
    "raw",
    "output:o",
    "!all-namespaces:A",
    "selector:l",
    "field-selector",
    "sort-by",
    "!no-headers",
    "!show-labels",
    "label-columns:L",
    "!ignore-not-found",
    "!show-kind",
    "!show-managed-fields",
    "!watch:w",
    "!watch-only",
    "!output-watch-events",
    "filename:f",
    "chunk-size",
    "subresource",
    "!recursive:R",
    "template",
    "!server-print",
];

/// What the server says with every answer about the kind.
pub const ENDPOINTS_DEPRECATED: &str =
    "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice";

/// Labels or annotations as sorted pairs.
pub fn text_pairs(object: &Value, field: &str) -> Vec<(std::sync::Arc<str>, std::sync::Arc<str>)> {
    let map = object.path(&["metadata", field]).and_then(Value::as_map);
    sorted(
        map.unwrap_or_default()
            .iter()
            .map(|(key, value)| (key.clone(), value.as_str().unwrap_or("").into()))
            .collect(),
    )
}

/// `get`.
///
/// # Errors
/// Unknown kinds and absent objects.
pub fn get(call: &mut Call<'_>) -> Result<(), Problem> {
    let words = call.arguments.words.clone();
    let watches = call.arguments.on("watch") || call.arguments.on("watch-only");
    if call.arguments.on("output-watch-events") && !watches {
        return Err(Problem::error(
            "--output-watch-events option can only be used with --watch or --watch-only",
        ));
    }
    let printer = call.arguments.flag("output").unwrap_or("");
    if call.arguments.on("show-labels") && !matches!(printer, "" | "wide") {
        return Err(Problem::error(format!(
            "--show-labels option cannot be used with {printer} printer"
        )));
    }
    let subresource = call.arguments.flag("subresource").unwrap_or("").to_owned();
    if !matches!(subresource.as_str(), "" | "status" | "resize" | "scale") {
        return Err(Problem::error(format!(
            "invalid subresource value: \"{subresource}\". Must be one of [status scale resize]"
        )));
    }
    let from_files = call.arguments.has_files();
    if words.is_empty() && !from_files {
        call.stderr.push("You must specify the type of resource to get. Use \"kubectl api-resources\" for a complete list of supported resources.\n\n");
        return Err(Problem::error(
            "Required resource not specified.\nUse \"kubectl explain <resource>\" for a detailed description of that resource (e.g. kubectl explain pods).\nSee 'kubectl get -h' for help and examples",
        ));
    }
    if watches {
        return super::watch::watch(call, &words);
    }
    let Found {
        mut objects,
        mut problems,
        kinds,
        single,
    } = if from_files {
        of_files(call)?
    } else {
        of_words(call, words)?
    };
    if call.arguments.on("ignore-not-found") {
        problems.retain(|problem| problem.reason != "NotFound");
    }
    if objects.is_empty() && call.arguments.on("ignore-not-found") {
        return Problem::all(problems);
    }
    let single = single && objects.len() + problems.len() == 1;
    if call.arguments.on("show-managed-fields") || call.format.is_template() {
        for (kind, object) in &mut objects {
            let owners = call.view()?.managed_fields(kind, object);
            object.set_path(&["metadata", "managedFields"], owners);
        }
    }
    if subresource == "scale" {
        let mut scales = Vec::new();
        for (kind, object) in objects {
            match super::raw::scale(call, kind, &object) {
                Ok(scale) => scales.push((kind, scale)),
                Err(problem) => problems.push(problem),
            }
        }
        objects = scales;
    }
    if let Some(path) = call.arguments.flag("sort-by") {
        let template = Template::relaxed(path).map_err(|error| Problem::error(&error))?;
        let found = |(_, object): &(_, Value)| template.first(object).is_some();
        if !objects.is_empty() && !objects.iter().any(found) {
            let path = if path.contains('{') {
                path.to_owned()
            } else {
                format!("{{.{}}}", path.trim_start_matches('.'))
            };
            return Err(Problem::error(format!(
                "couldn't find any field with path {path:?} in the list of objects"
            )));
        }
        objects.arrange_by_cached_key(|(_, object)| SortKey::of(&template.first(object)));
    }
    match *call.format {
        // Only where nothing went wrong is it said that there is nothing.
        Format::Plain | Format::Wide if objects.is_empty() && !problems.is_empty() => {}
        Format::Plain | Format::Wide if subresource == "scale" => scale_table(call, &objects),
        Format::Plain | Format::Wide if objects.is_empty() => {
            let line = nothing(call, kinds.iter().all(|kind| kind.namespaced));
            call.stderr.push(line);
        }
        _ => printers::print(call, &objects, kinds.len() > 1, single)?,
    }
    Problem::all(problems)
}

/// What `get` is to print.
struct Found {
    objects: Vec<(&'static Kind, Value)>,
    problems: Vec<Problem>,
    /// The kinds that are asked for as a whole.
    kinds: Vec<&'static Kind>,
    /// Whether it is asked for by name, so that a single object is no list.
    single: bool,
}

/// The objects that words mean.
fn of_words(call: &mut Call<'_>, words: Vec<String>) -> Result<Found, Problem> {
    if let Some(word @ ("componentstatuses" | "componentstatus" | "cs")) =
        words.first().map(String::as_str)
    {
        let said = not_modelled(format!("kubectl get {word}"));
        let see = catalogue::SEE.with(&[("command", &"kubectl get leases -n kube-system")]);
        return Err(Problem::error(said.advise(see)));
    }
    let wanted = call.targets(&words)?;
    for (kind, _) in &wanted {
        call.warn(kind)?;
    }
    let everywhere = call.arguments.on("all-namespaces");
    let by_name = wanted.iter().any(|(_, name)| name.is_some());
    if everywhere && by_name {
        return Err(Problem::error(
            "a resource cannot be retrieved by name across all namespaces",
        ));
    }
    let first = wanted.iter().find(|(_, name)| name.is_none());
    if first.is_some()
        && call
            .arguments
            .flag("subresource")
            .is_some_and(|of| !of.is_empty())
    {
        return Err(Problem::error(
            "subresource cannot be used when bulk resources are specified",
        ));
    }
    let selector = match first {
        Some((kind, _)) => selector(call, kind)?,
        None => None,
    };
    let fields = call.field_selector()?;
    for (kind, _) in &wanted {
        check_fields(call, kind, &fields)?;
    }
    let mut objects: Vec<(&'static Kind, Value)> = Vec::new();
    let (mut kinds, mut problems) = (Vec::new(), Vec::new());
    for (kind, name) in wanted {
        if let Some(name) = name {
            match call.object(kind, &name) {
                Ok(object) => objects.push((kind, object)),
                Err(problem) => problems.push(problem),
            }
            continue;
        }
        kinds.push(kind);
        let namespace = (!everywhere).then_some(call.namespace.as_str());
        if let Err(problem) = call.may("list", kind, namespace.unwrap_or(""), "") {
            problems.push(problem);
            continue;
        }
        let view = call.view()?;
        let listed = match &selector {
            Some(selector) => view.list_selected(kind, namespace, selector),
            None => view.list(kind, namespace),
        };
        for object in listed {
            if fields_match(&fields, &object) {
                objects.push((kind, object));
            }
        }
    }
    Ok(Found {
        objects,
        problems,
        kinds,
        single: by_name,
    })
}

/// `get -f`: the stored objects that files name.
fn of_files(call: &Call<'_>) -> Result<Found, Problem> {
    if !call.arguments.words.is_empty() {
        return Err(both());
    }
    let (items, mut problems) = super::apply::items(call)?;
    let mut objects = Vec::new();
    for item in items {
        let name = name_of(&item.object);
        match call.read(item.kind, item.namespace(), name)? {
            Some(object) => objects.push((item.kind, object)),
            None => problems.push(Problem::server(&crate::kube::Refusal::not_found(
                item.kind, name,
            ))),
        }
    }
    Ok(Found {
        kinds: Vec::new(),
        objects,
        problems,
        single: true,
    })
}

/// What is said of files and words at once.
pub fn both() -> Problem {
    Problem::error(
        "when paths, URLs, or stdin is provided as input, you may not specify resource arguments as well",
    )
}

/// The table of scales.
fn scale_table(call: &mut Call<'_>, scales: &[(&'static Kind, Value)]) {
    let mut table = Table::new(&["NAME", "DESIRED", "AVAILABLE", "AGE"]);
    for (_, scale) in scales {
        let count = |path: &[&str]| scale.i64_at(path).unwrap_or(0).to_string();
        let created = scale.str_at(&["metadata", "creationTimestamp"]);
        table.rows.push(vec![
            name_of(scale).to_owned(),
            count(&["spec", "replicas"]),
            count(&["status", "replicas"]),
            super::clock::age(created, call.now()),
        ]);
    }
    call.stdout
        .push_str(&table.kubectl(!call.arguments.on("no-headers")));
}

/// How `--sort-by` compares: numbers and quantities by size, all else as people count.
/// Source: `k8s.io/kubectl/pkg/cmd/get/sorter.go` (isLess).
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum SortKey {
    Nothing,
    Number(i64),
    Amount(Quantity),
    Text(Natural),
}

/// A text whose numbers count as numbers: `web-2` comes before `web-10`.
#[derive(PartialEq, Eq)]
struct Natural(String);

impl PartialOrd for Natural {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Natural {
    fn cmp(&self, other: &Self) -> Ordering {
        natural(&self.0, &other.0)
    }
}

impl SortKey {
    fn of(value: &Option<Value>) -> Self {
        match value {
            None | Some(Value::Null) => Self::Nothing,
            Some(Value::Int(number)) => Self::Number(*number),
            Some(other) => {
                let text = crate::object::jsonpath::text(other);
                match Quantity::parse(&text) {
                    Ok(amount) => Self::Amount(amount),
                    Err(_) => Self::Text(Natural(text)),
                }
            }
        }
    }
}

/// Tables, one for each kind.
pub(super) fn tables(
    call: &mut Call<'_>,
    found: &[(&'static Kind, Value)],
    with_kind: bool,
    wide: bool,
) {
    let mut first = true;
    for group in found.chunk_by(|one, two| one.0.kind == two.0.kind) {
        if !first {
            call.stdout.push('\n');
        }
        first = false;
        let kind = group[0].0;
        let text =
            table(call, kind, group, with_kind, wide).kubectl(!call.arguments.on("no-headers"));
        call.stdout.push_str(&text);
    }
}

fn nothing(call: &Call<'_>, namespaced: bool) -> String {
    if namespaced && !call.arguments.on("all-namespaces") {
        format!("No resources found in {} namespace.\n", call.namespace)
    } else {
        "No resources found\n".to_owned()
    }
}

/// Columns that a definition asks for; none for built-in kinds. Without any there is the age.
fn custom_columns_of(call: &Call<'_>, kind: &Kind) -> Option<Vec<PrinterColumn>> {
    let view = call.view().ok()?;
    let (_, version) = view.store.definitions().of_kind(kind)?;
    let name = PrinterColumn {
        header: "NAME".to_owned(),
        kind: String::new(),
        path: Template::relaxed(".metadata.name").ok()?,
        wide: false,
    };
    let mut all = vec![name];
    if version.columns.is_empty() {
        all.push(PrinterColumn {
            header: "AGE".to_owned(),
            kind: "date".to_owned(),
            path: Template::relaxed(".metadata.creationTimestamp").ok()?,
            wide: false,
        });
    }
    all.extend(version.columns.iter().cloned());
    Some(all)
}

/// Cells of a custom object. A value of another type than its column's is left out.
/// Source: `…/apiextensions-apiserver/pkg/registry/customresource/tableconvertor`.
fn custom_cells(
    columns: &[PrinterColumn],
    object: &Value,
    title: &str,
    now: SimTime,
) -> Vec<String> {
    columns
        .iter()
        .map(|column| {
            let found = column.path.first(object);
            match (column.kind.as_str(), found) {
                ("", _) => title.to_owned(),
                (_, None | Some(Value::Null)) => String::new(),
                ("integer", Some(value @ Value::Int(_)))
                | ("number", Some(value @ (Value::Int(_) | Value::Number(_))))
                | ("boolean", Some(value @ Value::Bool(_)))
                | ("string", Some(value)) => crate::object::jsonpath::text(&value),
                ("date", Some(Value::String(text))) => super::clock::age(Some(&text), now),
                _ => String::new(),
            }
        })
        .collect()
}

/// One table of objects of a kind.
pub fn table(
    call: &Call<'_>,
    kind: &Kind,
    group: &[(&'static Kind, Value)],
    with_kind: bool,
    wide: bool,
) -> Table {
    let custom = custom_columns_of(call, kind);
    // Without the server's table, the client shows what every object has.
    // Source: `k8s.io/cli-runtime/pkg/printers/tableprinter.go` (`objectMetaColumnDefinitions`).
    let plain = call.arguments.flag("server-print") == Some("false");
    let built_in: Vec<(String, bool)>;
    let shown = match &custom {
        _ if plain => {
            built_in = vec![("NAME".to_owned(), false), ("AGE".to_owned(), false)];
            &built_in
        }
        Some(custom) => {
            built_in = custom
                .iter()
                .map(|column| (column.header.clone(), column.wide))
                .collect();
            &built_in
        }
        None => {
            built_in = columns(kind)
                .iter()
                .map(|(header, wide)| ((*header).to_owned(), *wide))
                .collect();
            &built_in
        }
    };
    let keep = |index: usize| wide || !shown[index].1;
    let spaces = call.arguments.on("all-namespaces") && kind.namespaced;
    let labels = call.arguments.all("label-columns");
    let mut table = Table::default();
    if spaces {
        table.header.push("NAMESPACE".to_owned());
    }
    table.header.extend(
        (0..shown.len())
            .filter(|index| keep(*index))
            .map(|index| shown[index].0.clone()),
    );
    table.header.extend(
        labels
            .iter()
            .map(|label| label.rsplit('/').next().unwrap_or(label).to_uppercase()),
    );
    if call.arguments.on("show-labels") {
        table.header.push("LABELS".to_owned());
    }
    for (_, object) in group {
        let name = if with_kind {
            title(kind, name_of(object))
        } else {
            name_of(object).to_owned()
        };
        let mut row = Vec::new();
        if spaces {
            row.push(
                object
                    .str_at(&["metadata", "namespace"])
                    .unwrap_or("")
                    .to_owned(),
            );
        }
        let all = match &custom {
            _ if plain => {
                let created = object.str_at(&["metadata", "creationTimestamp"]);
                vec![name, super::clock::age(created, call.now())]
            }
            Some(custom) => custom_cells(custom, object, &name, call.now()),
            None => cells(kind, object, &name, call.now(), wide),
        };
        row.extend(
            all.into_iter()
                .enumerate()
                .filter(|(index, _)| keep(*index))
                .map(|(_, cell)| match cell.split_once('\n') {
                    Some((line, _)) => format!("{line}..."),
                    None => cell,
                }),
        );
        row.extend(labels.iter().map(|label| {
            object
                .str_at(&["metadata", "labels", label])
                .unwrap_or("")
                .to_owned()
        }));
        if call.arguments.on("show-labels") {
            row.push(pairs(object.path(&["metadata", "labels"])));
        }
        table.rows.push(row);
    }
    table
}

/// `events`: sorted by time, the oldest first.
///
/// # Errors
/// None of its own.
pub fn events(call: &mut Call<'_>) -> Result<(), Problem> {
    let types = call.arguments.all("types");
    let known = |kind: &String| {
        ["Normal", "Warning"]
            .iter()
            .any(|known| known.eq_ignore_ascii_case(kind))
    };
    if !types.iter().all(known) {
        return Err(Problem::error("valid --types are Normal or Warning"));
    }
    let kind = kind_of("events")?;
    let about = call.arguments.flag("for").map(str::to_owned);
    let about = match about {
        None => None,
        Some(wanted) => {
            let (about, name) = wanted.split_once('/').ok_or_else(|| {
                Problem::error(format!("--for must be in resource/name form, not {wanted}"))
            })?;
            Some((call.kind_of(about)?, name.to_owned()))
        }
    };
    let wanted = move |event: &Value| {
        let text = |path: &[&str]| event.str_at(path).unwrap_or("").to_owned();
        let named = about.as_ref().is_none_or(|(about, name)| {
            text(&["involvedObject", "kind"]) == about.kind
                && text(&["involvedObject", "name"]) == *name
        });
        let typed = |kind: &String| text(&["type"]).eq_ignore_ascii_case(kind);
        named && (types.is_empty() || types.iter().any(typed))
    };
    let namespace = (!call.arguments.on("all-namespaces")).then_some(call.namespace.clone());
    if call.arguments.on("watch") {
        return super::watch::events(call, kind, namespace, &wanted);
    }
    let mut found = call.listing(kind, namespace.as_deref())?;
    found.retain(&wanted);
    found.arrange_by_key(|event| event_times(event).0.map(str::to_owned));
    if found.is_empty() {
        let line = if call.arguments.on("all-namespaces") {
            "No events found.".to_owned()
        } else {
            format!("No events found in {} namespace.", call.namespace)
        };
        call.stderr.push(format!("{line}\n"));
        return Ok(());
    }
    if *call.format != Format::Plain {
        let found: Vec<_> = found.into_iter().map(|event| (kind, event)).collect();
        return printers::print(call, &found, false, false);
    }
    let table = event_table(call, kind, &found);
    call.stdout
        .push_str(&table.kubectl(!call.arguments.on("no-headers")));
    Ok(())
}

/// Events as their own command shows them.
pub fn event_table(call: &Call<'_>, kind: &'static Kind, found: &[Value]) -> Table {
    let mut table = Table::new(&["LAST SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"]);
    let spaces = call.arguments.on("all-namespaces");
    if spaces {
        table.header.insert(0, "NAMESPACE".to_owned());
    }
    for event in found {
        let text = |path: &[&str]| event.str_at(path).unwrap_or("").to_owned();
        let all = cells(kind, event, name_of(event), call.now(), false);
        let times = event_times(event).2;
        let seen = if times > 1 {
            format!("{} (x{times} over {})", all[0], all[7])
        } else {
            all[0].clone()
        };
        let involved = format!(
            "{}/{}",
            text(&["involvedObject", "kind"]),
            text(&["involvedObject", "name"])
        );
        let mut row = if spaces {
            vec![text(&["metadata", "namespace"])]
        } else {
            Vec::new()
        };
        row.extend([
            seen,
            all[1].clone(),
            all[2].clone(),
            involved,
            all[6].clone(),
        ]);
        table.rows.push(row);
    }
    table
}
