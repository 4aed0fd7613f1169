//! What the page's controls can do: requests to the engine, and changes of the model that go with
//! them. One value, handed to every component.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use sim_core::protocol::views::Outcome;
use sim_core::protocol::{
    Answer, FAULTS, File, Frame, Mention, Project, Query, Recording, Reply, Request, Target, View,
    Why, below,
};
use yew::UseReducerDispatcher;

use crate::dom;
use crate::entry::ConsoleEntry;
use crate::files;
use crate::link::WorkerLink;
use crate::links::mending;
use crate::model::{Action, Model};
use crate::permalink::{self, Scene};
use crate::ui::detail::Detail;
use crate::ui::watch::Look;

/// Lines of the event list.
const EVENTS: u32 = 80;

/// Points of a chart series.
const POINTS: u32 = 600;

/// Speeds that the page offers, in thousandths of real time.
pub const SPEEDS: [u64; 10] = [
    100, 500, 1_000, 2_000, 5_000, 10_000, 30_000, 100_000, 300_000, 1_000_000,
];

/// Shortest stretch of time that is shown.
const ZOOM_MIN_US: u64 = 5_000_000;

/// Speed of a page that has just been opened.
pub const FIRST_SPEED: u64 = 10_000;

/// The reader's preferences for how a run begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start {
    /// Whether the clock runs at once.
    pub playing: bool,
    /// Time to go to first, in microseconds.
    pub at_us: u64,
    /// Whether the session is kept in the browser.
    pub keeps: bool,
}

/// What a link carries: an experiment, and what the reader had chosen.
pub type Opening = (Recording, Scene);

struct Inner {
    dispatch: UseReducerDispatcher<Model>,
    link: RefCell<Option<WorkerLink>>,
    latest: RefCell<Rc<Model>>,
    speed: RefCell<u64>,
    start: Start,
    /// What the address asked for, until the engine has it.
    opening: RefCell<Option<Opening>>,
    /// What is to be inspected once all is done again, at which time, and whether the engine has
    /// begun with it.
    to_inspect: RefCell<Option<(Target, u64, bool)>>,
    /// What is being inspected.
    inspecting: RefCell<Option<Target>>,
    asked: Cell<u32>,
    waiting: RefCell<BTreeMap<u32, Listener>>,
    /// When the engine stopped last, in milliseconds of real time.
    crashed: Cell<Option<f64>>,
    /// What was there before each of the last acts, for undoing them, and after those undone.
    past: RefCell<Vec<Past>>,
    future: RefCell<Vec<Past>>,
    /// Recordings asked for and not yet given, the faults that the last one had injected, and an edit
    /// of the fault script that waits for the next: it must not lack a fault that it cannot know yet.
    recorded: RefCell<(u32, Vec<String>, Option<(u32, Vec<String>)>)>,
    /// The other branches as they were when a script was edited last, and how the current one went
    /// on; and whether the ghost on the charts is that.
    lost: RefCell<Vec<(String, Recording)>>,
    was: RefCell<Option<Outcome>>,
    is_rerun: Cell<bool>,
    /// Branches, and the current one, of the last frame.
    branches: Cell<(usize, u32)>,
    looking: Cell<Looking>,
}

/// Whether the console's `watch` is being run.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Looking {
    No,
    Yes,
    /// And what it will show is old by now.
    Again,
}

/// Acts that can be undone.
const UNDO_MAX: usize = 20;

/// What an undo goes back to.
#[derive(Clone)]
enum Past {
    /// An experiment with all that was done to it.
    Done(Recording),
    /// The branch that another one was made from.
    Branch(u32),
}

/// Takes an answer.
type Listener = Box<dyn FnOnce(Answer)>;

/// Time after which another crash of the engine is a new misfortune, in milliseconds.
const CRASH_PAUSE_MS: f64 = 10_000.0;

/// The page's hands.
#[derive(Clone)]
pub struct Control(Rc<Inner>);

