//! `nas-train` with a search space and a controller of its own. Everything else is that of nas-train: commands, options,
//! strategies, plugins, files.

mod climber;
mod kernels;

use std::process::ExitCode;

fn main() -> ExitCode {
    nas_cli::main(std::env::args_os())
}
