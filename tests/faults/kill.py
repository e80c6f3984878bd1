"""Kills `compare`, `truth` and runs at random times, repeats the command (`resume` for runs) until it ends, and compares the
files with those of an undisturbed command. `report` must not show an unfinished run. The runs have every strategy, a Rust and
a C plugin with state, every controller, three spaces, and one or two threads in each process.

    python3 tests/faults/kill.py [--count 200] [--program target/release/nas-train]
"""

import collections
import pathlib
import random
import shutil
import subprocess
import tempfile
import time

from program import PROBES, ROOT, TINY, Faults, arguments, content

SMALL = ["--width", "2", "--cells", "1", "--limit-train", "32", "--set", "eval.images=16"]
CONTROLLERS = {
    "uniform": [],
    "reinforce": ["--set", "controller.samples=4", "--set", "controller.batch=2"],
    "evolution": ["--set", "controller.samples=4", "--set", "controller.population=3", "--set", "controller.tournament=2"],
}
# Strategy with its options, controller, space, and the number of epochs.
RUNS = {
    "plain": (["plain"], "reinforce", "tiny", 60),
    "ogd-previous": (["ogd", "--set", "strategy.memory='previous'"], "evolution", "tiny", 40),
    "ogd-all": (["ogd", "--set", "strategy.memory='all'"], "reinforce", "nasbench201", 12),
    "fairnas": (["fairnas"], "evolution", "nasbench201", 12),
    "macro": (["plain"], "uniform", "macro", 16),
    "rust-plugin": (["plugin-ogd", "--plugin", "PLUGINS/ogd.so"], "uniform", "tiny", 40),
    "c-plugin": (["fade", "--plugin", "PLUGINS/fade.so", "--set", "strategy.rate=0.5"], "reinforce", "tiny", 40),
}
RUN_FILES = ["metrics.csv", "archs.csv", "weights.safetensors"]
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


def run_command(name, rng, top):
    """The command of a run, with a checkpoint after each epoch, and plans that begin in one epoch and end in the next."""
    strategy, controller, space, epochs = RUNS[name]
    scale = [] if space == "tiny" else SMALL
    words = [
        *TINY, *PROBES, "--strategy", *strategy, "--controller", controller, *CONTROLLERS[controller], "--space", space, *scale,
        "--steps-per-arch", "3", "--epochs", str(epochs), "--controller-start", str(epochs // 2), "--bn",
        rng.choice(["batch", "running"]), "--checkpoint-every", "1", "--out", "out",
    ]
    return [word.replace("PLUGINS", str(top)) for word in words]


def plugins(top, faults):
    """Puts the example plugins with state into a directory."""
    rust = next(faults.program.parent.glob("**/libnas_example_ogd.so"), None)
    assert rust, "the plugin rust-ogd is missing: cargo build --release -p nas-example-ogd"
    shutil.copy(rust, top / "ogd.so")
    source, include = ROOT / "plugins/examples/c-fade/fade.c", ROOT / "plugins/include"
    subprocess.run(["cc", "-shared", "-fPIC", "-I", include, source, "-o", top / "fade.so"], check=True)


def main():
    options = arguments(__doc__.splitlines()[0])
    faults, rng = Faults(options), random.Random(options.seed)
    killed, number, names = collections.Counter(), 0, []
    with tempfile.TemporaryDirectory() as top:
        top = pathlib.Path(top)
        plugins(top, faults)
        commands = {**COMMANDS, **{name: (run_command(name, rng, top), RUN_FILES) for name in RUNS}}
        reference, duration = {}, {}
        for name, (words, files) in commands.items():
            (top / name).mkdir()
            start = time.monotonic()
            code, text, _ = faults.run(words, top / name)
            assert code == 0, text
            duration[name], reference[name] = time.monotonic() - start, content(top / name / "out", files)
        while killed.total() < options.count:
            number += 1
            # Each is killed once before one is killed again.
            names = names or rng.sample(list(commands), len(commands))
            name = names.pop()
            directory = top / f"{name}-{number}"
            directory.mkdir()
            kill = kill_run if name in RUNS else kill_command
            killed[name] += kill(faults, rng, directory, *commands[name], reference[name], duration[name])
    of_each = ", ".join(f"{count} of {name}" for name, count in killed.items())
    faults.summary(f"{killed.total()} kills: {of_each}")


def kill_command(faults, rng, directory, words, files, reference, duration):
    """Kills a command that continues when it is repeated, until it ends; returns the number of kills."""
    kills = 0
    while True:
        # A third of the kills hit the first tenth of the command, in which it creates its files.
        longest = duration * (0.1 if rng.random() < 1 / 3 else 1.2)
        # The fifth process may end.
        code, text, _ = faults.run(words, directory, kill_after=rng.uniform(0, longest) if kills % 5 < 4 else None)
        if code != -9:
            break
        kills += 1
    if code != 0:
        faults.fail("wrong", words, f"cannot be resumed: {text}")
    elif content(directory / "out", files) != reference:
        faults.fail("wrong", words, f"other files than without kills in {directory}")
    return kills


def kill_run(faults, rng, directory, words, files, reference, duration):
    """Kills a run until `resume` finishes it; returns the number of kills."""
    out, start = directory / "out", words
    kills = 0
    while True:
        threads = ["--threads", rng.choice(["1", "2"])]
        code, text, _ = faults.run([*words, *threads], directory, kill_after=rng.uniform(0, 1.3 * duration))
        if code == 0:
            break
        if code != -9:
            faults.fail("wrong", words, f"cannot be resumed: {text}")
            return kills
        kills += 1
        if not (out / "config.toml").exists():
            # Killed before the run had its configuration: nothing is lost, and the same command starts it.
            shutil.rmtree(out, ignore_errors=True)
            words = start
            continue
        code, text, _ = faults.run(["report", "out"], directory)
        is_finished = '"status": "finished"' in (out / "manifest.json").read_text()
        if code == 0 and not is_finished:
            faults.fail("wrong", ["report", "out"], f"an unfinished run is shown\n{text}")
        if is_finished:
            break
        words = ["resume", "out", "--progress", "none"]
    if content(out, files) != reference:
        faults.fail("wrong", words, f"other files than without kills in {directory}")
    return kills


if __name__ == "__main__":
    main()
