//! The Pareto front of accuracy against multiply-adds.

use super::Candidate;

/// The candidates that no other one beats: none has at most as many multiply-adds and a higher accuracy, or fewer
/// multiply-adds and at least the same accuracy. By ascending multiply-adds. Of candidates equal in both, the first
/// counts.
pub fn pareto_front(candidates: &[Candidate]) -> Vec<&Candidate> {
    let mut order: Vec<&Candidate> = candidates.iter().collect();
    order.sort_by(|a, b| a.macs.cmp(&b.macs).then(b.accuracy.total_cmp(&a.accuracy)));
    let mut front: Vec<&Candidate> = Vec::new();
    for candidate in order {
        if front.last().is_none_or(|best| candidate.accuracy > best.accuracy) {
            front.push(candidate);
        }
    }
    front
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn candidate(accuracy: u8, macs: u64) -> Candidate {
        Candidate { arch: format!("{accuracy}/{macs}"), accuracy: accuracy.into(), loss: 0.0, params: 0, macs }
    }

    proptest! {
        #[test]
        fn nothing_beats_the_front_and_it_beats_the_rest(all in prop::collection::vec((0u8..8, 0u64..8), 0..30)) {
            let all: Vec<Candidate> = all.into_iter().map(|(accuracy, macs)| candidate(accuracy, macs)).collect();
            let front = pareto_front(&all);
            prop_assert!(front.is_sorted_by(|a, b| a.macs < b.macs && a.accuracy < b.accuracy));
            let beats = |a: &Candidate, b: &Candidate| {
                a.macs <= b.macs && a.accuracy >= b.accuracy && (a.macs, a.accuracy) != (b.macs, b.accuracy)
            };
            for candidate in &all {
                let is_equal = front.iter().any(|f| (f.macs, f.accuracy) == (candidate.macs, candidate.accuracy));
                prop_assert_eq!(is_equal, !all.iter().any(|other| beats(other, candidate)));
            }
        }
    }
}
