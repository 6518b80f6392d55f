"""The command line: check the arguments, call one stage, print its result.

What a command needs is imported when it runs: ``pipeline --help`` and completion wait for click.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
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

# Every command under the heading of the help, in the order of the work, with the one to go on with.
SECTIONS = {
    "Set up": {
        "init": "pipeline download",
        "download": "dvc repro",
        "sample": "pipeline preprocess",
    },
    "Stages": {
        "preprocess": "pipeline folds",
        "folds": "pipeline weights",
        "weights": "pipeline train",
        "train": "pipeline tune",
        "tune": "pipeline predict",
        "predict": "pipeline submit",
        "submit": "pipeline report",
        "report": "pipeline upload -m TEXT",
    },
    "Use": {
        "export": "pipeline bundle --out FOLDER",
        "bundle": "python FOLDER/run.py IMAGES submission.csv",
    },
    "Look": {
        "show": "pipeline upload -m TEXT",
        "score": "pipeline report",
        "audit": "pipeline preprocess",
        "views": "pipeline predict",
    },
    "Try": {
        "compare": "dvc repro",
        "ensemble": "pipeline tune, in the new folder",
    },
    "Submit": {
        "check": "pipeline upload -m TEXT",
        "diff": "pipeline upload -m TEXT",
        "upload": "pipeline ledger",
        "ledger": "dvc exp run -S train.epochs=20",
    },
}
_NEXT = {name: after for section in SECTIONS.values() for name, after in section.items()}


class Commands(click.Group):
    """Commands by `SECTIONS`; what a user can put right is one line, exit status 1."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the work."""
        return list(_NEXT)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write each section under its heading."""
        widest = max(map(len, self.commands))
        for heading, names in SECTIONS.items():
            commands = [(f"{name:{widest}}", self.commands[name]) for name in names]
            limit = formatter.width - widest - 6
            rows = [(name, command.get_short_help_str(limit)) for name, command in commands]
            with formatter.section(heading):
                formatter.write_dl(rows)

    def invoke(self, ctx: click.Context) -> object:
        """Run the command and say what comes next."""
        try:
            result = super().invoke(ctx)
        except InputError as error:
            raise click.ClickException(" ".join(str(error).splitlines())) from error
        except OSError as error:  # a full disk, a folder without permission
            where = f"{error.filename}: " if error.filename else ""
            raise click.ClickException(f"{where}{error.strerror or error}") from error
        except KeyboardInterrupt as error:
            raise Stopped(ctx.invoked_subcommand) from error
        if not (ctx.params["quiet"] or "DVC_STAGE" in os.environ):  # DVC goes on by itself
            click.echo(f"next: {ctx.obj or _NEXT[ctx.invoked_subcommand]}", err=True)
        return result


class Stopped(click.ClickException):
    """Ctrl-C: one line, and the exit status of shells."""

    exit_code = 130

    def __init__(self, command: str) -> None:
        trains = command in ("train", "compare")
        goes_on = "; the same command goes on after the last finished epoch" if trains else ""
        super().__init__(f"stopped{goes_on}")

    def show(self, file: Any = None) -> None:
        """Print it; it is no error."""
        click.echo(self.message, err=True)


class FoldChoice(click.ParamType):
    """A fold's index or ``all``."""

    name = "K|all"

    def convert(self, value, param, ctx):
        """Return an int, or "all"."""
        if value == "all" or isinstance(value, int):
            return value
        if not value.isdecimal():
            self.fail(f"expected a fold's index or all, got {value!r}", param, ctx)
        return int(value)


def _project() -> tuple[Params, Paths]:
    from pipeline.competitions.spec import load_spec
    from pipeline.params import load_params

    paths = Paths(Path())
    if not paths.params.exists():
        raise InputError(f"{paths.params}: no such file here; run: pipeline init COMPETITION")
    params = load_params(paths.params)
    load_spec(params.competition)  # a typo is told by every command
    return params, paths


def _start_keras() -> None:
    from pipeline.runtime import start_keras

    start_keras()


def _folds(params: Params, fold: int | str) -> list[int]:
    return list(params.folds.indices) if fold == "all" else [fold]


