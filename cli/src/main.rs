//! The program `nas-train`.

use std::process::ExitCode;

fn main() -> ExitCode {
    nas_cli::main(std::env::args_os())
}
