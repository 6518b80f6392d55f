"""A trained ensemble with its cut-offs: frames of any size to masks at that size."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np

from pipeline.dataset.arrays import Reading
from pipeline.dataset.decision import Decision
from pipeline.dataset.images import EIGHT_BITS, read_frame
from pipeline.dataset.predictions import pack_predictions
from pipeline.inference.predict import predict_batch


class Frame(NamedTuple):
    """A frame as the network sees it.

    Attributes
    ----------
    pixels : numpy.ndarray
        uint8, (H, W, C), at network size.
    size : tuple of int
        Height and width of the original, pixels.
    """

    pixels: np.ndarray
    size: tuple[int, int]


@dataclass(frozen=True)
class Ensemble:
    """What makes masks of frames.

    Attributes
    ----------
    models : sequence of keras.Model
        One per fold.
    views : sequence of str
        Names from `VIEWS`.
    height, width, channels : int
        Of the frames that the networks see, pixels.
    decide : Decision
        From predictions to masks.
    reading : Reading
        How deep pixels are read.
    exclusive : bool
        Whether a pixel has one class.
    """

    models: Sequence[keras.Model]
    views: Sequence[str]
    height: int
    width: int
    channels: int
    decide: Decision
    reading: Reading = EIGHT_BITS
    exclusive: bool = False

    def read(self, path: Path) -> Frame:
        """Read one file, see `read_frame`.

        Raises
        ------
        InputError
            It can't be decoded.
        """
        size = {"height": self.height, "width": self.width, "channels": self.channels}
        return Frame(*read_frame(path, reading=self.reading, **size))

    def predict(
        self, frames: Sequence[Frame], *, folds: int | None = None, views: int | None = None
    ) -> np.ndarray:
        """Return the predictions of one batch, see `prediction_type`.

        Parameters
        ----------
        frames : sequence of Frame
        folds, views : int, optional
            Only the first so many; all by default.
        """
        pixels = np.stack([frame.pixels for frame in frames])
        members = self.models[:folds], pixels
        predicted = predict_batch(*members, views=self.views[:views], exclusive=self.exclusive)
        return pack_predictions(*predicted)

    def masks(self, prediction: np.void, frame: Frame) -> np.ndarray:
        """Return the masks of a frame, bool (H, W, classes), at its original size."""
        return self.decide(prediction, frame.size)
