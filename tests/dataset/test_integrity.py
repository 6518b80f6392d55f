from unittest.mock import ANY

import cv2
import numpy as np
import pytest

from pipeline.competitions.formats import MaskTable
from pipeline.competitions.spec import Spec
from pipeline.dataset.findings import Finding
from pipeline.dataset.integrity import check_frames, list_frames, note_uncommon
from pipeline.dataset.truth import open_rows

IMAGES, MASKS = "train/{subject}_{frame}.png", "train/{subject}_{frame}_mask.png"
TABLE = MaskTable(file="masks.csv", header=("img", "pixels"))
SPEC = Spec.model_validate(
    {
        "title": "As in the nerve competition",
        "images": IMAGES,
        "masks": MASKS,
        "test": "test/{id}.png",
        "foreground": 255,
        "submission": {"header": ["img", "pixels"], "ids": "integer"},
    }
)
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


def spec_with(**changes):
    return Spec.model_validate({**SPEC.model_dump(exclude_unset=True), **changes})


def faults_of(data, spec=SPEC, *, rows=None, form=TABLE):
    """Return path, fault and what came of every finding; `rows` are those of a table."""
    frames, findings = list_frames(data, spec.images, spec.masks or (), spec)
    table = None
    if rows is not None:
        lines = [",".join(form.header), *(f"{key},{runs}" for key, runs in rows.items())]
        (data / form.file).write_text("\n".join(lines) + "\n")
        images = {key: frame.image for key, frame in frames.items() if frame.image is not None}
        table = open_rows(data, spec.model_copy(update={"mask_table": form}), images)
    checked = check_frames(list(frames.values()), spec, table=table)
    return [
        (finding.path.relative_to(data).as_posix(), finding.fault, finding.got)
        for finding in findings + checked.findings
    ]


def test_check_frames_intact_set_has_no_faults(data):
    assert faults_of(data) == []


def test_check_frames_tells_every_sound_images_kind_and_advances(data):
    write(data / "train/1_2.png", np.zeros((8, 10, 3), np.uint8))
    cut(data / "train/2_1.png")
    frames, _ = list_frames(data, [IMAGES], (MASKS,), SPEC)
    count = []
    checked = check_frames(list(frames.values()), SPEC, advance=lambda: count.append(1))
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
    frames, findings = list_frames(tmp_path, [IMAGES], (MASKS,), SPEC)
    assert frames == {}
    folder = tmp_path / "train"
    assert findings == [
        Finding(folder, "no images", IMAGES, "none"),
        Finding(folder, "no masks", MASKS, "none"),
    ]


