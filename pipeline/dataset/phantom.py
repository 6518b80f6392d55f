"""The embedded data set: synthetic neck ultrasound in the form of the nerve competition."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

import cv2
import numpy as np

from pipeline.dataset.anatomy import Anatomy, draw_anatomy, draw_structures
from pipeline.dataset.ultrasound import draw_view, render_frame

_LEAST_EMPTY, _MOST_EMPTY = 0.18, 0.96  # shares at the ends of the range of subjects
_TEST_SUBJECTS = 5 / 12  # for each training subject
_FRAMES_PER_TWIN = 7  # one in so many nearly repeats another one

# A stream of random numbers is seeded with [seed, subject, frame, use]. Subjects and frames count
# from 1, so that no two streams meet.
_VIEW, _SPECKLE = 1, 2
_TRAIN_PLAN, _TEST_PLAN = 1, 2


@dataclass(frozen=True)
class Frame:
    """One frame to render; a twin shows what an earlier frame shows, a pixel or so aside."""

    subject: int
    number: int
    has_nerve: bool
    twin_of: int | None = None


def plan_frames(
    subjects: Sequence[int], counts: Sequence[int], rng: np.random.Generator
) -> list[Frame]:
    """Decide which frames show the nerve and which ones nearly repeat another one.

    Parameters
    ----------
    subjects : sequence of int
    counts : sequence of int
        The number of frames of each subject.
    rng : numpy.random.Generator

    Returns
    -------
    list of Frame
        Ordered by subject and number, which counts from 1. The share without a nerve is about
        57 % of all and spread evenly over the subjects, from about 20 % to about 94 %.
    """
    ranks = (rng.permutation(len(subjects)) + 0.5) / len(subjects)
    shares = _LEAST_EMPTY + (_MOST_EMPTY - _LEAST_EMPTY) * ranks
    empty = np.diff(np.rint(np.cumsum(shares * counts)), prepend=0).astype(int)
    frames = []
    for subject, count, without in zip(subjects, counts, empty, strict=True):
        has_nerve = rng.permutation(np.arange(count) >= without)
        alike = np.flatnonzero(has_nerve == (2 * without <= count))  # the more frequent case
        pairs = rng.choice(alike, size=(count // _FRAMES_PER_TWIN, 2), replace=False)
        twin_of = {int(pair.max()): int(pair.min()) + 1 for pair in pairs}
        frames += [
            Frame(subject, number + 1, bool(has_nerve[number]), twin_of.get(number))
            for number in range(count)
        ]
    return frames


def plan_sample(
    *, subjects: int, frames: int, test_frames: int, seed: int
) -> dict[Frame, tuple[str, str]]:
    """Plan the whole data set; the parameters are those of `write_sample`.

    Returns
    -------
    dict of Frame to (str, str)
        The files of the image and of the mask, relative to the data set's folder. Ordered by
        subject; the ids of the test frames, which are of other subjects, are shuffled.
    """
    files = {}
    rng = np.random.default_rng([seed, 0, 0, _TRAIN_PLAN])
    for frame in plan_frames(range(1, subjects + 1), [frames] * subjects, rng):
        name = f"train/{frame.subject}_{frame.number}"
        files[frame] = f"{name}.tif", f"{name}_mask.tif"
    others = min(test_frames, max(1, round(subjects * _TEST_SUBJECTS)))
    counts = [len(part) for part in np.array_split(range(test_frames), others)]
    rng = np.random.default_rng([seed, 0, 0, _TEST_PLAN])
    planned = plan_frames(range(subjects + 1, subjects + 1 + others), counts, rng)
    for number, frame in zip(rng.permutation(test_frames) + 1, planned, strict=True):
        files[frame] = f"test/{number}.tif", f"truth/{number}.tif"
    return files


def write_sample(
    folder: Path,
    *,
    subjects: int,
    frames: int,
    test_frames: int,
    seed: int,
    progress: Callable[[int], object] | None = None,
) -> None:
    """Write a synthetic data set in the exact form of the nerve competition.

    `train/{subject}_{frame}.tif` with `train/{subject}_{frame}_mask.tif`, `test/{id}.tif` of
    other subjects in random order, their masks as `truth/{id}.tif`, and `sample_submission.csv`.
    The same arguments give the same bytes, whatever the number of threads.

    Parameters
    ----------
    folder : Path
        An existing, empty folder.
    subjects : int
        Number of training subjects, at least 1. The test subjects are 5 for every 12.
    frames : int
        Training frames of each subject, at least 1.
    test_frames : int
        Number of test frames, at least 1.
    seed : int
        Not negative.
    progress : callable, optional
        Called with 1 after each frame.

    Raises
    ------
    OSError
        A file can't be written.
    """
    files = plan_sample(subjects=subjects, frames=frames, test_frames=test_frames, seed=seed)
    for name in ("train", "test", "truth"):
        (folder / name).mkdir()
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # OpenCV and NumPy release the GIL
        for subject, planned in groupby(files, key=lambda frame: frame.subject):
            anatomy = draw_anatomy(np.random.default_rng([seed, subject]))
            pending = [
                pool.submit(_write_frame, folder, files[frame], frame, anatomy, seed)
                for frame in planned
            ]
            for written in pending:
                written.result()
                if progress is not None:
                    progress(1)
    rows = [f"{number},\n" for number in range(1, test_frames + 1)]
    (folder / "sample_submission.csv").write_text("".join(["img,pixels\n", *rows]))


def _write_frame(
    folder: Path, names: tuple[str, str], frame: Frame, anatomy: Anatomy, seed: int
) -> None:
    image, mask = _render(frame, anatomy, seed)
    lzw = [cv2.IMWRITE_TIFF_COMPRESSION, cv2.IMWRITE_TIFF_COMPRESSION_LZW]
    for name, pixels in zip(names, (image, mask.astype(np.uint8) * 255), strict=True):
        # Not imwrite: it would not say why a file can't be written.
        (folder / name).write_bytes(cv2.imencode(".tif", pixels, lzw)[1])


def _render(frame: Frame, anatomy: Anatomy, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng([seed, frame.subject, frame.twin_of or frame.number, _VIEW])
    view = draw_view(rng)
    structures = draw_structures(rng, anatomy, has_nerve=frame.has_nerve)
    rng = np.random.default_rng([seed, frame.subject, frame.number, _SPECKLE])
    if frame.twin_of is not None:
        x, y = view.shift
        view = replace(view, shift=(x + rng.uniform(-1.5, 1.5), y + rng.uniform(-1, 1)))
    return render_frame(anatomy, view, structures, rng)
