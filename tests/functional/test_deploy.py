"""Masks for any images, exports and bundles, with networks of two layers."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.competitions.spec import load_spec
from pipeline.inference.export import open_saved_model
from pipeline.inference.predict import load_model, predict_batch
from pipeline.kaggle.submission import decode_image, read_submission
from pipeline.masks.clean import Cutoffs
from pipeline.paths import Paths
from pipeline.stages import export, unseen
from tests.functional.projects import (
    HEIGHT,
    RAW,
    REPOSITORY,
    WIDTH,
    change_params,
    draw_frame,
    read_tree,
    run_cli,
    run_well,
    save_networks,
)
from tests.functional.test_bad_input import assert_refused, cut

PATHS = Paths(Path())
SPEC = load_spec("sample")


@pytest.fixture(scope="session")
def bundled(finished, tmp_path_factory):
    """Return a folder with a project that has networks, cut-offs and submission, and a bundle."""
    folder = tmp_path_factory.mktemp("bundled")
    shutil.copytree(finished, folder / "project")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder / "project")
        save_networks()
        cutoffs = Cutoffs(threshold=128, min_area=5, fill_holes=True)
        PATHS.cutoffs.write_text(json.dumps({"mask": cutoffs._asdict()}))
        run_well("predict")
        run_well("submit")
        assert run_well("bundle", "--out", "../bundle").startswith(
            "../bundle: 2 networks, 1 wheel; elsewhere run:\npip install --no-index "
        )
    return folder


@pytest.fixture
def trained(bundled, tmp_path, monkeypatch):
    """Return a copy of the project, as the working folder."""
    shutil.copytree(bundled / "project", tmp_path / "project")
    monkeypatch.chdir(tmp_path / "project")
    return tmp_path / "project"


def change_cutoffs(**changes):
    cutoffs = json.loads(PATHS.cutoffs.read_text())
    PATHS.cutoffs.write_text(json.dumps({"mask": cutoffs["mask"] | changes}))


def submitted_masks(path):
    rows = read_submission(path, SPEC)
    return {
        image_id: decode_image(path, rows, image_id, (HEIGHT, WIDTH), SPEC)[..., 0]
        for (image_id,) in rows
    }


def read_masks(folder):
    return {
        path.relative_to(folder).as_posix(): cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        for path in folder.rglob("*.png")
    }


# pipeline predict --images


@pytest.mark.parametrize(("fold", "prior"), [("all", "none"), ("1", "none"), ("all", "components")])
def test_predict_images_of_the_test_set_are_the_submission(trained, fold, prior):
    change_cutoffs(shape_prior=prior)
    run_well("predict", "--fold", fold)
    run_well("submit")
    output = run_well("predict", "--fold", fold, "--images", RAW / "test", "--out", "masks")
    folds = "0, 1" if fold == "all" else fold
    masks = read_masks(Path("masks"))
    expected = submitted_masks(PATHS.submission)
    filled = sum(mask.any() for mask in expected.values())
    assert output == (
        f"masks: 3 masks, {filled} of them not empty, mean of folds {folds} and views identity,"
        " hflip\n"
    )
    assert set(masks) == {f"{key}.png" for key in expected}
    for key, mask in expected.items():
        np.testing.assert_array_equal(masks[f"{key}.png"], 255 * mask.astype(np.uint8))
    assert filled > 0


def test_predict_images_takes_any_format_colour_and_size(trained):
    frame, _ = draw_frame(1)
    for name in ("a/grey.png", "a/b/colour.bmp", "wide.gif.tiff"):
        Path("new", name).parent.mkdir(parents=True, exist_ok=True)
        pixels = np.repeat(frame[..., None], 3, axis=2) if "colour" in name else frame
        cv2.imwrite(f"new/{name}", np.tile(pixels, (1, 3)) if "wide" in name else pixels)
    run_well("predict", "--images", "new", "--out", "masks")
    masks = read_masks(Path("masks"))
    assert {name: mask.shape for name, mask in masks.items()} == {
        "a/grey.png": (HEIGHT, WIDTH),
        "a/b/colour.png": (HEIGHT, WIDTH),
        "wide.gif.png": (HEIGHT, 3 * WIDTH),
    }
    # The frame of test image 1, which the pipeline's own submission holds as well.
    expected = submitted_masks(PATHS.submission)["1"]
    for name in ("a/grey.png", "a/b/colour.png"):
        np.testing.assert_array_equal(masks[name] > 0, expected)


def test_predict_images_bad_one_is_named_and_nothing_is_written(trained):
    cut(RAW / "test/2.tif")
    assert_refused(
        ["predict", "--images", RAW / "test", "--out", "masks"],
        "data/raw/sample/test/2.tif: expected an 8-bit image, got a TIFF that is",
    )


@pytest.mark.parametrize(
    ("images", "out", "message"),
    [
        ("nowhere", "masks", "nowhere: expected a folder of images, found none\n"),
        ("models", "masks", "models: expected images (.tif, "),
        (RAW / "test", RAW / "test", f"{RAW}/test: expected a folder outside of the images' ("),
    ],
)
def test_predict_images_bad_folder_is_refused(trained, images, out, message):
    assert_refused(["predict", "--images", images, "--out", out], message)


@pytest.mark.parametrize("option", ["--images", "--out"])
def test_predict_images_and_out_go_together(trained, option):
    before = read_tree()
    result = run_cli("predict", option, "somewhere")
    assert result.exit_code == 2
    assert "Error: expected --images and --out together\n" in result.stderr
    assert read_tree() == before


# pipeline export


def test_export_saved_model_gives_the_mean_of_the_folds(trained):
    output = run_well("export", "--to", "saved_model", "--out", "served")
    assert output.startswith("served: saved_model, mean of folds 0, 1, without views; on 3 test ")
    frames = np.load(PATHS.test_store / "images.npy")
    models = [load_model(PATHS.model(fold)) for fold in (0, 1)]
    probability, presence = predict_batch(models, frames, views=["identity"])
    outputs = open_saved_model(Path("served"))(frames.astype(np.float32))
    np.testing.assert_allclose(outputs["probability"], probability, atol=1e-5)
    np.testing.assert_allclose(outputs["presence"], presence, atol=1e-5)
    # Again, in place of the first, and for a fold alone.
    run_well("export", "--to", "saved_model", "--out", "served", "--fold", "1")
    alone, _ = predict_batch(models[1:], frames, views=["identity"])
    outputs = open_saved_model(Path("served"))(frames[:1].astype(np.float32))
    np.testing.assert_allclose(outputs["probability"], alone[:1], atol=1e-5)


def test_export_that_differs_from_keras_writes_nothing(trained, monkeypatch):
    write, open_file = export.FORMATS["saved_model"]

    def open_wrong(path):
        run = open_file(path)
        return lambda frames: run(255 - frames)

    monkeypatch.setitem(export.FORMATS, "saved_model", (write, open_wrong))
    assert_refused(
        ["export", "--to", "saved_model", "--out", "served"],
        "served: expected the probabilities of Keras to 0.001, got a difference of",
    )


@pytest.mark.parametrize(
    ("to", "out", "message"),
    [
        ("saved_model", "data", "data: expected a new or empty folder, or a SavedModel\n"),
        ("saved_model", "params.yaml", "params.yaml: expected a new or empty folder, or a Saved"),
        ("onnx", "data", "data: expected a file's name, got a folder\n"),
    ],
)
def test_export_does_not_replace_other_things(trained, to, out, message):
    assert_refused(["export", "--to", to, "--out", out], message)


# pipeline bundle


@pytest.fixture
def bundle(bundled, tmp_path):
    """Return a copy of the bundle; nothing of a project is near."""
    shutil.copytree(bundled / "bundle", tmp_path / "bundle")
    return tmp_path / "bundle"


def _may_unshare():
    try:
        return subprocess.run(["unshare", "-rn", "true"], capture_output=True).returncode == 0
    except FileNotFoundError:
        return False


# Without a network: in a namespace of its own, or where that is not permitted, sockets fail.
NO_NETWORK = ["unshare", "-rn"] if _may_unshare() else []
NO_SOCKETS = """
import socket
def refuse(*_, **__):
    raise OSError("no network here")