impl PartialEq for Control {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

impl std::fmt::Debug for Control {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Control")
    }
}

/// What the page shows.
pub(crate) const fn whole_view(why: Option<Why>, anatomy: Option<Target>) -> View {
    View {
        events: EVENTS,
        why,
        points: POINTS,
        anatomy,
    }
}

impl Control {
    /// Hands without an engine yet.
    #[must_use]
    pub fn new(
        dispatch: UseReducerDispatcher<Model>,
        model: Rc<Model>,
        start: Start,
        opening: Option<Opening>,
    ) -> Self {
        let (link, latest, speed) = (
            RefCell::new(None),
            RefCell::new(model),
            RefCell::new(FIRST_SPEED),
        );
        Self(Rc::new(Inner {
            dispatch,
            link,
            latest,
            speed,
            start,
            opening: RefCell::new(opening),
            to_inspect: RefCell::default(),
            inspecting: RefCell::default(),
            asked: Cell::new(0),
            waiting: RefCell::default(),
            crashed: Cell::new(None),
            past: RefCell::default(),
            future: RefCell::default(),
            recorded: RefCell::default(),
            lost: RefCell::default(),
            was: RefCell::default(),
            is_rerun: Cell::default(),
            branches: Cell::new((0, 0)),
            looking: Cell::new(Looking::No),
        }))
    }

    /// The model as it was last rendered.
    #[must_use]
    pub fn model(&self) -> Rc<Model> {
        self.0.latest.borrow().clone()
    }

    /// Tells of a new model.
    pub fn renew(&self, model: Rc<Model>) {
        *self.0.latest.borrow_mut() = model;
    }

    /// Takes the engine's link, or lets it go.
    pub fn connect(&self, link: Option<WorkerLink>) {
        *self.0.link.borrow_mut() = link;
    }

    /// Changes the model.
    pub fn act(&self, action: Action) {
        self.0.dispatch.dispatch(action);
    }

    /// Sends a request; before the engine answers, nothing is sent.
    pub fn send(&self, request: &Request) {
        if let Some(link) = &*self.0.link.borrow()
            && let Err(reason) = link.send(request)
        {
            self.act(Action::Failed(reason));
        }
    }

    /// The engine has said that it is there: it gets the project and what is on screen.
    pub fn begin(&self) {
        let project = (*self.model().project).clone();
        let opening = self.0.opening.borrow_mut().take();
        if let Some((recording, scene)) = opening {
            self.replay(recording, scene);
            return;
        }
        self.watch(None);
        self.start(project);
        if self.0.start.at_us > 0 {
            self.seek(self.0.start.at_us);
            if self.0.start.playing {
                self.play();
            }
        }
    }

    /// Opens what a link carries. It stands still: nobody's time is spent on a stranger's experiment.
    pub fn open(&self, (recording, scene): Opening) {
        self.act(Action::Load(permalink::latest(&recording)));
        self.act(Action::Scene(scene.clone()));
        self.leave();
        self.replay(recording, scene);
    }

    /// Another experiment comes: what is under inspection, or was to be, is of the last one.
    fn leave(&self) {
        self.0.to_inspect.take();
        self.0.inspecting.take();
        dom::dialog("inspector", false);
    }

    fn replay(&self, recording: Recording, scene: Scene) {
        self.watch(scene.why);
        let at = recording.at_us;
        *self.0.to_inspect.borrow_mut() = scene.inspected.map(|target| (target, at, false));
        self.send(&Request::Replay(recording));
        self.record();
    }

    /// Asks for what a link needs.
    fn record(&self) {
        self.0.recorded.borrow_mut().0 += 1;
        self.send(&Request::Record);
    }

