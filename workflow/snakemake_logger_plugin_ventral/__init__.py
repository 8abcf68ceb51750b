"""A logger of Snakemake that prints one screen for a run: `snakemake --logger ventral`.

Snakemake finds the package by its name. The terminal shows how far the run is, a line for each stage, warnings and
errors, and where the results are. Snakemake's own log file has everything else. A job's log has what the job reports.
"""

import os
import sys

from snakemake.logging import ColorizingTextHandler, DefaultFilter, DefaultFormatter
from snakemake_interface_logger_plugins.base import LogHandlerBase

from snakemake_logger_plugin_ventral.screen import Screen
from snakemake_logger_plugin_ventral.terminal import Terminal

# Jobs write to their logs alone: this logger shows their warnings and errors.
LEVEL_OF_JOBS = {"VENTRAL_TERMINAL_LEVEL": "CRITICAL"}


class LogHandler(LogHandlerBase):
    """What Snakemake calls with each of its records.

    A dry run, and a run with ``--verbose``, ``--printshellcmds``, ``--debug-dag`` or ``--quiet``, prints what Snakemake
    prints without a logger of its own.
    """

    def __post_init__(self) -> None:
        said = self.common_settings
        stream = sys.stdout if said.stdout else sys.stderr
        if said.dryrun or said.verbose or said.printshellcmds or said.debug_dag or said.quiet:
            self.handler = ColorizingTextHandler(
                said.nocolor,
                stream,
                DefaultFormatter(said.quiet, said.show_failed_logs),
                DefaultFilter(said.quiet, said.debug_dag, said.verbose, said.dryrun, said.printshellcmds),
            )
        else:
            os.environ.update(LEVEL_OF_JOBS)
            self.handler = Screen(Terminal(stream, colours=not said.nocolor))

    def emit(self, record) -> None:
        """Print what a record says, if anything."""
        # Not `emit`: the handler may have a filter.
        self.handler.handle(record)

    def close(self) -> None:
        """Print how the run ended."""
        self.handler.close()
        super().close()

    @property
    def writes_to_stream(self) -> bool:
        """Whether the handler writes to a terminal, so that Snakemake itself does not."""
        return True

    @property
    def writes_to_file(self) -> bool:
        """Whether the handler writes a log file."""
        return False

    @property
    def has_filter(self) -> bool:
        """Whether the handler chooses its records itself."""
        return True

    @property
    def has_formatter(self) -> bool:
        """Whether the handler words its records itself."""
        return True

    @property
    def needs_rulegraph(self) -> bool:
        """Whether Snakemake should also send the graph of the rules."""
        return False
