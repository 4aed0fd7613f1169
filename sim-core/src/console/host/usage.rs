//! `sim usage [NODE]`: what each container wants of its machine, what it gets, and what that means
//! for its users.

use crate::console::table::Table;
use crate::console::{Output, Session};

use super::place::Place;

/// Thousandths with three decimals.
fn cpus(micro: u64) -> String {
    format!("{}.{:03}", micro / 1_000_000, micro % 1_000_000 / 1_000)
}

/// Runs `sim usage`.
pub fn run(session: &Session, words: &[&str]) -> Output {
    let lab = session.history.lab();
    let mut table = Table::new(&[
        "ORCHESTRATOR",
        "NODE",
        "CONTAINER",
        "CPU-WANTED",
        "CPU-GOT",
        "CPU-LIMIT",
        "THROTTLED",
        "ANSWERED",
        "LATENCY",
        "MEMORY",
        "MEMORY-LIMIT",
    ]);
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
                    table.rows.push(vec![
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
                    ]);
                }
            }
        }
    }
    Output::text(table.kubectl(true))
}
