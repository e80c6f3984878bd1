//! `nas-train plugins`

use crate::args::{Language, PluginsArgs, PluginsCommand};
use crate::exit::{CheckFailed, ExitStatus, UsageError};
use crate::text::print;
use anyhow::{Context, Result};
use nas_plugin_host::{conformance, load, template};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitStatus as Ended, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

/// How long one case of a check may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// The last line of a check.
const DONE: &str = "all cases passed";

/// Checks a plugin or begins one.
pub fn plugins(args: &PluginsArgs) -> Result<ExitStatus> {
    match &args.command {
        PluginsCommand::Check { file, here: true } => check_here(file)?,
        PluginsCommand::Check { file, here: false } => check(file)?,
        PluginsCommand::New { name, lang } => new(name, *lang)?,
    }
    Ok(ExitStatus::Success)
}

/// Loads the plugin and tries out its strategies; each line tells what comes next.
fn check_here(file: &Path) -> Result<()> {
    print("loading")?;
    let plugin = load(file)?;
    print(&format!("loaded {}, SHA-256 {}", plugin.path.display(), plugin.sha256))?;
    for strategy in &plugin.strategies {
        let name = strategy.name;
        print(&format!("strategy {name}, version {}", strategy.version))?;
        let mut say = |case: &str| {
            // A reader that has left is no reason to stop.
            let _ = print(&format!("  {case}"));
        };
        conformance::check(name, &mut say).map_err(|problem| CheckFailed(format!("strategy {name}: {problem}")))?;
    }
    print(DONE)
}

/// Runs [`check_here`] in a child and tells how it ended, if by a crash where.
fn check(file: &Path) -> Result<()> {
    let program = std::env::current_exe().context("cannot find this program to run it again")?;
    let mut command = Command::new(program);
    command.args(["plugins", "check", "--here", "--"]).arg(file).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.spawn().context("cannot run this program again")?;
    let last = follow(&mut child)?;
    let ended = child.wait().context("cannot wait for the check")?;
    let path = file.display();
    match ended.code() {
        // The last line of a child that was not made to exit early by the plugin.
        Some(0) if last == DONE => print(&format!("{path} works"))?,
        // The child has told why.
        Some(code) if code == i32::from(ExitStatus::Plugin as u8) => {
            return Err(CheckFailed(format!("{path} must not be used")).into());
        }
        _ => return Err(CheckFailed(format!("{path} {}, after `{}`", crash(ended), last.trim())).into()),
    }
    Ok(())
}

/// Passes on what the child says, until it ends or says nothing for too long; returns the last line.
fn follow(child: &mut Child) -> Result<String> {
    let output = child.stdout.take().context("the check has no output")?;
    let (send, lines) = channel();
    std::thread::spawn(move || {
        let _ = BufReader::new(output).lines().map_while(Result::ok).try_for_each(|line| send.send(line));
    });
    let mut last = String::from("start");
    loop {
        match lines.recv_timeout(PATIENCE) {
            Ok(line) => {
                print(&line)?;
                last = line;
            }
            Err(RecvTimeoutError::Disconnected) => return Ok(last),
            Err(RecvTimeoutError::Timeout) => {
                child.kill().context("cannot stop the check")?;
                let seconds = PATIENCE.as_secs();
                return Err(CheckFailed(format!("nothing happened for {seconds} s after `{}`", last.trim())).into());
            }
        }
    }
}

fn crash(ended: Ended) -> String {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&ended) {
        let name = match signal {
            4 => " (illegal instruction)",
            6 => " (abort)",
            7 => " (bus error)",
            8 => " (arithmetic error)",
            11 => " (segmentation fault)",
            _ => "",
        };
        return format!("crashed with signal {signal}{name}");
    }
    format!("ended the process ({ended})")
}

fn new(name: &str, language: Language) -> Result<()> {
    if !template::is_name(name) {
        let message = format!("`{name}` cannot be a name: expected 1 to 64 of a-z, 0-9 and -, a letter first");
        return Err(UsageError(message).into());
    }
    let folder = Path::new(name);
    if folder.exists() {
        return Err(UsageError(format!("{name} exists, and nothing is overwritten: choose another name")).into());
    }
    let files = match language {
        Language::Rust => template::rust(name),
        Language::C => template::c(name),
    };
    for (path, text) in files {
        let path = folder.join(path);
        let failed = || format!("cannot write {}", path.display());
        fs::create_dir_all(path.parent().unwrap_or(folder)).with_context(failed)?;
        fs::write(&path, text).with_context(failed)?;
    }
    print(&format!("{name} is written; its README.md says how to build and use it"))
}
