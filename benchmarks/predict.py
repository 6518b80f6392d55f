"""Whether views pay in one batch, and which batch size predicts fastest, with the default network.

Frames with their mirror images go through the network as one batch, and as two batches one after
the other, of the same number of frames in all: once at the same number of frames per call, that is
the same memory, and once at twice as many. Then batches of several sizes. Every way is compared bit
by bit with full batches: where results hang on the batch's size, one that is chosen by the memory
at hand would give another submission on another machine. Times are a
processor's, all cores added, which a busy machine hardly changes.

    python benchmarks/predict.py [--size 96x128] [--batch 32] [--batches 2] [--rounds 5]
"""

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
from scipy.special import expit

SIZES = {"96x128": 32, "416x576": 4}  # frames of a batch
BATCHES = (1, 4, 8, 16, 32, 64)


def make_ways(count: int, batch: int) -> dict[str, Callable]:
    """Return each way to predict `count` frames in two views, given how to predict a batch."""

    def in_turns(predict: Callable, frames: np.ndarray) -> np.ndarray:
        parts = [frames[at : at + batch] for at in range(0, count, batch)]
        return np.concatenate([(predict(p), predict(p[:, :, ::-1])) for p in parts], axis=1)

    def together(at_once: int) -> Callable:
        def run(predict: Callable, frames: np.ndarray) -> np.ndarray:
            found = []
            for at in range(0, count, at_once):
                part = frames[at : at + at_once]
                found.append(np.split(predict(np.concatenate([part, part[:, :, ::-1]])), 2))
            return np.concatenate(found, axis=1)

        return run

    return {
        "in turns": in_turns,
        "one batch, same memory": together(batch // 2),
        "one batch, twice the memory": together(batch),
    }


def in_batches(count: int, at_once: int) -> Callable:
    """Return how to predict `count` frames in batches of one size."""

    def run(predict: Callable, frames: np.ndarray) -> np.ndarray:
        return np.concatenate([predict(frames[a : a + at_once]) for a in range(0, count, at_once)])

    return run


def main() -> None:
    """Time everything in turns and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", choices=list(SIZES), default="96x128")
    parser.add_argument("--batch", type=int, help="frames; 32 or 4 by default")
    parser.add_argument("--batches", type=int, default=2, help="how many are predicted")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    from pipeline import runtime

    runtime.start_keras()
    import keras

    from pipeline.models.fcn import build_fcn

    keras.utils.set_random_seed(0)
    keras.config.set_dtype_policy(runtime.choose_precision("auto"))
    model, batch = build_fcn(), options.batch or SIZES[options.size]
    count = options.batches * batch
    model.jit_compile = runtime.jit_compile()
    height, width = map(int, options.size.split("x"))
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 256, (count, height, width, 1)).astype(np.float32)
    ways = make_ways(count, batch)
    for at_once in BATCHES:
        if at_once <= count:
            ways[f"batch {at_once}"] = in_batches(count, at_once)
    results, times = {}, {name: [] for name in ways}
    for number in range(options.rounds + 1):
        for name, way in ways.items():
            begun = time.process_time()
            results[name] = way(model.predict_on_batch, frames)
            if number:  # the first one traces
                times[name].append(time.process_time() - begun)
    print(f"{options.size}, {model.compute_dtype}, {count} frames, batches of {batch}")
    median = {name: statistics.median(of_way) for name, of_way in times.items()}
    for name, seconds in median.items():
        views = 1 if name.startswith("batch") else 2
        reference = results["in turns"] if views == 2 else results[f"batch {batch}"]
        differ = np.count_nonzero(results[name] != reference)
        # What is stored has 256 levels.
        stored, expected = (np.rint(255 * expit(x)) for x in (results[name], reference))
        print(
            f"{name:28} {views * count / seconds:7.1f} images/s of a core,"
            f" {differ} of {reference.size} logits differ,"
            f" stored maps by at most {np.abs(stored - expected).max():.0f} of 255"
        )
    for name in ("same", "twice"):
        way = next(way for way in median if name in way)
        ratios = [a / b for a, b in zip(times["in turns"], times[way], strict=True)]
        print(f"fused_{name}_memory: {statistics.median(ratios):.3f}")
    best = min((s, name) for name, s in median.items() if name.startswith("batch"))[1]
    gain = median[f"batch {batch}"] / median[best]
    print(f"{best.replace(' ', '_')}_vs_{batch}: {gain:.3f}")


if __name__ == "__main__":
    main()
