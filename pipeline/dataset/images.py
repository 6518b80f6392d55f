"""Frames and masks: read from files, checked, and resized to network size.

All functions may be called from many threads.
"""

from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from pipeline.dataset.arrays import Reading, decode_image, decode_raw
from pipeline.dataset.decode import decode_file
from pipeline.errors import InputError

Colour = tuple[int, int, int]


EIGHT_BITS = Reading()


class MaskValuesError(InputError):
    """A sound file whose pixels are not those of a binary mask."""


def read_image(
    path: Path | tuple[Path, ...], *, channels: int, reading: Reading = EIGHT_BITS
) -> np.ndarray:
    """Read one frame.

    Grey, colour, palette and 1-bit files are accepted in any mix. Alpha is dropped, not blended.
    An orientation in the EXIF data is left alone, as mask files carry none.

    Parameters
    ----------
    path : Path or tuple of Path
        TIFF (one page), PNG, JPEG, GIF or BMP (one frame), 8 bits per channel; of several files
        each is a channel.
    channels : {1, 3}
        1 turns colour into grey by its luma (0.299 R + 0.587 G + 0.114 B); 3 repeats grey.
    reading : Reading
        How deeper pixels are read.

    Returns
    -------
    ndarray of uint8, shape (H, W) or (H, W, 3)
        0 to 255; three channels stand in the order red, green, blue.

    Raises
    ------
    InputError
        The file is missing, damaged, cut off, no such image, or has more than 8 bits.
    """
    if channels not in (1, 3):
        raise ValueError(f"channels: expected 1 or 3, got {channels}")
    image = decode_image(path, reading) if isinstance(path, Path) else _stack(path, reading)
    if channels == 1 and image.ndim == 3:
        return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    if channels == 3 and image.ndim == 2:
        return cv2.cvtColor(image, cv2.COLOR_GRAY2RGB)
    return image


def read_frame(
    path: Path | tuple[Path, ...],
    *,
    height: int,
    width: int,
    channels: int,
    reading: Reading = EIGHT_BITS,
) -> tuple[np.ndarray, tuple[int, int]]:
    """Read one frame as the network sees it.

    Parameters
    ----------
    path, channels, reading
        As in `read_image`.
    height, width : int
        Network size, pixels.

    Returns
    -------
    frame : ndarray of uint8, shape (height, width, channels)
    size : tuple of int
        Height and width of the original, pixels.

    Raises
    ------
    InputError
        As in `read_image`.
    """
    image = read_image(path, channels=channels, reading=reading)
    return resize_image(image, height, width).reshape(height, width, channels), image.shape[:2]


def read_mask(path: Path, *, foreground: int | Colour | Literal["nonzero"]) -> np.ndarray:
    """Read one mask.

    Parameters
    ----------
    path : Path
        As in `read_image`.
    foreground : int, tuple of three ints or "nonzero"
        A grey value from 1 to 255: the file holds this value and 0, nothing else. A colour
        (red, green, blue): these pixels are foreground, other colours are other classes.
        "nonzero": every pixel that is not black, of files of any depth.

    Returns
    -------
    ndarray of bool, shape (H, W)

    Raises
    ------
    InputError
        As in `read_image`. `MaskValuesError`: a grey value is asked for and the file holds
        others; a colour is asked for and the file is grey, yet not empty.
    """
    if foreground == "nonzero":
        mask = decode_raw(path)
        return mask.any(axis=2) if mask.ndim == 3 else mask != 0
    mask = decode_file(path)
    if isinstance(foreground, int):
        return _grey_foreground(path, mask, foreground)
    if mask.ndim == 3:
        return (mask == np.array(foreground, np.uint8)).all(axis=2)
    if len(set(foreground)) > 1 and mask.any():
        raise MaskValuesError(
            f"{path}: expected a mask with the colour {foreground}, got a grey image"
        )
    return mask == foreground[0]


