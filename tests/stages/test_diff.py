import numpy as np
import pandas as pd
import pytest

from pipeline.errors import InputError
from pipeline.stages import diff
from pipeline.stages.diff import compare_submissions, run

BOX = (0, 0, 4, 5)  # 20 pixels


@pytest.fixture
def submissions(submit):
    """Frame 1 stays, 2 moves by 2 rows, 3 is in the first alone, 10 in the second alone."""
    first = submit("a.csv", {"1": BOX, "2": BOX, "3": (0, 0, 2, 5)})
    return first, submit("b.csv", {"1": BOX, "2": (2, 0, 6, 5), "10": BOX})


def test_compare_submissions_each_image_matches_hand_count(params, paths, submissions):
    rows = compare_submissions(params, paths, *submissions)
    assert rows.to_dict("list") == {
        "id": ["10", "3", "2", "1"],  # of two with Dice 0 the larger change first
        "class": ["mask"] * 4,
        "dice": [0, 0, 0.5, 1],  # frame 2 shares 10 of 20 + 20 pixels
        "first_area": [0, 10, 20, 20],
        "second_area": [20, 0, 20, 20],
        "changed_pixels": [20, 10, 20, 0],
        "only_in": ["second", "first", "", ""],
    }


def test_compare_submissions_both_empty_agree(params, paths, submit):
    rows = compare_submissions(params, paths, submit("a.csv", {}), submit("b.csv", {}))
    assert (rows["dice"] == 1).all()
    assert not rows["only_in"].any()
    assert not rows["changed_pixels"].any()


def test_compare_submissions_the_other_way_round_swaps_the_sides(params, paths, submissions):
    there = compare_submissions(params, paths, *submissions)
    back = compare_submissions(params, paths, *submissions[::-1])
    pd.testing.assert_frame_equal(
        back.replace({"first": "second", "second": "first"}),
        there.rename(columns={"first_area": "second_area", "second_area": "first_area"})[
            list(there)
        ],
    )


def test_run_tells_mean_and_presence_and_writes_rows_and_picture(params, paths, submissions):
    first, second = submissions
    # (0 + 0 + 0.5 + 1) / 4
    assert run(params, paths, first, second, pictures=2) == (
        "mean Dice 0.3750 over 4 images; 3 changed, 2 of them in presence\n"
        f"  with a mask only in {first}: 1: 3\n"
        f"  with a mask only in {second}: 1: 10\n"
        f"{paths.diff}: rows.csv, 2 changes drawn"
    )
    assert (paths.diff / "rows.csv").read_text() == (
        "id,class,dice,first_area,second_area,changed_pixels,only_in\n"
        "10,mask,0.000000,0,20,20,second\n"
        "3,mask,0.000000,10,0,10,first\n"
        "2,mask,0.500000,20,20,20,\n"
        "1,mask,1.000000,20,20,0,\n"
    )
    assert sorted(path.name for path in paths.diff.iterdir()) == ["changes.png", "rows.csv"]


def test_run_draws_the_largest_changes_with_both_masks(params, paths, submissions, monkeypatch):
    drawn = []
    monkeypatch.setattr(diff, "write_sheets", lambda path, pictures: drawn.extend(pictures))
    run(params, paths, *submissions, pictures=9)
    assert [picture.caption for picture in drawn] == [
        "10: Dice 0.00, empty → 20 px",
        "3: Dice 0.00, 10 px → empty",
        "2: Dice 0.50, 20 px → 20 px",
    ]
    assert list(drawn[2].masks) == ["a.csv", "b.csv"]
    np.testing.assert_array_equal(drawn[2].masks["b.csv"].any(axis=1).nonzero()[0], [2, 3, 4, 5])
    np.testing.assert_array_equal(drawn[0].image, np.full((6, 12, 3), 10))


def test_run_equal_submissions_replaces_the_earlier_picture(params, paths, submissions):
    run(params, paths, *submissions, pictures=9)
    output = run(params, paths, submissions[0], submissions[0], pictures=9)
    assert output.startswith("mean Dice 1.0000 over 4 images; 0 changed, 0 of them in presence\n")
    assert [path.name for path in paths.diff.iterdir()] == ["rows.csv"]


def test_run_files_of_one_name_are_told_apart(params, paths, submit, monkeypatch):
    (paths.root / "new").mkdir()
    files = submit("a.csv", {}), submit("new/a.csv", {"1": BOX})
    drawn = []
    monkeypatch.setattr(diff, "write_sheets", lambda path, pictures: drawn.extend(pictures))
    run(params, paths, *files, pictures=9)
    assert list(drawn[0].masks) == [str(file) for file in files]


def test_run_many_ids_are_counted(params, paths, submissions, monkeypatch):
    monkeypatch.setattr(diff, "_IDS_TOLD", 1)
    first = submissions[0]
    empty = paths.root / "empty.csv"
    empty.write_text("img,pixels\n1,\n2,\n3,\n10,\n")
    output = run(params, paths, first, empty, pictures=0)
    assert f"only in {first}: 3: 1 and 2 more (rows.csv)\n" in output


def test_run_other_ids_are_refused_and_nothing_is_written(params, paths, submissions):
    short = paths.root / "short.csv"
    short.write_text("img,pixels\n1,\n2,\n3,\n")
    with pytest.raises(InputError, match=r"short.csv: expected 4 ids, 10 missing"):
        run(params, paths, submissions[0], short, pictures=1)
    assert not paths.diff.exists()
