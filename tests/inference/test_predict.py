import keras
import numpy as np
import pytest
from scipy.special import logit

from pipeline.dataset.predictions import open_predictions
from pipeline.errors import InputError
from pipeline.inference.predict import load_model, predict_batch, write_predictions


class Constant:
    """Stands for a network: the same probability everywhere."""

    def __init__(self, probability):
        self.probability = probability

    def predict_on_batch(self, frames):
        return np.full((*frames.shape[:3], 1), logit(self.probability), dtype=np.float32)


class LeftEdge:
    """Stands for a network that finds the left column, whatever the frame."""

    def predict_on_batch(self, frames):
        logits = np.full((*frames.shape[:3], 1), -50, dtype=np.float32)
        logits[:, :, 0] = 50
        return logits


FRAMES = np.zeros((3, 2, 4, 1), dtype=np.uint8)


def test_predict_batch_is_the_mean_of_the_models():
    probability, presence = predict_batch(
        [Constant(0.2), Constant(0.6)], FRAMES, views=["identity"]
    )
    np.testing.assert_allclose(probability, np.full((3, 2, 4, 1), 0.4), rtol=1e-6)
    np.testing.assert_allclose(presence, [[0.4]] * 3, rtol=1e-6)
    assert probability.dtype == presence.dtype == np.float32


def test_predict_batch_presence_without_a_head_is_that_of_the_surest_pixel():
    # The edge is found in every view, so the mean's surest pixel is less sure than each view's.
    _, presence = predict_batch([LeftEdge()], FRAMES, views=["identity", "hflip"])
    np.testing.assert_allclose(presence, [[1], [1], [1]])


def test_predict_batch_presence_is_that_of_the_head():
    class WithHead(Constant):
        def predict_on_batch(self, frames):
            mask = super().predict_on_batch(frames)
            return {"mask": mask, "presence": np.full((len(frames), 1), logit(0.9))}

    probability, presence = predict_batch([WithHead(0.2)], FRAMES, views=["identity", "hflip"])
    np.testing.assert_allclose(probability, np.full((3, 2, 4, 1), 0.2), rtol=1e-6)
    np.testing.assert_allclose(presence, [[0.9]] * 3, rtol=1e-6)


def test_predict_batch_exclusive_probabilities_sum_to_one():
    class Three:
        def predict_on_batch(self, frames):
            return np.broadcast_to(np.log([1.0, 2.0, 5.0]), (*frames.shape[:3], 3))

    probability, presence = predict_batch([Three()], FRAMES, views=["identity"], exclusive=True)
    np.testing.assert_allclose(probability[0, 0, 0], [1 / 8, 2 / 8, 5 / 8], rtol=1e-6)
    np.testing.assert_allclose(presence, [[1 / 8, 2 / 8, 5 / 8]] * 3, rtol=1e-6)


def test_predict_batch_views_are_turned_back_before_the_mean():
    probability, _ = predict_batch([LeftEdge()], FRAMES, views=["identity", "hflip"])
    np.testing.assert_allclose(probability[0, ..., 0], [[0.5, 0, 0, 0.5]] * 2, atol=1e-6)


def test_write_predictions_rounds_to_255_levels_in_the_order_of_rows(tmp_path):
    images = np.array([0, 51, 255], dtype=np.uint8)[:, None, None, None] * np.ones_like(FRAMES)

    class Echo:
        def predict_on_batch(self, frames):
            return logit(np.clip(frames / 255, 1e-9, 1 - 1e-9))

    path, advanced = tmp_path / "maps.npy", []
    write_predictions(
        path,
        [Echo()],
        images,
        np.array([2, 0, 1]),
        views=["identity"],
        batch_size=2,
        advance=advanced.append,
    )
    predictions = open_predictions(path, count=3, shape=(1, 2, 4), command="pipeline predict")
    assert predictions["prob_map"][:, 0, 0, 0].tolist() == [255, 0, 51]
    np.testing.assert_allclose(predictions["presence"], [[1], [0], [0.2]], atol=1e-6)
    assert advanced == [2, 1]


def test_write_predictions_failure_leaves_the_old_file(tmp_path):
    class Failing:
        def predict_on_batch(self, frames):
            raise RuntimeError("device lost")

    path = tmp_path / "maps.npy"
    path.write_bytes(b"old")
    with pytest.raises(RuntimeError, match="device lost"):
        write_predictions(path, [Failing()], FRAMES, np.arange(3), views=["identity"], batch_size=2)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_load_model_gives_back_the_networks_logits(tmp_path):
    model = keras.Sequential([keras.Input((None, None, 1)), keras.layers.Conv2D(1, 3)])
    model.save(tmp_path / "fold0.keras")
    frames = np.random.default_rng(0).random((1, 8, 8, 1)).astype(np.float32)
    np.testing.assert_array_equal(
        load_model(tmp_path / "fold0.keras").predict_on_batch(frames),
        model.predict_on_batch(frames),
    )


def test_load_model_missing_file_names_the_command(tmp_path):
    with pytest.raises(InputError, match=r"fold3\.keras: no such model.*train --fold 3"):
        load_model(tmp_path / "fold3.keras")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut off", b"no model"])
def test_load_model_damaged_file_is_one_line(tmp_path, content):
    path = tmp_path / "fold0.keras"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"fold0\.keras: not a model that can be loaded") as error:
        load_model(path)
    assert "\n" not in str(error.value)
