"""Runs the program for the fault tests and counts failures."""

import argparse
import collections
import os
import pathlib
import resource
import signal
import subprocess
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]

# A run that takes a fraction of a second.
TINY = (
    "--space tiny --data synthetic --set data.synthetic.samples=200 --set data.synthetic.size=8 --limit-train 64 "
    "--batch-size 16 --epochs 3 --progress none"
).split()
PROBES = ["--probes", "4", "--interval", "1"]


def arguments(description):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--program", type=pathlib.Path, default=ROOT / "target/release/nas-train")
    parser.add_argument("--count", type=int, default=200, help="number of faults")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    options.program = options.program.resolve()
    return options


class Faults:
    """The program, and the number of its failures of each kind."""

    def __init__(self, options):
        self.program = options.program
        self.codes = collections.Counter()
        self.failures = collections.Counter(panics=0, signals=0, hangs=0, wrong=0, memory=0)

    def run(self, words, cwd, timeout=60, kill_after=None, limit_file_size=None):
        """Runs the program. Returns its exit code, its standard error and its peak memory in MiB."""

        def prepare():
            if limit_file_size is not None:
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit_file_size, limit_file_size))

        # A pipe, because the limit of file sizes would hold for a file too.
        child = subprocess.Popen(
            [self.program, *words], cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, preexec_fn=prepare,
        )
        written = []
        reader = threading.Thread(target=lambda: written.append(child.stderr.read()))
        reader.start()
        end = time.monotonic() + (timeout if kill_after is None else kill_after)
        ended = 0
        while not ended:
            ended, status, usage = os.wait4(child.pid, os.WNOHANG)
            if not ended and time.monotonic() > end:
                child.send_signal(signal.SIGKILL)
                _, status, usage = os.wait4(child.pid, 0)
                break
            time.sleep(0.002)
        child.returncode = code = os.waitstatus_to_exitcode(status)
        reader.join()
        child.stderr.close()
        text = written[0].decode(errors="replace")
        if not ended and kill_after is None:
            self.fail("hangs", words, text)
        elif code < 0 and kill_after is None:
            self.fail("signals", words, f"signal {-code}\n{text}")
        if code == 101 or "panicked" in text:
            self.fail("panics", words, text)
        self.codes[code] += 1
        return code, text, usage.ru_maxrss / 1024

    def fail(self, kind, words, text):
        self.failures[kind] += 1
        print(f"{kind}: {' '.join(map(str, words))}\n{text[-1500:]}", flush=True)

    def summary(self, what):
        codes = ", ".join(f"{code}: {count}" for code, count in sorted(self.codes.items()))
        failures = ", ".join(f"{count} {kind}" for kind, count in self.failures.items())
        print(f"{what}; exit codes {codes}; {failures}")
        sys.exit(1 if any(self.failures.values()) else 0)


def content(directory, names):
    """The bytes of all files with these names below a directory, by path."""
    files = sorted(path for name in names for path in pathlib.Path(directory).rglob(name))
    return {str(path.relative_to(directory)): path.read_bytes() for path in files}
