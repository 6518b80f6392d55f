from pathlib import Path

import pytest

from pipeline.competitions.spec import SubmissionFormat, load_spec
from pipeline.dataset.findings import Finding
from pipeline.dataset.ids import (
    check_numbers,
    compare_ids,
    compare_table,
    find_gaps,
    in_submission_order,
    read_mask_table,
)
from pipeline.dataset.integrity import Frame
from pipeline.errors import InputError

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


def test_in_submission_order_counts_where_ids_are_numbers():
    assert list(in_submission_order(files("10", "02", "x"), FORM)) == ["2", "10"]
    names = FORM.model_copy(update={"ids": "name"})
    assert list(in_submission_order(files("b", "10", "2"), names)) == ["10", "2", "b"]


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


def test_compare_ids_tells_another_order_once():
    observed = compare_ids(files("1", "2", "3"), ["1", "3", "2"], SAMPLE)
    assert observed == [Finding(SAMPLE, "order of the ids", "2 first", "3")]


def test_compare_table_tells_rows_and_masks_without_each_other():
    frames = {
        "1_1": Frame(Path("1_1.tif"), Path("1_1_mask.tif")),
        "1_2": Frame(Path("1_2.tif"), Path("1_2_mask.tif")),
        "1_3": Frame(Path("1_3.tif")),
    }
    table = {"1_1": "", "1_3": "", "1_4": ""}
    assert told(compare_table(frames, table, Path("masks.csv"))) == [
        ("masks", "row without its mask file", "none"),
        ("masks", "row without its mask file", "none"),
        ("1_2_mask", "mask not in the table", "none"),
    ]


def test_read_mask_table_joins_the_placeholders_of_the_images(tmp_path):
    path = tmp_path / "train_masks.csv"
    path.write_text("subject,img,pixels\n1,1,168153 9 168570 15\n1,2,\n")
    expected = {"1_1": "168153 9 168570 15", "1_2": ""}
    assert read_mask_table(path, load_spec("ultrasound-nerve")) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("img,pixels\n1,2 3\n", ":2: expected 3 fields, got 2"),
        ("subject,img,pixels\n1,1,\n1,1,\n", ":3: expected an id once, got it twice"),
        ('subject,img,pixels\n1,1,"', ": expected a CSV file, got unexpected end of data"),
    ],
)
def test_read_mask_table_of_another_form_is_refused(tmp_path, text, said):
    path = tmp_path / "train_masks.csv"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        read_mask_table(path, load_spec("ultrasound-nerve"))
    assert str(caught.value) == f"{path}{said}"
