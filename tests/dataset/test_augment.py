import numpy as np
import pytest

from pipeline.dataset.augment import PRESETS, Augmentation


@pytest.fixture
def frame():
    """A dark frame with one bright rectangle, which is the mask: 32x48."""
    mask = np.zeros((32, 48), dtype=np.uint8)
    mask[8:24, 10:30] = 1
    return (mask * 160 + 40)[..., None].astype(np.uint8), mask


@pytest.mark.parametrize("preset", PRESETS)
def test_augmentation_same_generator_gives_the_same_frame(preset, frame):
    first = Augmentation(preset)(*frame, rng=np.random.default_rng(3))
    again = Augmentation(preset)(*frame, rng=np.random.default_rng(3))
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])


@pytest.mark.parametrize("preset", PRESETS)
def test_augmentation_keeps_shape_and_dtype(preset, frame):
    image, mask = Augmentation(preset)(*frame, rng=np.random.default_rng(0))
    assert (image.shape, image.dtype) == ((32, 48, 1), np.uint8)
    assert (mask.shape, mask.dtype) == ((32, 48), np.uint8)
    assert set(np.unique(mask)) <= {0, 1}


def test_augmentation_none_changes_nothing(frame):
    image, mask = Augmentation("none")(*frame, rng=np.random.default_rng(0))
    np.testing.assert_array_equal(image, frame[0])
    np.testing.assert_array_equal(mask, frame[1])


@pytest.mark.parametrize("preset", ["light", "medium", "strong"])
def test_augmentation_mask_follows_the_image(preset, frame):
    augment = Augmentation(preset)
    for seed in range(20):
        image, mask = augment(*frame, rng=np.random.default_rng(seed))
        # The bright pixels are the mask's, but for interpolation along the rim of 72 pixels.
        bright = image[..., 0] > (int(image.min()) + int(image.max())) / 2
        assert np.count_nonzero(bright != mask.astype(bool)) < 60


@pytest.mark.parametrize("preset", ["light", "medium", "strong"])
def test_augmentation_differs_between_generators(preset, frame):
    augment = Augmentation(preset)
    images = [augment(*frame, rng=np.random.default_rng(seed))[0] for seed in range(10)]
    assert len({image.tobytes() for image in images}) >= 5


def test_augmentation_unknown_preset_lists_the_known():
    with pytest.raises(ValueError, match=r"expected one of none, light.*got 'wild'"):
        Augmentation("wild")
