//! `nas-train plugins`: checks a plugin, or creates the project of a new one.

use crate::args::{Language, PluginsArgs, PluginsCommand};
use crate::exit::{CheckFailed, ExitStatus, UsageError};
use crate::machine::unique;
use crate::text::print;
use anyhow::{Context, Result};
use nas_core::quote;
use nas_core::registry::{StrategyDescriptor, find};
use nas_plugin_host::{conformance, load, template};
use std::env;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitStatus as Ended, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

/// Longest time for one test of a check.
const TEST_TIMEOUT: Duration = Duration::from_secs(120);

/// The line of a successful check.
const PASSED: &str = "all cases passed";

/// The environment variable with a text that the parent process chooses. The child adds it to [`PASSED`]: a plugin that
/// ends the process early may have printed the same words.
const TOKEN: &str = "NAS_TRAIN_CHECK_TOKEN";

/// Checks a plugin, or creates the project of a new one.
pub fn plugins(args: &PluginsArgs) -> Result<ExitStatus> {
    match &args.command {
        PluginsCommand::Check { file, here: true } => check_here(file)?,
        PluginsCommand::Check { file, here: false } => check(file)?,
        PluginsCommand::New { name, lang } => new(name, *lang)?,
    }
    Ok(ExitStatus::Success)
}

/// Loads the plugin and tests its strategies in this process. Prints the name of each test before it runs.
fn check_here(file: &Path) -> Result<()> {
    print("loading")?;
    let plugin = load(file)?;
    print(&format!("loaded {}, SHA-256 {}", plugin.path.display(), plugin.sha256))?;
    for strategy in &plugin.strategies {
        let name = strategy.name;
        print(&format!("strategy {name}, version {}", strategy.version))?;
        let mut print_test = |test: &str| {
            // The tests continue if standard output is closed.
            let _ = print(&format!("  {test}"));
        };
        conformance::check(name, &mut print_test)
            .map_err(|problem| CheckFailed(format!("strategy {name}: {problem}")))?;
    }
    match env::var(TOKEN) {
        Ok(token) => print(&passed(&token)),
        Err(_) => print(PASSED),
    }
}

fn passed(token: &str) -> String {
    format!("{PASSED} {token}")
}

/// Runs [`check_here`] in a child process. If that crashes, the error names the last test.
fn check(file: &Path) -> Result<()> {
    let program = env::current_exe().context("cannot find this program to run it again")?;
    let mut command = Command::new(program);
    command.args(["plugins", "check", "--here", "--"]).arg(file).stdin(Stdio::null()).stdout(Stdio::piped());
    let token = unique();
    let mut child = command.env(TOKEN, &token).spawn().context("cannot run this program again")?;
    let (last, has_passed) = follow(&mut child, &passed(&token))?;
    let ended = child.wait().context("cannot wait for the check")?;
    let path = file.display();
    match ended.code() {
        // Otherwise, the plugin has ended the process early.
        Some(0) if has_passed => print(&format!("{path} works"))?,
        // The child has printed the reason.
        Some(code) if code == i32::from(ExitStatus::Plugin as u8) => {
            return Err(CheckFailed(format!("{path} failed the check")).into());
        }
        _ => return Err(CheckFailed(format!("{path} {}, after `{}`", crash(ended), last.trim())).into()),
    }
    Ok(())
}

/// Prints the output of the child until it ends. Returns the last line of the tests, and whether the line `passed` was
/// among them. Output of the plugin itself may follow, because C libraries write it at the end. A child without output
/// for [`TEST_TIMEOUT`] is killed.
fn follow(child: &mut Child, passed: &str) -> Result<(String, bool)> {
    let output = child.stdout.take().context("the check has no output")?;
    let (send, lines) = channel();
    std::thread::spawn(move || {
        let lines = BufReader::new(output).split(b'\n').map_while(Result::ok);
        let _ = lines.map(|line| String::from_utf8_lossy(&line).into_owned()).try_for_each(|line| send.send(line));
    });
    let (mut last, mut has_passed) = (String::from("start"), false);
    loop {
        match lines.recv_timeout(TEST_TIMEOUT) {
            // Output of the plugin without a line end may precede it.
            Ok(line) if line.ends_with(passed) => {
                has_passed = true;
                print(PASSED)?;
            }
            Ok(line) => {
                print(&line)?;
                last = line;
            }
            Err(RecvTimeoutError::Disconnected) => return Ok((last, has_passed)),
            Err(RecvTimeoutError::Timeout) => {
                child.kill().context("cannot stop the check")?;
                let seconds = TEST_TIMEOUT.as_secs();
                return Err(CheckFailed(format!("the test did not end within {seconds} s: `{}`", last.trim())).into());
            }
        }
    }
}

/// How a child process ended that did not return an exit code of the program.
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
        let message = format!(
            "`{}` is not a valid name; expected 1 to 64 characters of a-z, 0-9 and -, the first one a letter",
            quote(name)
        );
        return Err(UsageError(message).into());
    }
    if find::<StrategyDescriptor>(name).is_ok() || name.starts_with("nas-plugin") {
        return Err(UsageError(format!("`{name}` is a name of this project; choose another name")).into());
    }
    let folder = Path::new(name);
    if folder.exists() {
        return Err(UsageError(format!("{name} exists already; choose another name, or remove it")).into());
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
    print(&format!("created {name}; {name}/README.md explains how to build and use it"))
}
