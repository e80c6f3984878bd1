#!/usr/bin/env bash
# Checks and times the CUDA path on the GPU of this machine: builds, runs the tests of the operations on the card, compares
# runs with the CPU, and times passes against eager PyTorch. Prints Markdown tables. Requires the CUDA toolkit, and python3
# with torch and numpy (without torch, the column of PyTorch stays empty). Takes about eight minutes with sixteen cores.
#   usage: core/benches/gpu.sh [DIR]     DIR keeps the output of every command (default: a temporary directory)
set -euo pipefail
cd "$(dirname "$0")/../.."
out=${1:-$(mktemp -d)}
mkdir -p "$out"
target=$PWD/target/gpu
trap 'echo "failed; the last lines of its output:" >&2; tail -n 20 "$out/log" "$out/build" >&2 2>/dev/null' ERR

log() { printf '%s: %s\n' "$(date +%T)" "$*" >&2; }

log "building (output of all commands: $out)"
cargo build --release -p nas-cli --features cuda --target-dir "$target" > "$out/build" 2>&1
program=$target/release/nas-train
log "tests of the operations"
cargo test --release -p nas-ops --features cuda --target-dir "$target" --test ops --test tf32 > "$out/tests" 2>&1 ||
    log "tests of the operations failed: see $out/tests"
grep 'test result' "$out/tests" || true

printf '\n| run of 50 steps | loss of the first step, CPU | GPU | largest relative difference of a step |\n|---|---|---|---|\n'
for strategy in plain ogd fairnas; do
    for device in cpu cuda:0; do
        "$program" --strategy $strategy --width 8 --cells 1 --epochs 5 --limit-train 320 --batch-size 32 --probes 0 \
            --truth-samples 0 --set train.max_steps=50 --device $device --out "$out/$strategy-$device" > "$out/log" 2>&1
    done
    paste -d, <(grep ',train,loss,' "$out/$strategy-cpu/metrics.csv") <(grep ',train,loss,' "$out/$strategy-cuda:0/metrics.csv") |
        awk -F, -v name="$strategy" '
            NR == 1 { cpu = $5; gpu = $10 }
            { d = ($5 - $10) / $5; if (d < 0) d = -d; if (d > most) most = d }
            END { printf "| `%s` | %s | %s | %.1e |\n", name, cpu, gpu, most }'
done

printf '\n| pass, batch 64 | `plain`, ms | in TF32, ms | `ogd`, ms | PyTorch, ms | `plain` to PyTorch | `ogd` to `plain` |\n|---|---|---|---|---|---|---|\n'
for case in 'nasbench201 16 5' 'macro 32 1' 'darts 16 8'; do
    read -r space width cells <<< "$case"
    size=(--space "$space" --width "$width" --batch-size 64 --device cuda:0 --rounds 3 --warm-up 20 --steps 40)
    [ "$space" = macro ] || size+=(--cells "$cells")
    log "passes of $space"
    for strategy in plain ogd; do
        "$program" bench "${size[@]}" --strategy $strategy --json > "$out/$space-$strategy.json" 2> "$out/log"
    done
    # Fails on GPUs without TF32.
    "$program" bench "${size[@]}" --strategy plain --tf32 --json > "$out/$space-tf32.json" 2> "$out/log" || true
    python3 core/benches/pytorch_baseline.py "$space" "$width" "$cells" 64 cuda "$out/$space-plain.json" \
        > "$out/$space-pytorch" 2> "$out/log" || true
    python3 - "$out" "$space" <<'PYTHON'
import json
import re
import sys

out, space = sys.argv[1:]
measured = lambda name: json.loads(open(f"{out}/{space}-{name}.json").readline() or "{}").get("ms_per_subnet_pass")
ours = {s: measured(s) for s in ("plain", "ogd")}
tf32 = f"{measured('tf32'):.2f}" if measured("tf32") else ""
times = [float(ms) for ms in re.findall(r": ([\d.]+) ms/step", open(f"{out}/{space}-pytorch").read())]
theirs = f"{min(times):.2f} | {ours['plain'] / min(times):.2f}" if times else " | "
print(f"| `{space}` | {ours['plain']:.2f} | {tf32} | {ours['ogd']:.2f} | {theirs} | {ours['ogd'] / ours['plain']:.2f} |")
PYTHON
done
