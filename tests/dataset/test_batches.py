from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from pipeline.dataset.batches import Classes, TrainingBatches, ValidationBatches
from pipeline.masks.codes import pack


@pytest.fixture
def arrays():
    """Eleven 4x6 frames of which frame i is filled with i, and masks of odd frames."""
    images = np.broadcast_to(np.arange(11, dtype=np.uint8)[:, None, None, None], (11, 4, 6, 1))
    return images, (images[..., 0] % 2).astype(np.uint8)


def make_batches(arrays, **changes):
    options = {"batch_size": 4, "augmentation": "none", "seed": 5, "fold": 0, **changes}
    return TrainingBatches(*arrays, np.arange(1, 11), **options)


def frames_of(batches):
    return [batches[i][0][:, 0, 0, 0].astype(int).tolist() for i in range(len(batches))]


def test_training_batches_are_equal_in_size_and_drop_the_rest(arrays):
    batches = make_batches(arrays)
    assert len(batches) == 2  # 10 frames in batches of 4
    frames = np.concatenate(frames_of(batches)).tolist()
    assert len(set(frames)) == 8
    assert set(frames) <= set(range(1, 11))


def test_training_batches_arrays_are_raw_frames_and_binary_masks(arrays):
    images, masks = make_batches(arrays)[0]
    assert (images.shape, images.dtype) == ((4, 4, 6, 1), np.float32)
    assert (masks.shape, masks.dtype) == ((4, 4, 6, 1), np.float32)
    np.testing.assert_array_equal(masks, images % 2)


def test_training_batches_presence_is_whether_a_mask_has_foreground(arrays):
    frames, targets = make_batches(arrays, presence=True)[0]
    odd = frames[:, 0, 0] % 2
    np.testing.assert_array_equal(targets["presence"], odd)
    np.testing.assert_array_equal(targets["mask"], frames % 2)


def test_validation_batches_presence_is_whether_a_mask_has_foreground(arrays):
    batches = ValidationBatches(*arrays, np.array([3, 4, 5]), batch_size=2, presence=True)
    assert batches[0][1]["presence"].tolist() == [[1], [0]]
    assert batches[1][1]["presence"].tolist() == [[1]]


def test_training_batches_scale_shrinks_frames_and_masks_alike():
    images = np.full((2, 64, 128, 1), 9, np.uint8)
    masks = np.zeros((2, 64, 128), np.uint8)
    masks[:, :32, 64:] = 1
    batches = TrainingBatches(
        images, masks, np.arange(2), batch_size=2, augmentation="none", seed=0, fold=0
    )
    batches.scale = 0.5
    small, small_masks = batches[0]
    np.testing.assert_array_equal(small, np.full((2, 32, 64, 1), 9))
    np.testing.assert_array_equal(small_masks[..., 0], masks[:, ::2, ::2])
    batches.scale = 0.1  # never less than the network can take
    assert batches[0][0].shape == (2, 32, 32, 1)


def test_training_batches_made_in_turn_are_the_same(arrays):
    batches, in_turn = make_batches(arrays), make_batches(arrays)
    in_turn.make_in_turn(threads=3)
    assert in_turn.workers == 1  # else Keras makes several at a time
    for epoch in (0, 1):
        batches.epoch = in_turn.epoch = epoch
        assert frames_of(in_turn) == frames_of(batches)


# Several classes

OVERLAPPING, EXCLUSIVE = Classes(2), Classes(3, exclusive=True)


@pytest.fixture
def coded():
    """Codes of 4 frames: none, the first class, the second, both or, of exclusive ones, a third."""
    images = np.broadcast_to(np.arange(4, dtype=np.uint8)[:, None, None, None], (4, 4, 6, 1))
    return images, np.ascontiguousarray(images[..., 0])


@pytest.mark.parametrize(
    ("classes", "expected"),
    [
        (OVERLAPPING, [[0, 0], [1, 0], [0, 1], [1, 1]]),
        (EXCLUSIVE, [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]),
    ],
)
def test_validation_batches_codes_become_a_channel_of_each_class(coded, classes, expected):
    options = {"batch_size": 4, "classes": classes}
    _, masks = ValidationBatches(*coded, np.arange(4), **options)[0]
    assert (masks.shape, masks.dtype) == ((4, 4, 6, classes.count), np.float32)
    np.testing.assert_array_equal(masks[:, 0, 0], expected)
    np.testing.assert_array_equal(masks, np.broadcast_to(masks[:, :1, :1], masks.shape))
    _, targets = ValidationBatches(*coded, np.arange(4), presence=True, **options)[0]
    np.testing.assert_array_equal(targets["mask"], masks)
    np.testing.assert_array_equal(targets["presence"], expected)


