"""What each command does where nothing is at fault; training itself runs in test_dvc.py."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from unittest.mock import Mock

import cv2
import keras
import numpy as np
import pandas as pd
import pytest

from pipeline.cli import SECTIONS, main
from pipeline.competitions.spec import known_specs, load_spec
from pipeline.dataset.out_of_fold import tabulate_frames
from pipeline.inference.views import VIEWS
from pipeline.masks.clean import Cutoffs
from pipeline.params import load_params
from pipeline.paths import Paths
from tests.functional.projects import (
    RAW,
    REPOSITORY,
    change_params,
    read_tree,
    run_cli,
    run_well,
    save_model,
)
from tests.kaggle.stand_in import install

PARAMS = Path("params.yaml")
PATHS = Paths(Path())

# The command line itself

IN_THE_ORDER_OF_THE_WORK = [
    "init",
    "download",
    "sample",
    "preprocess",
    "folds",
    "weights",
    "train",
    "tune",
    "predict",
    "submit",
    "report",
]


def test_help_lists_the_commands_under_headings_in_the_order_of_the_work():
    text = run_well("--help")
    places = [text.index(f"\n{heading}:\n") for heading in SECTIONS]
    assert places == sorted(places)
    listed = re.findall(r"^  ([a-z]+)  +[A-Z]", text, re.MULTILINE)
    assert [name for name in listed if name in IN_THE_ORDER_OF_THE_WORK] == (
        IN_THE_ORDER_OF_THE_WORK
    )
    assert sorted(listed) == sorted(main.commands)


def test_every_command_stands_in_one_section():
    names = [name for section in SECTIONS.values() for name in section]
    assert sorted(names) == sorted(main.commands)


def test_next_command_is_told_beside_the_output(project):
    result = run_cli("folds")
    assert result.stdout == "data/folds.csv: 2 folds, 50% to 50% empty masks\n"
    assert result.stderr == "next: pipeline weights\n"


@pytest.mark.parametrize(
    ("name", "after"),
    [
        ("sample", "dvc repro"),
        ("usgra-seg", "pipeline download"),
        ("folder", "pipeline preprocess, with the raw files there"),
    ],
)
def test_next_command_after_init_gets_the_raw_files(empty, name, after):
    assert run_cli("init", name).stderr == f"next: {after}\n"


def test_next_command_is_no_upload_where_kaggle_knows_no_such_competition(project):
    assert run_cli("check", "submissions/submission.csv").stderr == "next: pipeline score\n"
    run_well("report")
    PATHS.submission.unlink()
    result = run_cli("report")
    assert "needs a submission, and is of an earlier one; run" in result.stdout
    assert result.stderr == "next: pipeline predict\n"


def test_help_shows_fold_as_it_is_typed():
    assert "--fold K|all" in run_cli("train", "--help").stdout


def test_next_command_is_not_told_by_a_command_that_fails(empty):
    assert "next:" not in run_cli("folds").stderr


def test_next_command_is_not_told_inside_of_dvc(project, monkeypatch):
    monkeypatch.setenv("DVC_STAGE", "folds")
    assert run_cli("folds").stderr == ""


def test_quiet_prints_errors_alone(project):
    result = run_cli("--quiet", "folds")
    assert (result.exit_code, result.output) == (0, "")
    PATHS.folds.unlink()
    result = run_cli("--quiet", "tune")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "Error: data/folds.csv: no such file; run: pipeline folds\n"


@pytest.mark.parametrize("command", main.commands)
def test_help_of_each_command_says_what_it_does(command):
    assert main.commands[command].help.splitlines()[0] in run_well(command, "-h")


def test_help_imports_neither_tensorflow_nor_keras():
    code = (
        "import sys; from pipeline.cli import main; main(['--help'], standalone_mode=False);"
        "sys.exit(str({'keras', 'tensorflow'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stderr == "set()\n"


# pipeline init


@pytest.fixture
def empty(tmp_path, monkeypatch):
    """Return an empty folder, as the working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


PRESETS = [(name, device) for name in known_specs() for device in load_spec(name).presets]


