"""Losses and metrics on logits."""

from typing import Literal

import keras
from keras import ops


class DiceLoss(keras.losses.Loss):
    """One minus the soft Dice score of the sigmoid of the logits.

    Parameters
    ----------
    over : {"image", "batch"}
        One Dice score per image, averaged, or one over all pixels of the batch.
    smooth : float
        Added to numerator and denominator, as a share of one image's pixels. With it an empty
        mask has a loss, 0 where nothing is predicted, whose gradient on a pixel is of the order
        of the cross-entropy's; the customary single pixel would leave it almost without.

    References
    ----------
    Milletari, Navab, Ahmadi, *V-Net*, 2016.
    """

    def __init__(self, *, over: Literal["image", "batch"] = "batch", smooth: float = 0.01) -> None:
        super().__init__(name="dice_loss")
        if over not in ("image", "batch"):
            raise ValueError(f"over: expected image or batch, got {over!r}")
        self.over = over
        self.smooth = smooth

    def call(self, y_true, y_pred):
        """Return the loss per image (N,), or of the batch ()."""
        axes = (1, 2, 3) if self.over == "image" else None
        probability = ops.sigmoid(y_pred)
        overlap = ops.sum(y_true * probability, axis=axes)
        total = ops.sum(y_true, axis=axes) + ops.sum(probability, axis=axes)
        _, height, width, _ = ops.shape(y_pred)
        smooth = self.smooth * ops.cast(height * width, probability.dtype)
        return 1 - (2 * overlap + smooth) / (total + smooth)


class DiceCrossEntropyLoss(DiceLoss):
    """The Dice loss plus the mean cross-entropy of the pixels.

    Dice alone can settle on all-empty or all-foreground; the cross-entropy leads away from both.
    """

    def call(self, y_true, y_pred):
        """Return the loss per image (N,), or of the batch ()."""
        cross_entropy = ops.mean(
            ops.binary_crossentropy(y_true, y_pred, from_logits=True),
            axis=(1, 2, 3) if self.over == "image" else None,
        )
        return super().call(y_true, y_pred) + cross_entropy


LOSSES = {"dice": DiceLoss, "dice_bce": DiceCrossEntropyLoss}


class _MeanOverImages(keras.metrics.Metric):
    """Mean of a value per image, from masks and logits (N, H, W, 1) at probability 0.5."""

    def __init__(self, name: str) -> None:
        super().__init__(name=name, dtype="float32")
        self.total = self.add_weight(name="total", initializer="zeros")
        self.count = self.add_weight(name="count", initializer="zeros")

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Add a batch."""
        y_true = ops.cast(y_true, self.dtype)
        values, weights = self.values(y_true, ops.cast(y_pred > 0, self.dtype))
        self.total.assign_add(ops.sum(values * weights))
        self.count.assign_add(ops.sum(weights))

    def values(self, y_true, y_pred):
        """Return each image's value and its weight, 0 or 1, both (N,)."""
        raise NotImplementedError

    def result(self):
        """Return the mean so far, 0 before the first image."""
        return self.total / ops.maximum(self.count, 1)


def _dice_per_image(y_true, y_pred):
    overlap = ops.sum(y_true * y_pred, axis=(1, 2, 3))
    areas = ops.sum(y_true + y_pred, axis=(1, 2, 3))
    # Both empty: the metric's rule.
    return ops.where(areas > 0, 2 * overlap / ops.maximum(areas, 1), 1.0)


class MeanDice(_MeanOverImages):
    """Dice score, 1 where both masks are empty: the competition's rule, at network size."""

    def __init__(self) -> None:
        super().__init__("dice")

    def values(self, y_true, y_pred):
        """Every image counts."""
        dice = _dice_per_image(y_true, y_pred)
        return dice, ops.ones_like(dice)


class DiceOnPositives(_MeanOverImages):
    """Dice score of the images whose true mask is not empty."""

    def __init__(self) -> None:
        super().__init__("dice_positive")

    def values(self, y_true, y_pred):
        """Images with an empty mask don't count."""
        positive = ops.cast(ops.any(y_true > 0, axis=(1, 2, 3)), self.dtype)
        return _dice_per_image(y_true, y_pred), positive


class EmptyShare(_MeanOverImages):
    """Share of images predicted empty."""

    def __init__(self) -> None:
        super().__init__("empty")

    def values(self, y_true, y_pred):
        """Every image counts."""
        empty = ops.cast(ops.all(y_pred == 0, axis=(1, 2, 3)), self.dtype)
        return empty, ops.ones_like(empty)


class ForegroundShare(_MeanOverImages):
    """Share of pixels predicted foreground."""

    def __init__(self) -> None:
        super().__init__("foreground")

    def values(self, y_true, y_pred):
        """Every image counts."""
        foreground = ops.mean(y_pred, axis=(1, 2, 3))
        return foreground, ops.ones_like(foreground)
