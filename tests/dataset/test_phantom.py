from pathlib import Path

import cv2
import numpy as np
import pytest
from skimage.measure import label

from pipeline.dataset.phantom import Frame, plan_frames, plan_sample, write_sample

SMALL = {"subjects": 2, "frames": 7, "test_frames": 3}
DEFAULT = {"subjects": 12, "frames": 14, "test_frames": 60}


@pytest.fixture(scope="module")
def sample(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("sample")
    write_sample(folder, **SMALL, seed=3)
    return folder


def read(file: Path) -> np.ndarray:
    return cv2.imread(str(file), cv2.IMREAD_UNCHANGED)


def read_masks(folder: Path) -> list[np.ndarray]:
    files = [*folder.glob("train/*_mask.tif"), *folder.glob("truth/*.tif")]
    return [read(file) for file in sorted(files)]


def contents(folder: Path) -> dict[str, bytes]:
    files = (file for file in folder.rglob("*") if file.is_file())
    return {str(file.relative_to(folder)): file.read_bytes() for file in files}


def test_write_sample_small_has_the_files_of_the_competition(sample):
    train = [f"train/{subject}_{frame}" for subject in (1, 2) for frame in range(1, 8)]
    expected = {f"{name}{suffix}.tif" for name in train for suffix in ("", "_mask")}
    expected |= {f"{part}/{number}.tif" for part in ("test", "truth") for number in range(1, 4)}
    expected.add("sample_submission.csv")
    assert set(contents(sample)) == expected


def test_write_sample_submission_has_an_empty_row_for_each_test_frame(sample):
    observed = (sample / "sample_submission.csv").read_text()
    assert observed == "img,pixels\n1,\n2,\n3,\n"


def test_write_sample_every_tiff_is_8_bit_grey_580_by_420(sample):
    forms = {(read(file).shape, str(read(file).dtype)) for file in sample.rglob("*.tif")}
    assert forms == {((420, 580), "uint8")}


def test_write_sample_images_use_the_grey_scale(sample):
    for file in sample.glob("test/*.tif"):
        dark, bright = np.percentile(read(file), [5, 95])
        assert bright - dark > 60
        assert dark < 90


def test_write_sample_masks_are_0_and_255_where_the_plan_says_nerve(sample):
    for frame, (_, mask_file) in plan_sample(**SMALL, seed=3).items():
        expected = {0, 255} if frame.has_nerve else {0}
        assert set(np.unique(read(sample / mask_file))) == expected


def test_write_sample_nerve_is_one_piece_without_holes_of_plausible_area(sample):
    nerves = [mask for mask in read_masks(sample) if mask.any()]
    assert len(nerves) >= 5
    for mask in nerves:
        assert label(mask > 0, connectivity=1).max() == 1
        assert label(mask == 0, connectivity=2).max() == 1  # no hole: the background is one piece
        # The competition's masks have 2,684 to 17,439 pixels.
        assert 2700 <= np.count_nonzero(mask) <= 17000


def test_write_sample_same_seed_gives_same_bytes_and_reports_each_frame(sample, tmp_path):
    steps = []
    write_sample(tmp_path, **SMALL, seed=3, progress=steps.append)
    assert contents(tmp_path) == contents(sample)
    assert steps == [1] * (2 * 7 + 3)


def test_write_sample_one_thread_gives_same_bytes(tmp_path, monkeypatch):
    sizes = {"subjects": 1, "frames": 2, "test_frames": 1}
    many, one = tmp_path / "many", tmp_path / "one"
    many.mkdir()
    one.mkdir()
    write_sample(many, **sizes, seed=3)
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    write_sample(one, **sizes, seed=3)
    assert contents(one) == contents(many)


def test_write_sample_other_seed_gives_other_images(sample, tmp_path):
    write_sample(tmp_path, subjects=1, frames=1, test_frames=1, seed=4)
    for name in ("train/1_1.tif", "test/1.tif"):
        assert (tmp_path / name).read_bytes() != (sample / name).read_bytes()


def test_write_sample_twin_is_nearer_to_its_frame_than_any_other(sample):
    frames = [frame for frame in plan_sample(**SMALL, seed=3) if frame.subject <= 2]
    twins = [frame for frame in frames if frame.twin_of is not None]
    assert len(twins) == 2  # one in seven frames

    def smooth(subject: int, number: int) -> np.ndarray:
        image = read(sample / f"train/{subject}_{number}.tif").astype(np.float32)
        return cv2.GaussianBlur(image - image.mean(), (0, 0), 4)  # speckle is fresh: blur it away

    for twin in twins:
        own = smooth(twin.subject, twin.number)
        distance = {
            frame.number: np.abs(own - smooth(twin.subject, frame.number)).mean()
            for frame in frames
            if frame.subject == twin.subject and frame.number != twin.number
        }
        assert min(distance, key=distance.get) == twin.twin_of
        assert distance[twin.twin_of] > 0


@pytest.mark.parametrize("seed", range(5))
def test_plan_sample_default_share_of_empty_masks_is_that_of_the_competition(seed):
    frames = list(plan_sample(**DEFAULT, seed=seed))
    train = [not frame.has_nerve for frame in frames if frame.subject <= 12]
    test = [not frame.has_nerve for frame in frames if frame.subject > 12]
    # (.18 + .96) / 2 = .57 in the mean, rounded to whole frames; the competition's is .588
    assert np.mean(train) == pytest.approx(0.57, abs=0.01)
    assert np.mean(test) == pytest.approx(0.57, abs=0.02)


def test_plan_sample_default_share_of_empty_masks_varies_with_the_subject():
    empty = dict.fromkeys(range(1, 13), 0)
    for frame in plan_sample(**DEFAULT, seed=0):
        if frame.subject in empty:
            empty[frame.subject] += not frame.has_nerve
    # The outermost of 12 subjects: .18 + .78 / 24 = .21 and .96 - .78 / 24 = .93, of 14 frames.
    assert min(empty.values()) in (2, 3)
    assert max(empty.values()) in (12, 13, 14)


def test_plan_sample_test_subjects_are_none_of_train_and_their_ids_are_shuffled():
    subjects = {"train": set(), "test": set()}
    order = []
    for frame, (image, _) in plan_sample(**DEFAULT, seed=0).items():
        part, name = image.split("/")
        subjects[part].add(frame.subject)
        if part == "test":
            order.append(int(name.removesuffix(".tif")))
    assert subjects == {"train": set(range(1, 13)), "test": set(range(13, 18))}
    assert sorted(order) == list(range(1, 61))
    assert order != sorted(order)


def test_plan_frames_one_frame_each_has_no_twin():
    observed = plan_frames([1, 2], [1, 1], np.random.default_rng(0))
    assert [(frame.subject, frame.number, frame.twin_of) for frame in observed] == [
        (1, 1, None),
        (2, 1, None),
    ]


def test_plan_frames_twin_repeats_an_earlier_frame_of_its_kind():
    frames = plan_frames([1, 2], [28, 28], np.random.default_rng(0))
    known: dict[tuple[int, int], Frame] = {(one.subject, one.number): one for one in frames}
    twins = [frame for frame in frames if frame.twin_of is not None]
    assert len(twins) == 8  # 28 / 7 for each subject
    for twin in twins:
        original = known[twin.subject, twin.twin_of]
        assert original.number < twin.number
        assert original.has_nerve == twin.has_nerve
        assert original.twin_of is None