@pytest.mark.parametrize(("name", "device"), PRESETS)
def test_init_writes_the_preset_of_the_device(empty, name, device):
    run_well("init", name, "--device", device)
    params, preset = load_params(PARAMS), load_spec(name).presets[device]
    assert (params.competition, params.data_dir) == (name, f"data/raw/{name}")
    assert (params.preprocess.height, params.preprocess.width) == (preset.height, preset.width)
    assert params.preprocess.channels == preset.channels
    assert (params.train.batch_size, params.train.epochs) == (preset.batch_size, preset.epochs)


@pytest.mark.parametrize("name", known_specs())
def test_init_without_a_device_writes_the_first_preset(empty, name):
    run_well("init", name)
    written = PARAMS.read_bytes()
    run_well("init", name, "--device", next(iter(load_spec(name).presets)))
    assert PARAMS.read_bytes() == written


def test_init_of_your_own_spec_finds_it_again(empty):
    shutil.copy(known_specs()["usgra-seg"], "mine.yaml")
    run_well("init", "mine.yaml", "--data", "elsewhere")
    params = load_params(PARAMS)
    assert (params.competition, params.data_dir) == ("mine.yaml", "elsewhere")
    assert load_spec(params.competition) == load_spec("usgra-seg")


def test_init_replaces_an_unchanged_file(empty):
    run_well("init", "sample")
    run_well("init", "usgra-seg")
    assert list(read_tree()) == [PARAMS]


def test_init_keeps_each_changed_file_beside(empty):
    for changed in ("first", "second"):
        PARAMS.write_text(f"# {changed}\n")
        output = run_well("init", "sample")
    assert output == (
        "params.yaml: sample, raw files in data/raw/sample; the one before is now params.2.yaml\n"
    )
    tree = read_tree()
    assert tree.pop(PARAMS).startswith(b"# Every parameter.")
    assert tree == {Path("params.1.yaml"): b"# first\n", Path("params.2.yaml"): b"# second\n"}


def test_init_sample_is_what_the_repository_starts_with(empty):
    run_well("init", "sample")
    assert PARAMS.read_text() == (REPOSITORY / "params.yaml").read_text()


# The stages, on 3 subjects x 2 frames of which the second is empty, and 3 test frames


def test_sample_writes_the_number_of_frames_asked_for(project):
    change_params({"sample": {"subjects": 1, "frames": 2, "test_frames": 1}})
    assert run_well("sample") == "data/raw/sample: 3 frames\n"
    assert sorted(path.relative_to(RAW).as_posix() for path in RAW.rglob("*.*")) == [
        "sample_submission.csv",
        "test/1.tif",
        "train/1_1.tif",
        "train/1_1_mask.tif",
        "train/1_2.tif",
        "train/1_2_mask.tif",
        "truth/1.tif",
    ]


def test_preprocess_writes_frames_masks_and_index(project):
    assert run_well("preprocess") == "data/processed: 6 training and 3 test frames\n"
    index = pd.read_csv(PATHS.train_store / "index.csv", dtype=str)
    assert list(index["id"]) == ["1_1", "1_2", "2_1", "2_2", "3_1", "3_2"]
    assert list(index["area"]) == ["80", "0"] * 3
    assert np.load(PATHS.train_store / "images.npy").shape == (6, 32, 64, 1)
    assert np.load(PATHS.train_store / "masks.npy").any(axis=(1, 2)).tolist() == [True, False] * 3
    assert np.load(PATHS.test_store / "images.npy").shape == (3, 32, 64, 1)


def repeat_a_scene():
    """Let the frame of 2_2, which is empty, show the scene of 1_1, which is not."""
    shutil.copy(RAW / "train/1_1.tif", RAW / "train/2_2.tif")


@pytest.mark.parametrize(
    ("rule", "left_out"), [("drop_empty", ["2_2"]), ("drop_both", ["1_1", "2_2"])]
)
def test_preprocess_leaves_contradictions_out(project, rule, left_out):
    repeat_a_scene()
    change_params({"preprocess": {"contradictions": rule}})
    assert run_well("preprocess") == (
        f"data/processed: {6 - len(left_out)} training and 3 test frames;"
        f" left out, as they contradict others: {', '.join(left_out)}\n"
    )
    index = pd.read_csv(PATHS.train_store / "index.csv", dtype=str)
    assert set(index["id"]) == {"1_1", "1_2", "2_1", "2_2", "3_1", "3_2"} - set(left_out)
    masks = np.load(PATHS.train_store / "masks.npy")
    assert masks.any(axis=(1, 2)).tolist() == (index["area"] != "0").tolist()
    assert len(np.load(PATHS.train_store / "images.npy")) == len(index)
    run_well("folds")


