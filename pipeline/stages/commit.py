"""Enter in dvc.lock what was made outside of `dvc repro`, which then finds it up to date."""

import os
import subprocess
import sys
from collections.abc import Sequence

from pipeline.paths import Paths


def run(paths: Paths, stages: Sequence[str]) -> str | None:
    """Have DVC take the stages' files as they are; return what was done.

    Parameters
    ----------
    stages : sequence of str
        Names from ``dvc.yaml``, such as ``"train@0"``.

    Returns
    -------
    str or None
        None where DVC runs this command itself, or does not know the project. Where DVC refuses,
        as another process of it runs, the line says so: the files are complete all the same.
    """
    if "DVC_STAGE" in os.environ or not (paths.root / ".dvc").is_dir():
        return None
    if not (paths.root / "dvc.yaml").is_file():
        return None
    command = ["commit", "--force", "--quiet", *stages]
    done = subprocess.run(
        [sys.executable, "-m", "dvc", *command],
        cwd=paths.root,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[0]
        return f"dvc.lock: not changed: {reason}; run: dvc {' '.join(command)}"
    return f"dvc.lock: {', '.join(stages)} entered; dvc repro finds them up to date"
