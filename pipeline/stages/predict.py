"""Predict the test frames with every fold's model."""

from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np

from pipeline.competitions.spec import load_spec
from pipeline.dataset.store import open_store
from pipeline.errors import InputError
from pipeline.inference.predict import load_model, write_predictions
from pipeline.models.outputs import count_classes
from pipeline.params import Params
from pipeline.paths import Paths
from pipeline.progress import progress_bar
from pipeline.stages.folds import check_folds


def run(params: Params, paths: Paths, folds: Sequence[int]) -> str:
    """Write the mean probability maps of these folds' models; return what was written."""
    check_folds(params, folds)
    store = open_store(paths.test_store, **params.preprocess.size)
    models = load_models(params, paths, folds)
    with progress_bar("Test frames", len(store.index)) as advance:
        write_predictions(
            paths.test_predictions,
            models,
            store.images,
            np.arange(len(store.index)),
            views=params.predict.views,
            batch_size=params.predict.batch_size,
            exclusive=load_spec(params.competition).exclusive,
            advance=advance,
        )
    return (
        f"{paths.test_predictions}: {len(store.index)} maps, mean of folds"
        f" {', '.join(map(str, folds))} and views {', '.join(params.predict.views)}"
    )


def load_models(params: Params, paths: Paths, folds: Sequence[int]) -> list[keras.Model]:
    """Load the networks of these folds.

    Raises
    ------
    InputError
        One is missing, damaged, or is for frames of other channels or for other classes.
    """
    classes = len(load_spec(params.competition).classes)
    return [_load_model_of(paths.model(fold), fold, params, classes) for fold in folds]


def _load_model_of(path: Path, fold: int, params: Params, classes: int) -> keras.Model:
    model = load_model(path)
    again = f"run: pipeline train --fold {fold}"
    expected, found = params.preprocess.channels, model.input_shape[-1]
    if found != expected:
        raise InputError(
            f"{path}: expected a model of {expected}-channel frames (params.yaml), got one of"
            f" {found}-channel frames; {again}"
        )
    if count_classes(model) != classes:
        raise InputError(
            f"{path}: expected a model of {classes} classes (the competition's spec), got one of"
            f" {count_classes(model)}; {again}"
        )
    return model