    /// Another recording has come: the script that waits for it gets the faults that were caused
    /// meanwhile, as the model does, and goes.
    fn take_record(&self, recording: &Recording) {
        let held = {
            let (asked, known, held) = &mut *self.0.recorded.borrow_mut();
            *asked = asked.saturating_sub(1);
            let injected = recording.injected();
            if let (Some((_, lines)), Some(new)) =
                (held.as_mut(), injected.strip_prefix(known.as_slice()))
            {
                *lines = below(lines, new);
            }
            *known = injected;
            held.take_if(|_| *asked == 0)
        };
        if let Some((revision, lines)) = held {
            let file = File {
                name: FAULTS.to_owned(),
                text: lines.join("\n"),
            };
            self.perform(&Request::Edit { revision, file });
        }
    }

    /// Asks something that changes nothing.
    pub fn ask(&self, query: Query, listener: impl FnOnce(Answer) + 'static) {
        let number = self.0.asked.get().wrapping_add(1);
        self.0.asked.set(number);
        let mut waiting = self.0.waiting.borrow_mut();
        // Questions to an engine that has stopped are never answered.
        while waiting.len() >= 64 {
            waiting.pop_first();
        }
        waiting.insert(number, Box::new(listener));
        drop(waiting);
        self.send(&Request::Ask { number, query });
    }

    /// Hears what the engine says before the model does. Whether the engine must be started again.
    #[must_use]
    pub fn hear(&self, reply: &Reply) -> bool {
        match reply {
            Reply::Answer { number, answer } => {
                let listener = self.0.waiting.borrow_mut().remove(number);
                if let Some(listener) = listener {
                    listener(answer.clone());
                }
                false
            }
            Reply::Recorded(recording) => {
                self.take_record(recording);
                false
            }
            Reply::Checked {
                revision,
                restarted,
                ..
            } => {
                // Another experiment: nobody misses the branches of the last one.
                if *revision == 0 {
                    self.0.branches.set((0, 0));
                } else if *restarted && let Some(was) = self.0.was.take() {
                    self.0.is_rerun.set(true);
                    self.act(Action::Ghost(Some(was)));
                }
                if let Some((_, _, begun)) = &mut *self.0.to_inspect.borrow_mut() {
                    *begun = true;
                }
                false
            }
            Reply::Fatal(_) => {
                let now = dom::real_ms();
                let last = self.0.crashed.replace(Some(now));
                self.0.waiting.borrow_mut().clear();
                self.0.recorded.take();
                self.0.looking.set(Looking::No);
                // The next engine does again what was done, and comes to this moment.
                if self.model().begun {
                    *self.0.opening.borrow_mut() = Some((self.present(), self.scene()));
                }
                last.is_none_or(|last| now - last > CRASH_PAUSE_MS)
            }
            Reply::Frame(frame) => {
                let (known, current) = self
                    .0
                    .branches
                    .replace((frame.branches.len(), frame.branch));
                if known > 0 && frame.branches.len() > known {
                    self.haunt(current);
                } else if known > 1 && frame.branches.len() == 1 {
                    self.act(Action::Dropped(known - 1, self.0.lost.take().into()));
                }
                if frame.branches.len() <= 1
                    && self.model().ghost.is_some()
                    && !self.0.is_rerun.get()
                {
                    self.act(Action::Ghost(None));
                }
                let model = self.model();
                // All is done again, or somebody acted before it was.
                let ended = |(.., begun): &mut (Target, u64, bool)| *begun && !frame.seeking;
                let ended = self.0.to_inspect.borrow_mut().take_if(ended);
                if let Some((target, at, _)) = ended
                    && frame.now_us >= at
                {
                    self.inspect(&target.orchestrator, &target.object);
                }
                if let Some((from, Some(to))) = model.range
                    && frame.playing
                    && frame.now_us >= to
                {
                    self.seek(from);
                    self.play();
                }
                self.redraw(frame);
                false
            }
            _ => false,
        }
    }

