"""Whatever the user can put right is one line on stderr, and nothing of the project changes."""

import errno
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from ruamel.yaml import YAML

from pipeline.competitions.spec import known_specs
from pipeline.dataset.predictions import prediction_type
from tests.functional.projects import RAW, change_params, read_tree, run_cli, save_model

SUBMISSION = Path("submissions/submission.csv")
TRAIN, TEST = RAW / "train", RAW / "test"


def assert_refused(arguments, message):
    before = read_tree()
    result = run_cli(*arguments)
    assert result.stderr.startswith(f"Error: {message}")
    assert result.stderr.count("\n") == 1
    assert result.stderr.endswith("\n")
    assert result.stdout == ""
    assert result.exit_code == 1
    assert read_tree() == before


def cut(path):
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def empty_folder(folder):
    shutil.rmtree(folder)
    folder.mkdir()


def copy(source, target):
    shutil.copy(source, target)


def write_image(path, pixels):
    cv2.imwrite(str(path), np.asarray(pixels))


# Raw files: fault, then `pipeline preprocess`

SIZE = (40, 50)
RAW_FAULTS = {
    "no folder": (
        lambda: shutil.rmtree(RAW),
        "data/raw/sample/train: no such folder; expected files train/{subject}_{frame}.tif in"
        " data/raw/sample\n",
    ),
    "file for a folder": (
        lambda: (shutil.rmtree(TRAIN), TRAIN.write_text("")),
        "data/raw/sample/train: no such folder; expected files train/{subject}_{frame}.tif",
    ),
    "no training image": (
        lambda: empty_folder(TRAIN),
        "data/raw/sample/train: expected files train/{subject}_{frame}.tif in data/raw/sample,"
        " got none\n",
    ),
    "no test image": (
        lambda: empty_folder(TEST),
        "data/raw/sample/test: expected files test/{id}.tif in data/raw/sample, got none\n",
    ),
    "image without mask": (
        (TRAIN / "2_1_mask.tif").unlink,
        "data/raw/sample/train/2_1.tif: expected its mask as"
        " data/raw/sample/train/{subject}_{frame}_mask.tif, got none\n",
    ),
    "images without masks": (
        lambda: [(TRAIN / f"{subject}_1_mask.tif").unlink() for subject in (1, 2, 3)],
        "data/raw/sample/train/1_1.tif: expected its mask as"
        " data/raw/sample/train/{subject}_{frame}_mask.tif, got none (and 2 more)\n",
    ),
    "mask without image": (
        (TRAIN / "2_1.tif").unlink,
        "data/raw/sample/train/2_1_mask.tif: expected its image as"
        " data/raw/sample/train/{subject}_{frame}.tif, got none\n",
    ),
    "mask of another size": (
        lambda: write_image(TRAIN / "2_1_mask.tif", np.zeros((39, 50), np.uint8)),
        "data/raw/sample/train/2_1_mask.tif: expected the size of its image (40, 50),"
        " got (39, 50)\n",
    ),
    "grey mask": (
        lambda: copy(TRAIN / "2_1.tif", TRAIN / "2_1_mask.tif"),
        "data/raw/sample/train/2_1_mask.tif: expected a binary mask (0 and 255), got ",
    ),
    "mask of ones": (
        lambda: write_image(TRAIN / "2_1_mask.tif", np.eye(*SIZE, dtype=np.uint8)),
        "data/raw/sample/train/2_1_mask.tif: expected a binary mask (0 and 255), got 2 grey"
        " levels (0, 1)\n",
    ),
    "cut image": (
        lambda: cut(TRAIN / "3_1.tif"),
        "data/raw/sample/train/3_1.tif: expected an 8-bit image, got a TIFF that is",
    ),
    "cut test image": (
        lambda: cut(TEST / "2.tif"),
        "data/raw/sample/test/2.tif: expected an 8-bit image, got a TIFF that is",
    ),
    "empty file": (
        lambda: (TRAIN / "3_1.tif").write_bytes(b""),
        "data/raw/sample/train/3_1.tif: expected an 8-bit image, got an empty file\n",
    ),
    "no image": (
        lambda: (TRAIN / "3_1.tif").write_text("<html>log in first</html>"),
        "data/raw/sample/train/3_1.tif: expected an 8-bit image, got a file that is not TIFF",
    ),
    "folder for an image": (
        lambda: ((TRAIN / "3_1.tif").unlink(), (TRAIN / "3_1.tif").mkdir()),
        "data/raw/sample/train/3_1.tif: expected an 8-bit image, got an unreadable file (Is a",
    ),
    "16 bits": (
        lambda: write_image(TRAIN / "1_2.tif", np.full(SIZE, 999, np.uint16)),
        "data/raw/sample/train/1_2.tif: expected an 8-bit image, got uint16 pixels\n",
    ),
    "id twice": (
        lambda: copy(TEST / "1.tif", TEST / "01.tif"),
        "data/raw/sample/test/1.tif: same id as data/raw/sample/test/01.tif\n",
    ),
    "id that is no number": (
        lambda: copy(TEST / "1.tif", TEST / "one.tif"),
        "data/raw/sample/test/one.tif: expected an integer id (submission.ids), got 'one'\n",
    ),
    "test file too few": (
        (TEST / "3.tif").unlink,
        "data/raw/sample/test: expected 3 ids, 3 missing\n",
    ),
    "test file too many": (
        lambda: copy(TEST / "3.tif", TEST / "4.tif"),
        "data/raw/sample/test: expected 3 ids, 4 unknown\n",
    ),
    "sample submission with another header": (
        lambda: (RAW / "sample_submission.csv").write_text("img\tpixels\n1\t\n"),
        r"data/raw/sample/sample_submission.csv: expected the header img,pixels, got 'img\tpixels'",
    ),
}


