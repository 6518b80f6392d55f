"""Small pictures of a finished project, for a text about it."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from pipeline.dataset.originals import as_rgb
from pipeline.report.charts import draw_curve, draw_training
from pipeline.report.contact_sheet import Picture, draw_sheet
from pipeline.report.frames import Shot
from pipeline.report.project import Training

_ROWS = 8  # frames with a mask, from the worst to the best
_FALSE_ALARMS = 2
_BYTES = 150_000
_DPI = 72


def choose_pictures(training: Training, shots: Callable[[int], Shot]) -> list[Picture]:
    """Return frames with a mask, evenly from the worst to the best, and some false alarms.

    Parameters
    ----------
    training : Training
        See there.
    shots : callable
        Returns the frame of a row.
    """
    frames = training.frames
    with_mask = frames[frames["true_area"] > 0].sort_values("dice", kind="stable").index
    alarms = frames[(frames["true_area"] == 0) & (frames["predicted_area"] > 0)].index
    spread = np.linspace(0, len(with_mask) - 1, min(_ROWS, len(with_mask))).astype(int)
    pictures = []
    for row in [*with_mask[spread], *alarms[:_FALSE_ALARMS]]:
        shot, dice = shots(row), frames["dice"][row]
        pictures.append(Picture(as_rgb(shot.image), f"Dice {dice:.2f}", shot.masks))
    return pictures


def write_small_sheet(path: Path, pictures: Sequence[Picture]) -> None:
    """Write pictures as one WebP file of at most 150 kB."""
    figure = draw_sheet(pictures)
    for quality in (80, 60, 40, 20):
        figure.savefig(path, dpi=_DPI, format="webp", pil_kwargs={"quality": quality})
        if path.stat().st_size <= _BYTES:
            return


def name_plots(training: Training) -> dict[str, Figure]:
    """Return the plots by name: the training where it was logged, and the thresholds."""
    plots = {}
    for name, cutoffs in training.metrics["cutoffs"].items():
        of_class = training.thresholds[training.thresholds["class"] == name]
        curve = of_class.set_index("threshold")["score"]
        suffix = f"_{name}" if len(training.metrics["cutoffs"]) > 1 else ""
        plots[f"thresholds{suffix}"] = draw_curve(
            {"score": curve}, label="threshold, of 255", chosen=cutoffs["threshold"]
        )
    if (training.curves["measure"] == "dice").any():
        plots["training"] = draw_training(training.curves, "dice")
    return plots
