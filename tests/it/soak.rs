//! A few seeds of `podium soak` at every run of the tests; the command takes as many as one likes.

use sim_core::soak;

#[test]
fn random_experiments_keep_their_invariants_and_converge() {
    // The last two ask a global service for its rollback while no node is up, and roll a global job back.
    let failures: Vec<String> = (1..=40)
        .chain([5573, 99])
        .filter_map(|seed| soak::run(seed).err())
        .map(|failure| failure.to_string())
        .collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn a_seed_is_a_whole_experiment() {
    let first = soak::run(7).expect("seed 7 is clean");
    assert_eq!(soak::run(7), Ok(first));
    assert!(first.events > 100, "something happened: {first:?}");
}
