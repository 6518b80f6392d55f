"""The commands that set up a project and run its stages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from pipeline.cli.group import main
from pipeline.cli.options import (
    FILE,
    FoldChoice,
    folds_of,
    go_on_with,
    on_ray,
    open_project,
    print_parts,
    start_keras,
)
from pipeline.paths import Paths


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
        print_parts(stage.list_competitions())
        go_on_with("pipeline init NAME")
        return
    paths = Paths(Path())
    click.echo(stage.run(paths, competition, data_dir=data, device=device, network=network))
    go_on_with(stage.next_command(paths))


@main.command()
@click.option("--force", is_flag=True, help="Replace what lies in data_dir.")
def download(force: bool) -> None:
    """Get the raw files from Kaggle, or from the archive that the spec names."""
    from pipeline.stages import download as stage

    click.echo(stage.run(*open_project(), force=force))


@main.command()
def sample() -> None:
    """Make the embedded data set."""
    from pipeline.stages import sample as stage

    click.echo(stage.run(*open_project()))


@main.command()
def preprocess() -> None:
    """Decode, check and resize every frame."""
    from pipeline.stages import preprocess as stage

    click.echo(stage.run(*open_project()))


@main.command()
def folds() -> None:
    """Assign validation folds that share no subject."""
    from pipeline.stages import folds as stage

    click.echo(stage.run(*open_project()))


@main.command()
def weights() -> None:
    """Get the pretrained weights of the encoder."""
    from pipeline.stages import weights as stage

    click.echo(stage.run(*open_project()))


@main.command()
@click.option("--fold", type=FoldChoice(), default="all", show_default=True)
@click.option("--restart", is_flag=True, help="Start anew; a killed training is not continued.")
@on_ray
def train(fold: int | str, restart: bool, **where: Any) -> None:
    """Train one fold's network, or all; a killed training goes on by itself.

    Folds are trained in turn, or where there are several GPUs, one on each at a time.
    """
    from pipeline.stages import train_folds as stage

    params, paths = open_project()
    for line in stage.run(params, paths, folds_of(params, fold), restart=restart, **where):
        click.echo(line)


@main.command()
def tune() -> None:
    """Choose the cut-offs on the out-of-fold maps."""
    from pipeline.stages import tune as stage

    click.echo(stage.run(*open_project()))


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
    params, paths = open_project()
    folds = folds_of(params, fold)
    if on:
        from pipeline.stages import predict_shards

        for line in predict_shards.run(params, paths, folds, **resources):
            click.echo(line)
        return
    start_keras()
    if images is not None:
        from pipeline.stages import predict_folder

        click.echo(predict_folder.run(params, paths, folds, images, out))
        go_on_with("")
        return
    from pipeline.stages import predict as stage

    click.echo(stage.run(params, paths, folds))


@main.command()
def submit() -> None:
    """Write and check submissions/submission.csv."""
    from pipeline.stages import submit as stage

    click.echo(stage.run(*open_project()))


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
    params, paths = open_project()
    if compare:
        click.echo(stage.compare(params, paths, projects))
    elif pictures is not None:
        click.echo(stage.write_pictures(params, paths, pictures))
    else:
        click.echo(stage.run(params, paths))
        if not paths.submission.exists():
            go_on_with("pipeline predict")
