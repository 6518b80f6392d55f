"""A training of a second: a network of three layers on eight frames of noise.

Run as a program it trains in a folder and stops itself there and then if asked to:
``python -m tests.training.tiny FOLDER [MOMENT]``.
"""

import contextlib
import os
import signal
import sys
from pathlib import Path

import keras
import numpy as np
from dvclive import Live

from pipeline.dataset.batches import TrainingBatches, ValidationBatches
from pipeline.models.losses import DiceCrossEntropyLoss
from pipeline.training import checkpoint
from pipeline.training.checkpoint import Checkpoints
from pipeline.training.fit import Settings, Trainer
from pipeline.training.phases import Phase

PHASES = [Phase(8, 1, 0.2, ["encoder"]), Phase(4, 2, 0.2), Phase(2, 2, 0.2)]


def build(final_stride):
    """Return a network with dropout, whose random stream a checkpoint must hold too."""
    frames = keras.Input((None, None, 1))
    x = keras.layers.Rescaling(1 / 255)(frames)
    x = keras.layers.Conv2D(4, 3, padding="same", activation="relu", name="block1_conv1")(x)
    x = keras.layers.Dropout(0.3)(x)
    x = keras.layers.Conv2D(1, final_stride, padding="same", name=f"score{final_stride}")(x)
    return keras.Model(frames, x)


def build_with_presence(final_stride):
    """Return the same with a presence head."""
    mask = build(final_stride)
    pooled = keras.layers.GlobalMaxPooling2D()(mask.output)
    presence = keras.layers.Dense(1, name="presence")(pooled)
    return keras.Model(mask.input, {"mask": mask.output, "presence": presence})


def train(
    folder,
    *,
    phases=PHASES,
    fingerprint="same",
    network=build,
    presence=False,
    devices=("cpu:0",),
    batch_size=2,
    **changes,
):
    """Train from the newest checkpoint in `folder`; return the weights, the score and the log."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (10, 16, 16, 1), dtype=np.uint8)
    masks = (images[..., 0] > 200).astype(np.uint8)
    rows = np.arange(10)
    checkpoints = Checkpoints(folder / "checkpoints", fingerprint)
    checkpoints.prepare()
    options = {"loss": DiceCrossEntropyLoss(), "ema": 0.9, "warmup_epochs": 0.5}
    options |= {"weight_decay": 0.01, "average_best": 2, "seed": 1, **changes}
    with Live(str(folder / "live"), save_dvc_exp=False, dvcyaml=None, monitor_system=False) as live:
        trainer = Trainer(
            TrainingBatches(
                images,
                masks,
                rows[:8],
                batch_size=batch_size,
                augmentation="light",
                seed=3,
                fold=0,
                presence=presence,
            ),
            ValidationBatches(images, masks, rows[8:], batch_size=batch_size, presence=presence),
            settings=Settings(**options),
            checkpoints=checkpoints,
            live=live,
            devices=devices,
        )
        model, progress = trainer.fit(network, phases)
    log = (folder / "live" / "plots" / "metrics" / "val" / "dice.tsv").read_text()
    return model.get_weights(), progress.best, [line.split("\t")[-1] for line in log.splitlines()]


def _kill_at(moment, write):
    """Return a `write` that ends the process before, during or after the third checkpoint."""
    calls = []

    def killing(*args, **arrays):
        calls.append(args)
        if len(calls) == 3:
            if moment == "during":
                args[0].write_bytes(b"PK half a file")
            if moment == "after":
                write(*args, **arrays)
                args[0].rename(args[0].with_name(args[0].name.removeprefix(".partial-")))
            os.kill(os.getpid(), signal.SIGKILL)
        write(*args, **arrays)

    return killing


def _main(folder, moment=None):
    if moment is not None:
        checkpoint.np.savez = _kill_at(moment, np.savez)
    weights, score, log = train(Path(folder))
    np.savez(Path(folder) / "weights.npz", score, np.array(log), *weights)


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):
        _main(*sys.argv[1:])
