# Two mounts of one directory, with caches and locks of their own, stand for two machines with NFS. On each the same
# command runs at the same time: both succeed with the same result, and no run counts twice.
for tool in bindfs fusermount; do command -v $tool >/dev/null || fail "$tool is not installed: apt-get install bindfs"; done
[ -w /dev/fuse ] || fail "no access to /dev/fuse, which bindfs needs"
command=(compare "${TINY[@]}" --strategies "plain,ogd,fairnas" --seeds 4 --sequence 2 --epochs 40 --interval 5)
local_comparison compare-2 "${command[@]}"
local_run truth "${TRUTH[@]}" --out truth.csv
mkdir disk a b
unmount() { fusermount -uz a || true; fusermount -uz b || true; }
trap unmount EXIT
for mount in a b; do bindfs -o attr_timeout=30,entry_timeout=30,negative_timeout=5 disk $mount; done

# both COMMAND...: runs a command in both mounts at once.
both() {
    (cd a && exec "$NAS_TRAIN" "$@") & local first=$!
    (cd b && exec "$NAS_TRAIN" "$@") & local second=$!
    ended 300 $first
    ended 300 $second
}
for cluster in none slurm; do
    both "${TRUTH[@]}" --cluster $cluster --out table-$cluster.csv
    expect cmp "$WORK/local/truth/truth.csv" disk/table-$cluster.csv
    both "${command[@]}" --cluster $cluster --out out-$cluster
    same_comparison compare-2 disk/out-$cluster
done
