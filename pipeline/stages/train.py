"""Train one fold."""

from contextlib import AbstractContextManager
from pathlib import Path

import filelock
import keras
import numpy as np
from dvclive import Live

from pipeline import runtime
from pipeline.atomic import atomic_file
from pipeline.competitions.spec import Spec, load_spec
from pipeline.dataset.batches import Classes, TrainingBatches, ValidationBatches
from pipeline.dataset.store import Store, open_store
from pipeline.errors import InputError
from pipeline.inference.predict import load_model, write_predictions
from pipeline.models.fcn import build_fcn
from pipeline.models.losses import LOSSES
from pipeline.models.pretrained import EncoderWeights, load_encoder_weights
from pipeline.models.vgg16 import set_encoder_weights
from pipeline.params import Params
from pipeline.paths import Paths
from pipeline.progress import progress_bar
from pipeline.stages.fingerprint import fingerprint
from pipeline.stages.folds import check_folds, read_folds
from pipeline.training.callbacks import Progress
from pipeline.training.checkpoint import Checkpoints
from pipeline.training.fit import Settings, Trainer
from pipeline.training.phases import Phase


def run(params: Params, paths: Paths, fold: int, *, restart: bool = False, wait: float = 0) -> str:
    """Write the fold's best model and its out-of-fold probability maps; return what was written.

    With several GPUs each trains on a share of every batch; ``CUDA_VISIBLE_DEVICES`` chooses them.

    Parameters
    ----------
    restart : bool
        Start anew, also where a killed training of the same data and parameters could go on.
    wait : float
        Seconds that another process which trains the fold is given to end.

    Raises
    ------
    InputError
        An artefact is missing or at fault, or the fold is being trained by another process.
    """
    model, progress = fit_fold(
        params,
        paths,
        fold,
        checkpoint_dir=paths.checkpoints(fold),
        log_dir=paths.training_log(fold),
        restart=restart,
        wait=wait,
    )
    with atomic_file(paths.model(fold)) as beside:
        model.save(beside)
    store, _, validation = _open_fold(params, paths, fold)
    spec = load_spec(params.competition)
    with progress_bar("Out-of-fold maps", len(validation)) as advance:
        write_predictions(
            paths.oof(fold),
            [load_model(paths.model(fold))],
            store.images,
            validation,
            views=params.predict.views,
            batch_size=params.predict.batch_size,
            exclusive=spec.exclusive,
            advance=advance,
        )
    score = "mean IoU" if spec.exclusive else "Dice"
    return f"{paths.model(fold)}: validation {score} {progress.best:.4f} at network size"


def fit_fold(
    params: Params,
    paths: Paths,
    fold: int,
    *,
    checkpoint_dir: Path,
    log_dir: Path,
    restart: bool = False,
    wait: float = 0,
) -> tuple[keras.Model, Progress]:
    """Train on all frames but the fold's, from the newest checkpoint where there is one.

    Returns
    -------
    model : keras.Model
        With the best epoch's weights and no optimizer.
    progress : Progress
        The best score and the metrics of every epoch.

    Raises
    ------
    InputError
        See `run`.
    """
    check_folds(params, [fold])
    check_loss(params)
    spec = load_spec(params.competition)
    store, training, validation = _open_fold(params, paths, fold)
    if not paths.encoder.is_file():
        raise InputError(f"{paths.encoder}: no such file; run: pipeline weights")
    keras.utils.clear_session()
    keras.config.set_dtype_policy(runtime.choose_precision(params.train.precision))
    weights = load_encoder_weights(paths.encoder)
    options = {
        "classes": Classes(len(spec.classes), spec.exclusive),
        "presence": _has_presence_head(params),
    }
    with (
        _only_process(checkpoint_dir, fold, wait),
        Live(str(log_dir), save_dvc_exp=False, dvcyaml=None) as live,
    ):
        trainer = Trainer(
            TrainingBatches(
                store.images,
                store.masks,
                training,
                batch_size=params.train.batch_size,
                augmentation=params.train.augmentation,
                seed=params.seed,
                fold=fold,
                **options,
            ),
            ValidationBatches(
                store.images,
                store.masks,
                validation,
                batch_size=params.predict.batch_size,
                **options,
            ),
            settings=_settings(params, spec, fold),
            checkpoints=_prepare_checkpoints(params, paths, fold, checkpoint_dir, restart=restart),
            live=live,
            devices=runtime.training_devices(),
        )
        model, progress = trainer.fit(
            lambda final_stride: _build_model(params, spec, final_stride, weights), _phases(params)
        )
        live.summary["best_score"] = progress.best
    trained = _build_model(params, spec, params.model.final_stride, weights)
    trained.set_weights(model.get_weights())  # the optimizer's state would triple the file
    return trained, progress


