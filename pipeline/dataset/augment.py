"""Random changes to a training frame that its mask follows."""

import os

# Albumentations asks a server for its newest version on import; nothing here needs the answer.
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

import albumentations as A  # noqa: N812
import cv2
import numpy as np


def _moved(shift: float, scale: float, degrees: float) -> list[A.BasicTransform]:
    return [
        A.HorizontalFlip(p=0.5),
        A.Affine(
            scale=(1 - scale, 1 + scale),
            translate_percent=(-shift, shift),
            rotate=(-degrees, degrees),
            border_mode=cv2.BORDER_REFLECT_101,
            p=0.8,
        ),
    ]


def _light() -> list[A.BasicTransform]:
    contrast = A.RandomBrightnessContrast(brightness_limit=0.15, contrast_limit=0.2, p=0.5)
    return [*_moved(shift=0.06, scale=0.08, degrees=7), contrast]


def _medium() -> list[A.BasicTransform]:
    return [
        *_moved(shift=0.08, scale=0.12, degrees=12),
        A.RandomBrightnessContrast(brightness_limit=0.2, contrast_limit=0.25, p=0.5),
        A.RandomGamma(gamma_limit=(70, 140), p=0.4),
        # Speckle is multiplicative: each pixel by a factor of its own.
        A.MultiplicativeNoise(multiplier=(0.8, 1.2), elementwise=True, p=0.4),
    ]


def _strong() -> list[A.BasicTransform]:
    # What a pressing probe does to tissue.
    pressed = A.OneOf(
        [
            A.ElasticTransform(alpha=30, sigma=6, border_mode=cv2.BORDER_REFLECT_101),
            A.GridDistortion(distort_limit=0.2, border_mode=cv2.BORDER_REFLECT_101),
        ],
        p=0.5,
    )
    return [*_medium(), pressed]


PRESETS = {"none": list, "light": _light, "medium": _medium, "strong": _strong}


class Augmentation:
    """One preset of random changes. Not thread-safe: each thread needs its own.

    Parameters
    ----------
    preset : {"none", "light", "medium", "strong"}
        Light flips, moves and changes the contrast; medium moves further, and adds gamma and
        speckle; strong adds elastic and grid distortions. The mask follows every move exactly.
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