def test_preprocess_names_contradictions_and_tune_lists_them(project):
    repeat_a_scene()
    assert run_well("preprocess") == (
        "data/processed: 6 training and 3 test frames;"
        " 2 contradict another, pipeline audit shows them\n"
    )
    run_well("tune")
    frames = pd.read_csv(PATHS.frame_scores, index_col="id", keep_default_na=False)
    partners = frames["contradicts"]
    assert partners[partners != ""].to_dict() == {"1_1": "2_2", "2_2": "1_1"}


def test_preprocess_contradictions_alone_leave_nothing(project):
    for file in RAW.glob("train/*_[12].tif"):
        shutil.copy(RAW / "test/1.tif", file)
    change_params({"preprocess": {"contradictions": "drop_both"}})
    result = run_cli("preprocess")
    assert result.exit_code == 1
    assert "preprocess.contradictions: drop_both would leave no training frame" in result.stderr


def test_preprocess_without_subjects_groups_frames_of_one_scene(project):
    repeat_a_scene()
    (RAW / "masks").mkdir()
    for file in RAW.glob("train/*_mask.tif"):
        file.rename(RAW / "masks" / file.name.replace("_mask", ""))
    spec = (REPOSITORY / "pipeline/competitions/sample.yaml").read_text()
    spec = spec.replace("train/{subject}_{frame}_mask.tif", "masks/{id}.tif")
    Path("spec.yaml").write_text(spec.replace("train/{subject}_{frame}.tif", "train/{id}.tif"))
    change_params({"competition": "spec.yaml"})
    run_well("preprocess")
    index = pd.read_csv(PATHS.train_store / "index.csv", dtype=str, index_col="id")
    assert index["subject"]["1_1"] == index["subject"]["2_2"]
    assert index["subject"].nunique() == 5
    run_well("folds")
    folds = pd.read_csv(PATHS.folds, index_col="id")["fold"]
    assert folds["1_1"] == folds["2_2"]


def test_audit_lists_contradictions_leaks_and_copies(project):
    repeat_a_scene()
    shutil.copy(RAW / "train/3_1.tif", RAW / "test/2.tif")
    run_well("preprocess")
    folds = pd.read_csv(PATHS.folds, index_col="id")["fold"]
    output = run_well("audit", "--pictures", 1)
    pairs = pd.read_csv(PATHS.audit / "pairs.csv", dtype={"first_id": str, "second_id": str})
    first, second = pairs.to_dict("records")
    assert (first["first_id"], first["second_id"], first["contradiction"]) == ("1_1", "2_2", True)
    assert (first["exact"], first["similarity"], first["mask_dice"]) == (True, 1, 0)
    assert first["across_folds"] == (folds["1_1"] != folds["2_2"])
    assert (second["first_id"], second["second_id"]) == ("3_1", "2")
    assert (second["first_set"], second["second_set"]) == ("train", "test")
    assert not second["contradiction"]
    assert [path.name for path in PATHS.audit.glob("*.png")] == ["001_1_1_2_2.png"]
    assert output == (
        "data/raw/sample: no faults in the raw files\n"
        "reports/audit: 2 pairs of frames alike, 1 drawn\n"
        "  2 with the same pixels\n"
        "  1 with a mask in one only\n"
        "  1 of two subjects\n"
        f"  {int(first['across_folds'])} in two folds\n"
        "  1 in training and test\n"
    )


def test_audit_before_folds_and_without_pairs(project):
    PATHS.folds.unlink()
    output = run_well("audit").splitlines()
    assert output[:2] == [
        "data/raw/sample: no faults in the raw files",
        "reports/audit: 0 pairs of frames alike, 0 drawn",
    ]
    assert sorted(path.name for path in PATHS.audit.iterdir()) == ["files.csv", "pairs.csv"]


