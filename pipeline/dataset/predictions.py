"""Predictions of frames, a probability map at network size and presence: on disk, and as masks."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from pipeline.dataset.images import resize_prob_map
from pipeline.dataset.store import create_map
from pipeline.errors import InputError
from pipeline.masks.clean import Cutoffs, apply_cutoffs


def prediction_type(height: int, width: int) -> np.dtype:
    """Return the type of one frame's prediction.

    Its fields are ``prob_map``, uint8 (height, width), 255 for probability 1, and ``presence``,
    float32, the probability that the frame has any foreground.
    """
    return np.dtype([("prob_map", np.uint8, (height, width)), ("presence", np.float32)])


def create_predictions(path: Path, count: int, size: tuple[int, int]) -> np.memmap:
    """Create a ``.npy`` file of `count` predictions and map it into memory.

    Raises
    ------
    OSError
        The disk is full.
    """
    return create_map(path, (count,), prediction_type(*size))


def pack_predictions(probability: np.ndarray, presence: np.ndarray) -> np.ndarray:
    """Return predictions (N,) of probabilities float (N, H, W) and (N,), in [0, 1]."""
    packed = np.empty(len(probability), prediction_type(*probability.shape[1:]))
    packed["prob_map"] = np.rint(255 * probability)
    packed["presence"] = presence
    return packed


def mean_predictions(members: Sequence[np.ndarray], shares: Sequence[float]) -> np.ndarray:
    """Return the mean of predictions (N,) of the same frames; the shares sum to 1."""
    weighed = list(zip(members, shares, strict=True))
    return pack_predictions(
        sum(share * one["prob_map"].astype(np.float64) for one, share in weighed) / 255,
        sum(share * one["presence"] for one, share in weighed),
    )


def open_predictions(path: Path, *, count: int, size: tuple[int, int], command: str) -> np.memmap:
    """Open predictions and check that they are `count` ones of this size.

    Raises
    ------
    InputError
        They are missing, damaged, or other ones; names the `command` that makes them.
    """
    try:
        predictions = np.lib.format.open_memmap(path, mode="r")
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file; run: {command}") from error
    except (ValueError, EOFError) as error:
        raise InputError(f"{path}: damaged ({error}); run: {command}") from error
    names = predictions.dtype.names
    if names != ("prob_map", "presence"):
        raise InputError(
            f"{path}: expected prob_map and presence of each frame, got {predictions.dtype};"
            f" run: {command}"
        )
    expected, found = (count, *size), predictions["prob_map"].shape
    if found != expected or predictions.dtype != prediction_type(*size):
        raise InputError(
            f"{path}: expected maps of shape {expected}, as the frames now are, got {found};"
            f" run: {command}"
        )
    return predictions


def prediction_to_mask(
    prediction: np.void,
    size: tuple[int, int],
    cutoffs: Cutoffs,
    reshape: Callable[[np.ndarray], np.ndarray],
) -> np.ndarray:
    """Return the mask of one prediction at the frame's original size.

    Parameters
    ----------
    prediction : numpy.void
        Of `prediction_type`.
    size : tuple of int
        Height and width of the original, pixels.
    cutoffs : Cutoffs
        As tuned.
    reshape : callable
        The cut-offs' shape prior, see `make_shape_prior`.

    Returns
    -------
    numpy.ndarray
        bool, (height, width).
    """
    prob_map = resize_prob_map(reshape(prediction["prob_map"]), *size)
    return apply_cutoffs(prob_map, prediction["presence"], cutoffs)
