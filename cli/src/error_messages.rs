//! Printing of errors, with a limit on their length.

use crate::exit::{ExitStatus, chained};
use crate::text::eprint_line;
use anyhow::Error;
use clap::error::ContextValue;
use nas_core::quote;

/// Prints an error and its causes to standard error and returns its exit status.
pub fn print_error(error: &Error) -> ExitStatus {
    eprint_line(&format!("error: {}", shortened(&chained(error))));
    ExitStatus::of(error)
}

/// Largest number of characters of a message. Paths are printed in full, up to this limit.
const MAX_MESSAGE: usize = 4000;

/// The text, cut after [`MAX_MESSAGE`] characters.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(MAX_MESSAGE) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.into(),
    }
}

/// Prints an error about the command line, with at most 200 characters of each argument. `--help` and `--version` are such
/// errors too; they are successful.
pub fn print_argument_error(mut error: clap::Error) -> ExitStatus {
    let needs_quoting = |text: &str| quote(text) != text;
    let shortened = |value: &ContextValue| match value {
        ContextValue::String(text) if needs_quoting(text) => Some(ContextValue::String(quote(text))),
        // Suggestions repeat the argument.
        ContextValue::StyledStrs(texts) if texts.iter().any(|text| needs_quoting(&text.to_string())) => {
            Some(ContextValue::StyledStrs(Vec::new()))
        }
        _ => None,
    };
    let shortened: Vec<_> = error.context().filter_map(|(kind, value)| Some((kind, shortened(value)?))).collect();
    for (kind, value) in shortened {
        error.insert(kind, value);
    }
    // A closed pipe is ignored.
    let _ = error.print();
    if error.use_stderr() { ExitStatus::Usage } else { ExitStatus::Success }
}
