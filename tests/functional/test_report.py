"""The pages of `pipeline report`, as files."""

import json
import re
import shutil
from pathlib import Path

import cv2
import pandas as pd
import pytest
from ruamel.yaml import YAML

from pipeline.competitions.spec import known_specs
from pipeline.paths import Paths
from pipeline.stages import report
from tests.functional.projects import (
    RAW,
    change_params,
    read_tree,
    run_cli,
    run_well,
    write_out_of_fold_maps,
    write_raw,
    write_test_predictions,
    write_tiny_params,
)

PATHS = Paths(Path())


def data_of(page):
    """Return the frames of a page's gallery, by id."""
    text = re.search(
        r'<script id="frames" type="application/json">(.*?)</script>', page.read_text(), re.DOTALL
    )[1]
    data = json.loads(text)
    rows = [dict(zip(data["columns"], row, strict=True)) for row in data["frames"]]
    return data, {row["id"]: row for row in rows}


def names_in(folder):
    """Return the names of a folder's files."""
    return {path.name for path in folder.iterdir()}


def test_report_shows_every_frame_of_both_sets(project):
    expected = "reports/index.html: 6 frames; reports/test.html: 3 frames\n"
    assert run_well("report") == expected
    data, frames = data_of(PATHS.report)
    assert list(frames) == ["1_1", "1_2", "2_1", "2_2", "3_1", "3_2"]
    # The mask is rows 10 to 17 and columns 20 to 29.
    assert frames["1_1"]["truth"] == "M20,10l0,7 9,0 0,-7z"
    assert (frames["1_1"]["true_area"], frames["1_1"]["area"]) == (80, 0)
    assert (frames["1_2"]["truth"], frames["1_2"]["dice"]) == ("", 1)
    pictures = PATHS.report.parent / data["base"]
    assert names_in(pictures) == {f"{row}.{kind}" for row in range(6) for kind in ("jpg", "png")}
    data, frames = data_of(PATHS.test_report)
    assert list(frames) == ["1", "2", "3"]
    pictures = PATHS.report.parent / data["base"]
    assert {path.suffix for path in pictures.iterdir()} == {".jpg", ".png"}


@pytest.fixture
def two_classes(tmp_path, monkeypatch):
    """Return a project of nerves and vessels; 1_1 and 2_2 are one image, the latter unmarked."""
    monkeypatch.chdir(tmp_path)
    write_tiny_params()
    write_raw()
    for subject in (1, 2, 3):
        path = str(RAW / f"train/{subject}_1_mask.tif")
        mask = cv2.imread(path, cv2.IMREAD_UNCHANGED)
        mask[30:34, 40:45] = 128  # 20 pixels
        cv2.imwrite(path, mask)
    shutil.copy(RAW / "train/1_1.tif", RAW / "train/2_2.tif")
    values = YAML(typ="safe", pure=True).load(known_specs()["sample"])
    del values["sample_submission"], values["truth"]
    values["foreground"] = {"nerve": [255] * 3, "vessel": [128] * 3}
    values["submission"] = {"header": ["img", "class", "pixels"], "row": ["{id}", "{class}"]}
    YAML(typ="safe", pure=True).dump(values, Path("spec.yaml"))
    change_params({"competition": "spec.yaml"})
    for command in ("preprocess", "folds", "weights"):
        run_well(command)
    write_out_of_fold_maps()
    run_well("tune")
    write_test_predictions()
    run_well("submit")
    return tmp_path


def test_report_of_two_classes_has_an_entry_for_each(two_classes):
    expected = "reports/index.html: 6 frames; reports/test.html: 3 frames\n"
    assert run_well("report") == expected
    data, entries = data_of(PATHS.report)
    ids = ["1_1", "1_2", "2_1", "2_2", "3_1", "3_2"]
    assert list(entries) == [f"{key} {name}" for name in ("nerve", "vessel") for key in ids]
    assert entries["1_1 nerve"]["truth"] == "M20,10l0,7 9,0 0,-7z"
    assert (entries["1_1 vessel"]["true_area"], entries["1_1 vessel"]["class"]) == (20, "vessel")
    pictures = PATHS.report.parent / data["base"]
    assert names_in(pictures) == {f"{row}.{kind}" for row in range(12) for kind in ("jpg", "png")}
    page = PATHS.report.read_text()
    assert '<select data-filter="class">' in page
    assert "Score of nerve against threshold" in page
    assert "Score of vessel against threshold" in page
    _, entries = data_of(PATHS.test_report)
    assert list(entries) == [f"{key} {name}" for name in ("nerve", "vessel") for key in "123"]
    # Prediction has nerves in rows 10 to 29 and columns 25 to 49; cut-offs may leave them out.
    assert entries["1 vessel"]["area"] == 0
    assert "<dt>test frames</dt><dd>3</dd>" in PATHS.test_report.read_text()


def test_report_of_two_classes_links_contradictions_within_the_class(two_classes):
    run_well("report")
    _, entries = data_of(PATHS.report)
    partners = {key: entry["contradicts"] for key, entry in entries.items()}
    assert {key: other for key, other in partners.items() if other} == {
        "1_1 nerve": "2_2 nerve",
        "2_2 nerve": "1_1 nerve",
        "1_1 vessel": "2_2 vessel",
        "2_2 vessel": "1_1 vessel",
    }
    assert "<p>2 training frames look like another one" in PATHS.report.read_text()


