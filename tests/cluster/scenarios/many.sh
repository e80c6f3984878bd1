# A plan of 10,000 trainings: submission, status and number of files. Half a machine's usual speed is no failure; work that grows
# with the square of the plan is. The partition is down, so none starts.
command=(truth --space nasbench201 --width 2 --cells 1 --limit-train 32 --epochs 1 --samples 10000 --progress none)
partition down
milliseconds() { local start; start=$(date +%s%N); "$@" >&2; echo $((($(date +%s%N) - start) / 1000000)); }
submission=$(milliseconds "$NAS_TRAIN" "${command[@]}" --cluster slurm --detach --out table.csv)
expect [ "$(queue -n "$(job_name table.cluster)" | wc -l)" = 10000 ]
status=$(milliseconds "$NAS_TRAIN" cluster status table.cluster)
query=$(milliseconds queue -n "$(job_name table.cluster)" -o '%i|%T')
files=$(find table.cluster -type f | wc -l)
echo "submission $submission ms, status $status ms, squeue $query ms, $files files"
expect [ "$submission" -lt 60000 ]
expect [ "$status" -lt 20000 ]
expect [ "$files" -lt 50 ]
"$NAS_TRAIN" cluster cancel table.cluster
wait_for 60 finished table.cluster
