"""Assign the validation folds."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from pipeline.atomic import write_text
from pipeline.dataset.folds import assign_folds
from pipeline.dataset.index import open_index
from pipeline.errors import InputError
from pipeline.params import Params
from pipeline.paths import Paths


def run(params: Params, paths: Paths) -> str:
    """Write the table of id and fold; return what was written."""
    index = open_index(paths.train_store)
    has_mask = index["area"].to_numpy() > 0
    count = len(params.folds.indices)
    folds = assign_folds(index["subject"].to_numpy(), has_mask, count=count, seed=params.seed)
    table = pd.DataFrame({"id": index["id"], "fold": folds})
    write_text(paths.folds, table.to_csv(index=False))
    empty = pd.Series(~has_mask).groupby(folds).mean()
    return f"{paths.folds}: {count} folds, {empty.min():.0%} to {empty.max():.0%} empty masks"


def check_folds(params: Params, folds: Iterable[int]) -> None:
    """Raise InputError unless each fold is one of ``folds.indices``."""
    for fold in folds:
        if fold not in params.folds.indices:
            raise InputError(f"fold: expected one of {list(params.folds.indices)}, got {fold}")


def read_folds(params: Params, paths: Paths, index: pd.DataFrame) -> np.ndarray:
    """Return each training frame's fold, int (N,).

    Raises
    ------
    InputError
        The table is missing, damaged, or made for other frames or another number of folds.
    """
    again = "run: pipeline folds"
    try:
        table = pd.read_csv(paths.folds, usecols=["id", "fold"], dtype={"id": str, "fold": int})
    except FileNotFoundError as error:
        raise InputError(f"{paths.folds}: no such file; {again}") from error
    except ValueError as error:
        raise InputError(f"{paths.folds}: damaged ({error}); {again}") from error
    if list(table["id"]) != list(index["id"]):
        raise InputError(f"{paths.folds}: expected the ids of {paths.train_store}; {again}")
    if set(table["fold"]) != set(params.folds.indices):
        raise InputError(
            f"{paths.folds}: expected folds {list(params.folds.indices)} (params.yaml),"
            f" got {sorted(set(table['fold']))}; {again}"
        )
    return table["fold"].to_numpy()
