"""What the logger prints of a run: one screen."""

import importlib.util
import io
import logging
import os
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
import yte
from snakemake_interface_logger_plugins.common import LogEvent

import snakemake_logger_plugin_ventral
from snakemake_logger_plugin_ventral.job_logs import errors_in, warnings_in
from snakemake_logger_plugin_ventral.screen import Screen
from snakemake_logger_plugin_ventral.stages import Stages, duration
from snakemake_logger_plugin_ventral.terminal import Terminal

WARNING = "2026-01-01 10:00:00,123 WARNING model net: {}\n"


class Tty(io.StringIO):
    def isatty(self) -> bool:
        return True

    def seen(self) -> list[str]:
        """The lines that are left of what was written, one that changed in its last state."""
        lines = [line.rpartition("\r\033[K")[2] for line in self.getvalue().split("\n")]
        return [re.sub(r"\033\[\d+m", "", line) for line in lines]


def record(event=None, message="", level=logging.INFO, **fields) -> logging.LogRecord:
    return logging.makeLogRecord({"event": event, "msg": message, "levelno": level, **fields})


def begun(stream=None, **stats) -> tuple[Screen, io.StringIO]:
    stream = io.StringIO() if stream is None else stream
    screen = Screen(Terminal(stream))
    screen.handle(record(LogEvent.RESOURCES_INFO, "Provided cores: 2", cores=2))
    screen.handle(record(LogEvent.RUN_INFO, "Job stats", stats=stats | {"total": sum(stats.values())}, created=0.0))
    return screen, stream


def start(screen: Screen, job: int, rule: str, log=(), now=0.0, **wildcards) -> None:
    screen.handle(
        record(LogEvent.JOB_INFO, jobid=job, rule_name=rule, wildcards=wildcards, log=[*map(str, log)], created=now)
    )


def finish(screen: Screen, job: int, now: float) -> None:
    screen.handle(record(LogEvent.JOB_FINISHED, job_id=job, created=now))


def fail(screen: Screen, job: int, rule: str, log) -> None:
    screen.handle(record(LogEvent.JOB_ERROR, "Error in rule", logging.ERROR, jobid=job, rule_name=rule, log=[str(log)]))


def lines(screen: Screen, stream: io.StringIO) -> list[str]:
    screen.close()
    return stream.getvalue().splitlines()


def test_a_run_is_a_line_for_each_stage_and_the_results_come_last(tmp_path):
    screen, stream = begun(extract=2, fit=1, all=1)
    for job, rule, now in ((1, "extract", 10), (2, "extract", 20), (3, "fit", 60)):
        start(screen, job, rule, [tmp_path / f"{job}.log"], now - 5)
        screen.handle(record(message="Select jobs to execute..."))
        finish(screen, job, now)
    start(screen, 4, "all", now=60)
    screen.handle(record(message="Figures: results/figures", results=True))
    finish(screen, 4, 60)
    said = lines(screen, stream)
    assert said[0] == "4 jobs in 3 stages on 2 cores"
    assert "extract: 2 jobs done, 15 s" in said
    assert "fit: 1 job done, 5 s" in said
    assert not [line for line in said if line.startswith(("all", "Select", "Provided"))]
    assert said[-1] == "Figures: results/figures"
    assert said[-2].startswith("All 4 jobs done in ")


def test_a_long_run_into_a_file_has_a_few_lines_of_progress():
    screen, stream = begun(fit=500, all=1)
    for job in range(500):
        start(screen, job, "fit", now=job)
        finish(screen, job, job + 1)
    said = [line for line in lines(screen, stream) if "% done" in line]
    assert len(said) == 9
    assert said[0] == "10 % done, 51 of 501 jobs; 51 s, about 8 min left"


