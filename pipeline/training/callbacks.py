"""What happens after each epoch: keep the best, note it, warn, and save."""

import math
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

import keras
import numpy as np
from dvclive import Live

from pipeline.errors import InputError
from pipeline.training.checkpoint import Checkpoints

STUCK_EPOCHS = 3

Weights = list[np.ndarray]  # of `keras.Model.get_weights`


@dataclass
class Progress:
    """How far a training is; what a checkpoint holds besides arrays.

    Attributes
    ----------
    phase, epoch : int
        The phase that runs and how many of its epochs are done.
    kept : list of float
        The best validation scores of this phase, best first: mean Dice at network size and
        probability 0.5, or the mean IoU of exclusive classes. Their weights lie beside.
    waited : int
        Epochs since the best of them.
    history : list of dict
        The metrics of every epoch of all phases.
    """

    phase: int = 0
    epoch: int = 0
    kept: list[float] = field(default_factory=list)
    waited: int = 0
    history: list[dict[str, float]] = field(default_factory=list)

    @property
    def best(self) -> float:
        """The best validation score of this phase."""
        return self.kept[0]


def score_of(logs: Mapping[str, float], prefix: str = "") -> float:
    """Return the metric that says which epoch is best: Dice, or the IoU of exclusive classes."""
    return float(logs[f"{prefix}iou"] if f"{prefix}iou" in logs else logs[f"{prefix}dice"])


class MaskMetrics(keras.callbacks.Callback):
    """Give the mask's metrics the names that they have without a presence head. Stands first."""

    def on_test_end(self, logs: dict[str, float] | None = None) -> None:
        """Rename before an epoch is compared."""
        strip_output(logs)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Rename before an epoch is logged."""
        strip_output(logs)


def strip_output(logs: dict[str, float]) -> None:
    """Take the output's name out of the mask's metrics."""
    for name in [name for name in logs if "mask_" in name and not name.endswith("loss")]:
        logs[name.replace("mask_", "")] = logs.pop(name)


class BestEpochs(keras.callbacks.Callback):
    """Keep the weights of the phase's best validation scores, and stop after `patience` epochs.

    Stands before Keras' SwapEMAWeights, so that it sees the averaged weights.
    """

    def __init__(
        self, progress: Progress, kept: list[Weights], count: int, patience: int | None
    ) -> None:
        super().__init__()
        self.progress, self.kept, self.count, self.patience = progress, kept, count, patience

    def on_test_end(self, logs: dict[str, float] | None = None) -> None:
        """Compare this epoch's score."""
        score = score_of(logs)
        rank = sum(score <= other for other in self.progress.kept)
        self.progress.waited = self.progress.waited + 1 if rank else 0
        if rank < self.count:
            self.progress.kept.insert(rank, score)
            self.kept.insert(rank, self.model.get_weights())
            del self.progress.kept[self.count :], self.kept[self.count :]

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Stop where nothing got better for long."""
        if self.patience is not None and self.progress.waited >= self.patience:
            print(f"no better epoch for {self.patience}: stopped early")
            self.model.stop_training = True


class Watch(keras.callbacks.Callback):
    """Stop at a loss that is no number; say what each epoch brought, and when it is stuck."""

    def __init__(self, progress: Progress, images: int, epochs: int) -> None:
        super().__init__()
        self.progress, self.images, self.epochs = progress, images, epochs

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Start the clock."""
        self.begun = self.trained = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Raise InputError where the loss is not finite."""
        if not math.isfinite(logs["loss"]):
            raise InputError(
                f"train: the loss is {float(logs['loss'])} at batch {batch + 1} of epoch"
                f" {len(self.progress.history) + 1}; try a lower train.learning_rate,"
                " train.clip_norm: 1.0 or train.precision: float32"
            )
        self.trained = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Print one line; add images and seconds of training alone to the metrics."""
        now = time.perf_counter()
        logs["images"], logs["seconds"] = self.images, self.trained - self.begun
        rate = self.images / logs["seconds"]
        left = (now - self.begun) * (self.epochs - epoch - 1)
        print(
            f"epoch {epoch + 1}/{self.epochs}: loss {logs['loss']:.4f}, {_describe(logs)},"
            f" {rate:.1f} images/s, {left / 60:.1f} min left"
        )
        self._warn_if_stuck(logs)

    def _warn_if_stuck(self, logs: dict[str, float]) -> None:
        recent = [*self.progress.history, logs][-STUCK_EPOCHS:]
        for metric, what in (("val_empty", "empty"), ("val_foreground", "foreground only")):
            stuck = [entry.get(metric, 0) > 0.999 for entry in recent]
            if len(stuck) == STUCK_EPOCHS and all(stuck):
                print(
                    f"warning: every frame was predicted {what} for {STUCK_EPOCHS} epochs; try"
                    " train.loss: dice_bce, or another train.learning_rate",
                    file=sys.stderr,
                )


