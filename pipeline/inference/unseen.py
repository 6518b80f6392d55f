"""Masks of unseen files, as many and as good as the time allows."""

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import keras
import numpy as np

from pipeline.errors import InputError
from pipeline.inference.budget import Meter, Pace, Plan, batch_in_time, plan_members
from pipeline.inference.ensemble import Ensemble, Frame
from pipeline.inference.predict import predict_batch

_TIMED_FRAMES = 4


def measure_pace(model: keras.Model, shape: tuple[int, int, int]) -> Pace:
    """Return the pace of a network on black frames of `shape`, (H, W, C)."""
    frames = np.zeros((_TIMED_FRAMES, *shape), np.uint8)
    # The first two sizes of a batch trace the network anew each; a third doesn't.
    for count in (1, 2):
        predict_batch([model], frames[:count], views=["identity"])
    begin = time.monotonic()
    predict_batch([model], frames, views=["identity"])
    return Pace((time.monotonic() - begin) / _TIMED_FRAMES)


def masks_in_time(
    files: Sequence[Path],
    ensemble: Ensemble,
    *,
    batch_size: int,
    meter: Meter,
    seconds_left: Callable[[], float],
    on_bad_file: Callable[[InputError], None],
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[tuple[int, Plan, np.ndarray]]:
    """Yield the position of a file, what it was predicted by, and its masks, bool (H, W, K).

    Before each batch the part of the ensemble is chosen anew that suits the time left.

    Parameters
    ----------
    files : sequence of Path
        In the order of their worth: where time runs out the last ones are left out.
    ensemble : Ensemble
    batch_size : int
        Largest number of frames at once.
    meter : Meter
        Starts with a measured pace.
    seconds_left : callable
        Seconds until the end; infinity where there is none. Then every batch is predicted by the
        whole ensemble.
    on_bad_file : callable
        Called for each file that can't be decoded, which is left out.
    clock : callable
        Seconds.
    """
    folds, views = len(ensemble.models), len(ensemble.views)
    start = 0
    while start < len(files):
        begin = clock()
        seconds = seconds_left()
        plan = plan_members(seconds, len(files) - start, meter.pace, folds=folds, views=views)
        count = batch_in_time(seconds, plan, meter.pace, largest=batch_size)
        if count == 0:
            return
        frames = _read(ensemble, files, range(start, start + count), on_bad_file)
        predicting = 0.0
        if frames:
            before = clock()
            batch = list(frames.values())
            predicted = ensemble.predict(batch, folds=plan.folds, views=plan.views)
            predicting = clock() - before
            for position, prediction in zip(frames, predicted, strict=True):
                yield position, plan, ensemble.masks(prediction, frames[position])
        otherwise = clock() - begin - predicting
        if frames:
            members = plan.folds * plan.views
            meter.record(len(frames), members, predicting=predicting, otherwise=otherwise)
        start += count


def _read(
    ensemble: Ensemble,
    files: Sequence[Path],
    positions: range,
    on_bad_file: Callable[[InputError], None],
) -> dict[int, Frame]:
    frames = {}
    for position in positions:
        try:
            frames[position] = ensemble.read(files[position])
        except InputError as error:
            on_bad_file(error)
    return frames
