# Runs that are longer than their time limit of a minute on machines of any speed. USR1 comes before it, and the tasks requeue
# themselves. Slurm looks every 30 s whether a signal is due, here from the start on.
command=(compare "${TINY[@]}" --strategies "plain,fairnas" --seeds 2 --sequence 0 --epochs 3600 --interval 600)
local_comparison limit "${command[@]}"
start_requeued_tasks &
"$NAS_TRAIN" "${command[@]}" --cluster slurm --time 1 --sbatch-arg=--signal=B:USR1@60 --out out &
program=$!
ended 1800 $program
expect at_least 4 restarted out 1
same_comparison limit out
