//! Stabilisation and rate limits: how far and how fast a recommendation is followed.
//! Source: `pkg/controller/podautoscaler/horizontal.go`.

use crate::base::double::Double;
use crate::base::time::{SimDuration, SimTime};
use crate::kube::rows::read;
use crate::manifest::value::Value;

/// A number that changed at a time: a recommendation, or pods added or removed.
pub type Dated = (SimTime, i64);

/// How policies are combined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Select {
    /// The largest change.
    Max,
    /// The smallest.
    Min,
    /// None at all.
    Disabled,
}

/// One policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// `Percent` instead of `Pods`.
    pub percent: bool,
    /// `value`.
    pub value: i64,
    /// `periodSeconds`.
    pub period: SimDuration,
}

/// Rules of one direction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// `stabilizationWindowSeconds`.
    pub window: SimDuration,
    /// `selectPolicy`.
    pub select: Select,
    /// `policies`.
    pub policies: Vec<Policy>,
}

/// A condition's reason and message.
pub type Why = (&'static str, &'static str);

/// Within the bounds.
pub const WITHIN: Why = (
    "DesiredWithinRange",
    "the desired count is within the acceptable range",
);
/// Below the smallest.
pub const TOO_FEW: Why = (
    "TooFewReplicas",
    "the desired replica count is less than the minimum replica count",
);
/// Above the largest.
pub const TOO_MANY: Why = (
    "TooManyReplicas",
    "the desired replica count is more than the maximum replica count",
);
const UP_LIMIT: Why = (
    "ScaleUpLimit",
    "the desired replica count is increasing faster than the maximum scale rate",
);
const DOWN_LIMIT: Why = (
    "ScaleDownLimit",
    "the desired replica count is decreasing faster than the maximum scale rate",
);

impl Rules {
    /// Reads `behavior.scaleUp` or `behavior.scaleDown`, defaults filled in.
    /// Source of the defaults: `pkg/apis/autoscaling/v2/defaults.go`.
    pub fn read(behavior: &Value, up: bool, down_window: SimDuration) -> Self {
        let rules = behavior.get(if up { "scaleUp" } else { "scaleDown" });
        let window = rules
            .and_then(|rules| rules.i64_at(&["stabilizationWindowSeconds"]))
            .map(|seconds| SimDuration::from_secs(seconds.unsigned_abs()));
        let select = match rules.map_or("", |rules| read::text(rules, &["selectPolicy"])) {
            "Min" => Select::Min,
            "Disabled" => Select::Disabled,
            _ => Select::Max,
        };
        let written = rules.map_or(&[] as &[Value], |rules| read::list(rules, &["policies"]));
        let mut policies: Vec<Policy> = written
            .iter()
            .map(|policy| Policy {
                percent: read::text(policy, &["type"]) == "Percent",
                value: read::number(policy, &["value"]),
                period: SimDuration::from_secs(
                    read::number(policy, &["periodSeconds"]).unsigned_abs(),
                ),
            })
            .collect();
        if policies.is_empty() {
            let fifteen = SimDuration::from_secs(15);
            let policy = |percent, value| Policy {
                percent,
                value,
                period: fifteen,
            };
            policies = if up {
                vec![policy(false, 4), policy(true, 100)]
            } else {
                vec![policy(true, 100)]
            };
        }
        Self {
            window: window.unwrap_or(if up { SimDuration::ZERO } else { down_window }),
            select,
            policies,
        }
    }
}

/// Without `behavior`: the highest recommendation of the window. Keeps the new one.
pub fn stabilized(
    recommendations: &mut Vec<Dated>,
    fresh: i64,
    window: SimDuration,
    now: SimTime,
) -> i64 {
    let cutoff = now.saturating_sub(window);
    recommendations.retain(|(at, _)| *at >= cutoff);
    let highest = recommendations
        .iter()
        .map(|(_, count)| *count)
        .max()
        .map_or(fresh, |old| old.max(fresh));
    recommendations.push((now, fresh));
    highest
}

/// With `behavior`: the present size, moved as little as both windows demand. Keeps the new one.
pub fn stabilized_both(
    recommendations: &mut Vec<Dated>,
    fresh: i64,
    current: i64,
    (up, down): (&Rules, &Rules),
    now: SimTime,
) -> i64 {
    let (mut lowest, mut highest) = (fresh, fresh);
    let within = |at: SimTime, window: SimDuration| at > now.saturating_sub(window);
    for (at, count) in recommendations.iter() {
        if within(*at, up.window) {
            lowest = lowest.min(*count);
        }
        if within(*at, down.window) {
            highest = highest.max(*count);
        }
    }
    recommendations.retain(|(at, _)| within(*at, up.window) || within(*at, down.window));
    recommendations.push((now, fresh));
    current.max(lowest).min(highest)
}

/// Without `behavior`: at most double, or four; within the bounds.
pub const fn bounded(current: i64, wanted: i64, min: i64, max: i64) -> (i64, Why) {
    let double = if current > 2 { 2 * current } else { 4 };
    let (ceiling, why) = if max > double {
        (double, UP_LIMIT)
    } else {
        (max, TOO_MANY)
    };
    if wanted < min {
        (min, TOO_FEW)
    } else if wanted > ceiling {
        (ceiling, why)
    } else {
        (wanted, WITHIN)
    }
}

