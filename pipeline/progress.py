"""A progress bar for long work; nothing where the output is no terminal's."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from rich.console import Console
from rich.live import Live
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

_shown = ContextVar("shown", default=True)


@contextmanager
def without_progress() -> Iterator[None]:
    """Show no bar inside of this block."""
    token = _shown.set(False)
    try:
        yield
    finally:
        _shown.reset(token)


@contextmanager
def progress_bar(description: str, total: int | None) -> Iterator[Callable[..., None]]:
    """Show `description` and yield ``advance(count=1)``, which may be called from any thread.

    A `total` of None is one that is not known.
    """
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    with Progress(
        *columns, console=console, disable=not (console.is_terminal and _shown.get())
    ) as progress:
        task = progress.add_task(description, total=total)

        def advance(count: int = 1) -> None:
            progress.advance(task, count)

        yield advance


@contextmanager
def download_bar(description: str) -> Iterator[Callable[[int, int | None], None]]:
    """Show `description` and yield ``show(done, total)`` in bytes; the total may be None."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task(description, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


@contextmanager
def live_view() -> Iterator[Live | None]:
    """Yield a view on the terminal that `update` redraws; None where a person sees none."""
    console = Console(stderr=True)
    if not (console.is_terminal and _shown.get()):
        yield None
        return
    with Live(console=console, auto_refresh=False) as live:
        yield live
