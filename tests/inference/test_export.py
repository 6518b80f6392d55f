import importlib.util

import keras
import numpy as np
import pytest

from pipeline.errors import InputError
from pipeline.inference import export
from pipeline.inference.export import (
    as_float32,
    make_members,
    mean_of,
    open_onnx,
    open_saved_model,
    write_onnx,
    write_saved_model,
)
from pipeline.inference.predict import predict_batch
from pipeline.models.fcn import build_fcn

FRAMES = np.random.default_rng(0).integers(0, 256, (3, 32, 64, 1), dtype=np.uint8)
HAS_ONNX = all(importlib.util.find_spec(name) for name in export._ONNX_PACKAGES)


def build(seed, *, precision="float32", presence_head=False):
    keras.utils.set_random_seed(seed)
    frames = keras.Input((None, None, 1))
    x = keras.layers.Rescaling(1 / 64, offset=-2, dtype=precision)(frames)
    x = keras.layers.Conv2D(4, 5, strides=2, padding="same", activation="relu", dtype=precision)(x)
    x = keras.layers.BatchNormalization(dtype=precision)(x)
    mask = keras.layers.Conv2DTranspose(1, 4, strides=2, padding="same", dtype="float32")(x)
    if not presence_head:
        return keras.Model(frames, mask, name="same")
    pooled = keras.layers.GlobalAveragePooling2D(dtype="float32")(x)
    presence = keras.layers.Dense(1, dtype="float32")(pooled)
    return keras.Model(frames, {"mask": mask, "presence": presence}, name="same")


def assert_same(outputs, models, frames=FRAMES, atol=1e-5):
    probability, presence = predict_batch(models, frames, views=["identity"])
    assert set(outputs) == {"probability", "presence"}
    np.testing.assert_allclose(outputs["probability"], probability, atol=atol)
    np.testing.assert_allclose(outputs["presence"], presence, atol=atol)
    assert np.ptp(outputs["probability"]) > 0.1  # else all of the above would say little


@pytest.mark.parametrize("presence_head", [False, True])
@pytest.mark.parametrize("count", [1, 3])
def test_mean_of_members_is_the_mean_of_predict_batch(presence_head, count):
    models = [build(seed, presence_head=presence_head) for seed in range(count)]
    merged = mean_of(make_members(models, height=32, width=64))
    assert merged.input_shape == (None, 32, 64, 1)
    assert_same(merged.predict_on_batch(FRAMES.astype(np.float32)), models)


def test_as_float32_has_the_weights_and_rounds_no_layer():
    model = build(1, precision="mixed_bfloat16")
    copy = as_float32(model, name="copy")
    assert {layer.compute_dtype for layer in copy.layers} == {"float32"}
    assert "bfloat16" in {layer.compute_dtype for layer in model.layers}
    # The one of float32 from the start is the same function; bfloat16 is near.
    frames = FRAMES.astype(np.float32)
    expected = build(1).predict_on_batch(frames)
    np.testing.assert_array_equal(copy.predict_on_batch(frames), expected)
    rounded = model.predict_on_batch(frames)
    assert 0 < np.abs(rounded - expected).max() < 0.1


def test_write_saved_model_runs_any_batch_as_keras_does(tmp_path):
    models = [build(seed, precision="mixed_bfloat16", presence_head=True) for seed in (1, 2)]
    exact = [as_float32(model, name="exact") for model in models]
    members, done = make_members(models, height=32, width=64), []
    write_saved_model(members, tmp_path / "served", advance=done.append)
    assert sum(done) == 2
    run = open_saved_model(tmp_path / "served")
    for count in (1, 3):
        assert_same(run(FRAMES[:count].astype(np.float32)), exact, FRAMES[:count])


@pytest.mark.skipif(not HAS_ONNX, reason="the extra [onnx] is not installed")
@pytest.mark.parametrize("seeds", [[1], [1, 2, 3]])
def test_write_onnx_runs_any_batch_as_keras_does(seeds, tmp_path):
    models, done = [build(seed, presence_head=True) for seed in seeds], []
    members = make_members(models, height=32, width=64)
    write_onnx(members, tmp_path / "ensemble.onnx", advance=done.append)
    assert list(tmp_path.iterdir()) == [tmp_path / "ensemble.onnx"]
    assert sum(done) == len(seeds)
    run = open_onnx(tmp_path / "ensemble.onnx")
    for count in (1, 3):
        assert_same(run(FRAMES[:count].astype(np.float32)), models, FRAMES[:count])


@pytest.mark.skipif(not HAS_ONNX, reason="the extra [onnx] is not installed")
def test_write_onnx_of_the_extended_fcn_is_what_keras_computes(tmp_path):
    keras.utils.set_random_seed(0)
    models = [build_fcn(width=2, refine=True, batch_norm=True, presence_head=True, prior=0.5)]
    kernel = models[0].get_layer("score_pool1").kernel  # skips start at zero
    kernel.assign(np.random.default_rng(0).normal(0, 0.02, kernel.shape))
    members = make_members(models, height=32, width=64)
    write_onnx(members, tmp_path / "fcn.onnx", advance=[].append)
    assert_same(open_onnx(tmp_path / "fcn.onnx")(FRAMES.astype(np.float32)), models, atol=1e-3)


def test_write_onnx_without_the_extra_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setattr(export, "_ONNX_PACKAGES", ("no_such_package",))
    with pytest.raises(InputError, match=r"^onnx: no_such_package is not installed; run: pip ins"):
        write_onnx(make_members([build(1)], height=32, width=64), tmp_path / "a", advance=print)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not HAS_ONNX, reason="the extra [onnx] is not installed")
def test_write_onnx_more_than_a_file_holds_is_refused_at_once(tmp_path, monkeypatch):
    members = make_members([build(1), build(2)], height=32, width=64)
    monkeypatch.setattr(export, "_ONNX_LIMIT", 8 * members[0].count_params() - 1)
    with pytest.raises(InputError, match=r"expected networks of at most .* GB.*export fewer folds"):
        write_onnx(members, tmp_path / "a", advance=print)
    assert list(tmp_path.iterdir()) == []
