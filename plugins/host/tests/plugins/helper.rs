//! Helpers: libraries of the examples, a C compiler, short runs.

use dfdx::tensor::Cpu;
use nas_core::config::RunConfig;
use nas_core::data;
use nas_core::event::Event;
use nas_core::result::RunResult;
use nas_core::trainer::{RunError, Session};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use tempfile::TempDir;

/// The shared library of an example in Rust. Building these tests builds it in the same directory.
pub fn example(name: &str) -> PathBuf {
    let file = format!("{}{name}{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    let path = std::env::current_exe().unwrap().with_file_name(file);
    assert!(path.exists(), "{} is not built", path.display());
    path
}

/// A path in this crate.
pub fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Compiles a C file to a shared library with the C compiler of the system.
pub fn compile(source: &Path, include: &Path, flags: &[&str]) -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let library = dir.path().join("plugin.so");
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".into());
    let mut command = Command::new(&compiler);
    command.args(["-shared", "-fPIC", "-Wall", "-Wextra", "-Werror"]).args(flags).arg("-I").arg(include);
    let output = command.arg(source).arg("-o").arg(&library).arg("-lm").output();
    let output = output.unwrap_or_else(|error| panic!("the C compiler `{compiler}` does not start: {error}"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    (dir, library)
}

/// Runs the space `tiny` for 3 epochs of 4 steps, with the content of the sections `[strategy]` and `[train]`. Returns
/// the result and the bits of the loss of each step.
pub fn run(strategy: &str, train: &str) -> Result<(RunResult, Vec<u64>), RunError> {
    let text = format!(
        "[strategy]\n{strategy}\n[space]\nname = \"tiny\"\nwidth = 4\n\
         [data]\nname = \"synthetic\"\nlimit_train = 64\nlimit_valid = 40\n[data.synthetic]\nsamples = 200\nsize = 8\n\
         [train]\nepochs = 3\nbatch_size = 16\n{train}\n[eval]\nimages = 40\nbatch_size = 20\n\
         [probes]\ncount = 4\ninterval = 1\nsingle_step_every = 3\n[search]\nstart = 1\nproposals = 1\n[truth]\nsamples = \"0\"\n"
    );
    let config = RunConfig::from_table(&text.parse().unwrap()).unwrap();
    let dataset = Arc::new(data::load(&config.data.name, &config.data).unwrap());
    let mut session = Session::new(&config, dataset, &Cpu::default())?;
    let mut losses = Vec::new();
    let mut observer = |event: &Event<'_>| {
        if let Event::Step(done) = event {
            losses.push(done.loss.to_bits());
        }
        Ok(())
    };
    let result = session.run(&mut observer, &AtomicBool::new(false))?;
    Ok((result, losses))
}
