"""The predictions of all training frames, each by the network that did not see it."""

import json
from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from pipeline.atomic import write_text
from pipeline.competitions.spec import Spec
from pipeline.dataset.decision import Decision, by_cutoffs
from pipeline.dataset.out_of_fold import Predicted, tabulate_frames
from pipeline.dataset.predictions import open_predictions
from pipeline.masks.clean import Cutoffs
from pipeline.masks.shapes import ShapePrior, make_shape_prior
from pipeline.masks.tables import Frames
from pipeline.params import Params
from pipeline.paths import Paths
from pipeline.progress import progress_bar
from pipeline.stages.submit import map_shape


class OutOfFold:
    """Every fold's predictions, in the order of the frames.

    Parameters
    ----------
    folds : numpy.ndarray
        int, (N,), each frame's.

    Attributes
    ----------
    of_fold : dict of int to numpy.memmap
        Those of each fold's frames.

    Raises
    ------
    InputError
        Predictions are missing, damaged or of other frames.
    """

    def __init__(self, params: Params, paths: Paths, spec: Spec, folds: np.ndarray) -> None:
        self.folds, self._indices = folds, params.folds.indices
        self._holes = "holes" in params.tune.rules
        self._folder = paths.oof(0).parent  # on a disk with room for as much again
        self.of_fold = {
            fold: open_predictions(
                paths.oof(fold),
                count=np.count_nonzero(folds == fold),
                shape=map_shape(params, spec),
                command=f"pipeline train --fold {fold}",
            )
            for fold in self._indices
        }

    def __iter__(self) -> Iterator[np.void]:
        """Yield each frame's prediction, see `prediction_type`."""
        taken = dict.fromkeys(self._indices, 0)
        for fold in self.folds.tolist():
            yield self.of_fold[fold][taken[fold]]
            taken[fold] += 1

    def tabulate(self, masks: pd.DataFrame, class_index: int, prior: ShapePrior) -> Frames:
        """List the pieces of one class's maps beside its true masks.

        A shape prior that learns sees the masks of the other folds alone.

        Parameters
        ----------
        masks : pandas.DataFrame
            From `open_masks`.
        """
        reshape = {
            fold: make_shape_prior(prior, masks[self.folds != fold]) for fold in self._indices
        }

        def predictions() -> Iterator[Predicted]:
            frames = zip(self, self.folds.tolist(), masks.itertuples(), strict=True)
            for prediction, fold, frame in frames:
                prob_map = reshape[fold](prediction["prob_map"][class_index])
                presence = float(prediction["presence"][class_index])
                yield Predicted(prob_map, presence, (frame.height, frame.width), frame.rle)

        with progress_bar("Out-of-fold frames", len(masks)) as advance:
            return tabulate_frames(
                predictions(),
                len(masks),
                holes=self._holes,
                folder=self._folder,
                advance=advance,
            )


def nested_decisions(
    cutoffs: Mapping[int, Mapping[str, Cutoffs]],
    masks: Mapping[str, pd.DataFrame],
    folds: np.ndarray,
) -> dict[int, Decision]:
    """Return by fold what makes the masks that the nested score is of.

    Parameters
    ----------
    cutoffs : mapping
        By fold, chosen without it, and class.
    masks : mapping of str to pandas.DataFrame
        Of each class, from `open_masks`; a shape prior learns from those of the other folds.
    folds : numpy.ndarray
        int, (N,).
    """
    return {
        fold: by_cutoffs(
            [
                (chosen[name], make_shape_prior(chosen[name].shape_prior, of[folds != fold]))
                for name, of in masks.items()
            ]
        )
        for fold, chosen in cutoffs.items()
    }


def write_tables(paths: Paths, table: pd.DataFrame, scores: Mapping[str, object]) -> None:
    """Write what each frame and subject scores, worst first, and the scores of all."""
    worst_first = table.sort_values(["dice", "id"], kind="stable")
    write_text(paths.frame_scores, worst_first.to_csv(index=False, float_format="%.6f"))
    write_text(paths.subject_scores, _by_subject(table).to_csv(float_format="%.6f"))
    write_text(paths.metrics, json.dumps(scores, indent=2) + "\n")


def _by_subject(table: pd.DataFrame) -> pd.DataFrame:
    subjects = table.assign(has_mask=table["true_area"] > 0).groupby("subject")
    return subjects.agg(
        frames=("id", "nunique"), with_mask=("has_mask", "sum"), dice=("dice", "mean")
    ).sort_values("dice")
