# A running and a waiting task are cancelled with scancel. The first is stopped; Slurm forgets the second, so it is lost. Without
# a waiting command, neither comes back, and both run after `retry`.
local_comparison three "${THREE[@]}"
"$NAS_TRAIN" "${THREE[@]}" --cluster slurm --detach --out out
wait_for 60 at_least 4 running out
wait_for 60 at_least 8 checkpoints out
victims="$(running out | head -1) $(queue -n "$(job_name out)" -t pending -o %i | tail -1)"
# shellcheck disable=SC2086 # two ids
timeout 20 scancel $victims
wait_for 1800 finished out
status=$("$NAS_TRAIN" cluster status --json out)
echo "$status"
expect grep -q '"done":10,' <<<"$status"
expect grep -q '"lost":1,' <<<"$status"
expect grep -q '"stopped":1' <<<"$status"
"$NAS_TRAIN" cluster retry out
expect [ "$(queue -t pending,running -n "$(job_name out)" | wc -l)" = 2 ]
wait_for 600 finished out
"$NAS_TRAIN" cluster merge out
same_comparison three out
# `cancel` ends all tasks of a plan, and only those.
timeout 10 sbatch -J other -o /dev/null --wrap 'sleep 1000'
"$NAS_TRAIN" "${THREE[@]}" --cluster slurm --detach --out other
wait_for 60 at_least 3 running other
"$NAS_TRAIN" cluster cancel other
wait_for 60 finished other
expect [ "$(queue -o %j)" = other ]
