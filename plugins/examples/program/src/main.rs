//! `nas-train` with an additional search space and controller. Commands, options, strategies, plugins and files are
//! those of nas-train.

mod climber;
mod kernels;

use std::process::ExitCode;

fn main() -> ExitCode {
    nas_cli::main(std::env::args_os())
}
