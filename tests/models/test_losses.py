import keras
import numpy as np
import pytest

from pipeline.models.losses import (
    LOSSES,
    DiceCrossEntropyLoss,
    DiceFocalLoss,
    DiceLoss,
    LovaszHingeLoss,
    TverskyLoss,
)

FAR = 50.0  # a logit whose sigmoid is 1 in float32


def as_batch(*masks):
    return np.array(masks, dtype=np.float32)[..., None]


def as_logits(*masks):
    return FAR * (2 * as_batch(*masks) - 1)


TOP = [[1, 1, 0, 0], [0, 0, 0, 0]]
LEFT = [[1, 0, 0, 0], [1, 0, 0, 0]]
EMPTY = [[0, 0, 0, 0], [0, 0, 0, 0]]


def test_dice_loss_without_smoothing_is_one_minus_dice():
    # One common pixel, two each: Dice is 2 * 1 / 4.
    loss = DiceLoss(over="image", smooth=0.0)
    assert float(loss(as_batch(TOP), as_logits(LEFT))) == pytest.approx(0.5)


def test_dice_loss_over_image_averages_images_over_batch_pools_pixels():
    y_true = as_batch(TOP, EMPTY)
    y_pred = as_logits(TOP, [[1, 1, 1, 1], [0, 0, 0, 0]])
    # Smoothing 1/8 of 8 pixels is 1. Per image: 1 - 5/5 and 1 - 1/5; pooled: 1 - 5/9.
    per_image, pooled = DiceLoss(over="image", smooth=1 / 8), DiceLoss(over="batch", smooth=1 / 8)
    assert float(per_image(y_true, y_pred)) == pytest.approx((0 + 0.8) / 2)
    assert float(pooled(y_true, y_pred)) == pytest.approx(4 / 9)


@pytest.mark.parametrize("over", ["image", "batch"])
@pytest.mark.parametrize("name", LOSSES)
def test_losses_empty_mask_predicted_empty_is_zero(name, over):
    loss = LOSSES[name](over=over)
    assert float(loss(as_batch(EMPTY), as_logits(EMPTY))) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("over", ["image", "batch"])
def test_dice_loss_empty_mask_gradient_is_of_the_cross_entropys_order(over):
    """Differences of the loss for a tenth of a 96x128 frame moving from 0.5 to 0.4."""
    y_true = np.zeros((1, 96, 128, 1), dtype=np.float32)
    half = np.full_like(y_true, -FAR)
    half[:, :, :13] = 0.0
    less = np.where(half == 0, np.log(0.4 / 0.6), half).astype(np.float32)
    loss = DiceLoss(over=over)
    gain = float(loss(y_true, half)) - float(loss(y_true, less))
    # Cross-entropy falls by log(0.6 / 0.5) on 13 of 128 columns.
    assert gain > 0.5 * np.log(0.6 / 0.5) * 13 / 128


def test_dice_loss_unknown_reduction_is_refused():
    with pytest.raises(ValueError, match="over: expected image or batch, got 'pixel'"):
        DiceLoss(over="pixel")


def test_dice_cross_entropy_is_the_sum_of_both():
    y_true, y_pred = as_batch(TOP, LEFT), np.zeros((2, 2, 4, 1), dtype=np.float32)
    for over in ("image", "batch"):
        dice = float(DiceLoss(over=over)(y_true, y_pred))
        both = float(DiceCrossEntropyLoss(over=over)(y_true, y_pred))
        assert both == pytest.approx(dice + np.log(2))  # the entropy at probability 0.5


def test_dice_focal_is_dice_plus_a_quarter_of_the_entropy_at_one_half():
    # The focal weight is the squared error: 0.5 ** 2.
    y_true, y_pred = as_batch(TOP, LEFT), np.zeros((2, 2, 4, 1), dtype=np.float32)
    for over in ("image", "batch"):
        dice = float(DiceLoss(over=over)(y_true, y_pred))
        both = float(DiceFocalLoss(over=over)(y_true, y_pred))
        assert both == pytest.approx(dice + np.log(2) / 4, rel=1e-5)


def test_tversky_loss_weighs_a_missed_pixel_more_than_a_false_one():
    loss = TverskyLoss(over="image", smooth=0.0)
    one = [[1, 0, 0, 0], [0, 0, 0, 0]]
    # One pixel in common, one missed: 1 - 1 / 1.7; the other way round: 1 - 1 / 1.3.
    assert float(loss(as_batch(TOP), as_logits(one))) == pytest.approx(1 - 1 / 1.7)
    assert float(loss(as_batch(one), as_logits(TOP))) == pytest.approx(1 - 1 / 1.3)


