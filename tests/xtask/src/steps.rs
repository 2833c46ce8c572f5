//! Steps with a headline, their time, and which of them failed. No step stops the next.

use std::time::Instant;

use anyhow::Result;

/// The steps taken so far.
#[derive(Default)]
pub struct Steps {
    taken: Vec<Step>,
}

struct Step {
    name: &'static str,
    seconds: f64,
    went_well: bool,
}

impl Steps {
    /// Takes one step, and says what came of it.
    pub fn take(&mut self, name: &'static str, step: impl FnOnce() -> Result<()>) {
        println!("\n── {name}");
        let began = Instant::now();
        let outcome = step();
        let seconds = began.elapsed().as_secs_f64();
        match &outcome {
            Ok(()) => println!("── {name}: done in {seconds:.1} s"),
            Err(error) => println!("── {name}: FAILED after {seconds:.1} s: {error:#}"),
        }
        self.taken.push(Step { name, seconds, went_well: outcome.is_ok() });
    }

    /// One line a step.
    pub fn sum_up(&self) {
        println!();
        for step in &self.taken {
            let outcome = if step.went_well { "ok    " } else { "FAILED" };
            println!("{outcome} {:8.1} s  {}", step.seconds, step.name);
        }
    }

    /// Whether no step failed.
    pub fn all_went_well(&self) -> bool {
        self.taken.iter().all(|step| step.went_well)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_step_is_remembered_and_the_next_is_taken_all_the_same() {
        let mut steps = Steps::default();
        steps.take("first", || anyhow::bail!("no"));
        assert!(!steps.all_went_well());
        let mut second_was_taken = false;
        steps.take("second", || {
            second_was_taken = true;
            Ok(())
        });
        assert!(second_was_taken);
        assert!(!steps.all_went_well());
    }
}
