//! What a kubelet measures of its machine, and when it is too little.
//! Source: `pkg/kubelet/eviction/helpers.go`, `pkg/kubelet/eviction/defaults_linux.go`.

use crate::base::double;
use crate::base::quantity::Quantity;
use crate::base::sentence::{Sentence, catalogue};

/// A measure that thresholds are of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Signal {
    /// Memory that is not in the working set of the root group.
    Memory,
    /// Free bytes of the kubelet's file system.
    Nodefs,
    /// Free inodes of it. Not measured: no file system here runs out of them.
    NodefsInodes,
    /// Free bytes of the runtime's file system, which is the same one.
    Imagefs,
    /// Free inodes of it. Not measured.
    ImagefsInodes,
    /// Process numbers that are left.
    Pids,
}

/// Number of [`Signal`]s.
pub const SIGNALS: usize = 6;

impl Signal {
    /// All, in the order in which they are listed.
    pub const ALL: [Self; SIGNALS] = [
        Self::Memory,
        Self::Nodefs,
        Self::NodefsInodes,
        Self::Imagefs,
        Self::ImagefsInodes,
        Self::Pids,
    ];

    /// Upstream's word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory.available",
            Self::Nodefs => "nodefs.available",
            Self::NodefsInodes => "nodefs.inodesFree",
            Self::Imagefs => "imagefs.available",
            Self::ImagefsInodes => "imagefs.inodesFree",
            Self::Pids => "pid.available",
        }
    }

    /// The resource that is reclaimed for it.
    pub const fn resource(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Nodefs | Self::Imagefs => "ephemeral-storage",
            Self::NodefsInodes | Self::ImagefsInodes => "inodes",
            Self::Pids => "pids",
        }
    }

    /// The signal of that name.
    ///
    /// # Errors
    /// Upstream's sentence.
    pub fn parse(name: &str) -> Result<Self, Sentence> {
        Self::ALL
            .into_iter()
            .find(|signal| signal.name() == name)
            .ok_or_else(|| format!("unsupported eviction signal {name}").into())
    }
}

/// When a signal counts as crossed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Threshold {
    /// Less than so many are left.
    Amount(i64),
    /// Less than this share is left, as the bits of a 32-bit float: upstream keeps it so, and 10 %
    /// is a little more than a tenth.
    Share(u32),
}

impl Threshold {
    /// The amount of a capacity.
    pub fn of(self, capacity: i64) -> i64 {
        match self {
            Self::Amount(amount) => amount,
            Self::Share(bits) => (capacity as f64 * f64::from(f32::from_bits(bits))) as i64,
        }
    }

    fn text(self) -> String {
        match self {
            Self::Amount(amount) => amount.to_string(),
            Self::Share(bits) => {
                let hundredths = (f32::from_bits(bits) * 10_000.0).round() as i64;
                format!("{}.{:02}%", hundredths / 100, hundredths % 100)
            }
        }
    }
}

/// Thresholds by signal; none: the signal is not watched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Thresholds([Option<Threshold>; SIGNALS]);

impl Thresholds {
    /// Hard thresholds of a kubelet on Linux that is not told otherwise.
    pub fn hard() -> Self {
        let share = |part: f32| Some(Threshold::Share(part.to_bits()));
        Self([
            Some(Threshold::Amount(100 << 20)),
            share(0.1),
            share(0.05),
            share(0.15),
            share(0.05),
            None,
        ])
    }

    /// A signal's.
    pub const fn of(&self, signal: Signal) -> Option<Threshold> {
        self.0[signal as usize]
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(Option::is_none)
    }

    /// Signals that have one.
    pub fn signals(&self) -> impl Iterator<Item = Signal> + '_ {
        Signal::ALL
            .into_iter()
            .filter(|signal| self.of(*signal).is_some())
    }

    /// Reads `memory.available<100Mi,nodefs.available<10%`; what is not named is off.
    ///
    /// # Errors
    /// A sentence that names the entry.
    pub fn parse(value: &str) -> Result<Self, Sentence> {
        Self::read(value, '<')
    }

    /// Reads `memory.available=500Mi`.
    ///
    /// # Errors
    /// A sentence that names the entry.
    pub fn parse_amounts(value: &str) -> Result<Self, Sentence> {
        Self::read(value, '=')
    }

    fn read(value: &str, separator: char) -> Result<Self, Sentence> {
        let mut all = Self::default();
        for entry in entries(value) {
            let (signal, amount) = entry.split_once(separator).ok_or_else(|| {
                Sentence::quoted(format!(
                    "invalid eviction threshold syntax {entry}, expected <signal><operator><value>"
                ))
            })?;
            // Taken, and overridden: containers' files are on the kubelet's file system.
            // Source: `pkg/kubelet/eviction/helpers.go` (`UpdateContainerFsThresholds`).
            if ["containerfs.available", "containerfs.inodesFree"].contains(&signal.trim()) {
                threshold(amount)?;
                continue;
            }
            let signal = Signal::parse(signal.trim())?;
            all.0[signal as usize] = threshold(amount)?;
        }
        Ok(all)
    }

    /// As it is written.
    pub fn text(&self, separator: char) -> String {
        let entries: Vec<String> = Signal::ALL
            .into_iter()
            .filter_map(|signal| {
                let limit = self.of(signal)?;
                Some(format!("{}{separator}{}", signal.name(), limit.text()))
            })
            .collect();
        entries.join(",")
    }
}

/// Entries of a list or of a map in braces.
pub fn entries(value: &str) -> impl Iterator<Item = &str> {
    value
        .trim_matches(['{', '}'])
        .split(',')
        .map(str::trim)
        .filter(|entry| !entry.is_empty())
}

/// A threshold; `0%` and `100%` switch a signal off.
fn threshold(text: &str) -> Result<Option<Threshold>, Sentence> {
    let text = text.trim();
    if let Some(percent) = text.strip_suffix('%') {
        let value = double::parse(percent)
            .ok_or_else(|| catalogue::NO_SHARE.with(&[("word", &text)]))?
            as f32;
        if !(0.0..=100.0).contains(&value) {
            return Err(format!(
                "eviction percentage threshold {text} must be between 0% and 100%"
            )
            .into());
        }
        if value == 0.0 || value == 100.0 {
            return Ok(None);
        }
        return Ok(Some(Threshold::Share((value / 100.0).to_bits())));
    }
    let amount = Quantity::parse(text).map_err(|error| {
        catalogue::AMOUNT
            .with(&[("word", &text)])
            .and("why", error.into())
    })?;
    if amount.value() < 0 {
        return Err(format!("eviction threshold {text} must be positive").into());
    }
    Ok(Some(Threshold::Amount(amount.value())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_floats_of_32_bits() {
        let tenth = threshold("10%").unwrap().unwrap();
        assert_eq!(tenth.of(16 << 30), 1_717_986_944);
    }

    #[test]
    fn signals_that_are_not_named_are_off() {
        let some = Thresholds::parse("nodefs.available<1Gi, pid.available<5%").unwrap();
        assert_eq!(some.of(Signal::Memory), None);
        assert_eq!(
            some.text('<'),
            "nodefs.available<1073741824,pid.available<5.00%"
        );
        assert!(Thresholds::parse("memory<1Gi").is_err());
        assert!(Thresholds::parse("memory.available").is_err());
    }
}
