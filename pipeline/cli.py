"""The command line: check the arguments, call one stage, print its result."""

from pathlib import Path

import click

from pipeline.competitions.spec import load_spec
from pipeline.errors import InputError
from pipeline.params import Params, load_params
from pipeline.paths import Paths
from pipeline.runtime import start_keras

FILE = click.Path(path_type=Path)


class Commands(click.Group):
    """Commands in the order of the work; what a user can put right is one line, exit status 1."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names as they were added."""
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> object:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except InputError as error:
            raise click.ClickException(str(error)) from error
        except OSError as error:  # a full disk, a folder without permission
            where = f"{error.filename}: " if error.filename else ""
            raise click.ClickException(f"{where}{error.strerror or error}") from error


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
    paths = Paths(Path())
    if not paths.params.exists():
        raise InputError(f"{paths.params}: no such file here; run: pipeline init COMPETITION")
    params = load_params(paths.params)
    load_spec(params.competition)  # a typo is told by every command
    return params, paths


def _folds(params: Params, fold: int | str) -> list[int]:
    return list(params.folds.indices) if fold == "all" else [fold]


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="binary-mask-pipeline")
def main() -> None:
    """From raw frames to submission.csv, in the folder that holds params.yaml.

    `dvc repro` runs every stage that is out of date; each is also a command here.
    """


@main.command()
@click.argument("competition")
@click.option("--data", metavar="DIR", help="Folder of the raw files.")
@click.option("--device", type=click.Choice(["cpu", "gpu"]), help="Size the parameters for it.")
@click.option("--network", metavar="NAME", help="keras-fcn or extended-fcn, as published.")
def init(competition: str, data: str | None, device: str | None, network: str | None) -> None:
    """Write params.yaml for COMPETITION: a name or your own spec's .yaml file."""
    from pipeline.stages import init as stage

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
def train(fold: int | str, restart: bool) -> None:
    """Train one fold's network, or all in turn; a killed training goes on by itself."""
    params, paths = _project()
    start_keras()
    from pipeline.stages import train as stage

    for index in _folds(params, fold):
        click.echo(stage.run(params, paths, index, restart=restart))


@main.command()
def tune() -> None:
    """Choose the cut-offs on the out-of-fold maps."""
    from pipeline.stages import tune as stage

    click.echo(stage.run(*_project()))


@main.command()
@click.option("--fold", type=FoldChoice(), default="all", show_default=True)
@click.option("--images", type=FILE, metavar="FOLDER", help="Write masks for these instead.")
@click.option("--out", type=FILE, metavar="FOLDER", help="Of the masks, PNG of 0 and 255.")
def predict(fold: int | str, images: Path | None, out: Path | None) -> None:
    """Predict the test frames, or any images, with one fold's model or the mean of all."""
    if (images is None) != (out is None):
        raise click.UsageError("expected --images and --out together")
    params, paths = _project()
    start_keras()
    folds = _folds(params, fold)
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
    start_keras()
    from pipeline.stages import export as stage

    click.echo(stage.run(params, paths, _folds(params, fold), to, out))


@main.command()
@click.option("--out", type=FILE, required=True, metavar="FOLDER")
@click.option("--wheels", is_flag=True, help="With the wheels of all dependencies, over 1 GB.")
def bundle(out: Path, wheels: bool) -> None:
    """Pack networks, cut-offs, wheel and a script that predicts without the internet."""
    params, paths = _project()
    start_keras()
    from pipeline.stages import bundle as stage

    click.echo(stage.run(params, paths, out, wheels=wheels))


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

    click.echo(stage.run(*_project(), update=update))


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
    start_keras()
    from pipeline.stages import views as stage

    click.echo(stage.run(params, paths))


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
def compare(plan: Path, minutes: float | None) -> None:
    """Train the experiments of PLAN, a YAML file, on the same folds and seeds."""
    params, paths = _project()
    start_keras()
    from pipeline.stages import compare as stage

    click.echo(stage.run(params, paths, plan, minutes=minutes))
