"""Metrics on logits, at probability 0.5."""

import keras
from keras import ops


class _MeanOverImages(keras.metrics.Metric):
    """Mean of a value per image and class, from masks and logits (N, H, W, classes)."""

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
        """Return each image's and class's value and its weight, 0 or 1, both (N, classes)."""
        raise NotImplementedError

    def result(self):
        """Return the mean so far, 0 before the first image."""
        return self.total / ops.maximum(self.count, 1)


def _dice_per_image(y_true, y_pred):
    overlap = ops.sum(y_true * y_pred, axis=(1, 2))
    areas = ops.sum(y_true + y_pred, axis=(1, 2))
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
        positive = ops.cast(ops.any(y_true > 0, axis=(1, 2)), self.dtype)
        return _dice_per_image(y_true, y_pred), positive


class EmptyShare(_MeanOverImages):
    """Share of images predicted empty."""

    def __init__(self) -> None:
        super().__init__("empty")

    def values(self, y_true, y_pred):
        """Every image counts."""
        empty = ops.cast(ops.all(y_pred == 0, axis=(1, 2)), self.dtype)
        return empty, ops.ones_like(empty)


class ForegroundShare(_MeanOverImages):
    """Share of pixels predicted foreground."""

    def __init__(self) -> None:
        super().__init__("foreground")

    def values(self, y_true, y_pred):
        """Every image counts."""
        foreground = ops.mean(y_pred, axis=(1, 2))
        return foreground, ops.ones_like(foreground)


class MeanIoU(keras.metrics.Metric):
    """Intersection over union of exclusive classes, averaged over those that there are.

    The largest logit wins; pixels without a class (void) don't count.
    """

    def __init__(self, classes: int) -> None:
        super().__init__(name="iou", dtype="float32")
        self.overlap = self.add_weight(shape=(classes,), name="overlap", initializer="zeros")
        self.union = self.add_weight(shape=(classes,), name="union", initializer="zeros")

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Add a batch."""
        y_true = ops.cast(y_true, self.dtype)
        won = ops.one_hot(ops.argmax(y_pred, axis=-1), y_true.shape[-1], dtype=self.dtype)
        won = won * ops.sum(y_true, axis=-1, keepdims=True)
        overlap = ops.sum(y_true * won, axis=(0, 1, 2))
        self.overlap.assign_add(overlap)
        self.union.assign_add(ops.sum(y_true + won, axis=(0, 1, 2)) - overlap)

    def result(self):
        """Return the mean so far, 0 before the first image."""
        there = ops.cast(self.union > 0, self.dtype)
        iou = self.overlap / ops.maximum(self.union, 1)
        return ops.sum(iou) / ops.maximum(ops.sum(there), 1)


class PixelAccuracy(keras.metrics.Metric):
    """Share of the pixels with a class whose largest logit is the true one."""

    def __init__(self) -> None:
        super().__init__(name="accuracy", dtype="float32")
        self.right = self.add_weight(name="right", initializer="zeros")
        self.count = self.add_weight(name="count", initializer="zeros")

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Add a batch."""
        y_true = ops.cast(y_true, self.dtype)
        won = ops.one_hot(ops.argmax(y_pred, axis=-1), y_true.shape[-1], dtype=self.dtype)
        self.right.assign_add(ops.sum(y_true * won))
        self.count.assign_add(ops.sum(y_true))

    def result(self):
        """Return the share so far, 0 before the first image."""
        return self.right / ops.maximum(self.count, 1)
