"""What a probe shows of a synthetic neck: echo levels, then shadows, speckle and the log scale."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from pipeline.dataset.anatomy import FIELD_SCALE, HEIGHT, WIDTH, Anatomy
from pipeline.dataset.tissue import TEXTURE_SIZE, Structure

_DYNAMIC_RANGE = 60  # dB from black to white
_BOX_STEP = 8  # pixels between the places looked at in search of a structure
_BOX_MARGIN = 20  # pixels: the reach of a rim, and a step
_NOISE_FLOOR = 10 ** (-58 / 20)  # of the electronics, as an amplitude


@dataclass(frozen=True, kw_only=True)
class View:
    """Where the probe stands in one frame; lengths in pixels."""

    shift: tuple[float, float]  # x, y
    angle: float  # radians
    scale: float
    sweep: float  # radians along the neck: other fibres come into view
    drift: tuple[float, float]  # by which the smooth fields moved against the tissue
    gain: float  # dB


def draw_view(rng: np.random.Generator) -> View:
    """Draw where the probe stands."""
    return View(
        shift=(rng.normal(0, 18), rng.normal(0, 8)),
        angle=rng.normal(0, 0.05),
        scale=rng.uniform(0.97, 1.03),
        sweep=rng.uniform(0, math.pi),
        drift=(rng.normal(0, 25), rng.normal(0, 25)),
        gain=rng.normal(0, 1.5),
    )


def render_frame(
    anatomy: Anatomy, view: View, structures: Sequence[Structure], rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Render one frame.

    Parameters
    ----------
    anatomy : Anatomy
        The subject.
    view : View
        Where the probe stands.
    structures : sequence of Structure
        What it shows, back to front.
    rng : numpy.random.Generator
        Draws the speckle and the contact with the skin: two frames of one view differ by these.

    Returns
    -------
    image : ndarray of uint8, shape (420, 580)
    mask : ndarray of bool, shape (420, 580)
        The nerve: one connected piece without holes, or empty.
    """
    x, y = _coordinates(view)
    bend_x, bend_y, clouds, gaps = cv2.split(
        cv2.remap(
            anatomy.fields,
            (x + view.drift[0]) / FIELD_SCALE,
            (y + view.drift[1]) / FIELD_SCALE,
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REFLECT_101,
        )
    )
    x, y = x + 5 * bend_x, y + 4 * bend_y
    clouds, gaps = 3 * clouds, 6 * np.maximum(gaps + 0.2, 0)
    level = _paint_layers(anatomy, view, x, y, clouds, gaps)
    attenuation = np.full_like(level, anatomy.attenuation)
    mask = np.zeros(level.shape, bool)
    for structure in structures:
        box = _box(structure, x, y)
        inside = _paint(
            structure, level[box], attenuation[box], x[box], y[box], clouds[box], gaps[box]
        )
        if structure.is_nerve:
            mask[box] = inside
    level += _contact(rng) - np.cumsum(attenuation, axis=0)
    return _scan(level, rng, beam=anatomy.beam, gain=anatomy.gain + view.gain), mask


def _coordinates(view: View) -> tuple[np.ndarray, np.ndarray]:
    """Return the anatomy's x and y, float32 (420, 580), under each pixel of the frame."""
    cos, sin = view.scale * math.cos(view.angle), view.scale * math.sin(view.angle)
    row = np.arange(HEIGHT, dtype=np.float32)[:, np.newaxis] - HEIGHT / 2
    column = np.arange(WIDTH, dtype=np.float32) - WIDTH / 2
    x = cos * column - sin * row + (WIDTH / 2 + view.shift[0])
    y = sin * column + cos * row + (HEIGHT / 2 + view.shift[1])
    return x, y


