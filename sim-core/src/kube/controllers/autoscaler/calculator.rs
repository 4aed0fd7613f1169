//! From samples to a number of replicas. Numbers in, numbers out; ratios are kept as fractions and
//! compared as upstream's doubles.
//! Sources: `pkg/controller/podautoscaler/replica_calculator.go`, `metrics/utilization.go`.

use crate::base::double::Double;

/// A ratio of what is to what is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ratio {
    /// What is.
    pub is: i64,
    /// What is wanted; positive.
    pub wanted: i64,
}

/// How far from 1 a ratio may be without consequence, in billionths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tolerance {
    /// Above 1.
    pub up: u64,
    /// Below 1.
    pub down: u64,
}

const BILLION: u64 = 1_000_000_000;

fn whole(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

impl Ratio {
    /// A ratio; a target of zero or less counts as one.
    pub const fn new(is: i64, wanted: i64) -> Self {
        Self {
            is,
            wanted: if wanted > 0 { wanted } else { 1 },
        }
    }

    const fn is_above_one(self) -> bool {
        self.is > self.wanted
    }

    const fn is_below_one(self) -> bool {
        self.is < self.wanted
    }

    /// Whether it is so near to 1 that nothing is done; the bounds belong to it.
    pub fn is_within(self, tolerance: Tolerance) -> bool {
        let share = |billionths| Double::ratio(billionths, BILLION);
        let ratio = self.as_double();
        share(tolerance.down).from_one() <= ratio && ratio <= share(tolerance.up).plus_one()
    }

    fn as_double(self) -> Double {
        Double::ratio(whole(self.is), whole(self.wanted))
    }

    /// So many times this ratio, rounded up.
    pub fn of(self, count: i64) -> i64 {
        self.as_double().times(whole(count)).ceiling()
    }
}

/// One pod of the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pod {
    /// What it uses; `None`: no sample.
    pub usage: Option<i64>,
    /// What it asks for; 0 for metrics without requests.
    pub request: i64,
    /// Which of upstream's classes it is in.
    pub class: Class,
}

/// How a pod counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// With its sample.
    Ready,
    /// Not yet.
    Unready,
    /// It has no sample.
    Missing,
    /// Not at all: deleted or failed.
    Ignored,
}

/// What is aimed at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aim {
    /// Per cent of the requests.
    Utilization(i64),
    /// So much for each pod.
    Average(i64),
}

/// A proposal, and what the status says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// Replicas.
    pub replicas: i64,
    /// Utilization in per cent, or the average.
    pub reported: i64,
    /// The average use of a pod.
    pub average: i64,
}

/// What a metric of pods proposes.
///
/// # Errors
/// Upstream's sentence when nothing was measured.
pub fn pods(
    current: i64,
    aim: Aim,
    tolerance: Tolerance,
    pods: &[Pod],
) -> Result<Proposal, String> {
    let count = |class| {
        let number = pods.iter().filter(|pod| pod.class == class).count();
        i64::try_from(number).unwrap_or(i64::MAX)
    };
    let of = |class| pods.iter().filter(move |pod| pod.class == class);
    let mut samples: Vec<(i64, i64)> = of(Class::Ready)
        .filter_map(|pod| Some((pod.usage?, pod.request)))
        .collect();
    if samples.is_empty() {
        return Err("did not receive metrics for targeted pods (pods might be unready)".to_owned());
    }
    let nothing = || "no metrics returned matched known pods".to_owned();
    let (ratio, reported, average) = measure(&samples, aim).ok_or_else(nothing)?;
    let proposal = |replicas| Proposal {
        replicas,
        reported,
        average,
    };
    let up_with_unready = count(Class::Unready) > 0 && ratio.is_above_one();
    if !up_with_unready && count(Class::Missing) == 0 {
        if ratio.is_within(tolerance) {
            return Ok(proposal(current));
        }
        return Ok(proposal(ratio.of(count(Class::Ready))));
    }
    for pod in of(Class::Missing) {
        // Assumed to use what speaks against the change.
        let assumed = match aim {
            _ if !ratio.is_below_one() => 0,
            Aim::Utilization(target) => pod.request.saturating_mul(target.max(100)) / 100,
            Aim::Average(target) => target,
        };
        if ratio.is_below_one() || ratio.is_above_one() {
            samples.push((assumed, pod.request));
        }
    }
    if up_with_unready {
        samples.extend(of(Class::Unready).map(|pod| (0, pod.request)));
    }
    let (fresh, ..) = measure(&samples, aim).ok_or_else(nothing)?;
    let turned = (ratio.is_below_one() && fresh.is_above_one())
        || (ratio.is_above_one() && fresh.is_below_one());
    if fresh.is_within(tolerance) || turned {
        return Ok(proposal(current));
    }
    let replicas = fresh.of(i64::try_from(samples.len()).unwrap_or(i64::MAX));
    let contradicts = (fresh.is_below_one() && replicas > current)
        || (fresh.is_above_one() && replicas < current);
    Ok(proposal(if contradicts { current } else { replicas }))
}

