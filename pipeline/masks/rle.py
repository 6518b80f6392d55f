"""Run-length strings: a mask as pairs "start length"."""

import re
from typing import Literal, get_args

import numpy as np

Order = Literal["columns", "rows"]
ORDERS = get_args(Order)
ORIGINS = (0, 1)

# ASCII only: `int` and `str.isdigit` would also let "1_000", "+3" and other alphabets' digits in.
_DIGITS_AND_SPACE = re.compile(r"[0-9\s]*", re.ASCII)
_TOKEN = re.compile(r"\S+", re.ASCII)


def _check_scan(order, origin):
    if order not in ORDERS:
        raise ValueError(f"order: expected one of {', '.join(ORDERS)}, got {order!r}")
    if origin not in ORIGINS:
        raise ValueError(f"origin: expected 0 or 1, got {origin!r}")


def encode(
    mask: np.ndarray, *, order: Order = "columns", origin: int = 1, relative: bool = False
) -> str:
    """Write a mask as pairs "start length", separated by single spaces.

    Parameters
    ----------
    mask : bool array, shape (H, W)
    order : {"columns", "rows"}
        Pixels are numbered down the columns first, or along the rows first.
    origin : {0, 1}
        Number of the top left pixel.
    relative : bool
        Starts but the first count from the pixel behind the run before.

    Returns
    -------
    str
        Runs ascending and as long as they can be: one may go on from the end of a column (row)
        into the next. "" for an empty mask.

    Raises
    ------
    ValueError
        Mask not boolean or not 2-D; unknown order or origin.

    Examples
    --------
    >>> mask = np.array([[0, 1, 1], [1, 1, 0]], dtype=bool)
    >>> encode(mask)
    '2 4'
    >>> encode(mask, order="rows", origin=0)
    '1 4'
    >>> encode(np.array([[0, 1, 1, 0, 1]], dtype=bool), relative=True)
    '2 2 1 1'
    """
    _check_scan(order, origin)
    mask = np.asarray(mask)
    if mask.ndim != 2 or mask.dtype != bool:
        raise ValueError(f"mask: expected a bool array (H, W), got {mask.shape} {mask.dtype}")
    lines = mask.T if order == "columns" else mask
    n_positions = lines.shape[1]
    positions = np.flatnonzero(lines.any(axis=0))
    if positions.size == 0:
        return ""

    # To copy the whole image into scan order would take most of the time: copy a box. Its margin
    # along the lines keeps the runs of two lines apart, unless they touch in the image as well.
    left, right = max(positions[0] - 1, 0), min(positions[-1] + 2, n_positions)
    used = np.flatnonzero(lines[:, left:right].any(axis=1))
    top, bottom = used[0], used[-1] + 1
    scanned = np.concatenate(([False], lines[top:bottom, left:right].ravel(), [False]))

    # Starts and ends alternate; an end is the pixel after the run.
    runs = np.flatnonzero(scanned[1:] != scanned[:-1])
    starts, lengths = runs[::2], runs[1::2]
    lengths -= starts
    line, position = np.divmod(starts, right - left)
    starts[:] = (top + line) * n_positions + left + position + origin
    if relative:
        starts[1:] -= starts[:-1] + lengths[:-1]
    return " ".join(["%d %d"] * starts.size) % tuple(runs.tolist())