@pytest.mark.parametrize("over", ["image", "batch"])
def test_lovasz_hinge_at_logits_of_one_or_minus_one_is_twice_the_jaccard_loss(over):
    """A wrong pixel's hinge is then 2 and a right one's 0: the extension at a corner."""
    loss = LovaszHingeLoss(over=over)
    # TOP and LEFT share one of three pixels.
    observed = float(loss(as_batch(TOP), as_logits(LEFT) / FAR))
    assert observed == pytest.approx(2 * (1 - 1 / 3))


def test_lovasz_hinge_between_the_corners_is_their_mix():
    """Hinges 3, 2 and 0: one third of the way twice. By hand: TOP as truth, two wrong pixels."""
    y_pred = as_logits(LEFT) / FAR
    y_pred[0, 1, 0, 0] = 2.0  # the false pixel, hinge 3; the missed one keeps hinge 2
    # Losses of the sets {false}, {false, missed}: 1 - 2/3 and 1 - 1/3.
    expected = 3 * (1 / 3) + 2 * (2 / 3 - 1 / 3)
    assert float(LovaszHingeLoss(over="image")(as_batch(TOP), y_pred)) == pytest.approx(expected)


def test_lovasz_hinge_refuses_what_it_does_not_know():
    with pytest.raises(ValueError, match="exclusive: expected False for the Lovász hinge"):
        LovaszHingeLoss(exclusive=True)
    with pytest.raises(TypeError, match="smooth"):
        LovaszHingeLoss(smooth=0.1)
    with pytest.raises(ValueError, match="over: expected image or batch, got 'pixel'"):
        LovaszHingeLoss(over="pixel")


def test_dice_loss_trains_a_pixel_towards_its_mask():
    model = keras.Sequential([keras.Input((2, 4, 1)), keras.layers.Conv2D(1, 1)])
    model.compile(optimizer=keras.optimizers.SGD(5.0), loss=DiceLoss(), jit_compile=False)
    frames = as_batch(TOP) * 2 - 1
    before = model.evaluate(frames, as_batch(TOP), verbose=0)
    model.fit(frames, as_batch(TOP), epochs=20, verbose=0)
    assert model.evaluate(frames, as_batch(TOP), verbose=0) < before


def test_losses_several_classes_are_the_mean_of_each():
    rng = np.random.default_rng(0)
    y_true = (rng.random((2, 3, 4, 2)) < 0.4).astype(np.float32)
    y_pred = rng.normal(size=(2, 3, 4, 2)).astype(np.float32)
    for make in LOSSES.values():
        for over in ("image", "batch"):
            loss = make(over=over)
            of_classes = [
                float(loss(y_true[..., k : k + 1], y_pred[..., k : k + 1])) for k in (0, 1)
            ]
            assert float(loss(y_true, y_pred)) == pytest.approx(np.mean(of_classes), rel=1e-5)


def one_hot(labels, classes=3):
    """Return masks (1, H, W, classes); -1 is void."""
    return (np.array(labels)[None, ..., None] == np.arange(classes)).astype(np.float32)


LABELS = [[0, 1, 1, -1], [0, 0, 2, -1]]


@pytest.mark.parametrize("name", [name for name in LOSSES if name != "lovasz"])
@pytest.mark.parametrize("over", ["image", "batch"])
def test_losses_exclusive_right_labels_are_zero_and_void_does_not_count(name, over):
    loss, y_true = LOSSES[name](over=over, exclusive=True), one_hot(LABELS)
    right = FAR * y_true
    assert float(loss(y_true, right)) == pytest.approx(0, abs=1e-6)
    elsewhere = right.copy()
    elsewhere[0, :, 3, 1] = FAR
    assert float(loss(y_true, elsewhere)) == pytest.approx(0, abs=1e-6)
    assert float(loss(y_true, np.roll(right, 1, axis=-1))) > 0.5


def test_dice_cross_entropy_exclusive_at_equal_logits_matches_hand_count():
    y_true, y_pred = one_hot(LABELS), np.zeros((1, 2, 4, 3), np.float32)
    # Each of six pixels of eight has -log(1/3); probabilities are 1/3 on these six.
    entropy = 6 / 8 * np.log(3)
    areas = np.array([3, 2, 1])
    dice = np.mean(1 - 2 * areas / 3 / (areas + 6 / 3))
    loss = DiceCrossEntropyLoss(exclusive=True, smooth=0.0)
    assert float(loss(y_true, y_pred)) == pytest.approx(dice + entropy, rel=1e-5)
