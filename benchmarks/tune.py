"""Tuning beside the loop that Kagglers write: threshold x smallest area, labels each time.

The maps are blobs with blurred noise at 96x128, a third of the truths empty, original size
420x580. Around the blobs they are as faint as those of networks trained on usgra-seg, of whose
pixels 77 % are 2 of 255 or more, 33 % 4 or more, 8 % 8 or more. The loop labels each map anew for
every pair of cut-offs, drops the pieces that are too small and takes the mean Dice. To find the
same optimum it needs every threshold and areas in small steps, 248 x 40 pairs; most notebooks try
about 20 x 10 and miss it. It runs on a few pairs and is extrapolated. Both give the same score for
the same cut-offs.

    python benchmarks/tune.py [--frames 500] [--search-frames 5635]
"""

import argparse
import resource
import time
from collections.abc import Iterator

import cv2
import numpy as np
from rich.progress import track
from scipy.special import expit
from skimage.measure import label

from pipeline.dataset.images import resize_prob_map
from pipeline.dataset.out_of_fold import Predicted, tabulate_frames
from pipeline.masks import rle
from pipeline.masks.clean import Cutoffs
from pipeline.masks.dice import dice_score
from pipeline.masks.evaluation import fold_weights
from pipeline.masks.search import RULES, THRESHOLDS
from pipeline.masks.tables import score_cutoffs
from pipeline.masks.tuning import tune_cutoffs

SHAPE = (420, 580)
MIN_AREAS = range(0, 10_000, 250)
COARSE_PAIRS = 20 * 10
TRIED = [(32, 2000), (96, 500), (160, 1000), (224, 0)]  # timed


def draw_predictions(count: int) -> Iterator[Predicted]:
    """Yield maps beside masks that are shifted a little, or empty."""
    generator = np.random.default_rng(0)
    rows, columns = np.mgrid[:96, :128]
    for number in range(count):
        row, column = generator.uniform((25, 30), (70, 100))
        noise, faint = (
            cv2.GaussianBlur(generator.normal(size=(96, 128)), (0, 0), 6) * 14 for _ in range(2)
        )
        far = ((rows - row) / 10) ** 2 + ((columns - column) / 16) ** 2
        is_empty = number % 3 == 0
        logits = np.maximum((0 if is_empty else 4) - 3 * far + noise, 1.1 * faint - 4.6)
        prob_map = np.rint(255 * expit(logits))
        mask = np.zeros(SHAPE, np.uint8)
        if not is_empty:
            centre = (int(4.53 * column) + 9, int(4.375 * row) - 7)
            cv2.ellipse(mask, centre, (80, 50), 0, 0, 360, 1, thickness=-1)
        presence = float(prob_map.max()) / 255
        yield Predicted(prob_map.astype(np.uint8), presence, SHAPE, rle.encode(mask > 0))


def mean_dice_of_loop(frames: list[Predicted], threshold: int, min_area: int) -> float:
    """Score one pair of cut-offs as notebooks do."""
    scores = []
    for frame in frames:
        prob_map = resize_prob_map(frame.prob_map, *SHAPE)
        labels = label(prob_map >= threshold)
        predicted = np.zeros(SHAPE, bool)
        for piece in range(1, labels.max() + 1):
            if (labels == piece).sum() >= min_area:
                predicted |= labels == piece
        scores.append(dice_score(rle.decode(frame.rle, SHAPE), predicted))
    return float(np.mean(scores))


def main() -> None:
    """Time both on the same frames, then the whole search on as many as the competition has."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=500)
    parser.add_argument("--search-frames", type=int, default=5635)
    options = parser.parse_args()
    frames = list(draw_predictions(options.frames))

    start = time.perf_counter()
    table = tabulate_frames(frames, len(frames))
    equal = np.full((len(frames), 1), 1 / len(frames))
    (found,) = tune_cutoffs(table, equal, ["min_area"])
    best = score_cutoffs(table, found, equal).item()
    tune_seconds = time.perf_counter() - start

    start = time.perf_counter()
    for threshold, min_area in track(TRIED, description="Pairs of the loop"):
        of_loop = mean_dice_of_loop(frames, threshold, min_area)
        of_table = score_cutoffs(table, Cutoffs(threshold, min_area=min_area), equal).item()
        assert abs(of_loop - of_table) < 1e-9, (of_loop, of_table)
    pairs = len(THRESHOLDS) * len(MIN_AREAS)
    loop_seconds = (time.perf_counter() - start) / len(TRIED) * pairs
    on_grid = max(
        score_cutoffs(table, Cutoffs(t, min_area=a), equal).item()
        for t in THRESHOLDS.tolist()
        for a in MIN_AREAS
    )
    print(f"best of the grid: {on_grid:.5f}, of the search: {best:.5f} with {found}")

    folds = np.arange(options.search_frames) % 5
    drawing = track(draw_predictions(len(folds)), "Drawing", len(folds))
    many = list(drawing)  # in memory, as the pipeline's maps are on the disk
    start = time.perf_counter()
    table = tabulate_frames(many, len(many))
    table_seconds = time.perf_counter() - start
    tune_cutoffs(table, fold_weights(folds), RULES)
    search_seconds = time.perf_counter() - start
    own, largest_worker = (
        resource.getrusage(who).ru_maxrss / 2**20
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    print(f"grid_seconds: {loop_seconds:.0f} ({pairs} pairs, {len(TRIED)} of them timed)")
    print(f"tune_seconds: {tune_seconds:.1f}")
    print(f"search_seconds_{len(folds)}: {search_seconds:.0f} (tables {table_seconds:.0f})")
    print(f"search_gib: {own:.2f} (and {largest_worker:.2f} in each worker)")
    print(f"tune_vs_coarse_grid: {loop_seconds / pairs * COARSE_PAIRS / tune_seconds:.1f}")
    print(f"tune_vs_grid: {loop_seconds / tune_seconds:.0f}")


if __name__ == "__main__":
    main()
