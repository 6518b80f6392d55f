"""How seconds and memory of every stage grow with the number of images.

Projects of 500, 5,500 and, with `--full`, 55,000 training frames and as many test frames, 64x96 raw
and at network size, are run stage by stage, each in a process of its own as `dvc repro` does. The
networks have two layers, and the out-of-fold maps are blurred masks with noise: a training's steps
don't know how large the data set is, so trainings are not timed here.

Memory is what a process and its workers hold themselves. Pages of mapped files, which the system
takes back when it needs them, are in the second column of memory.

The limit of a stage is its innermost work alone, on the same frames: decoding every file, the
networks on one batch again and again, the pieces of every map, the run lengths of every mask,
JPEG and PNG of every frame. The share says how much of the stage's time that takes. Growth and
share are of a processor's seconds, which a busy machine hardly changes; those by the clock stand
beside.

    python benchmarks/growth.py [--full] [--counts 500 5500] [--stages preprocess tune]
"""

import argparse
import math
import tempfile
import time
from collections.abc import Callable, Collection, Iterable
from pathlib import Path

import cv2
import numpy as np
from measure import Measured, run_pipeline
from synthetic import (
    save_networks,
    write_out_of_fold,
    write_params,
    write_raw,
    write_training_log,
)

from pipeline.dataset.store import open_store
from pipeline.masks import rle
from pipeline.masks.pieces import list_pieces
from pipeline.params import Params
from pipeline.paths import Paths
from pipeline.report.frames import encode_image, encode_map

SHAPE = 64, 96
STAGES = {
    "preprocess": ["preprocess"],
    "audit": ["audit", "--pictures", "0"],
    "folds": ["folds"],
    "tune": ["tune"],
    "predict": ["predict"],
    "submit": ["submit"],
    "report": ["report"],
}
TRIED = 2000  # frames on which a limit is timed


def measure(root: Path, count: int, stages: Collection[str]) -> tuple[dict[str, Measured], dict]:
    """Run the stages of a new project of `count` frames; return them and the limits' seconds."""
    paths = Paths(root)
    params = write_params(paths, height=SHAPE[0], width=SHAPE[1])
    write_raw(root / params.data_dir, count, SHAPE)
    if "predict" in stages:
        save_networks(paths, params)
    write_training_log(paths, params)
    measured = {}
    for name in stages:
        if name == "tune":
            write_out_of_fold(paths, params)
        measured[name] = run_pipeline(root, *STAGES[name])
        print(f"{name} of {count}: {measured[name].seconds:.1f} s", flush=True)
    return measured, time_limits(paths, params, count, stages)


def time_limits(
    paths: Paths, params: Params, count: int, stages: Collection[str]
) -> dict[str, float]:
    """Return the seconds that the innermost work of each stage would take alone."""
    raw = paths.root / params.data_dir
    store = open_store(paths.train_store, **params.preprocess.size)
    limits = {}
    if {"preprocess", "audit"} & set(stages):
        training = sorted((raw / "train").glob("*.tif"))[: 2 * TRIED]
        test = sorted((raw / "test").glob("*.tif"))[:TRIED]
        # A training frame is two files, one of them its mask.
        decoding = 2 * per_item(lambda path: cv2.imread(str(path), -1), training)
        decoding += per_item(lambda path: cv2.imread(str(path), -1), test)
        limits |= {"preprocess": decoding, "audit": decoding}
    if {"tune", "report"} & set(stages):
        predictions = np.lib.format.open_memmap(paths.oof(0), mode="r")[:TRIED]
        maps = predictions["prob_map"][:, 0]

        def encode(row: int) -> None:
            encode_image(store.images[row])
            encode_map(maps[row])

        held = store.masks[: len(maps)] > 0
        limits["tune"] = per_item(lambda row: list_pieces(maps[row], held[row]), range(len(maps)))
        limits["report"] = 2 * per_item(encode, range(len(maps)))
    if "predict" in stages:
        of_batch = seconds_of_networks(paths, params, store.images)
        limits["predict"] = of_batch / params.predict.batch_size
    if "submit" in stages:
        limits["submit"] = per_item(rle.encode, store.masks[:TRIED] > 0)
    return {name: seconds * count for name, seconds in limits.items() if name in stages}


def per_item(function: Callable, items: Iterable) -> float:
    """Return the processor's seconds for one item."""
    items = list(items)
    for item in items:
        function(item)  # warms the file cache
    begun = time.process_time()
    for item in items:
        function(item)
    return (time.process_time() - begun) / len(items)


def seconds_of_networks(paths: Paths, params: Params, images: np.ndarray) -> float:
    """Return the processor's seconds of all folds and views on one batch, which lies in memory."""
    from pipeline.inference.predict import load_model

    models = [load_model(paths.model(fold)) for fold in params.folds.indices]
    batch = images[: params.predict.batch_size].astype(np.float32)

    def run(_: int) -> None:
        for model in models:
            for _ in params.predict.views:
                model.predict_on_batch(batch)

    return per_item(run, range(20))


def main() -> None:
    """Measure, print the table, then every figure as ``name: value``."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--counts", type=int, nargs="+", default=[500, 5500])
    parser.add_argument("--full", action="store_true", help="55,000 frames too")
    parser.add_argument("--stages", nargs="+", choices=list(STAGES), default=list(STAGES))
    parser.add_argument("--keep", type=Path, help="leave the projects there")
    options = parser.parse_args()
    counts = sorted({*options.counts, *([55_000] if options.full else [])})
    if len(counts) < 2:
        parser.error("--counts: expected two numbers or more")
    with tempfile.TemporaryDirectory() as folder:
        root = options.keep or Path(folder)
        results = {count: measure(root / str(count), count, options.stages) for count in counts}
    print("\n| stage | images | s | processor s | MiB | with mapped files | share of the limit |")
    print("|---|---|---|---|---|---|---|")
    for name in options.stages:
        for count, (measured, limits) in results.items():
            one = measured[name]
            share = f"{limits[name] / one.cpu_seconds:.0%}" if name in limits else "–"
            print(
                f"| {name} | {count:,} | {one.seconds:.1f} | {one.cpu_seconds:.1f}"
                f" | {one.own_mib:.0f} | {one.peak_mib:.0f} | {share} |"
            )
    print()
    smallest, before, largest = counts[0], counts[-2], counts[-1]
    for name in options.stages:
        first, middle, last = (results[c][0][name] for c in (smallest, before, largest))
        growth = last.cpu_seconds / largest / (first.cpu_seconds / smallest)
        # What Python takes to start is in both, and hides how the work grows between small counts.
        exponent = math.log(last.cpu_seconds / middle.cpu_seconds) / math.log(largest / before)
        kib = (last.own_mib - middle.own_mib) * 1024 / (largest - before)
        print(f"{name}_growth: {growth:.2f}")
        print(f"{name}_exponent: {exponent:.2f}")
        print(f"{name}_seconds_{largest}: {last.seconds:.1f}")
        print(f"{name}_processor_seconds_{largest}: {last.cpu_seconds:.1f}")
        print(f"{name}_peak_mib_{largest}: {last.own_mib:.0f}")
        print(f"{name}_kib_per_image: {kib:.2f}")
        if name in results[largest][1]:
            share = results[largest][1][name] / last.cpu_seconds
            print(f"{name}_share_of_limit: {share:.2f}")


if __name__ == "__main__":
    main()
