"""A project of as many small synthetic frames as asked for, and stand-ins for what trains long."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
from ruamel.yaml import YAML

from pipeline.competitions.spec import load_spec
from pipeline.dataset.predictions import create_predictions, pack_predictions
from pipeline.dataset.store import open_store
from pipeline.params import Params, load_params
from pipeline.paths import Paths
from pipeline.stages.folds import read_folds
from pipeline.stages.submit import map_shape

ROOT = Path(__file__).parents[1]
FRAMES_PER_SUBJECT = 50
_FIELD = 2048  # side of the texture that frames are cut from


def write_params(paths: Paths, *, height: int, width: int, **changes: dict[str, object]) -> Params:
    """Write the repository's parameters for frames of this network size."""
    yaml = YAML()
    params = yaml.load(ROOT / "params.yaml")
    params["preprocess"] |= {"height": height, "width": width}
    for section, values in changes.items():
        params[section] |= values
    paths.root.mkdir(parents=True, exist_ok=True)
    yaml.dump(params, paths.params)
    return load_params(paths.params)


def draw_frames(count: int, shape: tuple[int, int], seed: int) -> Iterator[tuple]:
    """Yield frames that all differ, and masks of an ellipse, half of them empty; uint8 each."""
    generator = np.random.default_rng(seed)
    noise = generator.normal(size=(_FIELD, _FIELD)).astype(np.float32)
    texture = cv2.GaussianBlur(noise, (0, 0), 1.5)
    texture *= 40 / texture.std()
    height, width = shape
    for number in range(count):
        rows, columns = generator.integers(0, (_FIELD - height, _FIELD - width), (2, 2)).T
        one, other = (
            texture[row : row + height, column : column + width]
            for row, column in zip(rows, columns, strict=True)
        )
        mask = np.zeros(shape, np.uint8)
        if number % 2:
            centre = generator.integers(
                (width // 3, height // 3), (2 * width // 3, 2 * height // 3)
            )
            axes = generator.integers((width // 9, height // 9), (width // 5, height // 5))
            cv2.ellipse(mask, centre.tolist(), axes.tolist(), 0, 0, 360, 255, cv2.FILLED)
        frame = np.clip(100 + one + other + mask / 5, 0, 255)
        yield frame.astype(np.uint8), mask


def write_raw(folder: Path, count: int, shape: tuple[int, int]) -> None:
    """Write `count` training frames with masks and as many test frames, in the sample's form."""
    for name in ("train", "test"):
        (folder / name).mkdir(parents=True)
    with ThreadPoolExecutor(2) as pool:

        def write(path: Path, image: np.ndarray) -> None:
            cv2.imwrite(str(path), image, [cv2.IMWRITE_TIFF_COMPRESSION, 1])

        for number, (frame, mask) in enumerate(draw_frames(count, shape, seed=1)):
            subject, within = divmod(number, FRAMES_PER_SUBJECT)
            name = f"{subject + 1}_{within + 1}"
            pool.submit(write, folder / "train" / f"{name}.tif", frame)
            pool.submit(write, folder / "train" / f"{name}_mask.tif", mask).result()
        for number, (frame, _) in enumerate(draw_frames(count, shape, seed=2)):
            pool.submit(write, folder / "test" / f"{number + 1}.tif", frame).result()


def save_networks(paths: Paths, params: Params) -> None:
    """Save a network of two layers per fold, whose maps follow the frame's brightness."""
    from pipeline.runtime import start_keras

    start_keras()
    import keras

    for fold in params.folds.indices:
        keras.utils.set_random_seed(fold)
        frames = keras.Input((None, None, 1))
        x = keras.layers.Rescaling(1 / 64, offset=-2)(frames)
        x = keras.layers.Conv2D(8, 5, padding="same", activation="relu")(x)
        logits = keras.layers.Conv2D(1, 5, padding="same", dtype="float32")(x)
        paths.model(fold).parent.mkdir(parents=True, exist_ok=True)
        keras.Model(frames, logits).save(paths.model(fold))


def write_out_of_fold(paths: Paths, params: Params) -> None:
    """Write maps in the place of the trained networks': blurred masks with noise, some false."""
    spec = load_spec(params.competition)
    store = open_store(paths.train_store, **params.preprocess.size)
    folds = read_folds(params, paths, store.index)
    generator = np.random.default_rng(3)
    for fold in params.folds.indices:
        rows = np.flatnonzero(folds == fold)
        paths.oof(fold).parent.mkdir(parents=True, exist_ok=True)
        predictions = create_predictions(paths.oof(fold), len(rows), map_shape(params, spec))
        for place, row in enumerate(rows):
            seen = row if generator.random() < 0.9 else generator.integers(len(store.index))
            mask = store.masks[seen].astype(np.float32)
            sure = cv2.GaussianBlur(np.roll(mask, generator.integers(-3, 4), axis=1), (0, 0), 3)
            noise = cv2.GaussianBlur(generator.normal(size=mask.shape), (0, 0), 3) * 2
            probability = np.clip(sure * (0.9 + noise), 0, 1)[None, ..., None]
            predictions[place] = pack_predictions(probability, probability.max((1, 2)))[0]
        predictions.flush()


def write_training_log(paths: Paths, params: Params) -> None:
    """Write the curve that a training of two epochs logs."""
    for fold in params.folds.indices:
        for part in ("train", "val"):
            folder = paths.training_log(fold) / "plots" / "metrics" / part
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "dice.tsv").write_text("step\tdice\n0\t0.5\n1\t0.6\n")
