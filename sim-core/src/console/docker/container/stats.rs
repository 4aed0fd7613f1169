//! `docker stats`: what containers use of their machine at this moment.
//! Source: docker/cli `cli/command/container/{stats_helpers,formatter_stats}.go`.

use super::row::{Engine, Row};
use crate::console::docker::flags::Parsed;
use crate::console::docker::listing::Listing;
use crate::console::docker::words::{bytes, human_size, short};
use crate::console::{Output, Session};

/// Prints the table once; nothing is redrawn.
///
/// # Errors
/// The daemon's text for a container that is not there.
pub fn run(session: &Session, parsed: &Parsed) -> Result<Output, Output> {
    let engine = Engine::of(session)?;
    let rows = if parsed.words.is_empty() {
        let all = parsed.has("all");
        let rows = engine.rows().into_iter();
        rows.filter(|row| all || row.state == "running").collect()
    } else {
        let names = parsed.words.iter();
        names
            .map(|name| engine.find(name))
            .collect::<Result<Vec<_>, _>>()?
    };
    let mut listing = Listing::new(
        "*container.statsContext",
        &[
            ("ID", "CONTAINER ID"),
            ("Name", "NAME"),
            ("CPUPerc", "CPU %"),
            ("MemUsage", "MEM USAGE / LIMIT"),
            ("MemPerc", "MEM %"),
            ("NetIO", "NET I/O"),
            ("BlockIO", "BLOCK I/O"),
            ("PIDs", "PIDS"),
        ],
        0,
    );
    for row in rows {
        let id = if parsed.has("no-trunc") {
            row.id.clone()
        } else {
            short(&row.id)
        };
        let mut cells = vec![id, row.name.clone()];
        cells.extend(figures(&engine, &row));
        listing.rows.push(cells);
    }
    Ok(listing.output(parsed))
}

/// The six figures. What has no data is two dashes. Bytes on disks are those of the group's `io.stat`.
fn figures(engine: &Engine<'_>, row: &Row) -> [String; 6] {
    let none = || "--".to_owned();
    let machines = &engine.world.substrate;
    let running = row.process.and_then(|id| {
        let container = machines.container(id)?;
        container.running_since().map(|_| (id, container))
    });
    let Some((id, container)) = running else {
        return [
            none(),
            "-- / --".to_owned(),
            none(),
            "-- / --".to_owned(),
            "-- / --".to_owned(),
            none(),
        ];
    };
    let memory = machines.container_memory(id, engine.now);
    // What the kernel can drop at once does not count (calculateMemUsageUnixNoCache).
    let used = memory.current().saturating_sub(memory.inactive_file);
    let machine = machines.machine(engine.machine);
    let whole = machine.map_or(0, |machine| machine.capacity.memory.unsigned_abs());
    let limit = machines.memory_bounds(id).max.unwrap_or(whole);
    // Millionths of a CPU; a hundredth of a percent is a hundred of them.
    let cpu = u64::from(container.cpu.got) / 100;
    let share = used.saturating_mul(10_000).checked_div(limit).unwrap_or(0);
    let (received, sent) = machines.container_traffic(id, engine.now);
    let [read, written, ..] = machines.cache_of(id).io;
    let pair = |a: u64, b: u64| format!("{} / {}", human_size(a), human_size(b));
    let percent = |hundredths: u64| format!("{}.{:02}%", hundredths / 100, hundredths % 100);
    [
        percent(cpu),
        format!("{} / {}", bytes(used), bytes(limit)),
        percent(share),
        pair(received, sent),
        pair(read, written),
        machines.container_tasks(id, engine.now).to_string(),
    ]
}