    /// Runs the console's `watch` again if this frame is late enough for it: while the clock runs
    /// after its interval, else whenever another moment is shown.
    fn redraw(&self, frame: &Frame) {
        let model = self.model();
        let Some(entry) = model.watching() else {
            return;
        };
        if frame.seeking {
            // Nobody asked for the times on the way.
            return;
        }
        let waited = frame.now_us.checked_sub(entry.printed.at_us);
        if frame.playing && waited.is_some_and(|waited| waited < entry.printed.every_us) {
            return;
        }
        if self.0.looking.get() == Looking::No {
            self.draw(entry);
        } else {
            self.0.looking.set(Looking::Again);
        }
    }

    fn draw(&self, entry: &ConsoleEntry) {
        self.0.looking.set(Looking::Yes);
        let (control, number) = (self.clone(), entry.number);
        self.ask(Query::Look(entry.printed.line.clone()), move |answer| {
            let again = control.0.looking.replace(Looking::No) == Looking::Again;
            let model = control.model();
            // Another watch may have taken its place, or none goes on.
            let current = model.watching();
            let is_current = current.is_some_and(|current| current.number == number);
            let mut goes_on = true;
            if let (Answer::Printed(printed), true) = (answer, is_current) {
                goes_on = printed.every_us > 0;
                control.act(Action::Redrawn(number, *printed));
            }
            if let (Some(current), true) = (current, again && goes_on) {
                control.draw(current);
            }
        });
    }

    /// Shows an object that the console named: what led to it, and where it is.
    pub fn select(&self, name: &Mention) {
        self.explain(Some(Why {
            orchestrator: name.orchestrator.clone(),
            seq: 0,
            object: name.object.clone(),
        }));
        dom::select(&name.orchestrator, &name.object, &name.workload);
    }

    /// Shows how the branch that was just left goes on.
    fn haunt(&self, branch: u32) {
        let control = self.clone();
        self.0.is_rerun.set(false);
        self.ask(Query::Outcome(branch), move |answer| {
            if let Answer::Outcome(outcome) = answer {
                control.act(Action::Ghost(Some(*outcome)));
            }
        });
    }

    /// Compares how two branches end.
    pub fn compare(&self, branches: [u32; 2]) {
        let (control, [one, two]) = (self.clone(), branches);
        self.ask(Query::Outcome(one), move |answer| {
            let Answer::Outcome(first) = answer else {
                return;
            };
            let asked = control.clone();
            asked.ask(Query::Outcome(two), move |answer| {
                if let Answer::Outcome(second) = answer {
                    control.act(Action::Compared(vec![*first, *second]));
                    dom::dialog("compare", true);
                }
            });
        });
    }

    /// Shows the causes of an event as a graph.
    pub fn causes(&self, why: Why) {
        let control = self.clone();
        self.ask(Query::Causes(why.clone()), move |answer| {
            let graph = match answer {
                Answer::Graph(graph) => graph,
                _ => Default::default(),
            };
            control.act(Action::Causes(why, graph));
            dom::dialog("causes", true);
        });
    }

    /// Shows something else in the middle of the page.
    pub fn look(&self, look: Look) {
        self.act(Action::Look(look));
    }

    /// Shows the machines more or less closely.
    pub fn detail(&self, detail: Detail) {
        self.act(Action::Detail(detail));
    }

    /// Shows less of the time, more of it, or what is before or behind.
    pub fn zoom(&self, closer: Option<bool>, forward: bool) {
        let model = self.model();
        let (length, now) = (model.shown.clock.length_us, model.shown.clock.now_us);
        let (from, to) = model.window();
        let width = to.saturating_sub(from);
        let next = match closer {
            Some(true) => (width / 2).max(ZOOM_MIN_US),
            Some(false) => width.saturating_mul(2),
            None => width,
        };
        let start = match closer {
            // Now stays where it is.
            Some(_) => {
                let share = u128::from(now.saturating_sub(from)) * u128::from(next);
                let before = share / u128::from(width.max(1));
                now.saturating_sub(u64::try_from(before).unwrap_or(0))
            }
            None if forward => from.saturating_add(width / 4),
            None => from.saturating_sub(width / 4),
        };
        let start = start.min(length.saturating_sub(next));
        self.act(Action::Zoom((next < length).then(|| (start, start + next))));
    }

