"""Measure on out-of-fold frames what each test-time-augmentation view is worth."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.atomic import write_text
from pipeline.competitions.spec import load_spec
from pipeline.dataset.index import open_masks
from pipeline.dataset.out_of_fold import Predicted, tabulate_frames
from pipeline.dataset.predictions import (
    create_predictions,
    mean_predictions,
    pack_predictions,
)
from pipeline.dataset.store import Store, open_store
from pipeline.errors import InputError
from pipeline.inference.predict import load_model, predict_batch
from pipeline.masks.dice import dice_from_areas
from pipeline.masks.evaluation import bootstrap_interval, tune_nested
from pipeline.params import Params, possible_views
from pipeline.paths import Paths
from pipeline.progress import progress_bar
from pipeline.report.table import Table
from pipeline.stages.folds import read_folds


def run(params: Params, paths: Paths) -> tuple[str | Table, ...]:
    """Predict every frame with its out-of-fold model in each view; return the gains as a table.

    A view's gain is that of its mean with identity over identity alone, in nested out-of-fold
    Dice, with a 95 % interval over subjects.
    """
    size, spec = params.preprocess, load_spec(params.competition)
    if spec.exclusive:
        raise InputError("views: exclusive classes are not tuned, so no gain can be measured")
    masks = open_masks(paths.train_store, spec.classes).values()
    names = possible_views(params.model.architecture, size.height, size.width)
    store = open_store(paths.train_store, **size.size)
    folds = read_folds(params, paths, store.index)
    with tempfile.TemporaryDirectory(dir=paths.processed.parent) as folder:
        predictions = _predict_views(params, paths, store, folds, names, Path(folder), len(masks))
        scored = [["identity"], params.predict.views]
        scored += [views for name in names[1:] for views in (["identity", name], [name])]
        dice = {}
        with progress_bar("Scores", len(scored) * len(folds) * len(masks)) as advance:
            for views in map(tuple, scored):
                members = [predictions[name] for name in views]
                dice[views] = np.mean(
                    [
                        _nested_dice(
                            members, number, of_class, folds, params, Path(folder), advance
                        )
                        for number, of_class in enumerate(masks)
                    ],
                    axis=0,
                )
        alone = dice["identity",]
    subjects = store.index["subject"].to_numpy()
    rows = []
    for name in names[1:]:
        gain = dice["identity", name] - alone
        low, high = bootstrap_interval(gain, subjects, seed=params.seed)
        rows.append((name, dice[name,].mean(), gain.mean(), low, high))
    table = pd.DataFrame(rows, columns=["view", "dice_alone", "gain", "gain_low", "gain_high"])
    table = table.sort_values("gain", ascending=False)
    write_text(paths.view_gains, table.to_csv(index=False, float_format="%.6f"))
    harmful = table["view"][table["gain"] < 0].tolist()
    configured = dice[params.predict.views].mean()
    return (
        f"identity: nested out-of-fold Dice {alone.mean():.4f};"
        f" {', '.join(params.predict.views)} (params.yaml): {configured:.4f}",
        Table(table, "+.4f"),
        f"harmful beside identity: {', '.join(harmful) or 'none'}",
    )


def _predict_views(
    params: Params,
    paths: Paths,
    store: Store,
    folds: np.ndarray,
    names: Sequence[str],
    folder: Path,
    classes: int,
) -> dict[str, np.ndarray]:
    """Return memory maps of predictions (N,), by view."""
    count, *size, _ = store.images.shape
    shape = (classes, *size)
    predictions = {name: create_predictions(folder / f"{name}.npy", count, shape) for name in names}
    models = {fold: load_model(paths.model(fold)) for fold in params.folds.indices}
    with progress_bar("Views", len(folds) * len(names)) as advance:
        for fold, model in models.items():
            rows = np.flatnonzero(folds == fold)
            for batch in np.array_split(rows, -(-len(rows) // params.predict.batch_size)):
                for name in names:
                    predicted = predict_batch([model], store.images[batch], views=[name])
                    predictions[name][batch] = pack_predictions(*predicted)
                    advance(len(batch))
    return predictions


def _nested_dice(
    members: Sequence[np.ndarray],
    class_index: int,
    masks: pd.DataFrame,
    folds: np.ndarray,
    params: Params,
    folder: Path,
    advance: Callable[[], None],
) -> np.ndarray:
    """Return each frame's nested Dice of one class with the mean of these predictions.

    Tables lie in `folder` meanwhile.
    """
    shares = [1 / len(members)] * len(members)

    def predictions() -> Iterator[Predicted]:
        for row, frame in enumerate(masks.itertuples()):
            mean = mean_predictions([one[row : row + 1] for one in members], shares)[0]
            prob_map, presence = mean["prob_map"][class_index], mean["presence"][class_index]
            yield Predicted(prob_map, presence, (frame.height, frame.width), frame.rle)

    holes = "holes" in params.tune.rules
    frames = tabulate_frames(predictions(), len(masks), holes=holes, folder=folder, advance=advance)
    nested = tune_nested({"none": frames}, folds, params.tune.rules)
    return dice_from_areas(nested.overlaps, frames.true_areas, nested.areas)
