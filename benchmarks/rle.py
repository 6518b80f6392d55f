"""Speed of `pipeline.masks.rle` beside a Python loop and pycocotools.

    python benchmarks/rle.py

1,000 masks of 420x580 pixels are drawn from a fixed seed: ellipses with a wobbly outline and the
areas of the nerves in Ultrasound Nerve Segmentation. They are taken in rounds of 100; in each
round every contestant runs over the same masks, one contestant after another. Times are medians
over the rounds, and "times faster" is the median of the rounds' ratios, so that a slower minute
of the machine meets all of them. The three last lines come from masks that all hold a nerve. The
second column of the table is the competition's mixture, 58.8 % empty.

What each contestant is given and gives:

- pipeline, loop: bool masks in C order, as the pipeline holds them, to the competition's string
  and back. The loop is the widely copied one, over pixels to encode and over runs to decode; it
  checks nothing, where `decode` refuses malformed strings.
- pycocotools: uint8 masks in Fortran order, the layout it asks for, converted before the clock
  starts. It gives COCO's compressed counts; turning those into the competition's string would
  come on top. Both are advantages for it. A row of the table shows it with the conversion timed.

`encode` looks only at the box around the foreground, so these figures are for masks that fill a
small part of the image. On masks of several pieces across the full width pycocotools, which reads
every pixel either way, was 2 to 3 times faster.
"""

import time

import cv2
import numpy as np

from pipeline.masks.rle import decode, encode

try:
    from pycocotools import mask as coco
except ImportError:
    raise SystemExit("needs the extra [bench]: pip install -e .[bench]") from None

SHAPE = (420, 580)
ROUNDS = 10
MASKS_PER_ROUND = 100
EMPTY_SHARE = 0.588


def draw_nerve(rng):
    """Draw one ellipse with a wobbly outline; bool, `SHAPE`."""
    area = np.clip(rng.lognormal(np.log(6976), 0.3), 2684, 17439)
    elongation = rng.uniform(1.2, 2.4)
    semi_major = np.sqrt(area * elongation / np.pi)
    angle = np.linspace(0, 2 * np.pi, 240, endpoint=False)
    waves = np.arange(2, 8)[:, None]
    wobble = rng.normal(0, 0.04, waves.shape) * np.cos(
        waves * angle + rng.uniform(0, 2 * np.pi, waves.shape)
    )
    radius = semi_major * (1 + wobble.sum(axis=0))
    x, y = radius * np.cos(angle), radius * np.sin(angle) / elongation
    tilt = rng.uniform(-0.6, 0.6)
    outline = np.column_stack(
        (
            rng.uniform(170, 410) + x * np.cos(tilt) - y * np.sin(tilt),
            rng.uniform(130, 290) + x * np.sin(tilt) + y * np.cos(tilt),
        )
    )
    mask = np.zeros(SHAPE, dtype=np.uint8)
    cv2.fillPoly(mask, [outline.round().astype(np.int32)], 1)
    return mask.astype(bool)


def loop_encode(mask):
    """Walk over the foreground pixels; open a run wherever one does not follow the last."""
    runs = []
    previous = -2
    for pixel in np.where(mask.T.flatten() == 1)[0]:
        if pixel > previous + 1:
            runs.extend((pixel + 1, 0))
        runs[-1] += 1
        previous = pixel
    return " ".join(str(number) for number in runs)


def loop_decode(rle):
    """Fill one slice per run."""
    words = rle.split()
    starts = np.asarray(words[0::2], dtype=int) - 1
    ends = starts + np.asarray(words[1::2], dtype=int)
    flat = np.zeros(SHAPE[0] * SHAPE[1], dtype=np.uint8)
    for start, end in zip(starts, ends, strict=True):
        flat[start:end] = 1
    return flat.reshape(SHAPE[::-1]).T


def to_coco(mask):
    """Bring a mask into the layout that pycocotools asks for."""
    return np.asfortranarray(mask.astype(np.uint8))


def check_agreement(masks):
    """Stop unless all contestants give the same runs and the same masks."""
    for mask in masks:
        rle = encode(mask)
        same = (
            loop_encode(mask) == rle
            and np.array_equal(decode(rle, SHAPE), mask)
            and np.array_equal(loop_decode(rle), mask)
            and np.array_equal(coco.decode(coco.encode(to_coco(mask))), mask)
        )
        if not same:
            raise SystemExit("the contestants disagree")


def time_round(masks):
    """Microseconds per mask of each contestant over the same masks."""
    fortran = [to_coco(mask) for mask in masks]
    strings = [encode(mask) for mask in masks]
    contestants = {
        "encode, pipeline": (encode, masks),
        "encode, loop": (loop_encode, masks),
        "encode, pycocotools": (coco.encode, fortran),
        "encode, pycocotools with conversion": (lambda mask: coco.encode(to_coco(mask)), masks),
        "decode, pipeline": (lambda rle: decode(rle, SHAPE), strings),
        "decode, loop": (loop_decode, strings),
    }
    times = {}
    for name, (function, inputs) in contestants.items():
        begin = time.perf_counter()
        for value in inputs:
            function(value)
        times[name] = (time.perf_counter() - begin) / len(inputs) * 1e6
    return times


def main():
    """Time both sets of masks and print the table and the ratios."""
    rng = np.random.default_rng(0)
    nerves, mixture = [], []
    for _ in range(ROUNDS):
        masks = [draw_nerve(rng) for _ in range(MASKS_PER_ROUND)]
        mixed = [np.zeros_like(m) if rng.random() < EMPTY_SHARE else m for m in masks]
        check_agreement(masks + mixed)
        nerves.append(time_round(masks))
        mixture.append(time_round(mixed))

    print(f"{'microseconds per mask':36s} {'all nerves':>12s} {'58.8 % empty':>14s}")
    for name in nerves[0]:
        columns = [np.median([times[name] for times in rounds]) for rounds in (nerves, mixture)]
        print(f"{name:36s} {columns[0]:12.0f} {columns[1]:14.0f}")
    print()
    for name in ("encode, pipeline", "encode, loop", "encode, pycocotools", "decode, pipeline"):
        microseconds = np.median([times[name] for times in nerves])
        print(f"{name.replace(', ', '_')}_us: {microseconds:.1f}")
    print(f"decode_loop_us: {np.median([times['decode, loop'] for times in nerves]):.1f}")
    for job, peer in (("encode", "loop"), ("encode", "pycocotools"), ("decode", "loop")):
        ratios = [times[f"{job}, {peer}"] / times[f"{job}, pipeline"] for times in nerves]
        print(f"{job}_vs_{peer}: {np.median(ratios):.1f}")


if __name__ == "__main__":
    main()
