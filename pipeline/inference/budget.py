"""How much of an ensemble the time allows: views go first, then folds, then frames."""

import math
from typing import NamedTuple

_SMALLEST_BATCH = 4


class Pace(NamedTuple):
    """Seconds per frame.

    Attributes
    ----------
    member : float
        One network in one view.
    frame : float
        Reading, cut-offs and writing, whatever the number of members.
    """

    member: float
    frame: float = 0.0


class Plan(NamedTuple):
    """How many folds in how many views, and for how many frames the time lasts."""

    folds: int
    views: int
    frames: int


def plan_members(seconds: float, frames: int, pace: Pace, *, folds: int, views: int) -> Plan:
    """Return the largest part of an ensemble that predicts all frames in time.

    All folds are kept as long as one view of each is affordable, since folds differ more than
    views do. Where even one fold in one view is too slow, the plan is for fewer frames.

    Parameters
    ----------
    seconds : float
        Left; infinite where there is no limit.
    frames : int
        Left.
    pace : Pace
        As measured.
    folds, views : int
        Of the whole ensemble.

    Examples
    --------
    >>> plan_members(60, 10, Pace(1), folds=5, views=2)
    Plan(folds=5, views=1, frames=10)
    >>> plan_members(30, 10, Pace(1), folds=5, views=2)
    Plan(folds=3, views=1, frames=10)
    >>> plan_members(6, 10, Pace(1), folds=5, views=2)
    Plan(folds=1, views=1, frames=6)
    """
    steps = [(folds, count) for count in range(views, 0, -1)]
    steps += [(count, 1) for count in range(folds - 1, 0, -1)]
    for some_folds, some_views in steps:
        if frames * (pace.frame + some_folds * some_views * pace.member) <= seconds:
            return Plan(some_folds, some_views, frames)
    # Not even the last step fits, so the time is finite and the pace above zero.
    return Plan(1, 1, max(0, math.floor(seconds / (pace.frame + pace.member))))


def batch_in_time(seconds: float, plan: Plan, pace: Pace, *, largest: int) -> int:
    """Return how many frames to predict before the plan is made anew.

    They take a tenth of the time left, so that a pace that was wrong is found out in time, but
    are not fewer than four, which would slow the networks down.

    Parameters
    ----------
    seconds : float
        Left; infinite where there is no limit.
    plan : Plan
    pace : Pace
        As measured.
    largest : int
        Frames.

    Examples
    --------
    >>> batch_in_time(200, Plan(5, 1, 30), Pace(1), largest=16)
    4
    >>> batch_in_time(600, Plan(5, 1, 30), Pace(1), largest=16)
    12
    """
    largest = min(largest, plan.frames)
    if math.isinf(seconds):
        return largest
    cost = pace.frame + plan.folds * plan.views * pace.member
    return min(largest, max(_SMALLEST_BATCH, math.floor(seconds / 10 / cost)))


class Meter:
    """Measures the pace of batches.

    Parameters
    ----------
    pace : Pace
        What to go by before the first batch.
    """

    def __init__(self, pace: Pace) -> None:
        self.pace = pace
        self._work = self._work_seconds = self._frames = self._frame_seconds = 0.0

    def record(self, frames: int, members: int, *, predicting: float, otherwise: float) -> None:
        """Take in a batch: seconds of the networks, and of all else.

        The pace becomes the mean of all batches or that of this one, whichever is slower: a
        machine that slows down is noticed at once, one lucky batch does not count.
        """
        self._work += frames * members
        self._work_seconds += predicting
        self._frames += frames
        self._frame_seconds += otherwise
        self.pace = Pace(
            member=max(predicting / (frames * members), self._work_seconds / self._work),
            frame=max(otherwise / frames, self._frame_seconds / self._frames),
        )
