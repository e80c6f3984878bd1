#!/usr/bin/env bash
# slurm-up.sh DIR [NODES] [CPUS]: starts a Slurm cluster on this machine for tests, without systemd, cgroups or a database.
# Keys, sockets, state and logs are in DIR. SLURM_UP_PORT (26817) is the first of NODES + 1 ports, on loopback only.
# `. DIR/env` lets sbatch, squeue and scontrol find the cluster. slurm-down.sh DIR stops it.
set -euo pipefail
dir=$(realpath -m "${1:?usage: slurm-up.sh DIR [NODES] [CPUS]}")
nodes=${2:-4}
cpus=${3:-1}
port=${SLURM_UP_PORT:-26817}
host=$(hostname -s)
user=$(id -un)
install="apt-get install --no-install-recommends slurm-wlm munge"
for tool in munged slurmctld slurmd sinfo; do
    command -v $tool >/dev/null || { echo "error: $tool is not installed: $install" >&2; exit 2; }
done
if [ -e "$dir/env" ]; then echo "error: there is a cluster in $dir: slurm-down.sh $dir first" >&2; exit 2; fi
umask 022
mkdir -p "$dir"/{munge,state,spool,log}
chmod 711 "$dir/munge"
echo "export SLURM_CONF=$dir/slurm.conf" >"$dir/env"
. "$dir/env"

# A munge daemon with a key of its own, so that no service of the system is needed.
(umask 077; head -c 1024 /dev/urandom >"$dir/munge/key")
munged --socket="$dir/munge/socket" --key-file="$dir/munge/key" --pid-file="$dir/munge/pid" \
    --seed-file="$dir/munge/seed" --log-file="$dir/log/munged.log" --num-threads=2 --force 2>"$dir/log/munged.err"

# Several nodes on one host: a slurmd for each, with a name (-N) and a port of its own.
# Settings that make tests fast: KillWait (default 30 s), SlurmdTimeout (300 s), GraceTime 0 for preemption at once.
# MaxArraySize is small, so that plans of 10,000 runs are split. MaxJobCount includes jobs that ended within MinJobAge,
# which is long, so that scenarios can count them.
memory=$(($(awk '/MemTotal/ {print int($2 / 1024)}' /proc/meminfo) * 8 / 10 / nodes))
cat >"$dir/slurm.conf" <<CONF
ClusterName=test
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$port
SlurmUser=$user
SlurmdUser=$user
AuthType=auth/munge
AuthInfo=socket=$dir/munge/socket
StateSaveLocation=$dir/state
SlurmctldPidFile=$dir/state/slurmctld.pid
SlurmctldLogFile=$dir/log/slurmctld.log
SlurmdSpoolDir=$dir/spool/%n
SlurmdPidFile=$dir/spool/%n.pid
SlurmdLogFile=$dir/log/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MailProg=/bin/true
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_min_interval=0,bf_interval=1
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
JobRequeue=1
KillWait=5
SlurmdTimeout=6
MinJobAge=3600
MaxArraySize=1001
MaxJobCount=30000
ReturnToService=2
SlurmdParameters=config_overrides
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
CONF
for node in $(seq "$nodes"); do
    echo "NodeName=n$node NodeHostname=$host NodeAddr=127.0.0.1 Port=$((port + node)) CPUs=$cpus RealMemory=$memory"
done >>"$dir/slurm.conf"
cat >>"$dir/slurm.conf" <<CONF
PartitionName=main Nodes=ALL Default=YES PriorityTier=1 GraceTime=0
PartitionName=urgent Nodes=ALL PriorityTier=10 PreemptMode=OFF
CONF
printf 'CgroupPlugin=cgroup/v1\nCgroupAutomount=no\n' >"$dir/cgroup.conf"

started() { # all daemons have written their process ids, without which slurm-down.sh could not end them
    local node
    [ -s "$dir/state/slurmctld.pid" ] || return
    for node in $(seq "$nodes"); do [ -s "$dir/spool/n$node.pid" ] || return; done
    [ "$(timeout 5 sinfo -h -p main -t idle -o %D 2>/dev/null)" = "$nodes" ]
}
slurmctld -ic
for node in $(seq "$nodes"); do
    mkdir -p "$dir/spool/n$node"
    slurmd -N "n$node"
done
for _ in $(seq 150); do
    started && { sinfo; exit 0; }
    sleep 0.1
done
echo "error: no $nodes idle nodes after 15 s; logs are in $dir/log" >&2
exit 1
