//! `sim usage [NODE]`: what each container wants of its machine, what it gets, and what that means
//! for its users.

use crate::base::sentence::catalogue;
use crate::console::{Output, Session, table};

use super::place::Place;

/// Thousandths with three decimals.
fn cpus(micro: u64) -> String {
    format!("{}.{:03}", micro / 1_000_000, micro % 1_000_000 / 1_000)
}

/// Runs `sim usage`.
pub fn run(session: &Session, words: &[&str]) -> Output {
    let lab = session.history.lab();
    let columns = [
        catalogue::COLUMN_ORCHESTRATOR,
        catalogue::COLUMN_NODE,
        catalogue::COLUMN_CONTAINER,
        catalogue::COLUMN_CPU_WANTED,
        catalogue::COLUMN_CPU_GOT,
        catalogue::COLUMN_CPU_LIMIT,
        catalogue::COLUMN_THROTTLED,
        catalogue::COLUMN_ANSWERED,
        catalogue::COLUMN_LATENCY,
        catalogue::COLUMN_MEMORY,
        catalogue::COLUMN_MEMORY_LIMIT,
    ];
    let mut rows = Vec::new();
    for world in &lab.worlds {
        let machines = &world.substrate;
        for (machine, _) in machines.machines() {
            let name = world.machine_text(machine);
            if words.first().is_some_and(|wanted| *wanted != name) {
                continue;
            }
            let place = Place::new(world, machine, lab.now);
            for (sandbox, _) in machines.sandboxes_on(machine) {
                let unit = place
                    .units
                    .get(&sandbox)
                    .map_or("", |unit| unit.name.as_str());
                for (id, row) in machines.containers_in(sandbox) {
                    if row.running_since().is_none() {
                        continue;
                    }
                    let limits = machines.container_limits(id);
                    let times = machines.container_cpu(id, lab.now);
                    let own = world.symbols.text(row.spec.name);
                    let full = if unit == own || unit.contains(own) {
                        unit.to_owned()
                    } else {
                        format!("{unit}/{own}")
                    };
                    let answered = row.cpu.served();
                    let latency = machines.latency_us(id).map_or_else(
                        || "-".to_owned(),
                        |micro| format!("{}.{}ms", micro / 1_000, micro % 1_000 / 100),
                    );
                    let mebibytes = |bytes: u64| format!("{}Mi", bytes >> 20);
                    let cells = vec![
                        world.orchestrator.name().to_owned(),
                        name.to_owned(),
                        full,
                        cpus(row.cpu.wanted()),
                        cpus(u64::from(row.cpu.got)),
                        limits
                            .quota_milli()
                            .map_or_else(|| "-".to_owned(), |milli| cpus(milli * 1_000)),
                        format!("{}/{}", times.throttled_periods, times.periods),
                        format!("{}.{:02}%", answered / 10_000, answered % 10_000 / 100),
                        latency,
                        mebibytes(machines.container_memory(id, lab.now).current()),
                        machines
                            .memory_bounds(id)
                            .max
                            .map_or_else(|| "-".to_owned(), mebibytes),
                    ];
                    rows.push(cells);
                }
            }
        }
    }
    Output::text(table::own(&columns, rows))
}
