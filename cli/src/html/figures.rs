//! The figures of a report, each with its data.

use super::cell;
use super::outliers;
use super::svg::{Chart, Series, bars, heat_map};
use crate::archive::{ArchivedRun, ArchivedSequence};
use crate::comparison::VariantRuns;
use std::collections::BTreeMap;

/// A picture with its data.
#[derive(Debug, Clone)]
pub struct Picture {
    /// Name of the data file, without its ending.
    pub name: String,
    /// Heading.
    pub title: String,
    /// What is to be seen.
    pub caption: String,
    /// The drawing; nothing where no run has such data.
    pub svg: Option<String>,
    /// Labels and numbers of the colours used.
    pub legend: Vec<(String, usize)>,
    /// The data as CSV.
    pub csv: String,
}

/// All figures, in the order of the page.
pub fn all(variants: &[VariantRuns], sequences: &[(String, ArchivedSequence)]) -> Vec<Picture> {
    let mut pictures = vec![
        curve(variants, "disturbance", "Disturbance", "change in points", |run, row| {
            row.0 == "probe" && row.1 == format!("disturbance_{}", run.config.probes.interval)
        }),
        curve(variants, "rank_stability", "Rank stability (KTau)", "Kendall tau", |run, row| {
            row.0 == "probe" && row.1 == format!("rank_stability_{}", run.config.probes.interval)
        }),
        curve(variants, "probe_accuracy", "Accuracy of the probes", "mean accuracy in %", |_, row| {
            row.0 == "probe" && row.1 == "mean_accuracy"
        }),
        curve(variants, "train_loss", "Training loss", "cross-entropy", |_, row| {
            row.0 == "train" && row.1 == "mean_loss"
        }),
        truth(variants),
        fairness(variants),
        curve(variants, "controller_reward", "Reward of the controller", "accuracy in 0..1", |_, row| {
            row.0 == "controller" && row.1 == "reward"
        }),
        curve(variants, "controller_entropy", "Entropy of the controller", "nats", |_, row| {
            row.0 == "controller" && row.1 == "entropy"
        }),
        time(variants),
    ];
    pictures[0].caption += " Mean absolute change of the probes' accuracies over the interval (DINAS, figure 3a).";
    pictures[1].caption += " Kendall tau between the probes' rankings an interval apart (DINAS, figure 3b).";
    pictures.extend(sequences.iter().enumerate().map(|(number, (label, folder))| matrix(number, label, folder)));
    pictures.extend(variants.iter().enumerate().filter_map(|(number, variant)| cell::picture(number, variant)));
    pictures
}

/// One line a variant over sub-net passes: the mean of its runs and the range between them.
fn curve(
    variants: &[VariantRuns],
    name: &str,
    title: &str,
    y: &str,
    wanted: impl Fn(&ArchivedRun, (&str, &str)) -> bool,
) -> Picture {
    let (mut series, mut csv) = (Vec::new(), String::from("variant,seed,passes,value\n"));
    for (colour, variant) in variants.iter().enumerate() {
        let mut at: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
        for run in &variant.runs {
            // A step of some strategies trains now more, now fewer architectures.
            let per_step = run.result.subnet_passes as f64 / run.result.steps.max(1) as f64;
            for row in run.metrics.iter().filter(|row| wanted(run, (&row.split, &row.metric))) {
                let passes = (row.step as f64 * per_step).round() as u64;
                at.entry(passes).or_default().push(row.value);
                csv += &format!("{},{},{passes},{}\n", quoted(&variant.label), run.result.seed, row.value);
            }
        }
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let range = |values: &[f64]| {
            values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), v| (lo.min(*v), hi.max(*v)))
        };
        series.push(Series {
            label: variant.label.clone(),
            colour,
            points: at.iter().map(|(passes, values)| (*passes as f64, mean(values))).collect(),
            band: if variant.runs.len() > 1 { at.values().map(|values| range(values)).collect() } else { Vec::new() },
        });
    }
    let legend = legend(&series);
    let chart = Chart { title: title.into(), x: "sub-net passes".into(), y: y.into(), dots: false, series };
    let caption = "Mean over seeds, shaded the range between them.".into();
    Picture { name: name.into(), title: title.into(), caption, svg: chart.svg(), legend, csv }
}

/// Supernet accuracy against truth, the first seed of every variant.
fn truth(variants: &[VariantRuns]) -> Picture {
    let (mut series, mut csv) = (Vec::new(), String::from("variant,seed,arch,shared,truth\n"));
    let mut taus = Vec::new();
    for (colour, variant) in variants.iter().enumerate() {
        let mut points = Vec::new();
        for (number, run) in variant.runs.iter().enumerate() {
            for (row, truth) in run.compared() {
                csv += &format!(
                    "{},{},{},{},{truth}\n",
                    quoted(&variant.label),
                    run.result.seed,
                    quoted(&row.arch),
                    row.accuracy
                );
                if number == 0 {
                    points.push((truth, row.accuracy));
                }
            }
        }
        let found = variant.runs.first().and_then(|run| run.result.truth.as_ref());
        taus.extend(found.and_then(|truth| {
            let interval =
                truth.gt_tau_lo.zip(truth.gt_tau_hi).map(|(lo, hi)| format!(" [{lo:.2}, {hi:.2}]")).unwrap_or_default();
            Some(format!("{} {:.3}{interval}, n = {}", variant.label, truth.gt_tau?, truth.n))
        }));
        series.push(Series { label: variant.label.clone(), colour, points, band: Vec::new() });
    }
    let (legend, title) = (legend(&series), "Shared weights against stand-alone training".to_owned());
    let (x, y) = ("stand-alone accuracy in %".into(), "with shared weights in %".into());
    let mut caption = format!("First seed. Kendall tau with 95% interval over architectures: {}.", taus.join("; "));
    match outliers::bring_nearer(&mut series) {
        0 => {}
        1 => caption += " A dot far from most others is drawn nearer than it is.",
        n => caption += &format!(" {n} dots far from most others are drawn nearer than they are."),
    }
    let chart = Chart { title: title.clone(), x, y, dots: true, series };
    Picture { name: "truth".into(), title, caption, svg: chart.svg(), legend, csv }
}

