# 60 trainings over the cluster give the local table, one or several to a task.
local_run truth "${TRUTH[@]}" --out truth.csv
for runs in 1 7; do
    "$NAS_TRAIN" "${TRUTH[@]}" --cluster slurm --runs-per-task $runs --out table-$runs.csv
    expect cmp "$WORK/local/truth/truth.csv" table-$runs.csv
done
