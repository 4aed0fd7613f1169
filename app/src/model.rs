//! What the page knows: a mirror of the engine's last words, and what the reader has chosen.

use std::collections::BTreeSet;
use std::rc::Rc;

use sim_core::protocol::views::{Graph, Outcome};
use sim_core::protocol::{
    self, Anatomy, Change, Diagnostic, EventLine, FaultMark, File, Frame, Printed, Project,
    Recording, Reply, Said, Sheet, Why, WorldFrame,
};
use yew::{AttrValue, Reducible};

use crate::entry::ConsoleEntry;
use crate::files;
use crate::permalink::{self, Scene};
use crate::ui::detail::Detail;
use crate::ui::watch::Look;

/// Lines of the console's log that are kept.
const CONSOLE_ENTRIES_MAX: usize = 200;

/// Machines whose links are listed.
pub const LINKS_MAX: usize = 24;

/// Bookmarks that are kept.
const BOOKMARKS_MAX: usize = 24;

/// How the engine stands.
#[derive(Clone, Debug, PartialEq)]
pub enum Engine {
    /// Its worker is on its way.
    Starting,
    /// It answers.
    Ready,
    /// It has stopped, and why.
    Failed(AttrValue),
}

impl Engine {
    /// The value of `data-engine`, which tests and styles read.
    #[must_use]
    pub fn attribute(&self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Ready => "ready",
            Self::Failed(_) => "failed",
        }
    }
}

/// The last check of the input.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// What was found.
    pub diagnostics: Vec<Diagnostic>,
    /// Fields that no loop reads.
    pub not_modelled: Vec<String>,
    /// Whether the worlds run this very input, and nothing in it failed.
    pub applied: bool,
    /// Whether they run an earlier input instead: what failed while this one was run is no reason.
    pub stale: bool,
    /// What applying printed, in parts.
    pub output: Rc<Vec<Said>>,
}

/// What the last edit that was applied changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// What it made of each object.
    pub changes: Rc<Vec<Change>>,
    /// What the tools printed, in parts.
    pub output: Rc<Vec<Said>>,
}

impl Checked {
    /// Number of errors and warnings.
    #[must_use]
    pub fn problems(&self) -> usize {
        self.diagnostics
            .iter()
            .filter(|found| found.severity != "info")
            .count()
    }
}

/// A place that an editor shall show.
#[derive(Clone, Debug, PartialEq)]
pub struct Reveal {
    /// File.
    pub file: String,
    /// Offset in UTF-16 units.
    pub from: u32,
    /// Distinguishes a second wish for the same place.
    pub number: u32,
}

/// The parts of a frame that stand for themselves; those that did not change keep their address, so
/// that what shows them is not rendered again.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Shown {
    /// The frame without what is below.
    pub clock: Frame,
    /// The worlds.
    pub worlds: Vec<Rc<WorldFrame>>,
    /// How closely each is shown unless the reader chooses otherwise.
    pub fitting: Vec<Detail>,
    /// Whether the worlds have begun anew since: what was shown says nothing of how to show them.
    pub anew: bool,
    /// The event list.
    pub events: Rc<Vec<EventLine>>,
    /// Faults.
    pub faults: Rc<Vec<FaultMark>>,
    /// The chain asked for.
    pub why: Rc<Vec<EventLine>>,
    /// The object taken apart.
    pub anatomy: Rc<Option<Box<Anatomy>>>,
    /// Names of the machines that can be killed: all workers, of the world that has most.
    pub workers: Rc<Vec<String>>,
    /// Machines that a fault keeps down, sorted.
    pub healable: Rc<Vec<String>>,
}