def test_a_terminal_has_one_line_that_changes_in_place(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    screen, stream = begun(Tty(), fit=2, join=1)
    start(screen, 1, "fit", ["a.log"])
    finish(screen, 1, 30.0)
    start(screen, 2, "fit", ["b.log"], now=30.0)
    assert stream.seen()[-1] == "33 % done, 1 of 3 jobs; 30 s, about 1 min left; running: fit"
    finish(screen, 2, 60.0)
    screen.close()
    assert [line for line in stream.seen() if "% done" in line] == []
    assert "fit: 2 jobs done, 1 min" in stream.seen()


def test_a_status_is_cut_to_the_terminal_and_never_wraps(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    stream = Tty()
    Terminal(stream).show("x" * 500)
    assert len(stream.seen()[-1]) == 79


def test_a_warning_of_many_jobs_is_said_once_and_counted_at_the_end(tmp_path):
    screen, stream = begun(fit=3)
    for job, text in enumerate(["low", "low", "other"]):
        log = tmp_path / f"{job}.log"
        log.write_text("2026-01-01 10:00:00,000 INFO 3 layers to do\n" + WARNING.format(text))
        start(screen, job, "fit", [log], model="net")
        finish(screen, job, 1.0)
    said = lines(screen, stream)
    assert said.count(f"warning: fit (model net): model net: low (log: {tmp_path}/0.log)") == 1
    assert said[-2:] == [
        f"warning: model net: low (log: {tmp_path}/0.log, and 1 other)",
        f"warning: model net: other (log: {tmp_path}/2.log)",
    ]
    assert not [line for line in said if "layers to do" in line]


def test_a_job_that_fails_says_why_at_once_and_at_the_end(tmp_path):
    screen, stream = begun(fit=2)
    log = tmp_path / "fit.log"
    log.write_text("2026-01-01 10:00:00,000 ERROR fit: responses.npy: 47 stimuli, 48 are right\n")
    start(screen, 1, "fit", [log], recording="rec")
    fail(screen, 1, "fit", log)
    fail(screen, 1, "fit", log)
    said = lines(screen, stream)
    error = f"error: fit (recording rec): fit: responses.npy: 47 stimuli, 48 are right (log: {log})"
    assert [k for k, line in enumerate(said) if line == error] == [1, len(said) - 1]
    assert "fit: 0 of 2 jobs done, 1 failed" in said


def test_logs_of_others_and_tracebacks(tmp_path):
    log = tmp_path / "a.log"
    traceback = 'Traceback (most recent call last):\n  File "a.py", line 1\nValueError: no\n'
    log.write_text(f"2026-01-01 10:00:00,000 ERROR fit failed\n{traceback}")
    assert errors_in([str(log)]) == ["fit failed: ValueError: no"]
    log.write_text("2026-01-01 10:00:00,000 ERROR ingest: 2 images cannot be used:\n- a.png\n- b.png\n")
    assert errors_in([str(log)]) == ["ingest: 2 images cannot be used:\n- a.png\n- b.png"]
    log.write_text("line 1\nline 2\n")
    assert errors_in([str(log), str(tmp_path / "missing.log")]) == ["line 1", "line 2"]
    assert errors_in([str(tmp_path / "missing.log")]) == []
    log.write_text(WARNING.format("twice") * 2)
    assert warnings_in(str(log)) == ["model net: twice"]


def test_where_no_job_runs_snakemake_says_what_it_says():
    stream = io.StringIO()
    screen = Screen(Terminal(stream))
    screen.handle(record(message="Building DAG of jobs..."))
    screen.handle(record(message="Nothing to be done."))
    assert lines(screen, stream) == ["Building DAG of jobs...", "Nothing to be done."]


def test_a_refused_config_is_all_that_is_said():
    stream = io.StringIO()
    screen = Screen(Terminal(stream))
    screen.handle(record(message="Building DAG of jobs..."))
    screen.handle(record(LogEvent.ERROR, "Refused:\nconfig key folds", logging.ERROR))
    assert lines(screen, stream) == ["Refused:", "config key folds"]


def test_time_left_goes_by_how_long_jobs_of_a_stage_take():
    stages = Stages({"train": 2, "fit": 10}, began=0.0)
    stages.start(1, "train", 0.0)
    stages.start(2, "fit", 0.0)
    assert stages.seconds_left(5.0) is None
    stages.finish(2, 10.0)
    stages.finish(1, 100.0)
    # One more training of 100 s and nine fits of 10 s, and 1.1 jobs have run side by side.
    assert stages.seconds_left(100.0) == pytest.approx(190 / 1.1)


@pytest.mark.parametrize(("seconds", "text"), [(3.2, "3 s"), (59.7, "1 min"), (3599, "1 h 0 min"), (7500, "2 h 5 min")])
def test_durations(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize("option", ["dryrun", "verbose", "printshellcmds", "debug_dag"])
def test_a_dry_run_prints_as_snakemake_does(monkeypatch, capsys, option):
    monkeypatch.setattr(os, "environ", dict(os.environ))
    said = dict.fromkeys(["dryrun", "verbose", "printshellcmds", "debug_dag", "show_failed_logs"], False)
    settings = SimpleNamespace(**said | {option: True}, quiet=None, nocolor=True, stdout=False)
    handler = snakemake_logger_plugin_ventral.LogHandler(settings, None)
    handler.handle(record(LogEvent.RUN_INFO, "Job stats:\nfit  3", stats={"fit": 3, "total": 3}))
    assert capsys.readouterr().err == "Job stats:\nfit  3\n"
    assert "VENTRAL_TERMINAL_LEVEL" not in os.environ or os.environ["VENTRAL_TERMINAL_LEVEL"] != "CRITICAL"


@pytest.mark.parametrize("installed", [True, False])
def test_the_default_profile_names_the_logger_only_where_snakemake_finds_it(monkeypatch, installed):
    if not installed:
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    profile = Path(__file__).parents[2] / "profiles" / "default" / "config.yaml"
    settings = yte.process_yaml(profile.read_text(), require_use_yte=True)
    assert settings.get("logger") == ("ventral" if installed else None)
    assert settings["cores"] == "all"
