"""Print progress, stages, warnings and errors of a run."""

import logging
import threading
import time
from collections.abc import Sequence

from snakemake_interface_logger_plugins.common import LogEvent

from snakemake_logger_plugin_ventral.job_logs import errors_in, warnings_in
from snakemake_logger_plugin_ventral.stages import Stages, counted, duration
from snakemake_logger_plugin_ventral.terminal import Terminal

SECONDS_BETWEEN_CHANGES = 1.0
# In a file or pipe, progress has this many lines in all, this far apart.
LINES_OF_PROGRESS = 10
SECONDS_BETWEEN_LINES = 600.0
# Most messages that are repeated at the end of a run.
MOST_REPEATED = 20
# First words of Snakemake's messages that a person should see during a run.
SEEN = ("Creating conda", "Downloading", "Pulling", "Will exit", "Terminating", "Trying to restart", "Unlocking")
LOG_FILE = "Complete log(s): "


class Screen(logging.Handler):
    """Print progress, stages, warnings and errors of a run, and at the end the place of its results.

    If no job runs, Snakemake's own messages are printed: nothing to be done, a folder is unlocked, and so on.
    """

    def __init__(self, terminal: Terminal) -> None:
        super().__init__()
        self.terminal = terminal
        self.stages: Stages | None = None
        self.cores = ""
        # Names and logs of jobs by their number.
        self.named: dict[int, str] = {}
        self.logs: dict[int, Sequence[str]] = {}
        self.reported: set[int] = set()
        # Messages with their numbers of jobs and first log.
        self.repeated: dict[tuple[str, str], list[str]] = {}
        self.held: list[str] = []
        self.last: list[str] = []
        self.refused = False
        self.said_share, self.said_at = 0, time.time()
        self.ended = threading.Event()
        self.told_by_event = {
            LogEvent.RESOURCES_INFO: self._resources,
            LogEvent.RUN_INFO: self._begin,
            LogEvent.JOB_INFO: self._start_job,
            LogEvent.JOB_FINISHED: self._finish_job,
            LogEvent.JOB_ERROR: self._fail_job,
            LogEvent.ERROR: self._refuse,
            None: self._message,
        }

    def emit(self, record: logging.LogRecord) -> None:
        """Print the text of a record, if it has any for the screen."""
        try:
            told = self.told_by_event.get(getattr(record, "event", None))
            if told:
                told(record)
        except Exception:
            self.handleError(record)

    def close(self) -> None:
        """Print the outcome of the run, and repeat its warnings and errors."""
        if self.ended.is_set():
            return
        self.ended.set()
        with self.lock:
            self.terminal.show("")
            if self.stages is None:
                self._say_held()
            else:
                self._end(self.stages, time.time())
            super().close()

    def _say_held(self) -> None:
        for line in [] if self.refused else self.held:
            self.terminal.line(line)

    def _end(self, stages: Stages, now: float) -> None:
        for line in stages.unfinished():
            self.terminal.line(line)
        how_many = (
            f"{stages.done} of {counted(stages.total, 'job')}"
            if stages.done < stages.total
            else (f"All {counted(stages.total, 'job')}" if stages.total > 1 else "The job")
        )
        self.terminal.line(f"{how_many} done in {duration(now - stages.began)}")
        if self.repeated:
            self.terminal.line("")
            self.terminal.line("Warnings and errors of jobs:")
        for (level, message), logs in list(self.repeated.items())[:MOST_REPEATED]:
            self._message_of_job(level, message, logs[0], len(logs))
        if len(self.repeated) > MOST_REPEATED:
            self.terminal.line(f"{len(self.repeated) - MOST_REPEATED} more are in the logs of the jobs")
        for line in self.last:
            self.terminal.line(line)

    def _resources(self, record: logging.LogRecord) -> None:
        cores = getattr(record, "cores", None)
        if cores:
            self.cores = f" on {counted(cores, 'core')}"

    def _begin(self, record: logging.LogRecord) -> None:
        planned = {stage: number for stage, number in record.stats.items() if stage != "total"}
        self.held = []
        self.stages = Stages(planned, record.created)
        self.said_at = record.created
        self.terminal.line(f"{counted(self.stages.total, 'job')} in {counted(len(planned), 'stage')}{self.cores}")
        threading.Thread(target=self._keep_changing, daemon=True).start()

    def _keep_changing(self) -> None:
        while not self.ended.wait(SECONDS_BETWEEN_CHANGES):
            with self.lock:
                self._show_progress(time.time())

    def _show_progress(self, now: float) -> None:
        if self.stages is None or self.ended.is_set():
            return
        if self.terminal.changes_in_place:
            self.terminal.show(self.stages.status(now))
            return
        share = LINES_OF_PROGRESS * self.stages.done // max(1, self.stages.total)
        if share > self.said_share or now - self.said_at >= SECONDS_BETWEEN_LINES:
            self.said_share, self.said_at = share, now
            self.terminal.line(self.stages.status(now))

    def _start_job(self, record: logging.LogRecord) -> None:
        job = record.jobid
        wildcards = ", ".join(f"{name} {value}" for name, value in (record.wildcards or {}).items())
        self.named[job] = f"{record.rule_name} ({wildcards})" if wildcards else record.rule_name
        self.logs[job] = list(record.log or [])
        self.reported.discard(job)
        if self.stages is not None:
            self.stages.start(job, record.rule_name, record.created)
            self._show_progress(record.created)

    def _finish_job(self, record: logging.LogRecord) -> None:
        job = record.job_id
        for log in self.logs.get(job, []):
            for message in warnings_in(log):
                self._tell("warning", f"{self.named[job]}: {message}", message, log)
        ended = self.stages and self.stages.finish(job, record.created)
        # The rule `all` has no outputs to report.
        if ended and self.logs.get(job):
            self.terminal.line(ended)
        self._show_progress(record.created)

    def _fail_job(self, record: logging.LogRecord) -> None:
        job, logs = record.jobid, list(record.log or [])
        # Snakemake repeats each error at the end of a run.
        if job in self.reported:
            return
        self.reported.add(job)
        if self.stages is not None:
            self.stages.fail(job)
        log = logs[-1] if logs else "none"
        said = errors_in(logs) or ["the job was killed, or failed before its log began"]
        for message in said:
            text = f"{self.named.get(job, record.rule_name)}: {message}"
            self._tell("error", text, text, log)

    def _tell(self, level: str, text: str, message: str, log: str) -> None:
        """Print a message of a job, unless another job had the same, and keep it for the end of the run."""
        logs = self.repeated.setdefault((level, message), [])
        logs.append(log)
        if len(logs) == 1:
            self._message_of_job(level, text, log, 1)

    def _message_of_job(self, level: str, text: str, log: str, n_jobs: int) -> None:
        others = f", and {counted(n_jobs - 1, 'other')}" if n_jobs > 1 else ""
        self.terminal.line(f"{level}: {text} (log: {log}{others})", {"error": "red", "warning": "yellow"}[level])

    def _refuse(self, record: logging.LogRecord) -> None:
        self.refused = True
        self.terminal.line(record.getMessage(), "red")

    def _message(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if record.levelno >= logging.WARNING:
            self.terminal.line(text, "red" if record.levelno >= logging.ERROR else "yellow")
        elif getattr(record, "results", False) or text.startswith(LOG_FILE):
            (self.last if self.stages else self.held).append(text)
        elif text.startswith(SEEN):
            self.terminal.line(text)
        elif self.stages is None and text != "None":
            self.held.append(text)