def decode(
    rle: str,
    shape: tuple[int, int],
    *,
    order: Order = "columns",
    origin: int = 1,
    relative: bool = False,
) -> np.ndarray:
    """Read a mask from pairs "start length"; the inverse of `encode`.

    Runs that touch (the next starts where the last one ends) are accepted: they name no pixel
    twice, and some programs split runs at the end of each column.

    Parameters
    ----------
    rle : str
        Numbers in the digits 0-9, separated by ASCII white space; "" is an empty mask.
    shape : (int, int)
        Height and width of the mask, pixels.
    order : {"columns", "rows"}
        Pixels are numbered down the columns first, or along the rows first.
    origin : {0, 1}
        Number of the top left pixel.
    relative : bool
        Starts but the first count from the pixel behind the run before.

    Returns
    -------
    bool array, shape (H, W)
        In Fortran memory order where `order` is "columns", else in C order.

    Raises
    ------
    TypeError
        `rle` is no string, such as the NaN that pandas reads from a blank cell.
    ValueError
        Anything but digits; a start without a length or below the origin; a length of zero; a run
        that leaves the image; runs unsorted or overlapping; unknown order or origin.

    Examples
    --------
    >>> decode("2 4", (2, 3)).astype(int)
    array([[0, 1, 1],
           [1, 1, 0]])
    >>> decode("2 4 5 1", (2, 3))
    Traceback (most recent call last):
    ...
    ValueError: rle: run 2 ('5 1') begins before run 1 ends; expected runs sorted and apart
    """
    _check_scan(order, origin)
    height, width = _check_shape(shape)
    size = height * width
    numbers = _parse(rle)
    starts, lengths = numbers[::2], numbers[1::2]
    if relative:
        starts = _absolute(starts, lengths, size=size)
    starts = starts - origin
    _check_runs(rle, starts, lengths, size=size, origin=origin)

    # Boundaries of background, run, background, run, ..., background.
    edges = np.empty(numbers.size + 2, dtype=np.int64)
    edges[0], edges[-1] = 0, size
    edges[1:-1:2] = starts
    edges[2:-1:2] = starts + lengths
    is_run = np.arange(edges.size - 1) % 2 == 1
    scanned = np.repeat(is_run, np.diff(edges))
    return scanned.reshape(width, height).T if order == "columns" else scanned.reshape(shape)


def _check_shape(shape):
    if len(shape) != 2 or min(shape) < 0:
        raise ValueError(f"shape: expected (height, width), got {shape}")
    return shape


def _parse(rle):
    """Whole numbers of a string, an even count of them; int64."""
    if not isinstance(rle, str):
        raise TypeError(f"rle: expected a string, got {type(rle).__name__} {rle!r}")
    if not _DIGITS_AND_SPACE.fullmatch(rle):
        tokens = _TOKEN.findall(rle)
        faulty = next(i for i, token in enumerate(tokens) if not re.fullmatch("[0-9]+", token))
        raise ValueError(f"rle: {_name_run(rle, faulty // 2)} holds more than digits 0-9")
    # Numbers beyond int64 come out as its largest, which lies outside of every image.
    numbers = np.fromstring(rle, dtype=np.int64, sep=" ") if rle.strip() else np.empty(0, np.int64)
    if numbers.size % 2:
        raise ValueError(f"rle: {_name_run(rle, numbers.size // 2)} has a start but no length")
    return numbers


def _absolute(starts, lengths, *, size):
    """Add up relative starts; numbers beyond the image stay beyond it and don't overflow."""
    starts, lengths = np.minimum(starts, size + 1), np.minimum(lengths, size + 1)
    return starts.cumsum() + lengths.cumsum() - lengths


def _check_runs(rle, starts, lengths, *, size, origin):
    faults = (
        (starts < 0, f"starts below the origin {origin}"),
        (lengths == 0, "has length 0"),
        # Not starts + lengths > size: that sum can pass the largest int64.
        (lengths > size - starts, f"ends outside of the image of {size} pixels"),
    )
    for faulty, fault in faults:
        if faulty.any():
            raise ValueError(f"rle: {_name_run(rle, faulty.argmax())} {fault}")

    gaps = starts[1:] - (starts + lengths)[:-1]
    if (gaps < 0).any():
        run = (gaps < 0).argmax() + 1
        raise ValueError(
            f"rle: {_name_run(rle, run)} begins before run {run} ends; "
            "expected runs sorted and apart"
        )


def _name_run(rle, run):
    """Position, from 1, and text of a run, from 0."""
    text = " ".join(_TOKEN.findall(rle)[2 * run : 2 * run + 2])
    return f"run {run + 1} ({text[:60]!r})"
