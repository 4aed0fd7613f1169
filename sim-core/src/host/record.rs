//! What was done to an experiment on each branch, so that a link can do it again.
//!
//! Owns the acts and those that are still to be done again; the host carries them out. Knows nothing
//! of what an act means.

use crate::base::arrange::Arrange;
use crate::base::time::SimTime;
use crate::protocol::{Act, Answer, Deed, FAULTS, Project, Query, Recording, Reply, is_fault};

use crate::console::{cluster, sim};

use super::{EngineHost, assist, causes, inspect, loops, picture, refused, script_words, view};

/// Most acts of a recording: a person does them one by one.
const ACTS_MAX: usize = 2_000;

/// What was done on one branch.
#[derive(Clone, Debug, Default)]
struct Branch {
    acts: Vec<Act>,
    /// By a fault's number, when it was made, in microseconds, and which fault of
    /// [`Recording::script`] it is; none: one of the console's.
    faults: Vec<(u64, Option<u32>)>,
}

/// The acts of every branch.
#[derive(Debug, Default)]
pub struct Record {
    project: Project,
    branches: Vec<Branch>,
    current: usize,
    dropped: u32,
    pending: std::collections::VecDeque<Act>,
    /// Where to stand when all is done; none: nothing is to be done again.
    goal_us: Option<u64>,
    /// Whether the clock runs on from there.
    runs_on: bool,
}

impl Record {
    /// A new experiment, which has `faults` faults by now: those that were planned come first.
    pub fn begin(&mut self, project: Project, faults: usize) {
        let planned = planned(&project);
        let numbers = (0..).take(faults);
        let faults = numbers.map(|number| (0, Some(number).filter(|number| *number < planned)));
        *self = Self {
            branches: vec![Branch {
                acts: Vec::new(),
                faults: faults.collect(),
            }],
            project,
            ..Self::default()
        };
    }

    /// What is to be done again, and the time to stand at in the end.
    pub fn schedule(&mut self, mut acts: Vec<Act>, goal_us: u64) {
        acts.truncate(ACTS_MAX);
        acts.arrange_by_key(|act| act.at_us);
        self.pending = acts.into();
        self.goal_us = Some(goal_us);
    }

    /// The clock runs on when all is done.
    pub fn run_on(&mut self) {
        self.runs_on = true;
    }

    /// Whether it is to.
    pub fn runs_on(&self) -> bool {
        self.runs_on
    }

    /// Which fault of [`Recording::script`] each fault is, by its number; none: one of the console's.
    /// Of acts that have yet to be done again the lines are taken at their word.
    pub fn origins(&self) -> Vec<Option<u32>> {
        let Some(branch) = self.branches.get(self.current) else {
            return Vec::new();
        };
        let mut origins: Vec<Option<u32>> = branch.faults.iter().map(|(_, of)| *of).collect();
        let mut next = planned(&self.project) + injected(&branch.acts);
        for act in &self.pending {
            match &act.deed {
                Deed::Inject(_) => {
                    origins.push(Some(next));
                    next += 1;
                }
                Deed::Console(line) => {
                    origins.extend(line.matches("sim fault ").map(|_| None::<u32>));
                }
                Deed::Edit(_) | Deed::Heal(_) => {}
            }
        }
        origins
    }

    /// The same beginning in other words: comments of the fault script.
    pub fn reword(&mut self, faults: Vec<String>) {
        self.project.faults = faults;
    }

    /// Leaves undone what has not been done again yet; whether there was anything.
    pub fn give_up(&mut self) -> bool {
        self.pending.clear();
        self.runs_on = false;
        self.goal_us.take().is_some()
    }

    /// Whether something is to be done again.
    pub fn is_pending(&self) -> bool {
        self.goal_us.is_some()
    }

