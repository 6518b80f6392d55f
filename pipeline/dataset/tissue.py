"""The structures of a synthetic neck: ellipse-like pieces of tissue and their echo levels.

Levels are in dB below the brightest echo. What tells the nerve from its look-alikes is a closed
bright rim *and* a honeycomb of dark fascicles in brighter stroma; every look-alike lacks one.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import cv2
import numpy as np

TEXTURE_SIZE = 128
_PATCH = (TEXTURE_SIZE, TEXTURE_SIZE)


@dataclass(frozen=True, eq=False, kw_only=True)
class Structure:
    """A piece of tissue with an ellipse-like outline; lengths in pixels, levels in dB."""

    x: float
    y: float
    half_width: float
    half_height: float
    angle: float  # radians
    wobble: tuple[float, float]  # phases of the outline's deviation from an ellipse
    level: float
    rim: float  # level of the outline where it faces the probe
    rim_drop: float  # dB by which the outline is darker where it runs vertically
    rim_width: float = 2.5
    rim_gaps: float = 1.5  # how much the anatomy's gaps break up the rim
    edge: float = 4.0  # pixels from inside to outside
    attenuation: float = 0.0  # dB per pixel of depth; a negative one brightens what lies below
    texture: np.ndarray = field(default_factory=lambda: np.zeros(_PATCH, np.float32))  # dB
    is_nerve: bool = False


def overlap(one: Structure, other: Structure) -> bool:
    """Return whether two structures touch, taken as upright ellipses with a little room."""
    gap_x = (one.x - other.x) / (one.half_width + other.half_width)
    gap_y = (one.y - other.y) / (one.half_height + other.half_height)
    return math.hypot(gap_x, gap_y) < 1.05


def smooth_noise(rng, shape, *, along: float, across: float) -> np.ndarray:
    """Return noise of unit variance, blurred by `along` columns and `across` rows, float32."""
    white = rng.standard_normal(shape, dtype=np.float32)
    smooth = cv2.GaussianBlur(white, (0, 0), sigmaX=along, sigmaY=across)
    return smooth / smooth.std()


def draw_belly(rng) -> Structure:
    """Draw a muscle belly: large, dark, with bright fibres and sheath."""
    return _ellipse(
        rng,
        rng.uniform(40, 540),
        rng.uniform(150, 380),
        area=rng.uniform(15000, 40000),
        aspect=rng.uniform(1.3, 2.6),
        angle=rng.normal(0, 0.35),
        level=rng.uniform(-48, -38),
        rim=rng.uniform(-26, -16),
        rim_drop=20,
        texture=6 * np.maximum(smooth_noise(rng, _PATCH, along=7, across=1.2) - 1, 0),
    )


def draw_vessel(rng, x, y, _nerve=None) -> Structure:
    """Draw a vessel: black, bright front and back wall, brighter tissue below."""
    return _ellipse(
        rng,
        x,
        y,
        area=rng.uniform(1800, 8000),
        aspect=rng.uniform(1.0, 1.7),
        angle=rng.normal(0, 0.15),
        level=rng.uniform(-62, -50),
        rim=rng.uniform(-20, -12),
        rim_drop=20,
        rim_width=2.2,
        edge=6,
        attenuation=rng.uniform(-0.16, -0.06),
    )


def _draw_node(rng, x, y, _nerve) -> Structure:
    """Draw a lymph node: dark cortex, bright hilum, thin rim."""
    v, u = np.mgrid[-1 : 1 : TEXTURE_SIZE * 1j, -1 : 1 : TEXTURE_SIZE * 1j].astype(np.float32)
    hilum = np.exp(-((u / 0.5) ** 2) - (v / 0.22) ** 2)
    return _ellipse(
        rng,
        x,
        y,
        area=rng.uniform(3000, 9000),
        aspect=rng.uniform(1.4, 2.2),
        angle=rng.normal(0, 0.25),
        level=-46,
        rim=rng.uniform(-24, -17),
        rim_drop=10,
        texture=18 * hilum + 2 * smooth_noise(rng, _PATCH, along=5, across=3),
    )


def _draw_lobule(rng, x, y, nerve: Structure) -> Structure:
    """Draw a fat lobule: the nerve's grey, but streaks for fascicles and hardly a rim."""
    return _ellipse(
        rng,
        x,
        y,
        area=rng.uniform(4000, 11000),
        aspect=rng.uniform(1.6, 3.0),
        angle=rng.normal(0, 0.25),
        level=nerve.level + rng.uniform(-2, 3),
        rim=nerve.level,
        rim_drop=20,
        texture=5 * smooth_noise(rng, _PATCH, along=16, across=3.5),
    )


