"""From out-of-fold maps to the tables that tuning searches."""

import multiprocessing
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np

from pipeline.dataset.images import resize_prob_map
from pipeline.masks import rle
from pipeline.masks.clean import confidence
from pipeline.masks.pieces import PIECE, fill_holes, list_pieces
from pipeline.masks.tables import Frames
from pipeline.parallel import map_ahead

_FRAMES_PER_PROCESS = 40  # fewer are tabulated before another process has started
_AT_ONCE = 16  # that one of them is given


class Predicted(NamedTuple):
    """An out-of-fold prediction beside its truth.

    Attributes
    ----------
    prob_map : numpy.ndarray
        uint8, (H, W), at network size.
    presence : float
        Probability that the frame has any foreground.
    shape : (int, int)
        Original height and width, pixels.
    rle : str
        The true mask at original size, columns first, from 1.
    """

    prob_map: np.ndarray
    presence: float
    shape: tuple[int, int]
    rle: str


def tabulate_frames(
    predictions: Iterable[Predicted],
    count: int,
    *,
    holes: bool = True,
    folder: Path | None = None,
    advance: Callable[[], None] = lambda: None,
) -> Frames:
    """Take the maps of `count` frames to original size and list their pieces, on all cores.

    Parameters
    ----------
    predictions : iterable of Predicted
        Taken one by one.
    count : int
        How many there are.
    holes : bool
        Without it none is filled, which takes less than half of the time: ``filled`` is then the
        same table as ``pieces``, for rules that don't fill holes.
    folder : Path, optional
        Where the tables of pieces lie while they are used, as files without a name; by default
        where the system keeps temporary files. They are larger than maps of network size.
    advance : callable
        Called after each frame.

    Raises
    ------
    OSError
        The disk is full.
    """
    true_areas, presence, confidences = [], [], []
    with (
        tempfile.TemporaryFile(dir=folder) as pieces,
        tempfile.TemporaryFile(dir=folder) as filled,
        _mapping(count) as map_frames,
    ):
        parts = map_frames(partial(_tabulate, holes=holes), predictions)
        for image, (of_map, of_filled, area, of_head, surest) in enumerate(parts):
            _append(pieces, of_map, image)
            if holes:
                _append(filled, of_filled, image)
            true_areas.append(area)
            presence.append(of_head)
            confidences.append(surest)
            advance()
        table = _map(pieces)
        return Frames(
            pieces=table,
            filled=_map(filled) if holes else table,
            true_areas=np.array(true_areas),
            presence=np.array(presence),
            confidence=np.array(confidences),
        )


def _append(file: IO[bytes], pieces: np.ndarray, image: int) -> None:
    pieces["image"] = image
    file.write(pieces.tobytes())


def _map(file: IO[bytes]) -> np.ndarray:
    """Return the pieces in a file, which goes when nobody uses them any more."""
    file.flush()
    if file.tell() == 0:  # nothing can be mapped
        return np.empty(0, PIECE)
    return np.memmap(file, PIECE, mode="r")


def _tabulate(frame: Predicted, *, holes: bool) -> tuple[np.ndarray, np.ndarray, int, float, float]:
    prob_map = resize_prob_map(frame.prob_map, *frame.shape)
    mask = rle.decode(frame.rle, frame.shape)
    pieces = list_pieces(prob_map, mask)
    without_holes = fill_holes(prob_map) if holes else prob_map
    filled = pieces if without_holes is prob_map else list_pieces(without_holes, mask)
    area = int(np.count_nonzero(mask))
    return pieces, filled, area, float(frame.presence), confidence(prob_map)


@contextmanager
def _mapping(count: int) -> Iterator[Callable[..., Iterable[Any]]]:
    """Yield `map`, or that of as many processes as pay."""
    processes = min(os.cpu_count() or 1, count // _FRAMES_PER_PROCESS)
    if processes < 2:
        yield map
        return
    # Not forked: a copy of a process with threads, such as TensorFlow's, may wait for ever.
    spawned = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=spawned) as pool:
        yield partial(map_ahead, pool, ahead=2 * processes, at_once=_AT_ONCE)
