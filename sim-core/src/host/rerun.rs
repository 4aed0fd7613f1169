//! The experiment once more, from its beginning, with another fault script or other machines.
//!
//! Both are told of time zero, so an edit of them is no deed at the time shown: the run begins anew
//! with them, what was done by hand is done again, and the clock comes back to where it was.

use crate::protocol::{Act, Deed, Diagnostic, FAULTS, File, Project, Recording, Reply, is_fault};

use super::EngineHost;

/// Puts a file's text, or the fault script, into the project.
pub fn put(project: &mut Project, file: File) {
    if file.name == FAULTS {
        project.faults = file.text.split('\n').map(str::to_owned).collect();
        return;
    }
    let files = &mut project.files;
    match files.iter_mut().find(|known| known.name == file.name) {
        Some(known) => *known = file,
        None => files.push(file),
    }
}

impl EngineHost {
    /// Begins anew with the text of `name`, whose check has found `diagnostics` and no error.
    pub(super) fn rerun(
        &mut self,
        revision: u32,
        name: &str,
        diagnostics: Vec<Diagnostic>,
        not_modelled: Vec<String>,
    ) -> Reply {
        let latest = self.project.clone();
        let playing = self.playing || self.record.runs_on();
        let now = self.session.history.now().as_micros();
        let mut recording = self.record.recording(now);
        let mut output = Vec::new();
        let mut applied = true;
        if name == FAULTS
            && !recording.injected().is_empty()
            && told(&recording.script()) == told(&latest.faults)
        {
            // A mistake was taken back: what happened stays, and the branches with it.
            self.project.faults = recording.project.faults;
        } else if name == FAULTS && reworded(&recording, &latest.faults) {
            self.record.reword(latest.faults.clone());
        } else {
            if name == FAULTS {
                rewrite(
                    &mut recording,
                    &self.record.origins(),
                    latest.faults.clone(),
                );
            } else if let Some(file) = latest.files.iter().find(|file| file.name == name) {
                put(&mut recording.project, file.clone());
            }
            let reply = self.load(recording.project, revision);
            self.project = latest;
            match reply {
                Reply::Checked { applied: true, .. } => {
                    self.record.schedule(recording.acts, recording.at_us);
                    if playing {
                        self.record.run_on();
                    }
                }
                Reply::Checked { output: said, .. } => {
                    (applied, output, self.playing) = (false, said, playing);
                }
                _ => {}
            }
        }
        Reply::Checked {
            revision,
            diagnostics,
            not_modelled,
            applied,
            output,
            restarted: true,
            changes: Vec::new(),
        }
    }
}

/// What a script says, empty lines aside.
fn told(lines: &[String]) -> Vec<&str> {
    let lines = lines.iter().map(|line| line.trim());
    lines.filter(|line| !line.is_empty()).collect()
}

/// Whether only comments differ, and nothing was injected that the script would now say.
fn reworded(recording: &Recording, lines: &[String]) -> bool {
    let faults = |lines: &[String]| -> Vec<String> {
        let faults = lines.iter().filter(|line| is_fault(line));
        faults.map(|line| line.trim().to_owned()).collect()
    };
    recording.acts.iter().all(|act| act.scripted().is_none())
        && faults(&recording.project.faults) == faults(lines)
}

/// Makes `lines` the fault script. What was injected is part of it now; heals of single faults, which
/// are known by their number, follow theirs. `origins`: which fault of the old script each is; none: one
/// of the console's, which stays one.
fn rewrite(recording: &mut Recording, origins: &[Option<u32>], lines: Vec<String>) {
    let faults = |lines: &[String]| -> Vec<String> {
        let faults = lines.iter().filter(|line| is_fault(line));
        faults.map(|line| line.trim().to_owned()).collect()
    };
    let said = faults(&recording.script());
    let old = origins.iter().map(|origin| match origin {
        Some(of) => said.get(*of as usize),
        None => None,
    });
    let new = faults(&lines);
    let mut taken = vec![false; new.len()];
    let mut others = new.len();
    let numbers: Vec<Option<usize>> = old
        .map(|line| {
            let Some(line) = line else {
                others += 1;
                return Some(others - 1);
            };
            let place = (0..new.len()).find(|place| !taken[*place] && new[*place] == *line)?;
            taken[place] = true;
            Some(place)
        })
        .collect();
    recording
        .acts
        .retain_mut(|act: &mut Act| match &mut act.deed {
            Deed::Inject(_) => false,
            Deed::Heal(Some(number)) => {
                let place = numbers.get(*number as usize).copied().flatten();
                *number = place
                    .and_then(|place| u32::try_from(place).ok())
                    .unwrap_or(*number);
                place.is_some()
            }
            Deed::Heal(None) | Deed::Console(_) | Deed::Edit(_) => true,
        });
    recording.project.faults = lines;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn injected_faults_become_lines_and_heals_follow_theirs() {
        let act = |at_us, deed| Act { at_us, deed };
        let mut recording = Recording {
            project: Project {
                faults: vec!["# one".to_owned(), "node-crash worker-1 at 10s".to_owned()],
                ..Project::default()
            },
            acts: vec![
                act(
                    20_000_000,
                    Deed::Inject("node-crash worker-2 for 5s".to_owned()),
                ),
                act(21_500_000, Deed::Inject("registry-down".to_owned())),
                act(22_000_000, Deed::Console("sim fault oom of:web".to_owned())),
                act(30_000_000, Deed::Heal(Some(0))),
                act(31_000_000, Deed::Heal(Some(2))),
                act(32_000_000, Deed::Heal(Some(3))),
            ],
            at_us: 40_000_000,
        };
        let script = recording.script();
        assert_eq!(
            script,
            [
                "# one",
                "node-crash worker-1 at 10s",
                "node-crash worker-2 at 20s for 5s",
                "registry-down at 21.500s"
            ]
        );
        // The first is taken out.
        let origins = [Some(0), Some(1), Some(2), None];
        rewrite(&mut recording, &origins, script[2..].to_vec());
        assert_eq!(
            recording.acts,
            [
                act(22_000_000, Deed::Console("sim fault oom of:web".to_owned())),
                act(31_000_000, Deed::Heal(Some(1))),
                act(32_000_000, Deed::Heal(Some(2))),
            ]
        );
        assert_eq!(recording.script(), script[2..]);
    }
}
