import cv2
import numpy as np
import pytest

from pipeline.competitions.spec import SubmissionFormat
from pipeline.dataset.findings import Finding
from pipeline.dataset.integrity import (
    check_frames,
    compare_runs,
    list_frames,
    note_uncommon,
)

IMAGES, MASKS = "train/{subject}_{frame}.png", "train/{subject}_{frame}_mask.png"
FORM = SubmissionFormat(header=("img", "pixels"), ids="integer")
MASK = np.zeros((8, 10), np.uint8)
MASK[2:4, 1:3] = 255
# Columns first, from 1: rows 2 and 3 of the columns 1 and 2 of 8 pixels.
RUNS = "11 2 19 2"


@pytest.fixture
def data(tmp_path):
    """A folder of four sound frames."""
    (tmp_path / "train").mkdir()
    for name in ("1_1", "1_2", "2_1", "2_2"):
        write(tmp_path / f"train/{name}.png", np.full((8, 10), 100, np.uint8))
        write(tmp_path / f"train/{name}_mask.png", MASK)
    return tmp_path


def write(path, pixels):
    cv2.imwrite(str(path), pixels)


def cut(path):
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def faults_of(data, *, foreground=255, table=None):
    """Return path, fault and what came of every finding."""
    frames, findings = list_frames(data, IMAGES, MASKS, table)
    checked = check_frames(list(frames.values()), foreground=foreground, form=FORM)
    return [
        (finding.path.relative_to(data).as_posix(), finding.fault, finding.got)
        for finding in findings + checked.findings
    ]


def test_check_frames_intact_set_has_no_faults(data):
    assert faults_of(data) == []


def test_check_frames_tells_every_sound_images_kind_and_advances(data):
    write(data / "train/1_2.png", np.zeros((8, 10, 3), np.uint8))
    cut(data / "train/2_1.png")
    frames, _ = list_frames(data, IMAGES, MASKS)
    count = []
    options = {"foreground": 255, "form": FORM, "advance": lambda: count.append(1)}
    checked = check_frames(list(frames.values()), **options)
    assert {path.stem: kind for path, kind in checked.kinds.items()} == {
        "1_1": "8 x 10 grey",
        "1_2": "8 x 10 colour",
        "2_2": "8 x 10 grey",
    }
    assert len(count) == 4


def test_list_frames_image_without_mask_and_the_reverse(data):
    (data / "train/1_1_mask.png").unlink()
    (data / "train/2_2.png").unlink()
    assert faults_of(data) == [
        ("train/1_1.png", "image without mask", "none"),
        ("train/2_2_mask.png", "mask without image", "none"),
    ]


def test_list_frames_folder_without_files_is_one_fault_for_each_pattern(tmp_path):
    frames, findings = list_frames(tmp_path, IMAGES, MASKS)
    assert frames == {}
    folder = tmp_path / "train"
    assert findings == [
        Finding(folder, "no images", IMAGES, "none"),
        Finding(folder, "no masks", MASKS, "none"),
    ]


@pytest.mark.parametrize("damage", [cut, lambda path: path.write_bytes(b"")])
@pytest.mark.parametrize("name", ["train/1_1.png", "train/1_1_mask.png"])
def test_check_frames_unreadable_file(data, damage, name):
    damage(data / name)
    ((path, fault, _),) = faults_of(data)
    assert (path, fault) == (name, "unreadable")


@pytest.mark.parametrize("name", ["train/1_1.png", "train/1_1_mask.png"])
def test_check_frames_sixteen_bits(data, name):
    write(data / name, np.full((8, 10), 999, np.uint16))
    assert faults_of(data) == [(name, "mode", "a PNG of 16 bits per channel")]


def test_check_frames_size_of_image_and_mask(data):
    write(data / "train/1_1_mask.png", MASK[:, :9])
    assert faults_of(data) == [("train/1_1_mask.png", "size of mask and image differ", "8 x 9")]


def test_check_frames_mask_of_other_values(data):
    write(data / "train/1_1_mask.png", MASK // 2)
    expected = ("train/1_1_mask.png", "mask not binary", "2 grey levels (0, 127)")
    assert faults_of(data) == [expected]
    assert faults_of(data, foreground="nonzero") == []


def test_check_frames_run_lengths_that_differ_from_the_mask(data):
    table = {"1_1": RUNS, "1_2": "11 2", "2_1": "", "2_2": "99 9"}
    outside = "rle: run 1 ('99 9') ends outside of the image of 80 pixels"
    fault = "mask and run lengths differ"
    assert faults_of(data, table=table) == [
        ("train/1_2_mask.png", fault, "2 pixels that differ"),
        ("train/2_1_mask.png", fault, "4 pixels that differ"),
        ("train/2_2_mask.png", fault, outside),
    ]


def test_check_frames_all_faults_at_once(data):
    (data / "train/1_1_mask.png").unlink()
    cut(data / "train/1_2.png")
    write(data / "train/1_2_mask.png", MASK // 2)
    write(data / "train/2_1.png", np.zeros((9, 10), np.uint8))
    write(data / "train/2_2.png", np.zeros((8, 10), np.uint16))
    table = {"2_1": "1 1", "2_2": RUNS}
    assert [(path, fault) for path, fault, _ in faults_of(data, table=table)] == [
        ("train/1_1.png", "image without mask"),
        ("train/1_2.png", "unreadable"),
        ("train/1_2_mask.png", "mask not binary"),
        ("train/2_1_mask.png", "size of mask and image differ"),
        ("train/2_1_mask.png", "mask and run lengths differ"),
        ("train/2_2.png", "mode"),
    ]


def test_compare_runs_takes_the_forms_empty_marker(data):
    form = FORM.model_copy(update={"empty": "-1"})
    empty = np.zeros((8, 10), bool)
    assert compare_runs(empty, "-1", form) is None
    assert compare_runs(empty, "", form) is None
    assert compare_runs(MASK > 0, "-1", form) == "4 pixels that differ"
    rows = FORM.model_copy(update={"order": "rows", "origin": 0})
    assert compare_runs(MASK > 0, "21 2 31 2", rows) is None


def test_note_uncommon_names_what_fewer_than_one_in_twenty_are(tmp_path):
    kinds = {tmp_path / f"{i}.png": "8 x 10 grey" for i in range(40)}
    kinds |= {tmp_path / f"big{i}.png": "16 x 20 grey" for i in range(10)}
    odd = tmp_path / "odd.png"
    kinds[odd] = "8 x 10 colour"
    assert note_uncommon(kinds) == [
        Finding(odd, "uncommon size or mode", "8 x 10 grey", "8 x 10 colour", is_note=True)
    ]


def test_note_uncommon_of_nothing_is_nothing():
    assert note_uncommon({}) == []
