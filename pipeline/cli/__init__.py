"""The command line: check the arguments, call one stage, print its result.

What a command needs is imported when it runs: ``pipeline --help`` and completion wait for click.
"""

from pipeline.cli import stages, tools  # noqa: F401  their commands are added to `main`
from pipeline.cli.group import SECTIONS, main

__all__ = ["SECTIONS", "main"]