def test_audit_before_preprocess_lists_every_fault(project):
    shutil.rmtree(PATHS.processed)
    assert run_well("audit") == (
        "data/raw/sample: no faults in the raw files\n"
        "not preprocessed yet: frames were not compared\n"
    )
    (RAW / "train/1_1_mask.tif").unlink()
    (RAW / "train/3_2.tif").write_bytes(b"")
    (RAW / "test/2.tif").unlink()
    result = run_cli("audit")
    assert result.exit_code == 1
    assert result.stdout == (
        "data/raw/sample: 4 faults in the raw files\n"
        "  image without mask, 1: train/1_1.tif\n"
        "  mask without image, 1: truth/2.tif\n"
        "  id without its image, 1: sample_submission.csv\n"
        "  unreadable, 1: train/3_2.tif\n"
    )
    assert result.stderr == (
        "Error: data/raw/sample: 4 faults, listed in reports/audit/files.csv\n"
    )
    table = pd.read_csv(PATHS.raw_faults)
    assert table.to_dict("records")[-1] == {
        "severity": "fault",
        "path": "train/3_2.tif",
        "fault": "unreadable",
        "expected": "an 8-bit image",
        "got": "an empty file",
    }


TABLE = '{file: masks.csv, header: [subject, img, pixels], row: ["{subject}", "{frame}"]}'


def test_audit_compares_masks_with_a_table_and_truth_with_its_frames(project):
    spec = (REPOSITORY / "pipeline/competitions/sample.yaml").read_text()
    Path("spec.yaml").write_text(f"{spec}mask_table:\n  {TABLE}\n")
    change_params({"competition": "spec.yaml"})
    # Rows 10 to 17 of columns 20 to 29, of 40 pixels each, counted from 1.
    runs = " ".join(f"{40 * column + 11} 8" for column in range(20, 30))
    rows = [f"{subject},1,{runs}\n{subject},2,\n" for subject in (1, 2, 3)]
    (RAW / "masks.csv").write_text("subject,img,pixels\n" + "".join(rows))
    assert run_well("audit").startswith("data/raw/sample: no faults in the raw files\n")
    (RAW / "masks.csv").write_text(
        "subject,img,pixels\n" + "".join(rows).replace("2,2,", "2,2,5 3")
    )
    cv2.imwrite(str(RAW / "truth/1.tif"), np.zeros((9, 9), np.uint8))
    result = run_cli("audit")
    assert result.stdout == (
        "data/raw/sample: 2 faults in the raw files\n"
        "  mask and run lengths differ, 1: train/2_2_mask.tif\n"
        "  size of mask and image differ, 1: truth/1.tif\n"
    )


def test_audit_without_a_sample_submission_looks_for_gaps(project):
    (RAW / "sample_submission.csv").unlink()
    for folder in ("test", "truth"):
        (RAW / folder / "2.tif").unlink()
    result = run_cli("audit")
    assert "  gap in the ids, 1: test/1.tif\n" in result.stdout
    (RAW / "sample_submission.csv").write_text("img,pixels\n1,\n3,\n")
    assert run_well("audit").startswith("data/raw/sample: no faults in the raw files\n")


def test_audit_with_faults_keeps_the_pairs_of_before(project):
    run_well("audit")
    pairs = (PATHS.audit / "pairs.csv").read_bytes()
    (RAW / "test/2.tif").unlink()
    assert run_cli("audit").exit_code == 1
    assert (PATHS.audit / "pairs.csv").read_bytes() == pairs


def test_audit_where_the_raw_files_lie_elsewhere_compares_frames(project):
    shutil.rmtree(RAW)
    lines = run_well("audit").splitlines()
    assert lines[0] == "data/raw/sample: not there, so the raw files were not checked"
    assert lines[1].startswith("reports/audit: 0 pairs")


def test_audit_without_anything_says_what_to_do(project):
    shutil.rmtree(RAW)
    shutil.rmtree(PATHS.processed)
    result = run_cli("audit")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "Error: data/raw/sample: no such folder; run: pipeline sample\n"


def test_folds_keep_subjects_together(project):
    assert run_well("folds") == "data/folds.csv: 2 folds, 50% to 50% empty masks\n"
    table = pd.read_csv(PATHS.folds, dtype={"id": str})
    assert list(table["fold"][::2]) == list(table["fold"][1::2])  # frames 1 and 2 of each subject
    assert set(table["fold"]) == {0, 1}


def test_weights_none_starts_at_random(project):
    assert run_well("weights") == "models/encoder.npz: none: the encoder starts at random\n"


