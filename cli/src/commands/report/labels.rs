//! Labels that distinguish runs of one strategy with different settings.

use nas_core::config::RunConfig;
use std::collections::BTreeMap;

/// What distinguishes a run from others.
pub struct LabelledRun<'a> {
    /// The label of its comparison, or the name of its strategy.
    pub name: &'a str,
    /// Its configuration with resolved defaults.
    pub config: RunConfig,
    /// SHA-256 of the plugin with its strategy; none for strategies of the program.
    pub plugin: Option<&'a str>,
}

/// A label for each run: its name, followed by the keys in which runs of that name differ, as in `plain:train.lr=0.1`.
pub fn labels(runs: &[LabelledRun<'_>]) -> Vec<String> {
    let settings: Vec<BTreeMap<String, String>> = runs.iter().map(flatten).collect();
    let label = |(LabelledRun { name, .. }, own): (&LabelledRun<'_>, &BTreeMap<String, String>)| {
        let same_name = runs.iter().zip(&settings).filter(|(other, _)| other.name == *name);
        let same_name: Vec<&BTreeMap<String, String>> = same_name.map(|(_, settings)| settings).collect();
        let differs = |key: &String| same_name.iter().any(|other| other.get(key) != own.get(key));
        let differing = own.iter().filter(|(key, _)| differs(key));
        differing.fold((*name).to_owned(), |label, (key, value)| {
            format!("{label}:{}={value}", key.strip_prefix("strategy.").unwrap_or(key))
        })
    };
    runs.iter().zip(&settings).map(label).collect()
}

/// The values of a configuration by dotted key. The seed does not define a variant, so it is left out.
fn flatten(LabelledRun { config, plugin, .. }: &LabelledRun<'_>) -> BTreeMap<String, String> {
    let mut flat = BTreeMap::new();
    flat.extend(plugin.map(|sha256| ("plugin".into(), format!("{sha256:.12}"))));
    for (section, value) in config.to_table().unwrap_or_default() {
        match value {
            toml::Value::Table(table) => {
                flat.extend(table.into_iter().map(|(key, value)| (format!("{section}.{key}"), value.to_string())));
            }
            // Of the keys outside of all sections, such as the seed, only the precision defines a variant.
            value if section == "tf32" => drop(flat.insert(section, value.to_string())),
            _ => {}
        }
    }
    flat
}

#[cfg(test)]
mod tests {
    use super::super::resolved::resolved;
    use super::*;
    use toml::Table;

    #[test]
    fn labels_distinguish_variants_of_one_strategy() {
        let config = |strategy: &str, lr: f64, seed: u64| {
            let mut config = RunConfig::from_table(&Table::new()).unwrap();
            (config.strategy.name, config.train.lr, config.seed) = (strategy.into(), lr, seed);
            config
        };
        let configs =
            [config("plain", 0.1, 0), config("plain", 0.1, 1), config("plain", 0.2, 0), config("ogd", 0.3, 0)];
        fn run(config: &RunConfig) -> LabelledRun<'_> {
            LabelledRun { name: &config.strategy.name, config: resolved(config, None), plugin: None }
        }
        let runs: Vec<_> = configs.iter().map(run).collect();
        let expected = ["plain:train.lr=0.1", "plain:train.lr=0.1", "plain:train.lr=0.2", "ogd"];
        assert_eq!(labels(&runs), expected);

        let mut elsewhere = [configs[0].clone(), configs[1].clone()];
        (elsewhere[0].truth.table, elsewhere[1].truth.table) = ("/a/t.csv".into(), "/b/t.csv".into());
        assert_eq!(labels(&elsewhere.each_ref().map(run)), ["plain", "plain"]);

        let mut explicit = configs[0].clone();
        (explicit.search.start, explicit.space.width) = (30, 8);
        assert_eq!(labels(&[&configs[0], &explicit].map(run)), ["plain", "plain"]);

        let mut in_tf32 = configs[3].clone();
        in_tf32.tf32 = true;
        assert_eq!(labels(&[&configs[3], &in_tf32].map(run)), ["ogd:tf32=false", "ogd:tf32=true"]);
        let builds = ["abc", "def"].map(|sha256| LabelledRun { plugin: Some(sha256), ..run(&configs[0]) });
        assert_eq!(labels(&builds), ["plain:plugin=abc", "plain:plugin=def"]);
    }
}