def on_ray(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of work on a Ray cluster."""

    def check(on: str | None, cpus: float | None, gpus: float | None, **others: Any) -> None:
        if on is None and (cpus, gpus) != (None, None):
            raise click.UsageError("expected --cpus and --gpus with --on ray")
        command(on=on, cpus=cpus, gpus=gpus, **others)

    amount = click.FloatRange(min=0)
    for option in (
        click.option("--gpus", type=amount, metavar="N", help="Of each of them, on Ray."),
        click.option("--cpus", type=amount, metavar="N", help="Of each process, on Ray."),
        click.option("--on", type=click.Choice(["ray"]), help="The cluster at RAY_ADDRESS."),
    ):
        check = option(check)
    return update_wrapper(check, command)


def _print(*parts: str | Table) -> None:
    """Print what a stage returned; tables are drawn where a person sees them."""
    for part in parts:
        if isinstance(part, str) or not sys.stdout.isatty():
            click.echo(str(part))
        else:
            part.draw()


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog='Completion: eval "$(_PIPELINE_COMPLETE=bash_source pipeline)", or zsh_, fish_source.',
)
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
@click.version_option(package_name="binary-mask-pipeline")
@click.pass_context
def main(ctx: click.Context, quiet: bool) -> None:
    """From raw frames to submission.csv, in the folder that holds params.yaml.

    `dvc repro` runs every stage that is out of date; each is also a command here.
    """
    if quiet:
        from pipeline.progress import without_progress

        ctx.with_resource(redirect_stdout(io.StringIO()))
        ctx.with_resource(without_progress())


@main.command()
@click.argument("competition", required=False)
@click.option("--data", metavar="DIR", help="Folder of the raw files.")
@click.option("--device", type=click.Choice(["cpu", "gpu"]), help="Size the parameters for it.")
@click.option("--network", metavar="NAME", help="keras-fcn or extended-fcn, as published.")
def init(
    competition: str | None, data: str | None, device: str | None, network: str | None
) -> None:
    """Write params.yaml for COMPETITION: a name or your own spec's .yaml file.

    Without COMPETITION list the names.
    """
    from pipeline.stages import init as stage

    if competition is None:
        _print(stage.list_competitions())
        click.get_current_context().find_root().obj = "pipeline init NAME"
        return
    click.echo(stage.run(Paths(Path()), competition, data_dir=data, device=device, network=network))


@main.command()
@click.option("--force", is_flag=True, help="Replace what lies in data_dir.")
def download(force: bool) -> None:
    """Get the raw files from Kaggle, or from the archive that the spec names."""
    from pipeline.stages import download as stage

    click.echo(stage.run(*_project(), force=force))


@main.command()
def sample() -> None:
    """Make the embedded data set."""
    from pipeline.stages import sample as stage

    click.echo(stage.run(*_project()))


@main.command()
def preprocess() -> None:
    """Decode, check and resize every frame."""
    from pipeline.stages import preprocess as stage

    click.echo(stage.run(*_project()))


@main.command()
def folds() -> None:
    """Assign validation folds that share no subject."""
    from pipeline.stages import folds as stage

    click.echo(stage.run(*_project()))


@main.command()
def weights() -> None:
    """Get the pretrained weights of the encoder."""
    from pipeline.stages import weights as stage

    click.echo(stage.run(*_project()))


@main.command()
@click.option("--fold", type=FoldChoice(), default="all", show_default=True)
@click.option("--restart", is_flag=True, help="Start anew; a killed training is not continued.")
@on_ray
def train(fold: int | str, restart: bool, **where: Any) -> None:
    """Train one fold's network, or all; a killed training goes on by itself.

    Folds are trained in turn, or where there are several GPUs, one on each at a time.
    """
    from pipeline.stages import train_folds as stage

    params, paths = _project()
    for line in stage.run(params, paths, _folds(params, fold), restart=restart, **where):
        click.echo(line)


@main.command()
def tune() -> None:
    """Choose the cut-offs on the out-of-fold maps."""
    from pipeline.stages import tune as stage

    click.echo(stage.run(*_project()))


@main.command()
@click.option("--fold", type=FoldChoice(), default="all", show_default=True)
@click.option("--images", type=FILE, metavar="FOLDER", help="Write masks for these instead.")
@click.option("--out", type=FILE, metavar="FOLDER", help="Of the masks, PNG of 0 and 255.")
@on_ray
def predict(
    fold: int | str, images: Path | None, out: Path | None, on: str | None, **resources: Any
) -> None:
    """Predict the test frames, or any images, with one fold's model or all."""
    if (images is None) != (out is None):
        raise click.UsageError("expected --images and --out together")
    if on and images:
        raise click.UsageError("expected --on ray or --images, not both")
    params, paths = _project()
    folds = _folds(params, fold)
    if on:
        from pipeline.stages import predict_shards

        for line in predict_shards.run(params, paths, folds, **resources):
            click.echo(line)
        return
    _start_keras()
    if images is not None:
        from pipeline.stages import predict_folder

        click.echo(predict_folder.run(params, paths, folds, images, out))
        return
    from pipeline.stages import predict as stage

    click.echo(stage.run(params, paths, folds))


@main.command()
def submit() -> None:
    """Write and check submissions/submission.csv."""
    from pipeline.stages import submit as stage

    click.echo(stage.run(*_project()))


@main.command()
@click.option("--fold", type=FoldChoice(), default="all", show_default=True)
@click.option("--to", type=click.Choice(["saved_model", "onnx"]), required=True)
@click.option("--out", type=FILE, required=True, metavar="PATH", help="A folder, or ONNX file.")
def export(fold: int | str, to: str, out: Path) -> None:
    """Write the ensemble as one network for TensorFlow or ONNX."""
    params, paths = _project()
    _start_keras()
    from pipeline.stages import export as stage

    click.echo(stage.run(params, paths, _folds(params, fold), to, out))


@main.command()
@click.option("--out", type=FILE, required=True, metavar="FOLDER")
@click.option("--wheels", is_flag=True, help="With the wheels of all dependencies, over 1 GB.")
def bundle(out: Path, wheels: bool) -> None:
    """Pack what predicts without the internet into a folder."""
    params, paths = _project()
    _start_keras()
    from pipeline.stages import bundle as stage

    click.echo(stage.run(params, paths, out, wheels=wheels))


@main.command()
@click.option("--compare", is_flag=True, help="Set the projects PROJECT... beside this one.")
@click.argument("projects", metavar="[PROJECT]...", type=FILE, nargs=-1)
@click.option("--pictures", type=FILE, metavar="FOLDER", help="Write small pictures there alone.")
def report(compare: bool, projects: tuple[Path, ...], pictures: Path | None) -> None:
    """Write reports/index.html and test.html, pages to judge masks by looking.

    With --compare write reports/compare.html instead: headline numbers and curves of this project
    and of other project folders.
    """
    from pipeline.stages import report as stage

    if compare != bool(projects):
        raise click.UsageError("expected --compare and the folders of other projects, or neither")
    params, paths = _project()
    if compare:
        click.echo(stage.compare(params, paths, projects))
    elif pictures is not None:
        click.echo(stage.write_pictures(params, paths, pictures))
    else:
        click.echo(stage.run(params, paths))


@main.command()
@click.argument("submission", type=FILE)
def check(submission: Path) -> None:
    """Verify a submission's header, ids, order and every run."""
    from pipeline.stages import submit as stage

    click.echo(stage.check(*_project(), submission))


@main.command()
@click.argument("submission", type=FILE, required=False)
@click.argument("truth", type=FILE, required=False)
@click.option("--per-image", type=FILE, metavar="CSV", help="Write every image's score there.")
def score(submission: Path | None, truth: Path | None, per_image: Path | None) -> None:
    """Score SUBMISSION against TRUTH, a CSV of run lengths or a folder of masks.

    By default these are submissions/submission.csv and what the competition's spec names.
    """
    from pipeline.stages import score as stage

    click.echo(stage.run(*_project(), submission, truth, per_image=per_image))


@main.command()
@click.argument("first", type=FILE)
@click.argument("second", type=FILE)
@click.option("--pictures", type=click.IntRange(min=0), default=20, show_default=True)
def diff(first: Path, second: Path, pictures: int) -> None:
    """Say how far two submissions agree, and draw their largest changes."""
    from pipeline.stages import diff as stage

    click.echo(stage.run(*_project(), first, second, pictures=pictures))


@main.command()
@click.argument("submission", type=FILE)
@click.option("--count", type=click.IntRange(min=1), default=20, show_default=True)
@click.option("--out", type=FILE, metavar="PNG", help="Instead of reports/show.png.")
def show(submission: Path, count: int, out: Path | None) -> None:
    """Draw a submission's masks on the test frames."""
    from pipeline.stages import show as stage

    click.echo(stage.run(*_project(), submission, count=count, out=out))


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
    click.echo(stage.run(*_project(), submission, **options))


@main.command()
@click.option("--update", is_flag=True, help="Ask Kaggle for scores that came later.")
def ledger(update: bool) -> None:
    """Print the uploads; plot their nested score against the leaderboard."""
    from pipeline.stages import ledger as stage

    _print(*stage.run(*_project(), update=update))


@main.command()
@click.option("--pictures", type=click.IntRange(min=0), default=50, show_default=True)
def audit(pictures: int) -> None:
    """Check the raw files; look for frames of one scene and for leaks."""
    from pipeline.stages import audit as stage

    for found in stage.run(*_project(), pictures=pictures):
        click.echo(found)


@main.command()
def views() -> None:
    """Measure what each test-time-augmentation view is worth, out of fold."""
    params, paths = _project()
    _start_keras()
    from pipeline.stages import views as stage

    _print(*stage.run(params, paths))


@main.command()
@click.argument("runs", type=FILE, nargs=-1, required=True)
@click.option("--out", type=FILE, required=True, metavar="FOLDER", help="A new folder.")
@click.option("--weights", default="equal", show_default=True, help="equal, score, or 2,1,1.")
def ensemble(runs: tuple[Path, ...], out: Path, weights: str) -> None:
    """Average the maps of RUNS, finished project folders, into a new one."""
    from pipeline.stages import ensemble as stage

    click.echo(stage.run(runs, out, weights))


@main.command()
@click.argument("plan", type=FILE)
@click.option("--minutes", type=float, help="Start no training after; the next call goes on.")
@on_ray
def compare(plan: Path, minutes: float | None, **where: Any) -> None:
    """Train the experiments of PLAN, a YAML file, on the same folds and seeds."""
    if where["on"] and minutes is not None:
        raise click.UsageError("expected --minutes or --on ray, not both")
    params, paths = _project()
    _start_keras()
    from pipeline.stages import compare as stage

    _print(*stage.run(params, paths, plan, minutes=minutes, **where))
