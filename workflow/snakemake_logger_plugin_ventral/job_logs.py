"""Find warnings and errors in the log of a job."""

import re
from collections.abc import Sequence
from pathlib import Path

# A line of `ventral.__main__`: time, level, message.
RECORD = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d+ (?P<level>[A-Z]+) (?P<message>.*)")
MOST_LINES = 10


def warnings_in(log: str) -> list[str]:
    """Return the messages of warnings in a job's log, each once."""
    return list(dict.fromkeys(message for level, message in _records(log) if level == "WARNING"))


def errors_in(logs: Sequence[str]) -> list[str]:
    """Return the messages of errors in the logs of a job that failed.

    Logs of other programs have no such message; then return the last lines of the last log that has any.
    """
    errors = [message for log in logs for level, message in _records(log) if level in ("ERROR", "CRITICAL")]
    if errors:
        return errors
    return next((lines[-MOST_LINES:] for log in reversed(logs) if (lines := _lines(log))), [])


def _records(log: str) -> list[tuple[str, str]]:
    """Return the level and message of each record."""
    records: list[tuple[str, list[str]]] = []
    for line in _lines(log):
        found = RECORD.fullmatch(line)
        if found:
            records.append((found["level"], [found["message"]]))
        elif records:
            records[-1][1].append(line)
    return [(level, _message(lines)) for level, lines in records]


def _message(lines: list[str]) -> str:
    """Return at most ten lines of a message, or the last line of a traceback."""
    first, *others = lines
    if others and others[0].startswith("Traceback"):
        return f"{first}: {others[-1]}"
    shown = others[: MOST_LINES - 1]
    return "\n".join([first, *shown, *(["..."] if len(shown) < len(others) else [])])


def _lines(log: str) -> list[str]:
    try:
        return Path(log).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
