//! `nas-train describe`: the options and properties of a component.

use super::components::{ListedComponent, load_all};
use super::describe_arch::describe_arch;
use crate::args::{DescribeArgs, DescribeCommand, Kind};
use crate::exit::{ExitStatus, UsageError};
use crate::text::{pairs, print, table};
use anyhow::Result;
use nas_core::options::did_you_mean;
use nas_core::quote;
use nas_core::registry::{ControllerDescriptor, SpaceDescriptor, StrategyDescriptor, find};
use nas_core::space::{Decision, Scale};
use nas_core::truth::{BenchmarkTable, MeasuredTable};
use nas_plugin_host::Plugin;

/// Prints the description of all components with the given name, or of an architecture.
pub fn describe(args: &DescribeArgs) -> Result<ExitStatus> {
    if let Some(DescribeCommand::Arch(arch)) = &args.command {
        return describe_arch(arch);
    }
    load_all(&args.plugin)?;
    let name = args.name.as_deref().unwrap_or_default();
    let mut known = Vec::new();
    for kind in Kind::ALL {
        known.extend(kind.components()?);
    }
    let found: Vec<&ListedComponent> = known.iter().filter(|component| component.name == name).collect();
    if found.is_empty() {
        let hint = did_you_mean(name, known.iter().map(|component| component.name));
        let message = format!(
            "there is no strategy, controller, search space or data set `{}`{hint}; `nas-train list` prints all names",
            quote(name)
        );
        return Err(UsageError(message).into());
    }
    let texts = found.into_iter().map(description).collect::<Result<Vec<_>>>()?;
    print(&texts.join("\n"))?;
    Ok(ExitStatus::Success)
}

fn description(component: &ListedComponent) -> Result<String> {
    let ListedComponent { kind, name, summary, reference, origin } = *component;
    let head = format!("{} {name}: {summary}\n", kind.singular());
    Ok(match kind {
        Kind::Strategies => {
            let options = (find::<StrategyDescriptor>(name)?.options)();
            let origin = origin.map_or(String::new(), |plugin| loaded_from(plugin, name));
            format!("{head}{}{origin}\n{}", cited(reference), section("strategy", name, &options))
        }
        Kind::Controllers => {
            let options = (find::<ControllerDescriptor>(name)?.options)();
            format!("{head}{}\n{}", cited(reference), section("controller", name, &options))
        }
        Kind::Spaces => format!("{head}{}\n{}", cited(reference), space(find::<SpaceDescriptor>(name)?)?),
        Kind::Data => format!("{head}Files: {reference}\n\n[data]\nname = \"{name}\"\n"),
    })
}

fn cited(reference: &str) -> String {
    if reference.is_empty() { String::new() } else { format!("Reference: {reference}\n") }
}

fn loaded_from(plugin: &Plugin, name: &str) -> String {
    let version = plugin.strategies.iter().find(|s| s.name == name).map_or("", |s| s.version);
    format!("Plugin: {}, version {version}\nSHA-256: {}\n", plugin.path.display(), plugin.sha256)
}

/// The section of a configuration that selects a component, with the defaults of its options.
fn section(section: &str, name: &str, options: &str) -> String {
    format!("[{section}]\nname = \"{name}\"\n{options}")
}

/// The size, decisions and truth table of a search space. They do not depend on the shape of the images.
fn space(descriptor: &SpaceDescriptor) -> Result<String> {
    let SpaceDescriptor { width, cells, name, .. } = *descriptor;
    let defaults = toml::Table::new();
    let space = (descriptor.build)(Scale { image: [32, 32, 3], classes: 10, width, cells }, &defaults)?;
    let benchmark = BenchmarkTable::for_space(name);
    let columns = benchmark.map_or_else(|| "none".into(), |table| table.truth_columns().join(", "));
    let measured = MeasuredTable::of_space(name).map(|table| format!("{}: {}", table.column, table.source));
    let sources: Vec<String> = benchmark.map(|table| table.source.to_owned()).into_iter().chain(measured).collect();
    let count = match space.count() {
        u64::MAX => "more than 10^19".into(),
        count => count.to_string(),
    };
    let facts = pairs(&[
        ("architectures".into(), count),
        ("default width".into(), width.to_string()),
        ("default cells".into(), cells.to_string()),
        ("example".into(), space.format(&space.nth(space.count() - 1))),
        ("columns for --truth".into(), columns),
        ("truth tables".into(), if sources.is_empty() { "none".into() } else { sources.join("; ") }),
    ]);
    let row = |d: &Decision| [d.name.clone(), d.choices.len().to_string(), d.choices.join(", ")];
    let decisions = table(["decision", "n", "choices"], space.decisions().iter().map(row));
    let options = match (descriptor.options)() {
        options if options.is_empty() => String::new(),
        options => format!("\n{}", section("space", name, &options)),
    };
    Ok(format!("{facts}\n{decisions}{options}"))
}