def _draw_bundle(rng, x, y, nerve: Structure) -> Structure:
    """Draw a muscle bundle cut across: the nerve's rim, dark inside with bright specks."""
    return _ellipse(
        rng,
        x,
        y,
        area=rng.uniform(4000, 11000),
        aspect=rng.uniform(1.3, 2.4),
        angle=rng.normal(0, 0.25),
        level=rng.uniform(-44, -38),
        rim=nerve.rim,
        rim_drop=10,
        rim_width=nerve.rim_width,
        rim_gaps=nerve.rim_gaps,
        texture=7 * np.maximum(smooth_noise(rng, _PATCH, along=4, across=3) - 1, 0),
    )


LOOK_ALIKES: tuple[Callable[..., Structure], ...] = (
    draw_vessel,
    _draw_node,
    _draw_lobule,
    _draw_bundle,
)


def draw_home_nerve(rng) -> Structure:
    """Draw the subject's nerve, from which its frames deviate."""
    return _ellipse(
        rng,
        rng.uniform(170, 410),
        rng.uniform(150, 280),
        area=min(max(rng.lognormal(math.log(7000), 0.35), 4300), 13500),
        aspect=rng.uniform(1.3, 2.2),
        angle=rng.normal(0, 0.25),
        level=rng.uniform(-35, -29),
        rim=rng.uniform(-21, -16),
        rim_drop=4,
        rim_width=rng.uniform(2.5, 4),
        rim_gaps=0.5,
        is_nerve=True,
    )


def draw_nerve(rng, home: Structure, *, fascicle_radius, fascicle_contrast) -> Structure:
    """Draw the nerve of one frame: the subject's, moved and changed a little."""
    size = rng.uniform(0.93, 1.07)
    nerve = replace(
        home,
        x=home.x + rng.normal(0, 10),
        y=home.y + rng.normal(0, 6),
        half_width=home.half_width * size,
        half_height=home.half_height * size,
        angle=home.angle + rng.normal(0, 0.08),
        rim=home.rim + rng.normal(0, 1.5),
    )
    return replace(nerve, texture=_honeycomb(rng, nerve, fascicle_radius, fascicle_contrast))


def _honeycomb(rng, nerve: Structure, fascicle_radius, fascicle_contrast) -> np.ndarray:
    """Return dark round fascicles, in dB, on a jittered hexagonal grid."""
    v, u = np.mgrid[-1 : 1 : TEXTURE_SIZE * 1j, -1 : 1 : TEXTURE_SIZE * 1j].astype(np.float32)
    u, v = u * nerve.half_width, v * nerve.half_height
    step = 2.35 * fascicle_radius
    dark = np.zeros_like(u)
    for row, y in enumerate(np.arange(-nerve.half_height, nerve.half_height, 0.87 * step)):
        for x in np.arange(-nerve.half_width + row % 2 * step / 2, nerve.half_width, step):
            centre_x, centre_y = rng.normal((x, y), 0.12 * step).tolist()
            radius = fascicle_radius * rng.uniform(0.75, 1.15)
            squared = ((u - centre_x) ** 2 + (v - centre_y) ** 2) / radius**2
            np.maximum(dark, np.exp(-(squared**2)), out=dark)
    return (0.4 - dark) * fascicle_contrast


def _ellipse(rng, x: float, y: float, *, area: float, aspect: float, **looks) -> Structure:
    half_height = math.sqrt(area / math.pi / aspect)
    return Structure(
        x=x,
        y=y,
        half_width=half_height * aspect,
        half_height=half_height,
        wobble=tuple(rng.uniform(0, 2 * math.pi, 2).tolist()),
        **looks,
    )
