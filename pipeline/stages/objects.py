"""Score objects: the pieces of out-of-fold masks against the true objects of each image."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from pipeline.competitions.spec import Spec
from pipeline.dataset.store import open_objects
from pipeline.masks import rle
from pipeline.masks.clean import Cutoffs
from pipeline.masks.evaluation import bootstrap_interval
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
    *,
    seed: int,
) -> dict[str, float]:
    """Return the nested score with its interval, and that of empty masks.

    Cut-offs are tuned for Dice, which pixels decide; this is what the competition scores.

    Parameters
    ----------
    masks : mapping of str to pandas.DataFrame
        Of each class, from `open_masks`.
    cutoffs : mapping
        By fold, chosen without it, and class.
    """
    measure = INSTANCE_METRICS[spec.metric]
    folds, index = predictions.folds, masks[spec.classes[0]]
    decide = nested_decisions(cutoffs, masks, folds)
    objects = [open_objects(paths.train_store, name) for name in spec.classes]
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
    of_frames = scores.mean(axis=0)
    low, high = bootstrap_interval(of_frames, index["subject"].to_numpy(), seed=seed)
    return {
        "nested_score": float(of_frames.mean()),
        "nested_score_low": low,
        "nested_score_high": high,
        "all_empty_score": float(empty.mean()),
    }