/// Everything.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    /// The engine.
    pub engine: Engine,
    /// The last frame.
    pub shown: Rc<Shown>,
    /// Whether a frame of a loaded project has come: the first may be of an engine without one.
    pub begun: bool,
    /// The project; its files' texts are those last sent.
    pub project: Rc<Project>,
    /// The same as the editors show it, a tab each; what did not change keeps its address.
    pub tabs: Rc<Vec<Rc<File>>>,
    /// Raised when another project begins: editors take its texts.
    pub generation: u32,
    /// Raised when the page itself changed texts: editors take that in beside what is being typed.
    pub text_generation: u32,
    /// The same of the fault script alone, when a fault that was caused became a line of it.
    pub script_generation: u32,
    /// Name of the file whose tab is open.
    pub active: String,
    /// Number of the last edit; a check of an earlier one is old news.
    pub revision: u32,
    /// The last check.
    pub checked: Rc<Checked>,
    /// What the last edit changed.
    pub last: Applied,
    /// Whether the worlds run what was last sent.
    pub settled: bool,
    /// Checks heard of.
    pub checks: u32,
    /// A place to show.
    pub reveal: Option<Reveal>,
    /// The console's log.
    pub console: Rc<Vec<ConsoleEntry>>,
    /// Lines that the console has run: the number of the last one, which emptying the log keeps.
    pub lines: u32,
    /// The last refusal and what would be right, until it is dismissed.
    pub refusal: Vec<Said>,
    /// What is explained.
    pub why: Option<Why>,
    /// Service on the charts; empty: the first.
    pub service: String,
    /// Machine that faults are aimed at; empty: the first worker.
    pub machine: String,
    /// Whether this is the last session, brought back.
    pub restored: bool,
    /// Whether the browser refuses to keep the session.
    pub unkept: bool,
    /// Whether a newer build of the page waits, and nobody said that it shall wait on.
    pub updated: bool,
    /// Branches that went when the experiment was run again from its beginning, by name, each with what
    /// was done on it; until that was read.
    pub dropped: Rc<[(String, Recording)]>,
    /// Why the link of the address could not be opened.
    pub link_fault: Option<permalink::Fault>,
    /// Why the engine was started again.
    pub crash: Option<AttrValue>,
    /// The experiment with all that was done to it, as the engine last gave it.
    pub recording: Option<Rc<Recording>>,
    /// The object under inspection, and what the tools tell about it.
    pub inspected: Rc<(String, Vec<Sheet>)>,
    /// What the middle of the page shows.
    pub look: Look,
    /// How closely the machines are shown.
    pub detail: Detail,
    /// What is looked for among them; empty: everything.
    pub filter: AttrValue,
    /// The stretch of time that charts and time line show; none: all of it.
    pub zoom: Option<(u64, u64)>,
    /// Moments to come back to, with what happened there.
    pub bookmarks: Rc<Vec<(u64, String)>>,
    /// A stretch that is played again and again; the end is missing while it is being chosen.
    pub range: Option<(u64, Option<u64>)>,
    /// The branch that the present one left, as it went on.
    pub ghost: Option<Rc<Outcome>>,
    /// What is explained as a graph.
    pub causes: Rc<(Option<Why>, Graph)>,
    /// Two branches that are compared.
    pub compared: Rc<Vec<Outcome>>,
}

impl Model {
    /// A page with a project and no answer yet.
    #[must_use]
    pub fn new(project: Project, restored: bool) -> Self {
        Self {
            engine: Engine::Starting,
            shown: Rc::default(),
            begun: false,
            checks: 0,
            settled: false,
            last: Applied::default(),
            active: first_file(&project),
            tabs: tabs(&[], &project),
            project: Rc::new(project),
            generation: 0,
            text_generation: 0,
            script_generation: 0,
            revision: 0,
            checked: Rc::new(Checked {
                applied: true,
                ..Checked::default()
            }),
            reveal: None,
            console: Rc::default(),
            lines: 0,
            refusal: Vec::new(),
            why: None,
            service: String::new(),
            machine: String::new(),
            restored,
            unkept: false,
            updated: false,
            dropped: Rc::default(),
            link_fault: None,
            crash: None,
            recording: None,
            inspected: Rc::default(),
            look: Look::default(),
            detail: Detail::default(),
            filter: AttrValue::default(),
            zoom: None,
            bookmarks: Rc::default(),
            range: None,
            ghost: None,
            causes: Rc::default(),
            compared: Rc::default(),
        }
    }

    /// Names of all services of all worlds, in order of appearance.
    #[must_use]
    pub fn services(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for world in &self.shown.worlds {
            for series in &world.series {
                if !names.contains(&series.name) {
                    names.push(series.name.clone());
                }
            }
        }
        names
    }

    /// The service on the charts: the chosen one, the one that a fault is aimed at, or the first.
    #[must_use]
    pub fn charted(&self) -> String {
        let names = self.services();
        let aimed = self.project.faults.iter().find_map(|fault| {
            fault
                .split_whitespace()
                .find_map(|word| word.strip_prefix("of:"))
        });
        let wanted = [self.service.as_str(), aimed.unwrap_or_default()];
        let found = wanted
            .into_iter()
            .find(|wanted| names.iter().any(|name| name == wanted));
        found.map_or_else(|| names.first().cloned().unwrap_or_default(), str::to_owned)
    }

