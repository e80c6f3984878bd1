//! Loading of plugins and the list of loaded plugins.

use crate::error::PluginError;
use crate::handshake::{StrategyTable, load_tables};
use crate::library;
use crate::plugin_strategy::build;
use nas_core::registry::{StrategyBuilder, StrategyDescriptor, add_strategies, all};
use nas_core::sha256;
use nas_plugin_abi::ffi::NasPluginEntry;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// A loaded plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plugin {
    /// Absolute path of the file.
    pub path: PathBuf,
    /// SHA-256 of the file, in hexadecimal digits.
    pub sha256: String,
    /// Strategies that the plugin provides.
    pub strategies: Vec<ProvidedStrategy>,
}

/// Name and version of a strategy that a plugin provides.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct ProvidedStrategy {
    pub name: &'static str,
    pub version: &'static str,
}

static LOADED: Mutex<Vec<&'static Plugin>> = Mutex::new(Vec::new());
/// Locked while a plugin is loaded, so that two threads cannot load the same file twice.
static LOADING: Mutex<()> = Mutex::new(());

/// Loads a plugin and registers its strategies. Loading a file again has no effect.
///
/// The code of the library runs with all rights of the user. Its constructors run before any check.
///
/// # Errors
/// The file is missing, is not a plugin, or is built for another major version of the interface. A table violates the
/// contract, or the name of a strategy is already used.
pub fn load(path: &Path) -> Result<&'static Plugin, PluginError> {
    let (file, bytes) = library::read(path)?;
    let _guard = LOADING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = loaded().into_iter().find(|plugin| plugin.path == file) {
        return Ok(known);
    }
    let sha256 = sha256::of(&bytes);
    let entry = library::open(&file, &bytes)?;
    // SAFETY: the interface defines the type of the function under this name.
    unsafe { register(file, sha256, entry) }
}

/// Registers the strategies of a plugin that is linked into the program, with the same checks of its tables as
/// [`load`].
///
/// # Errors
/// A table violates the contract, or the name of a strategy is already used.
///
/// # Safety
/// The function and the functions of its tables must obey the contract of the interface, see [`NasPluginEntry`].
pub unsafe fn register_linked(origin: &str, entry: NasPluginEntry) -> Result<&'static Plugin, PluginError> {
    let _guard = LOADING.lock().unwrap_or_else(PoisonError::into_inner);
    // SAFETY: the caller gives the same guarantees.
    unsafe { register(origin.into(), String::new(), entry) }
}

/// All loaded plugins, in the order of loading.
pub fn loaded() -> Vec<&'static Plugin> {
    LOADED.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// The plugin that provides a strategy; `None` for a built-in or unknown strategy.
pub fn origin(strategy: &str) -> Option<&'static Plugin> {
    loaded().into_iter().find(|plugin| plugin.strategies.iter().any(|s| s.name == strategy))
}

/// Checks and registers the strategies of a plugin. The caller holds the lock `LOADING`.
///
/// # Safety
/// As [`register_linked`].
unsafe fn register(path: PathBuf, sha256: String, entry: NasPluginEntry) -> Result<&'static Plugin, PluginError> {
    let fail = |problem: String| PluginError { path: path.display().to_string(), problem };
    // SAFETY: the caller gives the same guarantees.
    let tables = unsafe { load_tables(entry) }.map_err(fail)?;
    let tables: Vec<&'static StrategyTable> = tables.into_iter().map(|table| &*Box::leak(Box::new(table))).collect();
    for (number, table) in tables.iter().enumerate() {
        let repeated = tables[..number].iter().any(|other| other.name == table.name);
        let taken = all::<StrategyDescriptor>().is_ok_and(|known| known.iter().any(|d| d.name == table.name));
        let other = match (repeated, taken) {
            (true, _) => "another strategy of this plugin".into(),
            (_, true) => match origin(&table.name) {
                Some(plugin) => format!("a strategy of plugin {}", plugin.path.display()),
                None => "a built-in strategy".into(),
            },
            _ => continue,
        };
        return Err(fail(format!("its strategy `{}` has the same name as {other}: rename it", table.name)));
    }
    let provided = tables.iter().map(|table| ProvidedStrategy { name: &table.name, version: &table.version }).collect();
    add_strategies(tables.into_iter().map(descriptor).collect()).map_err(|error| fail(error.to_string()))?;
    let plugin = Box::leak(Box::new(Plugin { path, sha256, strategies: provided }));
    LOADED.lock().unwrap_or_else(PoisonError::into_inner).push(plugin);
    Ok(plugin)
}

fn descriptor(table: &'static StrategyTable) -> StrategyDescriptor {
    let options = move || table.options.to_string();
    let cpu: StrategyBuilder<dfdx::tensor::Cpu> = Box::leak(Box::new(move |t: &_, c| build(table, t, c)));
    #[cfg(feature = "cuda")]
    let cuda: StrategyBuilder<dfdx::tensor::Cuda> = Box::leak(Box::new(move |t: &_, c| build(table, t, c)));
    StrategyDescriptor {
        name: &table.name,
        summary: &table.summary,
        reference: &table.reference,
        options: Box::leak(Box::new(options)),
        cpu,
        #[cfg(feature = "cuda")]
        cuda,
    }
}
