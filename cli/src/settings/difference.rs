//! Comparison of two configurations.

use nas_core::options::shown;
use toml::{Table, Value};

/// The first key in which two TOML documents differ, with both values: `train.lr (0.05, now 0.1)`.
pub fn first_difference(old: &Table, new: &Table) -> Option<String> {
    let keys = || new.keys().chain(old.keys());
    keys().find_map(|key| match (old.get(key), new.get(key)) {
        (Some(Value::Table(old)), Some(Value::Table(new))) => {
            first_difference(old, new).map(|difference| format!("{key}.{difference}"))
        }
        (old, new) => {
            let text = |value: Option<&Value>| value.map_or("not set".into(), shown);
            (old != new).then(|| format!("{key} ({}, now {})", text(old), text(new)))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
