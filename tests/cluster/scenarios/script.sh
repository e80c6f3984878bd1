# fairnas has no disturbance matrix, so the plan has 12 runs and 2 matrices.
# The commands for other schedulers run under xargs, the job script by index, and the merge gives the local bytes.
command=(compare "${TINY[@]}" --strategies "plain,ogd,fairnas" --seeds 4 --sequence 2 --epochs 40 --interval 5)
local_comparison compare-2 "${command[@]}"
"$NAS_TRAIN" "${command[@]}" --cluster script --out commands
expect [ "$(wc -l <commands/cluster/commands.txt)" = 14 ]
(cd / && xargs -P 4 -d '\n' -n 1 sh -c <"$OLDPWD/commands/cluster/commands.txt")
"$NAS_TRAIN" cluster merge commands
same_comparison compare-2 commands

"$NAS_TRAIN" "${command[@]}" --cluster script --out indexed
seq 0 13 | xargs -P 4 -n 1 bash indexed/cluster/job.sh
"$NAS_TRAIN" cluster merge indexed
same_comparison compare-2 indexed
