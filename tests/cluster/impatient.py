"""Snakemake that asks every two seconds which jobs are over.

The plugin for SLURM waits ten seconds longer each time that none is, which becomes minutes: right for a shared cluster,
and for jobs that take hours.
"""

import sys

from snakemake.cli import main
from snakemake_interface_executor_plugins.executors.remote import RemoteExecutor

SECONDS = 2

RemoteExecutor.next_seconds_between_status_checks = property(lambda self: SECONDS, lambda self, seconds: None)

if __name__ == "__main__":
    sys.exit(main())