    /// The console's `watch` that goes on.
    #[must_use]
    pub fn watching(&self) -> Option<&ConsoleEntry> {
        self.console.iter().rev().find(|entry| entry.watches())
    }

    /// How closely each world is shown.
    #[must_use]
    pub fn levels(&self) -> Vec<Detail> {
        let worlds = self.shown.fitting.iter().zip(&self.shown.worlds);
        worlds
            .map(|(fitting, world)| self.detail.of(*fitting, world))
            .collect()
    }

    /// Begin and end of the time shown.
    #[must_use]
    pub fn window(&self) -> (u64, u64) {
        self.zoom.unwrap_or((0, self.shown.clock.length_us))
    }

    /// The machine that faults are aimed at.
    #[must_use]
    pub fn target(&self) -> String {
        let workers = &self.shown.workers;
        if workers.contains(&self.machine) {
            self.machine.clone()
        } else {
            workers.first().cloned().unwrap_or_default()
        }
    }

    /// All machines but one, of all worlds, each once.
    #[must_use]
    pub fn others_of(&self, machine: &str) -> Vec<String> {
        let worlds = self.shown.worlds.iter();
        let machines = worlds.flat_map(|world| &world.machines);
        let mut seen = BTreeSet::from([machine]);
        machines
            .filter(|other| seen.insert(other.name.as_str()))
            .map(|other| other.name.clone())
            .collect()
    }

    /// The other ends of the links of the machine that faults are aimed at; none where they are too
    /// many to be listed.
    #[must_use]
    pub fn others(&self) -> Vec<String> {
        if self.shown.workers.len() > LINKS_MAX {
            Vec::new()
        } else {
            self.others_of(&self.target())
        }
    }

    /// The number of the fault that keeps a machine down.
    #[must_use]
    pub fn fault_on(&self, machine: &str) -> Option<u32> {
        let faults = self.shown.faults.iter();
        faults
            .filter(|fault| fault.active && fault.machines.iter().any(|name| name == machine))
            .map(|fault| fault.number)
            .next_back()
    }
}

fn first_file(project: &Project) -> String {
    let kubernetes = project
        .files
        .iter()
        .find(|file| file.name == "kubernetes.yaml");
    let others = project
        .files
        .iter()
        .find(|file| file.name != files::CLUSTER);
    kubernetes
        .or(others)
        .map_or_else(String::new, |file| file.name.clone())
}

/// What changes the model.
#[derive(Debug)]
pub enum Action {
    /// The engine said something.
    Reply(Reply),
    /// The engine cannot be reached.
    Failed(String),
    /// An editor's text was sent as edit `revision`.
    Edited {
        /// The file.
        file: File,
        /// The edit's number.
        revision: u32,
    },
    /// Another experiment begins.
    Load(Recording),
    /// The page itself changed texts of the project.
    Replaced(Project),
    /// A tab was chosen.
    Activate(String),
    /// Show a place.
    Reveal {
        /// File.
        file: String,
        /// Offset in UTF-16 units.
        from: u32,
    },
    /// Explain this, or nothing.
    Explain(Option<Why>),
    /// Chart this service.
    Chart(String),
    /// Aim faults at this machine.
    Aim(String),
    /// The refusal was read.
    Dismiss,
    /// The chip about the restored session was read.
    Settle,
    /// Whether the browser refuses to keep the session.
    Unkept(bool),
    /// A newer build of the page waits, or may wait on.
    Updated(bool),
    /// These branches went when the experiment was run again; none: that was read.
    Dropped(Rc<[(String, Recording)]>),
    /// A link could not be opened.
    LinkFault(Option<permalink::Fault>),
    /// The engine stopped for this reason and was started again; none: that was read.
    Crashed(Option<String>),
    /// What the tools tell about an object.
    Inspected(String, Vec<Sheet>),
    /// Shows something else in the middle.
    Look(Look),
    /// Shows the machines more or less closely.
    Detail(Detail),
    /// Looks for something.
    Filter(String),
    /// Shows another stretch of time.
    Zoom(Option<(u64, u64)>),
    /// What a link had chosen.
    Scene(Scene),
    /// Keeps or forgets a moment.
    Bookmark(u64, Option<String>),
    /// Chooses a stretch to play again and again.
    Range(Option<(u64, Option<u64>)>),
    /// How the branch that was left goes on; none: nothing was left.
    Ghost(Option<Outcome>),
    /// Causes as a graph.
    Causes(Why, Graph),
    /// Two branches at their ends.
    Compared(Vec<Outcome>),
    /// What a `watch`, by its entry's number, shows now.
    Redrawn(u32, Printed),
    /// No `watch` goes on.
    Unwatch,
    /// The console's log is emptied.
    Clear,
}

