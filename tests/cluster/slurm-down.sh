#!/usr/bin/env bash
# Stops the cluster that slurm-up.sh started, and no other; munged stays.
set -u
box=${VENTRAL_SLURM:-/tmp/ventral-slurm}
for pid in "$box"/run/slurmd-n{1,2,3,4}.pid "$box"/run/slurm{ctld,dbd}.pid /run/mysqld/ventral.pid; do
  [ -f "$pid" ] && kill "$(cat "$pid")" 2>/dev/null
done
exit 0
