//! Passes the commit, the state of the sources and the compiler version to the program, for `manifest.json`.

use std::process::Command;

fn main() {
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".into());
    set("NAS_RUSTC", output(&rustc, &["--version"]));
    let commit = output("git", &["rev-parse", "HEAD"]);
    let changes = output("git", &["status", "--porcelain", "--untracked-files=no"]);
    set("NAS_GIT_DIRTY", changes.map(|changes| (!changes.is_empty()).to_string()));
    if commit.is_some() {
        // The log of HEAD changes with every commit, the folders with every edit.
        let log = output("git", &["rev-parse", "--path-format=absolute", "--git-path", "logs/HEAD"]);
        for path in log.iter().map(String::as_str).chain(["../core", "../strategies", "../plugins", "src"]) {
            println!("cargo::rerun-if-changed={path}");
        }
    }
    set("NAS_GIT_COMMIT", commit);
}

fn set(name: &str, value: Option<String>) {
    if let Some(value) = value {
        println!("cargo::rustc-env={name}={value}");
    }
}

/// The standard output of a program without surrounding spaces; `None` if it fails.
fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = output.status.success().then(|| String::from_utf8(output.stdout).ok())??;
    Some(text.trim().to_string())
}
