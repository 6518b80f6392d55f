"""Fit a network on one fold and keep its best epoch."""

from pathlib import Path

import keras
import numpy as np
from dvclive import Live

from pipeline.dataset.batches import TrainingBatches, ValidationBatches
from pipeline.models.losses import MeanDice
from pipeline.runtime import jit_compile


def fit(
    model: keras.Model,
    training: TrainingBatches,
    validation: ValidationBatches,
    *,
    loss: keras.losses.Loss,
    epochs: int,
    learning_rate: float,
    warmup_epochs: float,
    log_dir: Path,
) -> float:
    """Train `model` with Adam, warm-up and cosine decay; leave it with its best epoch's weights.

    Parameters
    ----------
    model : keras.Model
        Raw frames to logits.
    learning_rate : float
        The peak, reached after `warmup_epochs`.
    log_dir : Path
        DVCLive writes the metrics of each epoch here.

    Returns
    -------
    float
        The best epoch's validation score, the mean Dice at network size and probability 0.5.
    """
    steps = len(training)
    warmup_steps = round(warmup_epochs * steps)
    schedule = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0 if warmup_steps else learning_rate,
        warmup_target=learning_rate if warmup_steps else None,
        warmup_steps=warmup_steps,
        decay_steps=epochs * steps - warmup_steps,
    )
    model.compile(
        optimizer=keras.optimizers.Adam(schedule),
        loss=loss,
        metrics=[MeanDice()],
        jit_compile=jit_compile(),
    )
    best = BestEpoch()
    with Live(str(log_dir), save_dvc_exp=False, dvcyaml=None) as live:
        model.fit(
            training,
            validation_data=validation,
            epochs=epochs,
            callbacks=[best, LogEpoch(live)],
        )
        live.summary["best_dice"] = best.score
        live.make_summary()
    return best.score


class BestEpoch(keras.callbacks.Callback):
    """Keep the weights of the epoch with the best validation score; set them at the end."""

    def __init__(self) -> None:
        super().__init__()
        self.score = -np.inf
        self.weights: list[np.ndarray] = []

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Compare this epoch's score."""
        if logs["val_dice"] > self.score:
            self.score = float(logs["val_dice"])
            self.weights = self.model.get_weights()

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        """Go back to the best epoch."""
        self.model.set_weights(self.weights)


class LogEpoch(keras.callbacks.Callback):
    """Write each epoch's metrics through DVCLive."""

    def __init__(self, live: Live) -> None:
        super().__init__()
        self.live = live

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Write ``train/...`` and ``val/...``."""
        for name, value in logs.items():
            split, metric = ("val", name[4:]) if name.startswith("val_") else ("train", name)
            self.live.log_metric(f"{split}/{metric}", float(value))
        self.live.next_step()
