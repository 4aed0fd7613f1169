//! GET of a collection: lists in chunks, lists of the past, and watches.
//! Sources: `staging/src/k8s.io/apiserver/pkg/{storage/continue.go,storage/etcd3,endpoints/handlers}`.

use crate::base::base64;
use crate::base::labels::Selector;
use crate::base::time::{SimDuration, SimTime};
use crate::console::kubectl::problem::Problem;
use crate::console::kubectl::watch::{self, Scope, Span, Watcher};
use crate::console::kubectl::{Call, name_of, selectors};
use crate::kube::apiserver::{Propagation, Request};
use crate::manifest::value::Value;
use crate::object::print::{KeyOrder, json};

/// Time between two bookmarks. Source: `storage/cacher/cacher.go` (`bookmarkFrequency`), as the next.
const BOOKMARK_EVERY: SimDuration = SimDuration::from_secs(60);
/// How long before the end of a watch the last bookmark comes.
const BOOKMARK_BEFORE_END: SimDuration = SimDuration::from_secs(2);

const TOO_OLD: &str = "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.";

/// What follows `?`.
#[derive(Clone, Debug, Default)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    /// Reads `a=b&c=d` with `%XX` and `+`.
    pub(super) fn parse(text: &str) -> Self {
        let pairs = text.split('&').filter(|part| !part.is_empty());
        Self(
            pairs
                .map(|part| {
                    let (key, value) = part.split_once('=').unwrap_or((part, ""));
                    (key.to_owned(), unescape(value))
                })
                .collect(),
        )
    }

    pub(super) fn get(&self, key: &str) -> &str {
        let found = self.0.iter().find(|(known, _)| known == key);
        found.map_or("", |(_, value)| value)
    }

    fn on(&self, key: &str) -> bool {
        matches!(self.get(key), "1" | "true")
    }

    fn number(&self, key: &str) -> Result<Option<u32>, Problem> {
        match self.get(key) {
            "" => Ok(None),
            text => text.parse().map(Some).map_err(|_| {
                bad(format!("resourceVersion: Invalid value: \"{text}\": strconv.ParseUint: parsing \"{text}\": invalid syntax"))
            }),
        }
    }
}

fn unescape(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let hex = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let (high, low) = (hex(rest.next()), hex(rest.next()));
                if let (Some(high), Some(low)) = (high, low) {
                    bytes.push(u8::try_from(high * 16 + low).unwrap_or(b'?'));
                }
            }
            other => bytes.push(other),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn refused(reason: &'static str, message: &str) -> Problem {
    Problem::said(format!("Error from server ({reason}): {message}"), reason)
}

fn bad(message: String) -> Problem {
    refused("BadRequest", &message)
}

/// Narrows a scope to the query's selectors.
///
/// # Errors
/// Selectors that cannot be read.
fn narrowed(call: &Call<'_>, mut scope: Scope, query: &Query) -> Result<Scope, Problem> {
    let labels = query.get("labelSelector");
    if !labels.is_empty() {
        let parsed = Selector::parse(labels);
        scope.labels = Some(parsed.map_err(|error| bad(error.clone()))?);
    }
    scope.fields = selectors::field_selector(query.get("fieldSelector"))?;
    match selectors::unselectable(call, scope.kind, &scope.fields) {
        None => Ok(scope),
        Some(said) => Err(bad(said)),
    }
}

/// Answers a list or a watch.
///
/// # Errors
/// What the API server refuses.
pub(super) fn collection(call: &mut Call<'_>, scope: Scope, query: &Query) -> Result<(), Problem> {
    let scope = narrowed(call, scope, query)?;
    let verb = if query.on("watch") { "watch" } else { "list" };
    call.may(
        verb,
        scope.kind,
        scope.namespace.as_deref().unwrap_or(""),
        "",
    )?;
    if query.on("watch") {
        return follow(call, scope, query);
    }
    let page = list(call, &scope, query)?;
    call.say(&json(&page, KeyOrder::Sorted));
    Ok(())
}