@pytest.mark.parametrize("fault", RAW_FAULTS)
def test_preprocess_bad_raw_file_is_refused(project, fault):
    damage, message = RAW_FAULTS[fault]
    damage()
    assert_refused(["preprocess"], message)


# Parameters: change, then any command

PARAMS_FAULTS = {
    "typo": ({"train": {"epoch": 3}}, "train.epoch: unknown key"),
    "nothing": ({"seed": None}, "seed: Input should be a valid integer, got None"),
    "wrong type": (
        {"train": {"epochs": "ten"}},
        "train.epochs: Input should be a valid integer, got 'ten'",
    ),
    "number for a list": (
        {"folds": {"indices": 5}},
        "folds.indices: expected a list, got 5\n",
    ),
    "section for a number": ({"seed": {}}, "seed: Input should be a valid integer, got {}"),
    "below the least": (
        {"predict": {"batch_size": 0}},
        "predict.batch_size: Input should be greater than or equal to 1, got 0",
    ),
    "unknown choice": ({"train": {"loss": "focal"}}, "train.loss: Input should be 'dice'"),
    "height": (
        {"preprocess": {"height": 420}},
        "preprocess.height: expected a multiple of 32 such as 416 or 448, got 420",
    ),
    "one fold": (
        {"folds": {"indices": [0]}},
        "folds.indices: expected [0, 1, ...] with at least two folds, got [0]",
    ),
    "two at once": (
        {"seed": -1, "preprocess": {"channels": 2}},
        "seed: Input should be greater than or equal to 0, got -1; preprocess.channels: Input"
        " should be 1 or 3, got 2\n",
    ),
}


@pytest.mark.parametrize("fault", PARAMS_FAULTS)
def test_load_params_bad_value_is_refused(project, fault):
    changes, message = PARAMS_FAULTS[fault]
    change_params(changes)
    assert_refused(["preprocess"], f"params.yaml: {message}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "params.yaml: expected keys with values, got nothing\n"),
        ("seed: 1\n", "params.yaml: competition: Field required; data_dir: Field required; "),
        ("seed: [1\n", "params.yaml: not valid YAML: "),
        ("seed: 1\nseed: 2\n", "params.yaml: not valid YAML: "),
        ("seed: \x00\n", "params.yaml: not valid YAML: "),
    ],
)
def test_load_params_bad_yaml_is_refused(project, text, message):
    Path("params.yaml").write_text(text)
    assert_refused(["folds"], message)


