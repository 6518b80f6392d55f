"""Frames at their original size, to draw what stands in a submission on them."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from pipeline.dataset.arrays import Reading
from pipeline.dataset.images import EIGHT_BITS, read_image
from pipeline.dataset.store import Store


class Originals:
    """The frames of a store: from the raw files where they are, else at network size.

    Parameters
    ----------
    store : Store
        Its index knows the original sizes.
    files : mapping of str to Path
        Raw file by id. Frames without one are shown as the store has them.
    reading : Reading
        How deep pixels are read.
    """

    def __init__(
        self, store: Store, files: Mapping[str, Path], reading: Reading = EIGHT_BITS
    ) -> None:
        self._images, self._files, self._reading = store.images, files, reading
        self._rows = {frame_id: row for row, frame_id in enumerate(store.index["id"])}
        sizes = zip(store.index["height"], store.index["width"], strict=True)
        self.shapes = dict(zip(self._rows, sizes, strict=True))

    def image(self, frame_id: str) -> np.ndarray:
        """Return a frame in RGB.

        Returns
        -------
        ndarray of uint8, shape (H, W, 3)
            The original, or what the store has: the same view, of another size.

        Raises
        ------
        InputError
            The raw file is damaged.
        """
        if frame_id in self._files:
            return read_image(self._files[frame_id], channels=3, reading=self._reading)
        return as_rgb(self._images[self._rows[frame_id]])


def as_rgb(image: np.ndarray) -> np.ndarray:
    """Repeat the channel of a store's grey frame, (H, W, 1); leave colour alone."""
    return np.repeat(image, 3 // image.shape[2], axis=2)