    /// Keeps this moment, under what happened last.
    pub fn bookmark(&self) {
        let model = self.model();
        let last = model.shown.events.last();
        let text = last.map_or_else(String::new, |line| {
            format!("{} {}", line.verb, line.subject)
        });
        self.act(Action::Bookmark(model.shown.clock.now_us, Some(text)));
    }

    /// Chooses a stretch to play again and again; one that snaps ends at what is known to have happened.
    pub fn choose_range(&self, one: u64, other: u64, snaps: bool) {
        let model = self.model();
        let events = model.shown.events.iter().map(|line| line.at_us);
        let faults = model.shown.faults.iter().map(|fault| fault.begun_us);
        let known: Vec<u64> = events.chain(faults).collect();
        let snap = |at: u64| {
            let nearest = known.iter().copied().min_by_key(|known| known.abs_diff(at));
            nearest.filter(|_| snaps).unwrap_or(at)
        };
        let (from, to) = (snap(one.min(other)), snap(one.max(other)));
        if from < to {
            self.act(Action::Range(Some((from, Some(to)))));
        }
    }

    /// Begins a stretch here, ends it here, or gives it up.
    pub fn mark_range(&self) {
        let model = self.model();
        let now = model.shown.clock.now_us;
        let next = match model.range {
            None => Some((now, None)),
            Some((from, None)) if now != from => Some((from.min(now), Some(from.max(now)))),
            Some(_) => None,
        };
        self.act(Action::Range(next));
    }

    /// Plans a fault, or causes it at once where no time is given or the time is now.
    pub fn plan_fault(&self, kind: &str, machine: &str, at_us: Option<u64>) {
        match at_us {
            Some(at) => {
                // What lies in the past is done there, on a branch of its own.
                if at < self.model().shown.clock.now_us {
                    self.seek(at);
                    self.break_machine(kind, machine);
                } else {
                    let text = self.fault_text(kind, machine);
                    let seconds = format!("{}.{:03}", at / 1_000_000, at / 1_000 % 1_000);
                    self.perform(&Request::Inject(format!("{text} at {seconds}s")));
                }
            }
            None => self.break_machine(kind, machine),
        }
    }

    /// The link to this very moment, complete with the page's address.
    ///
    /// # Errors
    /// When it would be too long.
    pub fn link(&self) -> Result<String, permalink::Fault> {
        Ok(dom::address() + &permalink::write(&self.present(), &self.scene())?)
    }

    /// What the reader has chosen.
    fn scene(&self) -> Scene {
        let model = self.model();
        Scene {
            why: model.why.clone(),
            machine: model.machine.clone(),
            inspected: self.inspected(),
            look: model.look,
            detail: model.detail,
            marks: (
                (*model.bookmarks).clone(),
                model.range.and_then(|(from, to)| Some((from, to?))),
            ),
        }
    }

    /// What is under inspection, or will be once all is done again.
    fn inspected(&self) -> Option<Target> {
        let coming = self.0.to_inspect.borrow();
        let coming = coming.as_ref().map(|(target, ..)| target.clone());
        coming.or_else(|| self.0.inspecting.borrow().clone())
    }

    /// The experiment with all that was done to it, at the time shown.
    fn present(&self) -> Recording {
        let model = self.model();
        let mut recording = match &model.recording {
            Some(recording) => (**recording).clone(),
            None => Recording {
                project: (*model.project).clone(),
                ..Recording::default()
            },
        };
        let clock = &model.shown.clock;
        // On the way to where all is done again, that is the time meant.
        recording.at_us = if clock.seeking {
            recording.at_us.max(clock.now_us)
        } else {
            clock.now_us
        };
        recording
    }

