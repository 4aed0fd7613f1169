//! The engine behind the page: requests in, replies out, time in slices. Knows no transport.
//!
//! Owns one experiment, the text that it was made from, and the pace at which its clock runs. The
//! caller gives it requests as they come and calls [`EngineHost::tick`] as often as
//! [`EngineHost::is_busy`] says that there is something to do; a tick handles a bounded number of
//! events. Frames are pulled: after a frame nothing is sent until the page has acknowledged it.
//!
//! ```text
//! Load ─▶ check ─▶ deploy ─▶ Frame      Edit ─▶ check ─▶ valid? deploy now : keep the last valid
//! ```

pub mod anatomy;
pub mod assist;
pub mod check;
pub mod causes;
pub mod changes;
pub mod inspect;
pub mod layers;
pub mod loops;
pub mod mentions;
pub mod picture;
pub mod record;
pub mod rerun;
pub mod script_words;
pub mod view;

use crate::base::rng::Seed;
use crate::base::sentence::passage::Passage;
use crate::base::sentence::{Sentence, catalogue};
use crate::base::time::{SimDuration, SimTime};
use crate::console::open::NotModelled;
use crate::console::open::{Experiment, Opened, open};
use crate::console::{Session, sim};
use crate::engine::command::{Command, FaultSpec};
use crate::engine::lab::Input;
use crate::protocol::{
    self, DENSITY_CELLS, Deed, Diagnostic, File, Frame, Project, Reply, Request, Said, View,
};

use record::Record;

/// Events handled in one tick: a few milliseconds, so that a pause gets in at once.
const SLICE_EVENTS: u32 = 2_000;

/// Events handled at once on the way back to a time: most ways are no longer, and none of the times
/// between is shown.
const REWIND_EVENTS: u32 = if cfg!(test) { 100 } else { 40_000 };

/// Slices of the way to another time before the first frame that tells of it.
const SEEK_SLICES_UNSEEN: u32 = 12;

/// Events that a step looks through for the next noted one.
const STEP_EVENTS_MAX: u32 = 100_000;

/// How far a run goes when it is started at its end.
const EXTENSION: SimDuration = SimDuration::from_secs(300);

/// Longest real time that one tick makes up for: a page that slept does not race afterwards.
const CATCH_UP_MAX_US: u64 = 100_000;

/// The engine.
#[derive(Debug)]
pub struct EngineHost {
    project: Project,
    session: Session,
    view: View,
    playing: bool,
    speed_milli: u64,
    /// Where the clock should stand; the worlds follow as fast as they can.
    goal: SimTime,
    seeking: bool,
    /// Slices of the way to the goal that have been run.
    seek_slices: u32,
    /// Whether it seeks a time that lies before where it was.
    rewinding: bool,
    /// Thousandths of microseconds that the last ticks did not use up.
    remainder: u64,
    length: SimTime,
    frames: u32,
    acknowledged: bool,
    changed: bool,
    record: Record,
    not_modelled: Vec<NotModelled>,
}

impl Default for EngineHost {
    fn default() -> Self {
        Self::new()
    }
}

impl EngineHost {
    /// An engine with nothing to run.
    ///
    /// # Panics
    /// If an experiment without files could not be opened: a bug.
    pub fn new() -> Self {
        let empty = open(&Experiment::new(Seed(0))).expect("nothing can be wrong with no input");
        Self {
            project: Project::default(),
            session: empty.session,
            view: View::default(),
            playing: false,
            speed_milli: 1_000,
            goal: SimTime::ZERO,
            seeking: false,
            seek_slices: 0,
            rewinding: false,
            remainder: 0,
            length: SimTime::ZERO,
            frames: 0,
            acknowledged: true,
            changed: false,
            record: Record::default(),
            not_modelled: Vec::new(),
        }
    }

    /// Carries out a request.
    pub fn handle(&mut self, request: Request) -> Vec<Reply> {
        let asks = matches!(
            request,
            Request::Ack(_) | Request::Record | Request::Ask { .. }
        );
        self.changed |= !asks;
        // Whoever acts takes over: what was still to be done again is given up.
        // But a script that is written on while it is done again is part of the same act.
        let goes_on = match &request {
            Request::Watch(_) => true,
            Request::Edit { file, .. } => record::is_script(&file.name),
            _ => false,
        };
        let gave_up = !asks && !goes_on && self.record.give_up();
        let mut replies = self.carry_out(request);
        if gave_up {
            replies.push(self.recorded());
        }
        replies
    }

    fn recorded(&self) -> Reply {
        let now = self.session.history.now().as_micros();
        Reply::Recorded(Box::new(self.record.recording(now)))
    }