socket.socket.connect = socket.getaddrinfo = refuse
"""


def start(bundle, folder, *arguments):
    """Start a bundle's script in an empty folder, with the package that is in its wheel."""
    installed = folder / "installed"
    shutil.unpack_archive(next(bundle.glob("wheels/*.whl")), installed, format="zip")
    (installed / "sitecustomize.py").write_text(NO_SOCKETS)
    return subprocess.Popen(
        [*NO_NETWORK, sys.executable, bundle / "run.py", *map(str, arguments)],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(installed)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def elsewhere(tmp_path):
    """Return an empty folder for a script to run in."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    return folder


@pytest.fixture
def images(bundled, elsewhere):
    """Return a copy of the test frames."""
    shutil.copytree(bundled / "project" / RAW / "test", elsewhere / "images")
    return elsewhere / "images"


def test_bundle_submission_is_that_of_predict_and_submit(bundle, bundled, images, elsewhere):
    process = start(bundle, elsewhere, "images", "out.csv")
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    assert output == "out.csv: 3 images, 3 rows with a mask, by 2 folds in 2 views\n"
    expected = Paths(bundled / "project").submission.read_bytes()
    assert (elsewhere / "out.csv").read_bytes() == expected


def test_bundle_unseen_sizes_bad_file_and_a_budget(bundle, elsewhere):
    images = elsewhere / "images"
    images.mkdir()
    for number in range(20):
        frame = np.tile(draw_frame(number)[0], (1 + number % 3, 1))
        cv2.imwrite(str(images / f"{number}.tif"), frame)
    cut(images / "7.tif")
    process = start(bundle, elsewhere, "images", "out.csv", "--time-budget", 100)
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    assert errors.startswith("images/7.tif: expected an 8-bit image, got a TIFF")
    assert output.startswith("out.csv: 20 images, 19 rows with a mask, by 2 folds in 2 views; 1 ")
    rows = read_submission(elsewhere / "out.csv", SPEC)
    assert list(rows) == [(str(number),) for number in range(20)]
    assert [image_id for (image_id,), runs in rows.items() if runs == [""]] == ["7"]
    for (image_id,) in rows:
        shape = (HEIGHT * (1 + int(image_id) % 3), WIDTH)
        decode_image(elsewhere / "out.csv", rows, image_id, shape, SPEC)


def test_bundle_without_time_leaves_an_all_empty_submission(bundle, images, elsewhere):
    process = start(bundle, elsewhere, images, "out.csv", "--time-budget", "0.1")
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    assert output == (
        "out.csv: 3 images, 0 rows with a mask, none predicted; 3 without a prediction stay empty\n"
    )
    assert (elsewhere / "out.csv").read_text() == "img,pixels\n1,\n2,\n3,\n"


def test_bundle_killed_early_leaves_an_all_empty_submission(bundle, images, elsewhere):
    out = elsewhere / "out.csv"
    process = start(bundle, elsewhere, images, out)
    deadline = time.monotonic() + 60
    while not out.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    assert out.read_text() == "img,pixels\n1,\n2,\n3,\n"


def test_bundle_without_images_is_one_line(bundle, elsewhere):
    (elsewhere / "images").mkdir()
    process = start(bundle, elsewhere, "images", "out.csv")
    output, errors = process.communicate(timeout=120)
    assert (process.returncode, output) == (1, "")
    assert errors == "Error: images: expected files {id}.tif in images, got none\n"
    assert not (elsewhere / "out.csv").exists()


def test_bundle_holds_training_shapes_where_the_prior_needs_them(trained):
    change_cutoffs(shape_prior="components")
    run_well("submit")
    run_well("bundle", "--out", "b")
    unseen.run(Path("b"), RAW / "test", Path("out.csv"), budget=None, started=0.0)
    assert Path("out.csv").read_bytes() == PATHS.submission.read_bytes()


def test_bundle_own_spec_goes_with_it_and_an_earlier_bundle_is_replaced(trained):
    shutil.copy(REPOSITORY / "pipeline/competitions/sample.yaml", "mine.yaml")
    change_params({"competition": "mine.yaml"})
    for _ in range(2):
        run_well("bundle", "--out", "b")
        assert Path("b/competition.yaml").read_bytes() == Path("mine.yaml").read_bytes()
        assert "competition: competition.yaml" in Path("b/params.yaml").read_text()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda: None, "data: expected a new or empty folder, or a bundle\n"),
        (PATHS.model(1).unlink, "models/folds/fold1.keras: no such model; run: "),
        (PATHS.cutoffs.unlink, "models/cutoffs.json: no such file; run: pipeline tune\n"),
    ],
)
def test_bundle_bad_input_is_refused(trained, damage, message):
    damage()
    out = "data" if message.startswith("data") else "b"
    assert_refused(["bundle", "--out", out], message)


def test_bundle_pip_that_fails_is_one_line(trained, monkeypatch, tmp_path):
    broken = tmp_path / "sources"
    (broken / "pipeline").mkdir(parents=True)
    (broken / "pyproject.toml").write_text("[project\n")
    for name in ("README.md", "LICENSE"):
        (broken / name).touch()
    monkeypatch.setattr("pipeline.stages.bundle._SOURCES", broken)
    assert_refused(["bundle", "--out", "b"], "wheels: pip wheel failed: ")
    shutil.rmtree(broken)
    assert_refused(["bundle", "--out", "b"], f"{broken}: expected the project's pyproject.toml")
