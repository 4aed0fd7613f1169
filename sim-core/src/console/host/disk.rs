//! `df`: the machine's disk, as it is seen from outside and through a container's root.

use crate::console::Output;
use crate::console::table::Table;

use super::sight::Sight;

/// Size, use and rest of the machine's disk, in bytes.
pub fn space(sight: &Sight<'_>) -> (u64, u64, u64) {
    let machines = &sight.place.world.substrate;
    let size = machines.disk_bytes(sight.place.machine);
    let used = machines
        .disk_used(sight.place.machine, sight.place.now)
        .min(size);
    (size, used, size - used)
}

/// Bytes as `df -h` and `du -h` write them.
pub fn human(bytes: u64) -> String {
    let mut value = bytes;
    let mut tenths = 0;
    for unit in ["", "K", "M", "G", "T"] {
        if value < 1_024 {
            return if value < 10 && !unit.is_empty() {
                format!("{value}.{tenths}{unit}")
            } else {
                format!("{value}{unit}")
            };
        }
        tenths = value % 1_024 * 10 / 1_024;
        value /= 1_024;
    }
    format!("{value}P")
}

/// `df [-h]`.
pub fn df(sight: &Sight<'_>, words: &[&str]) -> Output {
    let is_human = words
        .iter()
        .any(|word| word.starts_with('-') && word.contains('h'));
    let (size, used, rest) = space(sight);
    let share = (used * 100).div_ceil(size.max(1));
    let memory = super::procfs::memory(sight).0;
    let amount = |bytes: u64| {
        if is_human {
            human(bytes)
        } else {
            (bytes / 1_024).to_string()
        }
    };
    let header = if is_human {
        ["Filesystem", "Size", "Used", "Avail", "Use%", "Mounted on"]
    } else {
        [
            "Filesystem",
            "1K-blocks",
            "Used",
            "Available",
            "Use%",
            "Mounted on",
        ]
    };
    let mut table = Table::new(&header);
    let mut row = |device: &str, size: u64, used: u64, rest: u64, share: u64, at: &str| {
        table.rows.push(vec![
            device.to_owned(),
            amount(size),
            amount(used),
            amount(rest),
            format!("{share}%"),
            at.to_owned(),
        ]);
    };
    if sight.inside.is_some() {
        row("overlay", size, used, rest, share, "/");
        row("tmpfs", 64 << 20, 0, 64 << 20, 0, "/dev");
        row("shm", 64 << 20, 0, 64 << 20, 0, "/dev/shm");
        row("/dev/sda1", size, used, rest, share, "/etc/hosts");
    } else {
        row("udev", memory / 2, 0, memory / 2, 0, "/dev");
        row("tmpfs", memory / 10, 0, memory / 10, 0, "/run");
        row("/dev/sda1", size, used, rest, share, "/");
        row("tmpfs", memory / 2, 0, memory / 2, 0, "/dev/shm");
    }
    Output::text(table.kubectl(true))
}
