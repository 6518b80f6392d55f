"""Frames with their masks and maps, one by one, in constant memory."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.competitions.spec import Spec
from pipeline.competitions.table import Rows
from pipeline.dataset.decision import Decision
from pipeline.dataset.store import Store
from pipeline.kaggle.submission import decode_image
from pipeline.masks import rle
from pipeline.report.frames import Shot


class OutOfFoldShots:
    """Training frames with the true and the predicted mask, as the nested score has them.

    Of several classes the first one's frames come first, then the second one's.

    Parameters
    ----------
    store : Store
        Of the training frames.
    masks : sequence of pandas.DataFrame
        Of each class, from `open_masks`.
    folds : numpy.ndarray
        int, (N,).
    predictions : mapping of int to numpy.ndarray
        Of each fold's frames, in the order of the store.
    decide : mapping of int to Decision
        From predictions to masks, by cut-offs that were chosen without each fold.
    exclusive : bool
        Whether a pixel has one class; one without any, void, then counts for none.
    """

    def __init__(
        self,
        store: Store,
        masks: Sequence[pd.DataFrame],
        folds: np.ndarray,
        predictions: Mapping[int, np.ndarray],
        decide: Mapping[int, Decision],
        *,
        exclusive: bool = False,
    ) -> None:
        self._store, self._masks, self._folds = store, masks, folds
        self._predictions, self._decide = predictions, decide
        self._exclusive = exclusive
        self._place = np.empty(len(folds), int)  # within the frames of the fold
        for fold in decide:
            rows = np.flatnonzero(folds == fold)
            self._place[rows] = np.arange(len(rows))

    def __call__(self, number: int) -> Shot:
        """Return a frame with the masks of one class."""
        class_index, row = divmod(number, len(self._folds))
        frame, fold = self._masks[class_index].iloc[row], int(self._folds[row])
        prediction = self._predictions[fold][self._place[row]]
        shape = int(frame["height"]), int(frame["width"])
        predicted = self._decide[fold](prediction, shape)[..., class_index]
        if self._exclusive:
            predicted = predicted & self._has_class(row, shape)
        masks = {"truth": rle.decode(frame["rle"], shape), "predicted": predicted}
        return Shot(self._store.images[row], prediction["prob_map"][class_index], masks)

    def _has_class(self, row: int, shape: tuple[int, int]) -> np.ndarray:
        has_class = np.zeros(shape, bool)
        for of_class in self._masks:
            if runs := of_class["rle"].iloc[row]:
                has_class |= rle.decode(runs, shape)
        return has_class


class SubmittedShots:
    """Test frames with the masks of a submission, in the order of `OutOfFoldShots`.

    Parameters
    ----------
    store : Store
        Of the test frames.
    predictions : numpy.ndarray
        In the order of the store.
    submission : Path
        Whose rows are `rows`.
    rows : Rows
        From `read_submission`.
    spec : Spec
        Classes and format.
    """

    def __init__(
        self,
        store: Store,
        predictions: np.ndarray,
        submission: Path,
        rows: Rows,
        spec: Spec,
    ) -> None:
        self._store, self._predictions = store, predictions
        self._submission, self._rows, self._spec = submission, rows, spec

    def __call__(self, number: int) -> Shot:
        """Return a frame with the mask of one class."""
        class_index, row = divmod(number, len(self._store.index))
        frame = self._store.index.iloc[row]
        shape = int(frame["height"]), int(frame["width"])
        masks = decode_image(self._submission, self._rows, frame["id"], shape, self._spec)
        prob_map = self._predictions[row]["prob_map"][class_index]
        return Shot(self._store.images[row], prob_map, {"predicted": masks[..., class_index]})