def test_check_frames_every_channel_is_looked_at(data):
    names = "train/{subject}_{frame}.png", "red/{subject}_{frame}.png", "nir/{frame}_{subject}.png"
    for folder in ("red", "nir"):
        (data / folder).mkdir()
    for name in ("1_1", "1_2", "2_1", "2_2"):
        subject, frame = name.split("_")
        write(data / f"red/{name}.png", np.zeros((8, 10), np.uint8))
        write(data / f"nir/{frame}_{subject}.png", np.zeros((8, 10), np.uint8))
    spec = spec_with(images=names)
    assert faults_of(data, spec) == []
    (data / "red/1_1.png").unlink()
    write(data / "red/1_2.png", np.zeros((8, 9), np.uint8))
    cut(data / "nir/1_2.png")  # of frame 2_1
    assert faults_of(data, spec) == [
        ("train/1_1.png", "channel missing", "none"),
        ("red/1_2.png", "sizes of channels differ", "8 x 9"),
        ("nir/1_2.png", "unreadable", ANY),
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
    assert faults_of(data, spec_with(foreground="nonzero")) == []


def test_check_frames_run_lengths_that_differ_from_the_mask(data):
    rows = {"1_1": RUNS, "1_2": "11 2", "2_1": "", "2_2": "99 9"}
    outside = "rle: run 1 ('99 9') ends outside of the image of 80 pixels"
    fault = "mask and run lengths differ"
    assert faults_of(data, rows=rows) == [
        ("train/1_2_mask.png", fault, "2 pixels that differ"),
        ("train/2_1_mask.png", fault, "4 pixels that differ"),
        ("train/2_2_mask.png", fault, f"id 2_2: {outside}"),
    ]


def test_check_frames_all_faults_at_once(data):
    (data / "train/1_1_mask.png").unlink()
    cut(data / "train/1_2.png")
    write(data / "train/1_2_mask.png", MASK // 2)
    write(data / "train/2_1.png", np.zeros((9, 10), np.uint8))
    write(data / "train/2_2.png", np.zeros((8, 10), np.uint16))
    rows = {"2_1": "1 1", "2_2": "1 2"}
    assert [(path, fault) for path, fault, _ in faults_of(data, rows=rows)] == [
        ("train/1_1.png", "image without mask"),
        ("train/1_2.png", "unreadable"),
        ("train/1_2_mask.png", "mask not binary"),
        ("train/2_1_mask.png", "size of mask and image differ"),
        ("train/2_2.png", "mode"),
        # The image can't be read, but the mask's size is that of the runs.
        ("train/2_2_mask.png", "mask and run lengths differ"),
    ]


def test_check_frames_run_lengths_take_the_tables_own_form(data):
    rows = dict.fromkeys(("1_1", "1_2", "2_1", "2_2"), RUNS)
    (data / "train/1_2_mask.png").unlink()
    write(data / "train/1_2_mask.png", MASK * 0)
    empty = TABLE.model_copy(update={"empty": "-1"})
    differ = ("train/1_1_mask.png", "mask and run lengths differ", "4 pixels that differ")
    assert faults_of(data, rows=rows | {"1_1": "-1", "1_2": "-1"}, form=empty) == [differ]
    # Rows 2 and 3 of 10 pixels, from 0; columns 1 and 2.
    along = TABLE.model_copy(update={"order": "rows", "origin": 0})
    assert faults_of(data, rows=dict.fromkeys(rows, "21 2 31 2") | {"1_2": ""}, form=along) == []
    relative = TABLE.model_copy(update={"relative": True})
    assert faults_of(data, rows=dict.fromkeys(rows, "11 2 6 2") | {"1_2": ""}, form=relative) == []


def test_check_frames_a_mask_without_a_row_is_not_compared(data):
    assert faults_of(data, rows={"1_1": RUNS}) == []


def test_check_frames_mask_without_image_is_not_compared_with_the_table(data):
    (data / "train/2_2.png").unlink()
    form = MaskTable(file="masks.csv", header=("s", "f", "rle"), row=("{subject}", "{frame}"))
    expected = ("train/2_2_mask.png", "mask without image", "none")
    assert faults_of(data, rows={"1,1": RUNS, "2,2": "1 1"}, form=form) == [expected]


def test_check_frames_without_mask_files_checks_the_tables_runs(data):
    spec = spec_with(masks=None, mask_table=TABLE.model_dump())
    for path in data.glob("train/*_mask.png"):
        path.unlink()
    outside = "id 2_2: rle: run 1 ('99 9') ends outside of the image of 80 pixels"
    assert faults_of(data, spec, rows={"1_1": RUNS, "2_2": "99 9"}) == [
        ("masks.csv", "mask and run lengths differ", outside)
    ]


# Several masks an image

TWO = {
    "masks": "train/{class}/{subject}_{frame}.png",
    "classes": ["left", "right"],
    "submission": {"header": ["id", "class", "rle"], "row": ["{id}", "{class}"]},
}


def write_classes(data):
    for path in sorted(data.glob("train/*_mask.png")):
        name = path.name.replace("_mask", "")
        path.unlink()
        for side in ("left", "right"):
            (data / "train" / side).mkdir(exist_ok=True)
            write(data / "train" / side / name, MASK if side == "left" else MASK[::-1])


def test_check_frames_masks_of_each_class_are_read(data):
    write_classes(data)
    (data / "train/left/1_1.png").unlink()  # the other class is there
    write(data / "train/right/1_2.png", MASK // 2)
    write(data / "train/right/2_1.png", MASK[:, :9])
    cut(data / "train/left/2_2.png")
    write(data / "train/right/2_2.png", MASK // 2)
    assert [(path, fault) for path, fault, _ in faults_of(data, spec_with(**TWO))] == [
        ("train/right/1_2.png", "mask not binary"),
        ("train/right/2_1.png", "size of mask and image differ"),
        ("train/left/2_2.png", "unreadable"),
        ("train/right/2_2.png", "mask not binary"),
    ]


def test_check_frames_runs_of_each_class_are_compared(data):
    write_classes(data)
    form = MaskTable(file="masks.csv", header=("id", "class", "rle"), row=("{id}", "{class}"))
    # Upside down, rows 4 and 5 of each column: 2 further.
    rows = {"1_1,left": RUNS, "1_1,right": "13 2 21 2", "1_2,left": RUNS, "1_2,right": RUNS}
    (found,) = faults_of(data, spec_with(**TWO), rows=rows, form=form)
    # 4 pixels of one, and 4 of the other.
    assert found == (
        "train/left/1_2.png",
        "mask and run lengths differ",
        "8 pixels that differ",
    )


def test_check_frames_objects_are_one_mask(data):
    for path in sorted(data.glob("train/*_mask.png")):
        folder = data / "train" / path.name.removesuffix("_mask.png")
        folder.mkdir()
        path.rename(folder / "1.png")
        write(folder / "2.png", MASK[::-1])
    spec = spec_with(masks="train/{subject}_{frame}/{instance}.png", instances=True)
    assert faults_of(data, spec, rows={"1_1": "11 4 19 4", "1_2": RUNS}) == [
        ("train/1_2/1.png", "mask and run lengths differ", "4 pixels that differ")
    ]


def test_check_frames_deep_images_are_read_as_the_spec_says(data):
    write(data / "train/1_1.png", np.full((8, 10), 999, np.uint16))
    assert faults_of(data, spec_with(levels=[0, 4095])) == []
    assert faults_of(data, spec_with(levels="own")) == []
    write(data / "train/1_1.png", np.full((8, 9), 999, np.uint16))
    expected = ("train/1_1_mask.png", "size of mask and image differ", "8 x 10")
    assert faults_of(data, spec_with(levels=[0, 4095])) == [expected]


def test_list_frames_lists_leave_files_without_partners_alone(data):
    (data / "train/1_1_mask.png").unlink()
    lists = {"train": "train.txt", "test": "test.txt"}
    assert faults_of(data, spec_with(lists=lists)) == []


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
