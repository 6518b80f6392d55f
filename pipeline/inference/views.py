"""Test-time-augmentation views, each with its exact inverse."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

Transform = Callable[[np.ndarray], np.ndarray]


class View(NamedTuple):
    """A change of frames (N, H, W, C) and its inverse on maps (N, H, W, C)."""

    apply: Transform
    invert: Transform


def _involution(transform: Transform) -> View:
    return View(transform, transform)


VIEWS = {
    "identity": _involution(lambda frames: frames),
    "hflip": _involution(lambda frames: frames[:, :, ::-1]),
    "vflip": _involution(lambda frames: frames[:, ::-1]),
    "rot180": _involution(lambda frames: frames[:, ::-1, ::-1]),
}
