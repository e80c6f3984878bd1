//! `nas-train cluster status`.

use crate::cluster::{Plan, RunState, Slurm, States, rounds, seconds_left};
use crate::exit::ExitStatus;
use crate::text::{duration, print};
use anyhow::Result;
use serde_json::json;

/// Prints the counts of runs by state, the messages of failed runs, and the time left.
///
/// # Errors
/// A damaged plan, or a scheduler that does not answer.
pub fn status(plan: &Plan, json: bool) -> Result<ExitStatus> {
    let rounds = rounds(plan)?;
    // A finished plan may have been copied to a machine without Slurm.
    let is_finished = States::unfinished(&plan.dir, plan.names()?).is_empty();
    let queue = if rounds.is_empty() || is_finished { Vec::new() } else { Slurm.queue(plan)? };
    let states = States::read(plan, &rounds, &queue)?;
    let count = |is_in_state: &dyn Fn(&RunState) -> bool| states.count(is_in_state);
    // Without submission, a run that is not finished is not lost either.
    let is_submitted = !rounds.is_empty();
    let problems = if is_submitted { states.problems() } else { states.failures() };
    let left = seconds_left(&states, &rounds);
    if json {
        let line = json!({
            "type": "cluster",
            "runs": states.names.len(),
            "done": states.done(),
            "running": count(&|state| *state == RunState::Running),
            "pending": count(&|state| *state == RunState::Pending),
            "failed": count(&|state| matches!(state, RunState::Failed(_))),
            "stopped": count(&|state| *state == RunState::Stopped),
            "lost": if is_submitted { count(&|state| *state == RunState::Lost) } else { 0 },
            "seconds_left": left,
            "problems": problems,
        });
        print(&line.to_string())?;
        return Ok(ExitStatus::Success);
    }
    let mut text = match is_submitted {
        true => states.summary(),
        false => format!("{} of {} runs done; they were not submitted to Slurm", states.done(), states.names.len()),
    };
    let is_active = count(&|state| matches!(state, RunState::Running | RunState::Pending)) > 0;
    if let Some(left) = left.filter(|_| is_active) {
        text += &format!("; about {} left", duration(left));
    }
    for problem in problems {
        text += &format!("\n{problem}");
    }
    print(&text)?;
    Ok(ExitStatus::Success)
}
