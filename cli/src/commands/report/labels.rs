//! Labels that distinguish runs of one strategy with different settings.

use nas_core::config::RunConfig;
use nas_core::truth::table_file::without_directory;
use std::collections::BTreeMap;

/// A label for each run: its name, followed by the keys in which runs of that name differ, as in `plain:train.lr=0.1`.
pub fn labels(runs: &[(&str, &RunConfig)]) -> Vec<String> {
    let settings: Vec<BTreeMap<String, String>> = runs.iter().map(|(_, config)| flatten(config)).collect();
    let label = |((name, _), own): (&(&str, &RunConfig), &BTreeMap<String, String>)| {
        let same_name = runs.iter().zip(&settings).filter(|((other, _), _)| other == name);
        let same_name: Vec<&BTreeMap<String, String>> = same_name.map(|(_, settings)| settings).collect();
        let differs = |key: &String| same_name.iter().any(|other| other.get(key) != own.get(key));
        let differing = own.iter().filter(|(key, _)| differs(key));
        differing.fold((*name).to_owned(), |label, (key, value)| {
            format!("{label}:{}={value}", key.strip_prefix("strategy.").unwrap_or(key))
        })
    };
    runs.iter().zip(&settings).map(label).collect()
}

/// The values of a configuration by dotted key. The seed, the folder and the cache of the images, the directory of the
/// truth table, and the section `[save]` do not define a variant, so they are left out.
fn flatten(config: &RunConfig) -> BTreeMap<String, String> {
    let mut flat = BTreeMap::new();
    let mut config = config.clone();
    config.truth.table = without_directory(&config.truth.table).to_owned();
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
    flat.retain(|key, _| !["data.dir", "data.cache"].contains(&key.as_str()) && !key.starts_with("save."));
    flat
}

#[cfg(test)]
mod tests {
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
        let runs: Vec<_> = configs.iter().map(|config| (config.strategy.name.as_str(), config)).collect();
        let expected = ["plain:train.lr=0.1", "plain:train.lr=0.1", "plain:train.lr=0.2", "ogd"];
        assert_eq!(labels(&runs), expected);

        let mut elsewhere = [configs[0].clone(), configs[1].clone()];
        (elsewhere[0].truth.table, elsewhere[1].truth.table) = ("/a/t.csv".into(), "/b/t.csv".into());
        assert_eq!(labels(&[("plain", &elsewhere[0]), ("plain", &elsewhere[1])]), ["plain", "plain"]);

        let mut in_tf32 = configs[3].clone();
        in_tf32.tf32 = true;
        assert_eq!(labels(&[("ogd", &configs[3]), ("ogd", &in_tf32)]), ["ogd:tf32=false", "ogd:tf32=true"]);
    }
}
