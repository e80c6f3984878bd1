# A job of a more important partition needs all four nodes, twice. Shorter runs can end before: with more tasks than nodes,
# the next ones start while the preempted ones wait.
local_comparison long "${LONG[@]}"
start_requeued_tasks &
"$NAS_TRAIN" "${LONG[@]}" --cluster slurm --out out &
program=$!
# in_progress RESTARTS: the runs with a checkpoint in an attempt that was started again so many times.
in_progress() { checkpoints out | sed -n "s|^out/attempts/\(.*\)/[0-9]*-$1-[^/]*/checkpoints/.*|\1|p" | sort -u; }
wait_for 60 test -e out/plan.jsonl
for restart in 0 1; do
    wait_for 120 at_least 4 in_progress $restart
    timeout 10 sbatch --parsable -p urgent -N 4 -J urgent -o /dev/null --wrap 'sleep 1'
    wait_for 120 at_least 4 restarted out $((restart + 1))
done
ended 1800 $program
same_comparison long out