/// What happened in the past.
#[derive(Clone, Copy, Debug)]
pub struct History<'a> {
    /// Pods added.
    pub ups: &'a [Dated],
    /// Pods removed.
    pub downs: &'a [Dated],
    /// Now.
    pub now: SimTime,
}

impl History<'_> {
    /// The size at the beginning of a period that ends now.
    fn base(&self, current: i64, period: SimDuration) -> i64 {
        let since = |list: &[Dated]| -> i64 {
            list.iter()
                .filter(|(at, _)| *at > self.now.saturating_sub(period))
                .map(|(_, count)| count)
                .sum()
        };
        current - since(self.ups) + since(self.downs)
    }
}

/// With `behavior`: as far as the policies let it, and within the bounds.
pub fn paced(
    current: i64,
    wanted: i64,
    (min, max): (i64, i64),
    (up, down): (&Rules, &Rules),
    history: History<'_>,
) -> (i64, Why) {
    if wanted > current {
        let limit = upper(current, up, history).max(current);
        let (ceiling, why) = if max > limit {
            (limit, UP_LIMIT)
        } else {
            (max, TOO_MANY)
        };
        if wanted > ceiling {
            return (ceiling, why);
        }
    } else if wanted < current {
        let limit = lower(current, down, history).min(current);
        let (floor, why) = if min < limit {
            (limit, DOWN_LIMIT)
        } else {
            (min, TOO_FEW)
        };
        if wanted < floor {
            return (floor, why);
        }
    }
    (wanted, WITHIN)
}

fn upper(current: i64, rules: &Rules, history: History<'_>) -> i64 {
    let limits = rules.policies.iter().map(|policy| {
        let base = history.base(current, policy.period);
        if policy.percent {
            // base × (1 + value/100), rounded up.
            share(policy).plus_one().times(whole(base)).ceiling()
        } else {
            base.saturating_add(policy.value)
        }
    });
    match rules.select {
        Select::Disabled => current,
        Select::Max => limits.max().unwrap_or(current),
        Select::Min => limits.min().unwrap_or(current),
    }
}

fn share(policy: &Policy) -> Double {
    Double::ratio(whole(policy.value), 100)
}

fn whole(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

fn lower(current: i64, rules: &Rules, history: History<'_>) -> i64 {
    let limits = rules.policies.iter().map(|policy| {
        let base = history.base(current, policy.period);
        if policy.percent {
            // base × (1 − value/100), cut off.
            share(policy).from_one().times(whole(base)).floor()
        } else {
            base.saturating_sub(policy.value)
        }
    });
    match rules.select {
        Select::Disabled => current,
        Select::Max => limits.min().unwrap_or(current),
        Select::Min => limits.max().unwrap_or(current),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> SimTime {
        SimTime::from_micros(seconds * 1_000_000)
    }

    fn rules(select: Select, policies: &[(bool, i64, u64)]) -> Rules {
        Rules {
            window: SimDuration::ZERO,
            select,
            policies: policies
                .iter()
                .map(|(percent, value, period)| Policy {
                    percent: *percent,
                    value: *value,
                    period: SimDuration::from_secs(*period),
                })
                .collect(),
        }
    }

    #[test]
    fn without_behavior_it_doubles_at_most() {
        assert_eq!(bounded(3, 1_000, 1, 2_000).0, 6);
        assert_eq!(bounded(1, 1_000, 1, 2_000).0, 4);
        assert_eq!(bounded(20, 1_000, 1, 10), (10, TOO_MANY));
        assert_eq!(bounded(3, 1, 2, 8), (2, TOO_FEW));
    }

    #[test]
    fn policies_look_back_a_period() {
        let past = [(at(900), 15)];
        let history = |ups, downs| History {
            ups,
            downs,
            now: at(1_000),
        };
        let up = |policies: &[(bool, i64, u64)]| {
            let up = rules(Select::Max, policies);
            let pair = (&up, &up);
            paced(100, 500, (1, 1_000), pair, history(&past, &[])).0
        };
        assert_eq!(up(&[(false, 150, 120)]), 235);
        assert_eq!(up(&[(true, 200, 120)]), 255);
        let down = |policies: &[(bool, i64, u64)], downs| {
            let down = rules(Select::Max, policies);
            paced(100, 2, (1, 1_000), (&down, &down), history(&[], downs)).0
        };
        assert_eq!(down(&[(false, 20, 60), (true, 1, 60)], &[]), 80);
        assert_eq!(down(&[(false, 5, 120)], &past), 100);
    }

    #[test]
    fn the_highest_of_five_minutes_holds() {
        let now = at(1_000);
        let window = SimDuration::from_secs(300);
        let ago = |list: &[(u64, i64)]| -> Vec<Dated> {
            list.iter()
                .map(|(age, count)| (at(1_000 - age), *count))
                .collect()
        };
        assert_eq!(
            stabilized(&mut ago(&[(120, 4), (60, 5)]), 3, window, now),
            5
        );
        let mut old = ago(&[(600, 10), (60, 4), (120, 5), (540, 9)]);
        assert_eq!(stabilized(&mut old, 3, window, now), 5);
    }
}
