"""Fills the disk, or limits the size of files, at every stage of a command. The program must end with a message that names
the path, the manifest must not stay `running`, and with space again the same command must end with the files of an
undisturbed command.

    python3 tests/faults/full_disk.py [--count 100] [--program target/release/nas-train]

The disks are file systems in memory, mounted in a name space of this process, so no rights are needed; without name spaces
only the sizes of files are limited.
"""

import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile

from kill import COMMANDS
from program import PROBES, TINY, Faults, arguments, content

RUN = ([*TINY, *PROBES, "--checkpoint-every", "1", "--out", "out"], ["metrics.csv", "archs.csv"])


def mount(directory, kibibytes, again=False):
    kind = "remount,size" if again else "size"
    return subprocess.run(["mount", "-t", "tmpfs", "-o", f"{kind}={kibibytes}k", "tmpfs", directory]).returncode == 0


def own_mounts():
    """Starts this script again where it may mount file systems; returns whether it may already."""
    if os.environ.get("NAS_FULL_DISK") == "1":
        return True
    command = ["unshare", "--mount", "--map-root-user", "--user"]
    if subprocess.run([*command, "true"], stderr=subprocess.DEVNULL).returncode == 0:
        os.environ["NAS_FULL_DISK"] = "1"
        os.execvp(command[0], [*command, sys.executable, *sys.argv])
    return False


def main():
    options = arguments(__doc__.splitlines()[0])
    mounts = own_mounts()
    faults, rng = Faults(options), random.Random(options.seed)
    commands = {**COMMANDS, "run": RUN}
    with tempfile.TemporaryDirectory() as top:
        top = pathlib.Path(top)
        reference, sizes = {}, {}
        for name, (words, files) in commands.items():
            (top / name).mkdir()
            code, text, _ = faults.run(words, top / name)
            assert code == 0, text
            reference[name] = content(top / name / "out", files)
            all_files = [path for path in (top / name).rglob("*") if path.is_file()]
            # A file takes whole pages on the disk.
            sizes[name] = (sum(path.stat().st_size // 4096 * 4 + 8 for path in all_files), max(p.stat().st_size for p in all_files))
        for number in range(options.count):
            name = rng.choice(list(commands))
            words, files = commands[name]
            directory = top / f"{name}-{number}"
            directory.mkdir()
            full, largest = sizes[name]
            if mounts and rng.random() < 0.6:
                mount(directory, rng.randrange(4, full, 4))
                code, text, _ = faults.run(words, directory)
                space = lambda: mount(directory, 1 << 16, again=True)
            else:
                code, text, _ = faults.run(words, directory, limit_file_size=rng.randrange(0, largest))
                space = lambda: True
            check(faults, words, directory, code, text)
            space()
            resume(faults, words, directory, files, reference[name], name)
            if os.path.ismount(directory):
                subprocess.run(["umount", directory])
    faults.summary(f"{options.count} full disks and limits of file sizes")


def check(faults, words, directory, code, text):
    if code == 0:
        return
    if code != 1 or "out" not in text.split("error:")[-1]:
        faults.fail("wrong", words, f"exit code {code}, expected 1 and the path\n{text}")
    for path in directory.rglob("manifest.json"):
        try:
            status = json.loads(path.read_text() or "{}").get("status")
        except ValueError:
            status = "torn"
        if status == "running":
            faults.fail("wrong", words, f"{path} stays running\n{text}")
    left = [str(path) for pattern in ["*.new", "unfinished"] for path in directory.rglob(pattern)]
    if left:
        faults.fail("wrong", words, f"temporary files {left}")


def resume(faults, words, directory, files, reference, name):
    if name == "run":
        words = [*words[:-1], "again"]
    code, text, _ = faults.run(words, directory)
    if code != 0:
        faults.fail("wrong", words, f"cannot be resumed: {text}")
    elif content(directory / words[-1].split("/")[0], files) != reference:
        faults.fail("wrong", words, f"other files than on an empty disk in {directory}")


if __name__ == "__main__":
    main()
