"""Learning curves of several experiments as a table and a plot."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure


def summarise(curves: pd.DataFrame) -> str:
    """Return a table of each experiment's validation Dice over its runs, best experiment first.

    Parameters
    ----------
    curves : pandas.DataFrame
        One row per epoch of each run: experiment, seed, fold, epoch, images, seconds, dice.

    Returns
    -------
    str
        Mean of each run's best epoch and its standard deviation over runs, mean after a quarter
        and half of the epochs, and the seconds of training.
    """
    rows = []
    for name, runs in curves.groupby("experiment", sort=False):
        best = runs.groupby(["seed", "fold"])["dice"].max()
        last = int(runs["epoch"].max())
        by_epoch = runs.groupby("epoch")["dice"].mean()
        rows.append(
            {
                "experiment": name,
                "runs": len(best),
                "best": best.mean(),
                "sd": best.std(ddof=1),
                f"epoch {max(1, last // 4)}": by_epoch[max(1, last // 4)],
                f"epoch {max(1, last // 2)}": by_epoch[max(1, last // 2)],
                f"epoch {last}": by_epoch[last],
                "seconds": runs.groupby(["seed", "fold"])["seconds"].max().mean(),
            }
        )
    table = pd.DataFrame(rows).sort_values("best", ascending=False)
    return table.to_string(index=False, float_format=lambda value: f"{value:.3f}", na_rep="-")


def draw_curves(curves: pd.DataFrame) -> Figure:
    """Draw validation Dice against images seen and against seconds: mean over runs and range.

    Parameters
    ----------
    curves : pandas.DataFrame
        See `summarise`.
    """
    figure, axes = plt.subplots(1, 2, figsize=(11, 4.2), sharey=True, layout="constrained")
    with plt.style.context("tableau-colorblind10"):
        for name, runs in curves.groupby("experiment", sort=False):
            by_epoch = runs.groupby("epoch")[["images", "seconds", "dice"]]
            mean, low, high = by_epoch.mean(), by_epoch.min()["dice"], by_epoch.max()["dice"]
            for axis, measure in zip(axes, ("images", "seconds"), strict=True):
                (line,) = axis.plot(mean[measure], mean["dice"], label=name)
                axis.fill_between(mean[measure], low, high, alpha=0.12, color=line.get_color())
    axes[0].set(xlabel="images seen", ylabel="validation Dice")
    axes[1].set(xlabel="seconds of training")
    axes[0].legend(fontsize="small")
    for axis in axes:
        axis.grid(alpha=0.3)
    plt.close(figure)
    return figure
