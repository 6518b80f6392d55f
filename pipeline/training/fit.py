"""Fit a network on one fold, phase by phase, and leave it with its best epoch's weights."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import NamedTuple

import keras
import numpy as np
from dvclive import Live

from pipeline.dataset.batches import TrainingBatches, ValidationBatches
from pipeline.models.losses import MaskLoss
from pipeline.models.metrics import (
    DiceOnPositives,
    EmptyShare,
    ForegroundShare,
    MeanDice,
    MeanIoU,
    PixelAccuracy,
)
from pipeline.models.outputs import count_classes
from pipeline.runtime import jit_compile
from pipeline.training.callbacks import (
    BestEpochs,
    LogEpoch,
    MaskMetrics,
    Progress,
    SaveCheckpoint,
    Watch,
    Weights,
    kept_of,
    log_metrics,
    mean_weights,
    pack_kept,
    score_of,
    strip_output,
    unpack,
)
from pipeline.training.checkpoint import Checkpoints
from pipeline.training.optimizer import make_optimizer
from pipeline.training.phases import Phase, carry_over, freeze, phase_seed
from pipeline.training.replicas import (
    OfWholeBatch,
    build_at_once,
    count_replicas,
    mirrored,
    share_gradients,
    synchronize_norms,
)


class Settings(NamedTuple):
    """What all phases have in common; see ``params.yaml``.

    Attributes
    ----------
    loss : MaskLoss
        On masks and logits.
    warmup_epochs : float
        Rise of the rate, at most half of a phase.
    encoder_rate : float
        The encoder's share of the rate.
    clip_norm : float or None
        Largest norm of the gradient.
    ema : float or None
        Momentum of the average of the weights that is validated and kept.
    weight_decay : float or None
        Share of each kernel that is taken off at a step, times the rate.
    presence_weight : float
        Of the cross-entropy of the presence head, where the network has one, beside `loss`.
    patience : int or None
        Epochs without a better score after which a phase ends.
    average_best : int
        How many epochs' weights are averaged at the end of a phase.
    seed : int
        Of the first phase's network; see `phase_seed` for the others'.
    """

    loss: MaskLoss
    warmup_epochs: float = 0.0
    encoder_rate: float = 1.0
    clip_norm: float | None = None
    ema: float | None = None
    weight_decay: float | None = None
    presence_weight: float = 0.0
    patience: int | None = None
    average_best: int = 1
    seed: int = 0


@dataclass(frozen=True)
class Trainer:
    """A training that goes on from its newest checkpoint.

    Attributes
    ----------
    training, validation
        The frames of all phases.
    settings : Settings
        What all phases have in common.
    checkpoints : Checkpoints
        Prepared; one is saved after each epoch.
    live : dvclive.Live
        Gets the metrics of every epoch, those before a kill included.
    devices : sequence of str
        Each trains on a share of every batch; see `pipeline.training.replicas`.
    """

    training: TrainingBatches
    validation: ValidationBatches
    settings: Settings
    checkpoints: Checkpoints
    live: Live
    devices: Sequence[str]

    def fit(
        self, build: Callable[[int], keras.Model], phases: Sequence[Phase]
    ) -> tuple[keras.Model, Progress]:
        """Train through all phases.

        A training that was killed and goes on ends with the same bits as one that was not.

        Parameters
        ----------
        build : callable
            Takes a final stride, gives a new network from raw frames to logits.
        phases : sequence of Phase
            Each starts from the best weights of the one before.

        Returns
        -------
        model : keras.Model
            With the weights of the last phase's best epoch, or the mean of its best ones'.
        progress : Progress
            The score of these, and the metrics of every epoch.

        Raises
        ------
        InputError
            The loss is no number.
        """
        state, saved = self.checkpoints.load() or ({}, {})
        progress = Progress(**saved)
        if progress.history:
            print(f"going on after epoch {len(progress.history)}")
        for logs in progress.history:
            log_metrics(self.live, logs)
        if len(self.devices) > 1:
            self.training.make_in_turn(threads=2 * len(self.devices))
        model = None
        with mirrored(self.devices):
            for number, phase in list(enumerate(phases))[progress.phase :]:
                # Anew for each: a training that goes on has not built the phases before.
                keras.utils.set_random_seed(phase_seed(self.settings.seed, number))
                previous, model = model, build(phase.final_stride)
                if previous is not None:
                    carry_over(previous, model)
                    progress, state = Progress(phase=number, history=progress.history), {}
                kept = kept_of(state)
                freeze(model, phase.frozen)
                self._compile(model, phase)
                if not self._is_over(phase, progress):
                    self._fit_phase(model, phase, progress, state, kept)
                self._settle(model, progress, kept)
        self.checkpoints.finish(len(progress.history), pack_kept(kept), asdict(progress))
        return model, progress

    def _is_over(self, phase: Phase, progress: Progress) -> bool:
        patience = self.settings.patience
        return progress.epoch == phase.epochs or (
            patience is not None and progress.waited >= patience
        )

    def _fit_phase(
        self,
        model: keras.Model,
        phase: Phase,
        progress: Progress,
        state: dict[str, np.ndarray],
        kept: list[Weights],
    ) -> None:
        if state:
            unpack(model, state)
        self.training.epoch, self.training.scale = len(progress.history), phase.scale
        callbacks = [
            MaskMetrics(),
            keras.callbacks.ProgbarLogger(),  # so early that its line ends before ours begins
            BestEpochs(progress, kept, self.settings.average_best, self.settings.patience),
            Watch(progress, len(self.training) * self.training.batch_size, phase.epochs),
            LogEpoch(progress, self.live),
            SaveCheckpoint(progress, kept, self.checkpoints),
        ]
        if self.settings.ema is not None:
            callbacks.insert(3, keras.callbacks.SwapEMAWeights())
        model.fit(
            self.training,
            validation_data=self.validation,
            initial_epoch=progress.epoch,
            epochs=phase.epochs,
            callbacks=callbacks,
            # The batches shuffle themselves, in an order that a resumed run finds again.
            shuffle=False,
        )

    def _settle(self, model: keras.Model, progress: Progress, kept: list[Weights]) -> None:
        """Leave the model with the best epoch's weights, or with the mean of several if better."""
        if len(kept) > 1:
            model.set_weights(mean_weights(kept))
            logs = model.evaluate(self.validation, verbose=0, return_dict=True)
            strip_output(logs)
            print(
                f"mean weights of the best {len(kept)} epochs: validation score"
                f" {score_of(logs):.4f}, the best epoch's {progress.best:.4f}"
            )
            if score_of(logs) > progress.best:
                progress.kept[0], kept[0] = score_of(logs), model.get_weights()
            del progress.kept[1:], kept[1:]
        model.set_weights(kept[0])

    def _compile(self, model: keras.Model, phase: Phase) -> None:
        steps, settings, replicas = len(self.training), self.settings, len(self.devices)
        optimizer = make_optimizer(
            steps=phase.epochs * steps,
            warmup_steps=round(min(settings.warmup_epochs, phase.epochs / 2) * steps),
            learning_rate=phase.learning_rate,
            encoder_rate=settings.encoder_rate,
            # The gradient's, of which each replica clips an equal part.
            clip_norm=settings.clip_norm and settings.clip_norm / replicas,
            ema=settings.ema,
            weight_decay=settings.weight_decay,
        )
        model.compile(
            optimizer=optimizer,
            jit_compile=jit_compile(),
            **_objective(model, settings),
        )
        model.optimizer.build(model.trainable_variables)
        if replicas > 1:
            synchronize_norms(model)
            share_gradients(model.optimizer)
            build_at_once(model, self.validation[0])


def _objective(model: keras.Model, settings: Settings) -> dict[str, object]:
    """Return losses and metrics, by output where the network has two."""
    if settings.loss.exclusive:
        metrics = [MeanIoU(count_classes(model)), PixelAccuracy()]
    else:
        metrics = [MeanDice(), DiceOnPositives(), EmptyShare(), ForegroundShare()]
    of_batch = OfWholeBatch if count_replicas() > 1 else lambda loss: loss
    if not isinstance(model.output, dict):
        return {"loss": of_batch(settings.loss), "metrics": metrics}
    presence = keras.losses.BinaryCrossentropy(from_logits=True)
    return {
        "loss": {"mask": of_batch(settings.loss), "presence": of_batch(presence)},
        "loss_weights": {"mask": 1.0, "presence": settings.presence_weight},
        "metrics": {"mask": metrics},
    }
