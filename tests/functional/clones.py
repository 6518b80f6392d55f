"""Clones of the repository, in which the real DVC runs."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.functional.projects import REPOSITORY

ENVIRONMENT = os.environ | {
    # `dvc` and `pipeline` of the Python that runs the tests
    "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
}


def run(folder, command, **environment):
    """Run a command in a folder, see that it succeeds, and return what it prints."""
    done = subprocess.run(
        command.split(),
        cwd=folder,
        env=ENVIRONMENT | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, f"{command}: exit status {done.returncode}\n{done.stdout}"
    return done.stdout


def stages_that_run(output):
    """Return the stages that `dvc repro` says it ran."""
    return re.findall(r"^Running stage '(.+)':$", output, re.MULTILINE)


def commit(folder, message):
    run(folder, "git add --all")
    run(folder, f"git commit -q -m {message}")


def clone_repository(folder):
    """Copy what git knows, and new files that it does not ignore; start a history there."""
    listed = run(REPOSITORY, "git ls-files --cached --others --exclude-standard")
    for path in map(Path, listed.splitlines()):
        if (REPOSITORY / path).is_file():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(REPOSITORY / path, folder / path)
    run(folder, "git init -q")
    run(folder, "git config user.name test")
    run(folder, "git config user.email test@localhost")