    fn carry_out(&mut self, request: Request) -> Vec<Reply> {
        let acts = matches!(
            request,
            Request::Edit { .. }
                | Request::Step(_)
                | Request::Fork
                | Request::Inject(_)
                | Request::Heal(_)
                | Request::Console(_)
        );
        if acts && self.rewinding && self.seeking {
            // It is meant for the time that is being gone back to.
            self.session.history.advance_to(self.goal);
        }
        match request {
            Request::Load(project) => vec![self.load(project, 0)],
            Request::Replay(recording) => {
                let reply = self.load(recording.project, 0);
                if matches!(&reply, Reply::Checked { applied: true, .. }) {
                    self.record.schedule(recording.acts, recording.at_us);
                }
                vec![reply]
            }
            Request::Record => vec![self.recorded()],
            Request::Ask { number, query } => vec![Reply::Answer {
                number,
                answer: self.answer(&query),
            }],
            Request::Edit { revision, file } => {
                let reply = self.edit(revision, file.clone());
                if matches!(
                    &reply,
                    Reply::Checked {
                        applied: true,
                        restarted: false,
                        ..
                    }
                ) {
                    self.did(Deed::Edit(file));
                }
                vec![reply]
            }
            Request::Run { speed_milli } => {
                self.speed_milli = speed_milli.clamp(1, 100_000_000);
                if self.session.history.now() >= self.length {
                    self.length = self.session.history.now() + EXTENSION;
                }
                if !self.seeking {
                    self.goal = self.session.history.now();
                }
                self.playing = true;
                Vec::new()
            }
            Request::Pause => {
                self.playing = false;
                if !self.seeking {
                    self.goal = self.session.history.now();
                }
                Vec::new()
            }
            Request::Seek(at_us) => {
                self.seek(SimTime::from_micros(at_us));
                Vec::new()
            }
            Request::Step(forward) => {
                self.playing = false;
                if forward {
                    self.step_forward()
                } else {
                    self.step_back()
                }
                self.arrived();
                Vec::new()
            }
            Request::Fork => {
                self.session.history.fork();
                self.follow();
                Vec::new()
            }
            Request::Switch(branch) => {
                let found = self.session.history.switch(branch as usize);
                self.follow();
                self.arrived();
                if found {
                    Vec::new()
                } else {
                    vec![refused(&catalogue::NO_BRANCH.with(&[("number", &branch)]))]
                }
            }
            Request::Inject(text) => match self.inject(&text) {
                Ok(()) => {
                    self.did(Deed::Inject(text));
                    Vec::new()
                }
                Err(sentence) => vec![refused(&sentence)],
            },
            Request::Heal(number) => {
                self.heal(number);
                self.did(Deed::Heal(number));
                Vec::new()
            }
            Request::Console(line) => {
                if let Some(printed) = self.look(&line) {
                    return vec![Reply::Output(Box::new(printed))];
                }
                let before = self.inputs();
                let output = self.session.run(&line);
                self.arrived();
                if self.inputs() != before {
                    self.did(Deed::Console(line.clone()));
                }
                vec![Reply::Output(Box::new(self.printed(line, output)))]
            }
            Request::Watch(view) => {
                self.view = view;
                Vec::new()
            }
            Request::Ack(number) => {
                self.acknowledged |= number == self.frames;
                Vec::new()
            }
        }
    }

    /// Whether a tick would do something now.
    pub fn is_busy(&self) -> bool {
        self.seeking
            || self.playing
            || self.record.is_pending()
            || (self.changed && self.acknowledged)
    }

    /// Whether the worlds have not yet reached the time that the clock shows.
    pub fn is_behind(&self) -> bool {
        self.goal > self.session.history.now()
    }

    /// Whether the clock runs.
    pub fn is_playing(&self) -> bool {
        self.playing
    }

    /// Lets `elapsed_us` microseconds of real time pass, and sends a frame if the page waits for
    /// one and anything changed.
    pub fn tick(&mut self, elapsed_us: u64) -> Vec<Reply> {
        if self.playing && !self.seeking {
            let thousandths = elapsed_us.min(CATCH_UP_MAX_US) * self.speed_milli + self.remainder;
            self.remainder = thousandths % 1_000;
            self.goal =
                (self.goal + SimDuration::from_micros(thousandths / 1_000)).min(self.length);
        }
        let now = self.session.history.now();
        if self.goal > now {
            let reached = self.session.history.advance_some(self.goal, SLICE_EVENTS);
            self.changed |= reached || self.session.history.now() > now;
            if !reached && !self.seeking {
                // The engine is slower than asked: the goal waits instead of running away.
                self.goal = self.goal.min(
                    self.session.history.now() + SimDuration::from_micros(self.speed_milli * 50),
                );
            }
            if reached {
                self.seeking = false;
            }
        } else {
            self.seeking = false;
            if let Some(replies) = self.do_again() {
                return replies;
            }
        }
        if self.playing && self.session.history.now() >= self.length {
            self.playing = false;
            self.changed = true;
        }
        self.frame_if_due()
    }

