"""Trainings on one and on two devices, for which the processor stands in.

TensorFlow is told how many devices a processor is before it starts, so this is a program:
``python -m tests.training.mirrored FOLDER`` writes what test_replicas.py compares.
"""

import sys
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from pipeline.models.losses import LOSSES, DiceCrossEntropyLoss
from pipeline.training.callbacks import Watch
from pipeline.training.checkpoint import Checkpoints
from pipeline.training.phases import Phase
from pipeline.training.replicas import OfWholeBatch, mirrored, share_gradients

from .tiny import train

ONE, TWO = ("cpu:0",), ("cpu:0", "cpu:1")
OVER = ("image", "batch")
PHASES = [Phase(2, 2, 1e-2)]
# Eight frames are trained on, and two validated.
CASES = {
    # Shares of two and two frames; the Dice score is over all of them.
    "even": {
        "batch_size": 4,
        "ema": 0.9,
        "encoder_rate": 0.1,
        "weight_decay": 0.1,
        "average_best": 2,
    },
    # Shares of two frames and one.
    "odd": {
        "batch_size": 3,
        "loss": DiceCrossEntropyLoss(over="image"),
        "presence": True,
        "presence_weight": 0.5,
        "clip_norm": 0.05,
    },
}


def split_processor():
    """Let TensorFlow see two processors."""
    processor = tf.config.list_physical_devices("CPU")[0]
    devices = [tf.config.LogicalDeviceConfiguration()] * len(TWO)
    tf.config.set_logical_device_configuration(processor, devices)


def build(presence):
    """Return a network with batch normalisation, a penalty and maybe a presence head."""
    frames = keras.Input((None, None, 1))
    x = keras.layers.Rescaling(1 / 255)(frames)
    penalty = keras.regularizers.L2(0.01)
    options = {"padding": "same", "use_bias": False, "kernel_regularizer": penalty}
    x = keras.layers.Conv2D(4, 3, name="block1_conv1", **options)(x)
    x = keras.layers.BatchNormalization(momentum=0.9)(x)
    x = keras.layers.ReLU()(x)
    mask = keras.layers.Conv2D(1, 3, padding="same")(x)
    if not presence:
        return keras.Model(frames, mask)
    pooled = keras.layers.GlobalMaxPooling2D()(x)
    return keras.Model(frames, {"mask": mask, "presence": keras.layers.Dense(1)(pooled)})


def train_case(folder, name, devices):
    """Return the mean loss after every step of an epoch, the weights and the scores, by name."""
    losses = []
    watch = Watch.on_train_batch_end

    def note(self, batch, logs=None):
        losses.append(float(logs["loss"]))
        watch(self, batch, logs)

    changes = {"ema": None, "weight_decay": None, "average_best": 1, **CASES[name]}
    presence = changes.get("presence", False)
    Watch.on_train_batch_end = note
    try:
        weights, best, log = train(
            folder, phases=PHASES, network=lambda _: build(presence), devices=devices, **changes
        )
    finally:
        Watch.on_train_batch_end = watch
    results = {f"weights{i}": array for i, array in enumerate(weights)}
    return results | {"losses": losses, "scores": [best, *map(float, log[1:])]}


def train_in_two_parts(folder, name):
    """Return the same of a training on two devices that was stopped after its first epoch."""
    save = Checkpoints.save

    def save_and_stop(*args):
        save(*args)
        raise KeyboardInterrupt

    Checkpoints.save = save_and_stop
    try:
        train_case(folder, name, TWO)
    except KeyboardInterrupt:
        Checkpoints.save = save
    return train_case(folder, name, TWO)


def compute_losses(shares):
    """Return every loss and its gradient, of a whole batch and of two replicas with shares."""
    rng = np.random.default_rng(0)
    shape = (sum(shares), 8, 8, 2)
    logits = rng.normal(size=shape).astype(np.float32)
    masks = (rng.random(shape) < 0.3).astype(np.float32)
    losses = {f"{kind}-{over}": LOSSES[kind](over=over) for kind in LOSSES for over in OVER}

    def evaluate(losses, y_true, y_pred):
        results = {}
        for name, loss in losses.items():
            with tf.GradientTape() as tape:
                tape.watch(y_pred)
                value = loss(y_true, y_pred)
            results[name] = (value, tape.gradient(value, y_pred))
        return results

    whole = evaluate(losses, tf.constant(masks), tf.constant(logits))
    with mirrored(TWO):
        strategy = tf.distribute.get_strategy()
        of_batch = {name: OfWholeBatch(loss) for name, loss in losses.items()}

        @tf.function
        def run(y_true, y_pred):
            return strategy.run(evaluate, (of_batch, y_true, y_pred))

        shared = run(*(_distribute(np.split(array, shares[:1])) for array in (masks, logits)))
    results = {}
    for name in losses:
        values, gradients = map(strategy.experimental_local_results, shared[name])
        results[f"{name}/one/value"], results[f"{name}/one/gradient"] = whole[name]
        results[f"{name}/two/value"] = sum(values)  # as gradients are summed
        results[f"{name}/two/gradient"] = np.concatenate(gradients)
    return results


def apply_gradients(optimizer, *gradients):
    """Return two weights on each replica that were 0, after a step with its own gradient."""
    with mirrored(TWO):
        strategy = tf.distribute.get_strategy()
        weights = keras.Variable(np.zeros(2, np.float32))
        optimizer.build([weights])
        share_gradients(optimizer)

        @tf.function
        def run(own):
            strategy.run(lambda gradient: optimizer.apply([gradient], [weights]), (own,))

        run(_distribute(np.array(gradients, np.float32)))
        return [value.numpy() for value in strategy.experimental_local_results(weights.value)]


def _distribute(values):
    return tf.distribute.get_strategy().experimental_distribute_values_from_function(
        lambda context: tf.constant(values[context.replica_id_in_sync_group])
    )


def main(folder):
    """Write everything into one file."""
    split_processor()
    trainings = {f"{name}/one": train_case(folder / f"{name}1", name, ONE) for name in CASES}
    trainings |= {f"{name}/two": train_case(folder / f"{name}2", name, TWO) for name in CASES}
    trainings["even/parts"] = train_in_two_parts(folder / "parts", "even")
    results = {f"{a}/{b}": value for a, case in trainings.items() for b, value in case.items()}
    results |= compute_losses((2, 1))
    with mirrored(TWO):
        clipping = keras.optimizers.SGD(1.0, global_clipnorm=0.5)
        scaling = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(1.0))
    results["clipped"] = apply_gradients(clipping, [3, 0], [0, 4])
    results["overflow"] = apply_gradients(scaling, [1, 1], [np.inf, 1])
    np.savez(folder / "results.npz", **results)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
