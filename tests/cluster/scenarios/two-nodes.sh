# Two mounts of one directory, with caches and locks of their own, stand for two machines with NFS. On each the same
# command runs at the same time: the result is that of one, and no run counts twice.
for tool in bindfs fusermount; do command -v $tool >/dev/null || fail "$tool is not installed: apt-get install bindfs"; done
[ -w /dev/fuse ] || fail "no access to /dev/fuse, which bindfs needs"
command=(compare "${TINY[@]}" --strategies "plain,ogd,fairnas" --seeds 4 --sequence 2 --epochs 40 --interval 5)
local_comparison compare-2 "${command[@]}"
local_run truth "${TRUTH[@]}" --out truth.csv
mkdir disk a b
unmount() { fusermount -uz a || true; fusermount -uz b || true; }
trap unmount EXIT
for mount in a b; do bindfs -o attr_timeout=30,entry_timeout=30,negative_timeout=5 disk $mount; done

# both COMMAND...: runs a command in both mounts at once. One may be refused because the other is at work.
both() {
    local mount pids=() status failures=0
    for mount in a b; do
        (cd $mount && exec "$NAS_TRAIN" "$@") >$mount.txt 2>&1 &
        pids+=($!)
    done
    for mount in a b; do
        wait_for 1800 gone "${pids[0]}"
        status=0
        wait "${pids[0]}" || status=$?
        pids=("${pids[@]:1}")
        echo "$mount: exit code $status: $(tail -2 $mount.txt)"
        [ $status = 0 ] || { failures=$((failures + 1)); expect grep "is in use by another" $mount.txt; }
    done
    expect [ $failures -lt 2 ]
}
for cluster in none slurm; do
    both "${TRUTH[@]}" --cluster $cluster --out table-$cluster.csv
    expect cmp "$WORK/local/truth/truth.csv" disk/table-$cluster.csv
    both "${command[@]}" --cluster $cluster --out out-$cluster
    same_comparison compare-2 disk/out-$cluster
done

# taken_over OUT FILE COMMAND...: the program on one mount is killed when FILE exists. That on the other ends its work.
taken_over() {
    (cd a && exec "$NAS_TRAIN" "${@:3}" --out "$1") &
    local program=$!
    wait_for 60 test -s "disk/$2"
    kill -KILL $program || true # it may have ended on a fast machine
    (cd b && "$NAS_TRAIN" "${@:3}" --out "$1")
}
taken_over table.csv table.csv "${TRUTH[@]}"
expect cmp "$WORK/local/truth/truth.csv" disk/table.csv
taken_over out out/runs/plain-s0/checkpoints "${command[@]}"
same_comparison compare-2 disk/out
