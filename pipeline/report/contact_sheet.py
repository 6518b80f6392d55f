"""Contact sheets: frames with the outlines of masks, and a caption under each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke

from pipeline.atomic import atomic_file

PER_SHEET = 30
COLUMNS = 5

# Okabe and Ito's colours, which all kinds of colour vision tell apart, and unlike strokes for
# whoever prints in grey; a thin black edge keeps them visible on white tissue.
_COLOURS = ("#E69F00", "#56B4E9", "#009E73", "#F0E442", "#D55E00", "#CC79A7", "#0072B2")
_LINES = ("-", "--")
_EDGE = withStroke(linewidth=2.6, foreground="black", alpha=0.6)
_INCHES, _MARGIN, _CAPTION, _LEGEND = 3.0, 0.06, 0.3, 0.4  # width of a picture; heights
_CAPTION_POINTS = 350  # font size times characters that fit under a picture
_DPI = 110


@dataclass(frozen=True)
class Picture:
    """One frame of a sheet.

    Attributes
    ----------
    image : numpy.ndarray
        uint8, (h, w, 3), red, green, blue.
    caption : str
        One line.
    masks : mapping of str to numpy.ndarray
        Masks, bool (H, W), by what the legend calls them. Their size may differ from
        that of the image: both show the same view.
    """

    image: np.ndarray
    caption: str
    masks: Mapping[str, np.ndarray] = field(default_factory=dict)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the masks, or of the image where there are none."""
        return next(iter(self.masks.values()), self.image[..., 0]).shape


def write_sheets(path: Path, pictures: Sequence[Picture]) -> list[Path]:
    """Write as many PNG files as the pictures need, `PER_SHEET` in each.

    Parameters
    ----------
    path : Path
        The file; where one does not hold all, the files are ``NAME-1.png``, ``NAME-2.png``, ...

    Returns
    -------
    list of Path
        What was written.

    Raises
    ------
    OSError
        The disk is full or the folder can't be written.
    """
    sheets = [pictures[at : at + PER_SHEET] for at in range(0, len(pictures), PER_SHEET)]
    paths = [path.with_stem(f"{path.stem}-{number}") for number in range(1, len(sheets) + 1)]
    paths = [path] if len(sheets) == 1 else paths
    for sheet, target in zip(sheets, paths, strict=True):
        with atomic_file(target) as beside:
            draw_sheet(sheet).savefig(beside, dpi=_DPI, format="png")
    return paths


def draw_sheet(pictures: Sequence[Picture]) -> Figure:
    """Draw pictures in rows of at most `COLUMNS`, under a legend of the masks' names.

    Parameters
    ----------
    pictures : sequence of Picture
        At least one. The tallest gives all their height.
    """
    names = list(dict.fromkeys(name for picture in pictures for name in picture.masks))
    columns = min(COLUMNS, len(pictures))
    rows = -(-len(pictures) // columns)
    tallest = max(picture.shape[0] / picture.shape[1] for picture in pictures)
    row_height = _INCHES * tallest + _CAPTION
    width, height = columns * _INCHES, rows * row_height + _LEGEND * bool(names)
    figure = plt.figure(figsize=(width, height))
    for number, picture in enumerate(pictures):
        row, column = divmod(number, columns)
        top = _LEGEND * bool(names) + row * row_height
        box = (column * _INCHES + _MARGIN, height - top - _INCHES * tallest)
        size = (_INCHES - 2 * _MARGIN, _INCHES * tallest - _MARGIN)
        axes = figure.add_axes(
            (box[0] / width, box[1] / height, size[0] / width, size[1] / height), anchor="S"
        )
        _draw_picture(axes, picture, names)
    if names:
        handles = [Line2D([], [], label=name, **_stroke(names, name)) for name in names]
        figure.legend(handles=handles, loc="upper center", ncols=len(names), frameon=False)
    plt.close(figure)
    return figure


def describe_area(area: int) -> str:
    """Say how many pixels a mask has, or that it is empty."""
    return f"{area:,} px" if area else "empty"


def _draw_picture(axes: Axes, picture: Picture, names: Sequence[str]) -> None:
    height, width = picture.shape
    axes.imshow(picture.image, extent=(-0.5, width - 0.5, height - 0.5, -0.5))
    axes.set_axis_off()
    for name, mask in picture.masks.items():
        if not mask.any():
            continue
        # A margin of background closes outlines at the border of the frame.
        axes.contour(
            np.arange(-1, width + 1),
            np.arange(-1, height + 1),
            np.pad(mask, 1).astype(np.float32),
            levels=[0.5],
            linewidths=1.4,
            colors=[_stroke(names, name)["color"]],
            linestyles=[_stroke(names, name)["linestyle"]],
        ).set_path_effects([_EDGE])
    axes.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5))
    axes.annotate(
        picture.caption,
        xy=(0.5, 0),
        xycoords="axes fraction",
        xytext=(0, -3),
        textcoords="offset points",
        ha="center",
        va="top",
        fontsize=min(10, _CAPTION_POINTS / len(picture.caption)),
    )


def _stroke(names: Sequence[str], name: str) -> Mapping[str, object]:
    number = names.index(name)
    colour, line = _COLOURS[number % len(_COLOURS)], _LINES[number % len(_LINES)]
    return {"color": colour, "linestyle": line, "linewidth": 1.4}