    /// Keeps the experiment as it is, for undoing what comes now.
    fn remember(&self) {
        self.push_past(Past::Done(self.present()));
    }

    fn push_past(&self, last: Past) {
        self.0.future.borrow_mut().clear();
        let mut past = self.0.past.borrow_mut();
        if past.len() >= UNDO_MAX {
            past.remove(0);
        }
        past.push(last);
    }

    /// Takes the last act back: a fault, an edit, a command, a branch, another experiment.
    pub fn undo(&self) {
        self.go_back(&self.0.past, &self.0.future);
    }

    /// Does again what was taken back last.
    pub fn redo(&self) {
        self.go_back(&self.0.future, &self.0.past);
    }

    fn go_back(&self, from: &RefCell<Vec<Past>>, to: &RefCell<Vec<Past>>) {
        let Some(last) = from.borrow_mut().pop() else {
            return;
        };
        let model = self.model();
        to.borrow_mut().push(match last {
            Past::Done(_) => Past::Done(self.present()),
            Past::Branch(_) => Past::Branch(model.shown.clock.branch),
        });
        match last {
            Past::Branch(branch) => self.send(&Request::Switch(branch)),
            Past::Done(recording) => {
                self.keep(&permalink::latest(&recording));
                self.open((recording, self.scene()));
            }
        }
    }

    /// Opens a branch here.
    pub fn fork(&self) {
        self.push_past(Past::Branch(self.model().shown.clock.branch));
        self.send(&Request::Fork);
    }

    /// Opens a branch that went when a script was edited: an experiment of its own now.
    pub fn bring_back(&self, recording: Recording) {
        self.remember();
        self.act(Action::Dropped(0, Rc::default()));
        self.keep(&permalink::latest(&recording));
        self.open((recording, self.scene()));
    }

    /// Sends something that changes the experiment, and asks for what a link then needs.
    pub fn perform(&self, request: &Request) {
        self.perform_all(std::slice::from_ref(request));
    }

    /// The same of several that are one act.
    fn perform_all(&self, requests: &[Request]) {
        self.remember();
        for request in requests {
            self.send(request);
        }
        self.record();
        // The address no longer tells what is shown.
        if !dom::embedded() {
            dom::forget_link();
        }
    }

    fn start(&self, project: Project) {
        self.send(&Request::Load(project));
        self.record();
        if self.0.start.playing {
            self.play();
        }
    }

    fn watch(&self, why: Option<Why>) {
        self.watch_parts(why, None);
    }

    fn watch_parts(&self, why: Option<Why>, anatomy: Option<Target>) {
        self.send(&Request::Watch(whole_view(why, anatomy)));
    }

    /// Begins another project.
    pub fn load(&self, project: Project) {
        self.remember();
        self.act(Action::Load(project.clone()));
        self.leave();
        self.watch(None);
        if !dom::embedded() {
            dom::forget_link();
        }
        self.keep(&project);
        self.start(project);
    }

    /// An editor's text changed.
    pub fn edit(&self, file: File) {
        let model = self.model();
        if model.tabs.iter().any(|known| **known == file) {
            return;
        }
        let mut project = (*model.project).clone();
        let revision = model.revision + 1;
        files::put(&mut project, file.clone());
        self.act(Action::Edited {
            file: file.clone(),
            revision,
        });
        self.keep(&project);
        self.send_edit(revision, file);
    }

    fn send_edit(&self, revision: u32, file: File) {
        let is_script = file.name == FAULTS;
        if is_script || file.name == files::CLUSTER {
            self.ask_for_branches();
        }
        {
            let (asked, _, held) = &mut *self.0.recorded.borrow_mut();
            if is_script && *asked > 0 {
                let lines = file.text.split('\n').map(str::to_owned);
                *held = Some((revision, lines.collect()));
                return;
            }
        }
        self.perform(&Request::Edit { revision, file });
    }

