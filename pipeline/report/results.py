"""What the stages wrote under reports/, read back."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.errors import InputError
from pipeline.masks.clean import Cutoffs

_AGAIN = "run: pipeline tune"
_HEADLINE = (
    "images",
    "nested_score",
    "nested_score_low",
    "nested_score_high",
    "metric",
    "cutoffs",
    "folds",
)
_TEXT = {"id": str, "subject": str, "contradicts": str, "rule": str, "view": str, "class": str}


def read_metrics(path: Path) -> dict[str, Any]:
    """Read the scores that `pipeline tune` wrote.

    Raises
    ------
    InputError
        The file is missing or damaged, or lacks a score.
    """
    try:
        metrics = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file; {_AGAIN}") from error
    except ValueError as error:
        raise InputError(f"{path}: damaged ({error}); {_AGAIN}") from error
    missing = [name for name in _HEADLINE if not isinstance(metrics, dict) or name not in metrics]
    if missing:
        raise InputError(f"{path}: expected {', '.join(missing)} in it; {_AGAIN}")
    return metrics


def read_fold_cutoffs(
    metrics: Mapping[str, Any], path: Path, folds: Sequence[int], classes: Sequence[str]
) -> dict[int, dict[str, Cutoffs]]:
    """Return the cut-offs by fold and class, from metrics that were read from `path`.

    Raises
    ------
    InputError
        They are damaged, or of other folds.
    """
    try:
        found = {
            int(fold): {name: Cutoffs(**scores["cutoffs"][name]) for name in classes}
            for fold, scores in metrics["folds"].items()
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: damaged ({error!r}); {_AGAIN}") from error
    if set(found) != set(folds):
        raise InputError(f"{path}: expected folds {list(folds)}, got {sorted(found)}; {_AGAIN}")
    return found


def read_table(path: Path, columns: Sequence[str], *, command: str = _AGAIN) -> pd.DataFrame:
    """Read a CSV file and see that it has these columns.

    Raises
    ------
    InputError
        It is missing, damaged or of another form.
    """
    types = {name: kind for name, kind in _TEXT.items() if name in columns}
    try:
        table = pd.read_csv(path, dtype=types, keep_default_na=False)
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file; {command}") from error
    except ValueError as error:
        raise InputError(f"{path}: damaged ({error}); {command}") from error
    missing = [name for name in columns if name not in table]
    if missing:
        raise InputError(f"{path}: expected columns {', '.join(missing)}; {command}")
    return table


def read_training(folders: Mapping[str, Path]) -> pd.DataFrame:
    """Read the curves that trainings logged.

    Parameters
    ----------
    folders : mapping of str to Path
        Each run's, with its ``plots/metrics/{train,val}/MEASURE.tsv``. One without them is left
        out: the maps may come from elsewhere, as those of an ensemble do.

    Returns
    -------
    pandas.DataFrame
        Columns run, part, measure, epoch (from 1) and value.

    Raises
    ------
    InputError
        A file is damaged.
    """
    curves = []
    for run, folder in folders.items():
        for path in sorted((folder / "plots" / "metrics").glob("*/*.tsv")):
            try:
                table = pd.read_csv(path, sep="\t")
                epochs, values = table["step"].astype(int) + 1, table[path.stem].astype(float)
            except (ValueError, KeyError) as error:
                raise InputError(f"{path}: damaged ({error}); run: pipeline train") from error
            named = {"run": run, "part": path.parent.name, "measure": path.stem}
            curves.append(pd.DataFrame({**named, "epoch": epochs, "value": values}))
    columns = ["run", "part", "measure", "epoch", "value"]
    return pd.concat(curves, ignore_index=True) if curves else pd.DataFrame(columns=columns)
