"""Disturbance and rank stability of the probes over other intervals, from the runs of a comparison.

usage: intervals.py COMPARISON > intervals.csv                 needs: pip install scipy
For each run and interval k, as the program computes them for one interval: the means over all epochs t with an epoch
t + k, and over those of the second half, of mean |accuracy(t + k) - accuracy(t)| in points; and the mean of Kendall's
tau-b between the probes' accuracies at both ends.
"""
import csv
import pathlib
import statistics
import sys

from scipy.stats import kendalltau

rows = csv.writer(sys.stdout, lineterminator="\n")
rows.writerow(["variant", "seed", "interval", "n", "disturbance", "disturbance_second_half", "rank_stability"])
for run in sorted((pathlib.Path(sys.argv[1]) / "runs").iterdir()):
    epochs = {}
    with open(run / "archs.csv") as file:
        for row in csv.DictReader(file):
            if row["purpose"] == "probe":
                epochs.setdefault(int(row["epoch"]), []).append(float(row["accuracy"]))
    for k in (1, 5, 13):
        starts = [t for t in epochs if t + k in epochs]
        moved = {t: statistics.fmean(abs(a - b) for a, b in zip(epochs[t], epochs[t + k])) for t in starts}
        late = [moved[t] for t in starts if 2 * t >= len(epochs)]
        if not starts:
            continue
        stability = statistics.fmean(kendalltau(epochs[t], epochs[t + k]).statistic for t in starts)
        half = f"{statistics.fmean(late):.3f}" if late else ""
        variant, seed = run.name.rsplit("-s", 1)
        rows.writerow([variant, seed, k, len(starts), f"{statistics.fmean(moved.values()):.3f}", half, f"{stability:.3f}"])
