"""Kills `compare` and `truth` at random times, repeats the command until it ends, and compares the files with those of an
undisturbed command. A single run is killed too: its rows must be whole, and `report` must call it unfinished.

    python3 tests/faults/kill.py [--count 200] [--program target/release/nas-train]
"""

import pathlib
import random
import tempfile
import time

from program import PROBES, TINY, Faults, arguments, content

COMMANDS = {
    "compare": (
        ["compare", *TINY, *PROBES, "--strategies", "plain,fairnas", "--seeds", "2", "--jobs", "2", "--sequence", "2", "--out", "out"],
        ["metrics.csv", "archs.csv", "matrix.csv", "comparison.csv"],
    ),
    "truth": (
        ["truth", *TINY, "--samples", "all", "--seeds", "2", "--jobs", "2", "--out", "out/truth.csv"],
        ["truth.csv"],
    ),
}


def main():
    options = arguments(__doc__.splitlines()[0])
    faults, rng = Faults(options), random.Random(options.seed)
    kills = 0
    with tempfile.TemporaryDirectory() as top:
        top = pathlib.Path(top)
        reference, duration = {}, {}
        for name, (words, files) in COMMANDS.items():
            (top / name).mkdir()
            start = time.monotonic()
            code, text, _ = faults.run(words, top / name)
            assert code == 0, text
            duration[name], reference[name] = time.monotonic() - start, content(top / name / "out", files)
        number = 0
        while kills < options.count:
            number += 1
            name = rng.choice(list(COMMANDS))
            words, files = COMMANDS[name]
            directory = top / f"{name}-{number}"
            directory.mkdir()
            while True:
                # A third of the kills hit the first tenth of the command, in which it creates its files.
                longest = duration[name] * (0.1 if rng.random() < 1 / 3 else 1.2)
                code, text, _ = faults.run(words, directory, kill_after=rng.uniform(0, longest))
                if code == -9:
                    kills += 1
                    if kills % 5 == 0:
                        code, text, _ = faults.run(words, directory)
                if code == 0:
                    break
                if code != -9:
                    faults.fail("silent", words, f"cannot be resumed: {text}")
                    break
            if code == 0 and content(directory / "out", files) != reference[name]:
                faults.fail("silent", words, f"other files than without kills in {directory}")
            kills += single_run(faults, rng, top / f"run-{number}", duration["compare"] / 3)
    faults.summary(f"{kills} kills of compare, truth and single runs")


def single_run(faults, rng, directory, duration):
    """Kills a run once; returns the number of kills."""
    directory.mkdir()
    words = [*TINY, *PROBES, "--out", "out"]
    code, text, _ = faults.run(words, directory, kill_after=rng.uniform(0, duration))
    out = directory / "out"
    if code != -9 or not out.is_dir():
        return int(code == -9)
    for path in out.glob("*.csv"):
        data = path.read_bytes()
        columns = {line.count(b",") for line in data.split(b"\n")[:-1]}
        if len(columns) > 1 and path.name != "archs.csv":
            faults.fail("silent", words, f"{path} has a torn row")
    code, text, _ = faults.run(["report", "out"], directory)
    finished = '"status": "finished"' in ((out / "manifest.json").read_text() if (out / "manifest.json").exists() else "")
    if (code == 0) != finished:
        faults.fail("silent", ["report", "out"], f"exit code {code} for an unfinished run\n{text}")
    code, text, _ = faults.run(words, directory)
    if code not in (0, 2):
        faults.fail("silent", words, f"exit code {code} for a used directory\n{text}")
    return 1


if __name__ == "__main__":
    main()