    /// How the current branch went on, and what was done on each other: a run that begins anew has
    /// none of them.
    fn ask_for_branches(&self) {
        let clock = self.model().shown.clock.clone();
        self.0.lost.borrow_mut().clear();
        let control = self.clone();
        self.ask(Query::Outcome(clock.branch), move |answer| {
            if let Answer::Outcome(outcome) = answer {
                control.0.was.replace(Some(*outcome));
            }
        });
        let others = (0_u32..).zip(clock.branches);
        for (number, name) in others.filter(|(number, _)| *number != clock.branch) {
            let control = self.clone();
            self.ask(Query::Branch(number), move |answer| {
                if let Answer::Recording(recording) = answer {
                    control.0.lost.borrow_mut().push((name, *recording));
                }
            });
        }
    }

    /// A text was changed by the page itself: it is an edit that the editor must be told of.
    pub fn replace(&self, project: Project, file: File) {
        let revision = self.model().revision + 1;
        self.act(Action::Replaced(project.clone()));
        self.act(Action::Edited {
            file: file.clone(),
            revision,
        });
        self.keep(&project);
        self.send_edit(revision, file);
    }

    /// Takes a fault out of the script: as an edit of its text.
    pub fn unscript(&self, line: u32, text: &str) {
        let mut project = (*self.model().project).clone();
        if let Some(file) = files::without_fault(&project, line, text) {
            files::put(&mut project, file.clone());
            self.replace(project, file);
        }
    }

    fn keep(&self, project: &Project) {
        if self.0.start.keeps {
            let kept = files::keep(project);
            if kept == self.model().unkept {
                self.act(Action::Unkept(!kept));
            }
        }
    }

    /// Closes a manifest's tab; without its file it is another experiment.
    pub fn remove(&self, name: &str) {
        let mut project = (*self.model().project).clone();
        project.files.retain(|file| file.name != name);
        self.load(project);
    }

    /// Goes back to the example and forgets the session.
    pub fn fresh(&self) {
        self.load(files::poll());
        files::forget();
    }

    /// Lets the clock run.
    pub fn play(&self) {
        self.send(&Request::Run {
            speed_milli: *self.0.speed.borrow(),
        });
    }

    /// Starts or stops the clock.
    pub fn toggle(&self) {
        if self.model().shown.clock.playing {
            self.send(&Request::Pause)
        } else {
            self.play()
        }
    }

    /// The speed asked for.
    #[must_use]
    pub fn speed(&self) -> u64 {
        *self.0.speed.borrow()
    }

    /// Another speed; a clock that runs goes on with it.
    pub fn set_speed(&self, speed_milli: u64) {
        *self.0.speed.borrow_mut() = speed_milli;
        if self.model().shown.clock.playing {
            self.play()
        } else {
            self.act(Action::Settle)
        }
    }

    /// The next slower or faster speed.
    pub fn change_speed(&self, faster: bool) {
        let now = self.speed();
        let next = if faster {
            SPEEDS.iter().find(|speed| **speed > now)
        } else {
            SPEEDS.iter().rev().find(|speed| **speed < now)
        };
        if let Some(next) = next {
            self.set_speed(*next);
        }
    }

    /// Goes to a time.
    pub fn seek(&self, at_us: u64) {
        self.send(&Request::Seek(at_us));
    }

    /// Goes some way from the present.
    pub fn seek_by(&self, us: i64) {
        self.seek(self.model().shown.clock.now_us.saturating_add_signed(us));
    }

    /// Goes to the next or the previous begin of a fault.
    pub fn seek_fault(&self, forward: bool) {
        let model = self.model();
        let now = model.shown.clock.now_us;
        let times = model.shown.faults.iter().map(|fault| {
            if fault.begun_us == u64::MAX {
                fault.at_us
            } else {
                fault.begun_us
            }
        });
        let times = times.filter(|at| *at != u64::MAX);
        let found = if forward {
            times.filter(|at| *at > now).min()
        } else {
            times.filter(|at| *at < now).max()
        };
        if let Some(at) = found {
            self.seek(at);
        }
    }

