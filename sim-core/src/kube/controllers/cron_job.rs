//! The CronJob controller: Jobs at the times of a schedule.
//! Sources: `pkg/controller/cronjob/{cronjob_controllerv2,utils}.go`.

pub mod civil;
pub mod schedule;
pub mod zone;

use crate::base::arrange::Arrange;
use crate::base::name::Name;
use crate::base::symbol::Symbol;
use crate::base::time::{EPOCH_UNIX_SECONDS, SimDuration, SimTime};
use crate::des::notice::Detail;
use crate::kube::apiserver::{ApiServer, Propagation, Request};
use crate::kube::event::{Event, Key};
use crate::kube::render::{uid, uid_text};
use crate::kube::rows::watched::WatchedPart;
use crate::kube::rows::workload::Part;
use crate::kube::rows::{ReplicaSetId, WatchedId, read};
use crate::kube::store::document::DocumentKey;
use crate::kube::store::events::Message;
use crate::kube::turn::Turn;
use crate::manifest::value::Value;

use schedule::Schedule;
use zone::Zone;

/// A schedule is looked at this long after its time. Source: `cronjob_controllerv2.go`, `nextScheduleDelta`.
const DELTA: SimDuration = SimDuration::from_millis(100);

/// Missed times above which a warning is given. Source: `utils.go`.
const MANY: i64 = 100;

/// Times that are walked through to find the newest missed one.
const WALK: u32 = 100_000;

const COMPONENT: &str = "cronjob-controller";

/// The controller. It keeps nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct CronJobController {}

/// One of its Jobs.
struct Child {
    id: ReplicaSetId,
    name: Symbol,
    started_s: i64,
    finished: bool,
    complete: bool,
}

/// One pass's view.
struct Pass {
    id: WatchedId,
    namespace: Symbol,
    name: Symbol,
    key: DocumentKey,
    document: Value,
    /// Whether only finalizers keep it.
    deleting: bool,
    /// Unix seconds of its creation.
    created: i64,
    now: i64,
    children: Vec<Child>,
    /// Names of the Jobs in `status.active`.
    active: Vec<Symbol>,
    last: Option<i64>,
    last_success: Option<String>,
}

impl CronJobController {
    /// One pass over one CronJob.
    #[inline(never)]
    pub fn sync(&self, id: WatchedId, apiserver: &mut ApiServer, turn: &mut Turn<'_, '_>) {
        let Some(mut pass) = Pass::new(id, turn) else {
            return;
        };
        pass.follow_jobs(turn);
        if !pass.deleting
            && let Some(next) = pass.start(apiserver, turn)
        {
            schedule_look(id, next, turn);
        }
        pass.clean_up(apiserver, turn);
        pass.write(turn);
    }
}

/// Looks again a little after a time.
fn schedule_look(id: WatchedId, unix: i64, turn: &mut Turn<'_, '_>) {
    let Ok(seconds) = u64::try_from(unix - EPOCH_UNIX_SECONDS.cast_signed()) else {
        return;
    };
    let at = SimTime::from_micros(seconds.saturating_mul(1_000_000)) + DELTA;
    // A timer runs by the time that is left on the controller's clock, whatever becomes of that.
    let left = at.since(super::own_clock(turn));
    let now = turn.now();
    let at = now + left;
    if let Some(row) = turn.store.watched_mut(id)
        && let WatchedPart::CronJob(part) = &mut row.part
    {
        if part.due == Some(at) && at > now {
            return;
        }
        part.due = Some(at);
        turn.at(at, Event::Sync(Key::Watched(id)));
    }
}

impl Pass {
    fn new(id: WatchedId, turn: &mut Turn<'_, '_>) -> Option<Self> {
        let row = turn.store.watched(id)?;
        let document = turn.store.watched_document(id)?;
        let children = turn
            .store
            .pod_controllers()
            .filter(|(_, job)| job.namespace == row.namespace)
            .filter_map(|(job, found)| {
                let Part::Job(part) = &found.part else {
                    return None;
                };
                (part.cron_job == Some(row.name)).then(|| Child {
                    id: job,
                    name: found.name,
                    // Those that have not started come last.
                    started_s: part.started.map_or(i64::MAX, unix),
                    finished: part.finished.is_some(),
                    complete: part.complete,
                })
            })
            .collect();
        let value = &document.value;
        let active = read::list(value, &["status", "active"])
            .iter()
            .map(|job| turn.ctx.symbols.intern(read::text(job, &["name"])))
            .collect();
        let written = read::unix_seconds(read::text(value, &["metadata", "creationTimestamp"]));
        let created = written.unwrap_or_else(|| unix(document.created));
        Some(Self {
            id,
            namespace: row.namespace,
            name: row.name,
            key: row.key.clone(),
            document: value.clone(),
            deleting: document.deletion.is_some(),
            created,
            now: unix(super::own_clock(turn)),
            children,
            active,
            last: read::unix_seconds(read::text(value, &["status", "lastScheduleTime"])),
            last_success: value
                .str_at(&["status", "lastSuccessfulTime"])
                .map(str::to_owned),
        })
    }