@pytest.mark.parametrize(
    "command",
    [
        "download",
        "sample",
        "preprocess",
        "folds",
        "weights",
        "train",
        "tune",
        "predict",
        "predict --images a --out b",
        "submit",
        "report",
        "export --to onnx --out ensemble.onnx",
        "bundle --out b",
        "views",
        "audit",
        "score",
    ],
)
def test_command_without_params_is_refused(tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    message = "params.yaml: no such file here; run: pipeline init COMPETITION\n"
    assert_refused(command.split(), message)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nerve"], "competition: expected one of airbus-ships, carvana, "),
        (["mine.yaml"], "mine.yaml: can't be read: No such file or directory\n"),
        (["bad.yaml"], "bad.yaml: title: Field required; images: Field required; "),
        (["sample", "--device", "gpu"], "sample: expected a preset for gpu, got cpu only\n"),
    ],
)
def test_init_bad_competition_is_refused(project, arguments, message):
    Path("bad.yaml").write_text("foreground: 255\n")
    assert_refused(["init", *arguments], message)


def test_preprocess_unknown_competition_is_refused(project):
    change_params({"competition": "nerve"})
    assert_refused(["preprocess"], "competition: expected one of airbus-ships, carvana, ")


# Specs: keys that replace those of sample.yaml, then any command

TWO = {"classes": ["a", "b"], "masks": "train/{subject}_{frame}_{class}.tif"}
CLASS_ROW = {"submission": {"header": ["img", "class", "pixels"], "row": ["{id}", "{class}"]}}
ONE_PLACEHOLDER = "what names an image and {class}, got ('{id}',)"

SPEC_FAULTS = {
    "unknown key": ({"class": ["a"]}, "class: unknown key\n"),
    "no class": ({"classes": []}, "classes: expected 1 or more values"),
    "class twice": ({"classes": ["a", "a"]}, "classes: expected names that differ, got ['a', 'a']"),
    "classes not a list": ({"classes": "a"}, "classes: expected a list, got 'a'"),
    "many classes": (
        {"classes": list("abcdefghi")},
        "classes: expected at most 8, 255 exclusive ones, got 9\n",
    ),
    "classes in one file": (
        {**CLASS_ROW, "classes": ["a", "b"]},
        "masks: expected a {class}, got train/{subject}_{frame}_mask.tif\n",
    ),
    "values and files for classes": (
        {"foreground": {"a": 1, "b": 2}, "masks": TWO["masks"]},
        "masks: expected no {class}, got train/{subject}_{frame}_{class}.tif\n",
    ),
    "classes in one row": (TWO, f"submission.row: expected {ONE_PLACEHOLDER}\n"),
    "classes named twice": (
        {"foreground": {"a": 1, "b": 2}, "classes": ["a", "b"]},
        "classes: foreground names them already\n",
    ),
    "level of a class": (
        {"foreground": {"a": 1, "b": 256}},
        "foreground: expected 1 to 255, an RGB colour [R, G, B] or nonzero, got 256\n",
    ),
    "exclusive class alone": (
        {"exclusive": True, "metric": "mean_iou"},
        "exclusive: expected two classes or more, in mask files\n",
    ),
    "mean IoU of masks": (
        {"metric": "mean_iou"},
        "metric: mean_iou and exclusive classes go together\n",
    ),
    "objects that are none": (
        {"metric": "instance_f2"},
        "metric: instance_f2 needs instances: true\n",
    ),
    "unknown metric": ({"metric": "dice"}, "metric: Input should be 'mean_dice', 'global_dice',"),
    "row of too few": (
        {"submission": {"header": ["img", "class", "pixels"]}},
        "submission: row: expected 2 templates for the columns img, class, pixels, got 1\n",
    ),
    "unknown placeholder": (
        {"submission": {"header": ["img", "pixels"], "row": ["{name}"]}},
        "submission.row: unknown placeholder {name}\n",
    ),
    "unknown placeholder of the id": ({"id": "{case}"}, "id: unknown placeholder {case}\n"),
    "two channels": (
        {"images": ["a/{id}.png", "b/{id}.png"]},
        "images: expected one pattern, or three of channels, got 2\n",
    ),
    "levels that descend": ({"levels": [9, 1]}, "levels: expected two that ascend, got [9"),
    "level alone": ({"levels": [9]}, "levels.tuple[float, float].1: Field required"),
    "page below the first": (
        {"page": -1},
        "page: Input should be greater than or equal to 0, got -1\n",
    ),
    "no masks": ({"masks": None}, "masks: expected a file pattern, or mask_table in its place\n"),
    "list without the other": (
        {"lists": {"train": "train.txt"}},
        "lists.test: Field required\n",
    ),
    "path out of the data": ({"test": "../{id}.tif"}, "test: '../{id}.tif' leaves the data folder"),
}


