//! The build of the plugin that a run used: the SHA-256 of its file.

use serde_json::Value;

/// The loaded plugin with a strategy as text, if a manifest names another build for it. None for strategies of the
/// program.
pub fn other_build(strategy: &str, manifest: &Value) -> Option<String> {
    let plugin = nas_plugin_host::origin(strategy)?;
    let is_same = recorded_builds(strategy, manifest).any(|sha256| sha256 == plugin.sha256);
    (!is_same).then(|| format!("build of the plugin {}", plugin.path.display()))
}

/// The SHA-256 of the plugin with a strategy, as the manifest of a run states it.
pub fn recorded_build<'a>(strategy: &str, manifest: &'a Value) -> Option<&'a str> {
    recorded_builds(strategy, manifest).next()
}

fn recorded_builds<'a>(strategy: &str, manifest: &'a Value) -> impl Iterator<Item = &'a str> {
    let plugins = manifest["plugins"].as_array().into_iter().flatten();
    let of_strategy = plugins.filter(move |plugin| plugin["strategies"].get(strategy).is_some());
    of_strategy.filter_map(|plugin| plugin["sha256"].as_str())
}
