"""Batches of frames for Keras, the same whatever the thread."""

import math
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import keras
import numpy as np

from pipeline.dataset.augment import Augmentation
from pipeline.dataset.images import resize_image, resize_masks
from pipeline.masks.codes import pack, unpack

# Masks float32 (N, H, W, K), 0 or 1; for a presence head in a dict as "mask", beside "presence",
# float32 (N, K), 1 where a mask has foreground.
Targets = np.ndarray | dict[str, np.ndarray]


class Classes(NamedTuple):
    """What the codes of masks stand for, see `pipeline.masks.codes`."""

    count: int = 1
    exclusive: bool = False


ONE_CLASS = Classes()


class TrainingBatches(keras.utils.PyDataset):
    """Shuffled, augmented batches of equal size; what is left of an epoch is dropped.

    Every random number is drawn from (seed, fold, epoch, position in the epoch), so a batch does
    not depend on the thread that makes it nor on the epochs before it.

    Parameters
    ----------
    images, masks : numpy.ndarray
        uint8 (N, H, W, C) and the masks' codes, uint8 (N, H, W); memory maps.
    rows : numpy.ndarray
        int, the frames to train on.
    batch_size : int
        Frames per batch, at most ``len(rows)``.
    augmentation : str
        A preset of `Augmentation`.
    seed, fold : int
        Of the random numbers.
    classes : Classes
        Of the codes.
    presence : bool
        Whether the targets are for a network with a presence head.
    """

    def __init__(
        self,
        images: np.ndarray,
        masks: np.ndarray,
        rows: np.ndarray,
        *,
        batch_size: int,
        augmentation: str,
        seed: int,
        fold: int,
        classes: Classes = ONE_CLASS,
        presence: bool = False,
    ) -> None:
        super().__init__(workers=2, max_queue_size=8)
        self.images, self.masks, self.rows = images, masks, rows
        self.batch_size = min(batch_size, len(rows))
        self.augmentation = augmentation
        self.seed, self.fold = seed, fold
        self.classes, self.presence = classes, presence
        self.epoch = 0
        self.scale = 1.0  # of the frames; the new size is rounded to multiples of 32
        self._of_thread = threading.local()
        self._map = map

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        return len(self.rows) // self.batch_size

    def __getitem__(self, i: int) -> tuple[np.ndarray, Targets]:
        """Return frames float32 (N, H, W, C), 0 to 255, and their targets."""
        order = np.random.default_rng([self.seed, self.fold, self.epoch]).permutation(self.rows)
        epoch = self.epoch

        def make_pair(position: int) -> tuple[np.ndarray, np.ndarray]:
            row = order[position]
            rng = np.random.default_rng([self.seed, self.fold, epoch, position])
            augment = self._thread_augmentation()
            image, mask = augment(self.images[row], self.masks[row], rng=rng)
            return (image, mask) if self.scale == 1 else self._rescale(image, mask)

        positions = range(i * self.batch_size, (i + 1) * self.batch_size)
        images, masks = map(np.stack, zip(*self._map(make_pair, positions), strict=True))
        return images.astype(np.float32), _targets(masks, self.classes, presence=self.presence)

    def make_in_turn(self, threads: int) -> None:
        """Make one batch after the other, of its frames several at a time.

        Keras makes several batches at a time and puts them into a queue, from which TensorFlow,
        where it reads ahead for several devices, could take them at the wrong time.
        """
        self.workers = 1
        self._map = ThreadPoolExecutor(threads).map

    def _rescale(self, image: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        height, width = (max(32, round(n * self.scale / 32) * 32) for n in image.shape[:2])
        small = resize_image(image, height, width).reshape(height, width, -1)
        exclusive = self.classes.exclusive
        masks = unpack(mask, self.classes.count, exclusive=exclusive)
        resized = resize_masks(masks, height, width, exclusive=exclusive)
        return small, pack(resized, exclusive=exclusive)

    def on_epoch_end(self) -> None:
        """Go on to the next epoch's order and changes."""
        self.epoch += 1

    def _thread_augmentation(self) -> Augmentation:
        if not hasattr(self._of_thread, "augmentation"):
            self._of_thread.augmentation = Augmentation(self.augmentation)
        return self._of_thread.augmentation


class ValidationBatches(keras.utils.PyDataset):
    """The frames of `rows` in their order, unchanged; see `TrainingBatches` for the arrays."""

    def __init__(
        self,
        images: np.ndarray,
        masks: np.ndarray,
        rows: np.ndarray,
        *,
        batch_size: int,
        classes: Classes = ONE_CLASS,
        presence: bool = False,
    ) -> None:
        super().__init__()
        self.images, self.masks, self.rows = images, masks, rows
        self.batch_size, self.classes, self.presence = batch_size, classes, presence

    def __len__(self) -> int:
        """Return the number of batches."""
        return math.ceil(len(self.rows) / self.batch_size)

    def __getitem__(self, i: int) -> tuple[np.ndarray, Targets]:
        """Return frames float32 (N, H, W, C), 0 to 255, and their targets."""
        rows = self.rows[i * self.batch_size : (i + 1) * self.batch_size]
        targets = _targets(self.masks[rows], self.classes, presence=self.presence)
        return self.images[rows].astype(np.float32), targets


def _targets(codes: np.ndarray, classes: Classes, *, presence: bool) -> Targets:
    masks = unpack(codes, classes.count, exclusive=classes.exclusive).astype(np.float32)
    if not presence:
        return masks
    return {"mask": masks, "presence": masks.max(axis=(1, 2))}
