import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.inference.budget import Meter, Pace, Plan, batch_in_time, plan_members

# Five folds in two views are ten members, at a second each and ten frames 100 seconds.


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (math.inf, Plan(5, 2, 10)),
        (100, Plan(5, 2, 10)),
        (99, Plan(5, 1, 10)),  # the second view goes first
        (50, Plan(5, 1, 10)),
        (49, Plan(4, 1, 10)),  # then folds
        (10, Plan(1, 1, 10)),
        (9.5, Plan(1, 1, 9)),  # then frames
        (0.5, Plan(1, 1, 0)),
        (-3, Plan(1, 1, 0)),
    ],
)
def test_plan_members_sheds_views_then_folds_then_frames(seconds, expected):
    assert plan_members(seconds, 10, Pace(1), folds=5, views=2) == expected


def test_plan_members_counts_what_each_frame_costs_besides():
    # 10 frames of 2 + 3 * 1 seconds
    pace = Pace(member=1, frame=2)
    assert plan_members(50, 10, pace, folds=3, views=1) == Plan(3, 1, 10)
    assert plan_members(49, 10, pace, folds=3, views=1) == Plan(2, 1, 10)
    assert plan_members(29, 10, pace, folds=3, views=1) == Plan(1, 1, 9)


def test_plan_members_without_a_limit_needs_no_pace():
    assert plan_members(math.inf, 10, Pace(0), folds=5, views=2) == Plan(5, 2, 10)


positive = st.floats(1e-3, 1e3)


@given(
    seconds=st.floats(-10, 1e6),
    frames=st.integers(1, 10_000),
    pace=st.builds(Pace, positive, positive),
    folds=st.integers(1, 10),
    views=st.integers(1, 10),
)
def test_plan_members_fits_and_nothing_larger_would(seconds, frames, pace, folds, views):
    plan = plan_members(seconds, frames, pace, folds=folds, views=views)
    cost = pace.frame + plan.folds * plan.views * pace.member
    assert plan.frames * cost <= max(seconds, 0) * (1 + 1e-9)
    if plan.frames < frames:
        assert (plan.folds, plan.views) == (1, 1)
        assert (plan.frames + 1) * cost > seconds * (1 - 1e-9)
    elif (plan.folds, plan.views) != (folds, views):
        more = plan.views + 1 if plan.folds == folds else 1
        larger = pace.frame + min(folds, plan.folds + (more == 1)) * more * pace.member
        assert frames * larger > seconds


@pytest.mark.parametrize(
    ("seconds", "frames", "expected"),
    [
        (math.inf, 100, 32),
        (math.inf, 20, 20),
        (600, 100, 20),  # a tenth, 60 seconds, at 2 + 1 * 1 seconds per frame
        (6000, 100, 32),
        (30, 10, 4),
        (3, 1, 1),
    ],
)
def test_batch_in_time_is_a_tenth_of_the_time_left(seconds, frames, expected):
    plan, pace = Plan(1, 1, frames), Pace(member=1, frame=2)
    assert batch_in_time(seconds, plan, pace, largest=32) == expected


def test_meter_goes_by_the_slower_of_mean_and_last_batch():
    meter = Meter(Pace(9))
    meter.record(4, 2, predicting=8, otherwise=4)
    assert meter.pace == Pace(1, 1)
    # mean of 8 + 24 seconds over 16 member-frames is 2, the last batch 3
    meter.record(4, 2, predicting=24, otherwise=4)
    assert meter.pace == Pace(3, 1)
    # (8 + 24 + 4) / 24 = 1.5, the last batch 0.5; (4 + 4 + 1) / 12 = 0.75, the last 0.25
    meter.record(4, 2, predicting=4, otherwise=1)
    assert meter.pace == Pace(1.5, 0.75)
