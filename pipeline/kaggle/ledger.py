"""The ledger of uploads: what was handed in, made by what, and what it scored."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from pipeline.atomic import write_text
from pipeline.errors import InputError
from pipeline.kaggle.client import Result

# Kaggle's number of the submission finds its score; scores are blank until they are known.
COLUMNS = {
    "time": "string",  # UTC
    "competition": "string",
    "ref": "Int64",
    "sha256": "string",  # of the file
    "message": "string",  # one line
    "revision": "string",  # of git, "+dirty" where files had changed
    "params_sha256": "string",
    "nested_score": "Float64",
    "public_score": "Float64",
    "private_score": "Float64",
}


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file, as `sha256sum` prints it.

    Raises
    ------
    InputError
        The file can't be read.
    """
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise InputError(f"{path}: can't be read: {error.strerror}") from error


def read_ledger(path: Path) -> pd.DataFrame:
    """Return one row per upload, in the order of time, with `COLUMNS`; none where there is no file.

    Raises
    ------
    InputError
        The file is no such table.
    """
    try:
        table = pd.read_csv(path, dtype=COLUMNS, keep_default_na=False, na_values=[""])
    except FileNotFoundError:
        return pd.DataFrame(columns=list(COLUMNS)).astype(COLUMNS)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: can't be read as a ledger: {error}") from error
    if list(table) != list(COLUMNS):
        raise InputError(f"{path}: expected the columns {list(COLUMNS)}, got {list(table)}")
    return table


def append_upload(path: Path, upload: Mapping[str, object]) -> None:
    """Add one upload, which names every column that is not a score."""
    row = pd.DataFrame([upload], columns=list(COLUMNS)).astype(COLUMNS)
    _write(path, pd.concat([read_ledger(path), row]))


def enter_results(path: Path, competition: str, results: Mapping[int, Result]) -> None:
    """Fill in the scores that have become known, by Kaggle's numbers of the submissions."""
    table = read_ledger(path)
    for row in table.index[table["competition"] == competition]:
        result = results.get(table.at[row, "ref"])
        if result is not None:
            table.loc[row, ["public_score", "private_score"]] = result.public, result.private
    _write(path, table)


def _write(path: Path, table: pd.DataFrame) -> None:
    write_text(path, table.to_csv(index=False, float_format="%.6f"))
