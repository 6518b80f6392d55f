"""The plots of the report."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter
from sklearn.calibration import calibration_curve

from pipeline.report.page import INK, LINE

# Okabe and Ito's colours, which all kinds of colour vision tell apart; those that are seen on
# white and on black, first the ones furthest from each other.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9")
_STYLES = ("-", "--", ":", "-.")
_LONGEST = 28  # characters of a name
_RASTERIZED = 1000  # more points than this are drawn as a picture
_INCHES = 4.4, 3.2
_LOOK = {
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": LINE,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "xtick.color": LINE,
    "ytick.color": LINE,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "legend.labelcolor": INK,
    "lines.linewidth": 1.8,
    "figure.dpi": 144,
}


def draw_training(curves: pd.DataFrame, measure: str) -> Figure:
    """Draw a measure after every epoch, a colour per run; training dashed, validation not.

    Parameters
    ----------
    curves : pandas.DataFrame
        Columns run, part ("train" or "val"), measure, epoch and value.
    measure : str
        Which one.
    """
    shown = curves[curves["measure"] == measure]
    styles = {"val": "-", "train": ":"}
    with _axes() as axes:
        for number, (run, of_run) in enumerate(shown.groupby("run", sort=False)):
            for part, values in of_run.groupby("part"):
                axes.plot(
                    values["epoch"],
                    values["value"],
                    styles[part],
                    color=COLOURS[number % len(COLOURS)],
                    label=_shortened([run])[0] if part == "val" else None,
                )
        note = " (dotted: training)" if "train" in set(shown["part"]) else ""
        axes.set(xlabel="epoch", ylabel=f"{measure.replace('_', ' ')}{note}")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        _legend(axes)
    return axes.figure


def draw_curve(
    curves: Mapping[str, pd.Series],
    *,
    label: str,
    chosen: float | None = None,
    score: float | None = None,
) -> Figure:
    """Draw scores against a cut-off, and where it was chosen.

    Parameters
    ----------
    curves : mapping of str to pandas.Series
        Score by value of the cut-off.
    label : str
        Of the cut-off.
    chosen : float, optional
        The value in use.
    score : float, optional
        What it scores.
    """
    with _axes() as axes:
        for number, (name, curve) in enumerate(curves.items()):
            style = _STYLES[number // len(COLOURS) % len(_STYLES)]
            colour = COLOURS[number % len(COLOURS)]
            axes.plot(curve.index, curve, style, color=colour, label=_shortened([name])[0])
        if chosen is not None:
            axes.axvline(chosen, color=COLOURS[3], linewidth=1, label=f"chosen: {chosen:,}")
        if score is not None:
            axes.plot([chosen], [score], "o", color=COLOURS[3])
        axes.set(xlabel=label, ylabel="score")
        _legend(axes)
    return axes.figure


def draw_subjects(frames: pd.DataFrame) -> Figure:
    """Draw the Dice of every frame in a strip per subject, the best subject on top.

    Parameters
    ----------
    frames : pandas.DataFrame
        Columns subject, dice and true_area.
    """
    means = frames.groupby("subject")["dice"].mean().sort_values()
    places = {subject: place for place, subject in enumerate(means.index)}
    heights = frames["subject"].map(places).to_numpy()
    spread = np.random.default_rng(0).uniform(-0.3, 0.3, len(frames))  # points beside each other
    with _axes(height=0.9 + 0.2 * len(means)) as axes:
        groups = {"with a mask": frames["true_area"] > 0, "empty": frames["true_area"] == 0}
        for number, (name, rows) in enumerate(groups.items()):
            axes.scatter(
                frames["dice"][rows],
                (heights + spread)[rows],
                s=9,
                marker="os"[number],
                color=COLOURS[number],
                alpha=0.8,
                linewidths=0,
                label=name,
                rasterized=len(frames) > _RASTERIZED,
            )
        axes.plot(means, range(len(means)), "|", color=INK, markersize=9, label="mean")
        axes.set_yticks(range(len(means)), _shortened(means.index), fontsize="x-small")
        axes.set(xlabel="Dice", ylabel="subject", ylim=(-0.7, len(means) - 0.3))
        _legend(axes, columns=3)
    return axes.figure


def draw_areas(frames: pd.DataFrame) -> Figure:
    """Draw predicted against true areas, pixels."""
    alarm, miss = (frames[name] == 0 for name in ("true_area", "predicted_area"))
    groups = {"both": ~alarm & ~miss, "false alarm": alarm & ~miss, "miss": miss & ~alarm}
    with _axes() as axes:
        for number, (name, rows) in enumerate(groups.items()):
            axes.scatter(
                frames["true_area"][rows],
                frames["predicted_area"][rows],
                s=12,
                marker="o^v"[number],
                color=COLOURS[(0, 3, 1)[number]],
                alpha=0.8,
                linewidths=0,
                label=f"{name}: {rows.sum():,}",
                rasterized=len(frames) > _RASTERIZED,
                clip_on=False,
            )
        axes.axline((0, 0), slope=1, color=INK, linewidth=0.8, linestyle=":")
        axes.set(xlabel="true area, pixels", ylabel="predicted area, pixels")
        axes.set(xlim=(0, None), ylim=(0, None))
        _legend(axes)
    return axes.figure


def draw_calibration(presence: np.ndarray, has_mask: np.ndarray) -> Figure:
    """Draw the share of frames with a mask against predicted presence, in ten bins.

    Parameters
    ----------
    presence : numpy.ndarray
        float, (N,), in [0, 1].
    has_mask : numpy.ndarray
        bool, (N,).
    """
    edges = np.linspace(0, 1, 11)
    with _axes() as axes:
        counts = axes.twinx()
        counts.hist(presence, bins=edges, color=COLOURS[5], alpha=0.35)
        counts.set(ylabel="frames (bars)")
        counts.grid(visible=False)
        share, predicted = calibration_curve(has_mask, presence, pos_label=True, n_bins=10)
        axes.plot([0, 1], [0, 1], ":", color=INK, linewidth=0.8, label="as it should be")
        axes.plot(predicted, share, "o-", color=COLOURS[0], label="frames of these maps")
        axes.set(xlabel="predicted presence", ylabel="share with a mask", ylim=(-0.02, 1.02))
        axes.set_zorder(counts.get_zorder() + 1)  # the curve stands before the bars
        axes.patch.set_visible(False)
        _legend(axes)
    return axes.figure


def draw_sizes(sizes: Mapping[str, np.ndarray]) -> Figure:
    """Draw the distributions of several sets of mask sizes, shares of the frame, empty ones not."""
    shown = {name: values[values > 0] for name, values in sizes.items()}
    largest = max((values.max() for values in shown.values() if len(values)), default=1.0)
    bins = np.linspace(0, largest, 31)
    with _axes() as axes:
        for number, (name, values) in enumerate(shown.items()):
            axes.hist(
                values,
                bins=bins,
                weights=np.full(len(values), 1 / max(len(values), 1)),
                histtype="step",
                linewidth=1.8,
                linestyle=_STYLES[number],
                color=COLOURS[number],
                label=f"{name}: {len(values):,}",
            )
        axes.set(xlabel="size of the mask, share of the frame", ylabel="share of the masks")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(PercentFormatter(1))
        _legend(axes)
    return axes.figure


def draw_presence(presence: Mapping[str, np.ndarray]) -> Figure:
    """Draw the distributions of presence, float (N,) in [0, 1], of several sets of frames."""
    with _axes() as axes:
        for number, (name, values) in enumerate(presence.items()):
            axes.hist(
                values,
                bins=np.linspace(0, 1, 21),
                weights=np.full(len(values), 1 / len(values)),
                histtype="step",
                linewidth=1.8,
                linestyle=_STYLES[number],
                color=COLOURS[number],
                label=f"{name}: {len(values):,}",
            )
        axes.set(xlabel="predicted presence", ylabel="share of the frames")
        axes.yaxis.set_major_formatter(PercentFormatter(1))
        _legend(axes)
    return axes.figure


def draw_positions(share: np.ndarray, *, top: float) -> Figure:
    """Draw where masks lie.

    Parameters
    ----------
    share : numpy.ndarray
        float, (h, w), in [0, 1], of the masks that hold a place.
    top : float
        What the brightest colour means.
    """
    with _axes() as axes:
        drawn = axes.imshow(share, cmap="cividis", vmin=0, vmax=top)
        axes.set(xticks=[], yticks=[])
        bar = axes.figure.colorbar(drawn, format=PercentFormatter(1, decimals=0), shrink=0.8)
        bar.set_label("share of the masks")
    return axes.figure


@contextmanager
def _axes(*, height: float = _INCHES[1]) -> Iterator[Axes]:
    """Yield the axes of a new figure, and keep it from pyplot's list of open ones."""
    with plt.rc_context(_LOOK):
        figure, axes = plt.subplots(figsize=(_INCHES[0], height), layout="constrained")
        yield axes
    plt.close(figure)


def _legend(axes: Axes, *, columns: int = 2) -> None:
    """Name the curves above the plot, where they cover nothing."""
    shown = axes.get_legend_handles_labels()
    axes.figure.legend(*shown, loc="outside upper center", ncols=columns, fontsize="small")


def _shortened(names: Sequence[str]) -> list[str]:
    """Cut long names, and take the dollar its meaning of mathematics."""
    short = (name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…" for name in names)
    return [name.replace("$", r"\$") for name in short]
