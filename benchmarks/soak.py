"""Prediction and submission of 55,000 small test frames: memory over time, and a checked result.

The frames are 32x32 of 40x48, the five networks have two layers. Memory is what the process holds
itself, without the pages of mapped files, which the system takes back when it needs them. From the
moment on at which the output is begun, the median of its last tenth of the time is compared with
that of its first. The result: every id has its row, in order, and the masks of a sample are those
that the networks give when they are asked for these frames alone.

    python benchmarks/soak.py [--count 55000]
"""

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from measure import Measured, run_pipeline
from synthetic import draw_frames, save_networks, write_params

from pipeline.competitions.spec import load_spec
from pipeline.dataset.decision import by_cutoffs
from pipeline.dataset.predictions import pack_predictions
from pipeline.dataset.store import create_map
from pipeline.kaggle.submission import decode_image, read_submission
from pipeline.masks.clean import Cutoffs
from pipeline.masks.shapes import make_shape_prior
from pipeline.params import Params
from pipeline.paths import Paths

SHAPE, SIZE = (40, 48), 32
CUTOFFS = Cutoffs(threshold=128, min_area=4)
SAMPLE = 300


def write_test_store(folder: Path, count: int) -> None:
    """Write a store of synthetic test frames."""
    folder.mkdir(parents=True)
    images = create_map(folder / "images.npy", (count, SIZE, SIZE, 1))
    for row, (frame, _) in enumerate(draw_frames(count, SHAPE, seed=0)):
        images[row, ..., 0] = cv2.resize(frame, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    images.flush()
    index = pd.DataFrame({"id": np.arange(1, count + 1), "height": SHAPE[0], "width": SHAPE[1]})
    index.to_csv(folder / "index.csv", index=False)
    size = {"height": SIZE, "width": SIZE, "channels": 1}
    (folder / "size.json").write_text(json.dumps(size))


def count_faults(paths: Paths, params: Params, count: int) -> tuple[int, int, int]:
    """Return missing or misplaced rows, filled masks, and pixels of the sample that differ."""
    from pipeline.inference.predict import load_model, predict_batch

    spec = load_spec(params.competition)
    rows = read_submission(paths.submission, spec)
    expected = [(str(number),) for number in range(1, count + 1)]
    misplaced = sum(one != other for one, other in zip(rows, expected, strict=False))
    misplaced += abs(len(rows) - count)
    filled = sum(runs != [""] for runs in rows.values())
    images = np.lib.format.open_memmap(paths.test_store / "images.npy", mode="r")
    models = [load_model(paths.model(fold)) for fold in params.folds.indices]
    decide = by_cutoffs([(CUTOFFS, make_shape_prior("none", None))])
    differing = 0
    for row in np.random.default_rng(1).choice(count, min(SAMPLE, count), replace=False).tolist():
        predicted = predict_batch(models, images[row : row + 1], views=params.predict.views)
        mask = decide(pack_predictions(*predicted)[0], SHAPE)
        found = decode_image(paths.submission, rows, str(row + 1), SHAPE, spec)
        differing += int(np.count_nonzero(mask != found))
    return misplaced, filled, differing


def tenths(measured: Measured) -> tuple[float, float]:
    """Return the median memory of the first tenth of the samples, and of the last, MiB."""
    memory = [own for _, own in measured.samples]
    tenth = max(1, len(memory) // 10)
    return statistics.median(memory[:tenth]), statistics.median(memory[-tenth:])


def main() -> None:
    """Run both commands, check the result, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=55_000)
    options = parser.parse_args()
    figures = {}
    with tempfile.TemporaryDirectory() as folder:
        paths = Paths(Path(folder))
        params = write_params(paths, height=SIZE, width=SIZE)
        write_test_store(paths.test_store, options.count)
        save_networks(paths, params)
        paths.cutoffs.write_text(json.dumps({"mask": CUTOFFS._asdict()}))
        print("frames and networks are written", flush=True)
        outputs = {"predict": paths.test_predictions, "submit": paths.submission}
        for name, output in outputs.items():
            begun = output.with_name(f".partial-{output.name}")
            measured = run_pipeline(paths.root, name, begun=begun)
            first, last = tenths(measured)
            figures |= {
                f"{name}_seconds": f"{measured.seconds:.1f}",
                f"{name}_images_per_second": f"{options.count / measured.seconds:.0f}",
                f"{name}_mib_first_tenth": f"{first:.1f}",
                f"{name}_mib_last_tenth": f"{last:.1f}",
                f"{name}_last_vs_first": f"{last / first:.3f}",
            }
            print(f"{name} is done", flush=True)
        misplaced, filled, differing = count_faults(paths, params, options.count)
    for name, value in figures.items():
        print(f"{name}: {value}")
    print(f"masks_not_empty: {filled}")
    print(f"rows_misplaced: {misplaced}")
    print(f"sample_pixels_differing: {differing}")
    if misplaced or differing or not filled:
        sys.exit("The submission is not what the networks say.")


if __name__ == "__main__":
    main()
