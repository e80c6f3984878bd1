"""Kills `compare`, `truth` and runs at random times, repeats the command (`resume` for runs) until it ends, and compares the
files with those of an undisturbed command. `report` must not show an unfinished run.

    python3 tests/faults/kill.py [--count 200] [--program target/release/nas-train]
"""

import pathlib
import random
import tempfile
import time

from program import PROBES, TINY, Faults, arguments, content

RUN = (
    [*TINY, *PROBES, "--controller", "reinforce", "--set", "controller.samples=4", "--set", "controller.batch=2",
     "--epochs", "60", "--checkpoint-every", "1", "--out", "out"],
    ["metrics.csv", "archs.csv", "weights.safetensors"],
)
COMMANDS = {
    "compare": (
        ["compare", *TINY, *PROBES, "--strategies", "plain,fairnas", "--seeds", "2", "--jobs", "2", "--sequence", "2", "--checkpoint-every", "1",
         "--out", "out"],
        ["metrics.csv", "archs.csv", "matrix.csv", "comparison.csv", "weights.safetensors"],
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
        for name, (words, files) in [*COMMANDS.items(), ("run", RUN)]:
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
            kills += single_run(faults, rng, top / f"run-{number}", reference["run"], duration["run"])
    faults.summary(f"{kills} kills of compare, truth and single runs")


def single_run(faults, rng, directory, reference, duration):
    """Kills a run until `resume` finishes it; returns the number of kills."""
    directory.mkdir()
    out = directory / "out"
    kills, words = 0, RUN[0]
    while True:
        code, text, _ = faults.run(words, directory, kill_after=rng.uniform(0, 1.3 * duration))
        if code == 0:
            break
        if code != -9:
            faults.fail("silent", words, f"cannot be resumed: {text}")
            return kills
        kills += 1
        if not (out / "manifest.json").exists():
            # Killed before the run reserved its directory: the same command starts it.
            continue
        code, text, _ = faults.run(["report", "out"], directory)
        if code == 0 and '"status": "finished"' not in (out / "manifest.json").read_text():
            faults.fail("silent", ["report", "out"], f"an unfinished run is shown\n{text}")
        if '"status": "finished"' in (out / "manifest.json").read_text():
            break
        words = ["resume", "out", "--progress", "none"]
    if content(out, RUN[1]) != reference:
        faults.fail("silent", words, f"other files than without kills in {directory}")
    return kills


if __name__ == "__main__":
    main()
