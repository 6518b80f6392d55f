"""What one frame of the nerve competition costs in each piece of work but the network's.

420x580 raw, 416x576 at network size: a processor's milliseconds per frame, by one core and in one
thread, with the bytes that are kept. docs/scale.md reckons with these figures.

    python benchmarks/rates.py [--frames 60]
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from preprocess import write_frames
from report import draw_map

from pipeline.competitions.spec import load_spec
from pipeline.dataset.batches import TrainingBatches
from pipeline.dataset.decision import by_cutoffs
from pipeline.dataset.duplicates import describe_frames, find_similar
from pipeline.dataset.images import resize_prob_map
from pipeline.dataset.index import open_masks
from pipeline.dataset.out_of_fold import Predicted, tabulate_frames
from pipeline.dataset.predictions import prediction_type
from pipeline.dataset.store import build_store, open_store
from pipeline.dataset.truth import MaskFiles
from pipeline.masks import rle
from pipeline.masks.clean import Cutoffs
from pipeline.masks.shapes import make_shape_prior
from pipeline.report.frames import encode_image, encode_map

COMPARED = 4096  # frames
SIZE = {"height": 416, "width": 576, "channels": 1}


def milliseconds(function: Callable[[], object], count: int) -> float:
    """Return a processor's milliseconds for each of `count` frames."""
    begun = time.process_time()
    function()
    return 1000 * (time.process_time() - begun) / count


def main() -> None:
    """Time each piece and print its figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=60)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    count, spec, figures = options.frames, load_spec("sample"), {}
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        frames = write_frames(root, count, np.random.default_rng(0))
        raw_bytes = sum(path.stat().st_size for path in root.glob("*.tif")) / count
        files = {frame.id: [(None, frame.mask)] for frame in frames.itertuples()}
        truth = MaskFiles(files, spec)
        figures["preprocess_ms"] = milliseconds(
            lambda: build_store(root / "store", frames, spec, **SIZE, truth=truth), count
        )
        store = open_store(root / "store", **SIZE)
        figures["describe_ms"] = milliseconds(lambda: describe_frames(store.images), count)
        # Halved, none of them are alike: what is timed are the products.
        descriptors = np.resize(describe_frames(store.images) * 0.5, (COMPARED, 3072))
        pairs = len(descriptors) ** 2 / 2
        of_pairs = milliseconds(lambda: find_similar([], descriptors), 1)
        figures["compare_ns_per_pair"] = 1e6 * of_pairs / pairs
        batches = TrainingBatches(
            store.images,
            store.masks,
            np.arange(count),
            batch_size=10,
            augmentation="light",
            seed=0,
            fold=0,
        )
        figures["batches_ms"] = milliseconds(
            lambda: [batches[number] for number in range(len(batches))], count
        )
        masks = open_masks(root / "store", spec.classes)[spec.classes[0]]
        generator = np.random.default_rng(1)
        predictions = np.zeros(count, prediction_type(1, SIZE["height"], SIZE["width"]))
        for prediction, frame in zip(predictions, masks.itertuples(), strict=True):
            mask = rle.decode(frame.rle, (frame.height, frame.width))
            small = draw_map(mask, generator)
            prediction["prob_map"][0] = resize_prob_map(small, SIZE["height"], SIZE["width"])
        shapes = list(zip(masks["height"], masks["width"], strict=True))
        predicted = [
            Predicted(one["prob_map"][0], 1.0, shape, runs)
            for one, shape, runs in zip(predictions, shapes, masks["rle"], strict=True)
        ]
        tables = []
        figures["tabulate_ms"] = milliseconds(
            # Fewer frames than are worth other processes.
            lambda: tables.extend(
                tabulate_frames(predicted[at : at + 40], 40, holes=False)
                for at in range(0, count, 40)
            ),
            count,
        )
        decide = by_cutoffs([(Cutoffs(128, min_area=500), make_shape_prior("none", None))])
        figures["submit_ms"] = milliseconds(
            lambda: [
                rle.encode(decide(one, shape)[..., 0])
                for one, shape in zip(predictions, shapes, strict=True)
            ],
            count,
        )
        figures["report_ms"] = milliseconds(
            lambda: [
                (encode_image(image), encode_map(one["prob_map"][0]))
                for image, one in zip(store.images, predictions, strict=True)
            ],
            count,
        )
        figures["raw_bytes"] = raw_bytes
        figures["store_bytes"] = 2 * SIZE["height"] * SIZE["width"]
        figures["map_bytes"] = predictions.dtype.itemsize
        figures["run_length_bytes"] = masks["rle"].str.len().mean()
        figures["piece_table_bytes"] = sum(table.pieces.nbytes for table in tables) / count
    for name, value in figures.items():
        print(f"{name}: {value:,.2f}")


if __name__ == "__main__":
    main()
