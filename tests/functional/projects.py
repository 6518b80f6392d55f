"""Tiny projects: a params.yaml, raw frames in the form of the nerve competition, artefacts."""

from pathlib import Path

import cv2
import keras
import numpy as np
from click.testing import CliRunner
from ruamel.yaml import YAML

from pipeline.cli import main
from pipeline.competitions.spec import load_spec
from pipeline.dataset.predictions import prediction_type
from pipeline.params import load_params
from pipeline.paths import Paths
from pipeline.stages.submit import map_shape

REPOSITORY = Path(__file__).parents[2]
RAW = Path("data/raw/sample")
HEIGHT, WIDTH = 40, 50  # of a raw frame
TEST_IDS = ["1", "2", "3"]

TINY = {
    "sample": {"subjects": 3, "frames": 4, "test_frames": 4},
    "preprocess": {"height": 32, "width": 64},
    "folds": {"indices": [0, 1]},
    "model": {"width": 4, "encoder_weights": "none"},
    "train": {"epochs": 1, "batch_size": 4, "warmup_epochs": 0, "frozen": [], "ema": None},
    "predict": {"batch_size": 4},
}


def merge(values, changes):
    """Return nested `values` with nested `changes` laid over them."""
    merged = dict(values)
    for key, change in changes.items():
        nested = isinstance(change, dict) and change
        merged[key] = merge(values[key], change) if nested else change
    return merged


def write_tiny_params(path=Path("params.yaml"), source=REPOSITORY / "params.yaml"):
    """Write the repository's parameters at tiny sizes."""
    yaml = YAML(typ="safe", pure=True)
    yaml.dump(merge(yaml.load(source), TINY), path)


def change_params(changes, path=Path("params.yaml")):
    """Lay nested `changes` over a params.yaml."""
    yaml = YAML(typ="safe", pure=True)
    yaml.dump(merge(yaml.load(path), changes), path)


def draw_frame(seed):
    """Return a grey frame (40, 50) and a mask of 8 x 10 = 80 pixels, 0 and 255."""
    frame = np.random.default_rng(seed).integers(0, 256, (HEIGHT, WIDTH), dtype=np.uint8)
    mask = np.zeros_like(frame)
    mask[10:18, 20:30] = 255
    return frame, mask


def write_raw(folder=RAW):
    """Write 3 subjects x 2 training frames, the second without foreground, and 3 test frames."""
    for name in ("train", "test", "truth"):
        (folder / name).mkdir(parents=True)
    for subject in (1, 2, 3):
        for number in (1, 2):
            frame, mask = draw_frame(10 * subject + number)
            name = f"train/{subject}_{number}"
            cv2.imwrite(str(folder / f"{name}.tif"), frame)
            cv2.imwrite(str(folder / f"{name}_mask.tif"), mask * (number == 1))
    for mask_id in TEST_IDS:
        frame, mask = draw_frame(int(mask_id))
        cv2.imwrite(str(folder / f"test/{mask_id}.tif"), frame)
        cv2.imwrite(str(folder / f"truth/{mask_id}.tif"), mask * (mask_id != "3"))
    rows = "".join(f"{mask_id},\n" for mask_id in TEST_IDS)
    (folder / "sample_submission.csv").write_text(f"img,pixels\n{rows}")


def write_out_of_fold_maps():
    """Put stand-ins where training writes its maps."""
    params, paths = load_params(Path("params.yaml")), Paths(Path())
    folds = np.loadtxt(paths.folds, delimiter=",", skiprows=1, usecols=1, dtype=int)
    shape = map_shape(params, load_spec(params.competition))
    for fold in params.folds.indices:
        paths.oof(fold).parent.mkdir(parents=True, exist_ok=True)
        predictions = np.ones(np.count_nonzero(folds == fold), prediction_type(*shape))
        predictions["prob_map"] = 70
        np.save(paths.oof(fold), predictions)


def write_test_predictions():
    """Put maps with a bright block in each where prediction writes its own.

    At 32 x 64 pixels the block is rows 8 to 23 and columns 32 to 63: of the raw 40 x 50 pixels
    rows 10 to 29 and columns 25 to 49, that is 20 x 25 = 500 pixels.
    """
    params, paths = load_params(Path("params.yaml")), Paths(Path())
    shape = map_shape(params, load_spec(params.competition))
    predictions = np.zeros(len(TEST_IDS), prediction_type(*shape))
    predictions["prob_map"][:, 0, 8:24, 32:64] = 255
    predictions["presence"] = 1
    paths.test_predictions.parent.mkdir(parents=True, exist_ok=True)
    np.save(paths.test_predictions, predictions)


def save_model(path, channels):
    """Save a network whose logits are zero."""
    path.parent.mkdir(parents=True, exist_ok=True)
    frames = keras.Input((None, None, channels))
    logits = keras.layers.Conv2D(1, 1, kernel_initializer="zeros")(frames)
    keras.Model(frames, logits).save(path)


def save_networks(channels=1, *, precision="float32", presence_head=False):
    """Save a network per fold, of random weights and two layers, whose masks differ."""
    params, paths = load_params(Path("params.yaml")), Paths(Path())
    for fold in params.folds.indices:
        keras.utils.set_random_seed(fold)
        frames = keras.Input((None, None, channels))
        x = keras.layers.Rescaling(1 / 64, offset=-2, dtype=precision)(frames)
        x = keras.layers.Conv2D(4, 5, padding="same", activation="relu", dtype=precision)(x)
        outputs = keras.layers.Conv2D(1, 5, padding="same", dtype="float32")(x)
        if presence_head:
            pooled = keras.layers.GlobalAveragePooling2D(dtype="float32")(x)
            outputs = {"mask": outputs, "presence": keras.layers.Dense(1, dtype="float32")(pooled)}
        paths.model(fold).parent.mkdir(parents=True, exist_ok=True)
        keras.Model(frames, outputs).save(paths.model(fold))


def weights_of(fold):
    """Return the bytes of a trained fold's weights."""
    model = keras.saving.load_model(Paths(Path()).model(fold))
    return [array.tobytes() for array in model.get_weights()]


def run_cli(*arguments):
    """Run the command line in this process; what it does not handle is raised."""
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def run_well(*arguments):
    """Run the command line, see that it succeeds, and return what it prints."""
    result = run_cli(*arguments)
    assert result.exit_code == 0, result.stderr
    return result.stdout


def read_tree(folder=Path()):
    """Return every file's bytes by its path, None for folders; without the checkpoints."""
    paths = [path for path in folder.rglob("*") if ".train" not in path.parts]
    return {path: path.read_bytes() if path.is_file() else None for path in paths}
