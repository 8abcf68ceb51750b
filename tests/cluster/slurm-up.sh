#!/usr/bin/env bash
# Starts a SLURM cluster on this machine alone, for tests: four nodes n1 to n4, each of 2 CPUs, 5.5 GB and a GPU that is
# only pretended; partitions cpu (all nodes) and gpu (n1, n2); account lab; a database, so that sacct answers. A job
# over its memory is killed. Needs root (Debian or Ubuntu), no systemd; what is missing is installed. A cluster that
# already answers is left as it is, whoever started it. Stopped by slurm-down.sh.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
box=${VENTRAL_SLURM:-/tmp/ventral-slurm}
host=$(hostname -s)
conf=/etc/slurm/slurm.conf
accounts=ventral_slurm_acct

fail() { echo "$*" >&2; exit 1; }
answers() { timeout 20 sinfo --noheader >/dev/null 2>&1; }
eventually() { for _ in $(seq 300); do "$@" >/dev/null 2>&1 && return; sleep 0.2; done; fail "no answer to: $*; see $box/log"; }
runs() { [ -f "$1" ] && kill -0 "$(cat "$1")" 2>/dev/null; }

# Two at once would start everything twice.
[ "${1:-}" = locked ] || exec flock --close "$box.lock" "$0" locked
answers && exit
[ "$(id -u)" = 0 ] || fail "no SLURM cluster answers, and only root can start one"
[ ! -f $conf ] || grep -q '^ClusterName=sandbox$' $conf || fail "$conf is of a cluster that is not for tests"
"$here"/packages.sh munge slurmctld slurmd slurm-client slurmdbd mariadb-server
mkdir -p "$box"/{log,run,spool,state} /etc/slurm /run/munge /run/mysqld

cat >$conf <<C
# Written by tests/cluster/slurm-up.sh
ClusterName=sandbox
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
ReturnToService=2
KillWait=5
MailProg=/bin/true
StateSaveLocation=$box/state
SlurmdSpoolDir=$box/spool/%n
SlurmctldPidFile=$box/run/slurmctld.pid
SlurmdPidFile=$box/run/slurmd-%n.pid
SlurmctldLogFile=$box/log/slurmctld.log
SlurmdLogFile=$box/log/slurmd-%n.log
# Cores and memory are what jobs are given, and held to.
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=2
JobAcctGatherParams=OverMemoryKill
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=$host
AccountingStorageTRES=gres/gpu
GresTypes=gpu
# The nodes are as said here, whatever the machine has.
SlurmdParameters=config_overrides
NodeName=n[1-4] NodeHostname=$host NodeAddr=127.0.0.1 Port=[17001-17004] CPUs=2 RealMemory=5500 Gres=gpu:1 State=UNKNOWN
PartitionName=cpu Nodes=n[1-4] Default=YES MaxTime=INFINITE State=UP
PartitionName=gpu Nodes=n[1-2] MaxTime=INFINITE State=UP
C
# A GPU without a file counts as none, and its node is drained.
echo "NodeName=n[1-4] AutoDetect=off Name=gpu File=/dev/null" >/etc/slurm/gres.conf
# The database's host must be called what this machine calls itself.
cat >/etc/slurm/slurmdbd.conf <<C
AuthType=auth/munge
DbdHost=$host
SlurmUser=root
PidFile=$box/run/slurmdbd.pid
LogFile=$box/log/slurmdbd.log
StorageType=accounting_storage/mysql
StorageHost=localhost
StorageUser=slurm
StoragePass=slurm
StorageLoc=$accounts
C
chmod 600 /etc/slurm/slurmdbd.conf

[ -f /etc/munge/munge.key ] || mungekey --create
chown munge: /run/munge /etc/munge/munge.key
pgrep -x munged >/dev/null || runuser -u munge -- munged
chown mysql: /run/mysqld
if ! pgrep -x mariadbd >/dev/null; then
  # Alone in the background: a shell that waited for it would keep open what this script prints to.
  setsid mariadbd --user=mysql --bind-address=127.0.0.1 --pid-file=/run/mysqld/ventral.pid \
    >"$box/log/mariadbd.log" 2>&1 </dev/null &
fi
eventually mariadb --execute "select 1"
# A new cluster numbers its jobs from 1, and must not find the accounts of an earlier one's.
[ -e "$box/state/job_state" ] || mariadb --execute "drop database if exists $accounts"
mariadb --execute "create database if not exists $accounts;
  create user if not exists slurm@localhost identified by 'slurm';
  grant all on $accounts.* to slurm@localhost"
runs "$box/run/slurmdbd.pid" || slurmdbd
eventually sacctmgr --immediate --noheader show cluster
for entity in "cluster sandbox" "account lab" "user root account=lab"; do
  # What is there already is refused.
  sacctmgr --immediate --quiet add $entity >/dev/null 2>&1 || true
done
runs "$box/run/slurmctld.pid" || slurmctld
for node in n1 n2 n3 n4; do
  runs "$box/run/slurmd-$node.pid" || slurmd -N $node
done
idle() {
  [ "$(sinfo --noheader --partition cpu --format %T | sort -u)" = idle ] && return
  scontrol update nodename=n[1-4] state=resume
  return 1
}
eventually idle