impl Reducible for Model {
    type Action = Action;

    fn reduce(self: Rc<Self>, action: Action) -> Rc<Self> {
        let mut model = (*self).clone();
        match action {
            Action::Reply(reply) => model.reply(reply),
            Action::Failed(reason) => model.engine = Engine::Failed(reason.into()),
            Action::Edited { file, revision } => {
                model.revision = revision;
                model.settled = false;
                files::put(Rc::make_mut(&mut model.project), file);
                model.show_texts();
            }
            Action::Load(recording) => {
                model.settled = false;
                model.project = Rc::new(permalink::latest(&recording));
                // Undoing what comes next leads back here, also before the engine has told of it.
                model.recording = Some(Rc::new(recording));
                model.show_texts();
                if !model.tabs.iter().any(|file| file.name == model.active) {
                    model.active = first_file(&model.project);
                }
                model.generation += 1;
                model.why = None;
                model.bookmarks = Rc::default();
                model.range = None;
                model.zoom = None;
                model.ghost = None;
                model.dropped = Rc::default();
                model.service.clear();
                model.refusal.clear();
                model.restored = false;
                model.link_fault = None;
            }
            Action::Replaced(project) => {
                model.project = Rc::new(project);
                model.show_texts();
                model.text_generation += 1;
            }
            Action::Activate(name) => model.active = name,
            Action::Reveal { file, from } => {
                model.active.clone_from(&file);
                let number = model.reveal.as_ref().map_or(0, |reveal| reveal.number) + 1;
                model.reveal = Some(Reveal { file, from, number });
            }
            Action::Explain(why) => model.why = why,
            Action::Chart(service) => model.service = service,
            Action::Aim(machine) => model.machine = machine,
            Action::Dismiss => model.refusal.clear(),
            Action::Settle => model.restored = false,
            Action::Unkept(unkept) => model.unkept = unkept,
            Action::Updated(updated) => model.updated = updated,
            Action::Dropped(branches) => model.dropped = branches,
            Action::LinkFault(fault) => model.link_fault = fault,
            Action::Crashed(reason) => {
                if reason.is_some() {
                    model.engine = Engine::Starting;
                }
                model.crash = reason.map(AttrValue::from);
            }
            Action::Inspected(object, sheets) => model.inspected = Rc::new((object, sheets)),
            Action::Look(look) => model.look = look,
            Action::Detail(detail) => model.detail = detail,
            Action::Filter(filter) => model.filter = filter.into(),
            Action::Zoom(zoom) => model.zoom = zoom,
            Action::Scene(scene) => {
                model.why = scene.why;
                model.machine = scene.machine;
                model.look = scene.look;
                model.detail = scene.detail;
                model.bookmarks = Rc::new(scene.marks.0);
                model.range = scene.marks.1.map(|(from, to)| (from, Some(to)));
            }
            Action::Bookmark(at, text) => {
                let bookmarks = Rc::make_mut(&mut model.bookmarks);
                bookmarks.retain(|(known, _)| *known != at);
                if let Some(text) = text
                    && bookmarks.len() < BOOKMARKS_MAX
                {
                    bookmarks.push((at, text));
                    bookmarks.sort();
                }
            }
            Action::Range(range) => model.range = range,
            Action::Ghost(outcome) => model.ghost = outcome.map(Rc::new),
            Action::Causes(why, graph) => model.causes = Rc::new((Some(why), graph)),
            Action::Compared(outcomes) => model.compared = Rc::new(outcomes),
            Action::Redrawn(number, printed) => {
                let mut entries = Rc::make_mut(&mut model.console).iter_mut();
                if let Some(entry) = entries.find(|entry| entry.number == number && entry.watches())
                {
                    entry.draw(printed);
                }
            }
            Action::Unwatch => model.end_watches(),
            Action::Clear => model.console = Rc::default(),
        }
        Rc::new(model)
    }
}