def check_loss(params: Params) -> None:
    """Raise InputError unless the loss knows the competition's kind of classes."""
    if params.train.loss == "lovasz" and load_spec(params.competition).exclusive:
        raise InputError("train.loss: lovasz knows no exclusive classes; use dice_bce")


def _open_fold(params: Params, paths: Paths, fold: int) -> tuple[Store, np.ndarray, np.ndarray]:
    store = open_store(paths.train_store, **params.preprocess.size)
    folds = read_folds(params, paths, store.index)
    return store, np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)


def _only_process(checkpoint_dir: Path, fold: int, wait: float) -> AbstractContextManager:
    """Take the fold's lock; the context that is returned releases it at its end."""
    checkpoint_dir.parent.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(checkpoint_dir.with_name(f"{checkpoint_dir.name}.lock"), timeout=wait)
    try:
        return lock.acquire()
    except filelock.Timeout as error:
        raise InputError(f"fold {fold}: another process is training it") from error


def _prepare_checkpoints(
    params: Params, paths: Paths, fold: int, folder: Path, *, restart: bool
) -> Checkpoints:
    checkpoints = Checkpoints(folder, fingerprint(params, paths, fold))
    if restart:
        checkpoints.clear()
    aside = checkpoints.prepare()
    if aside is not None:
        print(f"checkpoints of other data or parameters set aside: {aside}")
    return checkpoints


def _settings(params: Params, spec: Spec, fold: int) -> Settings:
    train = params.train
    return Settings(
        loss=LOSSES[train.loss](over=train.dice_over, exclusive=spec.exclusive),
        warmup_epochs=train.warmup_epochs,
        encoder_rate=train.encoder_rate,
        clip_norm=train.clip_norm,
        ema=train.ema,
        weight_decay=train.weight_decay,
        presence_weight=train.presence_weight,
        patience=train.patience,
        average_best=train.average_best,
        seed=params.seed * 1000 + fold,
    )


def _has_presence_head(params: Params) -> bool:
    return params.model.architecture == "fcn" and params.model.presence_head


def _build_model(
    params: Params, spec: Spec, final_stride: int, weights: EncoderWeights
) -> keras.Model:
    """Return a new network; the final stride counts for the FCN family alone."""
    options = params.model
    shared = {
        "channels": params.preprocess.channels,
        "classes": len(spec.classes),
        "prior": 0.5 if spec.exclusive else options.prior,  # a softmax has no foreground
    }
    if options.architecture == "fcn":
        of_zoo = {"architecture", "encoder", "encoder_weights", "final_stride", "prior"}
        own = options.model_dump(exclude=of_zoo)
        model = build_fcn(final_stride=final_stride, **own, **shared)
        set_encoder_weights(model, weights)
        return model
    from pipeline.models.zoo import build_zoo  # slow to import

    return build_zoo(
        options.architecture,
        encoder=options.encoder,
        height=params.preprocess.height,
        width=params.preprocess.width,
        imagenet=options.encoder != "vgg16" and options.encoder_weights == "imagenet",
        encoder_weights=weights,
        **shared,
    )


def _phases(params: Params) -> list[Phase]:
    earlier = [Phase(**stage.model_dump()) for stage in params.train.earlier_stages]
    train = params.train
    last = Phase(params.model.final_stride, train.epochs, train.learning_rate, train.frozen)
    return [*earlier, last]
