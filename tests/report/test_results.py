import json

import pytest

from pipeline.errors import InputError
from pipeline.report.results import read_metrics, read_table, read_training


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, r"metrics\.json: no such file; run: pipeline tune"),
        ("{", r"metrics\.json: damaged \(.*\); run: pipeline tune"),
        ("[]", r"metrics\.json: expected images, .*, folds in it; run: pipeline tune"),
        (json.dumps({"images": 3}), r"metrics\.json: expected nested_score, .* in it"),
    ],
)
def test_read_metrics_fault_is_one_line(tmp_path, content, expected):
    path = tmp_path / "metrics.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(InputError, match=expected):
        read_metrics(path)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, "no such file; run: pipeline tune"),
        ("", "damaged"),
        ("id,fold\n1,0\n", "expected columns dice; run: pipeline tune"),
    ],
)
def test_read_table_fault_is_one_line(tmp_path, content, expected):
    path = tmp_path / "frames.csv"
    if content is not None:
        path.write_text(content)
    with pytest.raises(InputError, match=expected):
        read_table(path, ["id", "dice"])


def test_read_table_ids_are_text(tmp_path):
    path = tmp_path / "frames.csv"
    path.write_text("id,dice\n007,1\nNA,0\n")
    assert read_table(path, ["id", "dice"])["id"].tolist() == ["007", "NA"]


def test_read_training_epochs_count_from_one(tmp_path):
    folder = tmp_path / "fold0" / "plots" / "metrics" / "val"
    folder.mkdir(parents=True)
    (folder / "dice.tsv").write_text("step\tdice\n0\t0.25\n1\t0.5\n")
    curves = read_training({"fold 0": tmp_path / "fold0", "fold 1": tmp_path / "fold1"})
    assert curves.to_dict("list") == {
        "run": ["fold 0"] * 2,
        "part": ["val"] * 2,
        "measure": ["dice"] * 2,
        "epoch": [1, 2],
        "value": [0.25, 0.5],
    }


def test_read_training_nothing_logged_is_an_empty_table(tmp_path):
    curves = read_training({"fold 0": tmp_path})
    assert list(curves) == ["run", "part", "measure", "epoch", "value"]
    assert curves.empty


def test_read_training_damaged_file_is_named(tmp_path):
    folder = tmp_path / "plots" / "metrics" / "val"
    folder.mkdir(parents=True)
    (folder / "dice.tsv").write_text("step\tother\n0\t0.25\n")
    with pytest.raises(InputError, match=r"dice\.tsv: damaged"):
        read_training({"fold 0": tmp_path})
