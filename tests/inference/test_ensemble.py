import cv2
import numpy as np
from scipy.special import logit

from pipeline.dataset.decision import by_cutoffs
from pipeline.inference.ensemble import Ensemble
from pipeline.masks.clean import Cutoffs


class Bright:
    """Stands for a network: as sure as a pixel is bright, times a factor."""

    def __init__(self, factor):
        self._factor = factor

    def predict_on_batch(self, frames):
        return logit(np.clip(self._factor * frames / 255, 1e-6, 1 - 1e-6))


def open_ensemble(*factors, **cutoffs):
    return Ensemble(
        models=[Bright(factor) for factor in factors],
        views=("identity", "hflip"),
        height=32,
        width=64,
        channels=1,
        decide=by_cutoffs([(Cutoffs(**cutoffs), lambda prob_map: prob_map)]),
    )


def write_half(path, height=64, width=192):
    """Write a frame whose left half is white."""
    frame = np.zeros((height, width), np.uint8)
    frame[:, : width // 2] = 255
    cv2.imwrite(str(path), frame)
    return frame == 255


def test_ensemble_mask_has_the_size_of_the_file(tmp_path):
    expected = write_half(tmp_path / "a.png")
    ensemble = open_ensemble(1.0, threshold=128)
    frame = ensemble.read(tmp_path / "a.png")
    assert (frame.pixels.shape, frame.size) == ((32, 64, 1), (64, 192))
    (prediction,) = ensemble.predict([frame])
    np.testing.assert_array_equal(ensemble.masks(prediction, frame), expected[..., None])


def test_ensemble_predict_with_fewer_folds_is_the_mean_of_the_first(tmp_path):
    write_half(tmp_path / "a.png")
    ensemble = open_ensemble(0.8, 0.2, threshold=128)
    frame = ensemble.read(tmp_path / "a.png")
    levels = [
        ensemble.predict([frame], folds=folds, views=1)["prob_map"].max() for folds in (1, 2, None)
    ]
    assert levels == [204, 128, 128]  # 255 times 0.8, and times 0.5 rounded to even


def test_ensemble_mask_obeys_the_cutoffs(tmp_path):
    expected = write_half(tmp_path / "a.png")
    area = int(expected.sum())
    for min_area, found in ((area, area), (area + 1, 0)):
        ensemble = open_ensemble(1.0, threshold=128, min_area=min_area)
        frame = ensemble.read(tmp_path / "a.png")
        assert ensemble.masks(ensemble.predict([frame])[0], frame).sum() == found