def write_spec(changes):
    """Write sample.yaml with other keys, and name it in params.yaml."""
    yaml = YAML(typ="safe", pure=True)
    values = yaml.load(known_specs()["sample"])
    yaml.dump({**values, "sample_submission": None, "truth": None, **changes}, Path("spec.yaml"))
    change_params({"competition": "spec.yaml"})


@pytest.mark.parametrize("fault", SPEC_FAULTS)
def test_load_spec_bad_key_is_refused(project, fault):
    changes, message = SPEC_FAULTS[fault]
    write_spec(changes)
    assert_refused(["preprocess"], f"spec.yaml: {message}")


TABLE = {"masks": None, "mask_table": {"file": "masks.csv", "header": ["img", "pixels"]}}
LISTS = {"lists": {"train": "train.txt", "test": "test.txt"}}
LISTED_FAULTS = {
    "no table": (TABLE, {}, "masks.csv: can't be read: No such file or directory\n"),
    "table with another header": (
        TABLE,
        {"masks.csv": "img,rle\n"},
        "masks.csv: expected the header img,pixels, got 'img,rle'\n",
    ),
    "table with a run outside": (
        TABLE,
        {"masks.csv": "img,pixels\n1_1,2000 2\n"},
        "masks.csv: id 1_1: rle: run 1 ('2000 2') ends outside of the image of 2000 pixels\n",
    ),
    "no list": (LISTS, {}, "train.txt: expected a list of ids, one a line, got "),
    "empty list": (
        LISTS,
        {"train.txt": "\n"},
        "train.txt: expected a list of ids, one a line, got none\n",
    ),
    "list of an image that is not there": (
        LISTS,
        {"train.txt": "1_1\n9_9\n"},
        ": expected an image train/{subject}_{frame}.tif of 9_9, got none\n",
    ),
}


@pytest.mark.parametrize("fault", LISTED_FAULTS)
def test_preprocess_bad_table_or_list_is_refused(project, fault):
    changes, files, message = LISTED_FAULTS[fault]
    write_spec(changes)
    for name, text in files.items():
        (RAW / name).write_text(text)
    separator = "" if message.startswith(":") else "/"
    assert_refused(["preprocess"], f"{RAW}{separator}{message}")


# Artefacts: fault, command, message


def remove(path):
    return Path(path).unlink


def fill(path, text):
    return lambda: Path(path).write_text(text)


def change(changes):
    return lambda: change_params(changes)


def save_predictions(count, height, width):
    empty = np.zeros(count, prediction_type(1, height, width))
    return lambda: np.save("data/predictions/test.npy", empty)


def damage_model(damage):
    def save_damaged():
        save_model(MODEL, 1)
        damage(MODEL)

    return save_damaged


MODEL = Path("models/folds/fold0.keras")
OTHER_SIZE = {"preprocess": {"width": 96}}
SIZE_CHANGED = "expected frames of 32x96x1 (params.yaml), got 32x64x1; run: pipeline preprocess\n"

