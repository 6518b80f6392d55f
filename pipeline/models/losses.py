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
        probability = ops.sigmoid(y_pred)
        overlap = ops.sum(y_true * probability, axis=self._axes())
        total = ops.sum(y_true + probability, axis=self._axes())
        smooth = self._smooth_pixels(y_pred)
        return 1 - (2 * overlap + smooth) / (total + smooth)

    def _axes(self):
        return (1, 2, 3) if self.over == "image" else None

    def _smooth_pixels(self, y_pred):
        _, height, width, _ = ops.shape(y_pred)
        return self.smooth * ops.cast(height * width, y_pred.dtype)


class DiceCrossEntropyLoss(DiceLoss):
    """The Dice loss plus the mean cross-entropy of the pixels.

    Dice alone can settle on all-empty or all-foreground; the cross-entropy leads away from both.
    """

    def call(self, y_true, y_pred):
        """Return the loss per image (N,), or of the batch ()."""
        entropy = ops.binary_crossentropy(y_true, y_pred, from_logits=True)
        return super().call(y_true, y_pred) + ops.mean(entropy, axis=self._axes())


class DiceFocalLoss(DiceLoss):
    """The Dice loss plus the focal loss, which turns away from pixels that are right already.

    References
    ----------
    Lin et al., *Focal Loss for Dense Object Detection*, 2017; gamma is 2.
    """

    def call(self, y_true, y_pred):
        """Return the loss per image (N,), or of the batch ()."""
        entropy = ops.binary_crossentropy(y_true, y_pred, from_logits=True)
        wrong = ops.abs(y_true - ops.sigmoid(y_pred))
        focal = ops.mean(wrong**2 * entropy, axis=self._axes())
        return super().call(y_true, y_pred) + focal


class TverskyLoss(DiceLoss):
    """One minus the Tversky index: Dice with a missed pixel weighing more than a false one.

    References
    ----------
    Salehi, Erdogmus, Gholipour, *Tversky loss function*, 2017; beta is 0.7 for missed pixels.
    """

    def call(self, y_true, y_pred):
        """Return the loss per image (N,), or of the batch ()."""
        probability = ops.sigmoid(y_pred)
        overlap = ops.sum(y_true * probability, axis=self._axes())
        missed = ops.sum(y_true * (1 - probability), axis=self._axes())
        false = ops.sum((1 - y_true) * probability, axis=self._axes())
        smooth = self._smooth_pixels(y_pred)
        return 1 - (overlap + smooth) / (overlap + 0.7 * missed + 0.3 * false + smooth)


class LovaszHingeLoss(DiceLoss):
    """The convex extension of the Jaccard loss on the hinge of the logits.

    References
    ----------
    Berman, Triki, Blaschko, *The Lovász-Softmax loss*, 2018.
    """

    def call(self, y_true, y_pred):
        """Return the loss per image (N,), or of the batch ()."""
        shape = (ops.shape(y_pred)[0] if self.over == "image" else 1, -1)
        y_true, y_pred = ops.reshape(y_true, shape), ops.reshape(y_pred, shape)
        hinge = 1 - y_pred * (2 * y_true - 1)
        order = ops.argsort(-hinge, axis=-1)
        errors = ops.relu(ops.take_along_axis(hinge, order, axis=-1))
        truth = ops.take_along_axis(y_true, order, axis=-1)
        # The Jaccard loss of the k largest errors alone, and what each error adds to it.
        area = ops.sum(truth, axis=-1, keepdims=True)
        union = area + ops.cumsum(1 - truth, axis=-1)
        jaccard = 1 - (area - ops.cumsum(truth, axis=-1)) / union
        added = ops.concatenate([jaccard[:, :1], jaccard[:, 1:] - jaccard[:, :-1]], axis=-1)
        return ops.sum(errors * ops.stop_gradient(added), axis=-1)


LOSSES = {
    "dice": DiceLoss,
    "dice_bce": DiceCrossEntropyLoss,
    "dice_focal": DiceFocalLoss,
    "tversky": TverskyLoss,
    "lovasz": LovaszHingeLoss,
}


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
