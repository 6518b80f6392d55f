"""From out-of-fold maps to the tables that tuning searches."""

import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from pipeline.dataset.images import resize_prob_map
from pipeline.masks import rle
from pipeline.masks.clean import confidence
from pipeline.masks.pieces import fill_holes, list_pieces, stack_pieces
from pipeline.masks.search import Frames

_FRAMES_PER_PROCESS = 40  # fewer are tabulated before another process has started


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
    advance: Callable[[], None] = lambda: None,
) -> Frames:
    """Take the maps of `count` frames to original size and list their pieces, on all cores.

    Without `holes` none is filled, which takes less than half of the time: ``filled`` is then the
    same table as ``pieces``, for rules that don't fill holes.
    """
    parts = []
    with _mapping(count) as map_frames:
        for part in map_frames(partial(_tabulate, holes=holes), predictions):
            parts.append(part)
            advance()
    pieces, filled, true_areas, presence, confidence = zip(*parts, strict=True)
    return Frames(
        pieces=stack_pieces(pieces),
        filled=stack_pieces(filled),
        true_areas=np.array(true_areas),
        presence=np.array(presence),
        confidence=np.array(confidence),
    )


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
        yield lambda function, items: pool.map(function, items, chunksize=16)