ARTEFACT_FAULTS = {
    "folds: more than subjects": (
        change({"folds": {"indices": [0, 1, 2, 3]}}),
        "folds",
        "folds.indices: expected at most as many folds as subjects (3), got 4\n",
    ),
    "folds: nothing preprocessed": (
        lambda: shutil.rmtree("data/processed"),
        "folds",
        "data/processed/train/index.csv: no such file; run: pipeline preprocess\n",
    ),
    "folds: empty index": (
        fill("data/processed/train/index.csv", ""),
        "folds",
        "data/processed/train/index.csv: damaged (",
    ),
    "weights: no such file": (
        change({"model": {"encoder_weights": "vgg16.npz"}}),
        "weights",
        "vgg16.npz: expected a file of VGG-16 weights, found none\n",
    ),
    "weights: another file": (
        change({"model": {"encoder_weights": "data/folds.csv"}}),
        "weights",
        "data/folds.csv: expected VGG-16 weights as .npz or Keras .h5, got neither\n",
    ),
    "train: older size": (change(OTHER_SIZE), "train", f"data/processed/train: {SIZE_CHANGED}"),
    "train: damaged size": (
        fill("data/processed/train/size.json", "{"),
        "train",
        "data/processed/train: damaged (",
    ),
    "train: cut frames": (
        lambda: cut(Path("data/processed/train/images.npy")),
        "train",
        "data/processed/train: damaged (",
    ),
    "train: older folds": (
        change({"folds": {"indices": [0, 1, 2]}}),
        "train",
        "data/folds.csv: expected folds [0, 1, 2] (params.yaml), got [0, 1]; run: pipeline folds\n",
    ),
    "train: no folds": (
        remove("data/folds.csv"),
        "train",
        "data/folds.csv: no such file; run: pipeline folds\n",
    ),
    "train: folds of other frames": (
        fill("data/folds.csv", "id,fold\n1_1,0\n1_2,1\n"),
        "train",
        "data/folds.csv: expected the ids of data/processed/train; run: pipeline folds\n",
    ),
    "train: folds without a column": (
        fill("data/folds.csv", "id\n1_1\n1_2\n2_1\n2_2\n3_1\n3_2\n"),
        "train",
        "data/folds.csv: damaged (",
    ),
    "train: folds that are no numbers": (
        fill("data/folds.csv", "id,fold\n1_1,zero\n"),
        "train",
        "data/folds.csv: damaged (",
    ),
    "train: no encoder": (
        remove("models/encoder.npz"),
        "train",
        "models/encoder.npz: no such file; run: ",
    ),
    "train: cut encoder": (
        lambda: cut(Path("models/encoder.npz")),
        "train",
        "models/encoder.npz: expected VGG-16 weights as .npz or Keras .h5, got neither\n",
    ),
    "train: no such fold": (
        lambda: None,
        "train --fold 9",
        "fold: expected one of [0, 1], got 9\n",
    ),
    "tune: older size": (
        change(OTHER_SIZE),
        "tune",
        "data/oof/fold0.npy: expected maps of shape (",
    ),
    "tune: no maps": (
        remove("data/oof/fold1.npy"),
        "tune",
        "data/oof/fold1.npy: no such file; run: pipeline train --fold 1\n",
    ),
    "tune: cut maps": (
        lambda: cut(Path("data/oof/fold1.npy")),
        "tune",
        "data/oof/fold1.npy: damaged (",
    ),
    "tune: text for maps": (
        fill("data/oof/fold1.npy", "0 0 0"),
        "tune",
        "data/oof/fold1.npy: damaged (",
    ),
    "tune: empty maps": (fill("data/oof/fold1.npy", ""), "tune", "data/oof/fold1.npy: damaged ("),
    "predict: older size": (change(OTHER_SIZE), "predict", f"data/processed/test: {SIZE_CHANGED}"),
    "predict: no such fold": (
        lambda: None,
        "predict --fold 9",
        "fold: expected one of [0, 1], got 9\n",
    ),
    "predict: no model": (
        lambda: None,
        "predict",
        "models/folds/fold0.keras: no such model; run: pipeline train --fold 0\n",
    ),
    "predict: second model missing": (
        lambda: save_model(MODEL, 1),
        "predict",
        "models/folds/fold1.keras: no such model; run: pipeline train --fold 1\n",
    ),
    "predict: cut model": (
        damage_model(cut),
        "predict",
        "models/folds/fold0.keras: not a model that can be loaded: ",
    ),
    "predict: text for a model": (
        damage_model(lambda path: path.write_text("version https://git-lfs.github.com/spec/v1")),
        "predict",
        "models/folds/fold0.keras: not a model that can be loaded: ",
    ),
    "predict: model of other channels": (
        lambda: save_model(MODEL, 3),
        "predict --fold 0",
        "models/folds/fold0.keras: expected a model of 1-channel frames (params.yaml), got one of"
        " 3-channel frames; run: pipeline train --fold 0\n",
    ),
    "submit: older size": (
        change(OTHER_SIZE),
        "submit",
        "data/predictions/test.npy: expected maps of shape (3, 1, 32, 96), as the frames now"
        " are, got (3, 1, 32, 64); run: pipeline predict --fold all\n",
    ),
    "submit: other number of maps": (
        save_predictions(2, 32, 64),
        "submit",
        "data/predictions/test.npy: expected maps of shape (3, 1, 32, 64), as the frames now"
        " are, got (2, 1, 32, 64); run: pipeline predict --fold all\n",
    ),
    "submit: maps without presence": (
        lambda: np.save("data/predictions/test.npy", np.zeros((3, 32, 64), np.uint8)),
        "submit",
        "data/predictions/test.npy: expected prob_map and presence of each frame, got uint8; run:"
        " pipeline predict --fold all\n",
    ),
    "submit: no maps": (
        remove("data/predictions/test.npy"),
        "submit",
        "data/predictions/test.npy: no such file; run: pipeline predict --fold all\n",
    ),
    "submit: no cut-offs": (
        remove("models/cutoffs.json"),
        "submit",
        "models/cutoffs.json: no such file; run: pipeline tune\n",
    ),
}
ARTEFACT_FAULTS |= {
    f"{command}: {fault}": (damage, f"{command} {options}", message)
    for command, options in (
        ("predict", f"--images {TEST} --out masks"),
        ("bundle", "--out b"),
        ("export", "--to saved_model --out served"),
    )
    for fault, damage, message in (
        (
            "second model missing for files",
            lambda: save_model(MODEL, 1),
            "models/folds/fold1.keras: no such model; run: pipeline train --fold 1\n",
        ),
        (
            "cut model for files",
            damage_model(cut),
            "models/folds/fold0.keras: not a model that can be loaded: ",
        ),
    )
}
ARTEFACT_FAULTS |= {
    "predict: no images": (
        lambda: None,
        "predict --images data/oof --out masks",
        "data/oof: expected images (.tif, .tiff, .png, .jpg, .jpeg, .gif, .bmp), got none\n",
    ),
    "predict: masks among the images": (
        lambda: None,
        f"predict --images {TEST} --out {TEST}/masks",
        f"{TEST}/masks: expected a folder outside of the images' ({TEST})\n",
    ),
    "predict: images of three channels each": (
        lambda: write_spec({"test": [f"{name}/{{id}}.tif" for name in ("test", "b", "c")]}),
        f"predict --images {TEST} --out masks",
        "--images: expected a competition with one file an image, got 3 (test/{id}.tif, b/",
    ),
    "predict: class that can't name a file": (
        lambda: write_spec({"foreground": {"a": 255, "b/c": 128}, **CLASS_ROW}),
        f"predict --images {TEST} --out masks",
        "classes: expected names that a file can have, got 'b/c'\n",
    ),
    "bundle: folder in use": (
        lambda: None,
        "bundle --out data",
        "data: expected a new or empty folder, or a bundle\n",
    ),
    "bundle: no cut-offs": (
        remove("models/cutoffs.json"),
        "bundle --out b",
        "models/cutoffs.json: no such file; run: pipeline tune\n",
    ),
    "bundle: cut-offs of other classes": (
        lambda: write_spec({"foreground": {"a": 255, "b": 128}, **CLASS_ROW}),
        "bundle --out b",
        "models/cutoffs.json: expected the classes a, b, got mask; run: pipeline tune\n",
    ),
    "export: folder in use": (
        lambda: None,
        "export --to saved_model --out data",
        "data: expected a new or empty folder, or a SavedModel\n",
    ),
    "export: no such fold": (
        lambda: None,
        "export --fold 9 --to onnx --out ensemble.onnx",
        "fold: expected one of [0, 1], got 9\n",
    ),
    "export: older size": (
        change(OTHER_SIZE),
        "export --to saved_model --out served",
        f"data/processed/test: {SIZE_CHANGED}",
    ),
    "report: older size": (change(OTHER_SIZE), "report", f"data/processed/train: {SIZE_CHANGED}"),
    "report: no scores": (
        remove("reports/metrics.json"),
        "report",
        "reports/metrics.json: no such file; run: pipeline tune\n",
    ),
    "report: text for scores": (
        fill("reports/metrics.json", "0.5"),
        "report",
        "reports/metrics.json: expected images, nested_score, ",
    ),
    "report: no frames": (
        remove("reports/frames.csv"),
        "report",
        "reports/frames.csv: no such file; run: pipeline tune\n",
    ),
    "report: empty frames": (
        fill("reports/frames.csv", ""),
        "report",
        "reports/frames.csv: damaged (",
    ),
    "report: frames without classes": (
        fill("reports/frames.csv", "id,dice\n1_1,0.5\n"),
        "report",
        "reports/frames.csv: expected columns class, subject, ",
    ),
    "report: cut maps": (
        lambda: cut(Path("data/oof/fold1.npy")),
        "report",
        "data/oof/fold1.npy: damaged (",
    ),
    "report: maps of fewer classes": (
        lambda: write_spec({"foreground": {"a": 255, "b": 128}, **CLASS_ROW}),
        "report",
        "reports/frames.csv: expected the ids of data/processed/train; run: pipeline tune\n",
    ),
    "report: cut submission": (
        fill("submissions/submission.csv", "img,pixels\n1,\n"),
        "report",
        "submissions/submission.csv: expected 3 ids, 2, 3 missing\n",
    ),
    "report: compared with no project": (
        lambda: None,
        "report --compare data",
        "data/reports/metrics.json: no such file; run: pipeline tune\n",
    ),
}
ARTEFACT_FAULTS |= {
    f"submit: cut-offs {text}": (
        fill("models/cutoffs.json", text),
        "submit",
        "models/cutoffs.json: damaged (",
    )
    for text in ("", '{"mask": 1', '{"mask": {"threshold": 1}}', "[128, 0]", "null", "0.5")
}


