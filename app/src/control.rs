//! What the page's controls can do: requests to the engine, and changes of the model that go with
//! them. One value, handed to every component.

mod breaking;
mod past;
mod time;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use gloo::timers::callback::Timeout;
use sim_core::protocol::views::Outcome;
use sim_core::protocol::{
    Answer, Frame, Mention, Project, Query, Recording, Reply, Request, Target, View, Why,
};
use yew::UseReducerDispatcher;

use crate::dom;
use crate::entry::ConsoleEntry;
use crate::files;
use crate::link::WorkerLink;
use crate::model::{Action, Model};
use crate::permalink::{self, Scene};
use crate::sessions;
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

/// Pause after which a snapshot of the work is taken, in milliseconds.
const SNAPSHOT_PAUSE_MS: u32 = 1_000;

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
    recordings: RefCell<Recordings>,
    /// The other branches as they were when a script was edited last, by name.
    lost: RefCell<Vec<(String, Recording)>>,
    /// How the current branch went on then.
    was: RefCell<Option<Outcome>>,
    /// Whether the ghost on the charts is that.
    is_rerun: Cell<bool>,
    /// Branches, and the current one, of the last frame.
    branches: Cell<(usize, u32)>,
    looking: Cell<Looking>,
    /// Tells the experiment in this tab from those before it and in other tabs.
    work: Cell<u64>,
    /// Whether the reader has acted on it: until then it may be a stranger's, which is not kept.
    touched: Cell<bool>,
    /// Takes a snapshot of it when typing pauses.
    snapshot: RefCell<Option<Timeout>>,
}

/// What the engine is asked to record, and what waits for it.
#[derive(Default)]
struct Recordings {
    /// Recordings asked for and not yet given.
    asked: u32,
    /// Those among them that are of experiments which were left since.
    late: u32,
    /// Faults that the last recording had injected.
    injected: Vec<String>,
    /// An edit of the fault script that must not lack a fault that its writer cannot have seen: it
    /// goes with the recording that is asked for last.
    waiting: Option<ScriptEdit>,
}

/// An edit of the fault script.
struct ScriptEdit {
    revision: u32,
    lines: Vec<String>,
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
            recordings: RefCell::default(),
            lost: RefCell::default(),
            was: RefCell::default(),
            is_rerun: Cell::default(),
            branches: Cell::new((0, 0)),
            looking: Cell::new(Looking::No),
            work: Cell::new(dom::date_ms()),
            touched: Cell::default(),
            snapshot: RefCell::default(),
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
        self.act(Action::Load(recording.clone()));
        self.act(Action::Scene(scene.clone()));
        self.leave();
        self.replay(recording, scene);
    }

    /// Another experiment comes: what is under inspection, or was to be, is of the last one.
    fn leave(&self) {
        self.0.touched.set(false);
        {
            let recordings = &mut *self.0.recordings.borrow_mut();
            recordings.late = recordings.asked;
            recordings.waiting = None;
            recordings.injected.clear();
        }
        self.0.to_inspect.take();
        self.0.inspecting.take();
        dom::dialog("inspector", false);
    }

    fn replay(&self, recording: Recording, scene: Scene) {
        self.watch(scene.why);
        let at = recording.at_us;
        // The script has these already.
        self.0.recordings.borrow_mut().injected = recording.injected();
        *self.0.to_inspect.borrow_mut() = scene.inspected.map(|target| (target, at, false));
        self.send(&Request::Replay(recording));
        self.record();
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

    /// Whether the engine tells of an experiment that was left since: nobody else hears of it.
    #[must_use]
    pub fn is_late(&self, reply: &Reply) -> bool {
        let recordings = &mut *self.0.recordings.borrow_mut();
        if !matches!(reply, Reply::Recorded(_)) || recordings.late == 0 {
            return false;
        }
        recordings.late -= 1;
        recordings.asked -= 1;
        true
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
                self.0.recordings.take();
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
                    self.act(Action::Dropped(self.0.lost.take().into()));
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

    /// The link to this very moment, complete with the page's address.
    ///
    /// # Errors
    /// When it would be too long.
    pub fn link(&self) -> Result<String, permalink::Fault> {
        Ok(dom::address() + &permalink::write(&self.present(), &self.scene())?)
    }

    /// Loads the page again, as a newer build, with the experiment as it stands.
    pub fn reload(&self) {
        self.keep_touched(&self.model().project);
        dom::reload(self.link().ok().as_deref());
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
        self.take_snapshot();
        self.0.work.set(dom::date_ms());
        self.act(Action::Load(Recording {
            project: project.clone(),
            ..Recording::default()
        }));
        self.leave();
        self.watch(None);
        if !dom::embedded() {
            dom::forget_link();
        }
        self.keep(&project);
        self.start(project);
    }

    /// Keeps what the reader has acted on: a fault that was caused has become a line of its script.
    pub fn keep_touched(&self, project: &Project) {
        if self.0.touched.get() {
            self.keep(project);
        }
    }

    fn keep(&self, project: &Project) {
        if self.0.start.keeps {
            let kept = sessions::keep(project);
            if kept == self.model().unkept {
                self.act(Action::Unkept(!kept));
            }
            let control = self.clone();
            let timeout = Timeout::new(SNAPSHOT_PAUSE_MS, move || control.take_snapshot());
            *self.0.snapshot.borrow_mut() = Some(timeout);
        }
    }

    /// Takes the snapshot that is due, of the experiment as it stands.
    fn take_snapshot(&self) {
        if self.0.snapshot.take().is_some() {
            sessions::take_snapshot(self.0.work.get(), &self.model().project);
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
        sessions::forget();
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
            dom::panel("why");
        }
    }
}
