"""A training as phases: one at once, or one after the other from coarse to fine."""

from collections.abc import Sequence
from typing import NamedTuple

import keras
import numpy as np

# Which layers a frozen part holds, by the beginning of their names.
PARTS = {
    "block1": ("block1_",),
    "block2": ("block2_",),
    "encoder": ("block",),
    "head": ("fc6", "fc7"),
    "upsampling": ("upsample_",),
}


class Phase(NamedTuple):
    """One part of a training.

    Attributes
    ----------
    final_stride : int
        Which member of the FCN family is trained.
    epochs : int
        Its length.
    learning_rate : float
        Its peak rate.
    frozen : sequence of str
        Names from `PARTS` that this phase leaves as they are.
    scale : float
        Of the frames that are trained on; validation is always at full size.
    """

    final_stride: int
    epochs: int
    learning_rate: float
    frozen: Sequence[str] = ()
    scale: float = 1.0


def phase_seed(seed: int, number: int) -> int:
    """Return the seed of a phase's network: `seed` itself for the first, a hash for the others.

    The next numbers are the seeds of other folds; a hash meets one in four billion times.

    Parameters
    ----------
    seed : int
        Of the training, 0 to 2 ** 32 - 1.
    number : int
        The phase's, from 0 on.

    Examples
    --------
    >>> phase_seed(42_001, 0)
    42001
    """
    if number == 0:
        return seed
    return int(np.random.SeedSequence((seed, number)).generate_state(1)[0])


def freeze(model: keras.Model, parts: Sequence[str]) -> None:
    """Keep the layers of these parts from being trained; call before compiling.

    Those of a network within the network too: that is where segmentation-models' have theirs.
    """
    beginnings = tuple(beginning for part in parts for beginning in PARTS[part])
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            freeze(layer, parts)
        elif beginnings and layer.name.startswith(beginnings):
            layer.trainable = False


def carry_over(source: keras.Model, target: keras.Model) -> None:
    """Copy the weights of every layer that both networks have by the same name and shape.

    The last upsampling of two members of the FCN family differs in size, and stays as it is.
    """
    names = {layer.name for layer in target.layers}
    for layer in source.layers:
        if layer.name not in names or not layer.weights:
            continue
        twin = target.get_layer(layer.name)
        if [v.shape for v in twin.weights] == [v.shape for v in layer.weights]:
            twin.set_weights(layer.get_weights())