def test_tune_flat_maps_is_best_left_empty(project):
    # The maps are 70 everywhere: above that threshold all is empty, right for 3 of 6 frames; up to
    # it all 2000 pixels are foreground, 2 * 80 / (80 + 2000) = .077 for 3 frames and 0 for 3.
    output = run_well("tune")
    assert output.startswith(
        "nested out-of-fold mean Dice 0.5000 (95 %: 0.5000 to 0.5000), 0.5000 on"
    )
    assert "all-empty 0.5000, perfect presence 0.5385\n" in output
    scores = json.loads(PATHS.metrics.read_text())
    assert (scores["oof_score"], scores["all_empty_score"], scores["images"]) == (0.5, 0.5, 6)
    assert len(pd.read_csv(PATHS.threshold_curve)) == 248
    assert (scores["sensitivity"], scores["specificity"]) == (0, 1)
    frames = pd.read_csv(PATHS.frame_scores)
    assert frames["dice"].tolist() == [0, 0, 0, 1, 1, 1]  # worst first
    assert frames["true_area"].tolist() == [80, 80, 80, 0, 0, 0]
    assert pd.read_csv(PATHS.subject_scores)["dice"].tolist() == [0.5] * 3


def test_views_lists_what_each_is_worth(project, monkeypatch):
    # Frames that show their masks, and a network that copies its frame: every view sees the same.
    store = PATHS.train_store
    masks = np.load(store / "masks.npy")
    np.save(store / "images.npy", 255 * masks[..., None])
    frames = keras.Input((None, None, 1))
    logits = keras.layers.Rescaling(10 / 255, offset=-5)(frames)
    for fold in (0, 1):
        PATHS.model(fold).parent.mkdir(parents=True, exist_ok=True)
        keras.Model(frames, logits).save(PATHS.model(fold))
    tabulate = Mock(wraps=tabulate_frames)
    monkeypatch.setattr("pipeline.stages.views.tabulate_frames", tabulate)
    output = run_well("views")
    # Tables of pieces are larger than maps: the system's temporary folder may not hold them.
    folders = {call.kwargs["folder"].resolve().parent for call in tabulate.call_args_list}
    assert folders == {PATHS.processed.parent.resolve()}
    gains = pd.read_csv(PATHS.view_gains).set_index("view")
    assert set(gains.index) == set(VIEWS) - {"identity"}
    exact = gains.drop(index=["smaller", "larger"])
    assert (exact[["gain", "gain_low", "gain_high"]] == 0).all(axis=None)
    identity = float(output.split("nested out-of-fold Dice ")[1][:6])
    np.testing.assert_allclose(exact["dice_alone"], identity, atol=5e-5)
    assert identity > 0.9
    harmful = [name for name in gains.index if gains["gain"][name] < 0]
    assert output.endswith(f"harmful beside identity: {', '.join(harmful) or 'none'}\n")


@pytest.mark.parametrize(("option", "folds"), [("--fold=all", "0, 1"), ("--fold=1", "1")])
def test_predict_writes_the_mean_map_of_each_frame(project, option, folds):
    save_model(PATHS.model(0), channels=1)
    save_model(PATHS.model(1), channels=1)
    expected = f"3 maps, mean of folds {folds} and views identity, hflip\n"
    assert run_well("predict", option) == f"data/predictions/test.npy: {expected}"
    # logits of 0 are a probability of one half, 127.5 of 255
    predictions = np.load(PATHS.test_predictions)
    np.testing.assert_array_equal(predictions["prob_map"], np.full((3, 1, 32, 64), 128, np.uint8))
    assert predictions["presence"].tolist() == [[0.5]] * 3


def write_cutoffs(**values):
    PATHS.cutoffs.write_text(json.dumps({"mask": Cutoffs(threshold=128, **values)._asdict()}))


@pytest.fixture
def submitted(project):
    """Return a project whose submission masks are rows 10 to 29 and columns 25 to 49."""
    write_cutoffs(min_area=500)
    run_well("submit")
    return project


def test_submit_writes_runs_down_the_columns(submitted):
    # column c begins at pixel 40 c + 1, row 10 is 10 further down
    runs = " ".join(f"{40 * column + 11} 20" for column in range(25, 50))
    rows = [f"{mask_id},{runs}\n" for mask_id in (1, 2, 3)]
    assert PATHS.submission.read_text() == "".join(["img,pixels\n", *rows])


