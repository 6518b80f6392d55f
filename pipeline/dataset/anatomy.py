"""A synthetic neck: what is the subject's own, and what one frame shows of it, drawn at random."""

import math
from dataclasses import dataclass

import numpy as np

from pipeline.dataset.tissue import (
    LOOK_ALIKES,
    Structure,
    draw_belly,
    draw_home_nerve,
    draw_nerve,
    draw_vessel,
    overlap,
    smooth_noise,
)

HEIGHT, WIDTH = 420, 580
FIELD_SCALE = 4  # pixels of a frame per pixel of the smooth fields
_CANVAS = (512, 640)  # larger than a frame: the probe moves; textures are mirrored beyond


@dataclass(frozen=True, kw_only=True)
class Layer:
    """Tissue below a wavy, bright fascia, down to the next layer."""

    depth: float
    slope: float
    phases: tuple[float, float, float]
    level: float
    fibres: float  # dB, strength of the streaks
    fascia: float  # level of the bright line on top


@dataclass(frozen=True, eq=False, kw_only=True)
class Anatomy:
    """One subject."""

    layers: tuple[Layer, ...]
    bellies: tuple[Structure, ...]  # of muscles
    vessels: tuple[Structure, ...]
    nerve: Structure
    fascicle_radius: float
    fascicle_contrast: float  # dB
    fibres: np.ndarray  # float32 (2, 512, 640), unit variance: a sweep of the probe mixes the two
    fields: np.ndarray  # float32 (128, 160, 4), unit variance: bend x, bend y, clouds, gaps
    attenuation: float  # dB per pixel of depth that the machine leaves uncompensated
    gain: float  # dB
    beam: float  # standard deviation of the lateral blur at the skin, pixels


def draw_anatomy(rng: np.random.Generator) -> Anatomy:
    """Draw a subject."""
    smoothness = (5.5, 5.5), (5.5, 5.5), (7.5, 3.5), (3, 2)
    coarse = tuple(side // FIELD_SCALE for side in _CANVAS)
    return Anatomy(
        layers=_draw_layers(rng),
        bellies=tuple(draw_belly(rng) for _ in range(rng.integers(2, 5))),
        vessels=_draw_vessel_pair(rng),
        nerve=draw_home_nerve(rng),
        fascicle_radius=rng.uniform(7.5, 10.5),
        fascicle_contrast=rng.uniform(13, 19),
        fibres=np.stack([smooth_noise(rng, _CANVAS, along=14, across=1.3) for _ in range(2)]),
        fields=np.dstack([smooth_noise(rng, coarse, along=a, across=b) for a, b in smoothness]),
        attenuation=rng.uniform(0.015, 0.05),
        gain=rng.normal(3, 3),
        beam=rng.uniform(1.4, 2.4),
    )


def draw_structures(
    rng: np.random.Generator, anatomy: Anatomy, *, has_nerve: bool
) -> tuple[Structure, ...]:
    """Draw what one frame shows of a subject, back to front; the nerve, if any, comes last."""
    nerve = draw_nerve(
        rng,
        anatomy.nerve,
        fascicle_radius=anatomy.fascicle_radius,
        fascicle_contrast=anatomy.fascicle_contrast,
    )
    seen = [nerve] if has_nerve else []
    in_place = not has_nerve and rng.random() < 0.8  # else an empty place would tell
    for _ in range(rng.integers(0, 3) if has_nerve else rng.integers(1, 4)):
        draw = LOOK_ALIKES[rng.integers(len(LOOK_ALIKES))]
        for _attempt in range(8):  # then it is left out: the frame is full
            x = rng.normal(nerve.x, 20) if in_place else rng.uniform(50, 530)
            y = rng.normal(nerve.y, 12) if in_place else rng.uniform(110, 330)
            found = draw(rng, x, y, anatomy.nerve)
            if not any(overlap(found, other) for other in seen):
                seen.insert(0, found)
                break
        in_place = False
    vessels = anatomy.vessels if rng.random() < 0.8 else ()
    clear = [one for one in vessels if not any(overlap(one, other) for other in seen)]
    return *anatomy.bellies, *clear, *seen


def _draw_layers(rng) -> tuple[Layer, ...]:
    skin, fat, muscle = 4, rng.uniform(25, 45), rng.uniform(65, 110)
    deep = rng.uniform(130, 200)
    depths = skin, fat, muscle, deep, deep + rng.uniform(60, 110)
    levels = -30, -32, *rng.uniform(-42, -31, 3).tolist()
    slope = rng.normal(0, 0.04)
    return tuple(
        Layer(
            depth=depth,
            slope=slope + rng.normal(0, 0.03) if depth > skin else 0.0,
            phases=tuple(rng.uniform(0, 2 * math.pi, 3).tolist()),
            level=level,
            fibres=rng.uniform(2.5, 5),
            fascia=rng.uniform(-20, -9) if depth > skin else -4.0,
        )
        for depth, level in zip(depths, levels, strict=True)
    )


def _draw_vessel_pair(rng) -> tuple[Structure, Structure]:
    artery = draw_vessel(rng, rng.uniform(60, 520), rng.uniform(170, 330))
    side = 1 if rng.random() < 0.5 else -1
    vein_x = artery.x + side * 2.1 * artery.half_width
    return artery, draw_vessel(rng, vein_x, artery.y - rng.uniform(-10, 40))
