"""Fit a network on one fold, phase by phase, and leave it with its best epoch's weights."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import keras
import numpy as np
from dvclive import Live

from pipeline.dataset.batches import TrainingBatches, ValidationBatches
from pipeline.models.losses import DiceOnPositives, EmptyShare, ForegroundShare, MeanDice
from pipeline.runtime import jit_compile
from pipeline.training.callbacks import (
    BestEpoch,
    LogEpoch,
    Progress,
    SaveCheckpoint,
    Watch,
    log_metrics,
    unpack,
)
from pipeline.training.checkpoint import Checkpoints
from pipeline.training.optimizer import make_optimizer
from pipeline.training.phases import Phase, carry_over, freeze


class Settings(NamedTuple):
    """What all phases have in common; see ``params.yaml``.

    Attributes
    ----------
    loss : keras.losses.Loss
        On masks and logits.
    warmup_epochs : float
        Rise of the rate, at most half of a phase.
    encoder_rate : float
        The encoder's share of the rate.
    clip_norm : float or None
        Largest norm of the gradient.
    ema : float or None
        Momentum of the average of the weights that is validated and kept.
    patience : int or None
        Epochs without a better score after which a phase ends.
    """

    loss: keras.losses.Loss
    warmup_epochs: float = 0.0
    encoder_rate: float = 1.0
    clip_norm: float | None = None
    ema: float | None = None
    patience: int | None = None


def fit(
    build: Callable[[int], keras.Model],
    phases: Sequence[Phase],
    training: TrainingBatches,
    validation: ValidationBatches,
    *,
    settings: Settings,
    checkpoints: Checkpoints,
    live: Live,
) -> tuple[keras.Model, float]:
    """Train through all phases, from the newest checkpoint where there is one.

    A training that was killed and goes on ends with the same bits as one that was not.

    Parameters
    ----------
    build : callable
        Takes a final stride, gives a new network from raw frames to logits.
    phases : sequence of Phase
        Each starts from the best weights of the one before.
    checkpoints : Checkpoints
        Prepared; one is saved after each epoch.
    live : dvclive.Live
        Gets the metrics of every epoch, those before a kill included.

    Returns
    -------
    model : keras.Model
        With the weights of the last phase's best epoch.
    score : float
        That epoch's mean Dice on the validation frames, at network size and probability 0.5.

    Raises
    ------
    InputError
        The loss is no number.
    """
    state, progress = checkpoints.load() or (None, {})
    progress = Progress(**progress)
    if progress.history:
        print(f"going on after epoch {len(progress.history)}")
    for logs in progress.history:
        log_metrics(live, logs)
    model = None
    for number, phase in list(enumerate(phases))[progress.phase :]:
        previous, model = model, build(phase.final_stride)
        if previous is not None:
            carry_over(previous, model)
            progress = Progress(phase=number, history=progress.history)
        freeze(model, phase.frozen)
        _compile(model, phase, len(training), settings)
        best_weights = unpack(model, state) if state else []
        state = None
        _fit_phase(
            model, phase, training, validation, settings, progress, best_weights, checkpoints, live
        )
    return model, progress.best


def _compile(model: keras.Model, phase: Phase, steps: int, settings: Settings) -> None:
    optimizer = make_optimizer(
        steps=phase.epochs * steps,
        warmup_steps=round(min(settings.warmup_epochs, phase.epochs / 2) * steps),
        learning_rate=phase.learning_rate,
        encoder_rate=settings.encoder_rate,
        clip_norm=settings.clip_norm,
        ema=settings.ema,
    )
    model.compile(
        optimizer=optimizer,
        loss=settings.loss,
        metrics=[MeanDice(), DiceOnPositives(), EmptyShare(), ForegroundShare()],
        jit_compile=jit_compile(),
    )
    optimizer.build(model.trainable_variables)


def _fit_phase(
    model: keras.Model,
    phase: Phase,
    training: TrainingBatches,
    validation: ValidationBatches,
    settings: Settings,
    progress: Progress,
    best_weights: list[np.ndarray],
    checkpoints: Checkpoints,
    live: Live,
) -> None:
    stopped_early = settings.patience is not None and progress.waited >= settings.patience
    if progress.epoch == phase.epochs or stopped_early:  # killed after the phase's last epoch
        model.set_weights(best_weights)
        return
    training.epoch = len(progress.history)
    callbacks = [
        keras.callbacks.ProgbarLogger(),  # first, so that its line ends before ours begins
        BestEpoch(progress, best_weights, settings.patience),
        Watch(progress, len(training) * training.batch_size, phase.epochs),
        LogEpoch(progress, live),
        SaveCheckpoint(progress, best_weights, checkpoints),
    ]
    if settings.ema is not None:
        callbacks.insert(2, keras.callbacks.SwapEMAWeights())
    model.fit(
        training,
        validation_data=validation,
        initial_epoch=progress.epoch,
        epochs=phase.epochs,
        callbacks=callbacks,
        shuffle=False,  # the batches shuffle themselves, in an order that a resumed run finds again
    )
