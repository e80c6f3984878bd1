//! Printing of errors, with a limit on their length.

use crate::args::Cli;
use crate::exit::{ExitStatus, chained};
use crate::text::eprint_line;
use anyhow::Error;
use clap::CommandFactory;
use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};
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

/// Prints an error about the command line, with at most 200 characters of each argument. `--help` and `--version` are
/// such errors too; they are successful.
pub fn print_argument_error(mut error: clap::Error) -> ExitStatus {
    if let Some(tip) = tip(&error) {
        for other_tip in [ContextKind::SuggestedSubcommand, ContextKind::SuggestedArg] {
            error.remove(other_tip);
        }
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip]));
    }
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

/// Whether the error is about the arguments of the program, not of a subcommand. Only the program has two lines of
/// usage: with and without a subcommand.
fn is_top_level(error: &clap::Error) -> bool {
    matches!(error.get(ContextKind::Usage), Some(ContextValue::StyledStr(usage)) if usage.to_string().lines().count() == 2)
}

/// A better tip than that of the parser, for a run that is given as a subcommand, and for an option of a run that a
/// subcommand does not have.
fn tip(error: &clap::Error) -> Option<StyledStr> {
    let tip = match (error.get(ContextKind::InvalidSubcommand), error.get(ContextKind::InvalidArg)) {
        (Some(ContextValue::String(name)), _) if ["run", "train"].contains(&name.as_str()) && is_top_level(error) => {
            format!("a run has no subcommand: leave out '{name}'")
        }
        (_, Some(ContextValue::String(option))) if error.kind() == ErrorKind::UnknownArgument => {
            let name = option.strip_prefix("--")?;
            Cli::command().get_arguments().find(|known| known.get_long() == Some(name))?;
            format!("'{option}' is an option of a run, which this subcommand does not have")
        }
        _ => return None,
    };
    Some(tip.into())
}
