//! Ctrl-C and termination signals: the first ends the run after the current step, the second ends it immediately.

use crate::exit::ExitStatus;
use crate::text::eprint_line;
use anyhow::{Context, Result};
use std::sync::atomic::{AtomicBool, Ordering};

static CANCEL: AtomicBool = AtomicBool::new(false);
static LISTENING: AtomicBool = AtomicBool::new(false);

/// The flag that Ctrl-C or a termination signal sets. The first call installs the signal handler.
///
/// # Errors
/// The signal handler cannot be installed.
pub fn cancel() -> Result<&'static AtomicBool> {
    if !LISTENING.swap(true, Ordering::SeqCst) {
        ctrlc::set_handler(interrupted).context("cannot install the handler of Ctrl-C")?;
    }
    Ok(&CANCEL)
}

fn interrupted() {
    if CANCEL.swap(true, Ordering::SeqCst) {
        std::process::exit(i32::from(ExitStatus::Interrupted as u8));
    }
    eprint_line("interrupted: the run ends after the current step; press Ctrl-C again to stop immediately");
}
