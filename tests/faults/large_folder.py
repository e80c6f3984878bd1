#!/usr/bin/env python3
"""Measures memory and throughput on a folder of JPEG images that stay on disk.

Generates the images below /tmp (about 400 MB for 20,000 images of 256 x 256), trains on them with `data.cache=disk`, and
removes them. Fails if the peak memory exceeds the limit. Needs Pillow.
"""

import argparse
import json
import pathlib
import random
import resource
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor

from PIL import Image

ROOT = pathlib.Path(__file__).resolve().parents[2]
CLASSES = 10
SIDE = 256


def write(part, first, count):
    """Writes images `first` to `first + count`: coarse random colours, enlarged, so that files have the size of photos."""
    for number in range(first, first + count):
        draw = random.Random(number)
        folder = part / f"class{number % CLASSES}"
        folder.mkdir(parents=True, exist_ok=True)
        coarse = Image.frombytes("RGB", (48, 48), draw.randbytes(48 * 48 * 3))
        coarse.resize((SIDE, SIDE), Image.BICUBIC).save(folder / f"{number:06}.jpg", quality=80)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--program", type=pathlib.Path, default=ROOT / "target/release/nas-train")
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--image-size", type=int, default=224)
    parser.add_argument("--limit-mb", type=float, default=600)
    parser.add_argument("options", nargs="*", help="further options of nas-train, after --")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="nas-train-images") as temporary:
        data, out = pathlib.Path(temporary) / "data", pathlib.Path(temporary) / "out"
        with ProcessPoolExecutor() as pool:
            pieces = [(first, min(500, options.images - first)) for first in range(0, options.images, 500)]
            list(pool.map(write, *zip(*[(data, *piece) for piece in pieces])))
        size = sum(path.stat().st_size for path in data.rglob("*.jpg"))
        print(f"{options.images:,} images of {SIDE} x {SIDE}, {size / 1e6:.0f} MB in files, "
              f"{options.images * options.image_size ** 2 * 3 / 1e6:,.0f} MB decoded", flush=True)
        words = [
            options.program, "--data", "folder", "--data-dir", data, "--out", out, "--space", "tiny", "--width", "4",
            "--epochs", "1", "--batch-size", "32", "--probes", "2", "--progress", "none",
            *(word for key in (
                "cache=disk", f"image_size={options.image_size}", "resize=crop", "random_resized_crop=true",
                "colour_jitter.brightness=0.4", "colour_jitter.contrast=0.4", "colour_jitter.saturation=0.4",
                "train_fraction=0.9",
            ) for word in ("--set", f"data.{key}")),
            "--set", "eval.batch_size=32", *options.options,
        ]
        start, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
        wall, after = time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        peak = after.ru_maxrss / 1024
        result = json.loads((out / "result.json").read_text())
    print(f"peak memory {peak:.0f} MB, training {result['images_per_s']:.0f} images/s, {wall:.0f} s in all, "
          f"{cpu:.0f} s of processor time")
    sys.exit(peak > options.limit_mb)


if __name__ == "__main__":
    main()
