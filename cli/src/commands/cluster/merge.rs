//! `nas-train cluster merge`: the command of a plan again, without its runs.

use crate::args::{Cli, Command, DataDirArg};
use crate::cluster::{Executor, Plan};
use crate::commands::{compare, retrain, truth};
use crate::exit::{ExitStatus, UsageError};
use crate::settings::Settings;
use anyhow::Result;
use nas_core::config::ClusterConfig;
use std::ffi::OsString;

/// Collects the results of the finished runs of a plan, as the command that made the plan does at its end. `data`
/// replaces its folder of the data.
///
/// # Errors
/// The command cannot be executed again, and its own errors.
pub fn merge(plan: &Plan, data: &DataDirArg) -> Result<ExitStatus> {
    // The command continues in another working directory.
    let data_dir = data.data_dir.as_deref().map(std::path::absolute).transpose()?;
    let data_dir = data_dir.map(|dir| dir.to_string_lossy().into_owned());
    let mut command = command(plan)?;
    let run = match &mut command {
        Command::Compare(args) => &mut args.run,
        Command::Truth(args) => &mut args.run,
        Command::Retrain(args) => &mut args.run,
        _ => return Err(unknown(plan)),
    };
    run.data_dir = data_dir.or(run.data_dir.take());
    // The directory may have been moved since.
    let out = plan.dir.out().to_path_buf();
    match &mut command {
        Command::Compare(args) => {
            args.run.out = Some(out);
            compare(args, Some(Executor::None))
        }
        Command::Truth(args) => {
            args.run.out = Some(out.with_extension("csv"));
            truth(args, Some(Executor::None))
        }
        Command::Retrain(args) => {
            args.run.out = Some(out);
            retrain(args, Some(Executor::None))
        }
        _ => Err(unknown(plan)),
    }
}

/// The section `[cluster]` of the command of a plan.
///
/// # Errors
/// The command cannot be read again.
pub fn cluster_config(plan: &Plan) -> Result<ClusterConfig> {
    match command(plan)? {
        Command::Compare(args) => Ok(args.cluster.over(&Settings::resolve(&args.run)?.cluster)),
        Command::Truth(args) => {
            let settings = Settings::resolve_stand_alone(None, None, &args.run, &[])?;
            Ok(args.cluster.over(&settings.cluster))
        }
        Command::Retrain(args) => {
            let settings = Settings::resolve_stand_alone(args.from.as_deref(), args.recipe.as_deref(), &args.run, &[])?;
            Ok(args.cluster.over(&settings.cluster))
        }
        _ => Err(unknown(plan)),
    }
}

/// The command of a plan, in whose working directory this process continues.
fn command(plan: &Plan) -> Result<Command> {
    let header = &plan.header;
    let problem = |reason: String| UsageError(format!("{}: {reason}", plan.dir.plan().display()));
    std::env::set_current_dir(&header.cwd).map_err(|error| {
        let dir = header.cwd.display();
        problem(format!("the working directory {dir} of its command cannot be used ({error}): create it"))
    })?;
    let cli = Cli::read(header.argv.iter().map(OsString::from)).map_err(|error| {
        let text = error.to_string();
        let reason = text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
        problem(format!("this version cannot read its command ({reason}): use version {}", header.version))
    })?;
    cli.command.ok_or_else(|| unknown(plan))
}

fn unknown(plan: &Plan) -> anyhow::Error {
    UsageError(format!("{} has no command of compare, truth or retrain", plan.dir.plan().display())).into()
}
