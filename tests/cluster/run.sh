#!/usr/bin/env bash
# run.sh [SCENARIO...]: starts a Slurm cluster of four nodes, runs the scenarios (default: all of scenarios/) against the
# program $NAS_TRAIN (default: target/debug/nas-train), and prints one line for each. Exit code 1 if one failed.
# KEEP=1 keeps the files of passed scenarios, too. README.md describes the scenarios.
set -euo pipefail
HERE=$(cd "$(dirname "$0")" && pwd)
NAS_TRAIN=$(realpath -m "${NAS_TRAIN:-$HERE/../../target/debug/nas-train}")
WORK=$(mktemp -d "${TMPDIR:-/tmp}/nas-cluster.XXXXXX")
CLUSTER=$WORK/slurm
export HERE NAS_TRAIN WORK CLUSTER SLURM_UP_PORT=${SLURM_UP_PORT:-$((20000 + $$ % 1000 * 10))}
names=("$@")
[ $# -gt 0 ] || names=(compare script pack truth two-nodes submitter cancel preempt node limit many errors)
[ -x "$NAS_TRAIN" ] || { echo "error: no program $NAS_TRAIN: cargo build, or set NAS_TRAIN" >&2; exit 2; }
for name in "${names[@]}"; do
    [ -f "$HERE/scenarios/$name.sh" ] || { echo "error: no scenario $name in $HERE/scenarios" >&2; exit 2; }
done

group= # the process group of the scenario in progress
failed=0
end_group() { # TERM lets the scenario remove its mounts
    kill -TERM -- "-$group" 2>/dev/null || return 0
    for _ in $(seq 20); do kill -0 -- "-$group" 2>/dev/null || return 0; sleep 0.1; done
    kill -KILL -- "-$group" 2>/dev/null || true
}
finish() {
    trap - EXIT
    [ -z "$group" ] || end_group
    "$HERE/slurm-down.sh" "$CLUSTER" 2>/dev/null || true
    if [ "$failed" = 0 ] && [ -z "${KEEP:-}" ]; then rm -rf "$WORK"; else echo "files: $WORK"; fi
}
trap finish EXIT
trap 'failed=1; exit 130' INT TERM
"$HERE/slurm-up.sh" "$CLUSTER" 4 1 || { failed=1; exit 2; }
. "$CLUSTER/env"

set -m # each scenario is a process group, which ends with it
for name in "${names[@]}"; do
    mkdir -p "$WORK/$name"
    log=$WORK/$name.log
    start=$SECONDS
    status=0
    "$HERE/scenario.sh" "$name" >"$log" 2>&1 </dev/null &
    group=$!
    wait "$group" || status=$?
    end_group
    group=
    if [ "$status" = 0 ]; then
        echo "ok      $name ($((SECONDS - start)) s)"
        [ -n "${KEEP:-}" ] || rm -rf "${WORK:?}/$name"
    else
        failed=1
        reason=$(grep '^FAILED: ' "$log" | tail -1 || true)
        echo "FAILED  $name ($((SECONDS - start)) s): ${reason#FAILED: } (log: $log)"
    fi
done
exit "$failed"
