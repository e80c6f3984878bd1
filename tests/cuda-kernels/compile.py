#!/usr/bin/env python3
"""Compiles the kernels of core/ops/src/cuda/kernels with the real NVRTC and ptxas; needs a CUDA toolkit and no GPU.

    tests/cuda-kernels/compile.py TOOLKIT [ARCH...]

TOOLKIT holds bin/ptxas and lib64/libnvrtc.so. ARCH is a compute capability such as 80; without any, all of 70, 75, 80 and 90
that this NVRTC knows. Prints registers, shared memory in bytes and spilled bytes of each kernel as a Markdown table. Ends with
exit code 1 if a kernel does not compile or spills registers.
"""

import ctypes
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2] / "core/ops/src/cuda"


def source() -> str:
    """The kernels in the order in which runtime.rs joins them."""
    names = re.findall(r'include_str!\("(.*?)"\)', (ROOT / "runtime.rs").read_text())
    return "".join((ROOT / name).read_text() for name in names)


def ptx(nvrtc: ctypes.CDLL, text: str, arch: str) -> bytes:
    program = ctypes.c_void_p()
    nvrtc.nvrtcCreateProgram(ctypes.byref(program), text.encode(), b"kernels.cu", 0, None, None)
    options = (ctypes.c_char_p * 1)(f"--gpu-architecture=compute_{arch}".encode())
    failed = nvrtc.nvrtcCompileProgram(program, 1, options)
    size = ctypes.c_size_t()
    of = "Log" if failed else ""
    name = "nvrtcGetProgramLog" if failed else "nvrtcGetPTX"
    getattr(nvrtc, name + "Size")(program, ctypes.byref(size))
    result = ctypes.create_string_buffer(size.value)
    getattr(nvrtc, name)(program, result)
    if failed:
        sys.exit(f"compute_{arch}: {result.value.decode()}")
    return result.value


def supported(nvrtc: ctypes.CDLL) -> set[str]:
    count = ctypes.c_int()
    nvrtc.nvrtcGetNumSupportedArchs(ctypes.byref(count))
    archs = (ctypes.c_int * count.value)()
    nvrtc.nvrtcGetSupportedArchs(archs)
    return {str(arch) for arch in archs}


def resources(ptxas: pathlib.Path, code: bytes, arch: str) -> dict[str, tuple[int, int, int]]:
    """Registers, shared memory and spilled bytes of each kernel."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "kernels.ptx"
        path.write_bytes(code)
        command = [ptxas, "-v", f"-arch=sm_{arch}", path, "-o", pathlib.Path(folder) / "kernels.cubin"]
        run = subprocess.run(command, capture_output=True, text=True)
    if run.returncode != 0:
        sys.exit(f"sm_{arch}: {run.stderr}")
    found = {}
    for block in run.stderr.split("Compiling entry function '")[1:]:
        number = lambda pattern: int((re.search(pattern, block) or [0, "0"])[1])
        spilled = number(r"(\d+) bytes spill stores") + number(r"(\d+) bytes spill loads")
        found[block.split("'")[0]] = (number(r"Used (\d+) registers"), number(r"(\d+) bytes smem"), spilled)
    return found


def main() -> None:
    toolkit = pathlib.Path(sys.argv[1])
    nvrtc = ctypes.CDLL(str(next(toolkit.glob("**/libnvrtc.so*"))))
    archs = sys.argv[2:] or sorted({"70", "75", "80", "90"} & supported(nvrtc))
    tables = {arch: resources(toolkit / "bin/ptxas", ptx(nvrtc, source(), arch), arch) for arch in archs}
    print("| kernel | shared memory, bytes |" + "".join(f" registers, sm_{arch} |" for arch in archs))
    print("|---" * (2 + len(archs)) + "|")
    for kernel in sorted(tables[archs[0]]):
        rows = [tables[arch][kernel] for arch in archs]
        print(f"| `{kernel}` | {rows[-1][1]} |" + "".join(f" {row[0]} |" for row in rows))
    spilled = [(arch, kernel) for arch in archs for kernel, row in tables[arch].items() if row[2] > 0]
    if spilled:
        sys.exit(f"kernels that spill registers: {spilled}")


if __name__ == "__main__":
    main()
