"""What is known of a project whose stages ran."""

from typing import Any, NamedTuple

import pandas as pd

from pipeline.dataset.store import Store
from pipeline.report.frames import Drawn


class Training(NamedTuple):
    """Training frames, how they were predicted, and what `pipeline tune` says of them.

    Attributes
    ----------
    store : Store
        Its rows are those of `frames` and `drawn`, once for each class.
    frames : pandas.DataFrame
        See ``reports/frames.csv``; in the order of the store, class by class.
    drawn : list of Drawn
        With masks "truth" and "predicted".
    metrics : dict
        See `read_metrics`.
    curves : pandas.DataFrame
        See `read_training`.
    thresholds, areas : pandas.DataFrame
        Score by threshold and by smallest area.
    rules : pandas.DataFrame
        Gain of each rule.
    views : pandas.DataFrame or None
        Gain of each view, where it is known.
    """

    store: Store
    frames: pd.DataFrame
    drawn: list[Drawn]
    metrics: dict[str, Any]
    curves: pd.DataFrame
    thresholds: pd.DataFrame
    areas: pd.DataFrame
    rules: pd.DataFrame
    views: pd.DataFrame | None


class Finished(NamedTuple):
    """What `pipeline tune` says of a project, and its training: see `Training`."""

    metrics: dict[str, Any]
    thresholds: pd.DataFrame
    curves: pd.DataFrame


class Submitted(NamedTuple):
    """Test frames: id, width, height, area, presence; what was drawn; the submission's name.

    Once for each class.
    """

    frames: pd.DataFrame
    drawn: list[Drawn]
    submission: str
