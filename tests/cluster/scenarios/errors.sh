# Bad input ends within seconds with a message that names it.
command=(compare "${TINY[@]}" --strategies "plain,fairnas" --seeds 2 --sequence 0 --epochs 40 --interval 5)
slurm=("$NAS_TRAIN" "${command[@]}" --cluster slurm)

echo "== no sbatch on the PATH"
mkdir empty
refused env PATH="$PWD/empty" "${slurm[@]}" --out no-sbatch
mentions PATH "--cluster script"

echo "== a partition that does not exist"
refused "${slurm[@]}" --partition nope --out no-partition
mentions nope "invalid partition"

echo "== a time limit that is none"
refused "${slurm[@]}" --time soon --out no-time
mentions --time

echo "== the corrected command in the same directory"
for out in no-sbatch no-partition no-time; do
    "${slurm[@]}" --detach --out $out
    "$NAS_TRAIN" cluster cancel $out
done

for tool in scontrol sbatch; do
    echo "== $tool hangs"
    mkdir hanging-$tool
    printf '#!/bin/sh\nexec sleep 1000\n' >hanging-$tool/$tool
    chmod +x hanging-$tool/$tool
    refused env PATH="$PWD/hanging-$tool:$PATH" "${slurm[@]}" --out hangs
    mentions $tool "not answered"
done

echo "== a plan with changed bytes, an index beyond the plan, a plan of another version"
"$NAS_TRAIN" "${command[@]}" --cluster script --out plan
refused bash plan/cluster/job.sh 4
mentions 4 runs
cp plan/plan.jsonl plan.copy
sed -i 's/"batch_size":32/"batch_size":16/' plan/plan.jsonl
refused bash plan/cluster/job.sh 0
mentions plan.jsonl
sed 's/"version":"[^"]*"/"version":"0.0.1"/' plan.copy >plan/plan.jsonl
refused "$NAS_TRAIN" cluster-task plan/plan.jsonl --offset 0
mentions 0.0.1
cp plan.copy plan/plan.jsonl

echo "== another comparison in a directory whose tasks are queued"
partition down
"${slurm[@]}" --detach --out queued
refused "${slurm[@]}" --lr 0.01 --detach --out queued
mentions "cluster cancel"
expect [ "$(queue | wc -l)" = 4 ]
"$NAS_TRAIN" cluster cancel queued
partition up

echo "== an output directory that the node cannot see"
mv plan elsewhere
refused bash elsewhere/cluster/job.sh 0
mentions plan.jsonl node
mv elsewhere plan
partition down
"${slurm[@]}" --detach --out unseen
mv unseen hidden
partition up
wait_for 60 idle
mv hidden unseen
"$NAS_TRAIN" cluster status unseen | tee status.txt
expect grep -qE '4 (failed|lost)' status.txt

echo "== no plan, and an empty one"
refused "$NAS_TRAIN" cluster status nothing
mentions nothing
mkdir damaged
: >damaged/plan.jsonl
refused "$NAS_TRAIN" cluster status damaged
mentions plan.jsonl
