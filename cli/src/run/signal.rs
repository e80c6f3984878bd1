//! Ctrl-C: once ends the run in good order, twice at once.

use crate::exit::ExitStatus;
use crate::text::say;
use anyhow::{Context, Result};
use std::sync::atomic::{AtomicBool, Ordering};

static CANCEL: AtomicBool = AtomicBool::new(false);
static LISTENING: AtomicBool = AtomicBool::new(false);

/// The flag that Ctrl-C or a termination signal sets.
///
/// # Errors
/// A system that lets no signal be handled.
pub fn cancel() -> Result<&'static AtomicBool> {
    if !LISTENING.swap(true, Ordering::SeqCst) {
        ctrlc::set_handler(interrupted).context("cannot listen to Ctrl-C")?;
    }
    Ok(&CANCEL)
}

fn interrupted() {
    if CANCEL.swap(true, Ordering::SeqCst) {
        std::process::exit(i32::from(ExitStatus::Interrupted as u8));
    }
    say("interrupted: finishing the step at hand; once more stops at once");
}
