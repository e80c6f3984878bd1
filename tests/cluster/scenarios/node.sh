# A node dies with its task. A second one loses its slurmd only: its task runs on, and the same task starts again elsewhere.
local_comparison three "${THREE[@]}"
start_requeued_tasks &
"$NAS_TRAIN" "${THREE[@]}" --cluster slurm --out out &
program=$!
wait_for 60 test -e out/plan.jsonl
wait_for 60 at_least 4 running out
wait_for 60 at_least 8 checkpoints out
wait_for 60 at_least 1 tasks_of_node n1
victims=$(tasks_of_node n1)
expect [ -n "$victims" ]
# shellcheck disable=SC2086 # several process ids
kill -KILL "$(cat "$CLUSTER/spool/n1.pid")" $victims
kill -KILL "$(cat "$CLUSTER/spool/n2.pid")"
# The controller notices the loss of n1 after half a minute. The task of n2 could be finished by then.
timeout 10 scontrol update nodename=n2 state=down reason=test
ended 1800 $program
expect at_least 2 restarted out 1
same_comparison three out