    /// Line of the fault script for each fault by its number; none: a fault of the console's.
    pub(super) fn lines(&self) -> Vec<Option<u32>> {
        let script = &self.project.faults;
        let said: Vec<u32> = (0..)
            .zip(script)
            .filter(|(_, line)| is_fault(line))
            .map(|(place, _)| place)
            .collect();
        // As `Recording::script` has them: below the last line that says something.
        let below = script.iter().rposition(|line| !line.trim().is_empty());
        let below = below.map_or(0, |last| u32::try_from(last + 1).unwrap_or(u32::MAX));
        let line = |of: u32| match said.get(of as usize) {
            Some(line) => *line,
            None => below.saturating_add(of - said.len() as u32),
        };
        let branch = self.branches.get(self.current);
        let faults = branch.map_or(&[][..], |branch| &branch.faults);
        faults.iter().map(|(_, of)| of.map(line)).collect()
    }

    /// Everything that a link needs: what is still to be done again is part of it.
    pub fn recording(&self, at_us: u64) -> Recording {
        let mut recording = self.of(self.current, self.goal_us.unwrap_or(at_us));
        recording.acts.extend(self.pending.iter().cloned());
        recording
    }

    /// The same of one branch, at this time.
    fn of(&self, branch: usize, at_us: u64) -> Recording {
        let branch = self.branches.get(branch);
        Recording {
            project: self.project.clone(),
            acts: branch.map_or_else(Vec::new, |branch| branch.acts.clone()),
            at_us,
        }
    }

    /// Follows the history to branch `current` of `count`, opened at `now_us` if it is new.
    #[inline(never)]
    fn follow(&mut self, count: usize, current: usize, dropped: u32, now_us: u64) {
        while self.dropped < dropped && !self.branches.is_empty() {
            self.branches.remove(0);
            self.current = self.current.saturating_sub(1);
            self.dropped += 1;
        }
        while self.branches.len() < count {
            let mut branch = self.branches.get(self.current).cloned().unwrap_or_default();
            branch.acts.retain(|act| act.at_us <= now_us);
            branch.faults.retain(|(at_us, _)| *at_us <= now_us);
            self.branches.push(branch);
        }
        self.current = current;
    }

    /// Adds what was done, after which there are `faults` faults.
    fn push(&mut self, at_us: u64, deed: Deed, faults: usize) {
        let planned = planned(&self.project);
        let Some(branch) = self.branches.get_mut(self.current) else {
            return;
        };
        let is_full = branch.acts.len() >= ACTS_MAX;
        let injects = matches!(deed, Deed::Inject(_)) && !is_full;
        let of = injects.then(|| planned + injected(&branch.acts));
        let known = branch.faults.len();
        branch.faults.resize(known.max(faults), (at_us, of));
        if !is_full {
            branch.acts.push(Act { at_us, deed });
        }
    }
}

/// Faults that the script of a project plans.
fn planned(project: &Project) -> u32 {
    project.faults.iter().filter(|line| is_fault(line)).count() as u32
}

/// Faults that were injected by hand.
fn injected(acts: &[Act]) -> u32 {
    let injected = |act: &&Act| matches!(act.deed, Deed::Inject(_));
    acts.iter().filter(injected).count() as u32
}

/// Whether a tab is no manifest but a part of the experiment itself.
pub(super) fn is_script(name: &str) -> bool {
    name == FAULTS || name == cluster::FILE
}

impl EngineHost {
    /// Inputs on the current branch, and its number: they change when something is done.
    pub(super) fn inputs(&self) -> (usize, usize, u32) {
        let history = &self.session.history;
        let (branches, current) = history.branches();
        (
            branches.get(current).map_or(0, |branch| branch.log.len()),
            current,
            history.dropped(),
        )
    }

    /// The record goes where the history is.
    #[inline(never)]
    pub(super) fn follow(&mut self) {
        let history = &self.session.history;
        let (branches, current) = history.branches();
        let (count, dropped, now) = (branches.len(), history.dropped(), history.now().as_micros());
        self.record.follow(count, current, dropped, now);
    }

    /// How many faults there are: the same number in each world.
    pub(super) fn faults(&self) -> usize {
        let worlds = &self.session.history.lab().worlds;
        worlds.first().map_or(0, |world| world.faults.list.len())
    }

