"""What a person sees of trainings that run side by side: a table, or a line per epoch."""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from rich import box
from rich.live import Live
from rich.table import Table
from rich.text import Text

from pipeline.cluster.jobs import HEADING, Job, Outcome
from pipeline.progress import live_view

_EPOCH = re.compile(
    r"epoch (?P<epoch>\d+/\d+): .*validation (?:Dice|mean IoU) (?P<score>[\d.]+)"
    r".*, (?P<rate>[\d.]+) images/s, (?P<left>[\d.]+) min left"
)
_NOISE = re.compile(rf"{HEADING}|Epoch \d+/\d+$|.*━|\s*$")  # ours, and Keras' own bar


class Epoch(NamedTuple):
    """What a training says after an epoch: number of all, score, images/s, minutes left."""

    epoch: str
    score: str
    rate: str
    left: str


_NONE = Epoch("", "", "", "")


def read_epoch(line: str) -> Epoch | None:
    """Return what a training's line says of an epoch; None if it is another line.

    Examples
    --------
    >>> read_epoch(
    ...     "epoch 2/12: loss 0.41, validation Dice 0.8123 (0.7 where there is a mask,"
    ...     " 40% predicted empty), 35.2 images/s, 1.5 min left"
    ... )
    Epoch(epoch='2/12', score='0.8123', rate='35.2', left='1.5')
    """
    found = _EPOCH.match(line)
    return Epoch(**found.groupdict()) if found else None


class Tail:
    """The lines that are added to a file, which may not be there yet."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read = 0

    def __iter__(self) -> Iterator[str]:
        """Yield the whole lines that are new, without those that only a bar needs."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._read)
                lines = file.read()
        except FileNotFoundError:
            return
        lines = lines[: lines.rfind(b"\n") + 1]
        self._read += len(lines)
        for line in lines.decode("utf-8", "replace").splitlines():
            if not _NOISE.match(line):
                yield line


@dataclass
class _Row:
    tail: Tail
    state: str = "waits"
    place: str = ""
    last: Epoch = _NONE


class Board:
    """Follows trainings by what they print; see `Watcher`.

    Parameters
    ----------
    jobs : sequence of Job
        All that will run. Their outputs are emptied.
    view : rich.live.Live or None
        Where the table is drawn; without one every line is printed behind its job's name.
    keep : callable
        Called with each job that did not fail, and its result, at its end.
    """

    def __init__(
        self, jobs: Sequence[Job], view: Live | None, keep: Callable[[Job, Any], None]
    ) -> None:
        self._keep = keep
        self._rows = {job.name: _Row(Tail(job.output)) for job in jobs}
        self._view = view
        for job in jobs:
            job.output.unlink(missing_ok=True)

    def started(self, job: Job, place: str) -> None:
        """Say where it runs."""
        row = self._rows[job.name]
        row.state, row.place = "starts", place
        self._say(job.name, f"on {place}")

    def lost(self, job: Job, reason: str) -> None:
        """Say that it will go on elsewhere."""
        self._rows[job.name].state = "waits"
        self._tell(f"{job.name}: lost, {reason}; it goes on from its checkpoint")

    def ended(self, job: Job, outcome: Outcome) -> None:
        """Say whether it failed; a result is told by the command."""
        self.look()
        row = self._rows[job.name]
        row.state = "done" if outcome.error is None else "failed"
        if outcome.error is None:
            self._keep(job, outcome.result)
        else:
            self._tell(f"{job.name}: {outcome.error}")
        self._draw()

    def look(self) -> None:
        """Read what the trainings printed, and show it."""
        for name, row in self._rows.items():
            for line in row.tail:
                epoch = read_epoch(line)
                if epoch is not None:
                    row.state, row.last = "trains", epoch
                    self._say(name, line)
                else:
                    self._tell(f"{name}: {line}")
        self._draw()

    def _say(self, name: str, line: str) -> None:
        """Print what the table shows too."""
        if self._view is None:
            print(f"{name}: {line}", flush=True)

    def _tell(self, line: str) -> None:
        """Print what the table has no place for, above it."""
        if self._view is None:
            print(line, flush=True)
        else:
            self._view.console.print(Text(line))

    def _draw(self) -> None:
        if self._view is not None:
            self._view.update(self._table(), refresh=True)

    def _table(self) -> Table:
        table = Table(box=box.SIMPLE_HEAD)
        for heading in ("", "", "epoch", "validation", "images/s", "min left", "on"):
            table.add_column(heading, justify="left" if heading in ("", "on") else "right")
        for name, row in self._rows.items():
            left = row.last.left if row.state == "trains" else ""
            *seen, _ = row.last
            table.add_row(*map(Text, (name, row.state, *seen, left, row.place)))
        return table


@contextmanager
def training_board(
    jobs: Sequence[Job], keep: Callable[[Job, Any], None] = lambda job, result: None
) -> Iterator[Board]:
    """Yield a board of these jobs on the terminal, or as lines where a person sees none."""
    with live_view() as view:
        yield Board(jobs, view, keep)
