"""Score objects: the pieces of out-of-fold masks against the true objects of each image."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from pipeline.competitions.spec import Spec
from pipeline.dataset.images import resize_prob_map
from pipeline.dataset.store import open_objects
from pipeline.masks import rle
from pipeline.masks.clean import Cutoffs, apply_cutoffs
from pipeline.masks.evaluation import bootstrap_interval
from pipeline.masks.instances import INSTANCE_METRICS, split_pieces
from pipeline.masks.shapes import make_shape_prior
from pipeline.paths import Paths
from pipeline.progress import progress_bar
from pipeline.stages.out_of_fold import OutOfFold


def score_objects(
    paths: Paths,
    spec: Spec,
    masks: Mapping[str, pd.DataFrame],
    cutoffs: Mapping[str, Mapping[int, Cutoffs]],
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
        By class and fold, chosen without it.
    """
    measure = INSTANCE_METRICS[spec.metric]
    scores = np.empty((len(spec.classes), len(predictions.folds)))
    empty = np.empty_like(scores)
    with progress_bar("Objects", scores.size) as advance:
        for number, name in enumerate(spec.classes):
            objects = open_objects(paths.train_store, name)
            frames = zip(predictions, predictions.folds, masks[name].itertuples(), strict=True)
            for row, (prediction, fold, frame) in enumerate(frames):
                shape, chosen = (frame.height, frame.width), cutoffs[name][fold]
                others = masks[name][predictions.folds != fold]
                prob_map = make_shape_prior(chosen.shape_prior, others)(
                    prediction["prob_map"][number]
                )
                presence = float(prediction["presence"][number])
                mask = apply_cutoffs(resize_prob_map(prob_map, *shape), presence, chosen)
                true = [rle.decode(runs, shape) for runs in objects.get(frame.id, [])]
                scores[number, row] = measure(true, split_pieces(mask))
                empty[number, row] = measure(true, [])
                advance()
    of_frames = scores.mean(axis=0)
    subjects = masks[spec.classes[0]]["subject"].to_numpy()
    low, high = bootstrap_interval(of_frames, subjects, seed=seed)
    return {
        "nested_score": float(of_frames.mean()),
        "nested_score_low": low,
        "nested_score_high": high,
        "all_empty_score": float(empty.mean()),
    }
