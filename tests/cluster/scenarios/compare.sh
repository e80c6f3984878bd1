# A comparison over the cluster equals the local one, with and without disturbance matrices.
for sequence in 0 2; do
    command=(compare "${TINY[@]}" --strategies "plain,ogd,fairnas" --seeds 4 --sequence $sequence --epochs 40 --interval 5)
    local_comparison compare-$sequence "${command[@]}"
    "$NAS_TRAIN" "${command[@]}" --cluster slurm --out out-$sequence
    same_comparison compare-$sequence out-$sequence
done
# The same command again finds all runs done and submits nothing.
before=$(queue -t all -n "$(job_name out-2)" | wc -l)
"$NAS_TRAIN" "${command[@]}" --cluster slurm --out out-2
same_comparison compare-2 out-2
expect [ "$before" = "$(queue -t all -n "$(job_name out-2)" | wc -l)" ]
