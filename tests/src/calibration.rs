//! Holds the model of the kernel's CPU sharing against measurements of a real one.
//!
//! A file has rows of three kinds. What a measurement does not tell is where in the bandwidth period
//! it began:
//! * `busy` rows (medians of several runs) are compared with the median over all such phases;
//! * `request` rows with the one phase that explains both their least latency and their 90th
//!   percentile best;
//! * `shares` rows have no limit and no phase.
//!
//! A `shares` row is judged by each group's part of the CPU time that the row's groups got together,
//! because they ran beside other load. The part may be out by 3 % of itself; that of a group due
//! less than a twentieth by 3 % of the whole, since starting the processes one after another and
//! a single tick of 4 ms weigh as much as such a group's due in a run of seconds.

use std::fmt::Write as _;

use serde_json::Value;
use sim_core::substrate::kernel::bandwidth::Limit;
use sim_core::substrate::kernel::cpus::{Cpus, Work};

/// CPUs of the machine that a row was measured on, unless the row says otherwise.
const CPUS: u64 = 2;
/// Phases tried in each period.
const PHASES: u64 = 400;
/// Largest deviation of CPU times and of ratios.
const CPU_TOLERANCE: f64 = 0.03;
/// Largest deviation of period counts.
const PERIOD_TOLERANCE: f64 = 1.0;
/// Largest deviation of latencies, in milliseconds.
const LATENCY_TOLERANCE_MS: f64 = 2.0;
/// Part of a row below which a group's deviation counts against the whole.
const SMALL_PART: f64 = 0.05;
/// Longest measurement that is followed, in seconds.
const WALL_MAX_S: f64 = 600.0;
/// Most tasks, requests or CPUs of a row.
const COUNT_MAX: u64 = 1_024;
/// Most bandwidth periods of a run.
const PERIODS_MAX: f64 = 1_000_000.0;

/// What came of one row.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// Kind and settings.
    pub title: String,
    /// What was compared: name, modelled, measured, deviation in its own unit, whether it is in.
    pub lines: Vec<String>,
    /// Whether everything is within its bounds.
    pub ok: bool,
}

impl Verdict {
    fn new(title: String) -> Self {
        Self {
            title,
            lines: Vec::new(),
            ok: true,
        }
    }

    fn check(&mut self, what: &str, modelled: f64, measured: f64, deviation: &str, ok: bool) {
        let sign = if ok { "ok" } else { "OUT" };
        self.lines.push(format!(
            "{what:<14} model {modelled:>10.4}  measured {measured:>10.4}  {deviation:>10}  {sign}"
        ));
        self.ok &= ok;
    }

    fn relative(&mut self, what: &str, modelled: f64, measured: f64, tolerance: f64) {
        let deviation = if measured == 0.0 {
            if modelled == 0.0 { 0.0 } else { 1.0 }
        } else {
            (modelled - measured) / measured
        };
        let text = format!("{:+.2} %", deviation * 100.0);
        self.check(
            what,
            modelled,
            measured,
            &text,
            deviation.abs() <= tolerance,
        );
    }

    fn absolute(&mut self, what: &str, modelled: f64, measured: f64, tolerance: f64, unit: &str) {
        let deviation = modelled - measured;
        let text = format!("{deviation:+.2}{unit}");
        let ok = deviation.abs() <= tolerance + 1e-9;
        self.check(what, modelled, measured, &text, ok);
    }
}

/// Judges every row of a calibration file.
///
/// # Errors
/// A sentence if the text is not such a file.
pub fn judge(text: &str) -> Result<Vec<Verdict>, String> {
    let document: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let rows = document["rows"]
        .as_array()
        .ok_or("no list `rows`: this is not a calibration file")?;
    rows.iter()
        .zip(1..)
        .map(|(row, number)| row_verdict(row).map_err(|why| format!("row {number}: {why}")))
        .collect()
}

/// The report as text, and whether all is in.
pub fn report(verdicts: &[Verdict]) -> (String, bool) {
    let mut text = String::new();
    for verdict in verdicts {
        let _ = writeln!(
            text,
            "{} {}",
            if verdict.ok { "ok  " } else { "OUT " },
            verdict.title
        );
        for line in &verdict.lines {
            let _ = writeln!(text, "       {line}");
        }
    }
    let out = verdicts.iter().filter(|verdict| !verdict.ok).count();
    let _ = writeln!(
        text,
        "{} rows, {} within bounds, {out} out",
        verdicts.len(),
        verdicts.len() - out
    );
    (text, out == 0)
}

fn row_verdict(row: &Value) -> Result<Verdict, String> {
    match row["kind"].as_str() {
        Some("busy") => busy(row),
        Some("request") => request(row),
        Some("shares") => shares(row),
        Some(other) => Err(format!("unknown kind {other:?}")),
        None => Err("no kind".to_owned()),
    }
}

