//! Waiting for the runs of a plan, and submitting lost ones again.

use super::slurm::QueuedTask;
use super::{Plan, Round, RunState, Slurm, States, rounds, runs_are, submit};
use crate::exit::chained;
use crate::progress::ProgressDisplay;
use crate::signal;
use anyhow::{Error, Result};
use nas_core::config::ClusterConfig;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Time between two checks of the interrupt flag.
const PAUSE: Duration = Duration::from_millis(100);
/// The longest time between two queries of a scheduler that does not answer.
const MAX_INTERVAL: Duration = Duration::from_secs(300);

/// How waiting ended.
#[derive(Debug)]
pub enum Watched {
    /// No task is left in the queue. Failed and lost runs are not submitted again.
    Ended(States),
    /// An interrupt signal came; the tasks go on.
    Detached,
}

/// Waits until no run is pending or running. A run that is lost, or failed in a way that another attempt may not, is
/// submitted again, as often as the configuration allows. While no task has written anything, lost runs are not: the
/// cause is probably the same for all of them, such as a directory that the nodes do not see.
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
    let mut watch = Watch { plan, config, progress, lost_before: BTreeSet::new(), shown_reasons: BTreeSet::new() };
    signal::set_waiting();
    loop {
        if cancel.load(Ordering::Relaxed) {
            return Ok(Watched::Detached);
        }
        match Slurm.queue(plan) {
            Ok(queue) => {
                wait = interval;
                if let Some(states) = watch.check_queue(&queue)? {
                    return Ok(Watched::Ended(states));
                }
            }
            Err(error) => {
                watch.warn(&error);
                wait = (2 * wait).min(MAX_INTERVAL);
            }
        }
        let queried = Instant::now();
        while queried.elapsed() < wait && !cancel.load(Ordering::Relaxed) {
            thread::sleep(PAUSE);
        }
    }
}

/// State of a waiting command between two queries of the queue.
struct Watch<'a> {
    plan: &'a Plan,
    config: &'a ClusterConfig,
    progress: &'a mut ProgressDisplay,
    /// Runs that were lost at the previous query. Listings of shared file systems may be stale, so a run counts as lost
    /// only after two consecutive queries.
    lost_before: BTreeSet<usize>,
    shown_reasons: BTreeSet<String>,
}

impl Watch<'_> {
    /// Shows the states of the runs, and submits again what may be repeated. Returns the states if no task is left.
    fn check_queue(&mut self, queue: &[QueuedTask]) -> Result<Option<States>> {
        let rounds = rounds(self.plan)?;
        let states = States::read(self.plan, &rounds, queue)?;
        self.show(&states, &rounds);
        let lost: BTreeSet<usize> = states.chosen(|_, state| *state == RunState::Lost).into_iter().collect();
        let confirmed: BTreeSet<usize> = lost.intersection(&self.lost_before).copied().collect();
        let all_confirmed = confirmed.len() == lost.len();
        self.lost_before = lost;
        let is_idle = states.count(|state| matches!(state, RunState::Running | RunState::Pending)) == 0;
        if !self.retried(&states, &confirmed).is_empty() {
            self.submit_again(&confirmed, is_idle)?;
            return Ok(None);
        }
        Ok((is_idle && all_confirmed).then_some(states))
    }

    /// The runs that another attempt may finish. `confirmed` are those that were lost at two consecutive queries.
    fn retried(&self, states: &States, confirmed: &BTreeSet<usize>) -> Vec<usize> {
        states.chosen(|run, state| {
            let is_confirmed = *state != RunState::Lost || (confirmed.contains(&run) && states.is_seen);
            let may_be_repeated = !states.is_cancelled && states.submissions[run] <= self.config.retries;
            is_confirmed && may_be_repeated && state.is_worth_retrying()
        })
    }

    /// Submits these runs. An error is a warning while other tasks go on, because a later submission may succeed.
    fn submit_again(&mut self, confirmed: &BTreeSet<usize>, is_idle: bool) -> Result<()> {
        let choose = |rounds: &[Round], queue: &[QueuedTask]| {
            Ok(self.retried(&States::read(self.plan, rounds, queue)?, confirmed))
        };
        match submit(self.plan, self.config, choose) {
            Ok(0) => {}
            Ok(count) => {
                self.progress.print_line(&format!("{} submitted again after a loss or a failure", runs_are(count)));
            }
            Err(error) if is_idle => return Err(error),
            Err(error) => self.warn(&error),
        }
        Ok(())
    }

    /// Shows the counts, the time left at the rate so far, and new reasons for which Slurm starts no task.
    fn show(&mut self, states: &States, rounds: &[Round]) {
        let (done, total) = (states.done(), states.names.len());
        self.progress.count("runs", done, total, &states.unfinished_counts(), seconds_left(states, rounds));
        if !states.reasons.is_empty() && self.shown_reasons != states.reasons {
            self.progress.print_line(&states.waiting());
            self.shown_reasons.clone_from(&states.reasons);
        }
    }

    fn warn(&mut self, error: &Error) {
        self.progress.print_line(&format!("warning: {}", chained(error)));
    }
}

/// The time in which the remaining runs finish at the rate since the first submission, in seconds; none before the
/// first run is done.
pub fn seconds_left(states: &States, rounds: &[Round]) -> Option<f64> {
    let elapsed = rounds.first()?.age().as_secs_f64();
    // Runs that finished before the submission are not part of the rate.
    let submitted = rounds.first()?.runs(states.names.len()).count();
    let done = (states.done() + submitted).saturating_sub(states.names.len());
    (done > 0).then(|| elapsed / done as f64 * (states.names.len() - states.done()) as f64)
}
