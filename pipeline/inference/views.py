"""Test-time-augmentation views, each with its inverse."""

from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np

Size = tuple[int, int]
_SHIFT = 8  # pixels, a quarter of the coarsest stride


class View(NamedTuple):
    """A change of frames and its inverse on maps.

    Attributes
    ----------
    apply : callable
        Frames (N, H, W, C) to changed ones.
    invert : callable
        Maps of the changed frames, (N, h, w, K), and the frames' (H, W) to maps (N, H, W, K).
        Exact but for the scales, which interpolate.
    keeps_size : bool
        Whether changed frames have the size of the frames; else the network must take any size.
    """

    apply: Callable[[np.ndarray], np.ndarray]
    invert: Callable[[np.ndarray, Size], np.ndarray]
    keeps_size: bool = True


def _involution(transform: Callable[[np.ndarray], np.ndarray]) -> View:
    return View(transform, lambda maps, size: transform(maps))


def _quarter_turns(count: int) -> View:
    return View(
        lambda frames: np.rot90(frames, count, axes=(1, 2)),
        lambda maps, size: np.rot90(maps, -count, axes=(1, 2)),
        keeps_size=False,
    )


def _shift(pixels: int) -> View:
    """Shift down and right; what leaves the frame comes in on the other side."""
    return View(
        lambda frames: np.roll(frames, (pixels, pixels), axis=(1, 2)),
        lambda maps, size: np.roll(maps, (-pixels, -pixels), axis=(1, 2)),
    )


def _scale(factor: float) -> View:
    """Resize, and mirror the edges up to multiples of 32."""

    def scaled(size: Size) -> Size:
        return round(size[0] * factor), round(size[1] * factor)

    def apply(frames: np.ndarray) -> np.ndarray:
        height, width = scaled(frames.shape[1:3])
        padding = ((0, 0), (0, -height % 32), (0, -width % 32), (0, 0))
        return np.pad(_resize(frames, (height, width)), padding, mode="symmetric")

    def invert(maps: np.ndarray, size: Size) -> np.ndarray:
        height, width = scaled(size)
        return _resize(maps[:, :height, :width], size)

    return View(apply, invert, keeps_size=False)


def _resize(images: np.ndarray, size: Size) -> np.ndarray:
    # OpenCV drops the last axis of one channel.
    resized = [cv2.resize(image, size[::-1], interpolation=cv2.INTER_LINEAR) for image in images]
    return np.stack(resized).reshape(len(images), *size, images.shape[3])


VIEWS = {
    "identity": _involution(lambda frames: frames),
    "hflip": _involution(lambda frames: frames[:, :, ::-1]),
    "vflip": _involution(lambda frames: frames[:, ::-1]),
    "rot180": _involution(lambda frames: frames[:, ::-1, ::-1]),
    "rot90": _quarter_turns(1),
    "rot270": _quarter_turns(3),
    "shift": _shift(_SHIFT),
    "shift_back": _shift(-_SHIFT),
    "smaller": _scale(0.9),
    "larger": _scale(1.1),
}