    fn frame_if_due(&mut self) -> Vec<Reply> {
        if !self.acknowledged || !self.changed {
            return Vec::new();
        }
        // A short way is over before a picture of it would be drawn.
        self.seek_slices += u32::from(self.seeking);
        if self.seeking && self.seek_slices < SEEK_SLICES_UNSEEN {
            return Vec::new();
        }
        self.acknowledged = false;
        self.changed = false;
        self.frames += 1;
        vec![Reply::Frame(Box::new(self.frame()))]
    }

    fn frame(&self) -> Frame {
        let history = &self.session.history;
        let (branches, current) = history.branches();
        let mut frame = view::frame(history.lab(), &self.view);
        frame.number = self.frames;
        let lines = self.record.lines();
        for fault in &mut frame.faults {
            let line = lines.get(fault.number as usize).copied().flatten();
            fault.line = line.unwrap_or(u32::MAX);
        }
        frame.tip_us = history.tip().as_micros();
        frame.length_us = self.length.max(history.tip()).as_micros();
        let cell = frame.length_us.div_ceil(DENSITY_CELLS as u64);
        for world in &history.lab().worlds {
            let mut before = 0;
            let cells = (1..=DENSITY_CELLS as u64).map(|place| {
                let at = world.trace.position_at(SimTime::from_micros(cell * place));
                (at - std::mem::replace(&mut before, at)) as u32
            });
            let name = world.orchestrator.name().to_owned();
            frame.density.push((name, cells.collect()));
        }
        frame.playing = self.playing;
        frame.seeking = self.seeking || self.record.is_pending();
        frame.speed_milli = self.speed_milli;
        frame.branches = branches
            .iter()
            .enumerate()
            .map(|(number, branch)| match branch.parent {
                Some((_, at)) => format!("{number} @ {at}"),
                None => number.to_string(),
            })
            .collect();
        frame.branch = u32::try_from(current).unwrap_or(0);
        frame
    }

    fn load(&mut self, project: Project, revision: u32) -> Reply {
        let opened = check::experiment(&project).and_then(|experiment| open(&experiment));
        self.project = project;
        self.playing = false;
        match opened {
            Ok(mut opened) => {
                let diagnostics = check::diagnostics(&opened);
                let not_modelled = check::not_modelled(&opened);
                self.not_modelled = std::mem::take(&mut opened.not_modelled);
                let valid = opened.valid();
                let mut output = crate::console::Output::default();
                if valid {
                    output = opened.deploy();
                    if let Some(script) = opened.script.take() {
                        output = run_script(&mut opened.session, &script);
                    }
                    self.session = opened.session;
                    self.record.begin(self.project.clone(), self.faults());
                    self.length = SimTime::from_micros(self.project.length_us);
                    self.arrived();
                    if opened.scenario.is_some() {
                        // Its story is told from the start.
                        self.length = self.session.history.tip();
                        self.session.history.seek(SimTime::ZERO);
                        self.arrived();
                    }
                }
                let applied = valid && output.code == 0;
                let output = protocol::spoken(&join(output));
                Reply::Checked {
                    revision,
                    diagnostics,
                    not_modelled,
                    applied,
                    output,
                    restarted: valid,
                    changes: Vec::new(),
                }
            }
            Err(sentence) => self.refusal(revision, &sentence),
        }
    }

    #[inline(never)]
    fn edit(&mut self, revision: u32, file: File) -> Reply {
        let name = file.name.clone();
        rerun::put(&mut self.project, file);
        let opened = match check::experiment(&self.project).and_then(|experiment| open(&experiment))
        {
            Ok(opened) => opened,
            Err(sentence) => return self.refusal(revision, &sentence),
        };
        let diagnostics = check::diagnostics(&opened);
        let not_modelled = check::not_modelled(&opened);
        self.not_modelled.clone_from(&opened.not_modelled);
        if !opened.valid() {
            return Reply::Checked {
                revision,
                diagnostics,
                not_modelled,
                applied: false,
                output: Vec::new(),
                restarted: false,
                changes: Vec::new(),
            };
        }
        if record::is_script(&name) {
            return self.rerun(revision, &name, diagnostics, not_modelled);
        }
        let worlds = |session: &Session| {
            session
                .history
                .lab()
                .worlds
                .iter()
                .map(|world| world.orchestrator)
                .collect::<Vec<_>>()
        };
        if opened.scenario.is_some() || worlds(&opened.session) != worlds(&self.session) {
            // Another set of orchestrators is another experiment, and so is another story.
            return self.load(self.project.clone(), revision);
        }
        let before = changes::before(&self.session, &opened);
        let (applied, output) = self.apply(&name, &opened);
        Reply::Checked {
            revision,
            diagnostics,
            not_modelled,
            applied,
            output,
            restarted: false,
            changes: changes::since(&before, &self.session),
        }
    }

