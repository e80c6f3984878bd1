"""Damages every kind of file that a user gives to the program, and expects an error with one of its exit codes.

    python3 tests/faults/bad_input.py [--count 2000] [--program target/release/nas-train]

Each file is cut, has bits flipped, parts replaced, removed or repeated, or numbers exchanged. The program must not panic,
die of a signal, take longer than 20 s, or need more than 300 MB beside the size of the file. A damaged file with a checksum
must not be used: PNG images, compressed files, the files of a finished run. A JPEG must not be used either if it is cut, also
with an end mark behind the cut, or if its header has a larger size than its data.
"""

import gzip
import pathlib
import random
import re
import shutil
import struct
import tempfile

from program import PROBES, ROOT, TINY, Faults, arguments

SEEDS = ROOT / "tests/fuzz/seeds"
NUMBERS = [b"nan", b"inf", b"-1", b"1e308", b"-1e308", b"0", b"1e-320", b"18446744073709551616", b"99999999999", b"\x1b[31m"]
RUN_FILES = ["manifest.json", "config.toml", "result.json", "metrics.csv", "archs.csv", "timings.csv"]


def mutate(data, rng):
    """A damaged copy and the name of the damage."""
    kinds = ["cut", "flip", "replace", "remove", "repeat", "number"]
    if data[:2] == b"\xff\xd8":
        kinds += ["close", "enlarge"]
    kind = rng.choice(kinds)
    at = rng.randrange(len(data)) if data else 0
    length = min(rng.choice([1, 2, 4, 16, 256]), len(data) - at)
    if kind == "cut":
        return kind, data[:at]
    if kind == "close":
        return kind, data[:at] + b"\xff\xd9"
    if kind == "enlarge":
        # Height or width in the header, by a multiple of 256 pixels.
        side = re.search(rb"\xff[\xc0\xc2]\x00.\x08", data, re.DOTALL).end() + rng.choice([0, 2])
        return kind, data[:side] + bytes([rng.randrange(1, 16)]) + data[side + 1 :]
    if kind == "flip" and data:
        return kind, data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]
    if kind == "replace":
        return kind, data[:at] + rng.randbytes(length) + data[at + length :]
    if kind == "remove":
        return kind, data[:at] + data[at + length :]
    if kind == "repeat":
        return kind, data[: at + length] + data[at : at + length] * rng.choice([1, 10, 1000]) + data[at + length :]
    numbers = list(re.finditer(rb"[-+]?[0-9.]+(?:e[-+]?[0-9]+)?", data))
    if not numbers:
        return "cut", data[:at]
    number = rng.choice(numbers)
    return "number", data[: number.start()] + rng.choice(NUMBERS) + data[number.end() :]


