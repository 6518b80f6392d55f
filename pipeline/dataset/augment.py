"""Random changes to a training frame that its mask follows."""

import os

# Albumentations asks a server for its newest version on import; nothing here needs the answer.
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

import albumentations as A  # noqa: N812
import cv2
import numpy as np


def _light() -> list[A.BasicTransform]:
    return [
        A.HorizontalFlip(p=0.5),
        A.Affine(
            scale=(0.92, 1.08),
            translate_percent=(-0.06, 0.06),
            rotate=(-7, 7),
            border_mode=cv2.BORDER_REFLECT_101,
            p=0.8,
        ),
        A.RandomBrightnessContrast(brightness_limit=0.15, contrast_limit=0.2, p=0.5),
    ]


PRESETS = {"none": list, "light": _light}


class Augmentation:
    """One preset of random changes. Not thread-safe: each thread needs its own.

    Parameters
    ----------
    preset : {"none", "light"}
        How much is changed.
    """

    def __init__(self, preset: str) -> None:
        if preset not in PRESETS:
            raise ValueError(f"preset: expected one of {', '.join(PRESETS)}, got {preset!r}")
        self._compose = A.Compose(PRESETS[preset]())

    def __call__(
        self, image: np.ndarray, mask: np.ndarray, *, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the changed uint8 image (H, W, C) and uint8 mask (H, W) of the same sizes."""
        self._compose.set_random_seed(int(rng.integers(2**31)))
        changed = self._compose(image=image, mask=mask)
        return changed["image"].reshape(image.shape), changed["mask"]
