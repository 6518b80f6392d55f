import cv2
import numpy as np
import pandas as pd
import pytest
from skimage.measure import label, regionprops

from pipeline.masks import rle
from pipeline.masks.dice import dice_score
from pipeline.masks.shapes import (
    SHAPE_PRIORS,
    fit_ellipses,
    learn_components,
    make_shape_prior,
    project,
)

SHAPE = (60, 90)


def draw(row, column, height=14, width=22, angle=25):
    mask = np.zeros(SHAPE, np.uint8)
    cv2.ellipse(mask, (column, row), (width, height), angle, 0, 360, 1, thickness=-1)
    return mask > 0


def random_map(seed):
    noise = np.random.default_rng(seed).normal(size=SHAPE)
    smooth = cv2.GaussianBlur(noise, (0, 0), 5)
    return np.uint8(255 * (smooth - smooth.min()) / np.ptp(smooth))


def test_fit_ellipses_keeps_an_ellipse():
    mask = draw(30, 40)
    fitted = fit_ellipses(np.uint8(170 * mask))
    assert set(np.unique(fitted)) == {0, 170}
    assert dice_score(mask, fitted > 0) > 0.97


@pytest.mark.parametrize("threshold", [90, 150, 220])
def test_fit_ellipses_matches_scikit_image_at_every_threshold(threshold):
    prob_map = random_map(1)
    labels = label(prob_map >= threshold, connectivity=2)
    peak = labels.ravel()[prob_map.argmax()]
    region = regionprops((labels == peak).astype(int))[0]
    # A piece's own ellipse lies in the mask; those of higher thresholds, which the mask holds too,
    # lie almost inside of it.
    rows, columns = np.indices(SHAPE)
    along = np.array([np.cos(region.orientation), np.sin(region.orientation)])
    down, right = rows - region.centroid[0], columns - region.centroid[1]
    major = (down * along[0] + right * along[1]) / (region.axis_major_length / 2)
    minor = (down * along[1] - right * along[0]) / (region.axis_minor_length / 2)
    ellipse = major**2 + minor**2 <= 1
    observed = fit_ellipses(prob_map) >= threshold
    assert observed[ellipse & (major**2 + minor**2 < 0.99)].all()
    assert dice_score(ellipse, observed) > 0.9


def test_fit_ellipses_of_nothing_is_nothing():
    assert not fit_ellipses(np.zeros(SHAPE, np.uint8)).any()


@pytest.mark.parametrize("flip", [np.fliplr, np.flipud, np.transpose])
def test_fit_ellipses_turns_with_the_map(flip):
    prob_map = random_map(2)
    prob_map[40:42, 50] = prob_map[5, 5] = 255  # two peaks, one of them larger
    np.testing.assert_array_equal(fit_ellipses(flip(prob_map)), flip(fit_ellipses(prob_map)))


@pytest.mark.parametrize("seed", range(4))
def test_fit_ellipses_beyond_the_edge_are_cut_off_there(seed):
    prob_map = random_map(seed)  # its piece touches the edges
    around = np.pad(prob_map, ((30, 40), (50, 20)))
    np.testing.assert_array_equal(fit_ellipses(prob_map), fit_ellipses(around)[30:-40, 50:-20])


def places(count):
    generator = np.random.default_rng(3)
    return [draw(*generator.integers((20, 30), (40, 60)).tolist()) for _ in range(count)]


def test_project_takes_a_map_to_what_masks_look_like():
    components = learn_components(places(200))
    mask = draw(31, 44)
    dented = np.uint8(255 * mask)
    dented[28:34, 40:48] = 0
    assert dice_score(mask, dented > 127) < dice_score(mask, project(dented, components) > 127)
    far = np.zeros(SHAPE, np.uint8)
    far[:6, :6] = 255  # where no mask ever is
    assert project(far, components).max() < 30


def test_learn_components_are_orthonormal_and_no_more_than_the_masks():
    for count, expected in ((200, 32), (2, 2)):
        components = learn_components(places(count))
        assert len(components) == expected
        np.testing.assert_allclose(components @ components.T, np.eye(expected), atol=1e-4)


def test_learn_components_empty_masks_teach_nothing(monkeypatch):
    masks = places(40)
    empty = np.zeros(SHAPE, bool)
    np.testing.assert_array_equal(learn_components([*masks, empty]), learn_components(masks))
    monkeypatch.delattr("pipeline.masks.shapes.eigh")  # seconds of work on zeros
    nothing = learn_components([empty])
    assert (nothing.shape, nothing.dtype) == ((0, 36 * 48), np.float32)
    assert not project(random_map(4), nothing).any()


@pytest.mark.parametrize("name", SHAPE_PRIORS)
def test_make_shape_prior_keeps_shape_and_type(name):
    masks = [(rle.encode(mask), *SHAPE) for mask in places(5)]
    reshape = make_shape_prior(name, pd.DataFrame(masks, columns=["rle", "height", "width"]))
    prob_map = random_map(5)[:, :70]
    observed = reshape(prob_map)
    assert (observed.dtype, observed.shape) == (np.uint8, prob_map.shape)
    assert (name == "none") == np.array_equal(observed, prob_map)
    empty = np.zeros((32, 64), np.uint8)
    np.testing.assert_array_equal(reshape(empty), empty)
