//! Hints for unknown options (the new name of a renamed key, or the component that has the option) and unknown
//! strategies.

use anyhow::Error;
use nas_core::config::{ConfigError, RunConfig};
use nas_core::controller::ControllerError;
use nas_core::options::OptionsError;
use nas_core::registry::{BuildError, ControllerDescriptor, SpaceDescriptor, StrategyDescriptor, all, find};
use nas_core::space::SpaceError;
use nas_core::strategy::StrategyError;
use nas_core::trainer::RunError;
use toml::Table;

/// Keys with a new name in schema 2: section, old key, new key.
const RENAMED: [(&str, &str, &str); 1] = [("probes", "immediate_every", "single_step_every")];

/// Finds a strategy.
///
/// # Errors
/// An unknown name. The message states how the strategies of a plugin become known.
pub fn find_strategy(name: &str) -> Result<&'static StrategyDescriptor, BuildError> {
    find(name).map_err(|error| match error {
        BuildError::Unknown { kind, name, hint, known } => {
            let known = format!("{known} (--plugin FILE, or the key `plugins`, adds those of a plugin)");
            BuildError::Unknown { kind, name, hint, known }
        }
        other => other,
    })
}

/// Adds a hint to an error about an unknown option, if one is found. Other errors stay as they are.
///
/// `config` is the configuration in which strategy and controller are named, if it could be read.
pub fn with_hint(error: Error, config: Option<&RunConfig>) -> Error {
    let found = error.chain().find_map(options_error).cloned();
    let Some(OptionsError::Unknown { section, key, hint, known }) = found else { return error };
    let of_component = || config.and_then(|config| owner(&section, &key, config));
    let elsewhere = || of_component().or_else(|| hint.is_empty().then(|| full_name(&key))?);
    let hint = match section.as_str() {
        "" => full_name(&key),
        _ => new_name(&section, &key, &known).or_else(elsewhere),
    };
    match hint {
        Some(hint) => ConfigError::Options(OptionsError::Unknown { section, key, hint, known }).into(),
        None => error,
    }
}

/// The error about options that an error of a configuration, component or run contains.
fn options_error<'a>(cause: &'a (dyn std::error::Error + 'static)) -> Option<&'a OptionsError> {
    match cause.downcast_ref() {
        Some(RunError::Config(ConfigError::Options(error))) => return Some(error),
        Some(RunError::Build(error)) => return of_build(error),
        _ => {}
    }
    match cause.downcast_ref() {
        Some(ConfigError::Options(error)) => Some(error),
        _ => cause.downcast_ref().and_then(of_build).or_else(|| cause.downcast_ref()),
    }
}

fn of_build(error: &BuildError) -> Option<&OptionsError> {
    match error {
        BuildError::Strategy(StrategyError::Options(error))
        | BuildError::Controller(ControllerError::Options(error))
        | BuildError::Space(SpaceError::Options(error)) => Some(error),
        _ => None,
    }
}

/// The new name of a key, if it was renamed or has hyphens in place of underscores.
fn new_name(section: &str, key: &str, known: &str) -> Option<String> {
    let renamed =
        RENAMED.iter().find(|(of, old, _)| (*of, *old) == (section, key)).map(|(_, _, new)| (*new).to_owned());
    let snake_case = || {
        let snake_case = key.replace('-', "_");
        let is_known = snake_case != key && known.split(", ").any(|known| known == snake_case);
        is_known.then_some(snake_case)
    };
    renamed.or_else(snake_case).map(|name| format!("; use `{name}`"))
}

/// The keys of all sections with this name, for a key that was given without its section or in another one.
fn full_name(key: &str) -> Option<String> {
    let meanings = RunConfig::meanings().into_keys();
    let mut names: Vec<String> = meanings.filter(|name| name.rsplit('.').next() == Some(key)).collect();
    let components =
        [("strategy", strategies_with(key)), ("controller", controllers_with(key)), ("space", spaces_with(key))];
    let has_option = components.iter().filter(|(_, owners)| !owners.is_empty());
    names.extend(has_option.map(|(section, _)| format!("{section}.{key}")));
    let names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    (!names.is_empty()).then(|| format!("; its full name is {}", names.join(" or ")))
}

/// The strategy, controller or space that has the option of this name.
fn owner(section: &str, key: &str, config: &RunConfig) -> Option<String> {
    let (used, names) = match section {
        "strategy" => (&config.strategy.name, strategies_with(key)),
        "controller" => (&config.controller.name, controllers_with(key)),
        "space" => (&config.space.name, spaces_with(key)),
        _ => return None,
    };
    let owners: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    (!owners.is_empty()).then(|| format!(" of {section} `{used}`; it is an option of {}", owners.join(" and ")))
}

fn strategies_with(key: &str) -> Vec<&'static str> {
    let strategies = all::<StrategyDescriptor>().unwrap_or_default();
    strategies.iter().filter(|strategy| has(&(strategy.options)(), key)).map(|strategy| strategy.name).collect()
}

fn controllers_with(key: &str) -> Vec<&'static str> {
    let controllers = all::<ControllerDescriptor>().unwrap_or_default();
    controllers
        .iter()
        .filter(|controller| has(&(controller.options)(), key))
        .map(|controller| controller.name)
        .collect()
}

fn spaces_with(key: &str) -> Vec<&'static str> {
    let spaces = all::<SpaceDescriptor>().unwrap_or_default();
    spaces.iter().filter(|space| has(&(space.options)(), key)).map(|space| space.name).collect()
}

/// Whether options, written as TOML, contain a key.
fn has(options: &str, key: &str) -> bool {
    options.parse::<Table>().is_ok_and(|options| options.contains_key(key))
}
