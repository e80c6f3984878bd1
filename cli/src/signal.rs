//! Ctrl-C and termination signals. The first one ends the run after the current step. A further one, more than one
//! second later, ends it immediately. Signals that are ignored at the start stay ignored, so that `nohup nas-train`
//! survives the end of its terminal. SIGUSR1 asks for a checkpoint.

use crate::exit::ExitStatus;
use crate::text::eprint_line;
use anyhow::{Context, Result};
#[cfg(unix)]
use signal_hook::{consts::SIGUSR1, iterator::Signals};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Time after the first signal in which further ones belong to the same request: `timeout` and schedulers may signal a
/// process and its group, and a terminal may repeat a key.
const SAME_REQUEST: Duration = Duration::from_secs(1);

static CANCEL: AtomicBool = AtomicBool::new(false);
static REQUESTS: AtomicU64 = AtomicU64::new(0);
static LISTENING: AtomicBool = AtomicBool::new(false);
/// Whether this process is a task of a cluster.
static IS_TASK: AtomicBool = AtomicBool::new(false);
/// Whether SIGUSR1 announces the end of the task's time.
static ENDS_BY_SIGNAL: AtomicBool = AtomicBool::new(false);
/// Whether this process only waits for tasks of a cluster, which go on after its end.
static IS_WAITING: AtomicBool = AtomicBool::new(false);
/// Whether the scheduler has announced the end of the task's time.
static TIME_IS_OVER: AtomicBool = AtomicBool::new(false);

/// The flag that Ctrl-C or a termination signal sets. The first call installs the signal handler.
///
/// # Errors
/// The signal handler cannot be installed.
pub fn cancel() -> Result<&'static AtomicBool> {
    if !LISTENING.swap(true, Ordering::SeqCst) {
        #[cfg(unix)]
        let ignored = unix::ignored();
        ctrlc::set_handler(interrupted).context("cannot install the handler of Ctrl-C")?;
        #[cfg(unix)]
        for signal in ignored {
            unix::ignore(signal);
        }
        #[cfg(unix)]
        count_checkpoint_requests()?;
    }
    Ok(&CANCEL)
}

/// As [`cancel`], for a task of a cluster: no further signal ends the process before it has written a checkpoint. A
/// scheduler may send several, and it kills the process in the end. With `ends_by_signal`, SIGUSR1 announces the end of
/// the task's time.
///
/// # Errors
/// The signal handler cannot be installed.
pub fn cancel_as_task(ends_by_signal: bool) -> Result<&'static AtomicBool> {
    IS_TASK.store(true, Ordering::SeqCst);
    ENDS_BY_SIGNAL.store(ends_by_signal, Ordering::SeqCst);
    cancel()
}

/// Leaves out the line of an interrupted run from now on, because this process only waits for others.
pub fn set_waiting() {
    IS_WAITING.store(true, Ordering::SeqCst);
}

/// Whether the task's time is over, so that it must be queued again.
pub fn must_requeue() -> bool {
    TIME_IS_OVER.load(Ordering::SeqCst)
}

/// Number of signals SIGUSR1 so far. Each asks all runs of this process for a checkpoint.
pub fn checkpoint_requests() -> u64 {
    REQUESTS.load(Ordering::Relaxed)
}

/// Counts the signals SIGUSR1 from now on.
#[cfg(unix)]
fn count_checkpoint_requests() -> Result<()> {
    let mut signals = Signals::new([SIGUSR1]).context("cannot install the handler of SIGUSR1")?;
    std::thread::spawn(move || {
        for _ in signals.forever() {
            REQUESTS.fetch_add(1, Ordering::Relaxed);
            if ENDS_BY_SIGNAL.load(Ordering::SeqCst) {
                TIME_IS_OVER.store(true, Ordering::SeqCst);
                CANCEL.store(true, Ordering::SeqCst);
            }
        }
    });
    Ok(())
}

fn interrupted() {
    if IS_TASK.load(Ordering::SeqCst) {
        CANCEL.store(true, Ordering::SeqCst);
        return;
    }
    static FIRST: OnceLock<Instant> = OnceLock::new();
    let first = *FIRST.get_or_init(Instant::now);
    if CANCEL.swap(true, Ordering::SeqCst) {
        if first.elapsed() < SAME_REQUEST {
            return;
        }
        std::process::exit(i32::from(ExitStatus::Interrupted as u8));
    }
    if IS_WAITING.load(Ordering::SeqCst) {
        return;
    }
    eprint_line("interrupted: the run ends after the current step; press Ctrl-C again to stop immediately");
}

/// Turns the signal of a limited file size (`ulimit -f`) into an error of the write, which names the file.
pub fn report_file_size_limit() {
    #[cfg(unix)]
    unix::ignore(nix::sys::signal::Signal::SIGXFSZ);
}

#[cfg(unix)]
mod unix {
    use nix::sys::signal::{SigHandler, Signal, signal};

    /// Ignores the signals that [`cancel`](super::cancel) handles. Returns those that were already ignored.
    pub fn ignored() -> Vec<Signal> {
        [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP].into_iter().filter(|signal| ignore(*signal)).collect()
    }

    /// Ignores a signal. Returns whether it was ignored before.
    #[expect(unsafe_code, reason = "the standard library cannot ignore a signal")]
    pub fn ignore(number: Signal) -> bool {
        // SAFETY: the disposition is not a handler, so no code of this process runs when the signal arrives.
        let before = unsafe { signal(number, SigHandler::SigIgn) };
        matches!(before, Ok(SigHandler::SigIgn))
    }
}