@pytest.mark.parametrize("classes", [OVERLAPPING, EXCLUSIVE])
def test_training_batches_moved_masks_of_every_class_stay_binary(classes):
    rng = np.random.default_rng(0)
    codes = np.kron(rng.integers(0, 4, (3, 4, 4), dtype=np.uint8), np.ones((1, 8, 8), np.uint8))
    images = codes[..., None] * 80  # 0, 80, 160, 240: what a pixel's code is can be read off it
    options = {"batch_size": 3, "seed": 1, "fold": 0, "classes": classes}
    moved, plain = (
        TrainingBatches(images, codes, np.arange(3), augmentation=preset, **options)[0]
        for preset in ("light", "none")
    )
    assert moved[1].shape == (3, 32, 32, classes.count)
    assert (moved[1] != plain[1]).any()  # something moved
    np.testing.assert_array_equal(np.unique(moved[1]), [0, 1])  # and nothing was blended
    np.testing.assert_array_equal(
        pack(plain[1] > 0, exclusive=classes.exclusive), plain[0][..., 0] / 80
    )


def unchanged_batches(codes, classes):
    """Return batches of one frame, whose masks are these codes, without augmentation."""
    return TrainingBatches(
        codes[..., None],
        codes,
        np.arange(1),
        batch_size=1,
        augmentation="none",
        seed=0,
        fold=0,
        classes=classes,
    )


@pytest.mark.parametrize("classes", [OVERLAPPING, EXCLUSIVE])
def test_training_batches_scale_shrinks_each_class_alone(classes):
    codes = np.zeros((1, 64, 64), np.uint8)
    codes[:, :32] = 1
    codes[:, 32:, :32] = 2
    codes[:, 32:, 32:] = 3
    batches = unchanged_batches(codes, classes)
    whole = batches[0][1]
    batches.scale = 0.5
    # Blocks of 2 x 2 equal pixels: each becomes one of them.
    np.testing.assert_array_equal(batches[0][1], whole[:, ::2, ::2])


def test_training_batches_scale_leaves_no_pixel_of_exclusive_classes_void():
    codes = np.tile(np.uint8([[1, 2], [3, 4]]), (1, 32, 32))
    batches = unchanged_batches(codes, Classes(4, exclusive=True))
    batches.scale = 0.5
    expected = np.broadcast_to([1, 0, 0, 0], (1, 32, 32, 4))  # of equal shares the first
    np.testing.assert_array_equal(batches[0][1], expected)


def test_training_batches_next_epoch_has_another_order(arrays):
    batches = make_batches(arrays)
    first = frames_of(batches)
    batches.on_epoch_end()
    assert frames_of(batches) != first


def test_training_batches_epoch_alone_decides_not_its_history(arrays):
    batches = make_batches(arrays, augmentation="light")
    frames_of(batches)
    batches.on_epoch_end()
    resumed = make_batches(arrays, augmentation="light")
    resumed.epoch = 1
    np.testing.assert_array_equal(batches[1][0], resumed[1][0])


def test_training_batches_threads_do_not_change_a_batch(arrays):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (11, 16, 16, 1), dtype=np.uint8)
    batches = make_batches((images, images[..., 0] // 128), augmentation="light", batch_size=1)
    alone = [batches[i][0] for i in range(len(batches))]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda i: batches[i][0], range(len(batches))))
    np.testing.assert_array_equal(together, alone)


def test_training_batches_folds_differ(arrays):
    assert frames_of(make_batches(arrays, fold=0)) != frames_of(make_batches(arrays, fold=1))


def test_training_batches_fewer_frames_than_a_batch_make_one(arrays):
    batches = make_batches(arrays, batch_size=64)
    assert len(batches) == 1
    assert sorted(frames_of(batches)[0]) == list(range(1, 11))


def test_validation_batches_hold_every_frame_in_order(arrays):
    batches = ValidationBatches(*arrays, np.array([7, 2, 9]), batch_size=2)
    assert frames_of(batches) == [[7, 2], [9]]