def resize_image(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize a frame: averaged over areas where it shrinks, bilinear where it grows.

    Averaging keeps speckle from aliasing; cubic growth would overshoot at edges.

    Parameters
    ----------
    image : ndarray of uint8, shape (h, w) or (h, w, 3)
    height, width : int
        The new size, pixels.

    Returns
    -------
    ndarray of uint8, shape (height, width) or (height, width, 3)
    """
    return _resize(image, height, width, growing=cv2.INTER_LINEAR)


def resize_mask(mask: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize a mask: a new pixel is foreground where at least half of its area was.

    Parameters
    ----------
    mask : ndarray of bool, shape (h, w)
    height, width : int
        The new size, pixels.

    Returns
    -------
    ndarray of bool, shape (height, width)
    """
    return _area_share(mask, height, width) >= 128  # 127.5, half of 255, was rounded up


def resize_masks(of_classes: np.ndarray, height: int, width: int, *, exclusive: bool) -> np.ndarray:
    """Resize the masks of several classes.

    Classes that may overlap are resized each by itself, as in `resize_mask`. Of exclusive ones a
    new pixel gets the class with the largest share of its area, of equal shares the first, and
    none (void) where the pixels without a class have more than each.

    Parameters
    ----------
    of_classes : ndarray of bool, shape (h, w, K)
    height, width : int
        The new size, pixels.
    exclusive : bool
        Whether no pixel has two classes.

    Returns
    -------
    ndarray of bool, shape (height, width, K)

    Examples
    --------
    >>> four = np.eye(4, dtype=bool).reshape(2, 2, 4)  # each pixel has its own class
    >>> resize_masks(four, 1, 1, exclusive=True)
    array([[[ True, False, False, False]]])
    >>> resize_masks(four, 1, 1, exclusive=False)
    array([[[False, False, False, False]]])
    """
    masks = np.moveaxis(of_classes, -1, 0)
    if not exclusive:
        return np.stack([resize_mask(mask, height, width) for mask in masks], axis=-1)
    void = ~of_classes.any(axis=-1)
    shares = np.stack([_area_share(mask, height, width) for mask in (*masks, void)])
    return shares.argmax(axis=0)[..., None] == np.arange(len(masks))


def resize_prob_map(prob_map: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize a stored probability map, as a rule from network size back to the original size.

    Bilinear, because then a contour crosses between two old pixels where their probabilities say,
    and no value leaves the range of its neighbours, as it does under cubic. Old and new pixel
    grids share their outer edges, not their first pixel centres (OpenCV's half-pixel centres), as
    in `resize_image`: a map that was shrunk and enlarged does not shift.

    Parameters
    ----------
    prob_map : ndarray of uint8, shape (h, w)
        Foreground probability, 0 to 255.
    height, width : int
        The new size, pixels.

    Returns
    -------
    ndarray of uint8, shape (height, width)
    """
    return _resize(prob_map, height, width, growing=cv2.INTER_LINEAR)


def _stack(paths: tuple[Path, ...], reading: Reading) -> np.ndarray:
    """Read grey files as the channels of one image, (H, W, number of files)."""
    channels = [decode_image(path, reading) for path in paths]
    for path, channel in zip(paths, channels, strict=True):
        if channel.shape != channels[0].shape[:2]:
            raise InputError(
                f"{path}: expected a grey image of the size of {paths[0]}"
                f" {channels[0].shape[:2]}, got {channel.shape}"
            )
    return np.stack(channels, axis=-1)


def _resize(image: np.ndarray, height: int, width: int, *, growing: int) -> np.ndarray:
    """Shrink first, then grow: INTER_AREA averages only where neither side grows."""
    smaller = min(image.shape[1], width), min(image.shape[0], height)
    shrunk = cv2.resize(image, smaller, interpolation=cv2.INTER_AREA)
    return cv2.resize(shrunk, (width, height), interpolation=growing)


def _area_share(mask: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return how much of each new pixel was foreground, uint8 (height, width), 0 to 255."""
    return _resize(mask.astype(np.uint8) * 255, height, width, growing=cv2.INTER_AREA)


def _grey_foreground(path: Path, mask: np.ndarray, foreground: int) -> np.ndarray:
    expected = f"{path}: expected a binary mask (0 and {foreground}), got"
    if mask.ndim == 3:
        if (mask != mask[..., :1]).any():
            raise MaskValuesError(f"{expected} a colour image")
        mask = mask[..., 0]
    is_foreground = mask == foreground
    if np.count_nonzero(mask != 0) != np.count_nonzero(is_foreground):
        levels = [str(level) for level in np.unique(mask)]
        shown = levels if len(levels) <= 5 else [*levels[:3], "...", levels[-1]]
        raise MaskValuesError(f"{expected} {len(levels)} grey levels ({', '.join(shown)})")
    return is_foreground