@pytest.mark.parametrize("fault", ARTEFACT_FAULTS)
def test_stage_bad_artefact_is_refused(project, fault):
    damage, command, message = ARTEFACT_FAULTS[fault]
    damage()
    assert_refused(command.split(), message)


# Submissions: content, then `pipeline check`. Frames are 40 x 50 = 2000 pixels.

SUBMISSION_FAULTS = {
    "empty": ("", ": expected the header img,pixels, got ''\n"),
    "header": ("id,pixels\n1,\n2,\n3,\n", ": expected the header img,pixels, got 'id,pixels'\n"),
    "no id": ("img,pixels\n1,\n2,\n", ": expected 3 ids, 3 missing\n"),
    "other id": ("img,pixels\n1,\n2,\n3,\n4,\n", ": expected 3 ids, 4 unknown\n"),
    "padded id": ("img,pixels\n01,\n2,\n3,\n", ": expected 3 ids, 1 missing\n"),
    "order": ("img,pixels\n2,\n1,\n3,\n", ": expected 1 as id 1 in order, got 2\n"),
    "id twice": ("img,pixels\n1,\n2,\n2,\n", ":4: id 2 stands twice\n"),
    "field missing": ("img,pixels\n1\n2,\n3,\n", ":2: expected 2 fields, got 1\n"),
    "field too many": ("img,pixels\n1,1 5,\n2,\n3,\n", ":2: expected 2 fields, got 3\n"),
    "blank line": ("img,pixels\n1,\n\n2,\n3,\n", ":3: expected 2 fields, got 0\n"),
    "overlapping": (
        "img,pixels\n1,\n2,1 5 5 2\n3,\n",
        ": id 2: rle: run 2 ('5 2') begins before run 1 ends; expected runs sorted and apart\n",
    ),
    "unsorted": (
        "img,pixels\n1,\n2,9 2 1 5\n3,\n",
        ": id 2: rle: run 2 ('1 5') begins before run 1 ends; expected runs sorted and apart\n",
    ),
    "behind the last pixel": (
        "img,pixels\n1,\n2,\n3,1996 6\n",
        ": id 3: rle: run 1 ('1996 6') ends outside of the image of 2000 pixels\n",
    ),
    "before the first pixel": (
        "img,pixels\n1,0 4\n2,\n3,\n",
        ": id 1: rle: run 1 ('0 4') starts below the origin 1\n",
    ),
    "no length": (
        "img,pixels\n1,4\n2,\n3,\n",
        ": id 1: rle: run 1 ('4') has a start but no length\n",
    ),
    "length zero": ("img,pixels\n1,4 0\n2,\n3,\n", ": id 1: rle: run 1 ('4 0') has length 0\n"),
    "fractions": (
        "img,pixels\n1,4.0 2\n2,\n3,\n",
        ": id 1: rle: run 1 ('4.0 2') holds more than digits 0-9\n",
    ),
    "quote": ('img,pixels\n1,"4 2\n2,\n3,\n', ": not a CSV file: "),
}


