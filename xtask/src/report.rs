//! What the user reads: one line for each thing done, its time, and the table at the end.

use std::time::Duration;

/// Says one thing: what is done, and why.
pub(crate) fn say(text: &str) {
    println!("xtask: {text}");
}

/// A time as people say it: `0.4 s`, `12 s`, `3 m 05 s`.
pub(crate) fn spell(time: Duration) -> String {
    let seconds = time.as_secs();
    if seconds < 10 {
        format!("{:.1} s", time.as_secs_f64())
    } else if seconds < 60 {
        format!("{seconds} s")
    } else {
        format!("{} m {:02} s", seconds / 60, seconds % 60)
    }
}

/// One line of the closing table.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) verdict: String,
    pub(crate) time: Duration,
    /// The closing lines of the step's own runners.
    pub(crate) closing: Vec<String>,
}

/// Prints the closing table.
pub(crate) fn table(rows: &[Row], total: Duration) {
    println!();
    for row in rows {
        println!(
            "{:<12} {:<8} {:>10}",
            row.name,
            row.verdict,
            spell(row.time)
        );
        for line in &row.closing {
            println!("             {line}");
        }
    }
    println!("{:<12} {:<8} {:>10}", "total", "", spell(total));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_spelled_as_people_say_them() {
        assert_eq!(spell(Duration::from_millis(420)), "0.4 s");
        assert_eq!(spell(Duration::from_secs(59)), "59 s");
        assert_eq!(spell(Duration::from_secs(185)), "3 m 05 s");
    }
}
