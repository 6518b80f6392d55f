"""Losses on logits."""

from typing import Literal

import keras
from keras import ops


class MaskLoss(keras.losses.Loss):
    """A loss on masks and logits, both (N, H, W, classes).

    Parameters
    ----------
    over : {"image", "batch"}
        One value per image, averaged, or one over all pixels of the batch.
    exclusive : bool
        Whether a pixel has one class.
    """

    def __init__(
        self, *, over: Literal["image", "batch"] = "batch", exclusive: bool = False
    ) -> None:
        super().__init__(name="mask_loss")
        if over not in ("image", "batch"):
            raise ValueError(f"over: expected image or batch, got {over!r}")
        self.over, self.exclusive = over, exclusive


class DiceLoss(MaskLoss):
    """One minus the soft Dice score of what the logits say, averaged over classes.

    Parameters
    ----------
    over : {"image", "batch"}
        One Dice score per image, averaged, or one over all pixels of the batch.
    exclusive : bool
        Whether a pixel has one class: its probabilities are the softmax of the logits in place of
        sigmoids, and pixels of no class (void) don't count.
    smooth : float
        Added to numerator and denominator, as a share of one image's pixels. With it an empty
        mask has a loss, 0 where nothing is predicted, whose gradient on a pixel is of the order
        of the cross-entropy's; the customary single pixel would leave it almost without.

    References
    ----------
    Milletari, Navab, Ahmadi, *V-Net*, 2016.
    """

    def __init__(
        self,
        *,
        over: Literal["image", "batch"] = "batch",
        exclusive: bool = False,
        smooth: float = 0.01,
    ) -> None:
        super().__init__(over=over, exclusive=exclusive)
        self.smooth = smooth

    def call(self, y_true, y_pred):
        """Return the loss per image (N,), or of the batch ()."""
        probability = self._probability(y_true, y_pred)
        overlap = ops.sum(y_true * probability, axis=self._axes())
        total = ops.sum(y_true + probability, axis=self._axes())
        smooth = self._smooth_pixels(y_pred)
        return ops.mean(1 - (2 * overlap + smooth) / (total + smooth), axis=-1)

    def _axes(self):
        """Return the axes of what one score is over; that of the classes is last."""
        return (1, 2) if self.over == "image" else (0, 1, 2)

    def _probability(self, y_true, y_pred):
        if not self.exclusive:
            return ops.sigmoid(y_pred)
        return ops.softmax(y_pred, axis=-1) * ops.sum(y_true, axis=-1, keepdims=True)

    def _entropy(self, y_true, y_pred):
        """Return the cross-entropy of each pixel and class; of exclusive ones of the true class."""
        if not self.exclusive:
            return ops.binary_crossentropy(y_true, y_pred, from_logits=True)
        return -y_true * ops.log_softmax(y_pred, axis=-1)

    def _mean(self, values):
        """Return the mean over pixels, and over classes; of exclusive ones their sum."""
        mean = ops.mean(values, axis=self._axes())
        return ops.sum(mean, axis=-1) if self.exclusive else ops.mean(mean, axis=-1)

    def _smooth_pixels(self, y_pred):
        _, height, width, _ = ops.shape(y_pred)
        return self.smooth * ops.cast(height * width, y_pred.dtype)


class DiceCrossEntropyLoss(DiceLoss):
    """The Dice loss plus the mean cross-entropy of the pixels.

    Dice alone can settle on all-empty or all-foreground; the cross-entropy leads away from both.
    """

    def call(self, y_true, y_pred):
        """Return the loss per image (N,), or of the batch ()."""
        return super().call(y_true, y_pred) + self._mean(self._entropy(y_true, y_pred))


class DiceFocalLoss(DiceLoss):
    """The Dice loss plus the focal loss, which turns away from pixels that are right already.

    References
    ----------
    Lin et al., *Focal Loss for Dense Object Detection*, 2017; gamma is 2.
    """

    def call(self, y_true, y_pred):
        """Return the loss per image (N,), or of the batch ()."""
        wrong = ops.abs(y_true - self._probability(y_true, y_pred))
        focal = self._mean(wrong**2 * self._entropy(y_true, y_pred))
        return super().call(y_true, y_pred) + focal


class TverskyLoss(DiceLoss):
    """One minus the Tversky index: Dice with a missed pixel weighing more than a false one.

    References
    ----------
    Salehi, Erdogmus, Gholipour, *Tversky loss function*, 2017; beta is 0.7 for missed pixels.
    """

    def call(self, y_true, y_pred):
        """Return the loss per image (N,), or of the batch ()."""
        probability = self._probability(y_true, y_pred)
        overlap = ops.sum(y_true * probability, axis=self._axes())
        missed = ops.sum(y_true * (1 - probability), axis=self._axes())
        false = ops.sum((1 - y_true) * probability, axis=self._axes())
        smooth = self._smooth_pixels(y_pred)
        index = (overlap + smooth) / (overlap + 0.7 * missed + 0.3 * false + smooth)
        return ops.mean(1 - index, axis=-1)


class LovaszHingeLoss(MaskLoss):
    """The convex extension of the Jaccard loss on the hinge of the logits.

    Raises
    ------
    ValueError
        The classes are exclusive: the hinge is of each class for itself.

    References
    ----------
    Berman, Triki, Blaschko, *The Lovász-Softmax loss*, 2018.
    """

    def __init__(
        self, *, over: Literal["image", "batch"] = "batch", exclusive: bool = False
    ) -> None:
        if exclusive:
            raise ValueError("exclusive: expected False for the Lovász hinge, got True")
        super().__init__(over=over)

    def call(self, y_true, y_pred):
        """Return the loss per image (N,), or of the batch (1,)."""
        y_true, y_pred = self._flat(y_true), self._flat(y_pred)
        hinge = 1 - y_pred * (2 * y_true - 1)
        order = ops.argsort(-hinge, axis=-1)
        errors = ops.relu(ops.take_along_axis(hinge, order, axis=-1))
        truth = ops.take_along_axis(y_true, order, axis=-1)
        # The Jaccard loss of the k largest errors alone, and what each error adds to it.
        area = ops.sum(truth, axis=-1, keepdims=True)
        union = area + ops.cumsum(1 - truth, axis=-1)
        jaccard = 1 - (area - ops.cumsum(truth, axis=-1)) / union
        added = ops.concatenate([jaccard[..., :1], jaccard[..., 1:] - jaccard[..., :-1]], axis=-1)
        return ops.mean(ops.sum(errors * ops.stop_gradient(added), axis=-1), axis=-1)

    def _flat(self, values):
        """Return (images or 1, classes, pixels)."""
        classes = values.shape[-1]
        first = (ops.shape(values)[0], classes, -1)
        flat = ops.reshape(ops.moveaxis(values, -1, 1), first)
        if self.over == "image":
            return flat
        return ops.reshape(ops.moveaxis(flat, 1, 0), (1, classes, -1))


LOSSES = {
    "dice": DiceLoss,
    "dice_bce": DiceCrossEntropyLoss,
    "dice_focal": DiceFocalLoss,
    "tversky": TverskyLoss,
    "lovasz": LovaszHingeLoss,
}