@pytest.mark.parametrize("fault", SUBMISSION_FAULTS)
def test_check_bad_submission_is_refused(project, fault):
    content, message = SUBMISSION_FAULTS[fault]
    SUBMISSION.write_text(content)
    assert_refused(["check", SUBMISSION], f"{SUBMISSION}{message}")


def test_check_submission_not_utf8_is_refused(project):
    SUBMISSION.write_bytes("img,pixels\n1,é\n".encode("utf-16"))
    assert_refused(["check", SUBMISSION], f"{SUBMISSION}: not a CSV file: 'utf-8' codec can't")


def test_check_missing_submission_is_refused(project):
    assert_refused(["check", "other.csv"], "other.csv: can't be read: No such file or directory\n")


def test_check_before_preprocess_is_refused(project):
    shutil.rmtree("data/processed")
    message = "data/processed/test/index.csv: no such file; run: pipeline preprocess\n"
    assert_refused(["check", SUBMISSION], message)


@pytest.mark.parametrize(
    ("truth", "message"),
    [
        ("truth", "truth: can't be read: No such file or directory\n"),
        (TRAIN, f"{SUBMISSION}: expected 12 ids, 1_1, 1_1_mask, 1_2 and 9 more missing\n"),
        ("params.yaml", "params.yaml: expected the header img,pixels, got 'competition: sample'\n"),
        ("other.csv", "other.csv: id 4 is none of the test frames\n"),
    ],
)
def test_score_bad_truth_is_refused(project, truth, message):
    Path("other.csv").write_text("img,pixels\n4,\n")
    submission = "other.csv" if truth == "other.csv" else SUBMISSION
    assert_refused(["score", submission, truth], message)


