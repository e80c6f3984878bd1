# Helpers of the scenarios. HERE, NAS_TRAIN, WORK and CLUSTER are set by run.sh.
. "$CLUSTER/env"

# A run of 8 steps an epoch on digits, with a checkpoint after each epoch. 40 epochs take about a second of one core.
TINY=(--space tiny --width 4 --limit-train 256 --batch-size 32 --set eval.images=40 --probes 4 --threads 1
    --checkpoint-every 1 --progress none)
# The comparison of most scenarios: 12 runs, each of some seconds, so that faults hit running tasks.
THREE=(compare "${TINY[@]}" --strategies "plain,ogd,fairnas" --seeds 4 --sequence 0 --epochs 200 --interval 20)
# Four runs, one to a node, each of half a minute of one core, so that they last through faults on machines of any speed.
LONG=(compare "${TINY[@]}" --strategies "plain,fairnas" --seeds 2 --sequence 0 --epochs 1200 --interval 200)
# 60 trainings of a few milliseconds.
TRUTH=(truth --space nasbench201 --width 2 --cells 1 --limit-train 64 --batch-size 32 --epochs 2 --samples 60 --threads 1
    --progress none)

fail() { trap - ERR; echo "FAILED: $*"; exit 1; }
expect() { echo "expect: $*"; "$@" || fail "expected: $*"; } # expect COMMAND...: the command succeeds

# wait_for SECONDS COMMAND...: repeats the command until it succeeds. Limits are generous, since CI machines can be slow.
wait_for() {
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        [ $SECONDS -lt $end ] || fail "waited too long for: $*"
        sleep 0.2
    done
}

# ended SECONDS PID: waits for a process of this scenario and expects that it succeeds.
ended() {
    local status=0
    wait_for "$1" gone "$2"
    wait "$2" || status=$?
    [ $status = 0 ] || fail "exit code $status of process $2"
}
gone() { ! grep -qs '^State:[[:space:]]*[^ZX]' "/proc/$1/status"; }

# Slurm: commands with a time limit, since some wait for minutes while a task changes its state.
queue() { timeout 10 squeue -h -r "$@"; }
is_empty() { local tasks; tasks=$(queue "$@") && [ -z "$tasks" ]; }    # is_empty ARGS: squeue answers, and lists no task
idle() { is_empty; }
all_nodes_idle() { [ "$(timeout 10 sinfo -h -p main -t idle -o %D)" = 4 ]; }
partition() { timeout 10 scontrol update partitionname=main "state=$1"; }
job_name() { echo "nas-$(sha256sum "$1/plan.jsonl" | head -c 12)"; }    # job_name OUT
running() { queue -n "$(job_name "$1")" -t running -o %i; }              # running OUT: the ids of running tasks
at_least() { [ "$("${@:2}" | wc -l)" -ge "$1" ]; }                      # at_least N COMMAND...: N lines of output
finished() { is_empty -n "$(job_name "$1")"; }                  # finished OUT: no task is queued or running
checkpoints() { find "$1/attempts" -path '*/checkpoints/*/SHA256SUMS' 2>/dev/null || true; } # of runs in progress

# tidy: ends all jobs and starts missing nodes.
tidy() {
    local node
    partition up
    timeout 10 scancel --user="$(id -un)" || true
    for node in n1 n2 n3 n4; do gone "$(cat "$CLUSTER/spool/$node.pid")" && slurmd -N $node; done
    wait_for 60 idle
    wait_for 60 all_nodes_idle
}

# restarts OUT: the restarts of each task of a plan.
restarts() {
    timeout 10 scontrol -o show job | grep " JobName=$(job_name "$1") " | grep -o ' Restarts=[0-9]*' | cut -d= -f2
}
restarted() { restarts "$1" | awk -v n="$2" '$1 >= n'; } # restarted OUT N: a line for each task with at least N restarts

# start_requeued_tasks &: requeued tasks start at once instead of after two minutes, as long as this runs.
start_requeued_tasks() {
    local id
    trap - ERR
    while sleep 0.5; do
        for id in $(queue -t pending -o '%i|%r' | sed -n 's/|BeginTime$//p'); do
            timeout 5 scontrol update jobid="$id" StartTime=now || true
        done
    done
}

# tasks_of_node NODE: the processes of the tasks on a node and their slurmstepd.
tasks_of_node() {
    local step child
    for step in $(pgrep -x slurmstepd); do
        for child in $(pgrep -P "$step"); do
            tr '\0' '\n' <"/proc/$child/environ" | grep -qx "SLURMD_NODENAME=$1" || continue
            tr '\0' '\n' <"/proc/$child/environ" | grep -qx "SLURM_CONF=$SLURM_CONF" && echo "$step $child"
        done
    done
}

# local_run NAME COMMAND...: the same command on this machine, once for all scenarios. Its files are in $WORK/local/NAME.
local_run() {
    local dir=$WORK/local/$1
    [ ! -e "$dir" ] || return 0
    mkdir -p "$dir.new"
    (cd "$dir.new" && "$NAS_TRAIN" "${@:2}")
    mv "$dir.new" "$dir"
}
local_comparison() { local_run "$1" "${@:2}" --jobs 0 --out out; }

# same_comparison NAME OUT: a comparison equals the local one byte for byte, times aside, and so do its runs.
same_comparison() {
    local reference=$WORK/local/$1/out run file
    expect cmp "$reference/comparison.csv" "$2/comparison.csv"
    expect cmp <(cut -d, -f1-4 "$reference/runs.csv") <(cut -d, -f1-4 "$2/runs.csv")
    expect cmp <(cd "$reference" && ls -d runs/* sequences/* 2>/dev/null) <(cd "$2" && ls -d runs/* sequences/* 2>/dev/null)
    for run in "$reference"/runs/*; do
        for file in metrics.csv archs.csv weights.safetensors; do
            [ ! -e "$2/runs/${run##*/}/record.tar" ] || continue # packed: `compare` has read it
            expect cmp "$run/$file" "$2/runs/${run##*/}/$file"
        done
    done
    wait_for 60 no_attempts "$2" # a slower attempt may still write
}
no_attempts() { [ -z "$(find "$1/attempts" -type f 2>/dev/null)" ]; } # no attempt is left over

# refused COMMAND...: the command fails within 100 s without panic. Its output is in refused.txt.
refused() {
    local status=0
    timeout 100 "$@" >refused.txt 2>&1 || status=$?
    echo "exit code $status: $(cat refused.txt)"
    [ $status != 0 ] && [ $status -lt 100 ] || fail "exit code $status instead of an error: $*"
    ! grep -q panicked refused.txt || fail "panic: $*"
}
# mentions WORD...: the last refusal has these words.
mentions() { local word; for word; do grep -qiF -e "$word" refused.txt || fail "no '$word' in: $(tail -3 refused.txt | tr '\n' ' ')"; done; }
