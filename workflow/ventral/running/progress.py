"""Log lines with the progress of a long computation and the time left."""

import logging
import time

logger = logging.getLogger("ventral")

SECONDS_BETWEEN_LINES = 10.0


class Progress:
    """A counter that logs a line at the start, every ten seconds, and at the end.

    The lines suit a log file as well as a terminal: they have no carriage returns and no colours. A line has the units
    per second, or the seconds per unit if a unit takes longer than a second.

    Parameters
    ----------
    label : str
        Name of the computation, such as ``extract resnet50``.
    total : int
        Number of units.
    unit : str
        Name of the unit, in the plural.
    """

    def __init__(self, label: str, total: int, unit: str) -> None:
        self.label, self.total, self.unit = label, total, unit
        self.done = 0
        self.started = self.last_line = time.monotonic()
        logger.info("%s: %d %s to do", label, total, unit)

    def advance(self, count: int = 1) -> None:
        """Count `count` more units as done, and log a line when one is due."""
        self.done += count
        now = time.monotonic()
        if self.done >= self.total or now - self.last_line >= SECONDS_BETWEEN_LINES:
            self.last_line = now
            logger.info("%s", self)

    def __str__(self) -> str:
        seconds = max(time.monotonic() - self.started, 1e-9)
        rate = self.done / seconds
        left = (self.total - self.done) / rate if rate else float("inf")
        ending = f"{left:.0f} s left" if self.done < self.total else f"took {seconds:.1f} s"
        speed = f"{rate:.1f} {self.unit}/s" if rate >= 1 or not rate else f"{1 / rate:.1f} s each"
        return f"{self.label}: {self.done}/{self.total} {self.unit}, {speed}, {ending}"
