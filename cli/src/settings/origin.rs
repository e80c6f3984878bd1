//! The origin of each value of a configuration, and its addition to error messages.

use super::layer::ConfigLayer;
use nas_core::config::ConfigError;
use nas_core::controller::ControllerError;
use nas_core::data::DataError;
use nas_core::options::OptionsError;
use nas_core::quote;
use nas_core::registry::BuildError;
use nas_core::space::SpaceError;
use nas_core::strategy::StrategyError;
use nas_core::trainer::RunError;
use nas_core::truth::TruthError;
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use toml::{Table, Value};

/// The source of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The built-in default.
    Default,
    /// A configuration file.
    File(PathBuf),
    /// The run of `--from`.
    Run(PathBuf),
    /// The recipe of this name.
    Recipe(String),
    /// `--set` with this assignment.
    Set(String),
    /// An assignment that the program derives from another option, such as an entry of `--strategies`.
    Derived(String),
    /// The option with this name.
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Run(path) => write!(f, "--from {}", path.display()),
            Self::Recipe(name) => write!(f, "recipe {name}"),
            Self::Set(assignment) => write!(f, "--set {}", quote(assignment)),
            Self::Derived(assignment) => f.write_str(&quote(assignment)),
            Self::Flag(flag) => write!(f, "--{flag}"),
        }
    }
}

/// The origins of all keys that a file, a `--set` or an option sets.
#[derive(Debug, Clone, Default)]
pub struct Origins(BTreeMap<String, Origin>);

impl Origins {
    /// Records the keys of a layer. Later layers replace the origins of earlier ones.
    pub fn note(&mut self, layer: &ConfigLayer) {
        self.note_table("", &layer.table, &layer.origin);
    }

    fn note_table(&mut self, prefix: &str, table: &Table, origin: &Origin) {
        for (key, value) in table {
            let key = format!("{prefix}{key}");
            if let Value::Table(inner) = value {
                self.note_table(&format!("{key}."), inner, origin);
            }
            self.0.insert(key, origin.clone());
        }
    }

    /// All keys with their origins, except defaults.
    pub fn all(&self) -> impl Iterator<Item = (&str, &Origin)> {
        self.0.iter().map(|(key, origin)| (key.as_str(), origin))
    }

    /// The origin of a key.
    pub fn of(&self, key: &str) -> &Origin {
        self.0.get(key).unwrap_or(&Origin::Default)
    }

    /// Adds the origin of the offending value (file, `--set` or option) to an error, unless the value is a default.
    pub fn explain(&self, error: anyhow::Error) -> anyhow::Error {
        match error.chain().find_map(offending_key).map(|key| self.of(&key)) {
            None | Some(Origin::Default) => error,
            Some(origin) => {
                let origin = origin.to_string();
                error.context(origin)
            }
        }
    }
}

/// The configuration key with the value that caused the error.
fn offending_key(cause: &(dyn std::error::Error + 'static)) -> Option<String> {
    if let Some(error) = cause.downcast_ref::<RunError>() {
        return match error {
            RunError::Config(error) => of_config(error),
            RunError::Build(error) => of_build(error),
            RunError::Data(error) => of_data(error),
            RunError::Truth(TruthError::UnknownColumn { .. } | TruthError::NotAccuracy { .. }) => {
                Some("truth.table".into())
            }
            RunError::Strategy { source: StrategyError::Option { option, .. }, .. } => Some(option.clone()),
            RunError::InitialWeights { .. } => Some("train.init".into()),
            _ => None,
        };
    }
    let config = cause.downcast_ref::<ConfigError>().and_then(of_config);
    let build = || cause.downcast_ref::<BuildError>().and_then(of_build);
    let data = || cause.downcast_ref::<DataError>().and_then(of_data);
    config.or_else(build).or_else(data)
}

fn of_config(error: &ConfigError) -> Option<String> {
    match error {
        ConfigError::Options(error) => Some(of_options(error)),
        ConfigError::Range { key, .. } => Some((*key).into()),
    }
}

fn of_options(error: &OptionsError) -> String {
    let (section, key) = match error {
        OptionsError::Unknown { section, key, .. } => (section, key.as_str()),
        // The message starts with `key = value`.
        OptionsError::Value { section, message } => (section, message.split(" = ").next().unwrap_or_default()),
    };
    match (section.as_str(), key) {
        ("", key) => key.into(),
        (section, key) if key.contains(' ') => section.into(),
        (section, key) => format!("{section}.{key}"),
    }
}

fn of_build(error: &BuildError) -> Option<String> {
    match error {
        BuildError::Unknown { kind, .. } => Some(format!("{kind}.name")),
        BuildError::Space(SpaceError::Cells(_)) => Some("space.cells".into()),
        BuildError::Strategy(StrategyError::Options(error))
        | BuildError::Controller(ControllerError::Options(error))
        | BuildError::Space(SpaceError::Options(error)) => Some(of_options(error)),
        BuildError::Strategy(StrategyError::Option { option, .. })
        | BuildError::Controller(ControllerError::Option { option, .. }) => Some(option.clone()),
        _ => None,
    }
}

fn of_data(error: &DataError) -> Option<String> {
    match error {
        DataError::Unknown { .. } => Some("data.name".into()),
        DataError::Option { key, .. } => Some((*key).into()),
        _ => None,
    }
}