impl Model {
    fn show_texts(&mut self) {
        self.tabs = tabs(&self.tabs, &self.project);
    }

    fn end_watches(&mut self) {
        for entry in Rc::make_mut(&mut self.console) {
            if entry.watches() {
                Rc::make_mut(&mut entry.printed).every_us = 0;
            }
        }
    }

    fn reply(&mut self, reply: Reply) {
        match reply {
            Reply::Ready { .. } => self.engine = Engine::Ready,
            Reply::Checked {
                revision,
                diagnostics,
                not_modelled,
                applied,
                output,
                restarted,
                changes,
            } => {
                let output = Rc::new(output);
                if restarted {
                    Rc::make_mut(&mut self.shown).anew = true;
                    self.last = Applied::default();
                } else if applied && !output.is_empty() {
                    self.last = Applied {
                        changes: Rc::new(changes),
                        output: output.clone(),
                    };
                }
                self.checks = self.checks.saturating_add(1);
                if revision == self.revision || revision == 0 {
                    self.settled = applied;
                    self.checked = Rc::new(Checked {
                        diagnostics,
                        not_modelled,
                        applied,
                        stale: !applied && !restarted,
                        output,
                    });
                }
            }
            Reply::Frame(frame) => {
                self.begun |= self.checks > 0;
                let (was, now) = (self.shown.clock.now_us, frame.now_us);
                if let Some((from, to)) = self.zoom
                    && was != now
                    && !(from..=to).contains(&now)
                {
                    // The stretch shown goes where the clock goes.
                    let start = now.saturating_sub((to - from) / 2);
                    self.zoom = Some((start, start + (to - from)));
                }
                self.shown = Rc::new(shown(&self.shown, *frame));
            }
            Reply::Output(printed) => {
                if printed.every_us > 0 {
                    self.end_watches();
                }
                self.lines = self.lines.wrapping_add(1);
                let (entries, number) = (Rc::make_mut(&mut self.console), self.lines);
                let printed = Rc::new(*printed);
                entries.push(ConsoleEntry {
                    number,
                    printed,
                    marks: Rc::default(),
                    equal: 1,
                });
                if entries.len() > CONSOLE_ENTRIES_MAX {
                    entries.remove(0);
                }
            }
            Reply::Recorded(recording) => {
                // What was caused is a line of the script, also of one that is being written.
                let faults = if self.settled {
                    recording.script()
                } else {
                    let known = self.recording.as_deref().map(Recording::injected);
                    let caused = recording.injected();
                    let new = caused.strip_prefix(known.unwrap_or_default().as_slice());
                    protocol::below(&self.project.faults, new.unwrap_or_default())
                };
                if faults != self.project.faults {
                    Rc::make_mut(&mut self.project).faults = faults;
                    self.show_texts();
                    self.script_generation += 1;
                }
                self.recording = Some(Rc::new(*recording));
            }
            // Who asked is told by the page's hands.
            Reply::Answer { .. } => {}
            Reply::Refused(said) => self.refusal = said,
            Reply::Fatal(sentence) => self.engine = Engine::Failed(sentence.into()),
        }
    }
}

/// A project's texts; those that the editors show already keep their address.
fn tabs(last: &[Rc<File>], project: &Project) -> Rc<Vec<Rc<File>>> {
    let tabs = files::tabs(project).into_iter();
    let tabs = tabs.map(|file| {
        let known = last.iter().find(|known| ***known == file);
        known.cloned().unwrap_or_else(|| Rc::new(file))
    });
    Rc::new(tabs.collect())
}

/// The workers of the world that has most of them; the last frame's list where it is the same.
fn workers(last: &Rc<Vec<String>>, worlds: &[Rc<WorldFrame>]) -> Rc<Vec<String>> {
    let count = |world: &&Rc<WorldFrame>| {
        let machines = world.machines.iter();
        machines.filter(|machine| !machine.control).count()
    };
    let Some(most) = worlds.iter().max_by_key(count) else {
        return last.clone();
    };
    let workers = most.machines.iter().filter(|machine| !machine.control);
    let names = workers.map(|machine| &machine.name);
    if names.clone().eq(last.iter()) {
        last.clone()
    } else {
        Rc::new(names.cloned().collect())
    }
}

/// Machines that a fault keeps down, sorted.
fn healable(faults: &[FaultMark]) -> Vec<String> {
    let active = faults.iter().filter(|fault| fault.active);
    let mut names: Vec<String> = active
        .flat_map(|fault| fault.machines.iter().cloned())
        .collect();
    names.sort();
    names.dedup();
    names
}

