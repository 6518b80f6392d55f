"""Score objects: the pieces of out-of-fold masks against the true objects of each image."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from pipeline.competitions.spec import Spec
from pipeline.dataset.index import open_objects
from pipeline.masks import rle
from pipeline.masks.clean import Cutoffs
from pipeline.masks.instances import INSTANCE_METRICS, split_pieces
from pipeline.paths import Paths
from pipeline.progress import progress_bar
from pipeline.stages.out_of_fold import OutOfFold, nested_decisions


def score_objects(
    paths: Paths,
    spec: Spec,
    masks: Mapping[str, pd.DataFrame],
    cutoffs: Mapping[int, Mapping[str, Cutoffs]],
    predictions: OutOfFold,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the nested score of each class and frame, and that of an empty mask.

    Cut-offs are tuned for Dice, which pixels decide; this is what the competition scores.

    Parameters
    ----------
    masks : mapping of str to pandas.DataFrame
        Of each class, from `open_masks`.
    cutoffs : mapping
        By fold, chosen without it, and class.

    Returns
    -------
    scores, empty : numpy.ndarray
        float64, (classes, N).
    """
    measure = INSTANCE_METRICS[spec.metric]
    folds, index = predictions.folds, masks[spec.classes[0]]
    decide = nested_decisions(cutoffs, masks, folds)
    objects = open_objects(paths.train_store, spec.classes)
    scores, empty = np.empty((2, len(spec.classes), len(folds)))
    frames = zip(predictions, folds.tolist(), index.itertuples(), strict=True)
    with progress_bar("Objects", len(folds)) as advance:
        for row, (prediction, fold, frame) in enumerate(frames):
            shape = frame.height, frame.width
            predicted = decide[fold](prediction, shape)
            for number, of_class in enumerate(objects):
                true = [rle.decode(runs, shape) for runs in of_class.get(frame.id, [])]
                scores[number, row] = measure(true, split_pieces(predicted[..., number]))
                empty[number, row] = measure(true, [])
            advance()
    return scores, empty
