"""A trained ensemble with its cut-offs: frames of any size to masks at that size."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np

from pipeline.dataset.images import read_frame
from pipeline.dataset.predictions import pack_predictions, prediction_to_mask
from pipeline.inference.predict import predict_batch
from pipeline.masks.clean import Cutoffs


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
    cutoffs : Cutoffs
        As tuned.
    reshape : callable
        The cut-offs' shape prior, see `make_shape_prior`.
    """

    models: Sequence[keras.Model]
    views: Sequence[str]
    height: int
    width: int
    channels: int
    cutoffs: Cutoffs
    reshape: Callable[[np.ndarray], np.ndarray]

    def read(self, path: Path) -> Frame:
        """Read one file, see `read_frame`.

        Raises
        ------
        InputError
            It can't be decoded.
        """
        size = {"height": self.height, "width": self.width, "channels": self.channels}
        return Frame(*read_frame(path, **size))

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
        predicted = predict_batch(self.models[:folds], pixels, views=self.views[:views])
        return pack_predictions(*predicted)

    def mask(self, prediction: np.void, frame: Frame) -> np.ndarray:
        """Return the mask of a frame, bool, at its original size."""
        return prediction_to_mask(prediction, frame.size, self.cutoffs, self.reshape)
