//! Splitting of runs among job arrays, whose indices a cluster limits.

use std::fmt::Write;

/// A job array: `tasks` are the indices of the array. Task `t` makes the runs from `(offset + t) * runs_per_task` on.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ArrayPart {
    /// What is added to an index of the array.
    pub offset: usize,
    /// The indices of the array, ascending.
    pub tasks: Vec<usize>,
}

/// The arrays of these tasks, ascending, with indices below `limit`.
pub fn split(tasks: &[usize], limit: usize) -> Vec<ArrayPart> {
    let limit = limit.max(1);
    let mut parts: Vec<ArrayPart> = Vec::new();
    for task in tasks {
        let offset = task / limit * limit;
        match parts.last_mut() {
            Some(part) if part.offset == offset => part.tasks.push(task - offset),
            _ => parts.push(ArrayPart { offset, tasks: vec![task - offset] }),
        }
    }
    parts
}

/// The share of each of `parts` arrays in `max_running` tasks, at least 1; none without a limit (0).
pub fn shares(max_running: usize, parts: usize) -> Vec<Option<usize>> {
    let share = |part| (max_running / parts + usize::from(part < max_running % parts)).max(1);
    (0..parts).map(|part| (max_running > 0).then(|| share(part))).collect()
}

/// Ascending indices as ranges: `0-3,7`.
pub fn ranges(tasks: &[usize]) -> String {
    let mut text = String::new();
    let mut rest = tasks;
    while let Some(first) = rest.first() {
        let length = rest.iter().zip(*first..).take_while(|(task, expected)| *task == expected).count();
        let separator = if text.is_empty() { "" } else { "," };
        let _ = write!(text, "{separator}{first}");
        if length > 1 {
            let _ = write!(text, "-{}", first + length - 1);
        }
        rest = &rest[length..];
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn ranges_are_written_as_sbatch_reads_them() {
        assert_eq!(ranges(&[0, 1, 2, 5, 7, 8]), "0-2,5,7-8");
        assert_eq!(ranges(&[]), "");
    }

    proptest! {
        #[test]
        fn every_task_is_in_one_array_below_the_limit(
            tasks in prop::collection::btree_set(0_usize..5000, 0..200),
            limit in 1_usize..1500,
        ) {
            let tasks: Vec<usize> = tasks.into_iter().collect();
            let parts = split(&tasks, limit);
            prop_assert!(parts.iter().all(|part| part.tasks.iter().all(|task| *task < limit)));
            let all = parts.iter().flat_map(|part| part.tasks.iter().map(|task| part.offset + task));
            prop_assert_eq!(all.collect::<Vec<_>>(), tasks);
            let offsets: BTreeSet<usize> = parts.iter().map(|part| part.offset).collect();
            prop_assert_eq!(offsets.len(), parts.len());
        }

        #[test]
        fn shares_add_up_to_the_limit(max_running in 1_usize..500, parts in 1_usize..50) {
            let sum: usize = shares(max_running, parts).into_iter().flatten().sum();
            prop_assert_eq!(sum, max_running.max(parts));
        }
    }
}