def _describe(logs: Mapping[str, float]) -> str:
    if "val_iou" in logs:
        return (
            f"validation mean IoU {logs['val_iou']:.4f}"
            f" ({logs['val_accuracy']:.1%} of the pixels right)"
        )
    return (
        f"validation Dice {logs['val_dice']:.4f}"
        f" ({logs['val_dice_positive']:.4f} where there is a mask,"
        f" {logs['val_empty']:.0%} predicted empty)"
    )


class LogEpoch(keras.callbacks.Callback):
    """Note each epoch's metrics, and write them through DVCLive."""

    def __init__(self, progress: Progress, live: Live) -> None:
        super().__init__()
        self.progress, self.live = progress, live

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Write ``train/...`` and ``val/...``."""
        self.progress.history.append({name: float(value) for name, value in logs.items()})
        log_metrics(self.live, self.progress.history[-1])


def log_metrics(live: Live, logs: dict[str, float]) -> None:
    """Write one epoch's metrics as ``train/...`` and ``val/...``."""
    for name, value in logs.items():
        split, metric = ("val", name[4:]) if name.startswith("val_") else ("train", name)
        live.log_metric(f"{split}/{metric}", value)
    live.next_step()


class SaveCheckpoint(keras.callbacks.Callback):
    """Save everything that the next epoch depends on. Stands last."""

    def __init__(self, progress: Progress, kept: list[Weights], checkpoints: Checkpoints) -> None:
        super().__init__()
        self.progress, self.kept, self.checkpoints = progress, kept, checkpoints

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Save model, optimizer and best weights."""
        self.progress.epoch = epoch + 1
        state = pack(self.model, self.kept)
        self.checkpoints.save(len(self.progress.history), state, asdict(self.progress))


def pack(model: keras.Model, kept: list[Weights]) -> dict[str, np.ndarray]:
    """Return everything that the next epoch depends on; random streams are model variables."""
    state = pack_kept(kept)
    for name, variables in _variables(model).items():
        state |= {f"{name}/{i}": variable.numpy() for i, variable in enumerate(variables)}
    return state


def unpack(model: keras.Model, state: dict[str, np.ndarray]) -> None:
    """Set model and optimizer to a state of `pack`."""
    for name, variables in _variables(model).items():
        for i, variable in enumerate(variables):
            variable.assign(state[f"{name}/{i}"])


def pack_kept(kept: list[Weights]) -> dict[str, np.ndarray]:
    """Return the weights of the best epochs as named arrays."""
    return {
        f"kept/{rank}/{i}": array
        for rank, weights in enumerate(kept)
        for i, array in enumerate(weights)
    }


def kept_of(state: dict[str, np.ndarray]) -> list[Weights]:
    """Return the weights of the best epochs, of a state of `pack` or `pack_kept`."""
    kept: dict[int, dict[int, np.ndarray]] = {}
    for name, array in state.items():
        if name.startswith("kept/"):
            rank, i = map(int, name.split("/")[1:])
            kept.setdefault(rank, {})[i] = array
    return [[kept[rank][i] for i in sorted(kept[rank])] for rank in sorted(kept)]


def mean_weights(kept: list[Weights]) -> Weights:
    """Return the mean of several networks' weights."""
    return [np.mean(arrays, axis=0, dtype=np.float64) for arrays in zip(*kept, strict=True)]


def _variables(model: keras.Model) -> dict[str, list]:
    return {"model": model.variables, "optimizer": model.optimizer.variables}
