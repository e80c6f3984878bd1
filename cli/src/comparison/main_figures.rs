//! The figures that tables show first.

use nas_core::figures::Figure;

/// Keys of the main figures, in the order of the columns.
const KEYS: [&str; 8] = [
    "subnet_passes",
    "probe_accuracy",
    "disturbance_second_half",
    "rank_stability",
    "single_step_disturbance",
    "gt_tau",
    "predicted_best_truth",
    "selected_truth",
];

/// The main figures. Tables in a terminal show only these; the report shows the others in a second table.
pub fn main_figures() -> impl Iterator<Item = &'static Figure> {
    KEYS.into_iter().filter_map(Figure::find)
}

/// Whether a figure is a main figure.
pub fn is_main(figure: &Figure) -> bool {
    KEYS.contains(&figure.key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_main_figure_is_in_the_catalogue() {
        assert_eq!(main_figures().count(), KEYS.len());
    }
}
