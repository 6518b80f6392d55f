"""Predictions on disk: each frame's probability maps at network size, and its presence."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pipeline.dataset.store import create_map
from pipeline.errors import InputError


def prediction_type(classes: int, height: int, width: int) -> np.dtype:
    """Return the type of one frame's prediction.

    Its fields are ``prob_map``, uint8 (classes, height, width), 255 for probability 1, and
    ``presence``, float32 (classes,), the probability that the frame has any foreground.
    """
    shape = (classes, height, width)
    return np.dtype([("prob_map", np.uint8, shape), ("presence", np.float32, (classes,))])


def create_predictions(path: Path, count: int, shape: tuple[int, int, int]) -> np.memmap:
    """Create a ``.npy`` file of `count` predictions of `shape` and map it into memory.

    Raises
    ------
    OSError
        The disk is full.
    """
    return create_map(path, (count,), prediction_type(*shape))


def join_predictions(path: Path, parts: Sequence[Path]) -> None:
    """Create a ``.npy`` file of the predictions of several, one after the other.

    Parameters
    ----------
    path : Path
        Not one of the parts. Written to in place.
    parts : sequence of Path
        Files of predictions of one shape, at least one. No more than one is mapped at a time.

    Raises
    ------
    OSError
        The disk is full.
    """
    counts = [len(np.lib.format.open_memmap(part, mode="r")) for part in parts]
    shape = np.lib.format.open_memmap(parts[0], mode="r")["prob_map"].shape[1:]
    joined, start = create_predictions(path, sum(counts), shape), 0
    for part, count in zip(parts, counts, strict=True):
        joined[start : start + count] = np.lib.format.open_memmap(part, mode="r")
        start += count
    joined.flush()


def pack_predictions(probability: np.ndarray, presence: np.ndarray) -> np.ndarray:
    """Return predictions (N,) of probabilities float (N, H, W, classes) and (N, classes)."""
    of_classes = np.moveaxis(probability, -1, 1)
    packed = np.empty(len(probability), prediction_type(*of_classes.shape[1:]))
    packed["prob_map"] = np.rint(255 * of_classes)
    packed["presence"] = presence
    return packed


def mean_predictions(members: Sequence[np.ndarray], shares: Sequence[float]) -> np.ndarray:
    """Return the mean of predictions (N,) of the same frames; the shares sum to 1."""
    mean = np.empty_like(members[0])
    weighed = list(zip(members, shares, strict=True))
    mean["prob_map"] = np.rint(sum(s * one["prob_map"].astype(np.float64) for one, s in weighed))
    mean["presence"] = sum(share * one["presence"] for one, share in weighed)
    return mean


def open_predictions(
    path: Path, *, count: int, shape: tuple[int, int, int], command: str
) -> np.memmap:
    """Open predictions and check that they are `count` ones of (classes, height, width).

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
    expected, found = (count, *shape), predictions["prob_map"].shape
    if found != expected or predictions.dtype != prediction_type(*shape):
        raise InputError(
            f"{path}: expected maps of shape {expected}, as the frames now are, got {found};"
            f" run: {command}"
        )
    return predictions