    /// Something was done now.
    pub(super) fn did(&mut self, deed: Deed) {
        self.follow();
        let now = self.session.history.now().as_micros();
        let faults = self.faults();
        self.record.push(now, deed, faults);
    }

    /// Does the next act again if its time has come, or goes there. None: nothing is left to do.
    #[inline(never)]
    pub(super) fn do_again(&mut self) -> Option<Vec<Reply>> {
        let goal = self.record.goal_us?;
        let due = self.record.pending.front().map(|act| act.at_us);
        let target = due.unwrap_or(goal);
        let target_time = SimTime::from_micros(target);
        if target_time > self.session.history.now() {
            self.length = self.length.max(target_time);
            self.seek(target_time);
            return Some(Vec::new());
        }
        let Some(act) = self.record.pending.pop_front() else {
            self.record.goal_us = None;
            if target_time < self.session.history.now() {
                self.seek(target_time);
            }
            self.changed = true;
            self.playing |= std::mem::take(&mut self.record.runs_on);
            return None;
        };
        self.changed = true;
        let deed = act.deed.clone();
        let replies = match act.deed {
            Deed::Edit(file) => vec![self.edit(0, file)],
            Deed::Inject(text) => match self.inject(&text) {
                Ok(()) => Vec::new(),
                Err(sentence) => vec![refused(&sentence)],
            },
            Deed::Heal(number) => {
                self.heal(number);
                Vec::new()
            }
            Deed::Console(line) => {
                let output = self.session.run(&line);
                vec![Reply::Output(Box::new(self.printed(line, output)))]
            }
        };
        self.did(deed);
        Some(replies)
    }

    /// Answers a question without changing anything.
    #[inline(never)]
    pub(super) fn answer(&self, query: &Query) -> Answer {
        match query {
            Query::Complete { file, offset } if is_script(&file.name) => {
                script_words::complete(&self.session, file, *offset)
            }
            Query::Hover { file, offset } if is_script(&file.name) => {
                script_words::hover(&self.session, file, *offset)
            }
            Query::Complete { file, offset } => assist::complete(file, *offset),
            Query::Hover { file, offset } => assist::hover(file, *offset, &self.not_modelled),
            Query::Check(file) => Answer::Found(self.check(file.clone())),
            Query::Inspect {
                orchestrator,
                object,
            } => inspect::sheets(&self.session, orchestrator, object),
            Query::Words(line) => inspect::words(&self.session, line),
            Query::Look(line) => match self.look(line) {
                Some(printed) => Answer::Printed(Box::new(printed)),
                None => Answer::Nothing,
            },
            Query::Picture(file) => picture::picture(file).map_or(Answer::Nothing, Answer::Picture),
            Query::Loops => Answer::Loops(loops::loops(self.session.history.lab())),
            Query::Causes(why) => causes::causes(self.session.history.lab(), why)
                .map_or(Answer::Nothing, Answer::Graph),
            Query::Dependencies => causes::dependencies(&self.project, self.session.history.lab())
                .map_or(Answer::Nothing, Answer::Graph),
            Query::Machine {
                orchestrator,
                machine,
            } => view::one_machine(self.session.history.lab(), orchestrator, machine)
                .map_or(Answer::Nothing, |machine| {
                    Answer::Machine(Box::new(machine))
                }),
            Query::Branch(branch) => {
                let (branches, _) = self.session.history.branches();
                match branches.get(*branch as usize) {
                    Some(known) => {
                        let recording = self.record.of(*branch as usize, known.tip.as_micros());
                        Answer::Recording(Box::new(recording))
                    }
                    None => Answer::Nothing,
                }
            }
            Query::Report => Answer::Report(sim::metrics_json(self.session.history.lab())),
            Query::Outcome(branch) => picture::outcome(&self.session, *branch, self.view.points)
                .map_or(Answer::Nothing, |outcome| {
                    Answer::Outcome(Box::new(outcome))
                }),
        }
    }
}
