//! A thousand seeds, each twice; the seeds that failed once; and the teeth of the checker.

use std::{
    collections::BTreeSet,
    path::Path,
    sync::{Mutex, PoisonError},
};

use anyhow::Result;
use clap::ValueEnum;
use simulation::{
    course::Manner,
    faults::Mutation,
    seeds::{Theatre, Verdict, kept, known_to_fail},
};

/// `cargo xtask sim N` runs more.
const SEEDS: u64 = 1_000;
/// A mutation must be found within so many seeds: not each has what it needs.
const SEEDS_WITH_TEETH: u64 = 48;

fn theatre() -> Result<Theatre> {
    Theatre::around(Path::new(env!("CARGO_BIN_EXE_simulation")))
}

fn judged(seeds: &[u64]) -> Result<()> {
    let failed = Mutex::new(Vec::new());
    theatre()?.judge_all(seeds, Manner::default(), |verdict: &Verdict| {
        if !verdict.is_well() {
            failed.lock().unwrap_or_else(PoisonError::into_inner).push(verdict.told());
        }
    });
    let failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
    assert!(
        failed.is_empty(),
        "{} of {} failed:\n{}",
        failed.len(),
        seeds.len(),
        failed.join("\n")
    );
    Ok(())
}

#[test]
fn a_thousand_seeds_hold() -> Result<()> {
    let known = known_to_fail();
    judged(&(0..SEEDS).filter(|seed| !known.contains(seed)).collect::<Vec<_>>())
}

#[test]
fn seeds_that_failed_once_hold() -> Result<()> {
    let kept = kept();
    assert_eq!(kept.len(), kept.iter().collect::<BTreeSet<_>>().len(), "a seed stands twice");
    judged(&kept)
}

/// What is broken on purpose must be found, and be called what it is.
#[test]
fn each_mutation_is_found() -> Result<()> {
    let theatre = theatre()?;
    for mutation in Mutation::ALL {
        let named = match mutation {
            Mutation::DurableTooEarly => "left before its plan was on disk",
            Mutation::DoubledCommit => "Commits { own: 2",
            Mutation::CancelFirst => "heard of revision",
            Mutation::ForgottenCommit => "Commits { own: 0, recovered: 0 }",
            Mutation::SwallowedEnd => "and never of the end",
            Mutation::ExerciseLeaks => "an exercise reached",
        };
        let manner = Manner { mutation: Some(mutation), ..Manner::default() };
        let found = (0..SEEDS_WITH_TEETH).any(|seed| {
            let ran = theatre.run(seed, manner);
            ran.is_ok_and(|(_, broken)| broken.iter().any(|why| why.contains(named)))
        });
        let name = mutation.to_possible_value().map(|value| value.get_name().to_owned());
        assert!(found, "{name:?} was not found within {SEEDS_WITH_TEETH} seeds");
    }
    Ok(())
}
