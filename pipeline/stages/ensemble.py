"""Average the maps of several runs: other seeds, other networks, other sizes."""

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from ruamel.yaml import YAML

from pipeline.atomic import atomic_folder
from pipeline.competitions.spec import load_spec
from pipeline.dataset.images import resize_prob_map
from pipeline.dataset.index import open_index, open_masks
from pipeline.dataset.predictions import (
    create_predictions,
    mean_predictions,
    open_predictions,
    prediction_type,
)
from pipeline.errors import InputError
from pipeline.params import Params, load_params
from pipeline.paths import Paths
from pipeline.progress import progress_bar
from pipeline.stages.folds import read_folds
from pipeline.stages.submit import map_shape


class Run(NamedTuple):
    """A project whose folds are trained and whose test frames are predicted."""

    params: Params
    paths: Paths
    train: pd.DataFrame
    test: pd.DataFrame
    folds: np.ndarray

    @property
    def shape(self) -> tuple[int, int, int]:
        """Classes, height and width of the maps."""
        return map_shape(self.params, load_spec(self.params.competition))


def run(roots: Sequence[Path], out: Path, weights: str) -> str:
    """Write a project with the weighted mean of the runs' maps; return what was written.

    The folds are the first run's. Whatever the folds of another run, its map of a frame is by a
    network that did not see it.

    Parameters
    ----------
    roots : sequence of Path
        Project folders, each with its `params.yaml`.
    out : Path
        A new folder, in which `pipeline tune` and `pipeline submit` go on.
    weights : str
        ``equal``, ``score`` (by how far a run's nested Dice is above that of empty masks) or
        numbers such as ``2,1``.

    Raises
    ------
    InputError
        `out` is in use, a run is not finished, or the runs are of different frames.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out}: expected a new or empty folder")
    runs = [_open_run(root) for root in roots]
    first = runs[0]
    for other in runs[1:]:
        _check_same_frames(first, other)
    shares = _shares(weights, runs)
    with (
        atomic_folder(out) as folder,
        progress_bar("Predictions", len(first.train) + len(first.test)) as advance,
    ):
        target = Paths(folder)
        _write_project(first, target)
        oof = [_oof_predictions(run) for run in runs]
        for fold in first.params.folds.indices:
            ids = first.train["id"][first.folds == fold]
            _write_mean(target.oof(fold), ids, oof, shares, first.shape, advance)
        test = [_test_predictions(run) for run in runs]
        _write_mean(target.test_predictions, first.test["id"], test, shares, first.shape, advance)
    listed = ", ".join(f"{share:.3f} {root}" for share, root in zip(shares, roots, strict=True))
    return f"{out}: {listed}; run there: pipeline tune && pipeline submit"


def _open_run(root: Path) -> Run:
    paths = Paths(root)
    params = load_params(paths.params)
    spec = load_spec(params.competition)
    train, test = open_index(paths.train_store), open_index(paths.test_store)
    for name, masks in open_masks(paths.train_store, spec.classes).items():
        train[f"rle {name}"] = masks["rle"]
    return Run(params, paths, train, test, read_folds(params, paths, train))


def _check_same_frames(first: Run, other: Run) -> None:
    for name in ("train", "test"):
        given = {"subject", "area", "contradicts"}
        tables = [
            getattr(run, name).drop(columns=given, errors="ignore").set_index("id").sort_index()
            for run in (first, other)
        ]
        if list(tables[0]) != list(tables[1]):
            raise InputError(
                f"{other.paths.root}: expected the classes of {first.paths.root}, got others"
            )
        if not tables[0].equals(tables[1]):
            raise InputError(
                f"{other.paths.root}: expected the {name} frames of {first.paths.root},"
                f" got {_difference(*tables)}"
            )


def _difference(expected: pd.DataFrame, got: pd.DataFrame) -> str:
    if not expected.index.equals(got.index):
        differing = sorted(set(expected.index) ^ set(got.index))
        return f"{len(got)} frames instead of {len(expected)}, such as {differing[0]}"
    changed = expected.index[(expected != got).any(axis=1)]
    return f"another size or mask of {changed[0]}"


def _shares(weights: str, runs: Sequence[Run]) -> np.ndarray:
    if weights == "equal":
        values = np.ones(len(runs))
    elif weights == "score":
        values = np.array([_gain_over_empty(run.paths.metrics) for run in runs])
        if not values.any():
            raise InputError(
                "weights: no run's nested score is above that of empty masks; use equal or numbers"
            )
    else:
        try:
            values = np.array([float(part) for part in weights.split(",")])
        except ValueError as error:
            raise InputError(
                f"weights: expected equal, score or numbers, got {weights!r}"
            ) from error
        if len(values) != len(runs):
            raise InputError(f"weights: expected {len(runs)} numbers, got {weights!r}")
    if not np.isfinite(values).all() or (values < 0).any() or values.sum() == 0:
        raise InputError(
            f"weights: expected numbers from 0 on and one above, got {values.tolist()}"
        )
    return values / values.sum()


def _gain_over_empty(path: Path) -> float:
    try:
        scores = json.loads(path.read_text(encoding="utf-8"))
        return max(0.0, scores["nested_score"] - scores["all_empty_score"])
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file; run there: pipeline tune") from error
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: damaged ({error!r}); run there: pipeline tune") from error


def _oof_predictions(run: Run) -> dict[str, np.ndarray]:
    """Return the prediction of each training frame by id, in memory maps."""
    predictions = {}
    for fold in run.params.folds.indices:
        ids = run.train["id"][run.folds == fold]
        command = f"pipeline train --fold {fold}"
        file = run.paths.oof(fold)
        of_fold = open_predictions(file, count=len(ids), shape=run.shape, command=command)
        predictions |= dict(zip(ids, of_fold, strict=True))
    return predictions


def _test_predictions(run: Run) -> dict[str, np.ndarray]:
    predictions = open_predictions(
        run.paths.test_predictions,
        count=len(run.test),
        shape=run.shape,
        command="pipeline predict --fold all",
    )
    return dict(zip(run.test["id"], predictions, strict=True))


def _write_mean(
    path: Path,
    ids: pd.Series,
    by_run: Sequence[dict[str, np.ndarray]],
    shares: np.ndarray,
    shape: tuple[int, int, int],
    advance: Callable[[], None],
) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    means = create_predictions(path, len(ids), shape)
    for row, frame_id in enumerate(ids):
        members = [_resize(predictions[frame_id], shape) for predictions in by_run]
        means[row] = mean_predictions(members, shares)[0]
        advance()
    means.flush()


def _resize(prediction: np.void, shape: tuple[int, int, int]) -> np.ndarray:
    resized = np.empty(1, prediction_type(*shape))
    resized["prob_map"] = [resize_prob_map(one, *shape[1:]) for one in prediction["prob_map"]]
    resized["presence"] = prediction["presence"]
    return resized


def _write_project(first: Run, target: Paths) -> None:
    """Copy what tuning and submitting read; paths in params.yaml become absolute."""
    yaml = YAML()
    values = yaml.load(first.paths.params)
    root = first.paths.root.resolve()
    values["data_dir"] = str(root / first.params.data_dir)
    if first.params.competition.endswith((".yaml", ".yml")):
        values["competition"] = str(root / first.params.competition)
    yaml.dump(values, target.params)
    target.folds.parent.mkdir(parents=True)
    shutil.copy(first.paths.folds, target.folds)
    for name in ("train_store", "test_store"):
        store, copied = getattr(first.paths, name), getattr(target, name)
        copied.mkdir(parents=True)
        for file in ("index.csv", "size.json", "masks.csv", "objects.csv"):
            if (store / file).exists():
                shutil.copy(store / file, copied / file)
