//! Comparison of two configurations.

use crate::run_kind::RunKind;
use anyhow::Result;
use nas_core::config::{RunConfig, SaveConfig};
use nas_core::options::shown;
use nas_core::truth::table_file::without_directory;
use toml::{Table, Value};

/// A key in which two TOML documents differ, with both values as text.
pub struct SettingDifference {
    /// The key with its sections, for example `train.lr`.
    pub key: String,
    /// The value in the first document, or `not set`.
    pub old: String,
    /// The value in the second document, or `not set`.
    pub new: String,
}

/// The first key in which two TOML documents differ.
pub fn difference(old: &Table, new: &Table) -> Option<SettingDifference> {
    let keys = || new.keys().chain(old.keys());
    keys().find_map(|key| match (old.get(key), new.get(key)) {
        (Some(Value::Table(old)), Some(Value::Table(new))) => {
            difference(old, new).map(|inner| SettingDifference { key: format!("{key}.{}", inner.key), ..inner })
        }
        (old, new) => {
            let text = |value: Option<&Value>| value.map_or("not set".into(), shown);
            (old != new).then(|| SettingDifference { key: key.clone(), old: text(old), new: text(new) })
        }
    })
}

/// The first difference as text: `train.lr (0.05, now 0.1)`.
pub fn first_difference(old: &Table, new: &Table) -> Option<String> {
    difference(old, new).map(|SettingDifference { key, old, new }| format!("{key} ({old}, now {new})"))
}

/// The first key in which two configurations differ, with both values. Keys that no result depends on are ignored:
/// threads, device, plugins, directory and cache of the data, directory of the truth table, and checkpoints.
pub fn other_settings(old: &RunConfig, new: &RunConfig) -> Result<Option<String>> {
    let table = |config: &RunConfig| {
        let mut config = config.clone();
        (config.threads, config.device, config.plugins) = (0, String::new(), Vec::new());
        // The fingerprints of the data are compared instead.
        config.data = config.data.without_location();
        config.save = SaveConfig::default();
        // The content of a truth table is compared instead of its directory.
        config.truth.table = without_directory(&config.truth.table).to_owned();
        config.to_table()
    };
    Ok(first_difference(&table(old)?, &table(new)?))
}

/// Both devices as text, if one is the CPU and the other a GPU. Results do not depend on the GPU.
pub fn other_device(old: &str, new: &str) -> Option<String> {
    let kind = |name: &str| name.split(':').next().unwrap_or_default().to_owned();
    (kind(old) != kind(new)).then(|| format!("device ({old}, now {new})"))
}

/// The first difference of two runs, by their kinds and configurations, as text.
pub fn other_run(old: (&RunKind, &RunConfig), new: (&RunKind, &RunConfig)) -> Result<Option<String>> {
    match (old.0.difference(new.0), new.0) {
        (Some(other), _) => Ok(Some(other)),
        (None, RunKind::Supernet | RunKind::Sequence(_)) => other_settings(old.1, new.1),
        (None, RunKind::Retrain(_)) => other_settings_of_training(old.1, new.1),
    }
}

/// As [`other_settings`], for a stand-alone training, whose results do not depend on the sections of supernets and
/// evaluations.
pub fn other_settings_of_training(old: &RunConfig, new: &RunConfig) -> Result<Option<String>> {
    let RunConfig { eval, probes, search, truth, strategy, controller, .. } = old.clone();
    other_settings(old, &RunConfig { eval, probes, search, truth, strategy, controller, ..new.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use nas_core::data::Cache;

    #[test]
    fn the_first_different_key_is_returned_with_both_values() {
        let table = |text: &str| text.parse::<Table>().unwrap();
        let old = table("seed = 0\n[train]\nlr = 0.05\n[data.synthetic]\nsize = 8");
        let found = |new: &str| first_difference(&old, &table(new));
        assert_eq!(found("seed = 0\n[train]\nlr = 0.05\n[data.synthetic]\nsize = 8"), None);
        let lr = found("seed = 0\n[train]\nlr = 1.0\n[data.synthetic]\nsize = 8");
        assert_eq!(lr.as_deref(), Some("train.lr (0.05, now 1.0)"));
        let size = found("seed = 0\n[train]\nlr = 0.05\n[data.synthetic]\nsize = 9");
        assert_eq!(size.as_deref(), Some("data.synthetic.size (8, now 9)"));
        let missing = found("[train]\nlr = 0.05\n[data.synthetic]\nsize = 8");
        assert_eq!(missing.as_deref(), Some("seed (0, now not set)"));
    }

    #[test]
    fn keys_that_no_result_depends_on_may_change() {
        let config = RunConfig::from_table(&Table::new()).unwrap();
        let changed = |change: &dyn Fn(&mut RunConfig)| {
            let mut other = config.clone();
            change(&mut other);
            other_settings(&config, &other).unwrap()
        };
        assert_eq!(changed(&|_| ()), None);
        assert_eq!(changed(&|c| c.threads = 7), None);
        assert_eq!(changed(&|c| c.data.dir = Some("/moved".into())), None);
        assert_eq!(changed(&|c| c.data.cache = Cache::Disk), None);
        assert_eq!(changed(&|c| c.plugins.push("new.so".into())), None);
        assert_eq!(changed(&|c| c.truth.table = "auto".into()), None);
        let table = |from: &str, to: &str| {
            let with = |table: &str| {
                let mut config = config.clone();
                config.truth.table = table.into();
                config
            };
            other_settings(&with(from), &with(to)).unwrap()
        };
        assert_eq!(table("t.csv", "/data/t.csv"), None);
        assert_eq!(table("t.csv", "/data/u.csv").as_deref(), Some(r#"truth.table ("t.csv", now "u.csv")"#));
        assert_eq!(changed(&|c| c.seed = 1).as_deref(), Some("seed (0, now 1)"));
        let added = changed(&|c| drop(c.strategy.options.insert("k".into(), 1.into())));
        assert_eq!(added.as_deref(), Some("strategy.k (not set, now 1)"));
    }
}
