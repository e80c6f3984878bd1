"""Disturbance and rank stability of the probe architectures at intervals of 1, 5 and 13 epochs.

usage: intervals.py COMPARISON > intervals.csv                 needs: pip install scipy

COMPARISON is the directory of a comparison. For each run and interval k, the script averages over all epochs t for which
epoch t + k exists, as the program does for its one interval:
- disturbance: mean |accuracy(t + k) - accuracy(t)| over the probe architectures, in percentage points;
- disturbance_second_half: the same for epochs t and t + k in the second half of the run;
- rank_stability: Kendall's tau-b between the accuracies after t and after t + k.
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
        change = {t: statistics.fmean(abs(a - b) for a, b in zip(epochs[t], epochs[t + k])) for t in starts}
        second_half = [change[t] for t in starts if 2 * t >= len(epochs)]
        if not starts:
            continue
        stability = statistics.fmean(kendalltau(epochs[t], epochs[t + k]).statistic for t in starts)
        half = f"{statistics.fmean(second_half):.3f}" if second_half else ""
        variant, seed = run.name.rsplit("-s", 1)
        mean = f"{statistics.fmean(change.values()):.3f}"
        rows.writerow([variant, seed, k, len(starts), mean, half, f"{stability:.3f}"])