    /// What an edit that put this text into the project would find in it.
    fn check(&self, file: File) -> Vec<Diagnostic> {
        let (name, mut project) = (file.name.clone(), self.project.clone());
        rerun::put(&mut project, file);
        let opened = check::experiment(&project).and_then(|experiment| open(&experiment));
        let mut found = match opened {
            Ok(opened) => check::diagnostics(&opened),
            Err(sentence) => check::refused(&project, &sentence),
        };
        found.retain(|found| found.file == name);
        found
    }

    /// Deploys what the file is part of. If anything fails nothing is changed.
    fn apply(&mut self, file: &str, opened: &Opened) -> (bool, Vec<Said>) {
        let before = self.session.clone();
        self.session.files.clone_from(&opened.session.files);
        let output = opened.deploy_again(file, &mut self.session);
        let applied = output.code == 0;
        if !applied {
            self.session = before;
        }
        self.arrived();
        (applied, protocol::spoken(&join(output)))
    }

    fn inject(&mut self, text: &str) -> Result<(), Sentence> {
        let spec = FaultSpec::parse(text)?;
        sim::check_target(self.session.history.lab(), &spec)?;
        self.session.history.input(Input {
            only: None,
            command: Command::Inject(spec),
        });
        Ok(())
    }

    fn heal(&mut self, number: Option<u32>) {
        self.session.history.input(Input {
            only: None,
            command: Command::Heal(number),
        });
    }

    #[inline(never)]
    fn seek(&mut self, at: SimTime) {
        let at = at.min(self.length.max(self.session.history.tip()));
        if at < self.session.history.now() {
            // What is left of the way is gone in slices.
            self.rewinding = !self.session.history.rewind(at, REWIND_EVENTS);
        } else {
            self.rewinding &= self.seeking;
        }
        self.goal = at;
        self.seeking = true;
        self.seek_slices = 0;
        self.remainder = 0;
    }

    #[inline(never)]
    fn step_forward(&mut self) {
        let noted = |session: &Session| {
            session
                .history
                .lab()
                .worlds
                .iter()
                .map(|world| world.trace.len() as u64 + world.trace.dropped())
                .sum::<u64>()
        };
        let before = noted(&self.session);
        for _ in 0..STEP_EVENTS_MAX {
            let Some(next) = self.session.history.lab().next_at() else {
                break;
            };
            self.session.history.advance_to(next);
            if noted(&self.session) > before {
                break;
            }
        }
        self.length = self.length.max(self.session.history.now());
    }

    #[inline(never)]
    fn step_back(&mut self) {
        let now = self.session.history.now();
        let earlier = self
            .session
            .history
            .lab()
            .worlds
            .iter()
            .filter_map(|world| {
                let position = world.trace.position_at(now);
                world
                    .trace
                    .get(position.checked_sub(1)?)
                    .map(|entry| entry.at)
            });
        let to = earlier.max().unwrap_or(SimTime::ZERO);
        self.session.history.seek(to);
    }

    fn refusal(&self, revision: u32, sentence: &Sentence) -> Reply {
        Reply::Checked {
            revision,
            diagnostics: check::refused(&self.project, sentence),
            not_modelled: Vec::new(),
            applied: false,
            output: Vec::new(),
            restarted: false,
            changes: Vec::new(),
        }
    }

    /// The clock stands where it should, however it came there.
    #[inline(never)]
    fn arrived(&mut self) {
        self.goal = self.session.history.now();
        self.seeking = false;
        self.remainder = 0;
        self.length = self.length.max(self.goal);
    }
}

/// A scenario's own script, to its end or to the first line that fails.
fn run_script(session: &mut Session, script: &str) -> crate::console::Output {
    let mut all = crate::console::Output::default();
    all.code = session.script(script, true, &mut |line, output| {
        all.stdout.push(format!("$ {}\n", line.text));
        all.stdout.push(&output.stdout);
        all.stderr.push(&output.stderr);
    });
    all
}

/// A refusal with what would be right.
fn refused(sentence: &Sentence) -> Reply {
    let said = [Some(sentence), sentence.advice()];
    Reply::Refused(said.into_iter().flatten().map(Said::from).collect())
}

fn join(output: crate::console::Output) -> Passage {
    output.stdout.then(output.stderr)
}

#[cfg(test)]
mod tests;
