# The submitting program is killed before, during and after the submission. The same command again ends the comparison.
local_comparison three "${THREE[@]}"
mkdir bin
real=$(command -v sbatch)
tasks() { queue -t all -n "$(job_name "$1")" -o %i | sort -u; }
killed() { # killed OUT COMMAND...: starts the program, and kills it as soon as the command succeeds
    PATH=$PWD/bin:$PATH "$NAS_TRAIN" "${THREE[@]}" --cluster slurm --out "$1" &
    local program=$!
    wait_for 60 "${@:2}"
    kill -KILL $program
    wait $program || true
}
again() { # again OUT: the same command; only published runs count, however many tasks made them
    "$NAS_TRAIN" "${THREE[@]}" --cluster slurm --out "$1"
    same_comparison three "$1"
}

# Killed while sbatch has not reached the scheduler. That sbatch submits later, at the same time as the second program.
printf '#!/bin/bash\ntouch "%s"\nsleep 2\nexec "%s" "$@"\n' "$PWD/before.called" "$real" >bin/sbatch
chmod +x bin/sbatch
killed before test -e before.called
again before
echo "tasks after a kill before the submission: $(tasks before | wc -l)"

# Killed between the submission and its answer.
printf '#!/bin/bash\n"%s" "$@" >answer\ntouch "%s"\nsleep 2\ncat answer\n' "$real" "$PWD/during.called" >bin/sbatch
killed during test -e during.called
again during
expect [ "$(tasks during | wc -l)" = 12 ]

# Killed while the tasks run.
rm bin/sbatch
killed after at_least 4 checkpoints after
again after
expect [ "$(tasks after | wc -l)" = 12 ]