def test_report_pictures_of_two_classes_have_a_plot_each(two_classes):
    output = run_well("report", "--pictures", "docs")
    assert output == "docs: frames.webp, thresholds_nerve.svg, thresholds_vessel.svg\n"


def test_report_again_is_the_same(project):
    run_well("report")
    before = read_tree(PATHS.report.parent)
    run_well("report")
    assert read_tree(PATHS.report.parent) == before


def test_report_shows_what_is_known_of_views(project):
    run_well("report")
    assert "pipeline views" in PATHS.report.read_text()
    PATHS.view_gains.write_text("view,dice_alone,gain,gain_low,gain_high\nhflip,.5,.01,0,.02\n")
    run_well("report")
    assert re.search(r"<td>hflip</td><td>0.5000</td><td>\+0.0100</td>", PATHS.report.read_text())


def test_report_without_a_submission_shows_the_training_frames(project):
    PATHS.submission.unlink()
    assert "needs a submission; run: pipeline predict" in run_well("report")
    assert PATHS.report.exists()
    assert not PATHS.test_report.exists()
    assert "test.html" not in PATHS.report.read_text()


def other_maps(paths):
    table = pd.read_csv(paths.frame_scores, dtype=str)
    table.loc[0, "predicted_area"] = "12"
    table.to_csv(paths.frame_scores, index=False)


def other_frames(paths):
    table = pd.read_csv(paths.frame_scores, dtype=str)
    table.iloc[1:].to_csv(paths.frame_scores, index=False)


def other_folds(paths):
    table = pd.read_csv(paths.frame_scores, dtype=str)
    table.assign(fold="0").to_csv(paths.frame_scores, index=False)


def other_cutoffs(paths):
    metrics = json.loads(paths.metrics.read_text())
    metrics["folds"]["0"]["cutoffs"] = {"mask": {"level": 1}}
    paths.metrics.write_text(json.dumps(metrics))


def other_classes(paths):
    metrics = json.loads(paths.metrics.read_text())
    cutoffs = metrics["folds"]["0"]["cutoffs"]
    cutoffs["ship"] = cutoffs.pop("mask")
    paths.metrics.write_text(json.dumps(metrics))


def frames_of_other_classes(paths):
    table = pd.read_csv(paths.frame_scores, dtype=str)
    table.assign(**{"class": "ship"}).to_csv(paths.frame_scores, index=False)


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (other_folds, "reports/frames.csv: expected the folds of data/folds.csv"),
        (other_cutoffs, "reports/metrics.json: damaged (TypeError"),
        (other_classes, "reports/metrics.json: damaged (KeyError('mask'"),
        (frames_of_other_classes, "reports/frames.csv: expected the ids of data/processed/train"),
        (other_maps, "reports/frames.csv: not of these maps"),
        (other_frames, "reports/frames.csv: expected the ids of data/processed/train"),
        (lambda paths: paths.metrics.unlink(), "reports/metrics.json: no such file"),
        (lambda paths: paths.rule_gains.unlink(), "reports/rules.csv: no such file"),
        (lambda paths: paths.submission.write_text("a,b\n"), "expected the header img,pixels"),
    ],
)
def test_report_of_files_that_do_not_fit_is_refused_and_keeps_the_old_one(
    project, damage, expected
):
    run_well("report")
    damage(PATHS)
    before = read_tree(PATHS.report.parent)
    result = run_cli("report")
    assert result.exit_code == 1
    assert expected in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert read_tree(PATHS.report.parent) == before


@pytest.mark.parametrize("interrupted", ["draw_frames", "render_out_of_fold", "render_test"])
def test_report_that_is_killed_leaves_pages_that_find_their_pictures(
    project, monkeypatch, interrupted
):
    run_well("report")

    def stop(*arguments, **options):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(report, interrupted, stop)
        run_cli("report")
    for page in (PATHS.report, PATHS.test_report):
        data, frames = data_of(page)
        assert (PATHS.report.parent / data["base"] / f"{len(frames) - 1}.jpg").exists()


def test_report_compare_sets_projects_side_by_side(project):
    other = Path("../other & more")
    (other / "reports").mkdir(parents=True)
    for path in (PATHS.metrics, PATHS.threshold_curve):
        shutil.copy(path, other / "reports")
    output = run_well("report", "--compare", other)
    assert output == "reports/compare.html: project, other & more\n"
    page = PATHS.comparison_report.read_text()
    assert "<td>other &amp; more</td><td>6</td><td>2</td><td>0.5000</td>" in page
    assert not PATHS.report.exists()


@pytest.mark.parametrize("arguments", [["--compare"], ["."], ["--compare", "nowhere"]])
def test_report_compare_with_what_is_no_project_is_refused(project, arguments):
    result = run_cli("report", *arguments)
    assert result.exit_code in (1, 2)
    assert not PATHS.comparison_report.exists()


def test_report_pictures_are_small_and_leave_other_files(project):
    Path("docs").mkdir()
    Path("docs/notes.md").touch()
    output = run_well("report", "--pictures", "docs")
    assert output == "docs: frames.webp, thresholds.svg\n"  # no training was logged
    sizes = {path.name: path.stat().st_size for path in Path("docs").iterdir()}
    assert set(sizes) == {"frames.webp", "thresholds.svg", "notes.md"}
    assert max(sizes.values()) < 150_000
