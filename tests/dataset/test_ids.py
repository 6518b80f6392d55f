from pathlib import Path

import pytest

from pipeline.competitions.formats import MaskTable, SubmissionFormat
from pipeline.dataset.findings import Finding
from pipeline.dataset.ids import (
    by_submission_id,
    check_numbers,
    compare_ids,
    compare_table,
    find_gaps,
)
from pipeline.dataset.integrity import Frame
from pipeline.dataset.truth import MaskRows

SAMPLE = Path("sample_submission.csv")
FORM = SubmissionFormat(header=("img", "pixels"), ids="integer")


def files(*ids):
    return {frame_id: Path(f"test/{frame_id}.tif") for frame_id in ids}


def told(findings):
    return [(finding.path.stem, finding.fault, finding.got) for finding in findings]


def test_check_numbers_of_numbers_finds_nothing():
    assert check_numbers(files("1", "2", "10")) == []


def test_check_numbers_tells_words_and_the_same_number():
    assert told(check_numbers(files("1", "one", "01", "²"))) == [
        ("one", "id is no number", "one"),
        ("01", "id twice", f"{Path('test/1.tif')} too"),
        ("²", "id is no number", "²"),
    ]


def test_find_gaps_tells_each_gap_once():
    assert find_gaps(files("5", "6", "9", "x", "11")) == [
        Finding(Path("test/6.tif"), "gap in the ids", "7 next", "9"),
        Finding(Path("test/9.tif"), "gap in the ids", "10 next", "11"),
    ]


@pytest.mark.parametrize("ids", [(), ("7",), ("3", "1", "2")])
def test_find_gaps_of_consecutive_ids_finds_nothing(ids):
    assert find_gaps(files(*ids)) == []


def test_by_submission_id_counts_where_ids_are_numbers():
    assert list(by_submission_id(files("10", "02", "x"), FORM)) == ["2", "10"]
    names = FORM.model_copy(update={"ids": "name"})
    assert list(by_submission_id(files("b", "10", "2"), names)) == ["10", "2", "b"]


def test_compare_ids_of_the_same_ids_finds_nothing():
    assert compare_ids(files("1", "2"), ["1", "2"], SAMPLE) == []


def test_compare_ids_tells_all_that_is_missing_and_unknown():
    observed = compare_ids(files("1", "3", "4", "5"), ["1", "2", "4", "6"], SAMPLE)
    assert [(one.path, one.fault, one.expected, one.got) for one in observed] == [
        (SAMPLE, "id without its image", "a test image 2", "none"),
        (SAMPLE, "id without its image", "a test image 6", "none"),
        (Path("test/3.tif"), "id not in the sample submission", f"an id of {SAMPLE}", "3"),
        (Path("test/5.tif"), "id not in the sample submission", f"an id of {SAMPLE}", "5"),
    ]


def test_compare_ids_of_another_order_finds_nothing():
    assert compare_ids(files("1", "2", "3"), ["1", "3", "2"], SAMPLE) == []


# Tables of masks

SUBJECTS = MaskTable(
    file="masks.csv", header=("subject", "img", "pixels"), row=("{subject}", "{frame}")
)
CLASSES = MaskTable(file="masks.csv", header=("img_class", "pixels"), row=("{id}_{class}",))


def open_table(folder, text, form, parts, classes=("mask",)):
    path = folder / "masks.csv"
    path.write_text(",".join(form.header) + "\n" + text)
    return MaskRows(path, form, classes, parts)


def parts_of(*ids):
    return {one: dict(zip(("subject", "frame"), one.split("_"), strict=True)) for one in ids}


def frame(frame_id, *, image=True, mask=True):
    files = [(None, Path(f"{frame_id}_mask.tif"))] if mask else []
    return Frame(frame_id, Path(f"{frame_id}.tif") if image else None, files)


def test_compare_table_of_the_same_ids_finds_nothing(tmp_path):
    table = open_table(tmp_path, "1,1,\n1,2,3 4\n", SUBJECTS, parts_of("1_1", "1_2"))
    assert compare_table({"1_1": frame("1_1"), "1_2": frame("1_2")}, table) == []


def test_compare_table_tells_rows_and_masks_without_each_other(tmp_path):
    frames = {"1_1": frame("1_1"), "1_2": frame("1_2"), "1_3": frame("1_3", mask=False)}
    table = open_table(tmp_path, "1,1,\n1,3,\n1,4,\n", SUBJECTS, parts_of(*frames))
    observed = compare_table(frames, table)
    assert [(one.path.stem, one.fault, one.expected, one.got) for one in observed] == [
        # An image without mask file may have a row: 1_3 is no fault.
        ("masks", "row without its image", "an image of 1,4", "none"),
        ("1_2_mask", "mask not in the table", f"a row in {table.path}", "none"),
    ]


def test_compare_table_of_an_image_that_is_missing_tells_its_row(tmp_path):
    # The table's columns are the placeholders of images: without the image there are none.
    frames = {"1_1": frame("1_1"), "1_2": frame("1_2", image=False)}
    table = open_table(tmp_path, "1,1,\n1,2,\n", SUBJECTS, parts_of("1_1"))
    (found,) = compare_table(frames, table)
    assert (found.path, found.fault) == (table.path, "row without its image")
    assert found.expected == "an image of 1,2"


def test_compare_table_one_row_of_any_class_will_do(tmp_path):
    frames = {"a": frame("a"), "b": frame("b")}
    rows, parts = "a_left,1 2\nc_left,\na_lft,\n", {"a": {}, "b": {}}
    table = open_table(tmp_path, rows, CLASSES, parts, classes=("left", "right"))
    assert [(one.expected, one.path.stem) for one in compare_table(frames, table)] == [
        ("an image of c_left", "masks"),
        ("an image of a_lft", "masks"),
        (f"a row in {table.path}", "b_mask"),
    ]
