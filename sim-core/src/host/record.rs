//! What was done to an experiment on each branch, so that a link can do it again.
//!
//! Owns the acts and those that are still to be done again; the host carries them out. Knows nothing
//! of what an act means.

use crate::base::arrange::Arrange;
use crate::base::time::SimTime;
use crate::protocol::{Act, Answer, Deed, FAULTS, Project, Query, Recording, Reply, is_fault};

use crate::console::cluster;

use super::{EngineHost, assist, causes, inspect, loops, picture, script_words, view};

/// Most acts of a recording: a person does them one by one.
const ACTS_MAX: usize = 2_000;

/// The acts of every branch.
#[derive(Debug, Default)]
pub struct Record {
    project: Project,
    branches: Vec<Vec<Act>>,
    current: usize,
    dropped: u32,
    pending: std::collections::VecDeque<Act>,
    /// Where to stand when all is done; none: nothing is to be done again.
    goal_us: Option<u64>,
    /// Whether the clock runs on from there.
    runs_on: bool,
}

impl Record {
    /// A new experiment.
    pub fn begin(&mut self, project: Project) {
        *self = Self {
            project,
            branches: vec![Vec::new()],
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
        let planned = &self.project.faults;
        let mut lines: Vec<Option<u32>> = (0..)
            .zip(planned)
            .filter(|(_, line)| is_fault(line))
            .map(|(place, _)| Some(place))
            .collect();
        // As `Recording::script` has them: below the last line that says something.
        let said = planned.iter().rposition(|line| !line.trim().is_empty());
        let mut next = said.map_or(0, |last| u32::try_from(last + 1).unwrap_or(u32::MAX));
        for act in self.branches.get(self.current).into_iter().flatten() {
            match &act.deed {
                Deed::Inject(_) => {
                    lines.push(Some(next));
                    next += 1;
                }
                Deed::Console(line) => {
                    lines.extend(line.matches("sim fault ").map(|_| None::<u32>));
                }
                Deed::Edit(_) | Deed::Heal(_) => {}
            }
        }
        lines
    }

    /// Everything that a link needs: what is still to be done again is part of it.
    pub fn recording(&self, at_us: u64) -> Recording {
        let mut acts = self.branches.get(self.current).cloned().unwrap_or_default();
        acts.extend(self.pending.iter().cloned());
        Recording {
            project: self.project.clone(),
            acts,
            at_us: self.goal_us.unwrap_or(at_us),
        }
    }

    /// Follows the history to branch `current` of `count`, opened at `now_us` if it is new.
    fn follow(&mut self, count: usize, current: usize, dropped: u32, now_us: u64) {
        while self.dropped < dropped && !self.branches.is_empty() {
            self.branches.remove(0);
            self.current = self.current.saturating_sub(1);
            self.dropped += 1;
        }
        while self.branches.len() < count {
            let parent = self.branches.get(self.current).cloned().unwrap_or_default();
            let kept = parent.into_iter().filter(|act| act.at_us <= now_us);
            self.branches.push(kept.collect());
        }
        self.current = current;
    }

    fn push(&mut self, at_us: u64, deed: Deed) {
        if let Some(acts) = self.branches.get_mut(self.current)
            && acts.len() < ACTS_MAX
        {
            acts.push(Act { at_us, deed });
        }
    }
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
    pub(super) fn follow(&mut self) {
        let history = &self.session.history;
        let (branches, current) = history.branches();
        let (count, dropped, now) = (branches.len(), history.dropped(), history.now().as_micros());
        self.record.follow(count, current, dropped, now);
    }

    /// Something was done now.
    pub(super) fn did(&mut self, deed: Deed) {
        self.follow();
        let now = self.session.history.now().as_micros();
        self.record.push(now, deed);
    }

    /// Does the next act again if its time has come, or goes there. None: nothing is left to do.
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
                Err(message) => vec![Reply::Refused(message)],
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
            Query::Outcome(branch) => picture::outcome(&self.session, *branch, self.view.points)
                .map_or(Answer::Nothing, |outcome| {
                    Answer::Outcome(Box::new(outcome))
                }),
        }
    }
}
