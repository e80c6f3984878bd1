//! Independent pieces of work on several threads, their results in order.

use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::num::NonZero;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

/// How many pieces run at once, and how many threads each has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// Pieces at once.
    pub jobs: usize,
    /// Threads of each.
    pub threads: usize,
}

impl Share {
    /// Divides `threads` (0: one a core) among `jobs` (0: one a thread).
    pub fn new(jobs: usize, threads: usize) -> Self {
        let cores = || thread::available_parallelism().map_or(1, NonZero::get);
        let threads = if threads == 0 { cores() } else { threads };
        let jobs = if jobs == 0 { threads } else { jobs };
        Self { jobs, threads: (threads / jobs).max(1) }
    }
}

/// Runs `work` on all items, and hands the results to `done` in the order of the items, as early as that allows.
///
/// # Errors
/// Threads that cannot be started, or the first error of `done`; nothing new is started after it.
pub fn in_order<T: Sync, R: Send>(
    share: Share,
    items: &[T],
    work: impl Fn(&T) -> R + Sync,
    mut done: impl FnMut(&T, R) -> Result<()>,
) -> Result<()> {
    let pool = || rayon::ThreadPoolBuilder::new().num_threads(share.threads).build();
    let pools: Result<Vec<_>, _> = (0..share.jobs.min(items.len())).map(|_| pool()).collect();
    let pools = pools.with_context(|| format!("cannot start {} threads", share.threads))?;
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
    fn results_come_in_order_whoever_is_faster() {
        let items: Vec<u64> = (0..20).collect();
        let share = Share { jobs: 4, threads: 1 };
        let mut found = Vec::new();
        let work = |item: &u64| {
            thread::sleep(Duration::from_millis(item % 3));
            (*item * 2, rayon::current_num_threads())
        };
        let done = |_: &u64, result| {
            found.push(result);
            Ok(())
        };
        in_order(share, &items, work, done).unwrap();
        assert_eq!(found, (0..20).map(|item| (item * 2, 1)).collect::<Vec<_>>());
    }

    #[test]
    fn the_first_error_by_order_ends_it_after_what_came_before() {
        let mut seen = Vec::new();
        let work = |item: &u64| if *item >= 3 { Err(anyhow::anyhow!("item {item}")) } else { Ok(*item) };
        let error = in_order(Share { jobs: 3, threads: 1 }, &[0, 1, 2, 3, 4, 5], work, |_, item| {
            seen.push(item?);
            Ok(())
        });
        assert_eq!((error.unwrap_err().to_string(), seen), ("item 3".into(), vec![0, 1, 2]));
    }

    #[test]
    fn threads_are_shared_among_jobs() {
        assert_eq!(Share::new(2, 8), Share { jobs: 2, threads: 4 });
        assert_eq!(Share::new(0, 3), Share { jobs: 3, threads: 1 });
        assert_eq!(Share::new(4, 2), Share { jobs: 4, threads: 1 });
    }
}
