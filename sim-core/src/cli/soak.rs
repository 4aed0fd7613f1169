//! `podium soak`: many seeds, each a random experiment that must stay within its invariants and converge.

use std::time::Instant;

use crate::base::rng::Seed;
use crate::soak;
use crate::soak::plan::Plan;

use super::options::SoakOptions;
use super::{Stop, note, print};

pub(crate) fn run(options: &SoakOptions) -> Result<u8, Stop> {
    if options.print {
        print(&Plan::new(Seed(options.first)).to_string());
        return Ok(0);
    }
    let started = Instant::now();
    let (mut clean, mut failed, mut events) = (0_u64, 0_u64, 0_u64);
    for seed in options.first..options.first.saturating_add(options.seeds) {
        match soak::run(seed) {
            Ok(summary) => {
                clean += 1;
                events += summary.events;
            }
            Err(failure) => {
                failed += 1;
                print(&format!("{failure}\n"));
            }
        }
        if (clean + failed).is_multiple_of(100) {
            note(&format!("{} of {} seeds", clean + failed, options.seeds));
        }
    }
    print(&format!(
        "soak: {clean} passed, {failed} failed; {events} events in {:.1} s\n",
        started.elapsed().as_secs_f64()
    ));
    Ok(u8::from(failed > 0))
}
