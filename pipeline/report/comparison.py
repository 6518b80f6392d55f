"""Learning curves of several experiments as a table and a plot."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from pipeline.report.table import Table

_COLOURS = 6  # of the palette's ten those that are told apart most easily
_LINE_STYLES = ("-", "--", ":")
_SHADED = 5  # more ranges on top of each other show nothing


def summarise(curves: pd.DataFrame, *, epochs: Sequence[int] | None = None) -> Table:
    """Return a table of each experiment's validation score over its runs, best experiment first.

    Parameters
    ----------
    curves : pandas.DataFrame
        One row per epoch of each run: experiment, seed, fold, epoch, images, seconds, score.
    epochs : sequence of int, optional
        Epochs to show; by default those after a quarter, half and all of an experiment's.

    Returns
    -------
    Table
        Mean of each run's best epoch and its standard deviation over runs, mean after `epochs`,
        and the seconds of training.
    """
    rows = []
    for name, runs in curves.groupby("experiment", sort=False):
        best = runs.groupby(["seed", "fold"])["score"].max()
        last = int(runs["epoch"].max())
        shown = epochs or (max(1, last // 4), max(1, last // 2), last)
        by_epoch = runs.groupby("epoch")["score"].mean()
        rows.append(
            {
                "experiment": name,
                "runs": len(best),
                "best": best.mean(),
                "sd": best.std(ddof=1),
                **{f"epoch {epoch}": by_epoch[epoch] for epoch in shown},
                "seconds": runs.groupby(["seed", "fold"])["seconds"].max().mean(),
            }
        )
    return Table(pd.DataFrame(rows).sort_values("best", ascending=False), ".3f")


def draw_curves(curves: pd.DataFrame) -> Figure:
    """Draw the validation score against images seen and against seconds: mean over runs.

    Parameters
    ----------
    curves : pandas.DataFrame
        See `summarise`. Of few experiments the range over runs is shaded.
    """
    groups = list(curves.groupby("experiment", sort=False))
    # Axes take their colours when they are made.
    with plt.style.context("tableau-colorblind10"):
        figure, axes = plt.subplots(1, 2, figsize=(12, 4.2), sharey=True, layout="constrained")
        for number, (name, runs) in enumerate(groups):
            by_epoch = runs.groupby("epoch")[["images", "seconds", "score"]]
            mean, low, high = by_epoch.mean(), by_epoch.min()["score"], by_epoch.max()["score"]
            colour = f"C{number % _COLOURS}"
            style = _LINE_STYLES[number // _COLOURS % len(_LINE_STYLES)]
            for axis, measure in zip(axes, ("images", "seconds"), strict=True):
                axis.plot(mean[measure], mean["score"], style, color=colour, label=name)
                if len(groups) <= _SHADED:
                    axis.fill_between(mean[measure], low, high, alpha=0.12, color=colour)
    axes[0].set(xlabel="images seen", ylabel="validation score")
    axes[1].set(xlabel="seconds of training")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside right upper")
    for axis in axes:
        axis.grid(alpha=0.3)
    plt.close(figure)
    return figure
