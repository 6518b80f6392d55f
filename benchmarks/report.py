"""The report of as many frames as the nerve competition has.

The frames are speckle with an ellipse, at 288x416 of 420x580; half of the masks are empty; the maps
are blurred masks with noise, some of them shifted, some false. `pipeline tune` and the submission
come from the project's own stages and are not timed. How long a browser takes to open the page is
measured by tests/report/test_browser.py on a small page, and here on the large one, where Chromium
and its driver are installed.

    python benchmarks/report.py [--frames 5635] [--test-frames 5508]    (600 or more)
"""

import argparse
import json
import multiprocessing
import resource
import shutil
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from ruamel.yaml import YAML

from pipeline.dataset.images import resize_mask
from pipeline.dataset.predictions import create_predictions, prediction_type
from pipeline.dataset.store import create_map
from pipeline.masks import rle
from pipeline.params import load_params
from pipeline.paths import Paths
from pipeline.stages import report, submit, tune

sys.path.append(str(Path(__file__).parents[1]))
from tests.report.browser import find_browser, open_browser

ROOT = Path(__file__).parents[1]
SHAPE, SIZE = (420, 580), (288, 416)
FOLDS = 5


def draw_mask(generator: np.random.Generator) -> np.ndarray:
    """Return an ellipse, or in half of the cases nothing, bool at original size."""
    mask = np.zeros(SHAPE, np.uint8)
    if generator.random() < 0.5:
        centre = generator.integers((150, 120), (420, 300))
        axes = generator.integers((50, 30), (90, 50))
        angle = float(generator.uniform(-30, 30))
        cv2.ellipse(mask, centre.tolist(), axes.tolist(), angle, 0, 360, 1, thickness=-1)
    return mask > 0


def draw_map(mask: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Return a map at network size, uint8."""
    found = mask if generator.random() < 0.8 else draw_mask(generator)
    small = resize_mask(found, *SIZE).astype(np.float32)
    noise = cv2.resize(generator.normal(size=(18, 26)).astype(np.float32), SIZE[::-1])
    shifted = np.roll(small, generator.integers(-8, 9, 2), axis=(0, 1))
    sure = cv2.GaussianBlur(shifted, (0, 0), 6)
    return np.clip(sure * (240 + 25 * noise), 0, 255).astype(np.uint8)


def draw_frame(mask: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Return a frame at network size, uint8 (288, 416, 1)."""
    small = 40 + 60 * resize_mask(mask, *SIZE).astype(np.float32)
    speckle = cv2.GaussianBlur(generator.rayleigh(1, SIZE).astype(np.float32), (0, 0), 1.2)
    return np.clip(small * speckle, 0, 255).astype(np.uint8)[..., None]


def write_store(folder: Path, masks: list[np.ndarray], *, with_masks: bool) -> pd.DataFrame:
    """Write a store of these masks' frames, and return its index."""
    folder.mkdir(parents=True)
    generator = np.random.default_rng(1)
    images = create_map(folder / "images.npy", (len(masks), *SIZE, 1))
    for row, mask in enumerate(masks):
        images[row] = draw_frame(mask, generator)
    index = pd.DataFrame({"id": [str(row + 1) for row in range(len(masks))]})
    index = index.assign(height=SHAPE[0], width=SHAPE[1])
    if with_masks:
        stored = create_map(folder / "masks.npy", (len(masks), *SIZE))
        for row, mask in enumerate(masks):
            stored[row] = resize_mask(mask, *SIZE)
        index["subject"] = [str(row // 120 + 1) for row in range(len(masks))]
        index["area"] = [int(mask.sum()) for mask in masks]
        index["contradicts"] = ""
        index.loc[0:39, "contradicts"] = index["id"].iloc[:40].to_numpy()[::-1]
        of_class = index[["id", "area"]].assign(rle=[rle.encode(mask) for mask in masks])
        of_class.insert(1, "class", "mask")
        of_class.to_csv(folder / "masks.csv", index=False)
    index.to_csv(folder / "index.csv", index=False)
    size = {"height": SIZE[0], "width": SIZE[1], "channels": 1}
    (folder / "size.json").write_text(json.dumps(size))
    return index


def write_predictions(path: Path, masks: list[np.ndarray]) -> None:
    """Write predictions of these masks."""
    path.parent.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(len(masks))
    predictions = create_predictions(path, len(masks), (1, *SIZE))
    one = np.zeros((), prediction_type(1, *SIZE))
    for row, mask in enumerate(masks):
        one["prob_map"] = draw_map(mask, generator)
        one["presence"] = one["prob_map"].max() / 255
        predictions[row] = one


def write_project(paths: Paths, frames: int, test_frames: int) -> None:
    """Write a finished project of synthetic frames."""
    yaml = YAML()
    params = yaml.load(ROOT / "params.yaml")
    params["preprocess"] |= {"height": SIZE[0], "width": SIZE[1]}
    yaml.dump(params, paths.params)
    generator = np.random.default_rng(0)
    masks = [draw_mask(generator) for _ in range(frames)]
    folds = np.arange(frames) // 120 % FOLDS
    index = write_store(paths.train_store, masks, with_masks=True)
    pd.DataFrame({"id": index["id"], "fold": folds}).to_csv(paths.folds, index=False)
    for fold in range(FOLDS):
        of_fold = np.flatnonzero(folds == fold)
        write_predictions(paths.oof(fold), [masks[row] for row in of_fold])
    masks = [draw_mask(generator) for _ in range(test_frames)]
    write_store(paths.test_store, masks, with_masks=False)
    write_predictions(paths.test_predictions, masks)


def time_report(root: Path) -> tuple[float, float]:
    """Return the seconds that the report takes, and the most memory of this process, GiB."""
    paths = Paths(root)
    params = load_params(paths.params)
    start = time.perf_counter()
    report.run(params, paths)
    seconds = time.perf_counter() - start
    return seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def main() -> None:
    """Time the report, and how long its pages take to open."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=5635)
    parser.add_argument("--test-frames", type=int, default=5508)
    parser.add_argument("--keep", type=Path, help="leave the project there")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        paths = Paths(Path(folder))
        write_project(paths, options.frames, options.test_frames)
        params = load_params(paths.params)
        print("frames are written", flush=True)
        tune.run(params, paths)
        submit.run(params, paths)
        print("stages before are done", flush=True)
        # In a process of its own, whose memory is that of the report alone.
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
            seconds, peak = pool.submit(time_report, paths.root).result()
        sizes = [path.stat().st_size for path in paths.report_files.rglob("*") if path.is_file()]
        page_bytes = paths.report.stat().st_size
        if options.keep is not None:
            shutil.copytree(paths.report.parent, options.keep, dirs_exist_ok=True)
        if find_browser() is not None:
            with open_browser() as driver:
                for page in (paths.report, paths.test_report):
                    driver.get(page.resolve().as_uri())
                    script = (
                        "const [n] = performance.getEntriesByType('navigation');"
                        "return [n.domContentLoadedEventEnd, n.loadEventEnd];"
                    )
                    ready, loaded = driver.execute_script(script)
                    print(f"{page.stem}_ready_ms: {ready:.0f}")
                    print(f"{page.stem}_loaded_ms: {loaded:.0f}")
    print(f"report_page_mib: {page_bytes / 2**20:.1f}")
    print(f"report_files: {len(sizes)}")
    print(f"report_files_mib: {sum(sizes) / 2**20:.0f}")
    print(f"report_peak_gib: {peak:.2f}, pages of mapped files counted")
    print(f"report_seconds: {seconds:.1f} for {options.frames} and {options.test_frames} frames")


if __name__ == "__main__":
    main()
