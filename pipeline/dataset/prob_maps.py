"""Probability maps on disk: uint8 at network size, 255 for probability 1."""

from pathlib import Path

import numpy as np

from pipeline.errors import InputError


def open_prob_maps(path: Path, *, shape: tuple[int, int, int], command: str) -> np.memmap:
    """Open probability maps and check that they are of this shape.

    Raises
    ------
    InputError
        They are missing, damaged, no uint8 or of another shape; names the `command` that makes
        them.
    """
    try:
        maps = np.lib.format.open_memmap(path, mode="r")
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file; run: {command}") from error
    except (ValueError, EOFError) as error:
        raise InputError(f"{path}: damaged ({error}); run: {command}") from error
    if maps.shape != shape or maps.dtype != np.uint8:
        raise InputError(
            f"{path}: expected uint8 maps of shape {shape}, as the frames now are, got"
            f" {maps.dtype} {maps.shape}; run: {command}"
        )
    return maps