fn number(row: &Value, key: &str) -> Result<f64, String> {
    row[key]
        .as_f64()
        .filter(|value| value.is_finite() && *value >= 0.0)
        .ok_or_else(|| format!("{key} is not a number from 0 up"))
}

/// A count from 1 up.
fn count(row: &Value, key: &str, default: Option<u64>) -> Result<u64, String> {
    match (row[key].as_u64(), default) {
        (Some(value), _) if (1..=COUNT_MAX).contains(&value) => Ok(value),
        (None, Some(default)) if row[key].is_null() => Ok(default),
        _ => Err(format!("{key} is not a whole number from 1 to {COUNT_MAX}")),
    }
}

/// Seconds as nanoseconds.
fn nanoseconds(seconds: f64) -> Result<u64, String> {
    if (0.0..=WALL_MAX_S).contains(&seconds) {
        Ok((seconds * 1e9).round() as u64)
    } else {
        Err(format!("{seconds} s is not within {WALL_MAX_S} s"))
    }
}

/// The row's limit; none without a quota or with one below 0.
fn limit(row: &Value, span_s: f64) -> Result<(Option<Limit>, u64), String> {
    let period_us = row["period_us"]
        .as_u64()
        .filter(|period| (1_000..=1_000_000).contains(period))
        .ok_or("period_us is not within 1000 and 1000000")?;
    if span_s * 1e6 / period_us as f64 > PERIODS_MAX {
        return Err("too many periods".to_owned());
    }
    let period_ns = period_us * 1_000;
    let burst_ns = row["burst_us"].as_i64().unwrap_or(0).max(0) * 1_000;
    match row["quota_us"].as_i64() {
        Some(quota) if quota < 0 => Ok((None, period_ns)),
        Some(quota) if (1_000..=1_000_000_000).contains(&quota) => Ok((
            Some(Limit {
                quota_ns: quota * 1_000,
                period_ns,
                burst_ns,
            }),
            period_ns,
        )),
        _ => Err("quota_us is not -1 or at least 1000".to_owned()),
    }
}

fn quota_text(row: &Value) -> String {
    format!(
        "quota {} of {} µs",
        row["quota_us"].as_i64().unwrap_or(-1),
        row["period_us"].as_u64().unwrap_or(0)
    )
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len().is_multiple_of(2) {
        (values[middle - 1] + values[middle]) / 2.0
    } else {
        values[middle]
    }
}

/// Loops that look at the clock until the wall time is over.
fn busy(row: &Value) -> Result<Verdict, String> {
    let wall_s = number(row, "wall_s")?;
    let wall = nanoseconds(wall_s)?;
    let threads = count(row, "threads", Some(1))?;
    let cpus = count(row, "cpus", Some(CPUS))?;
    let (limit, period) = limit(row, wall_s)?;
    let (mut cpu, mut periods, mut throttled, mut waited) = (vec![], vec![], vec![], vec![]);
    // A twentieth of the phases is enough for a median, and short periods have many.
    for phase in 0..PHASES / 20 {
        let mut model = Cpus::new(cpus as usize);
        let group = model.add_group(
            1_024,
            limit.map(|limit| (limit, period * phase / (PHASES / 20) + period / 40)),
        );
        for thread in 0..threads {
            model.start(group, thread as usize, Work::Until(wall));
        }
        for _ in 0..threads {
            model.run(wall * 4 + 4_000_000_000);
        }
        let counters = model.counters(group);
        cpu.push(model.cpu_ns(group) as f64 / 1e9);
        periods.push(counters.periods as f64);
        throttled.push(counters.throttled as f64);
        waited.push(counters.throttled_ns as f64 / 1e9);
    }
    let mut verdict = Verdict::new(format!(
        "busy    {}, {threads} threads, {wall_s} s",
        quota_text(row)
    ));
    let measured = number(row, "cpu_s")?;
    verdict.relative("cpu_s", median(&mut cpu), measured, CPU_TOLERANCE);
    for (name, values) in [
        ("nr_periods", &mut periods),
        ("nr_throttled", &mut throttled),
    ] {
        let measured = number(row, name)?;
        verdict.absolute(name, median(values), measured, PERIOD_TOLERANCE, "");
    }
    if let Some(measured) = row["throttled_s"].as_f64() {
        verdict.lines.push(format!(
            "{:<14} model {:>10.4}  measured {measured:>10.4}  (not judged)",
            "throttled_s",
            median(&mut waited)
        ));
    }
    Ok(verdict)
}

