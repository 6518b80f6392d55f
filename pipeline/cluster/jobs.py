"""Jobs that run side by side, and what becomes of one whose worker is lost."""

import os
import signal
import socket
import traceback
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from pipeline.errors import InputError

CRASHES = 2  # of a job's process, on machines that live, after which the job has failed
HEADING = "== "  # of each attempt in a job's output


@dataclass(frozen=True)
class Job:
    """Work that any worker can do.

    Attributes
    ----------
    name : str
        What a person calls it, such as ``"fold 1"``.
    function : callable
        Of a module, so that another process finds it by its name. It is called with `arguments`
        and with ``attempt``, which is 1 at first and more where a worker was lost.
    arguments : tuple
        What can be pickled.
    output : Path
        Absolute; gets what the job prints, and the traceback of what it does not handle.
    """

    name: str
    function: Callable[..., Any]
    arguments: tuple
    output: Path


class Outcome(NamedTuple):
    """What a job returned, or the line that says why it could not.

    Attributes
    ----------
    result
        Of the job's function.
    error : str or None
        One line.
    """

    result: Any = None
    error: str | None = None


class Ready(NamedTuple):
    """A worker waits for its first job, or for one after it lost its process."""

    worker: int
    place: str


class Finished(NamedTuple):
    """A worker ended its job, and waits for the next one."""

    worker: int
    outcome: Outcome


class Lost(NamedTuple):
    """A worker is gone; the same or another one becomes ready in its place.

    `crashed` tells whether its process ended on a machine that lives.
    """

    worker: int
    reason: str
    crashed: bool


class Workers(Protocol):
    """Processes that do one job after the other each."""

    def start(self, worker: int, job: Job, attempt: int) -> None:
        """Give a job to a worker that waits for one."""

    def wait(self, seconds: float) -> list[Ready | Finished | Lost]:
        """Return what happened, as soon as anything has; at most after this time."""

    def release(self, worker: int) -> None:
        """Let a worker go that waits."""

    def stop(self) -> None:
        """End every worker, and what it does, at once."""


class Watcher(Protocol):
    """Shows a person how far the jobs are."""

    def started(self, job: Job, place: str) -> None:
        """Note where a job begins, or goes on."""

    def lost(self, job: Job, reason: str) -> None:
        """Note that a job must be done again."""

    def ended(self, job: Job, outcome: Outcome) -> None:
        """Note what became of a job."""

    def look(self) -> None:
        """Show what is new; called about twice per second."""


def run_jobs(
    jobs: Sequence[Job], workers: Workers, watcher: Watcher, *, keep_going: bool = True
) -> dict[str, Outcome]:
    """Have every job done; return the outcomes by the jobs' names.

    A job whose worker is lost is done again, before those that wait. Where its process ended
    `CRASHES` times on machines that live, it has failed.

    Parameters
    ----------
    keep_going : bool
        Whether the others are done where one fails; else there are fewer outcomes.

    Raises
    ------
    KeyboardInterrupt
        By Ctrl-C or SIGTERM; every worker is stopped then, as it is in any case.
    """
    schedule = _Schedule(jobs)
    with _stopped_at_the_end(workers):
        while not schedule.is_over(keep_going=keep_going):
            for worker, job, attempt in schedule.assign():
                workers.start(worker, job, attempt)
                watcher.started(job, schedule.places[worker])
            for worker in schedule.superfluous():
                workers.release(worker)
            for event in workers.wait(0.5):
                _note(event, schedule, watcher)
            watcher.look()
    return schedule.outcomes


class _Schedule:
    """Which jobs wait, which run where, and which are over."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        self.waiting = deque((job, 1) for job in jobs)
        self.running: dict[int, tuple[Job, int]] = {}
        self.outcomes: dict[str, Outcome] = {}
        self.places: dict[int, str] = {}
        self.idle: deque[int] = deque()
        self.crashes: Counter[str] = Counter()

    def is_over(self, *, keep_going: bool) -> bool:
        """Tell whether nothing is left to do."""
        failed = any(outcome.error is not None for outcome in self.outcomes.values())
        return not (self.waiting or self.running) or (failed and not keep_going)

    def assign(self) -> Iterator[tuple[int, Job, int]]:
        """Yield worker, job and attempt of each job that can begin."""
        while self.waiting and self.idle:
            worker, entry = self.idle.popleft(), self.waiting.popleft()
            self.running[worker] = entry
            yield worker, *entry

    def superfluous(self) -> list[int]:
        """Return the idle workers for which nothing is left, and forget them."""
        idle = list(self.idle) if not self.waiting else []
        self.idle = deque() if idle else self.idle
        return idle

    def finish(self, worker: int, outcome: Outcome) -> Job:
        """Return the job that this worker ended."""
        job, _ = self.running.pop(worker)
        self.outcomes[job.name] = outcome
        self.idle.append(worker)
        return job

    def lose(self, event: Lost) -> tuple[Job, Outcome | None] | None:
        """Return the job that was lost with a worker, with its outcome if that was too often."""
        if event.worker not in self.running:
            if event.worker in self.idle:
                self.idle.remove(event.worker)
            return None
        job, attempt = self.running.pop(event.worker)
        self.crashes[job.name] += event.crashed
        if self.crashes[job.name] == CRASHES:
            text = f"its process ended {CRASHES} times: {event.reason}; see {job.output}"
            self.outcomes[job.name] = Outcome(error=text)
            return job, self.outcomes[job.name]
        self.waiting.appendleft((job, attempt + 1))
        return job, None


def _note(event: Ready | Finished | Lost, schedule: _Schedule, watcher: Watcher) -> None:
    if isinstance(event, Ready):
        schedule.places[event.worker] = event.place
        schedule.idle.append(event.worker)
    elif isinstance(event, Finished):
        watcher.ended(schedule.finish(event.worker, event.outcome), event.outcome)
    elif (lost := schedule.lose(event)) is not None:
        job, outcome = lost
        if outcome is None:
            watcher.lost(job, event.reason)
        else:
            watcher.ended(job, outcome)


@contextmanager
def _stopped_at_the_end(workers: Workers) -> Iterator[None]:
    """Stop the workers whatever happens; SIGTERM counts as Ctrl-C, and a second one as none."""

    def interrupt(number: int, frame: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        on_interrupt = signal.signal(signal.SIGINT, signal.SIG_IGN)
        workers.stop()
        signal.signal(signal.SIGINT, on_interrupt)
        signal.signal(signal.SIGTERM, before)


def carry_out(job: Job, attempt: int) -> Outcome:
    """Do a job in this process; what it prints is added to its output, line by line."""
    job.output.parent.mkdir(parents=True, exist_ok=True)
    with (
        job.output.open("a", encoding="utf-8", buffering=1) as output,
        redirect_stdout(output),
        redirect_stderr(output),
    ):
        print(f"{HEADING}{job.name}, {socket.gethostname()}, process {os.getpid()}")
        try:
            return Outcome(job.function(*job.arguments, attempt=attempt))
        except InputError as error:
            return Outcome(error=" ".join(str(error).splitlines()))
        except Exception as error:
            traceback.print_exc()
            first = next(iter(str(error).splitlines()), "")
            return Outcome(error=f"{type(error).__name__}: {first}; see {job.output}")
