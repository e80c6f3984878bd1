//! Parallel execution: a thread pool for one piece of work, and parallel jobs whose results arrive in sequence.

use crate::device::Device;
use crate::exit::UsageError;
use anyhow::{Context, Result};
use nas_core::config::RunConfig;
use std::collections::BTreeMap;
use std::num::NonZero;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

/// The division of threads among parallel jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ThreadsPerJob {
    /// Number of jobs that run in parallel, at least 1.
    pub jobs: usize,
    /// Number of threads of each job, at least 1.
    pub threads: usize,
}

impl ThreadsPerJob {
    /// The division for the option `--jobs` on the device of a configuration. Jobs on one GPU wait for each other, so 0
    /// is a single job there.
    ///
    /// # Errors
    /// An unknown device, or one that this build does not support.
    pub fn of(jobs: u32, config: &RunConfig) -> Result<Self, UsageError> {
        let jobs = if Device::of(config)? == Device::Cpu { jobs } else { jobs.max(1) };
        Ok(Self::new(jobs as usize, config.threads))
    }

    /// Divides `threads` (0: one per core) among `jobs` (0: one job per thread).
    pub fn new(jobs: usize, threads: usize) -> Self {
        let cores = || thread::available_parallelism().map_or(1, NonZero::get);
        let threads = if threads == 0 { cores() } else { threads };
        let jobs = if jobs == 0 { threads } else { jobs };
        Self { jobs, threads: (threads / jobs).max(1) }
    }
}

/// Runs `work` inside a new pool of `threads` threads, 0 for one per core. All parallel operations of `work` use it.
///
/// Running inside the pool avoids waking one of its threads for every operation.
///
/// # Errors
/// Threads that cannot be started, or the error of `work`.
pub fn in_thread_pool<R: Send>(threads: usize, work: impl FnOnce() -> Result<R> + Send) -> Result<R> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    pool.with_context(|| format!("cannot start the threads of --threads {threads}"))?.install(work)
}

/// Runs `work` on all items in parallel and passes the results to `done` in the sequence of the items. Each result is
/// passed on as soon as those of all earlier items have been.
///
/// # Errors
/// Threads that cannot be started, or the first error of `done`. No further item is started after an error.
pub fn ordered_parallel_map<T: Sync, R: Send>(
    threads: ThreadsPerJob,
    items: &[T],
    work: impl Fn(&T) -> R + Sync,
    mut done: impl FnMut(&T, R) -> Result<()>,
) -> Result<()> {
    let pool = || rayon::ThreadPoolBuilder::new().num_threads(threads.threads).build();
    let pools: Result<Vec<_>, _> = (0..threads.jobs.min(items.len())).map(|_| pool()).collect();
    let pools = pools.with_context(|| {
        format!("cannot start {} x {} threads: use fewer --jobs or --threads", threads.jobs, threads.threads)
    })?;
    let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        let (sender, receiver) = mpsc::channel();
        for pool in pools {
            let (sender, next, stop, work) = (sender.clone(), &next, &stop, &work);
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(number) else { return };
                    if sender.send((number, pool.install(|| work(item)))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        let outcome = deliver(items, &receiver, &mut done);
        stop.store(true, Ordering::Relaxed);
        outcome
    })
}

fn deliver<T, R>(
    items: &[T],
    receiver: &mpsc::Receiver<(usize, R)>,
    done: &mut impl FnMut(&T, R) -> Result<()>,
) -> Result<()> {
    let mut waiting = BTreeMap::new();
    for (number, item) in items.iter().enumerate() {
        let result = loop {
            if let Some(result) = waiting.remove(&number) {
                break result;
            }
            let (number, result) = receiver.recv().context("a worker thread has stopped")?;
            waiting.insert(number, result);
        };
        done(item, result)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn results_arrive_in_item_sequence() {
        let items: Vec<u64> = (0..20).collect();
        let threads = ThreadsPerJob { jobs: 4, threads: 1 };
        let mut found = Vec::new();
        let work = |item: &u64| {
            thread::sleep(Duration::from_millis(item % 3));
            (*item * 2, rayon::current_num_threads())
        };
        let done = |_: &u64, result| {
            found.push(result);
            Ok(())
        };
        ordered_parallel_map(threads, &items, work, done).unwrap();
        assert_eq!(found, (0..20).map(|item| (item * 2, 1)).collect::<Vec<_>>());
    }

    #[test]
    fn the_first_error_stops_the_map_after_the_results_before_it() {
        let mut seen = Vec::new();
        let work = |item: &u64| if *item >= 3 { Err(anyhow::anyhow!("item {item}")) } else { Ok(*item) };
        let error =
            ordered_parallel_map(ThreadsPerJob { jobs: 3, threads: 1 }, &[0, 1, 2, 3, 4, 5], work, |_, item| {
                seen.push(item?);
                Ok(())
            });
        assert_eq!((error.unwrap_err().to_string(), seen), ("item 3".into(), vec![0, 1, 2]));
    }

    #[test]
    fn threads_are_divided_among_jobs() {
        assert_eq!(ThreadsPerJob::new(2, 8), ThreadsPerJob { jobs: 2, threads: 4 });
        assert_eq!(ThreadsPerJob::new(0, 3), ThreadsPerJob { jobs: 3, threads: 1 });
        assert_eq!(ThreadsPerJob::new(4, 2), ThreadsPerJob { jobs: 4, threads: 1 });
    }
}
