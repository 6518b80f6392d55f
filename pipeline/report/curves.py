"""The learning curves of finished trainings, in a CSV file."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd

from pipeline.atomic import write_text
from pipeline.errors import InputError

_RUN = ["experiment", "seed", "fold"]
_KEY = [*_RUN, "fingerprint"]
_TYPES = {
    "epoch": int,
    "images": int,
    "seconds": float,
    "score": float,
    "experiment": str,
    "seed": int,
    "fold": int,
    "fingerprint": str,
}


class Curves:
    """A table of curves, with the experiment, seed, fold and fingerprint of each.

    Parameters
    ----------
    path : Path
        Need not be there yet.

    Raises
    ------
    InputError
        The file is no such table.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.of_runs = _read_curves(path)

    def has(self, key: Mapping[str, str | int]) -> bool:
        """Tell whether a run of the same data, parameters and code is there."""
        return bool(self.select([key]))

    def select(self, keys: Iterable[Mapping[str, str | int]]) -> list[pd.DataFrame]:
        """Return the curves of these runs that are there, in the file's order."""
        wanted = list(keys)
        return [curve for curve in self.of_runs if curve[_KEY].iloc[0].to_dict() in wanted]

    def add(self, key: Mapping[str, str | int], curve: pd.DataFrame) -> None:
        """Write the file with a run's curve, in place of an outdated one."""
        run = [key[name] for name in _RUN]
        self.of_runs = [c for c in self.of_runs if c[_RUN].iloc[0].tolist() != run]
        self.of_runs.append(curve.assign(**key))
        text = pd.concat(self.of_runs).to_csv(index=False, float_format="%.5f")
        write_text(self.path, text)


def _read_curves(path: Path) -> list[pd.DataFrame]:
    """Return the curve of each finished run."""
    if not path.exists():
        return []
    try:
        # An experiment may be called NA or None; a score alone may be missing.
        table = pd.read_csv(path, dtype=_TYPES, keep_default_na=False, na_values={"score": [""]})
    except ValueError as error:
        raise InputError(f"{path}: not a CSV file: {error}") from error
    if list(table) != list(_TYPES):
        raise InputError(f"{path}: expected the columns {list(_TYPES)}, got {list(table)}")
    return [curve for _, curve in table.groupby(_KEY, sort=False)]
