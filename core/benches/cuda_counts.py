#!/usr/bin/env python3
"""Counts what a training pass asks of a GPU, on the emulated GPU of tests/cuda-emulator, as Markdown tables.

    . target/cuda/emulator/env.sh
    core/benches/cuda_counts.py target/cuda/debug/nas-train           # launches, copies and waits: minutes
    core/benches/cuda_counts.py target/cuda/debug/nas-train memory    # memory and traffic at usual sizes: an hour

The first table: counts are differences of two runs of `bench`, of 5 and of 25 steps, divided by the passes between them, so that nothing
outside of the training steps counts. They do not depend on sizes, hence images and channels are few. `operations` is the mean number of
operations of the sampled architectures: convolutions (with their ReLU and batch normalisation), pools, sums, concatenations,
ReLUs, means over an image.

The second table, for `plain`: the peak of the memory over six passes of 64 images, and the traffic of a pass of 64 images:
what the kernels load and store, and how much of it is distinct within a launch. The latter is the least that the memory has to
deliver to these kernels. The emulator counts loads of single threads, before caches. Traffic is counted for two passes of 2 and
of 4 images and extrapolated, since it is a constant (weights) and a part that is proportional to the images.
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
WIDTHS = {"nasbench201": 16, "macro": 32, "darts": 16}
STRATEGIES = ["plain", "ogd", "fairnas"]
STEPS = (5, 25)
IMAGES = 64
TRAFFIC_IMAGES = (2, 4)
# One launch of one of these is one operation of the program.
OPERATIONS = {"conv_forward_16", "conv_forward_64", "depthwise_forward", "depthwise_forward_norm", "pool_forward", "sum_forward", "concat_forward",
              "odd_pixels_forward", "image_mean_forward"}


def run(program: str, arguments: list[str], steps: int, width: int = 4, batch: int = 8, warm_up: int = 2,
        races: bool = False) -> dict:
    with tempfile.TemporaryDirectory() as folder:
        counts = pathlib.Path(folder) / "counts.json"
        command = [program, "bench", *arguments, "--width", str(width), "--batch-size", str(batch), "--device", "cuda:0",
                   "--rounds", "1", "--warm-up", str(warm_up), "--steps", str(steps)]
        environment = {**os.environ, "CUDA_EMU_COUNTS": str(counts), **({"CUDA_EMU_RACES": "1"} if races else {})}
        subprocess.run(command, env=environment, check=True, capture_output=True)
        return json.loads(counts.read_text())


def launches(counts: dict, names=None) -> float:
    return sum(kernel["launches"] for name, kernel in counts["kernels"].items() if names is None or name in names)


def traffic(counts: dict, *keys: str) -> float:
    """MiB of a pass."""
    passes = launches(counts, {"cross_entropy_forward"})
    return sum(kernel.get(key, 0) for kernel in counts["kernels"].values() for key in keys) / passes / 2**20


def memory_table(program: str) -> None:
    print("| space | memory at peak, MiB | loaded and stored, MiB | of these distinct, MiB |")
    print("|---" * 4 + "|")
    for space, size in SPACES:
        arguments = ["--space", space, *size, "--strategy", "plain"]
        peak = run(program, arguments, 4, WIDTHS[space], IMAGES)["bytes_peak"] / 2**20
        few, many = (run(program, arguments, 1, WIDTHS[space], images, warm_up=1, races=True) for images in TRAFFIC_IMAGES)
        factor = (IMAGES - TRAFFIC_IMAGES[0]) / (TRAFFIC_IMAGES[1] - TRAFFIC_IMAGES[0])
        all_images = lambda *keys: traffic(few, *keys) + factor * (traffic(many, *keys) - traffic(few, *keys))
        print(f"| `{space}` | {peak:.0f} | {all_images('bytes_loaded', 'bytes_stored'):.0f} | "
              f"{all_images('distinct_loaded', 'distinct_stored'):.0f} |", flush=True)


def counts_table(program: str) -> None:
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
    (memory_table if sys.argv[2:] == ["memory"] else counts_table)(sys.argv[1])
