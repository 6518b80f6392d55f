"""Finding frames of one scene beside comparing all pairs by structural similarity.

Frames are blurred noise in a sector, 96x128, as many as the nerve competition has; every hundredth
is shown again with speckle noise, another gain and a shift of a pixel. The loop that notebooks use
calls skimage's structural_similarity for each pair; it runs on a few and is extrapolated.

    python benchmarks/audit.py [--frames 5635]
"""

import argparse
import time

import cv2
import numpy as np
from skimage.metrics import structural_similarity

from pipeline.dataset.duplicates import describe_frames, find_similar

TIMED_PAIRS = 300


def draw_frames(count: int) -> tuple[np.ndarray, int]:
    """Return frames, uint8 (N, 96, 128, 1), of which the last ones repeat every hundredth."""
    generator = np.random.default_rng(0)
    rows, columns = np.mgrid[:96, :128]
    sector = np.hypot(rows + 20, columns - 64) < 110
    repeated = count // 100
    frames = np.empty((count, 96, 128, 1), np.uint8)
    for row in range(count - repeated):
        noise = generator.normal(size=(96, 128)).astype(np.float32)
        texture = cv2.GaussianBlur(noise, (0, 0), 3) * 300 + 120
        frames[row, ..., 0] = np.clip(texture * sector, 0, 255)
    for number in range(repeated):
        scene = np.roll(frames[100 * number].astype(np.float32), 1, axis=1)
        speckled = 0.8 * scene * generator.normal(1, 0.1, scene.shape) + 10
        frames[count - repeated + number] = np.clip(speckled, 0, 255)
    return frames, repeated


def main() -> None:
    """Time both, and count the repeated frames that were found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=5635)
    options = parser.parse_args()
    frames, repeated = draw_frames(options.frames)
    start = time.perf_counter()
    pairs = find_similar(frames, describe_frames(frames))
    seconds = time.perf_counter() - start

    start = time.perf_counter()
    for first, second in np.random.default_rng(1).integers(0, len(frames), (TIMED_PAIRS, 2)):
        structural_similarity(frames[first, ..., 0], frames[second, ..., 0], data_range=255)
    of_pair = (time.perf_counter() - start) / TIMED_PAIRS
    all_pairs = of_pair * len(frames) * (len(frames) - 1) / 2

    planted = {(100 * n, len(frames) - repeated + n) for n in range(repeated)}
    found = set(map(tuple, pairs[["first", "second"]].to_numpy().tolist()))
    print(f"audit_seconds: {seconds:.1f} for {len(frames)} frames")
    print(f"planted_pairs_found: {len(planted & found)} of {len(planted)}")
    print(f"false_pairs: {len(found - planted)}")
    print(f"audit_vs_all_pairs: {all_pairs / seconds:.0f}")


if __name__ == "__main__":
    main()
