"""Predictions of an ensemble over folds and views, in constant memory."""

import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import keras
import numpy as np
from scipy.special import expit, softmax

from pipeline.atomic import atomic_file
from pipeline.dataset.predictions import create_predictions, pack_predictions
from pipeline.errors import InputError
from pipeline.inference.views import VIEWS
from pipeline.runtime import jit_compile


def load_model(path: Path) -> keras.Model:
    """Load a trained network.

    Raises
    ------
    InputError
        There is none, or the file is damaged.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such model; run: pipeline train --fold {path.stem[4:]}")
    if not zipfile.is_zipfile(path):
        raise InputError(
            f"{path}: not a model that can be loaded: damaged or cut off;"
            f" run: pipeline train --fold {path.stem[4:]}"
        )
    try:
        model = keras.saving.load_model(path, compile=False)
    except (ValueError, OSError, KeyError, TypeError, zipfile.BadZipFile) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{path}: not a model that can be loaded: {reason}") from error
    if jit_compile() is False:
        model.jit_compile = False
    return model


def predict_batch(
    models: Sequence[keras.Model],
    frames: np.ndarray,
    *,
    views: Sequence[str],
    exclusive: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the means over models and views of foreground probability and presence.

    A network without a presence head is as sure of a frame's presence as of its surest pixel.

    Parameters
    ----------
    models : sequence of keras.Model
        Raw frames to logits, see `build_fcn`.
    frames : numpy.ndarray
        uint8, (N, H, W, C).
    views : sequence of str
        Names from `VIEWS`.
    exclusive : bool
        Whether a pixel has one class: then its probabilities sum to 1.

    Returns
    -------
    probability : numpy.ndarray
        float32, (N, H, W, classes), in [0, 1].
    presence : numpy.ndarray
        float32, (N, classes), in [0, 1].
    """
    total, presence = 0.0, 0.0
    for name in views:
        view = VIEWS[name]
        changed = np.ascontiguousarray(view.apply(frames), dtype=np.float32)
        for model in models:
            logits = model.predict_on_batch(changed)
            of_head = None
            if isinstance(logits, dict):
                logits, of_head = logits["mask"], expit(logits["presence"])
            probability = softmax(logits, axis=-1) if exclusive else expit(logits)
            total += view.invert(probability, frames.shape[1:3])
            presence += probability.max(axis=(1, 2)) if of_head is None else of_head
    count = len(views) * len(models)
    return total / count, presence / count


def write_predictions(
    path: Path,
    models: Sequence[keras.Model],
    images: np.ndarray,
    rows: np.ndarray,
    *,
    views: Sequence[str],
    batch_size: int,
    exclusive: bool = False,
    advance: Callable[[int], None] = lambda count: None,
) -> None:
    """Predict the frames of `rows` into a ``.npy`` file of `prediction_type`.

    Parameters
    ----------
    path : Path
        Replaced when the last frame is written.
    images : numpy.ndarray
        uint8, (N, H, W, C); a memory map.
    advance : callable
        Called with the number of frames after each batch.

    Raises
    ------
    OSError
        The disk is full. `path` is then as it was.
    """
    options = {"views": views, "exclusive": exclusive}
    with atomic_file(path) as beside:
        predictions = None
        for start in range(0, len(rows), batch_size):
            batch = rows[start : start + batch_size]
            predicted = pack_predictions(*predict_batch(models, images[batch], **options))
            if predictions is None:  # the first batch tells how many classes there are
                shape = predicted["prob_map"].shape[1:]
                predictions = create_predictions(beside, len(rows), shape)
            predictions[start : start + len(batch)] = predicted
            advance(len(batch))
        predictions.flush()
