"""Run one stage: ``python -m ventral STAGE ...``, as the workflow's rules do."""

import errno
import logging
import os
import sys
from contextlib import nullcontext
from pathlib import Path

from ventral.commands import parse, run
from ventral.errors import InputError
from ventral.provenance import recorded_job
from ventral.running.allocator import keep_freed_memory
from ventral.running.rounding import round_alike_on_any_cores

logger = logging.getLogger("ventral")

# Snakemake's logger and the rules set the least level of messages that a job with a log also prints.
TERMINAL_LEVEL = "VENTRAL_TERMINAL_LEVEL"


def main(arguments: list[str] | None = None) -> int:
    """Run one stage and return the exit status: 0, or 1 after an error that is in the log, or 130 if interrupted."""
    command = parse(arguments)
    try:
        _start_logging(command.log)
        keep_freed_memory()
        round_alike_on_any_cores()
        with recorded_job(command), _scheduler(command.how.get("dask"), command.log):
            run(command)
    except BaseException as error:
        said = _explained(error, next(iter(command.written), None))
        if said is None:
            logger.exception("%s failed", command.stage)
        else:
            logger.error("%s: %s", command.stage, said)
        return 130 if isinstance(error, KeyboardInterrupt) else 1
    return 0


def _explained(error: BaseException, output: Path | None) -> str | None:
    """Return a message that helps a user with an error, None if the error is a fault of this program."""
    if isinstance(error, InputError):
        return str(error)
    if isinstance(error, MemoryError):
        return (
            f"memory does not suffice: {str(error) or 'none is left'}; raise `mem_mb` of the stage's rule, by "
            f"`set-resources` in the profile or `--set-resources RULE:mem_mb=N`"
        )
    if isinstance(error, KeyboardInterrupt):
        return "interrupted before the stage was done"
    if isinstance(error, SystemExit):
        return f"some code ended the program, with exit status {error.code!r}, before the stage was done"
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return (
            f"no space left for {output}; free some, or set `results` to a folder on another disk, and start again: "
            f"finished outputs are kept"
        )
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    if isinstance(error, FileNotFoundError):
        return f"{error}: no such file or folder"
    return None


def _scheduler(where: str | None, log: Path | None):
    if where is None:
        return nullcontext()
    import dask

    from ventral.running.parallel import SETTING, WORKER_LOGS, check_place

    check_place(where)
    return dask.config.set({SETTING: where, WORKER_LOGS: log and log.with_suffix(".workers")})


def _start_logging(log: Path | None) -> None:
    # On a full disk the log cannot be written, but messages are still printed.
    logging.raiseExceptions = False
    logger.setLevel(logging.INFO)
    terminal = logging.StreamHandler()
    _add_handler(terminal)
    if log is not None:
        terminal.setLevel(os.environ.get(TERMINAL_LEVEL, logging.INFO))
        log.parent.mkdir(parents=True, exist_ok=True)
        _add_handler(logging.FileHandler(log, mode="w", encoding="utf-8"))


def _add_handler(handler: logging.Handler) -> None:
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logging.getLogger().addHandler(handler)


if __name__ == "__main__":
    sys.exit(main())
