"""From one frame's prediction to its masks at original size."""

from collections.abc import Callable, Sequence

import numpy as np

from pipeline.dataset.images import resize_prob_map
from pipeline.masks.clean import Cutoffs, apply_cutoffs

Size = tuple[int, int]
# A prediction, see `prediction_type`, and the original height and width to bool (H, W, classes).
Decision = Callable[[np.void, Size], np.ndarray]
Reshape = Callable[[np.ndarray], np.ndarray]


def by_cutoffs(of_classes: Sequence[tuple[Cutoffs, Reshape]]) -> Decision:
    """Return what applies each class's cut-offs to its map, drawn to their shape prior before.

    Parameters
    ----------
    of_classes : sequence of (Cutoffs, callable)
        As tuned, and what `make_shape_prior` gives for them.
    """

    def decide(prediction: np.void, size: Size) -> np.ndarray:
        masks = [
            apply_cutoffs(resize_prob_map(reshape(prob_map), *size), float(presence), cutoffs)
            for (cutoffs, reshape), prob_map, presence in zip(
                of_classes, prediction["prob_map"], prediction["presence"], strict=True
            )
        ]
        return np.stack(masks, axis=-1)

    return decide


def largest_wins(prediction: np.void, size: Size) -> np.ndarray:
    """Give each pixel the most probable of classes that exclude each other."""
    maps = np.stack([resize_prob_map(one, *size) for one in prediction["prob_map"]], axis=-1)
    return maps.argmax(axis=-1)[..., None] == np.arange(maps.shape[-1])
