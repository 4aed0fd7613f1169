//! Acts that change the experiment: sent, recorded, undone and done again.

use std::cell::RefCell;
use std::rc::Rc;

use sim_core::protocol::{Answer, FAULTS, File, Project, Query, Recording, Request, below};

use super::{Control, Past, ScriptEdit, UNDO_MAX};
use crate::dom;
use crate::files;
use crate::model::Action;
use crate::permalink;

impl Control {
    /// Asks for what a link needs.
    pub(super) fn record(&self) {
        self.0.recordings.borrow_mut().asked += 1;
        self.send(&Request::Record);
    }

    /// Another recording has come: the script that waits for it gets the faults that were caused
    /// meanwhile, as the model does, and goes.
    pub(super) fn take_record(&self, recording: &Recording) {
        let ready = {
            let recordings = &mut *self.0.recordings.borrow_mut();
            recordings.asked = recordings.asked.saturating_sub(1);
            let injected = recording.injected();
            if let Some(edit) = &mut recordings.waiting
                && let Some(new) = injected.strip_prefix(recordings.injected.as_slice())
            {
                edit.lines = below(&edit.lines, new);
            }
            recordings.injected = injected;
            recordings.waiting.take_if(|_| recordings.asked == 0)
        };
        if let Some(ScriptEdit { revision, lines }) = ready {
            let file = File {
                name: FAULTS.to_owned(),
                text: lines.join("\n"),
            };
            self.perform(&Request::Edit { revision, file });
        }
    }

    /// The experiment with all that was done to it, at the time shown.
    pub(super) fn present(&self) -> Recording {
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
    pub(super) fn remember(&self) {
        self.push_past(Past::Done(self.present()));
    }

    pub(super) fn push_past(&self, last: Past) {
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

    pub(super) fn go_back(&self, from: &RefCell<Vec<Past>>, to: &RefCell<Vec<Past>>) {
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
        self.act(Action::Dropped(Rc::default()));
        self.keep(&permalink::latest(&recording));
        self.open((recording, self.scene()));
    }

    /// Sends something that changes the experiment, and asks for what a link then needs.
    pub fn perform(&self, request: &Request) {
        self.perform_all(std::slice::from_ref(request));
    }

    /// The same of several that are one act.
    pub(super) fn perform_all(&self, requests: &[Request]) {
        self.remember();
        self.0.touched.set(true);
        for request in requests {
            self.send(request);
        }
        self.record();
        // The address no longer tells what is shown.
        if !dom::embedded() {
            dom::forget_link();
        }
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

    pub(super) fn send_edit(&self, revision: u32, file: File) {
        let is_script = file.name == FAULTS;
        if is_script || file.name == files::CLUSTER {
            self.ask_for_branches();
        }
        {
            let recordings = &mut *self.0.recordings.borrow_mut();
            if is_script && recordings.asked > 0 {
                let lines = file.text.split('\n').map(str::to_owned).collect();
                recordings.waiting = Some(ScriptEdit { revision, lines });
                return;
            }
        }
        self.perform(&Request::Edit { revision, file });
    }

    /// How the current branch went on, and what was done on each other: a run that begins anew has
    /// none of them.
    pub(super) fn ask_for_branches(&self) {
        let clock = self.model().shown.clock.clone();
        // Of an edit just before this one the engine may have told already, and cannot tell again.
        let current = clock.branches.get(clock.branch as usize);
        let is_other = |name: &String| Some(name) != current && clock.branches.contains(name);
        self.0.lost.borrow_mut().retain(|(name, _)| is_other(name));
        let control = self.clone();
        self.ask(Query::Outcome(clock.branch), move |answer| {
            if let Answer::Outcome(outcome) = answer {
                control.0.was.replace(Some(*outcome));
            }
        });
        let others = (0_u32..).zip(clock.branches.clone());
        for (number, name) in others.filter(|(number, _)| *number != clock.branch) {
            let control = self.clone();
            self.ask(Query::Branch(number), move |answer| {
                if let Answer::Recording(recording) = answer {
                    let mut lost = control.0.lost.borrow_mut();
                    lost.retain(|(known, _)| *known != name);
                    lost.push((name, *recording));
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
}