    /// Breaks a machine on every orchestrator.
    pub fn kill_machine(&self, machine: &str) {
        if !machine.is_empty() {
            self.act(Action::Aim(machine.to_owned()));
            self.perform(&Request::Inject(format!("node-crash {machine}")));
        }
    }

    /// Mends what keeps a machine down.
    pub fn heal_machine(&self, machine: &str) {
        if let Some(fault) = self.model().fault_on(machine) {
            self.perform(&Request::Heal(Some(fault)));
        }
    }

    /// Cuts a link between two machines, now or at a time, or mends it.
    pub fn cut(&self, link: &str, at_us: Option<u64>) {
        let model = self.model();
        match mending(&model.shown.faults, link, model.shown.clock.now_us) {
            mending if !mending.is_empty() => self.perform_all(&mending),
            _ => self.plan_fault("partition", link, at_us),
        }
    }

    /// Kills a pod, task or container.
    pub fn kill_unit(&self, name: &str) {
        self.perform(&Request::Inject(format!("pod-kill {name}")));
    }

    /// Breaks a machine in another way: `node-reboot`, `partition` from all others, `registry-down`.
    pub fn break_machine(&self, kind: &str, machine: &str) {
        let text = self.fault_text(kind, machine);
        self.perform(&Request::Inject(text));
    }

    fn fault_text(&self, kind: &str, machine: &str) -> String {
        let model = self.model();
        match kind {
            "registry-down" => "registry-down".to_owned(),
            // Of a machine it is a replica of the service on the charts that has to go.
            "oom" if model.shown.workers.iter().any(|name| name == machine) => {
                format!("oom of:{}", model.charted())
            }
            // Both ends are named already.
            "partition" if !machine.contains('|') => {
                let others = model.others_of(machine);
                format!("partition {machine}|{}", others.join(","))
            }
            kind => format!("{kind} {machine}"),
        }
    }

    /// Shows everything that the tools tell about an object.
    pub fn inspect(&self, orchestrator: &str, object: &str) {
        self.inspect_first(orchestrator, object, &[]);
    }

    /// The same, first what a line with one of these words tells.
    pub fn inspect_first(&self, orchestrator: &str, object: &str, words: &'static [&'static str]) {
        let control = self.clone();
        let query = Query::Inspect {
            orchestrator: orchestrator.to_owned(),
            object: object.to_owned(),
        };
        let shown = object.to_owned();
        let target = Target {
            orchestrator: orchestrator.to_owned(),
            object: object.to_owned(),
        };
        *self.0.inspecting.borrow_mut() = Some(target.clone());
        self.watch_parts(self.model().why.clone(), Some(target.clone()));
        self.ask(query, move |answer| {
            if control.0.inspecting.borrow().as_ref() != Some(&target) {
                return;
            }
            let mut sheets = match answer {
                Answer::Sheets(sheets) => sheets,
                _ => Vec::new(),
            };
            let has = |word: &&&str| sheets.iter().any(|sheet| sheet.line.contains(**word));
            let word = words.iter().find(has);
            let place =
                word.and_then(|word| sheets.iter().position(|sheet| sheet.line.contains(word)));
            if let Some(place) = place {
                let wanted = sheets.remove(place);
                sheets.insert(0, wanted);
            }
            control.act(Action::Inspected(shown, sheets));
            dom::dialog("inspector", true);
        });
    }

    /// The inspector was closed.
    pub fn end_inspection(&self) {
        self.0.inspecting.borrow_mut().take();
        self.watch(self.model().why.clone());
    }

    /// Explains an event or an object, or nothing.
    pub fn explain(&self, why: Option<Why>) {
        self.act(Action::Explain(why.clone()));
        self.watch(why);
        if dom::element("panel-why").is_some() {
            dom::set_root("data-panel", Some("why"));
        }
    }
}
