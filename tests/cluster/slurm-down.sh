#!/usr/bin/env bash
# slurm-down.sh DIR: cancels all jobs of the cluster in DIR and ends the daemons that slurm-up.sh DIR started.
set -uo pipefail
dir=$(realpath "${1:?usage: slurm-down.sh DIR}")
[ -e "$dir/env" ] || { echo "error: $dir holds no cluster of slurm-up.sh" >&2; exit 2; }
. "$dir/env"

# A process that has ended stays a zombie where nothing collects it.
alive() { grep -qs '^State:[[:space:]]*[^ZX]' "/proc/$1/status" && grep -qsx "$2" "/proc/$1/comm"; }

# end NAME PIDFILE...: ends the processes of these files, at the latest after 10 s.
end() {
    local name=$1 pids=() file pid
    shift
    for file; do
        [ -s "$file" ] && pid=$(cat "$file") && alive "$pid" "$name" && kill "$pid" && pids+=("$pid")
    done
    for pid in "${pids[@]}"; do
        for _ in $(seq 100); do alive "$pid" "$name" || break; sleep 0.1; done
        alive "$pid" "$name" && kill -9 "$pid"
    done
}

timeout 10 scancel --user="$(id -un)"
for _ in $(seq 80); do
    [ -z "$(timeout 5 squeue -h -t running,completing 2>/dev/null)" ] && break
    sleep 0.1
done
end slurmd "$dir"/spool/*.pid
end slurmctld "$dir/state/slurmctld.pid"
end munged "$dir/munge/pid"
rm -f "$dir/env"