/// How many choices got how many updates, relative to the mean.
fn fairness(variants: &[VariantRuns]) -> Picture {
    let (mut series, mut csv) = (Vec::new(), String::from("variant,seed,decision,choice,updates\n"));
    for (colour, variant) in variants.iter().enumerate() {
        let mut relative = Vec::new();
        for run in &variant.runs {
            let Some(fairness) = &run.result.fairness else { continue };
            for (decision, counts) in fairness.counts.iter().enumerate() {
                for (choice, count) in counts.iter().enumerate() {
                    csv += &format!("{},{},{decision},{choice},{count}\n", quoted(&variant.label), run.result.seed);
                    relative.push(*count as f64 / fairness.mean.max(1e-9));
                }
            }
        }
        series.push(Series { label: variant.label.clone(), colour, points: histogram(&relative), band: Vec::new() });
    }
    let (legend, title) = (legend(&series), "Fairness: updates of the choices".to_owned());
    let (x, y) = ("updates, as a multiple of the mean".into(), "share of the choices in %".into());
    let chart = Chart { title: title.clone(), x, y, dots: false, series };
    let caption = "Histogram over all choices of all decisions and seeds; strict fairness is a spike at 1.".into();
    Picture { name: "fairness".into(), title, caption, svg: chart.svg(), legend, csv }
}

/// Share of the values in bins of 0.05 as the outline of a histogram.
fn histogram(values: &[f64]) -> Vec<(f64, f64)> {
    const BIN: f64 = 0.05;
    let mut counts: BTreeMap<i64, usize> = BTreeMap::new();
    values.iter().for_each(|value| *counts.entry((value / BIN).round() as i64).or_default() += 1);
    let (Some(first), Some(last)) = (counts.keys().next().copied(), counts.keys().last().copied()) else {
        return Vec::new();
    };
    let share = |bin: i64| 100.0 * counts.get(&bin).copied().unwrap_or(0) as f64 / values.len() as f64;
    let edge = |bin: i64, side: f64| (bin as f64 + side) * BIN;
    let outline = (first..=last).flat_map(|bin| [(edge(bin, -0.5), share(bin)), (edge(bin, 0.5), share(bin))]);
    [(edge(first, -0.5), 0.0)].into_iter().chain(outline).chain([(edge(last, 0.5), 0.0)]).collect()
}

/// Where the time goes, mean over the seeds.
fn time(variants: &[VariantRuns]) -> Picture {
    let mut csv = String::from("variant,seed,train_s,rest_s\n");
    let mut parts = Vec::new();
    for variant in variants {
        let (mut train, mut rest) = (0.0, 0.0);
        for run in &variant.runs {
            let (of_train, of_rest) = (run.result.train_s, run.result.wall_s - run.result.train_s);
            csv += &format!("{},{},{of_train},{of_rest}\n", quoted(&variant.label), run.result.seed);
            (train, rest) = (train + of_train, rest + of_rest);
        }
        let n = variant.runs.len().max(1) as f64;
        parts.push((variant.label.clone(), vec![train / n, rest / n]));
    }
    let title = "Time of a run";
    let legend = vec![("training".into(), 0), ("probes, search, truth".into(), 1)];
    let caption = "Mean over seeds.".into();
    Picture { name: "time".into(), title: title.into(), caption, svg: bars(title, "s", &parts), legend, csv }
}

/// Accuracy of each architecture of a sequence after the training of each.
fn matrix(number: usize, label: &str, folder: &ArchivedSequence) -> Picture {
    let result = &folder.result;
    let mut csv = String::from("arch,trained,accuracy\n");
    for (i, row) in result.matrix.iter().enumerate() {
        for (j, accuracy) in row.iter().enumerate().filter_map(|(j, value)| Some((j, (*value)?))) {
            csv += &format!("{i},{j},{accuracy}\n");
        }
    }
    let title = format!("Disturbance matrix of {label}");
    let points = |value: Option<f64>| value.map_or("-".into(), |value| format!("{value:.1}"));
    let caption = format!(
        "Accuracy in % of architectures trained one after another, {} epochs each (DINAS, figure 1b). Right after own \
         training {}, at the end {}, drop {} points.",
        result.epochs_each,
        points(result.own),
        points(result.r#final),
        points(result.drop)
    );
    let svg = heat_map(&title, &result.matrix);
    Picture { name: format!("matrix_{number}"), title, caption, svg, legend: Vec::new(), csv }
}

fn legend(series: &[Series]) -> Vec<(String, usize)> {
    series.iter().filter(|series| !series.points.is_empty()).map(|s| (s.label.clone(), s.colour)).collect()
}

/// A field of a CSV file.
pub fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_covers_all_values() {
        let outline = histogram(&[1.0, 1.0, 1.1, 0.9]);
        let area: f64 = outline.windows(2).map(|w| (w[1].0 - w[0].0) * w[0].1).sum();
        assert!((area - 100.0 * 0.05).abs() < 1e-9, "{outline:?}");
        assert_eq!(histogram(&[1.0; 3])[1].1, 100.0);
        assert!(histogram(&[]).is_empty());
    }
}