class Inputs:
    """One good example of every kind of file, and the command that reads it."""

    def __init__(self, top, faults):
        self.top, self.faults = top, faults
        images = top / "images"
        for name, folder in [("a", "a"), ("b", "b")]:
            (images / folder).mkdir(parents=True)
            for number in range(6):
                (images / folder / f"{number}.ppm").write_bytes(b"P6 2 2 255\n" + bytes([number * 40 + ord(name) % 7] * 12))
        idx = top / "idx"
        idx.mkdir()
        header = lambda *sides: bytes([0, 0, 8, len(sides)]) + b"".join(struct.pack(">I", side) for side in sides)
        (idx / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(header(40, 8, 8) + bytes(range(256)) * 10))
        (idx / "train-labels-idx1-ubyte").write_bytes(header(40) + bytes([0, 1] * 20))
        cifar = top / "cifar/cifar-10-batches-py"
        cifar.mkdir(parents=True)
        (cifar / "data_batch_1").write_bytes((SEEDS / "cifar/array").read_bytes()[1:])
        (cifar / "batches.meta").write_bytes((SEEDS / "cifar/names").read_bytes()[1:])
        (top / "config.toml").write_bytes((SEEDS / "config/file").read_bytes())
        for words in [
            [*TINY, *PROBES, "--out", "run"],
            ["truth", *TINY, "--samples", "all", "--seeds", "2", "--out", "truth.csv"],
            ["compare", *TINY, *PROBES, "--seeds", "1", "--strategies", "plain,fairnas", "--out", "cmp"],
        ]:
            code, text, _ = faults.run(words, top)
            assert code == 0, text

    def cases(self):
        """Path of the good file, command, and whether a damaged file must be noticed (by a kind of damage)."""
        short = ["--space", "tiny", "--width", "1", "--epochs", "1", "--batch-size", "4", "--probes", "0", "--set", "data.image_size=4"]
        folder = [*short, "--data", "folder", "--data-dir", "images", "--out", "new"]
        for seed in sorted((SEEDS / "image").iterdir()):
            kinds = {"png": "any", "palette": "any", "jpeg": "jpeg", "progressive": "jpeg", "cmyk": "jpeg", "exif": "jpeg"}
            noticed = kinds.get(seed.name, "cut")
            yield seed, "images/b/damaged.png", folder, noticed
        for name in ["train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte"]:
            yield self.top / "idx" / name, f"idx/{name}", [*short, "--data", "idx", "--data-dir", "idx", "--out", "new"], "cut"
        for name in ["data_batch_1", "batches.meta"]:
            path = f"cifar/cifar-10-batches-py/{name}"
            yield self.top / path, path, [*short, "--data", "cifar10", "--data-dir", "cifar", "--out", "new"], "all"
        yield self.top / "config.toml", "config.toml", ["config", "show", "--config", "config.toml"], "never"
        truth = [*TINY, "--probes", "0", "--truth", "truth.csv", "--truth-samples", "all", "--out", "new"]
        yield self.top / "truth.csv", "truth.csv", truth, "never"
        yield self.top / "truth.toml", "truth.toml", truth, "never"
        for name in RUN_FILES:
            noticed = "never" if name == "manifest.json" else "report"
            yield self.top / "run" / name, f"run/{name}", ["report", "run", "--out", "page"], noticed
        yield self.top / "cmp/comparison.json", "cmp/comparison.json", ["report", "cmp", "--out", "page"], "never"
        plugin = next((ROOT / "target").glob("*/libnas_example_clip.so"), None)
        if plugin:
            shutil.copy(plugin, self.top / "plugin.so")
            yield self.top / "plugin.so", "plugin.so", ["list", "--plugin", "plugin.so"], "cut only"


def main():
    options = arguments(__doc__.splitlines()[0])
    faults, rng = Faults(options), random.Random(options.seed)
    with tempfile.TemporaryDirectory() as top:
        top = pathlib.Path(top)
        inputs = Inputs(top, faults)
        cases = [(path.read_bytes(), *rest) for path, *rest in inputs.cases()]
        for _ in range(options.count):
            data, target, words, noticed = rng.choice(cases)
            kind, damaged = mutate(data, rng)
            if noticed == "cut only":
                # Other damage to code may do anything once it is loaded.
                kind, damaged = "cut", data[: rng.randrange(len(data))]
            path = top / target
            good = path.read_bytes() if path.exists() else None
            path.write_bytes(damaged)
            code, text, memory = faults.run(words, top, timeout=20)
            check(faults, [*words, f"({target}: {kind})"], code, text, noticed, kind, data, damaged)
            if code and memory > 300 + len(damaged) / 2**20:
                faults.fail("memory", words, f"{target}: {memory:.0f} MiB\n{text}")
            path.unlink() if good is None else path.write_bytes(good)
            for directory in ["new", "page"]:
                shutil.rmtree(top / directory, ignore_errors=True)
    faults.summary(f"{options.count} damaged files")


def check(faults, words, code, text, noticed, kind, data, damaged):
    if code not in (0, 1, 2, 3, 4, 5):
        faults.fail("wrong", words, f"exit code {code}\n{text}")
    if re.search(r"[\x00-\x08\x0b-\x1f\x7f]", text):
        faults.fail("wrong", words, f"control characters in {text!r}")
    # The last bytes of an image may be padding or an end mark.
    body = len(data) - 16
    must = {
        "any": kind in ("cut", "flip") and damaged[:body] != data[:body],
        "cut": kind == "cut" and len(damaged) < body,
        "jpeg": kind == "enlarge" or kind in ("cut", "close") and len(damaged) < len(data),
        "all": damaged != data,
        "report": damaged != data,
        "never": False,
        "cut only": False,
    }[noticed]
    used = code == 0 and "not shown" not in text
    if must and used:
        faults.fail("wrong", words, f"{kind}: {len(damaged)} of {len(data)} bytes, and used\n{text}")


if __name__ == "__main__":
    main()