/// Pieces of work at fixed times, one after another.
fn request(row: &Value) -> Result<Verdict, String> {
    let n = count(row, "n", None)?;
    let interval_ms = number(row, "interval_ms")?;
    let work = nanoseconds(number(row, "work_ms")? / 1e3)?;
    let interval = nanoseconds(interval_ms / 1e3)?;
    let (limit, period) = limit(row, interval_ms * n as f64 / 1e3)?;
    let measured = [
        number(&row["latency_ms"], "min")?,
        number(&row["latency_ms"], "p90")?,
    ];
    let mut best: Option<(f64, u64, [f64; 2], u64)> = None;
    for phase in 0..PHASES {
        let phase_ns = period * phase / PHASES;
        let (found, throttled) = latencies(limit, work, interval, phase_ns, n);
        let miss = (found[0] - measured[0])
            .abs()
            .max((found[1] - measured[1]).abs());
        if best.is_none_or(|(least, ..)| miss < least) {
            best = Some((miss, phase_ns, found, throttled));
        }
    }
    let (_, phase, found, throttled) = best.ok_or("no phases")?;
    let mut verdict = Verdict::new(format!(
        "request {}, {} ms every {interval_ms} ms, refill {:.2} ms after the first",
        quota_text(row),
        work as f64 / 1e6,
        phase as f64 / 1e6
    ));
    for (name, found, measured) in [
        ("min", found[0], measured[0]),
        ("p90", found[1], measured[1]),
    ] {
        verdict.absolute(name, found, measured, LATENCY_TOLERANCE_MS, " ms");
    }
    if let Some(measured) = row["nr_throttled"].as_u64() {
        verdict.lines.push(format!(
            "{:<14} model {throttled:>10}  measured {measured:>10}  (not judged)",
            "nr_throttled"
        ));
    }
    Ok(verdict)
}

/// Requests at whole intervals from time 0, refills `phase_ns` after that. Least and 90th percentile of latencies in milliseconds, and the count of throttled periods.
fn latencies(
    limit: Option<Limit>,
    work: u64,
    interval: u64,
    phase_ns: u64,
    n: u64,
) -> ([f64; 2], u64) {
    let mut model = Cpus::new(CPUS as usize);
    let group = model.add_group(1_024, limit.map(|limit| (limit, phase_ns)));
    let mut found = Vec::new();
    for number in 0..n {
        let start = (number * interval).max(model.now());
        while model.now() < start {
            model.run(start);
        }
        model.start(group, 0, Work::For(work));
        let end = model
            .run(u64::MAX / 4)
            .map_or_else(|| model.now(), |ended| ended.at);
        found.push((end - start) as f64 / 1e6);
    }
    let throttled = model.counters(group).throttled;
    found.sort_by(f64::total_cmp);
    let p90 = found[(found.len() * 9 / 10).min(found.len() - 1)];
    ([found[0], p90], throttled)
}

/// Groups that compete.
fn shares(row: &Value) -> Result<Verdict, String> {
    let wall_s = number(row, "wall_s")?;
    let wall = nanoseconds(wall_s)?;
    let cpus = count(row, "cpus", Some(CPUS))?;
    let groups = row["groups"]
        .as_array()
        .filter(|groups| (1..=64).contains(&groups.len()))
        .ok_or("no list `groups` of 1 to 64")?;
    let mut model = Cpus::new(cpus as usize);
    let mut measured = Vec::new();
    let mut ids = Vec::new();
    let mut tasks = 0;
    for group in groups {
        let shares = group["shares"]
            .as_u64()
            .filter(|shares| (2..=262_144).contains(shares))
            .ok_or("shares are not within 2 and 262144")?;
        let id = model.add_group(shares, None);
        ids.push((id, shares));
        for thread in 0..count(group, "threads", Some(1))? {
            model.start(id, thread as usize, Work::Until(wall));
            tasks += 1;
        }
        measured.push(number(group, "cpu_s")?);
    }
    // Ending tasks leave the CPUs to the others, so the count is taken before the first ends.
    model.run(wall - 1);
    let modelled: Vec<f64> = ids
        .iter()
        .map(|(id, _)| model.cpu_ns(*id) as f64 / 1e9)
        .collect();
    let (all, all_measured) = (
        modelled.iter().sum::<f64>().max(1e-9),
        measured.iter().sum::<f64>().max(1e-9),
    );
    let mut verdict = Verdict::new(format!(
        "shares  {tasks} threads on {cpus} CPUs, {wall_s} s"
    ));
    for ((modelled, measured), (_, shares)) in modelled.iter().zip(&measured).zip(&ids) {
        let (part, part_measured) = (modelled / all, measured / all_measured);
        let what = format!("{shares} shares");
        if part < SMALL_PART {
            let deviation = part - part_measured;
            let text = format!("{:+.2} % abs", deviation * 100.0);
            verdict.check(
                &what,
                part,
                part_measured,
                &text,
                deviation.abs() <= CPU_TOLERANCE,
            );
        } else {
            verdict.relative(&what, part, part_measured, CPU_TOLERANCE);
        }
    }
    Ok(verdict)
}
