"""Frames with their masks and maps, one by one, in constant memory."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from pipeline.competitions.spec import SubmissionFormat
from pipeline.dataset.images import resize_prob_map
from pipeline.dataset.store import Store
from pipeline.kaggle.submission import decode_row
from pipeline.masks import rle
from pipeline.masks.clean import Cutoffs, apply_cutoffs
from pipeline.masks.shapes import make_shape_prior
from pipeline.report.frames import Shot


class OutOfFoldShots:
    """Training frames with the true and the predicted mask, as the nested score has them.

    Parameters
    ----------
    store : Store
        Of the training frames.
    folds : numpy.ndarray
        int, (N,).
    predictions : mapping of int to numpy.ndarray
        Of each fold's frames, in the order of the store.
    cutoffs : mapping of int to Cutoffs
        Chosen without each fold.
    """

    def __init__(
        self,
        store: Store,
        folds: np.ndarray,
        predictions: Mapping[int, np.ndarray],
        cutoffs: Mapping[int, Cutoffs],
    ) -> None:
        self._store, self._folds = store, folds
        self._predictions, self._cutoffs = predictions, cutoffs
        self._reshape = {
            fold: make_shape_prior(chosen.shape_prior, store.index[folds != fold])
            for fold, chosen in cutoffs.items()
        }
        self._place = np.empty(len(folds), int)  # within the frames of the fold
        for fold in cutoffs:
            rows = np.flatnonzero(folds == fold)
            self._place[rows] = np.arange(len(rows))

    def __call__(self, row: int) -> Shot:
        """Return the frame of a row of the store."""
        frame, fold = self._store.index.iloc[row], int(self._folds[row])
        prob_map, presence = self._predictions[fold][self._place[row]].item()
        prob_map = self._reshape[fold](prob_map)
        at_original_size = resize_prob_map(prob_map, frame["height"], frame["width"])
        predicted = apply_cutoffs(at_original_size, presence, self._cutoffs[fold])
        truth = rle.decode(frame["rle"], (frame["height"], frame["width"]))
        masks = {"truth": truth, "predicted": predicted}
        return Shot(self._store.images[row], prob_map, masks)


class SubmittedShots:
    """Test frames with the mask of a submission.

    Parameters
    ----------
    store : Store
        Of the test frames.
    predictions : numpy.ndarray
        In the order of the store.
    submission : Path
        Whose rows are `runs`.
    runs : mapping of str to str
        Run lengths by id.
    form : SubmissionFormat
        How they are written.
    """

    def __init__(
        self,
        store: Store,
        predictions: np.ndarray,
        submission: Path,
        runs: Mapping[str, str],
        form: SubmissionFormat,
    ) -> None:
        self._store, self._predictions = store, predictions
        self._submission, self._runs, self._form = submission, runs, form

    def __call__(self, row: int) -> Shot:
        """Return the frame of a row of the store."""
        frame = self._store.index.iloc[row]
        shape = int(frame["height"]), int(frame["width"])
        runs = self._runs[frame["id"]]
        mask = decode_row(self._submission, frame["id"], runs, shape, self._form)
        return Shot(
            self._store.images[row], self._predictions[row]["prob_map"], {"predicted": mask}
        )
