"""One network on several devices of a host, trained as on one device that sees the whole batch.

Each device holds a replica of the network and takes its share of every batch, under TensorFlow's
`MirroredStrategy`. Left alone each replica would see its share and no more: its own Dice score,
its own mean and variance in batch normalisation, its own norm of the gradient.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cache

import keras
import tensorflow as tf
from keras import ops


def mirrored(devices: Sequence[str]) -> AbstractContextManager:
    """Return the context in which a network and its optimizer are made and trained.

    Parameters
    ----------
    devices : sequence of str
        Such as ``gpu:0``. With one device the context does nothing.
    """
    return nullcontext() if len(devices) == 1 else _strategy(*devices).scope()


@cache
def _strategy(*devices: str) -> tf.distribute.Strategy:
    """Return the one strategy of these devices; TensorFlow mixes up the sums of two of them."""
    return tf.distribute.MirroredStrategy(devices)


def count_replicas() -> int:
    """Return how many replicas the present context has."""
    return tf.distribute.get_strategy().num_replicas_in_sync


class OfWholeBatch(keras.losses.Loss):
    """A loss of all replicas' images together, the same on each replica.

    Logits are few beside what a network computes, so they are gathered: a loss then needs to know
    nothing of replicas, whether it sums over images, divides sums or sorts all pixels. Shares may
    be unequal, as those of an odd batch are, or empty.

    Parameters
    ----------
    loss : keras.losses.Loss
        Of masks and logits, both with the images first.
    """

    def __init__(self, loss: keras.losses.Loss) -> None:
        super().__init__(name=loss.name)
        self.loss = loss

    def call(self, y_true, y_pred):
        """Return the loss per image of the whole batch (N,), or of it all (1,)."""
        losses = self.loss.call(*_gather(y_true, y_pred))
        # Keras divides a mean by the number of replicas, as their gradients are summed, but leaves
        # a scalar as it is.
        return ops.reshape(losses, (-1,))


def _gather(*tensors: tf.Tensor) -> list[tf.Tensor]:
    replica = tf.distribute.get_replica_context()
    if replica is None:  # Keras only asks for shapes
        return list(tensors)
    gathered = replica.all_gather(list(tensors), axis=0)
    return [
        tf.ensure_shape(whole, [None, *own.shape[1:]])
        for whole, own in zip(gathered, tensors, strict=True)
    ]


def build_at_once(model: keras.Model, batch: tuple) -> None:
    """Make what a compiled network has not made yet: the variables of losses and metrics.

    Keras would make them at the start of `fit`, from a first batch that it takes off and averages
    over the replicas, which fails where their shares are unequal.
    """
    model._symbolic_build(data_batch=batch)
    model._maybe_symbolic_build = lambda **_: None


def synchronize_norms(model: keras.Model) -> None:
    """Let batch normalisation take mean and variance over all replicas."""
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            synchronize_norms(layer)
        elif isinstance(layer, keras.layers.BatchNormalization):
            layer.synchronized = True


def share_gradients(optimizer: keras.optimizers.Optimizer) -> None:
    """Give each replica an equal part of the whole gradient in place of its images' part.

    Keras sums the parts after it has looked for numbers that are not finite and clipped the norm,
    each replica for itself: one replica's overflow in float16 would go unseen, and a norm be that
    of a part. So the norm is clipped at an equal part of `global_clipnorm`, too.
    """
    apply = optimizer.apply

    def apply_part(grads, trainable_variables=None):
        replica = tf.distribute.get_replica_context()
        total = replica.all_reduce(tf.distribute.ReduceOp.SUM, list(grads))
        parts = [whole / replica.num_replicas_in_sync for whole in total]
        return apply(parts, trainable_variables)

    optimizer.apply = apply_part
