"""Building the store of frames and masks, beside the loop that is usually written for it.

The loop: scikit-image's `imread` and `resize` for every frame and its mask, stacked at the end.

    python benchmarks/preprocess.py --count 400
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from skimage.io import imread
from skimage.transform import resize

from pipeline.competitions.spec import load_spec
from pipeline.dataset.store import build_store, open_store
from pipeline.dataset.truth import MaskFiles

HEIGHT, WIDTH = 96, 128
FRAME_HEIGHT, FRAME_WIDTH = 420, 580


def write_frames(folder: Path, count: int, rng: np.random.Generator) -> pd.DataFrame:
    """Write smoothed noise and ellipses as uncompressed TIFF, which both sides can read."""
    rows = []
    for number in range(count):
        noise = rng.integers(0, 256, (FRAME_HEIGHT, FRAME_WIDTH), dtype=np.uint8)
        image = cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 2), None, 0, 255, cv2.NORM_MINMAX)
        mask = np.zeros_like(image)
        centre = int(rng.integers(150, 430)), int(rng.integers(100, 320))
        axes = int(rng.integers(40, 90)), int(rng.integers(20, 50))
        cv2.ellipse(mask, centre, axes, float(rng.uniform(0, 180)), 0, 360, 255, cv2.FILLED)
        row = {"id": f"1_{number}", "subject": "1"}
        for column, pixels in (("image", image), ("mask", mask)):
            row[column] = folder / f"1_{number}_{column}.tif"
            cv2.imwrite(str(row[column]), pixels, [cv2.IMWRITE_TIFF_COMPRESSION, 1])
        rows.append(row)
    return pd.DataFrame(rows)


def run_loop(frames: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Preprocess as most public notebooks do."""
    images, masks = [], []
    for image_path, mask_path in zip(frames["image"], frames["mask"], strict=True):
        image = imread(image_path, as_gray=True)
        mask = imread(mask_path, as_gray=True)
        images.append(resize(image, (HEIGHT, WIDTH), preserve_range=True))
        masks.append(resize(mask, (HEIGHT, WIDTH), preserve_range=True))
    return np.stack(images).astype(np.uint8), np.stack(masks) >= 127.5


def run_project(frames: pd.DataFrame, folder: Path) -> None:
    """Preprocess as `pipeline preprocess` does; it also checks, and encodes the masks."""
    spec = load_spec("sample")  # whose masks are files of 0 and 255
    files = {frame.id: [(None, frame.mask)] for frame in frames.itertuples()}
    size = {"height": HEIGHT, "width": WIDTH, "channels": 1}
    build_store(folder, frames, spec, **size, truth=MaskFiles(files, spec))


def seconds(function: Callable[..., object], *arguments: object) -> float:
    """Time one call."""
    start = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - start


def check_agreement(frames: pd.DataFrame, folder: Path) -> None:
    """Stop unless both sides made the same frames and masks, but for how they smooth."""
    images, masks = run_loop(frames)
    store = open_store(folder, height=HEIGHT, width=WIDTH, channels=1)
    difference = np.abs(store.images[..., 0].astype(float) - images).mean()
    differing = (store.masks.astype(bool) != masks).mean()
    print(f"mean difference: {difference:.2f} of 255; masks differ in {differing:.3%} of pixels")
    if difference > 6 or differing > 0.005:
        raise SystemExit("The two sides do not agree: their times can't be compared.")


def main() -> None:
    """Time both sides in turn and print the median of the ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=400, help="frames, each with a mask")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "store"
        frames = write_frames(Path(folder), options.count, np.random.default_rng(0))
        run_project(frames, store)  # warms the file cache and the libraries
        check_agreement(frames, store)
        ratios, rates = [], {"loop": [], "project": []}
        for number in range(1, options.rounds + 1):
            loop = seconds(run_loop, frames)
            project = seconds(run_project, frames, Path(folder) / f"store{number}")
            ratios.append(loop / project)
            rates["loop"].append(options.count / loop)
            rates["project"].append(options.count / project)
            print(
                f"round {number}: loop {options.count / loop:.0f} images/s,"
                f" project {options.count / project:.0f} images/s, ratio {ratios[-1]:.2f}"
            )
    for side, of_side in rates.items():
        print(f"{side}_images_per_second: {statistics.median(of_side):.0f}")
    print(f"preprocess_vs_loop: {statistics.median(ratios):.2f}")


if __name__ == "__main__":
    main()