def _paint_layers(anatomy: Anatomy, view: View, x, y, clouds, gaps) -> np.ndarray:
    fibres = math.cos(view.sweep) * anatomy.fibres[0] + math.sin(view.sweep) * anatomy.fibres[1]
    fibres += 1.5 * np.maximum(fibres - 1.2, 0)  # a few stand out
    across = x[HEIGHT // 2]  # one row will do: a fascia's course hardly changes with depth
    level = np.full_like(x, -32)
    for layer in anatomy.layers:
        wave, place, shine = layer.phases
        top = layer.depth + layer.slope * (across - WIDTH / 2) + 8 * np.sin(across / 75 + wave)
        depth = y - top
        streaks = cv2.remap(
            fibres,
            x + 90 * place,
            depth + 80 * place,
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REFLECT_101,
        )
        tissue = layer.level + layer.fibres * streaks + clouds
        level += np.clip(depth / 3 + 0.5, 0, 1) * (tissue - level)
        fascia = layer.fascia + 6 * np.sin(across / 50 + shine) - gaps
        np.maximum(level, fascia - 2.2 * depth**2, out=level)
    return level


def _box(structure: Structure, x, y) -> tuple[slice, slice]:
    """Return the rows and columns beyond which a structure leaves no trace."""
    cos, sin = abs(math.cos(structure.angle)), abs(math.sin(structure.angle))
    reach_x = 1.2 * (cos * structure.half_width + sin * structure.half_height) + _BOX_MARGIN
    reach_y = 1.2 * (sin * structure.half_width + cos * structure.half_height) + _BOX_MARGIN
    every = slice(None, None, _BOX_STEP), slice(None, None, _BOX_STEP)
    near = (np.abs(x[every] - structure.x) < reach_x) & (np.abs(y[every] - structure.y) < reach_y)
    if not near.any():
        return slice(0), slice(0)
    rows, columns = np.flatnonzero(near.any(axis=1)), np.flatnonzero(near.any(axis=0))
    return tuple(
        slice(found[0] * _BOX_STEP, (found[-1] + 1) * _BOX_STEP) for found in (rows, columns)
    )


def _paint(structure: Structure, level, attenuation, x, y, clouds, gaps) -> np.ndarray:
    """Paint into `level` and `attenuation`; return which pixels lie inside."""
    if level.size == 0:  # out of sight
        return np.zeros(level.shape, bool)
    cos, sin = math.cos(structure.angle), math.sin(structure.angle)
    x, y = x - structure.x, y - structure.y
    u = (cos * x + sin * y) / structure.half_width
    v = (cos * y - sin * x) / structure.half_height
    u += 0.1 * np.sin(2.2 * v + structure.wobble[0])
    v += 0.1 * np.sin(2.5 * u + structure.wobble[1])
    radius = np.sqrt(u**2 + v**2) + 1e-6
    beyond = (radius - 1) * math.sqrt(structure.half_width * structure.half_height)
    half = TEXTURE_SIZE / 2
    texture = cv2.remap(
        structure.texture,
        (u + 1) * half,
        (v + 1) * half,
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    inside = np.clip(0.5 - beyond / structure.edge, 0, 1)
    level += inside * (structure.level + texture + clouds - level)
    attenuation += inside * structure.attenuation
    rim = structure.rim - structure.rim_drop * (1 - np.abs(v) / radius)
    rim -= structure.rim_gaps * gaps + 6 * (beyond / structure.rim_width) ** 2
    np.maximum(level, rim, out=level)
    return radius <= 1


def _contact(rng) -> np.ndarray:
    """Return vertical shadows below places of poor contact with the skin, in dB."""
    margin = 100
    lift = rng.standard_normal((1, WIDTH + 2 * margin), dtype=np.float32)
    lift = cv2.GaussianBlur(lift, (0, 0), sigmaX=18, sigmaY=1)[:, margin:-margin]
    depth = np.linspace(0.2, 1, HEIGHT, dtype=np.float32)[:, np.newaxis]
    return -7 * depth * np.maximum(lift / lift.std() - 0.6, 0)


def _scan(level, rng, *, beam: float, gain: float) -> np.ndarray:
    """Turn echo levels into an 8-bit frame: speckle, wider with depth, on a log scale."""
    amplitude = np.exp(level * (math.log(10) / 20))
    noise = rng.standard_normal((HEIGHT, WIDTH, 2), dtype=np.float32)
    echo = cv2.merge([amplitude * noise[..., 0], amplitude * noise[..., 1], amplitude])
    near = _envelope(echo, lateral=beam, axial=1.0)
    far = _envelope(echo, lateral=2.6 * beam, axial=1.25)
    depth = np.linspace(0, 1, HEIGHT, dtype=np.float32)[:, np.newaxis]
    envelope = near + depth * (far - near) + _NOISE_FLOOR
    decibel = np.log(envelope) * (20 / math.log(10)) + gain
    grey = cv2.GaussianBlur(255 * (1 + decibel / _DYNAMIC_RANGE), (0, 0), 0.6)
    return np.clip(grey, 0, 255).astype(np.uint8)


def _envelope(echo, *, lateral: float, axial: float) -> np.ndarray:
    """Blur as the beam does; the modulus of scattered waves plus one in phase is Rician."""
    real, imaginary, steady = cv2.split(cv2.GaussianBlur(echo, (0, 0), lateral, sigmaY=axial))
    scatter = math.sqrt(2 * math.pi * lateral * axial)  # undoes the blur's averaging
    return 0.77 * cv2.magnitude(scatter * real + 0.9 * steady, scatter * imaginary)