def test_score_per_image_below_a_file_is_refused(project):
    arguments = ["score", SUBMISSION, RAW / "truth", "--per-image", "params.yaml/scores.csv"]
    assert_refused(arguments, "params.yaml: ")


@pytest.mark.parametrize("arguments", [["show"], ["diff", SUBMISSION]])
def test_drawing_of_a_missing_submission_is_refused(project, arguments):
    message = "none.csv: can't be read: No such file or directory\n"
    assert_refused([*arguments, "none.csv"], message)


@pytest.mark.parametrize("arguments", [["show", SUBMISSION], ["diff", SUBMISSION, SUBMISSION]])
def test_drawing_before_preprocess_is_refused(project, arguments):
    shutil.rmtree("data/processed")
    assert_refused(arguments, "data/processed/test/")


def test_upload_of_a_competition_that_is_not_at_kaggle_is_refused(project):
    assert_refused(
        ["upload", "-m", "first"],
        "competition: the spec of Embedded sample (synthetic ultrasound) names none at Kaggle",
    )


def test_ledger_before_any_upload_is_refused(project):
    assert_refused(["ledger"], "submissions/ledger.csv: no uploads yet; run: pipeline upload -m")


@pytest.mark.parametrize("command", ["train", "predict"])
@pytest.mark.parametrize("fold", ["two", "-1", "1.0", ""])
def test_fold_that_is_no_number_is_a_usage_error(project, command, fold):
    result = run_cli(command, f"--fold={fold}")
    *_, last = result.stderr.splitlines()
    assert last == (
        f"Error: Invalid value for '--fold': expected a fold's index or all, got '{fold}'"
    )
    assert result.exit_code == 2  # click's for usage


# A full disk


@pytest.mark.parametrize(
    "command",
    [
        "init sample",
        "preprocess",
        "folds",
        "weights",
        "tune",
        "predict --fold 0",
        "submit",
        "export --fold 0 --to saved_model --out served",
    ],
)
def test_command_on_a_full_disk_leaves_what_was_there(project, monkeypatch, command):
    def run_out_of_space(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    save_model(MODEL, 1)
    # Disks may notice only here that there is no room for what was written.
    monkeypatch.setattr(os, "fsync", run_out_of_space)
    before = read_tree()
    result = run_cli(*command.split())
    assert result.stderr.startswith("Error: ")
    assert result.stderr.endswith("No space left on device\n")
    assert result.stderr.count("\n") == 1
    assert result.exit_code == 1
    assert read_tree() == before


@pytest.mark.parametrize(
    ("command", "largest_file"),
    [
        ("preprocess", 10_000),  # 6 frames of 32 x 64 pixels take 12,288 bytes
        ("submit", 20),  # the header alone takes 11
    ],
)
def test_command_whose_file_may_not_grow_leaves_what_was_there(project, command, largest_file):
    def limit_file_size():
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))

    before = read_tree()
    done = subprocess.run(
        [Path(sys.executable).with_name("pipeline"), command],
        preexec_fn=limit_file_size,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stderr.startswith("Error: ")
    assert done.stderr.endswith("File too large\n")
    assert done.stderr.count("\n") == 1
    assert done.returncode == 1
    assert read_tree() == before