/// DELETE of a collection; answers with what it held.
/// Source: apiserver `pkg/registry/generic/registry/store.go` (`DeleteCollection`).
///
/// # Errors
/// What the API server refuses.
pub(super) fn clear(call: &mut Call<'_>, scope: Scope, query: &Query) -> Result<Value, Problem> {
    let scope = narrowed(call, scope, query)?;
    let kind = scope.kind;
    let within = scope.namespace.as_deref().unwrap_or("");
    call.may("deletecollection", kind, within, "")?;
    let page = list(call, &scope, query)?;
    let items = page.get("items").and_then(Value::as_list).unwrap_or(&[]);
    for object in items {
        let namespace = object.str_at(&["metadata", "namespace"]).unwrap_or("");
        call.ask(Request::Delete {
            kind: kind.request_name().into(),
            namespace: namespace.into(),
            name: name_of(object).into(),
            propagation: match query.get("propagationPolicy") {
                "Foreground" => Some(Propagation::Foreground),
                "Background" => Some(Propagation::Background),
                "Orphan" => Some(Propagation::Orphan),
                _ => None,
            },
            grace_seconds: query.get("gracePeriodSeconds").parse().ok(),
        })?;
    }
    Ok(page)
}

/// A place in a list: the revision that it shows, and the key after which it goes on.
#[derive(Debug)]
struct Token {
    revision: i64,
    after: String,
}

impl Token {
    fn text(&self) -> String {
        let plain = Value::object([
            ("v", Value::from("meta.k8s.io/v1")),
            ("rv", Value::Int(self.revision)),
            ("start", format!("{}\u{0}", self.after).into()),
        ]);
        base64::encode_url(json(&plain, KeyOrder::Stored).as_bytes())
    }

    fn parse(text: &str) -> Result<Self, Problem> {
        let wrong = |why: String| {
            bad(format!(
                "invalid continue token: continue key is not valid: {why}"
            ))
        };
        let bytes = base64::decode_url(text.trim_end_matches('='))
            .map_err(|at| wrong(format!("illegal base64 data at input byte {at}")))?;
        let plain = String::from_utf8_lossy(&bytes).into_owned();
        let value = Value::parse_json(&plain).map_err(|error| wrong(error.message.to_string()))?;
        let start = value.str_at(&["start"]).unwrap_or("");
        let version = value.str_at(&["v"]).unwrap_or("");
        match (version, start, value.i64_at(&["rv"])) {
            ("meta.k8s.io/v1", start, Some(revision)) if !start.is_empty() && revision != 0 => {
                Ok(Self {
                    revision,
                    after: start.trim_end_matches('\u{0}').to_owned(),
                })
            }
            ("meta.k8s.io/v1", _, _) => Err(wrong(
                "incorrect encoded start resourceVersion (version meta.k8s.io/v1)".to_owned(),
            )),
            (other, _, _) => Err(wrong(format!(
                "server does not recognize this encoded version \"{other}\""
            ))),
        }
    }
}

/// An object's place in the order of a list: what is behind the resource's prefix in etcd.
fn place(scope: &Scope, object: &Value) -> String {
    match object.str_at(&["metadata", "namespace"]) {
        Some(namespace) if scope.namespace.is_none() => format!("{namespace}/{}", name_of(object)),
        _ => name_of(object).to_owned(),
    }
}

fn list(call: &Call<'_>, scope: &Scope, query: &Query) -> Result<Value, Problem> {
    let current = call.view()?.store.revision();
    let asked = query.number("resourceVersion")?;
    if let Some(asked) = asked.filter(|asked| *asked > current) {
        return Err(refused(
            "Timeout",
            &format!("Too large resource version: {asked}, current: {current}"),
        ));
    }
    let token = match query.get("continue") {
        "" => None,
        text => Some(Token::parse(text)?),
    };
    let exact = query.get("resourceVersionMatch") == "Exact";
    let wanted = match &token {
        // A token without a revision goes on with what is there now.
        Some(token) => u32::try_from(token.revision).unwrap_or(current),
        None => asked.filter(|_| exact).unwrap_or(current),
    };
    let history = &call.session.history;
    let mut objects = if wanted >= current {
        scope.objects(&call.view()?)?
    } else if wanted < watch::compacted(history)? {
        return Err(refused("Expired", TOO_OLD));
    } else {
        watch::objects_at(history, scope.clone(), wanted)?
    };
    if let Some(token) = &token {
        objects.retain(|object| place(scope, object) > token.after);
    }
    let limit = query.number("limit")?.filter(|limit| *limit > 0);
    let mut metadata = Value::object([("resourceVersion", Value::from(wanted.to_string()))]);
    if let Some(limit) = limit.map(|limit| limit as usize)
        && objects.len() > limit
    {
        let rest = objects.split_off(limit);
        let token = Token {
            revision: i64::from(wanted),
            after: objects
                .last()
                .map_or(String::new(), |last| place(scope, last)),
        };
        metadata.set("continue", token.text().into());
        if scope.labels.is_none() && scope.fields.is_empty() {
            let left = i64::try_from(rest.len()).unwrap_or(i64::MAX);
            metadata.set("remainingItemCount", Value::Int(left));
        }
    }
    Ok(Value::object([
        ("apiVersion", Value::from(scope.kind.api_version)),
        ("items", Value::list(objects)),
        ("kind", format!("{}List", scope.kind.kind).into()),
        ("metadata", metadata),
    ]))
}

