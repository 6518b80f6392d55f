import numpy as np
import pytest

from pipeline.masks.dice import mean_dice
from pipeline.models.metrics import (
    DiceOnPositives,
    EmptyShare,
    ForegroundShare,
    MeanDice,
    MeanIoU,
    PixelAccuracy,
)
from tests.models.test_losses import (
    EMPTY,
    FAR,
    LABELS,
    LEFT,
    TOP,
    as_batch,
    as_logits,
    one_hot,
)


def test_mean_dice_equals_the_metric_on_masks():
    rng = np.random.default_rng(0)
    y_true = rng.random((5, 4, 6)) < 0.3
    y_pred = rng.random((5, 4, 6)) < 0.3
    y_true[:2], y_pred[1:3] = False, False
    metric = MeanDice()
    for rows in (slice(0, 2), slice(2, 5)):
        metric.update_state(as_batch(*y_true[rows]), as_logits(*y_pred[rows]))
    assert float(metric.result()) == pytest.approx(mean_dice(y_true, y_pred))


def test_dice_on_positives_leaves_out_empty_masks():
    metric = DiceOnPositives()
    metric.update_state(as_batch(TOP, EMPTY), as_logits(LEFT, TOP))
    assert float(metric.result()) == pytest.approx(0.5)


def test_empty_and_foreground_share_look_at_the_prediction():
    empty, foreground = EmptyShare(), ForegroundShare()
    for metric in (empty, foreground):
        metric.update_state(as_batch(TOP, TOP), as_logits(EMPTY, LEFT))
    assert float(empty.result()) == pytest.approx(1 / 2)
    assert float(foreground.result()) == pytest.approx((0 + 2 / 8) / 2)


def test_mean_dice_counts_every_class_of_every_image():
    y_true = np.concatenate([as_batch(TOP, TOP), as_batch(EMPTY, EMPTY)], axis=-1)
    y_pred = np.concatenate([as_logits(TOP, LEFT), as_logits(EMPTY, TOP)], axis=-1)
    metric = MeanDice()
    metric.update_state(y_true, y_pred)
    # TOP is right once and half right once; of the empty class one image is right.
    assert float(metric.result()) == pytest.approx((1 + 0.5 + 1 + 0) / 4)


def test_mean_iou_and_accuracy_match_hand_count():
    iou, accuracy = MeanIoU(4), PixelAccuracy()
    # Of six labelled pixels one 1 is taken for 0; no pixel is of class 3.
    guessed = FAR * one_hot([[0, 0, 1, 0], [0, 0, 2, 2]], classes=4)
    for metric in (iou, accuracy):
        metric.update_state(one_hot(LABELS, classes=4), guessed)
    assert float(iou.result()) == pytest.approx((3 / 4 + 1 / 2 + 1) / 3)
    assert float(accuracy.result()) == pytest.approx(5 / 6)
