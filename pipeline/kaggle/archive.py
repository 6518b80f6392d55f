"""A competition's files, by Kaggle's official client."""

import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from pipeline.errors import InputError
from pipeline.kaggle.client import explained

_SUFFIXES = (".zip", ".tar", ".gz", ".tgz")


def download_archive(client: Any, competition: str, folder: Path) -> Path:
    """Download the archive of a competition's files, or the rest of it.

    The client itself goes on where a cut connection or a killed call left the file, notes beside
    it which one it is, and doesn't download a finished one again.

    Parameters
    ----------
    client : KaggleApi
        From `open_client`.
    competition : str
        Its name in ``kaggle.com/competitions/NAME``.
    folder : Path
        Where the archive goes.

    Raises
    ------
    InputError
        The rules are not accepted, the name or the token is wrong, or the connection broke.
    """
    # The client shows its progress on both streams; stdout is for results.
    with explained(competition, offer="files"), redirect_stdout(sys.stderr):
        try:
            client.competition_download_files(
                competition, path=str(folder), quiet=not sys.stderr.isatty()
            )
        except ValueError as error:  # the file has another length than was announced
            for path in folder.glob(f"{competition}.*"):
                path.unlink()
            raise InputError(f"{competition}: {error}; discarded, try again") from error
    archives = [path for path in folder.glob(f"{competition}.*") if path.suffix in _SUFFIXES]
    if len(archives) != 1:
        found = sorted(path.name for path in folder.iterdir())
        raise InputError(f"{competition}: expected one archive from Kaggle, got {found}")
    return archives[0]
