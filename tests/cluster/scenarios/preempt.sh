# Jobs of a more important partition preempt the tasks until four of them were preempted twice.
local_comparison three "${THREE[@]}"
start_requeued_tasks &
"$NAS_TRAIN" "${THREE[@]}" --cluster slurm --max-running 4 --out out &
program=$!
wait_for 60 test -e out/plan.jsonl
preempted=0
while ! at_least 4 restarted out 2; do
    gone $program && fail "the runs ended before four tasks were preempted twice"
    wait_for 60 at_least 4 running out
    wait_for 60 at_least 4 checkpoints out
    for _ in 1 2 3 4; do timeout 10 sbatch --parsable -p urgent -J urgent -o /dev/null --wrap 'sleep 1'; done
    urgent_done() { [ -z "$(queue -n urgent)" ]; }
    wait_for 60 urgent_done
    preempted=$((preempted + 1))
    expect [ $preempted -lt 12 ]
done
ended 1800 $program
same_comparison three out
