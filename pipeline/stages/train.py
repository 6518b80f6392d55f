"""Train one fold."""

import keras
import numpy as np

from pipeline import runtime
from pipeline.atomic import atomic_file
from pipeline.dataset.batches import TrainingBatches, ValidationBatches
from pipeline.dataset.store import Store, open_store
from pipeline.errors import InputError
from pipeline.inference.predict import load_model, write_prob_maps
from pipeline.models.fcn import build_fcn
from pipeline.models.losses import LOSSES
from pipeline.models.pretrained import load_encoder_weights
from pipeline.models.vgg16 import set_encoder_weights
from pipeline.params import Params
from pipeline.paths import Paths
from pipeline.progress import progress_bar
from pipeline.stages.folds import read_folds
from pipeline.training.fit import fit


def run(params: Params, paths: Paths, fold: int) -> str:
    """Write the fold's best model and its out-of-fold probability maps; return what was written."""
    check_fold(params, fold)
    store = open_store(paths.train_store, **params.preprocess.model_dump())
    folds = read_folds(params, paths, store.index)
    rows = np.arange(len(folds))
    training, validation = rows[folds != fold], rows[folds == fold]
    score = _fit_fold(params, paths, fold, store, training, validation)
    with progress_bar("Out-of-fold maps", len(validation)) as advance:
        write_prob_maps(
            paths.oof(fold),
            [load_model(paths.model(fold))],
            store.images,
            validation,
            views=params.predict.views,
            batch_size=params.predict.batch_size,
            advance=advance,
        )
    return f"{paths.model(fold)}: validation Dice {score:.4f} at network size"


def check_fold(params: Params, fold: int) -> None:
    """Raise InputError unless the fold is one of ``folds.indices``."""
    if fold not in params.folds.indices:
        raise InputError(f"fold: expected one of {list(params.folds.indices)}, got {fold}")


def _fit_fold(
    params: Params,
    paths: Paths,
    fold: int,
    store: Store,
    training: np.ndarray,
    validation: np.ndarray,
) -> float:
    settings = params.train
    keras.utils.set_random_seed(params.seed * 1000 + fold)
    keras.config.set_dtype_policy(runtime.choose_precision(settings.precision))
    model = build_fcn(
        channels=params.preprocess.channels,
        final_stride=params.model.final_stride,
        width=params.model.width,
    )
    set_encoder_weights(model, load_encoder_weights(paths.encoder))
    score = fit(
        model,
        TrainingBatches(
            store.images,
            store.masks,
            training,
            batch_size=settings.batch_size,
            augmentation=settings.augmentation,
            seed=params.seed,
            fold=fold,
        ),
        ValidationBatches(
            store.images, store.masks, validation, batch_size=params.predict.batch_size
        ),
        loss=LOSSES[settings.loss](over=settings.dice_over),
        epochs=settings.epochs,
        learning_rate=settings.learning_rate,
        warmup_epochs=settings.warmup_epochs,
        log_dir=paths.training_log(fold),
    )
    with atomic_file(paths.model(fold)) as beside:
        model.save(beside)
    return score
