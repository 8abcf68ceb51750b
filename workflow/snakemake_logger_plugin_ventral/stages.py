"""Count the planned, running and finished jobs of each stage, and estimate the time left."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import fmean


@dataclass
class Stages:
    """Jobs of a run by their stage.

    Attributes
    ----------
    planned : dict of int
        Number of jobs of each stage.
    began : float
        Start of the run, in seconds.
    running : dict
        Stage and start of each running job, by the job's number.
    seconds : dict of list of float
        Seconds of each finished job, by stage.
    failed : Counter
        Jobs that failed, by stage.
    first : dict of float
        Start of the first job of a stage.
    """

    planned: Mapping[str, int]
    began: float
    running: dict[int, tuple[str, float]] = field(default_factory=dict)
    seconds: dict[str, list[float]] = field(default_factory=dict)
    failed: Counter = field(default_factory=Counter)
    first: dict[str, float] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """Number of jobs of the run."""
        return sum(self.planned.values())

    @property
    def done(self) -> int:
        """Number of finished jobs."""
        return sum(map(len, self.seconds.values()))

    def start(self, job: int, stage: str, now: float) -> None:
        """Count a job as running."""
        self.running[job] = stage, now
        self.first.setdefault(stage, now)

    def fail(self, job: int) -> None:
        """Count a running job as failed."""
        if job in self.running:
            self.failed[self.running.pop(job)[0]] += 1

    def finish(self, job: int, now: float) -> str | None:
        """Count a running job as finished, and return a line when the job was the last of its stage."""
        if job not in self.running:
            return None
        stage, began = self.running.pop(job)
        self.seconds.setdefault(stage, []).append(now - began)
        done = len(self.seconds[stage])
        if done != self.planned.get(stage):
            return None
        return f"{stage}: {counted(done, 'job')} done, {duration(now - self.first[stage])}"

    def unfinished(self) -> list[str]:
        """Return a line for each stage that began and has jobs left, or failed ones."""
        lines = []
        for stage in self.first:
            done = len(self.seconds.get(stage, []))
            if done < self.planned.get(stage, done):
                failed = f", {self.failed[stage]} failed" if self.failed[stage] else ""
                lines.append(f"{stage}: {done} of {counted(self.planned[stage], 'job')} done{failed}")
        return lines

    def seconds_left(self, now: float) -> float | None:
        """Estimate the seconds that the run will still take, None before the first job is done.

        A coming job takes the mean time of its stage's finished jobs, or of all finished jobs if the stage has none.
        The estimate assumes as many parallel jobs as so far on average.
        """
        if not self.done or now <= self.began:
            return None
        of_all = fmean(seconds for of_stage in self.seconds.values() for seconds in of_stage)
        mean = {stage: fmean(self.seconds[stage]) if stage in self.seconds else of_all for stage in self.planned}
        running = [(min(now - began, mean.get(stage, of_all)), now - began) for stage, began in self.running.values()]
        to_do = {stage: n - len(self.seconds.get(stage, [])) for stage, n in self.planned.items()}
        work = sum(max(0, number) * mean[stage] for stage, number in to_do.items()) - sum(used for used, _ in running)
        spent = sum(map(sum, self.seconds.values())) + sum(elapsed for _, elapsed in running)
        return max(0.0, work) * (now - self.began) / spent if spent else None

    def status(self, now: float) -> str:
        """Return the line with the progress of the run."""
        share = self.done / self.total if self.total else 1.0
        left = self.seconds_left(now)
        running = Counter(stage for stage, _ in self.running.values())
        parts = [
            f"{int(100 * share)} % done, {self.done} of {counted(self.total, 'job')}",
            duration(now - self.began) + (f", about {duration(left)} left" if left is not None else ""),
            "running: " + ", ".join(f"{stage} ({n})" if n > 1 else stage for stage, n in running.items()),
        ]
        return "; ".join(parts if running else parts[:2])


def counted(number: int, noun: str) -> str:
    """Return a number with its noun."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def duration(seconds: float) -> str:
    """Format a time for people: 42 s, 12 min, 1 h 5 min."""
    if seconds < 59.5:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"