/// Ratio, what is reported, and the average; nothing where nothing is asked for.
fn measure(samples: &[(i64, i64)], aim: Aim) -> Option<(Ratio, i64, i64)> {
    let count = i64::try_from(samples.len()).unwrap_or(1).max(1);
    let sum = |of: fn(&(i64, i64)) -> i64| samples.iter().map(of).fold(0, i64::saturating_add);
    let usage = sum(|(usage, _)| *usage);
    let average = usage / count;
    Some(match aim {
        Aim::Utilization(target) => {
            let requests = sum(|(_, request)| *request);
            let percent = usage.saturating_mul(100).checked_div(requests)?;
            (Ratio::new(percent, target), percent, average)
        }
        Aim::Average(target) => (Ratio::new(average, target), average, average),
    })
}

/// What one value proposes against one target; `ready`: pods of the target that are ready.
pub fn value(current: i64, ready: i64, ratio: Ratio, tolerance: Tolerance) -> i64 {
    if current == 0 {
        return ratio.of(1);
    }
    if ratio.is_within(tolerance) {
        current
    } else {
        ratio.of(ready)
    }
}

/// What one value proposes that is to be shared among the pods: replicas and the average.
pub fn shared(statuses: i64, total: i64, per_pod: i64, tolerance: Tolerance) -> (i64, i64) {
    let ratio = Ratio::new(total, per_pod.saturating_mul(statuses));
    let replicas = if statuses > 0 && ratio.is_within(tolerance) {
        statuses
    } else {
        Ratio::new(total, per_pod).of(1)
    };
    let average = if statuses == 0 {
        0
    } else {
        Ratio::new(total, statuses).of(1)
    };
    (replicas, average)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TENTH: Tolerance = Tolerance {
        up: 100_000_000,
        down: 100_000_000,
    };

    fn fleet(list: &[(i64, i64, Class)]) -> Vec<Pod> {
        list.iter()
            .map(|(usage, request, class)| Pod {
                usage: (*class != Class::Missing).then_some(*usage),
                request: *request,
                class: *class,
            })
            .collect()
    }

    #[test]
    fn upstreams_own_cases() {
        use Class::{Missing, Ready, Unready};
        let cpu = |current, target, list: &[(i64, i64, Class)]| {
            let proposal = pods(current, Aim::Utilization(target), TENTH, &fleet(list)).unwrap();
            (proposal.replicas, proposal.reported)
        };
        let up = [(300, 1000, Ready), (500, 1000, Ready), (700, 1000, Ready)];
        assert_eq!(cpu(3, 30, &up), (5, 50));
        let unready = [
            (400, 1000, Ready),
            (500, 1000, Unready),
            (700, 1000, Unready),
        ];
        assert_eq!(cpu(3, 30, &unready), (3, 40));
        let hot = [(300, 1000, Unready), (500, 1000, Ready), (700, 1000, Ready)];
        assert_eq!(cpu(3, 30, &hot), (4, 60));
        let missing = [
            (400, 1000, Ready),
            (95, 1000, Ready),
            (0, 1000, Missing),
            (0, 1000, Missing),
        ];
        assert_eq!(cpu(4, 100, &missing), (3, 24));
        assert_eq!(cpu(2, 100, &[(1900, 1000, Ready), (0, 1000, Missing)]).0, 2);
        let tired = [
            (100, 1000, Ready),
            (100, 1000, Ready),
            (100, 1000, Unready),
            (0, 1000, Missing),
        ];
        assert_eq!(cpu(4, 50, &tired), (3, 10));
        let even = [(20_000, 0, Ready), (21_000, 0, Ready), (21_000, 0, Ready)];
        let plain = pods(3, Aim::Average(20_000), TENTH, &fleet(&even)).unwrap();
        assert_eq!((plain.replicas, plain.reported), (3, 20_666));
        assert_eq!(shared(3, 20_000, 5_000, TENTH), (4, 6_667));
        assert_eq!(shared(5, 8_600, 2_867, TENTH).0, 3);
        assert_eq!(value(3, 1, Ratio::new(50_000, 10_000), TENTH), 5);
        assert_eq!(value(3, 1, Ratio::new(8_600, 4_400), TENTH), 2);
    }

    #[test]
    fn the_bounds_of_the_tolerance_belong_to_it() {
        assert!(Ratio::new(110, 100).is_within(TENTH));
        assert!(Ratio::new(90, 100).is_within(TENTH));
        assert!(!Ratio::new(111, 100).is_within(TENTH));
    }
}
