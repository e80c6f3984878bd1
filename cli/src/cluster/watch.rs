//! Waiting for the runs of a plan, and submitting lost ones again.

use super::slurm::QueuedTask;
use super::{Plan, Round, RunState, Slurm, States, rounds, runs_are, submit};
use crate::exit::chained;
use crate::progress::ProgressDisplay;
use crate::signal;
use anyhow::Result;
use nas_core::config::ClusterConfig;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Time between two looks at the interrupt flag.
const PAUSE: Duration = Duration::from_millis(100);
/// The longest time between two questions to a scheduler that does not answer.
const MAX_INTERVAL: Duration = Duration::from_secs(300);

/// How waiting ended.
#[derive(Debug)]
pub enum Watched {
    /// No task is left in the queue. Failed and lost runs are not submitted again.
    Ended(States),
    /// An interrupt signal came; the tasks go on.
    Detached,
}

/// Waits until no run is pending or running. A run that is lost, or failed in a way that another attempt may not, is submitted
/// again, as often as the configuration allows. While no task has written anything, lost runs are not: the cause is probably
/// the same for all of them, such as a directory that the nodes do not see.
///
/// # Errors
/// A damaged plan, or a submission that fails.
pub fn watch(
    plan: &Plan,
    config: &ClusterConfig,
    progress: &mut ProgressDisplay,
    cancel: &AtomicBool,
) -> Result<Watched> {
    let interval = Duration::from_secs(config.poll_seconds);
    let mut wait = interval;
    signal::set_waiting();
    // A listing of a shared file system may be old: a run counts as lost when two readings in succession miss it.
    let (mut suspects, mut shown_reasons) = (BTreeSet::new(), BTreeSet::new());
    loop {
        if cancel.load(Ordering::Relaxed) {
            return Ok(Watched::Detached);
        }
        match Slurm.queue(plan) {
            Ok(queue) => {
                wait = interval;
                let rounds = rounds(plan)?;
                let states = States::read(plan, &rounds, &queue)?;
                show(&states, &rounds, progress);
                if !states.reasons.is_empty() && shown_reasons != states.reasons {
                    progress.print_line(&states.waiting());
                    shown_reasons.clone_from(&states.reasons);
                }
                let lost: BTreeSet<usize> = states.chosen(|_, state| *state == RunState::Lost).into_iter().collect();
                let certain: BTreeSet<usize> = lost.intersection(&suspects).copied().collect();
                let is_certain = certain.len() == lost.len();
                suspects = lost;
                let is_retried = |states: &States, run: usize, state: &RunState| {
                    let is_lost_for_sure = *state != RunState::Lost || (certain.contains(&run) && states.is_seen);
                    let may_be_repeated = !states.is_cancelled && states.submissions[run] <= config.retries;
                    is_lost_for_sure && may_be_repeated && state.is_worth_retrying()
                };
                let retried = |states: &States| states.chosen(|run, state| is_retried(states, run, state));
                let is_idle = states.count(|state| matches!(state, RunState::Running | RunState::Pending)) == 0;
                let again = retried(&states);
                if is_idle && is_certain && again.is_empty() {
                    return Ok(Watched::Ended(states));
                }
                if !again.is_empty() {
                    let choose =
                        |rounds: &[Round], queue: &[QueuedTask]| Ok(retried(&States::read(plan, rounds, queue)?));
                    match submit(plan, config, choose) {
                        Ok(0) => {}
                        Ok(count) => progress
                            .print_line(&format!("{} submitted again after a loss or a failure", runs_are(count))),
                        Err(error) if is_idle => return Err(error),
                        // The other tasks go on, and a later submission may succeed.
                        Err(error) => progress.print_line(&format!("warning: {}", chained(&error))),
                    }
                }
            }
            Err(error) => {
                progress.print_line(&format!("warning: {}", chained(&error)));
                wait = (2 * wait).min(MAX_INTERVAL);
            }
        }
        let asked = Instant::now();
        while asked.elapsed() < wait && !cancel.load(Ordering::Relaxed) {
            thread::sleep(PAUSE);
        }
    }
}

/// Shows the counts, and the time left at the rate so far.
fn show(states: &States, rounds: &[Round], progress: &mut ProgressDisplay) {
    let (done, total) = (states.done(), states.names.len());
    progress.count("runs", done, total, &states.unfinished_counts(), seconds_left(states, rounds));
}

/// The time in which the remaining runs finish at the rate since the first submission, in seconds; none before the first run
/// is done.
pub fn seconds_left(states: &States, rounds: &[Round]) -> Option<f64> {
    let elapsed = rounds.first()?.age().as_secs_f64();
    // Runs that were finished before the submission say nothing about the rate.
    let submitted = rounds.first()?.runs(states.names.len()).count();
    let done = (states.done() + submitted).saturating_sub(states.names.len());
    (done > 0).then(|| elapsed / done as f64 * (states.names.len() - states.done()) as f64)
}
