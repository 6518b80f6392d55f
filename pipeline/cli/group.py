"""The commands as a whole: their order, their help, and what becomes of errors."""

from __future__ import annotations

import io
import os
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Any

import click

from pipeline.errors import InputError

if TYPE_CHECKING:
    from pipeline.competitions.spec import Spec

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
        after = _NEXT[ctx.invoked_subcommand] if ctx.obj is None else ctx.obj
        if "spec" in ctx.meta and after.startswith("pipeline upload"):
            after = _after_the_last(ctx.meta["spec"], ctx.invoked_subcommand)
        quiet = ctx.params["quiet"] or "DVC_STAGE" in os.environ  # DVC goes on by itself
        if after and not quiet:
            click.echo(f"next: {after}", err=True)
        return result


def _after_the_last(spec: Spec, command: str) -> str:
    """Return what comes after the submission: the upload, else its score where masks are known."""
    if spec.kaggle is not None:
        return "pipeline upload -m TEXT"
    return "" if spec.truth is None or command == "score" else "pipeline score"


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
