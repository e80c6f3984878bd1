//! The directories of the runs of many seeds: directories with hundreds of entries are slow on network file systems.
//!
//! The runs of the first hundred seeds are entries of a directory. Those of each further hundred are entries of its
//! subdirectory `100`, `200` and so on.

use std::path::{Path, PathBuf};
use std::{fs, io};

/// Number of seeds in a subdirectory.
const SHARD: u64 = 100;

/// The run directory with this name in `parent`. `position` is the difference between its seed and the first seed. A
/// run that an earlier version made in `parent` itself stays there.
pub fn run_directory(parent: &Path, name: &str, position: u64) -> PathBuf {
    let flat = parent.join(name);
    match position / SHARD {
        0 => flat,
        _ if flat.exists() => flat,
        shard => parent.join((shard * SHARD).to_string()).join(name),
    }
}

/// The name of a run directory relative to its parent without subdirectories, with `/`.
pub fn relative_name(run: &Path) -> Option<String> {
    let name = run.file_name()?.to_string_lossy();
    let shard = run.parent().and_then(shard_number);
    Some(shard.map_or_else(|| name.to_string(), |shard| format!("{shard}/{name}")))
}

/// The entries of a directory by name, with those of its subdirectories of seeds after them.
///
/// # Errors
/// A directory cannot be read.
pub fn entries(parent: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = sorted(parent)?;
    let mut shards: Vec<PathBuf> = found.extract_if(.., |path| shard_number(path).is_some() && path.is_dir()).collect();
    shards.sort_by_key(|path| shard_number(path));
    for shard in shards {
        found.extend(sorted(&shard)?);
    }
    Ok(found)
}

fn sorted(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths: Vec<PathBuf> = fs::read_dir(dir)?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
    paths.sort();
    Ok(paths)
}

/// The number that is the name of a subdirectory of seeds; none for other paths.
fn shard_number(path: &Path) -> Option<u64> {
    let name = path.file_name()?.to_str()?;
    let number: u64 = name.parse().ok()?;
    (number > 0 && number.is_multiple_of(SHARD) && number.to_string() == name).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_further_hundred_of_seeds_has_a_subdirectory() {
        let dir = tempfile::tempdir().unwrap();
        let relative_path = |position: u64| {
            let path = run_directory(dir.path(), &format!("plain-s{}", position + 7), position);
            let relative = path.strip_prefix(dir.path()).unwrap().to_string_lossy().replace('\\', "/");
            assert_eq!(relative_name(&path), Some(relative.clone()));
            relative
        };
        let expected = [(0, "plain-s7"), (99, "plain-s106"), (100, "100/plain-s107"), (1234, "1200/plain-s1241")];
        for (position, expected) in expected {
            assert_eq!(relative_path(position), expected);
        }
        fs::create_dir(dir.path().join("plain-s107")).unwrap();
        assert_eq!(relative_path(100), "plain-s107", "an earlier version made it");
        assert_eq!(relative_path(101), "100/plain-s108");
    }

    #[test]
    fn entries_of_subdirectories_of_seeds_come_after_the_others() {
        let dir = tempfile::tempdir().unwrap();
        for path in ["1000/e", "200/d", "100/c", "a/x", "150/x", "0100/x", "0/x"] {
            fs::create_dir_all(dir.path().join(path)).unwrap();
        }
        fs::write(dir.path().join("300"), "a file").unwrap();
        let found = entries(dir.path()).unwrap();
        let relative = found.iter().map(|path| path.strip_prefix(dir.path()).unwrap().to_str().unwrap());
        let expected = ["0", "0100", "150", "300", "a", "100/c", "200/d", "1000/e"];
        assert_eq!(relative.collect::<Vec<_>>(), expected);
        assert!(entries(&dir.path().join("none")).is_err());
    }
}
