//! The picture of a scenario, drawn from its run: what became of each replica, and how a branch stands.

use crate::base::arrange::Arrange;
use crate::base::time::SimTime;
use crate::console::Session;
use crate::console::open::open;
use crate::protocol::views::{Outcome, Picture, PictureRow};
use crate::protocol::{File, Project, StateGroup, View};

use super::{check, run_script, view};

/// Stretches of time.
const CELLS: u64 = 60;

/// Replicas that are shown; a picture with more is grey.
const ROWS_MAX: usize = 10;

/// Runs a scenario from its start to the end of its script and looks at it in equal steps. None if it
/// is no scenario or cannot be opened.
pub fn picture(file: &File) -> Option<Picture> {
    let project = Project {
        files: vec![file.clone()],
        nodes: 3,
        seed: 42,
        faults: Vec::new(),
        length_us: 0,
    };
    let mut opened = open(&check::experiment(&project).ok()?).ok()?;
    let script = opened.script.take()?;
    run_script(&mut opened.session, &script);
    let history = &mut opened.session.history;
    let tip = history.tip();
    let mut picture = Picture {
        length_us: tip.as_micros(),
        ..Picture::default()
    };
    history.seek(SimTime::ZERO);
    for cell in 0..CELLS {
        let at = SimTime::from_micros(tip.as_micros() / CELLS * (cell + 1));
        history.advance_to(at);
        for world in &history.lab().worlds {
            let orchestrator = world.orchestrator.name();
            for unit in view::units(world) {
                let row = row(&mut picture.rows, orchestrator, &unit.name, &unit.workload);
                if row.cells.len() == cell as usize + 1 {
                    // A slot of Swarm holds an old and a new task for a while: the new one counts.
                    if unit.group != StateGroup::Unknown {
                        row.cells[cell as usize] = Some(unit.group);
                    }
                    continue;
                }
                row.cells.resize(cell as usize, None);
                row.cells.push(Some(unit.group));
            }
        }
    }
    let frame = view::frame(history.lab(), &View::default());
    for fault in frame.faults.iter().filter(|fault| fault.applicable) {
        if fault.begun_us != u64::MAX && !picture.faults_us.contains(&fault.begun_us) {
            picture.faults_us.push(fault.begun_us);
        }
    }
    for row in &mut picture.rows {
        row.cells.resize(CELLS as usize, None);
    }
    picture.more = u32::try_from(picture.rows.len().saturating_sub(ROWS_MAX)).unwrap_or(u32::MAX);
    // What went wrong at some time says more than what never did.
    let calm = |row: &PictureRow| !row.cells.iter().flatten().any(|group| is_trouble(*group));
    if picture.more > 0 {
        picture.rows.arrange_by_key(calm);
    }
    picture.rows.truncate(ROWS_MAX);
    Some(picture)
}

fn is_trouble(group: StateGroup) -> bool {
    match group {
        StateGroup::Failed | StateGroup::Unknown | StateGroup::Terminating => true,
        StateGroup::Ready
        | StateGroup::Progressing
        | StateGroup::Pending
        | StateGroup::Completed => false,
    }
}

fn row<'r>(
    rows: &'r mut Vec<PictureRow>,
    orchestrator: &str,
    name: &str,
    workload: &str,
) -> &'r mut PictureRow {
    let found = rows
        .iter()
        .position(|row| row.orchestrator == orchestrator && row.name == name);
    let place = found.unwrap_or_else(|| {
        rows.push(PictureRow {
            orchestrator: orchestrator.to_owned(),
            name: name.to_owned(),
            workload: workload.to_owned(),
            cells: Vec::new(),
        });
        rows.len() - 1
    });
    &mut rows[place]
}

/// A branch at its latest time, without disturbing what is shown.
pub fn outcome(session: &Session, branch: u32, points: u32) -> Option<Outcome> {
    let mut history = session.history.clone();
    if !history.switch(branch as usize) {
        return None;
    }
    let tip = history.tip();
    history.seek(tip);
    let mut frame = view::frame(
        history.lab(),
        &View {
            points,
            ..View::default()
        },
    );
    for world in &mut frame.worlds {
        world.machines.clear();
        world.unplaced.clear();
    }
    Some(Outcome {
        branch,
        tip_us: tip.as_micros(),
        hash: frame.hash,
        worlds: frame.worlds,
        faults: frame.faults,
    })
}
