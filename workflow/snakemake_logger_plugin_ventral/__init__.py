"""Print one screen for a run, as a logger of Snakemake: `snakemake --logger ventral`.

Snakemake finds the package by its name. The terminal shows the progress of the run, a line for each stage, warnings,
errors, and the place of the results. Snakemake's own log file has everything else. A job's log has its messages.
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
    """The handler that Snakemake calls with each of its records.

    A dry run prints the same as without this logger. So does a run with ``--verbose``, ``--printshellcmds``,
    ``--debug-dag`` or ``--quiet``.
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
        """Print the text of a record, if it has any for the screen."""
        # Not `emit`: the handler may have a filter.
        self.handler.handle(record)

    def close(self) -> None:
        """Print the outcome of the run."""
        self.handler.close()
        super().close()

    @property
    def writes_to_stream(self) -> bool:
        """Say that the handler writes to the terminal, so that Snakemake itself does not."""
        return True

    @property
    def writes_to_file(self) -> bool:
        """Say whether the handler writes a log file."""
        return False

    @property
    def has_filter(self) -> bool:
        """Say whether the handler chooses its records itself."""
        return True

    @property
    def has_formatter(self) -> bool:
        """Say whether the handler formats its records itself."""
        return True

    @property
    def needs_rulegraph(self) -> bool:
        """Say whether Snakemake should also send the graph of the rules."""
        return False