/// Takes a frame apart; what equals the last frame's part is that part.
fn shown(last: &Shown, mut frame: Frame) -> Shown {
    fn same<T: PartialEq>(last: &Rc<T>, new: T) -> Rc<T> {
        if **last == new {
            last.clone()
        } else {
            Rc::new(new)
        }
    }
    let worlds = std::mem::take(&mut frame.worlds).into_iter().enumerate();
    let worlds = worlds.map(|(place, world)| match last.worlds.get(place) {
        Some(known) => same(known, world),
        None => Rc::new(world),
    });
    let worlds: Vec<Rc<WorldFrame>> = worlds.collect();
    let fitting = worlds.iter().enumerate().map(|(place, world)| {
        let mut known = last.worlds.iter().zip(&last.fitting).skip(place);
        let known = known
            .next()
            .filter(|(known, _)| known.orchestrator == world.orchestrator);
        match known.filter(|_| !last.anew) {
            Some((known, level)) if Rc::ptr_eq(known, world) => *level,
            known => Detail::fitting(world, known.map(|(_, level)| *level)),
        }
    });
    let fitting = fitting.collect();
    let faults = same(&last.faults, std::mem::take(&mut frame.faults));
    Shown {
        workers: workers(&last.workers, &worlds),
        worlds,
        fitting,
        anew: false,
        events: same(&last.events, std::mem::take(&mut frame.events)),
        healable: if Rc::ptr_eq(&faults, &last.faults) {
            last.healable.clone()
        } else {
            Rc::new(healable(&faults))
        },
        faults,
        why: same(&last.why, std::mem::take(&mut frame.why)),
        anatomy: same(&last.anatomy, frame.anatomy.take()),
        clock: frame,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_core::protocol::{Act, Deed};

    #[test]
    fn a_fault_that_was_caused_comes_below_a_script_that_is_being_written() {
        let lines = |lines: &[&str]| -> Vec<String> {
            lines.iter().map(|line| (*line).to_owned()).collect()
        };
        let mut model = Model::new(files::poll(), false);
        let recorded = |model: &mut Model, acts: &[&str]| {
            let inject = |text: &&str| Act {
                at_us: 5_000_000,
                deed: Deed::Inject((*text).to_owned()),
            };
            let acts = acts.iter().map(inject).collect();
            let project = files::poll();
            model.reply(Reply::Recorded(Box::new(Recording {
                project,
                acts,
                at_us: 0,
            })));
        };
        model.settled = true;
        recorded(&mut model, &["node-crash worker-1"]);
        let said = ["node-crash of:poll at 60s", "node-crash worker-1 at 5s"];
        assert_eq!(model.project.faults, lines(&said));
        assert_eq!((model.script_generation, model.generation), (1, 0));
        let kept = model.tabs.clone();
        model.settled = false;
        let written = File {
            name: sim_core::protocol::FAULTS.to_owned(),
            text: "# why\n".to_owned(),
        };
        files::put(Rc::make_mut(&mut model.project), written);
        model.show_texts();
        assert!(
            Rc::ptr_eq(&kept[0], &model.tabs[0]),
            "an unchanged text is shared"
        );
        recorded(&mut model, &["node-crash worker-1"]);
        assert_eq!(model.project.faults, lines(&["# why", ""]));
        recorded(&mut model, &["node-crash worker-1", "registry-down"]);
        assert_eq!(
            model.project.faults,
            lines(&["# why", "registry-down at 5s"])
        );
        assert_eq!(model.script_generation, 2);
    }

    #[test]
    fn what_is_opened_can_be_undone_at_once() {
        let opened = Recording {
            project: files::poll(),
            acts: vec![Act {
                at_us: 5_000_000,
                deed: Deed::Inject("node-crash worker-1".to_owned()),
            }],
            at_us: 0,
        };
        let model = Rc::new(Model::new(files::poll(), false));
        let mut model = (*model.reduce(Action::Load(opened.clone()))).clone();
        assert_eq!(model.recording.as_deref(), Some(&opened));
        let script = opened.script();
        assert_eq!(model.project.faults, script);
        // That the engine tells of it, too, adds no line.
        model.reply(Reply::Recorded(Box::new(opened)));
        assert_eq!(model.project.faults, script);
    }
}