/// A bookmark: nothing but how far the watch has come.
fn bookmark(call: &Call<'_>, scope: &Scope, initial: bool) -> Result<String, Problem> {
    let revision = call.view()?.store.revision().to_string();
    let mut metadata = Value::object([("resourceVersion", Value::from(revision))]);
    if initial {
        metadata.set_path(&["annotations", "k8s.io/initial-events-end"], "true".into());
    }
    let object = Value::object([
        ("apiVersion", Value::from(scope.kind.api_version)),
        ("kind", scope.kind.kind.into()),
        ("metadata", metadata),
    ]);
    Ok(watch::line("BOOKMARK", &object))
}

fn follow(call: &mut Call<'_>, scope: Scope, query: &Query) -> Result<(), Problem> {
    let current = call.view()?.store.revision();
    let asked = query.number("resourceVersion")?;
    let bookmarks = query.on("allowWatchBookmarks");
    let initial = query.on("sendInitialEvents");
    if initial && query.get("resourceVersionMatch") != "NotOlderThan" {
        return Err(refused(
            "Invalid",
            "ListOptions.meta.k8s.io \"\" is invalid: resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
        ));
    }
    let span = Span::of(
        call,
        Some(query.get("timeoutSeconds")).filter(|text| !text.is_empty()),
    )?;
    let mut watcher = match asked.filter(|asked| *asked > 0 && !initial) {
        None => {
            let watcher = Watcher::new(scope.clone(), &call.view()?)?;
            for object in watcher.known() {
                call.stdout.push_str(&watch::line("ADDED", object));
                call.stdout.push('\n');
            }
            if initial && bookmarks {
                let line = bookmark(call, &scope, true)?;
                call.say(&line);
            }
            watcher
        }
        Some(asked) if asked > current => {
            return Err(refused(
                "Timeout",
                &format!("Too large resource version: {asked}, current: {current}"),
            ));
        }
        Some(asked) => {
            let compacted = watch::compacted(&call.session.history)?;
            if asked < compacted {
                call.say(&expired(asked, compacted));
                return Ok(());
            }
            let (watcher, seen) = watch::replay(&call.session.history, scope.clone(), asked)?;
            for seen in seen {
                call.say(&watch::line(seen.word, &seen.object));
            }
            watcher
        }
    };
    if !bookmarks {
        return stream(call, &mut watcher, span);
    }
    while call.now() < span.until {
        let next = next_bookmark(call.now(), span);
        let part = Span {
            until: next.min(span.until),
            settles: false,
        };
        stream(call, &mut watcher, part)?;
        if call.now() < span.until || next == span.until {
            let line = bookmark(call, &scope, false)?;
            call.say(&line);
        }
        if !call.session.wait || span.settles && call.session.history.lab().converged() {
            break;
        }
    }
    Ok(())
}

/// A minute from now, or shortly before the end.
fn next_bookmark(now: SimTime, span: Span) -> SimTime {
    let last = span
        .until
        .as_micros()
        .saturating_sub(BOOKMARK_BEFORE_END.as_micros());
    let minute = now + BOOKMARK_EVERY;
    if minute.as_micros() <= last {
        minute
    } else if now.as_micros() < last {
        SimTime::from_micros(last)
    } else {
        span.until + BOOKMARK_EVERY
    }
}

fn stream(call: &mut Call<'_>, watcher: &mut Watcher, span: Span) -> Result<(), Problem> {
    watch::follow(call, watcher, span, &mut |call, seen| {
        call.say(&watch::line(seen.word, &seen.object));
        Ok(())
    })
}

/// The event that ends a watch from a revision that is compacted away: 410, so that the client lists
/// again. Source: `staging/src/k8s.io/apiserver/pkg/storage/cacher/watch_cache.go`.
fn expired(asked: u32, compacted: u32) -> String {
    let status = Value::object([
        ("apiVersion", Value::from("v1")),
        ("code", Value::Int(410)),
        ("kind", "Status".into()),
        (
            "message",
            format!("too old resource version: {asked} ({compacted})").into(),
        ),
        ("metadata", Value::map()),
        ("reason", "Expired".into()),
        ("status", "Failure".into()),
    ]);
    watch::line("ERROR", &status)
}
