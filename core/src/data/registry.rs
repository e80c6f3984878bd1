//! The data sets by name.

use super::{DataError, DataOptions, Dataset, cifar, digits, folder, idx, synthetic};

/// A data set as `list` and `describe` show it.
#[derive(Clone, Copy, Debug)]
pub struct Descriptor {
    /// The name that `--data` takes.
    pub name: &'static str,
    /// What it is, in one line.
    pub summary: &'static str,
    /// How to get its files and how they must be named.
    pub source: &'static str,
    load: fn(&DataOptions) -> Result<Dataset, DataError>,
}

static DESCRIPTORS: [Descriptor; 6] = [
    Descriptor {
        name: "cifar10",
        summary: "CIFAR-10: 60,000 photographs of 10 classes, 32 x 32 RGB, 10,000 of them for the test",
        source: cifar::CIFAR10.how,
        load: cifar::load10,
    },
    Descriptor {
        name: "cifar100",
        summary: "CIFAR-100: 60,000 photographs of 100 classes, 32 x 32 RGB, 10,000 of them for the test",
        source: cifar::CIFAR100.how,
        load: cifar::load100,
    },
    Descriptor {
        name: "digits",
        summary: "1,797 handwritten digits, 8 x 8 grey (UCI, CC BY 4.0); no test part",
        source: "part of the program, nothing to download",
        load: digits::load,
    },
    Descriptor {
        name: "folder",
        summary: "your own jpg and png images, one folder a class, resized to data.image_size (RGB)",
        source: folder::HOW,
        load: folder::load,
    },
    Descriptor {
        name: "idx",
        summary: "MNIST, Fashion-MNIST and others in the idx format, grey",
        source: idx::HOW,
        load: idx::load,
    },
    Descriptor {
        name: "synthetic",
        summary: "smooth random patterns, one a class, shifted and with noise, in any size; no test part",
        source: "made by the program from data.synthetic, nothing to download",
        load: synthetic::load,
    },
];

/// All data sets, sorted by name.
pub fn descriptors() -> &'static [Descriptor] {
    &DESCRIPTORS
}

/// The data set `name`.
pub fn find(name: &str) -> Result<&'static Descriptor, DataError> {
    DESCRIPTORS.iter().find(|descriptor| descriptor.name == name).ok_or_else(|| DataError::Unknown {
        name: name.into(),
        nearest: nearest(name),
        known: DESCRIPTORS.iter().map(|descriptor| descriptor.name).collect(),
    })
}

/// Reads the data set `name` into memory.
pub fn load(name: &str, options: &DataOptions) -> Result<Dataset, DataError> {
    (find(name)?.load)(options)
}

/// The known name that a mistyped one most likely means.
fn nearest(name: &str) -> Option<&'static str> {
    let similarity = |known: &str| strsim::jaro_winkler(known, &name.to_lowercase());
    let scored = DESCRIPTORS.iter().map(|descriptor| (similarity(descriptor.name), descriptor.name));
    scored.filter(|(score, _)| *score > 0.7).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted_and_described() {
        assert!(descriptors().is_sorted_by_key(|descriptor| descriptor.name));
        for descriptor in descriptors() {
            assert!(!descriptor.summary.is_empty() && !descriptor.summary.contains('\n'));
            assert!(!descriptor.source.is_empty());
        }
    }

    #[test]
    fn data_sets_carry_the_name_they_are_known_by() {
        for name in ["digits", "synthetic"] {
            assert_eq!(load(name, &DataOptions::default()).unwrap().name, name);
        }
    }

    #[test]
    fn data_sets_without_files_refuse_a_folder() {
        let options = DataOptions { dir: Some("mine".into()), ..DataOptions::default() };
        for name in ["digits", "synthetic"] {
            let expected = format!("none: data set `{name}` reads no files; choose one that does with --data");
            let error = load(name, &options).unwrap_err();
            assert_eq!(error.to_string(), format!("data.dir is mine, expected {expected}"));
        }
    }

    #[test]
    fn unknown_names_are_answered_by_the_nearest() {
        let message = |name| load(name, &DataOptions::default()).unwrap_err().to_string();
        let all = "known are cifar10, cifar100, digits, folder, idx, synthetic";
        assert_eq!(message("digts"), format!("unknown data set `digts`, did you mean `digits`?; {all}"));
        assert!(message("CIFAR-10").contains("did you mean `cifar10`?"));
        assert_eq!(message("zzz"), format!("unknown data set `zzz`; {all}"));
    }

    #[test]
    fn data_sets_of_files_say_what_to_download_when_no_folder_is_given() {
        for name in ["cifar10", "cifar100", "folder", "idx"] {
            let error = load(name, &DataOptions::default()).unwrap_err();
            assert!(matches!(error, DataError::NoFolder { name: found, .. } if found == name), "{error}");
            let options = DataOptions { dir: Some("/nonexistent/place".into()), ..DataOptions::default() };
            let error = load(name, &options).unwrap_err();
            let source = descriptors().iter().find(|descriptor| descriptor.name == name).unwrap().source;
            assert_eq!(error.to_string(), format!("cannot find /nonexistent/place: {source}"));
        }
    }
}
