//! Arithmetic mean.

/// Mean of the values, or `None` without a value.
pub fn mean(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut n = 0_usize;
    let sum: f64 = values.into_iter().inspect(|_| n += 1).sum();
    (n > 0).then(|| sum / n as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mean_by_hand() {
        assert_eq!(mean([1.0, 2.0, 6.0]), Some(3.0));
        assert_eq!(mean([]), None);
    }
}
