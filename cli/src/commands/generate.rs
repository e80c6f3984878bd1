//! `nas-train completions` and `nas-train man`: files for shells and for `man`.

use crate::args::{Cli, CompletionsArgs, ManArgs};
use crate::exit::ExitStatus;
use crate::text::{eprint_line, print};
use anyhow::{Context, Result};
use clap::Command;
use clap_complete::Shell;

/// Prints the completion script for a shell.
pub fn completions(args: &CompletionsArgs) -> Result<ExitStatus> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut without_hidden_subcommands(&Cli::definition()), "nas-train", &mut script);
    let script = String::from_utf8(script)?;
    print(&match args.shell {
        // clap_complete 4.6 replaces the hyphen of the name differently in the labels of `case` and in their values.
        Shell::Bash => script.replace("nas__subcmd__train", "nas__train"),
        _ => script,
    })?;
    Ok(ExitStatus::Success)
}

/// The command without the subcommands that are for internal use. `clap_complete` 4.6 completes hidden ones too.
fn without_hidden_subcommands(command: &Command) -> Command {
    let shown = command.get_subcommands().filter(|subcommand| !subcommand.is_hide_set());
    Command::new("nas-train")
        .about(command.get_about().cloned().unwrap_or_default())
        .version(env!("CARGO_PKG_VERSION"))
        .args(command.get_arguments())
        .subcommands(shown)
}

/// Writes a manual page for the program and for each of its subcommands.
pub fn man(args: &ManArgs) -> Result<ExitStatus> {
    let dir = &args.dir;
    let failed = || format!("cannot write manual pages to {}", dir.display());
    std::fs::create_dir_all(dir).with_context(failed)?;
    clap_mangen::generate_to(Cli::definition(), dir).with_context(failed)?;
    eprint_line(&format!("manual pages written to {}", dir.display()));
    Ok(ExitStatus::Success)
}
