#!/usr/bin/env python3
"""Counts what a training pass asks of a GPU, on the emulated GPU of tests/cuda-emulator, as a Markdown table.

    . target/cuda/emulator/env.sh
    core/benches/cuda_counts.py target/cuda/debug/nas-train

Counts are differences of two runs of `bench`, of 5 and of 25 steps, divided by the passes between them, so that nothing
outside of the training steps counts. They do not depend on sizes, hence images and channels are few. `operations` is the mean number of
operations of the sampled architectures: convolutions (with their ReLU and batch normalisation), pools, sums, concatenations,
ReLUs, means over an image.
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

KERNELS = pathlib.Path(__file__).resolve().parents[1] / "ops/src/cuda/kernels"
OWN = {name for file in KERNELS.glob("*.cu") for name in re.findall(r"__global__ void (\w+)", file.read_text())}
SPACES = [("nasbench201", ["--cells", "5"]), ("macro", []), ("darts", ["--cells", "8"])]
STRATEGIES = ["plain", "ogd", "fairnas"]
STEPS = (5, 25)
# One launch of one of these is one operation of the program.
OPERATIONS = {"conv_forward_16", "conv_forward_64", "depthwise_forward", "depthwise_forward_norm", "pool_forward", "sum_forward", "concat_forward",
              "odd_pixels_forward", "image_mean_forward"}


def run(program: str, arguments: list[str], steps: int) -> dict:
    with tempfile.TemporaryDirectory() as folder:
        counts = pathlib.Path(folder) / "counts.json"
        command = [program, "bench", *arguments, "--width", "4", "--batch-size", "8", "--device", "cuda:0",
                   "--rounds", "1", "--warm-up", "2", "--steps", str(steps)]
        subprocess.run(command, env={**os.environ, "CUDA_EMU_COUNTS": str(counts)}, check=True, capture_output=True)
        return json.loads(counts.read_text())


def launches(counts: dict, names=None) -> float:
    return sum(kernel["launches"] for name, kernel in counts["kernels"].items() if names is None or name in names)


def main() -> None:
    program = sys.argv[1]
    print("| space | strategy | operations | launches | of these by dfdx | launches an operation and direction | fills | "
          "copies on the device | copies to it | waits |")
    print("|---" * 10 + "|")
    for space, size in SPACES:
        for strategy in STRATEGIES:
            few, many = (run(program, ["--space", space, *size, "--strategy", strategy], steps) for steps in STEPS)
            passes = launches(many, {"cross_entropy_forward"}) - launches(few, {"cross_entropy_forward"})
            each = lambda value: (value(many) - value(few)) / passes
            operations, all_launches = each(lambda c: launches(c, OPERATIONS)), each(launches)
            own = each(lambda c: launches(c, OWN))
            row = [operations, all_launches, all_launches - own, all_launches / operations / 2]
            row += [each(lambda c, key=key: c[key]) for key in ("fills", "copies_on_device", "copies_to_device",
                                                                "synchronisations")]
            print(f"| `{space}` | `{strategy}` | " + " | ".join(f"{value:.1f}" for value in row) + " |", flush=True)


if __name__ == "__main__":
    main()
