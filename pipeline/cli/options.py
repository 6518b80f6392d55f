"""What several commands share: kinds of arguments, and how a result is printed."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import update_wrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.errors import InputError
from pipeline.paths import Paths

if TYPE_CHECKING:
    from pipeline.params import Params
    from pipeline.report.table import Table

FILE = click.Path(path_type=Path)


class FoldChoice(click.ParamType):
    """A fold's index or ``all``."""

    name = "fold"

    def get_metavar(self, param, ctx=None):
        """Return how the help shows it."""
        return "K|all"

    def convert(self, value, param, ctx):
        """Return an int, or "all"."""
        if value == "all" or isinstance(value, int):
            return value
        if not value.isdecimal():
            self.fail(f"expected a fold's index or all, got {value!r}", param, ctx)
        return int(value)


def open_project() -> tuple[Params, Paths]:
    """Return parameters and paths of the project in the working folder."""
    from pipeline.competitions.spec import load_spec
    from pipeline.params import load_params

    paths = Paths(Path())
    if not paths.params.exists():
        raise InputError(f"{paths.params}: no such file here; run: pipeline init COMPETITION")
    params = load_params(paths.params)
    spec = load_spec(params.competition)  # a typo is told by every command
    click.get_current_context().find_root().meta["spec"] = spec
    return params, paths


def go_on_with(command: str) -> None:
    """Name another next command than the one in `SECTIONS`; "" names none."""
    click.get_current_context().find_root().obj = command


def start_keras() -> None:
    """Import Keras and find its devices, see `pipeline.runtime`."""
    from pipeline.runtime import start_keras

    start_keras()


def folds_of(params: Params, fold: int | str) -> list[int]:
    """Return the folds that `FoldChoice` stands for."""
    return list(params.folds.indices) if fold == "all" else [fold]


def on_ray(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of work on a Ray cluster."""

    def check(on: str | None, cpus: float | None, gpus: float | None, **others: Any) -> None:
        if on is None and (cpus, gpus) != (None, None):
            raise click.UsageError("expected --cpus and --gpus with --on ray")
        command(on=on, cpus=cpus, gpus=gpus, **others)

    amount = click.FloatRange(min=0)
    for option in (
        click.option("--gpus", type=amount, metavar="N", help="GPUs for each process, on Ray."),
        click.option("--cpus", type=amount, metavar="N", help="Cores for each process, on Ray."),
        click.option("--on", type=click.Choice(["ray"]), help="The cluster at RAY_ADDRESS."),
    ):
        check = option(check)
    return update_wrapper(check, command)


def print_parts(*parts: str | Table) -> None:
    """Print what a stage returned; tables are drawn where a person sees them."""
    for part in parts:
        if isinstance(part, str) or not sys.stdout.isatty():
            click.echo(str(part))
        else:
            part.draw()
