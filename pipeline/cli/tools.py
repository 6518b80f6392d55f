"""The commands that use, look at, compare and upload what the stages made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from pipeline.cli.group import main
from pipeline.cli.options import (
    FILE,
    FoldChoice,
    folds_of,
    on_ray,
    open_project,
    print_parts,
    start_keras,
)


@main.command()
@click.option("--fold", type=FoldChoice(), default="all", show_default=True)
@click.option("--to", type=click.Choice(["saved_model", "onnx"]), required=True)
@click.option("--out", type=FILE, required=True, metavar="PATH", help="A folder, or ONNX file.")
def export(fold: int | str, to: str, out: Path) -> None:
    """Write the ensemble as one network for TensorFlow or ONNX."""
    params, paths = open_project()
    start_keras()
    from pipeline.stages import export as stage

    click.echo(stage.run(params, paths, folds_of(params, fold), to, out))


@main.command()
@click.option("--out", type=FILE, required=True, metavar="FOLDER")
@click.option("--wheels", is_flag=True, help="With the wheels of all dependencies, over 1 GB.")
def bundle(out: Path, wheels: bool) -> None:
    """Pack what predicts without the internet into a folder."""
    params, paths = open_project()
    start_keras()
    from pipeline.stages import bundle as stage

    click.echo(stage.run(params, paths, out, wheels=wheels))


@main.command()
@click.argument("submission", type=FILE)
def check(submission: Path) -> None:
    """Verify a submission's header, ids, order and every run."""
    from pipeline.stages import submit as stage

    click.echo(stage.check(*open_project(), submission))


@main.command()
@click.argument("submission", type=FILE, required=False)
@click.argument("truth", type=FILE, required=False)
@click.option("--per-image", type=FILE, metavar="CSV", help="Write every image's score there.")
def score(submission: Path | None, truth: Path | None, per_image: Path | None) -> None:
    """Score SUBMISSION against TRUTH, a CSV of run lengths or a folder of masks.

    By default these are submissions/submission.csv and what the competition's spec names.
    """
    from pipeline.stages import score as stage

    click.echo(stage.run(*open_project(), submission, truth, per_image=per_image))


@main.command()
@click.argument("first", type=FILE)
@click.argument("second", type=FILE)
@click.option(
    "--pictures", type=click.IntRange(min=0), default=20, show_default=True, help="Rows to draw."
)
def diff(first: Path, second: Path, pictures: int) -> None:
    """Say how far two submissions agree, and draw their largest changes."""
    from pipeline.stages import diff as stage

    click.echo(stage.run(*open_project(), first, second, pictures=pictures))


@main.command()
@click.argument("submission", type=FILE)
@click.option(
    "--count", type=click.IntRange(min=1), default=20, show_default=True, help="Frames to draw."
)
@click.option("--out", type=FILE, metavar="PNG", help="Instead of reports/show.png.")
def show(submission: Path, count: int, out: Path | None) -> None:
    """Draw a submission's masks on the test frames."""
    from pipeline.stages import show as stage

    click.echo(stage.run(*open_project(), submission, count=count, out=out))


@main.command()
@click.argument("submission", type=FILE, required=False)
@click.option("-m", "--message", required=True, help="What Kaggle and the ledger say it is.")
@click.option(
    "--timeout", type=click.IntRange(min=0), default=600, show_default=True, help="Seconds."
)
@click.option("--again", is_flag=True, help="Although the same file was uploaded before.")
def upload(submission: Path | None, message: str, timeout: int, again: bool) -> None:
    """Upload SUBMISSION to Kaggle, wait for its score and enter it in the ledger.

    By default it is submissions/submission.csv. The row is in submissions/ledger.csv.
    """
    from pipeline.stages import upload as stage

    options = {"message": message, "timeout": timeout, "again": again}
    click.echo(stage.run(*open_project(), submission, **options))


@main.command()
@click.option("--update", is_flag=True, help="Ask Kaggle for scores that came later.")
def ledger(update: bool) -> None:
    """Print the uploads; plot their nested score against the leaderboard."""
    from pipeline.stages import ledger as stage

    print_parts(*stage.run(*open_project(), update=update))


@main.command()
@click.option(
    "--pictures", type=click.IntRange(min=0), default=50, show_default=True, help="Pairs to draw."
)
def audit(pictures: int) -> None:
    """Check the raw files; look for frames of one scene and for leaks."""
    from pipeline.stages import audit as stage

    for found in stage.run(*open_project(), pictures=pictures):
        click.echo(found)


@main.command()
def views() -> None:
    """Measure what each test-time-augmentation view is worth, out of fold."""
    params, paths = open_project()
    start_keras()
    from pipeline.stages import views as stage

    print_parts(*stage.run(params, paths))


@main.command()
@click.argument("runs", type=FILE, nargs=-1, required=True)
@click.option("--out", type=FILE, required=True, metavar="FOLDER", help="A new folder.")
@click.option(
    "--weights",
    default="equal",
    show_default=True,
    help="equal, score (gain over empty masks), or 2,1,1.",
)
def ensemble(runs: tuple[Path, ...], out: Path, weights: str) -> None:
    """Average the maps of RUNS, finished project folders, into a new one."""
    from pipeline.stages import ensemble as stage

    click.echo(stage.run(runs, out, weights))


@main.command()
@click.argument("plan", type=FILE)
@click.option("--minutes", type=float, help="After these start no training; the next call does.")
@on_ray
def compare(plan: Path, minutes: float | None, **where: Any) -> None:
    """Train the experiments of PLAN, a YAML file, on the same folds and seeds."""
    if where["on"] and minutes is not None:
        raise click.UsageError("expected --minutes or --on ray, not both")
    if minutes is not None and not minutes >= 0:  # nor what is no number
        raise click.UsageError(f"--minutes: expected a number from 0 on, got {minutes}")
    params, paths = open_project()
    start_keras()
    from pipeline.stages import compare as stage

    print_parts(*stage.run(params, paths, plan, minutes=minutes, **where))
