"""The frames of a gallery: pictures in files, outlines as text."""

import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from pipeline.dataset.images import resize_image, resize_prob_map
from pipeline.parallel import map_ahead
from pipeline.report.outlines import outline_path

_LONGEST = 384  # pixels; larger frames are shrunk
_QUALITY = 80
_FAINTEST = 8  # of 255; a map without a surer pixel shows nothing
_LEVELS = 16  # apart: what the eye does not tell apart need not be stored
PROBABILITY = (204, 121, 167)  # Okabe and Ito's reddish purple, red, green, blue


PLACES = 36, 48  # height and width of the map of positions


class Shot(NamedTuple):
    """One frame and what was predicted on it.

    Attributes
    ----------
    image : numpy.ndarray
        uint8, (h, w, 1 or 3), red, green, blue.
    prob_map : numpy.ndarray
        uint8, (h', w'), 255 for probability 1.
    masks : mapping of str to numpy.ndarray
        bool, (H, W) each, at original size.
    """

    image: np.ndarray
    prob_map: np.ndarray
    masks: Mapping[str, np.ndarray]


class Drawn(NamedTuple):
    """What the page needs of a frame besides its picture.

    Attributes
    ----------
    outlines : dict of str to str
        SVG paths in pixels of the original, "" for an empty mask.
    areas : dict of str to int
        Pixels of the original.
    places : dict of str to numpy.ndarray
        uint8, `PLACES`: how much of each part of the frame the mask holds, 255 for all.
    has_map : bool
        Whether there is a picture of the probability.
    """

    outlines: dict[str, str]
    areas: dict[str, int]
    places: dict[str, np.ndarray]
    has_map: bool


def draw_frames(
    shots: Callable[[int], Shot],
    count: int,
    folder: Path,
    *,
    advance: Callable[[], None] = lambda: None,
) -> list[Drawn]:
    """Write ``ROW.jpg``, and ``ROW.png`` of the probability where there is any, on all cores.

    The pictures are named by number: a frame's id may hold what a file name can't.

    Parameters
    ----------
    shots : callable
        Returns the frame of a row, 0 to `count` - 1; called from many threads.
    folder : Path
        It exists and is empty.

    Raises
    ------
    OSError
        The disk is full.
    """

    def draw(row: int) -> Drawn:
        shot = shots(row)
        (folder / f"{row}.jpg").write_bytes(encode_image(shot.image))
        has_map = bool(shot.prob_map.max() >= _FAINTEST)
        if has_map:
            (folder / f"{row}.png").write_bytes(encode_map(shot.prob_map))
        advance()
        return Drawn(
            {name: outline_path(mask) for name, mask in shot.masks.items()},
            {name: int(np.count_nonzero(mask)) for name, mask in shot.masks.items()},
            {name: _cover(mask) for name, mask in shot.masks.items()},
            has_map,
        )

    cores = os.cpu_count() or 1
    with ThreadPoolExecutor(cores) as pool:
        return list(map_ahead(pool, draw, range(count), ahead=2 * cores))


def encode_image(image: np.ndarray) -> bytes:
    """Return a frame, uint8 (h, w, 1 or 3), as a small JPEG."""
    shown = resize_image(np.squeeze(image), *_shown_size(image.shape))
    if shown.ndim == 3:
        shown = cv2.cvtColor(shown, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", shown, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1].tobytes()


def encode_map(prob_map: np.ndarray) -> bytes:
    """Return a map, uint8 (h, w), as a PNG of one colour that is as opaque as it is probable."""
    shown = resize_prob_map(prob_map, *_shown_size(prob_map.shape))
    coloured = np.empty((*shown.shape, 4), np.uint8)
    coloured[..., :3] = PROBABILITY[::-1]
    coloured[..., 3] = np.rint(shown / _LEVELS) * (_LEVELS - 1)
    return cv2.imencode(".png", coloured, [cv2.IMWRITE_PNG_COMPRESSION, 3])[1].tobytes()


def _cover(mask: np.ndarray) -> np.ndarray:
    return cv2.resize(255 * mask.view(np.uint8), PLACES[::-1], interpolation=cv2.INTER_AREA)


def _shown_size(shape: tuple[int, ...]) -> tuple[int, int]:
    scale = min(1.0, _LONGEST / max(shape[:2]))
    return max(1, round(shape[0] * scale)), max(1, round(shape[1] * scale))
