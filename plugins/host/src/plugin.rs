//! The plugins of this process.

use crate::error::PluginError;
use crate::foreign::build;
use crate::handshake::{Table, tables};
use crate::library;
use nas_core::registry::{StrategyBuilder, StrategyDescriptor, add_strategies, all};
use nas_plugin_abi::ffi::NasPluginEntry;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// A plugin that is loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plugin {
    /// Its file, absolute.
    pub path: PathBuf,
    /// SHA-256 of the file, in hexadecimal digits.
    pub sha256: String,
    /// Its strategies.
    pub strategies: Vec<Provided>,
}

/// A strategy that a plugin provides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provided {
    /// Its name.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
}

static LOADED: Mutex<Vec<&'static Plugin>> = Mutex::new(Vec::new());
/// Held while a plugin is loaded, so that two threads that ask for one file get one plugin.
static LOADING: Mutex<()> = Mutex::new(());

/// Loads a file and registers its strategies. A file that is loaded already changes nothing.
///
/// Its code runs with all rights of the user, beginning with constructors before any check.
///
/// # Errors
/// A file that is missing or no library, no plugin, one for another version of the interface, a table that breaks the
/// contract, or a name that is taken.
pub fn load(path: &Path) -> Result<&'static Plugin, PluginError> {
    let (file, bytes) = library::read(path)?;
    let _alone = LOADING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = loaded().into_iter().find(|plugin| plugin.path == file) {
        return Ok(known);
    }
    let sha256 = library::sha256(&bytes);
    let entry = library::open(&file, &bytes)?;
    // SAFETY: the symbol has the name that stands for this type.
    unsafe { register(file, sha256, entry) }
}

/// Registers the strategies of a plugin that is linked into the program, with all the checks of [`load`].
///
/// # Errors
/// As [`load`], from the table on.
///
/// # Safety
/// The function obeys the contract of [`NasPluginEntry`], and so do the functions in its tables.
pub unsafe fn adopt(origin: &str, entry: NasPluginEntry) -> Result<&'static Plugin, PluginError> {
    let _alone = LOADING.lock().unwrap_or_else(PoisonError::into_inner);
    // SAFETY: passed on to the caller.
    unsafe { register(origin.into(), String::new(), entry) }
}

/// All plugins, in the order of loading.
pub fn loaded() -> Vec<&'static Plugin> {
    LOADED.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// The plugin that provides a strategy; `None` if it is compiled in.
pub fn origin(strategy: &str) -> Option<&'static Plugin> {
    loaded().into_iter().find(|plugin| plugin.strategies.iter().any(|s| s.name == strategy))
}

unsafe fn register(path: PathBuf, sha256: String, entry: NasPluginEntry) -> Result<&'static Plugin, PluginError> {
    let fail = |problem: String| PluginError { path: path.display().to_string(), problem };
    // SAFETY: passed on to the caller.
    let tables = unsafe { tables(entry) }.map_err(fail)?;
    let tables: Vec<&'static Table> = tables.into_iter().map(|table| &*Box::leak(Box::new(table))).collect();
    for (number, table) in tables.iter().enumerate() {
        let twin = tables[..number].iter().any(|other| other.name == table.name);
        let taken = all::<StrategyDescriptor>().is_ok_and(|known| known.iter().any(|d| d.name == table.name));
        let other = match (twin, taken) {
            (true, _) => "another strategy of this plugin".into(),
            (_, true) => match origin(&table.name) {
                Some(plugin) => format!("a strategy of plugin {}", plugin.path.display()),
                None => "a strategy that is built in".into(),
            },
            _ => continue,
        };
        return Err(fail(format!("its strategy `{}` has the name of {other}: rename it", table.name)));
    }
    let provided = tables.iter().map(|table| Provided { name: &table.name, version: &table.version }).collect();
    add_strategies(tables.into_iter().map(descriptor).collect()).map_err(|error| fail(error.to_string()))?;
    let plugin = Box::leak(Box::new(Plugin { path, sha256, strategies: provided }));
    LOADED.lock().unwrap_or_else(PoisonError::into_inner).push(plugin);
    Ok(plugin)
}

fn descriptor(table: &'static Table) -> StrategyDescriptor {
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
