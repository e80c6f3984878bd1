"""Single-step disturbance by the number of layers that the previous and the trained architecture share.

usage: shared_layers.py COMPARISON > shared_layers.csv

COMPARISON is the directory of a comparison. The script sums the measurements of all runs of a variant over groups of numbers of
shared layers; result.json has them by single numbers.
"""
import collections
import csv
import json
import pathlib
import sys

GROUPS = [(0, 0), (1, 4), (5, 9), (10, 14), (15, 99)]

sums = collections.defaultdict(lambda: [0, 0.0, 0.0])
for path in sorted((pathlib.Path(sys.argv[1]) / "runs").glob("*/result.json")):
    result = json.loads(path.read_text())
    for row in result["probes"]["by_shared_layers"]:
        group = next(group for group in GROUPS if group[0] <= row["layers"] <= group[1])
        total = sums[path.parent.name.rsplit("-s", 1)[0], group]
        total[0] += row["n"]
        total[1] += row["n"] * row["abs_loss"]
        total[2] += row["n"] * row["accuracy"]
rows = csv.writer(sys.stdout, lineterminator="\n")
rows.writerow(["variant", "layers_from", "layers_to", "n", "single_step_disturbance", "single_step_accuracy_change"])
for (variant, (first, last)), (n, loss, accuracy) in sorted(sums.items()):
    rows.writerow([variant, first, last, n, f"{loss / n:.5f}", f"{accuracy / n:.3f}"])