    fn event(&self, warning: bool, reason: &'static str, text: String, turn: &mut Turn<'_, '_>) {
        let object = ("CronJob", self.namespace, Name::plain(self.name));
        let message = Message::Text(text.into());
        if warning {
            turn.warning(object, COMPONENT, reason, message);
        } else {
            turn.normal(object, COMPONENT, reason, message);
        }
    }

    /// Takes finished and missing Jobs off the list of active ones.
    fn follow_jobs(&mut self, turn: &mut Turn<'_, '_>) {
        let mut notes: Vec<(&'static str, String, bool)> = Vec::new();
        for child in &self.children {
            let listed = self.active.contains(&child.name);
            let name = turn.ctx.symbols.text(child.name);
            if !listed && !child.finished {
                let text =
                    format!("Saw a job that the controller did not create or forgot: {name}");
                notes.push(("UnexpectedJob", text, true));
            } else if listed && child.finished {
                let kind = if child.complete { "Complete" } else { "Failed" };
                let text = format!("Saw completed job: {name}, condition: {kind}");
                notes.push(("SawCompletedJob", text, false));
                self.active.retain(|name| *name != child.name);
            }
            if child.complete {
                let key = DocumentKey {
                    resource: "jobs.batch".into(),
                    namespace: self.key.namespace.clone(),
                    name: name.into(),
                };
                let at = turn
                    .store
                    .documents()
                    .get(&key)
                    .and_then(|job| job.value.str_at(&["status", "completionTime"]))
                    .map(str::to_owned);
                if at > self.last_success {
                    self.last_success = at;
                }
            }
        }
        let missing: Vec<Symbol> = self
            .active
            .iter()
            .copied()
            .filter(|name| !self.children.iter().any(|child| child.name == *name))
            .collect();
        for name in missing {
            let text = format!("Active job went missing: {}", turn.ctx.symbols.text(name));
            notes.push(("MissingJob", text, false));
            self.active.retain(|other| *other != name);
        }
        for (reason, text, warning) in notes {
            self.event(warning, reason, text, turn);
        }
    }

    /// Starts the newest Job that is due. Answers the schedule's next time.
    fn start(&mut self, apiserver: &mut ApiServer, turn: &mut Turn<'_, '_>) -> Option<i64> {
        let spec = self.document.get("spec")?.clone();
        let zone = match self.zone(&spec) {
            Ok(zone) => zone,
            Err(text) => {
                self.event(true, "UnknownTimeZone", text, turn);
                return None;
            }
        };
        if read::truth(&spec, &["suspend"]) {
            return None;
        }
        let written = read::text(&spec, &["schedule"]);
        if written.contains("TZ") {
            let text = format!(
                "CRON_TZ or TZ used in schedule {written:?} is not officially supported, see https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for more details"
            );
            self.event(true, "UnsupportedSchedule", text, turn);
        }
        let bare = match written.split_once(' ') {
            Some((prefix, rest)) if prefix.starts_with("TZ=") || prefix.starts_with("CRON_TZ=") => {
                rest
            }
            _ => written,
        };
        let schedule = match Schedule::parse(bare) {
            Ok(schedule) => schedule,
            Err(why) => {
                let text = format!("unparseable schedule: {written:?} : {why}");
                self.event(true, "UnparseableSchedule", text, turn);
                return None;
            }
        };
        let deadline = spec.i64_at(&["startingDeadlineSeconds"]);
        let due = match self.newest(&schedule, &zone, deadline) {
            Ok((due, missed)) => {
                if due.is_some() && missed > MANY {
                    let text = "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew";
                    self.event(true, "TooManyMissedTimes", text.to_owned(), turn);
                }
                due
            }
            Err(why) => {
                let text = format!("invalid schedule: {written} : {why}");
                self.event(true, "InvalidSchedule", text, turn);
                return None;
            }
        };
        if let Some(due) = due {
            self.start_one(due, deadline, &spec, &zone, apiserver, turn);
        }
        let base = match self.newest(&schedule, &zone, None) {
            Err(_) => self.now,
            Ok((Some(newest), _)) => newest,
            Ok((None, _)) => self.last.unwrap_or(self.created),
        };
        let mut next = schedule.next(base, &zone)?;
        // A base in the far past must not make the loop spin.
        if next <= self.now {
            next = schedule.next(self.now, &zone)?;
        }
        Some(next)
    }

    fn zone(&self, spec: &Value) -> Result<Zone, String> {
        let schedule = read::text(spec, &["schedule"]);
        let inside = schedule
            .strip_prefix("CRON_TZ=")
            .or_else(|| schedule.strip_prefix("TZ="))
            .and_then(|rest| rest.split_once(' '))
            .map(|(name, _)| name);
        let named = |name: &str| {
            Zone::named(name)
                .ok_or_else(|| format!("invalid timeZone: {name:?}: unknown time zone {name}"))
        };
        let field = spec.str_at(&["timeZone"]).map(named).transpose()?;
        match inside {
            // The schedule's own goes before the field.
            Some(name) => named(name),
            None => Ok(field.unwrap_or(Zone::UTC)),
        }
    }

    /// The newest time that is due and was not started, and how many were missed by upstream's
    /// estimate, which overshoots for uneven schedules.
    fn newest(
        &self,
        schedule: &Schedule,
        zone: &Zone,
        deadline: Option<i64>,
    ) -> Result<(Option<i64>, i64), String> {
        let mut earliest = self.last.unwrap_or(self.created);
        if let Some(deadline) = deadline {
            earliest = earliest.max(self.now - deadline);
        }
        let unsatisfiable = || "time difference between two schedules is less than 1 second";
        let first = schedule
            .next(earliest, zone)
            .ok_or_else(|| unsatisfiable().to_owned())?;
        if self.now < first {
            return Ok((None, 0));
        }
        let Some(second) = schedule.next(first, zone) else {
            return Err(unsatisfiable().to_owned());
        };
        if self.now < second {
            return Ok((Some(first), 1));
        }
        let between = second - first;
        if between < 1 {
            return Err(unsatisfiable().to_owned());
        }
        let missed = (self.now - first) / between + 1;
        let mut at = first + (missed - 2) * between;
        let mut newest = None;
        for _ in 0..WALK {
            match schedule.next(at, zone) {
                Some(next) if next <= self.now => {
                    newest = Some(next);
                    at = next;
                }
                _ => break,
            }
        }
        Ok((newest, missed))
    }

    fn start_one(
        &mut self,
        due: i64,
        deadline: Option<i64>,
        spec: &Value,
        zone: &Zone,
        apiserver: &mut ApiServer,
        turn: &mut Turn<'_, '_>,
    ) {
        if deadline.is_some_and(|deadline| due + deadline < self.now) {
            let text = format!(
                "Missed scheduled time to start a job: {}",
                civil::rfc1123(due)
            );
            self.event(true, "MissSchedule", text, turn);
            return;
        }
        let name = format!("{}-{}", turn.ctx.symbols.text(self.name), due / 60);
        let known = |name: &str, turn: &Turn<'_, '_>| {
            turn.ctx
                .symbols
                .get(name)
                .is_some_and(|name| self.active.contains(&name))
        };
        if known(&name, turn) || self.last == Some(due) {
            return;
        }
        match read::text(spec, &["concurrencyPolicy"]) {
            "Forbid" if !self.active.is_empty() => {
                let text = "Not starting job because prior execution is running and concurrency policy is Forbid";
                self.event(false, "JobAlreadyActive", text.to_owned(), turn);
                return;
            }
            "Replace" => {
                for job in std::mem::take(&mut self.active) {
                    self.delete_job(job, apiserver, turn);
                }
            }
            _ => {}
        }
        let object = self.job(&name, due, spec, zone, turn);
        let request = Request::Create {
            object,
            namespace: self.key.namespace.clone(),
        };
        match apiserver.request(&request, turn) {
            Ok(_) => {
                self.event(
                    false,
                    "SuccessfulCreate",
                    format!("Created job {name}"),
                    turn,
                );
                let symbol = turn.ctx.symbols.intern(&name);
                turn.note(
                    "kube.cronjob",
                    "start",
                    "job",
                    Name::plain(symbol),
                    Detail::None,
                );
                self.active.push(symbol);
                self.last = Some(due);
            }
            Err(refusal) if refusal.reason == "AlreadyExists" => {
                let symbol = turn.ctx.symbols.intern(&name);
                // It was made before the status was written.
                if self.children.iter().any(|child| child.name == symbol) {
                    self.active.push(symbol);
                    self.last = Some(due);
                }
            }
            Err(refusal) => {
                let text = format!("Error creating job: {}", &*refusal.message);
                self.event(true, "FailedCreate", text, turn);
            }
        }
    }

    fn job(&self, name: &str, due: i64, spec: &Value, zone: &Zone, turn: &Turn<'_, '_>) -> Value {
        let template = spec.get("jobTemplate");
        let part = |path: &[&str]| {
            template
                .and_then(|template| template.path(path))
                .cloned()
                .unwrap_or_else(Value::map)
        };
        let mut annotations = part(&["metadata", "annotations"]);
        annotations.set(
            "batch.kubernetes.io/cronjob-scheduled-timestamp",
            civil::text_in(due, zone.offset(due)).into(),
        );
        let own = uid(
            turn.ctx.seed,
            "cronjobs",
            &self.key.namespace,
            &self.key.name,
            turn.store
                .watched_document(self.id)
                .map_or(0, |document| document.created.as_micros()),
        );
        let owner = Value::object([
            ("apiVersion", Value::from("batch/v1")),
            ("blockOwnerDeletion", true.into()),
            ("controller", true.into()),
            ("kind", "CronJob".into()),
            ("name", Value::from(&*self.key.name)),
            ("uid", uid_text(own).into()),
        ]);
        Value::object([
            ("apiVersion", Value::from("batch/v1")),
            ("kind", "Job".into()),
            (
                "metadata",
                Value::object([
                    ("annotations", annotations),
                    ("labels", part(&["metadata", "labels"])),
                    ("name", name.into()),
                    ("namespace", Value::from(&*self.key.namespace)),
                    ("ownerReferences", Value::list(vec![owner])),
                ]),
            ),
            ("spec", part(&["spec"])),
        ])
    }

    fn delete_job(&self, job: Symbol, apiserver: &mut ApiServer, turn: &mut Turn<'_, '_>) {
        let name = turn.ctx.symbols.text(job).to_owned();
        let request = Request::Delete {
            kind: "Job".into(),
            namespace: self.key.namespace.clone(),
            name: name.as_str().into(),
            propagation: Some(Propagation::Background),
            grace_seconds: None,
        };
        match apiserver.request(&request, turn) {
            Ok(_) => {
                turn.note(
                    "kube.cronjob",
                    "delete",
                    "job",
                    Name::plain(job),
                    Detail::None,
                );
                self.event(
                    false,
                    "SuccessfulDelete",
                    format!("Deleted job {name}"),
                    turn,
                );
            }
            Err(refusal) => {
                let text = format!("Deleted job: {}", &*refusal.message);
                self.event(true, "FailedDelete", text, turn);
            }
        }
    }

    /// Deletes finished Jobs beyond the limits, those that started first before the others.
    fn clean_up(&mut self, apiserver: &mut ApiServer, turn: &mut Turn<'_, '_>) {
        for (limit, complete) in [
            ("successfulJobsHistoryLimit", true),
            ("failedJobsHistoryLimit", false),
        ] {
            let Some(limit) = self.document.i64_at(&["spec", limit]) else {
                continue;
            };
            let mut finished: Vec<&Child> = self
                .children
                .iter()
                .filter(|child| child.finished && child.complete == complete)
                .filter(|child| {
                    turn.store
                        .replica_set(child.id)
                        .is_some_and(|row| !row.deleting)
                })
                .collect();
            finished.arrange_by_key(|child| (child.started_s, turn.ctx.symbols.text(child.name)));
            let excess = finished
                .len()
                .saturating_sub(usize::try_from(limit.max(0)).unwrap_or(usize::MAX));
            let gone: Vec<Symbol> = finished
                .into_iter()
                .take(excess)
                .map(|child| child.name)
                .collect();
            for job in gone {
                self.delete_job(job, apiserver, turn);
            }
        }
    }

    fn write(&self, turn: &mut Turn<'_, '_>) {
        let references: Vec<Value> = self
            .active
            .iter()
            .map(|job| {
                let name = turn.ctx.symbols.text(*job);
                let created = turn
                    .store
                    .pod_controllers()
                    .find(|(_, row)| row.name == *job && row.namespace == self.namespace)
                    .map_or(0, |(_, row)| row.created.as_micros());
                let own = uid(turn.ctx.seed, "jobs", &self.key.namespace, name, created);
                Value::object([
                    ("apiVersion", Value::from("batch/v1")),
                    ("kind", "Job".into()),
                    ("name", name.into()),
                    ("namespace", Value::from(&*self.key.namespace)),
                    ("uid", uid_text(own).into()),
                ])
            })
            .collect();
        let mut status = Value::map();
        if !references.is_empty() {
            status.set("active", Value::list(references));
        }
        if let Some(last) = self.last {
            status.set("lastScheduleTime", civil::text(last).into());
        }
        if let Some(last) = &self.last_success {
            status.set("lastSuccessfulTime", last.as_str().into());
        }
        turn.store.write_status(&self.key, status);
    }
}

/// Seconds since 1970.
fn unix(time: SimTime) -> i64 {
    EPOCH_UNIX_SECONDS
        .saturating_add_signed(time.signed_seconds())
        .cast_signed()
}
