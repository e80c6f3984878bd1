# Packed runs have at most four files, and a local comparison reads them as it reads others.
command=(compare "${TINY[@]}" --strategies "plain,ogd,fairnas" --seeds 4 --sequence 2 --epochs 40 --interval 5)
local_comparison compare-2 "${command[@]}"
"$NAS_TRAIN" "${command[@]}" --cluster slurm --runs-per-task 4 --pack --out out
same_comparison compare-2 out
for run in out/runs/* out/sequences/*; do expect [ "$(find "$run" -type f | wc -l)" -le 4 ]; done
mv out/comparison.csv first.csv
"$NAS_TRAIN" "${command[@]}" --progress plain --out out 2>&1 | tee again.txt
expect grep "12 runs, 12 of them done" again.txt
expect cmp first.csv out/comparison.csv
"$NAS_TRAIN" report out/runs/plain-s0