def test_submit_below_the_smallest_area_is_empty(project):
    write_cutoffs(min_area=501)
    assert (
        run_well("submit") == "submissions/submission.csv: valid, 3 rows, 0 of them with a mask\n"
    )
    assert PATHS.submission.read_text() == "img,pixels\n1,\n2,\n3,\n"


def test_check_counts_rows_with_a_mask(submitted):
    output = run_well("check", PATHS.submission)
    assert output == "submissions/submission.csv: valid, 3 rows, 3 of them with a mask\n"


# The truth is rows 10 to 17 and columns 20 to 29, 80 pixels, in frames 1 and 2, and empty in 3. It
# shares 8 x 5 = 40 pixels with the submission's 500: 2 * 40 / (80 + 500) = .137931.
SCORE = "mean Dice 0.0920 over 3 images, Dice 0.1379 on those with a mask (all-empty 0.3333)\n"


def test_score_against_a_folder_is_the_mean_of_the_images(submitted):
    output = run_well("score", PATHS.submission, RAW / "truth", "--per-image", "scores.csv")
    assert output == f"submissions/submission.csv: {SCORE}"
    assert Path("scores.csv").read_text().splitlines() == [
        "id,class,dice,overlap,true_area,predicted_area",
        "1,mask,0.137931,40,80,500",
        "2,mask,0.137931,40,80,500",
        "3,mask,0.000000,0,0,500",
    ]


def test_score_against_a_table_is_the_same(submitted):
    runs = " ".join(f"{40 * column + 11} 8" for column in range(20, 30))
    Path("truth.csv").write_text(f"img,pixels\n1,{runs}\n2,{runs}\n3,\n")
    output = run_well("score", PATHS.submission, "truth.csv")
    assert output == f"submissions/submission.csv: {SCORE}"


def test_score_of_the_truth_itself_is_one(submitted):
    runs = " ".join(f"{40 * column + 11} 8" for column in range(20, 30))
    Path("truth.csv").write_text(f"img,pixels\n1,{runs}\n2,{runs}\n3,\n")
    assert run_well("score", "truth.csv", RAW / "truth").startswith("truth.csv: mean Dice 1.0000 ")


def test_diff_with_an_empty_submission_is_a_change_of_presence_in_each_row(submitted):
    Path("empty.csv").write_text("img,pixels\n1,\n2,\n3,\n")
    assert run_well("diff", PATHS.submission, "empty.csv", "--pictures", 1) == (
        "mean Dice 0.0000 over 3 images; 3 changed, 3 of them in presence\n"
        "  with a mask only in submissions/submission.csv: 3: 1, 2, 3\n"
        "  with a mask only in empty.csv: none\n"
        "reports/diff: rows.csv, 1 changes drawn\n"
    )
    assert sorted(path.name for path in PATHS.diff.iterdir()) == ["changes.png", "rows.csv"]


def test_show_draws_the_number_of_frames_asked_for(submitted):
    output = run_well("show", PATHS.submission, "--count", 2, "--out", "sheet.png")
    assert output == "sheet.png: 2 of 3 frames of submissions/submission.csv\n"
    assert cv2.imread("sheet.png") is not None


def test_upload_then_ledger_show_the_score(submitted, monkeypatch):
    spec = (REPOSITORY / "pipeline/competitions/sample.yaml").read_text()
    Path("spec.yaml").write_text(f"{spec}kaggle: nerves\n")
    change_params({"competition": "spec.yaml"})
    client = install(monkeypatch)
    output = run_well("upload", "-m", "flat maps")
    assert output == (
        "submissions/submission.csv: uploaded as 77: public 0.71000, private 0.70000,"
        " nested 0.50000\n"
    )
    assert client.uploads == [("submissions/submission.csv", "flat maps", "nerves")]
    _, row = run_well("ledger").splitlines()
    assert row.split()[2:5] == ["0.50000", "0.71000", "0.70000"]


@pytest.mark.parametrize("command", ["preprocess", "folds", "weights", "tune", "submit"])
def test_stage_run_again_writes_the_same_bytes(project, command):
    run_well(command)
    before = read_tree()
    run_well(command)
    assert read_tree() == before
