//! The options of a run that uses a truth table.

use crate::text::{shell_path, shell_word};
use nas_core::config::RunConfig;
use nas_core::data::DataOptions;
use nas_core::registry::{SpaceDescriptor, find};
use nas_core::space::Scale;
use std::path::Path;
use toml::{Table, Value};

/// The options that select the space and the data of a table, and the table itself.
pub fn options(config: &RunConfig, scale: &Scale, table: &Path) -> String {
    let Scale { width, cells, .. } = scale;
    let (space, data) = (&config.space, &config.data);
    let space_defaults = find::<SpaceDescriptor>(&space.name).map(|space| (space.options)()).unwrap_or_default();
    let space_options = changed("space", &space.options, &space_defaults.parse().unwrap_or_default());
    let dir = data.dir.as_ref().map(|dir| format!(" --data-dir {}", shell_path(dir))).unwrap_or_default();
    format!(
        "--space {} --width {width} --cells {cells}{space_options} --data {}{dir}{} --truth {} --truth-samples all",
        space.name,
        data.name,
        data_options(data),
        shell_path(table)
    )
}

/// The options of the data set that determine its images.
fn data_options(data: &DataOptions) -> String {
    let table = |options: &DataOptions| Table::try_from(options).unwrap_or_default();
    let mut of_images = table(data);
    of_images.retain(|key, _| ["image_size", "resize", &data.name].contains(&key));
    changed("data", &of_images, &table(&DataOptions::default()))
}

/// ` --set SECTION.KEY=VALUE` for every key that differs from its default.
fn changed(section: &str, options: &Table, defaults: &Table) -> String {
    let none = Table::new();
    let option = |(key, value): (&String, &Value)| match (value, defaults.get(key)) {
        (value, Some(default)) if value == default => String::new(),
        (Value::Table(inner), default) => {
            changed(&format!("{section}.{key}"), inner, default.and_then(Value::as_table).unwrap_or(&none))
        }
        (Value::String(text), _) => format!(" --set {}", shell_word(&format!("{section}.{key}={text}"))),
        (value, _) => format!(" --set {}", shell_word(&format!("{section}.{key}={value}"))),
    };
    options.iter().map(option).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_that_change_the_images_are_named() {
        let mut config = RunConfig::from_table(&Table::new()).unwrap();
        let scale = Scale { image: [8, 8, 3], classes: 10, width: 8, cells: 1 };
        let options = |config: &RunConfig| options(config, &scale, Path::new("a b.csv"));
        let expected = "--space nasbench201 --width 8 --cells 1 --data digits --truth 'a b.csv' --truth-samples all";
        assert_eq!(options(&config), expected);
        (config.data.name, config.data.synthetic.size) = ("synthetic".into(), 9);
        (config.data.limit_train, config.data.dir) = (Some(5), Some("/d".into()));
        let text = options(&config);
        assert!(text.contains("--data synthetic --data-dir /d --set data.synthetic.size=9 --truth"), "{text}");
    }
}
