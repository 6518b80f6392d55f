import math

import numpy as np
import pytest

from pipeline.dataset.predictions import pack_predictions
from pipeline.errors import InputError
from pipeline.inference.budget import Meter, Pace, Plan
from pipeline.inference.ensemble import Frame
from pipeline.inference.unseen import masks_in_time


class Clock:
    """Time that passes only when something works."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


class Working:
    """Stands for an ensemble of three folds in two views; a member takes a second per frame."""

    models, views = [None] * 3, ["identity", "hflip"]

    def __init__(self, clock, *, speed=lambda now: 1.0):
        self._clock, self._speed = clock, speed
        self.batches = []

    def read(self, name):
        if name == "bad":
            raise InputError("bad: expected an 8-bit image")
        return Frame(np.zeros((2, 2, 1), np.uint8), (2, 2))

    def predict(self, frames, *, folds, views):
        self.batches.append((len(frames), folds, views))
        self._clock.now += len(frames) * folds * views / self._speed(self._clock.now)
        return pack_predictions(np.ones((len(frames), 2, 2, 3)), np.ones((len(frames), 3)))

    def masks(self, prediction, frame):
        return np.ones((*frame.size, 3), bool)


def run(files, *, budget=math.inf, batch_size=4, **options):
    clock = Clock()
    ensemble, faults = Working(clock, **options), []
    masks = masks_in_time(
        files,
        ensemble,
        batch_size=batch_size,
        meter=Meter(Pace(1.0)),
        seconds_left=lambda: budget - clock.now,
        on_bad_file=faults.append,
        clock=clock,
    )
    return list(masks), ensemble.batches, faults, clock.now


def test_masks_in_time_without_a_limit_all_members_predict_all_files():
    masks, batches, faults, _ = run(["a"] * 10)
    assert [position for position, _, _ in masks] == list(range(10))
    assert batches == [(4, 3, 2), (4, 3, 2), (2, 3, 2)]
    assert faults == []
    assert all(of_frame.shape == (2, 2, 3) and of_frame.all() for _, _, of_frame in masks)


@pytest.mark.parametrize(
    ("budget", "part"), [(60, (3, 2)), (59, (3, 1)), (30, (3, 1)), (29, (2, 1)), (10, (1, 1))]
)
def test_masks_in_time_starts_with_what_lasts_for_all(budget, part):
    masks, batches, _, seconds = run(["a"] * 10, budget=budget)
    assert batches[0][1:] == part
    assert masks[0][1] == Plan(*part, 10)
    assert len(masks) == 10
    assert seconds <= budget


def test_masks_in_time_what_time_remains_goes_to_the_last_frames():
    # At 39 seconds ten frames by three members take 30, so at some batch six members fit.
    _, batches, _, seconds = run(["a"] * 10, budget=39, batch_size=2)
    assert batches[0] == (2, 3, 1)
    assert batches[-1] == (2, 3, 2)
    assert seconds <= 39


def test_masks_in_time_a_machine_that_slows_down_sheds_members():
    masks, batches, _, seconds = run(
        ["a"] * 10, budget=70, batch_size=2, speed=lambda now: 1.0 if now < 20 else 0.5
    )
    assert batches[0] == (2, 3, 2)
    assert batches[-1][1] * batches[-1][2] < 6
    assert len(masks) == 10
    assert seconds <= 70


def test_masks_in_time_too_little_time_leaves_the_last_files_out():
    masks, batches, _, seconds = run(["a"] * 10, budget=6.5)
    assert [position for position, _, _ in masks] == list(range(6))
    assert batches == [(4, 1, 1), (2, 1, 1)]
    assert seconds == 6


def test_masks_in_time_no_time_predicts_nothing():
    assert run(["a"] * 10, budget=-1) == ([], [], [], 0)


def test_masks_in_time_file_that_cannot_be_decoded_is_left_out():
    masks, batches, faults, _ = run(["a", "bad", "a", "bad", "bad"], batch_size=3)
    assert [position for position, _, _ in masks] == [0, 2]
    assert batches == [(2, 3, 2)]
    assert [str(fault) for fault in faults] == ["bad: expected an 8-bit image"] * 3
