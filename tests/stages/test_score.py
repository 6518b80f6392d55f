import numpy as np
import pandas as pd
import pytest
from PIL import Image

from pipeline.competitions.spec import known_specs, load_spec
from pipeline.errors import InputError
from pipeline.kaggle.submission import write_submission
from pipeline.params import load_params
from pipeline.paths import Paths
from pipeline.stages.init import run as init
from pipeline.stages.score import run, score_images

LEFT = np.array([[1, 1, 0, 0, 0], [1, 1, 0, 0, 0], [0, 0, 0, 0, 0]], bool)
MIDDLE = np.array([[0, 1, 1, 0, 0], [0, 1, 1, 0, 0], [0, 1, 1, 0, 0]], bool)
EMPTY = np.zeros((3, 5), bool)
LARGE = np.ones((4, 6), bool)
TRUE = {"1": LEFT, "2": EMPTY, "3": EMPTY, "10": LARGE}
# Dice 2 * 2 / (4 + 6), 1, 0, 2 * 12 / (24 + 12)
PREDICTED = {"1": MIDDLE, "2": EMPTY, "3": LEFT, "10": LARGE & (np.arange(6) < 3)}
SCORES = [0.4, 1.0, 0.0, 2 / 3]


@pytest.fixture
def project(tmp_path):
    """Parameters, a submission, the truth as a CSV and as a folder, and the index of frames."""
    paths = Paths(tmp_path)
    init(paths, "sample", data_dir=None, device=None)
    spec = load_spec("sample")
    for name, masks in (("submission", PREDICTED), ("truth", dict(reversed(TRUE.items())))):
        of_classes = ((mask_id, mask[..., None]) for mask_id, mask in masks.items())
        write_submission(tmp_path / f"{name}.csv", of_classes, spec)
    (tmp_path / "truth").mkdir()
    for mask_id, mask in TRUE.items():
        Image.fromarray(mask.astype(np.uint8) * 255).save(tmp_path / "truth" / f"{mask_id}.tif")
    paths.test_store.mkdir(parents=True)
    sizes = [mask.shape for mask in TRUE.values()]
    index = pd.DataFrame(sizes, columns=["height", "width"])
    index.insert(0, "id", list(TRUE))
    index.to_csv(paths.test_store / "index.csv", index=False)
    return paths


def score(project, truth="truth", submission="submission.csv"):
    params = load_params(project.params)
    return score_images(params, project, project.root / submission, project.root / truth)


def fault_of(project, **files):
    with pytest.raises(InputError) as caught:
        score(project, **files)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("truth", ["truth", "truth.csv"])
def test_score_images_each_image_matches_hand_count(project, truth):
    observed = score(project, truth)
    assert list(observed["id"]) == ["1", "2", "3", "10"]
    np.testing.assert_allclose(observed["dice"], SCORES, rtol=1e-15)
    assert list(observed["true_area"]) == [4, 0, 0, 24]
    assert list(observed["predicted_area"]) == [6, 0, 4, 12]


def test_score_images_folder_and_csv_agree(project):
    pd.testing.assert_frame_equal(score(project, "truth"), score(project, "truth.csv"))


def test_score_images_truth_against_itself_is_1(project):
    assert (score(project, submission="truth.csv")["dice"] == 1).all()


def test_score_images_order_of_the_rows_is_free(project):
    lines = (project.root / "submission.csv").read_text().splitlines()
    (project.root / "shuffled.csv").write_text("\n".join([lines[0], *lines[:0:-1]]) + "\n")
    observed = score(project, submission="shuffled.csv")
    assert list(observed["id"]) == ["10", "3", "2", "1"]
    np.testing.assert_allclose(observed["dice"], SCORES[::-1], rtol=1e-15)


def test_score_images_other_files_of_the_folder_are_no_masks(project):
    (project.root / "truth" / ".DS_Store").touch()
    (project.root / "truth" / "old").mkdir()
    assert len(score(project)) == 4


def test_score_images_ids_of_files_count_as_in_the_submission(project):
    # The test frame 001.tif stands as 1 in a submission with integer ids.
    folder = project.root / "truth"
    (folder / "1.tif").rename(folder / "001.tif")
    np.testing.assert_allclose(score(project)["dice"], SCORES, rtol=1e-15)


def test_score_images_two_files_of_one_id_are_refused(project):
    folder = project.root / "truth"
    (folder / "1.png").write_bytes((folder / "1.tif").read_bytes())
    assert fault_of(project) == f"{folder / '1.tif'}: same id as {folder / '1.png'}"


@pytest.mark.parametrize("truth", ["truth", "truth.csv"])
def test_score_images_missing_id_is_named(project, truth):
    lines = (project.root / "submission.csv").read_text().splitlines()
    (project.root / "short.csv").write_text("\n".join(lines[:-1]) + "\n")
    assert fault_of(project, truth=truth, submission="short.csv") == (
        f"{project.root / 'short.csv'}: expected 4 ids, 10 missing"
    )


@pytest.mark.parametrize("truth", ["truth", "truth.csv"])
def test_score_images_unknown_id_is_named(project, truth):
    with (project.root / "submission.csv").open("a") as file:
        file.write("11,\n")
    assert fault_of(project, truth=truth).endswith("submission.csv: expected 4 ids, 11 unknown")


def test_score_images_missing_files_are_named(project):
    no_such_file = "can't be read: No such file or directory"
    assert fault_of(project, truth="none") == f"{project.root / 'none'}: {no_such_file}"
    assert fault_of(project, submission="none.csv") == (
        f"{project.root / 'none.csv'}: {no_such_file}"
    )


def test_score_images_truth_that_is_a_mask_is_refused(project):
    assert fault_of(project, truth="truth/1.tif").startswith(
        f"{project.root / 'truth' / '1.tif'}: not a CSV file: "
    )


def test_score_images_csv_without_preprocessed_frames_says_what_to_run(project):
    (project.test_store / "index.csv").unlink()
    assert fault_of(project, truth="truth.csv").endswith("no such file; run: pipeline preprocess")
    assert len(score(project, "truth")) == 4  # a folder knows its sizes


def test_score_images_csv_id_that_is_no_test_frame_is_named(project):
    for name in ("submission.csv", "truth.csv"):
        with (project.root / name).open("a") as file:
            file.write("11,\n")
    expected = f"{project.root / 'truth.csv'}: id 11 is none of the test frames"
    assert fault_of(project, truth="truth.csv") == expected


@pytest.mark.parametrize("truth", ["truth", "truth.csv"])
def test_score_images_run_outside_of_the_frame_is_named(project, truth):
    path = project.root / "submission.csv"
    path.write_text("img,pixels\n1,16 1\n2,\n3,\n10,\n")
    assert fault_of(project, truth=truth) == (
        f"{path}: id 1: rle: run 1 ('16 1') ends outside of the image of 15 pixels"
    )


def test_run_writes_every_image_and_says_the_mean(project):
    submission, per_image = project.root / "submission.csv", project.root / "scores.csv"
    params = load_params(project.params)
    message = run(params, project, submission, project.root / "truth", per_image=per_image)
    # (0.4 + 1 + 0 + 2 / 3) / 4; (0.4 + 2 / 3) / 2; two of four are empty.
    assert message == (
        f"{submission}: mean Dice 0.5167 over 4 images, Dice 0.5333 on those with a mask"
        " (all-empty 0.5000)"
    )
    assert per_image.read_text() == (
        "id,class,dice,overlap,true_area,predicted_area\n"
        "1,mask,0.400000,2,4,6\n2,mask,1.000000,0,0,0\n"
        "3,mask,0.000000,0,0,4\n10,mask,0.666667,12,24,12\n"
    )


def test_run_by_default_scores_the_own_submission_against_the_specs_truth(project):
    params = load_params(project.params)
    (project.root / "submissions").mkdir()
    (project.root / "submission.csv").rename(project.submission)
    project.sample.mkdir(parents=True)
    (project.root / "truth").rename(project.sample / "truth")
    assert "mean Dice 0.5167 over 4 images" in run(params, project, None, None, per_image=None)


def test_run_without_truth_names_the_competition_that_has_none(project):
    params = load_params(project.params).model_copy(update={"competition": "ultrasound-nerve"})
    with pytest.raises(InputError, match="TRUTH: expected a CSV or a folder, as Ultrasound Nerve"):
        run(params, project, None, None, per_image=None)


def test_score_images_truth_files_may_be_named_by_the_specs_pattern(project):
    spec = project.root / "mine.yaml"
    text = "".join(
        line.replace("truth/{id}.tif", "truth/{id}_mask.tif")
        for line in known_specs()["sample"].read_text().splitlines(keepends=True)
    )
    spec.write_text(text)
    for path in list((project.root / "truth").iterdir()):
        path.rename(path.with_name(f"{path.stem}_mask.tif"))
    params = load_params(project.params).model_copy(update={"competition": str(spec)})
    observed = score_images(
        params, project, project.root / "submission.csv", project.root / "truth"
    )
    np.testing.assert_allclose(observed["dice"], SCORES, rtol=1e-15)


LABELS = """
title: Labels
images: images/{id}.png
masks: labels/{id}.png
test: test/{id}.png
exclusive: true
classes: [ground, water, sky]
metric: mean_iou
submission: {header: [id, class, pixels], row: ["{id}", "{class}"]}
"""
ORGANS = """
title: Organs
images: images/{id}.png
masks: masks/{id}_{class}.png
test: test/{id}.png
truth: truth/{id}_{class}.png
classes: [left, right]
submission: {header: [id, class, pixels], row: ["{id}", "{class}"]}
"""


@pytest.fixture
def write_truth(tmp_path):
    """Return a function that writes a spec, files of true masks and the submission of image 1."""

    def write(text, truth, predicted):
        (tmp_path / "spec.yaml").write_text(text)
        paths = Paths(tmp_path)
        init(paths, str(tmp_path / "spec.yaml"), data_dir=None, device=None)
        (tmp_path / "truth").mkdir()
        for name, pixels in truth.items():
            Image.fromarray(np.array(pixels, np.uint8)).save(tmp_path / "truth" / name)
        masks = [("1", np.stack([np.array(mask, bool) for mask in predicted], axis=-1))]
        write_submission(tmp_path / "submission.csv", masks, load_spec(str(tmp_path / "spec.yaml")))
        return paths

    return write


def test_run_void_pixels_and_classes_that_are_nowhere_do_not_count(write_truth):
    # Ground is right but for the void column; water is found in one of two pixels.
    ground, water, nothing = [[1, 0, 1], [1, 1, 1]], [[0, 1, 0], [0, 0, 0]], [[0] * 3] * 2
    project = write_truth(LABELS, {"1.png": [[0, 1, 255]] * 2}, [ground, water, nothing])
    observed = score(project)
    assert observed[["overlap", "true_area", "predicted_area"]].to_numpy().tolist() == [
        [2, 2, 3],
        [1, 2, 1],
        [0, 0, 0],
    ]
    params, submission = load_params(project.params), project.root / "submission.csv"
    said = run(params, project, submission, project.root / "truth", per_image=None)
    # Ground 2 / 3 and water 1 / 2; of empty masks both 0.
    assert "mean IoU 0.5833 over 1 images, " in said
    assert said.endswith(" (all-empty 0.0000)")


def test_run_of_void_alone_is_one_as_in_the_nested_score(write_truth):
    ground, nothing = [[1, 0, 1], [1, 1, 1]], [[0] * 3] * 2
    project = write_truth(LABELS, {"1.png": [[255] * 3] * 2}, [ground, nothing, nothing])
    params, submission = load_params(project.params), project.root / "submission.csv"
    said = run(params, project, submission, project.root / "truth", per_image=None)
    assert said == f"{submission}: mean IoU 1.0000 over 1 images (all-empty 1.0000)"


def test_score_images_files_of_classes_are_told_apart(write_truth):
    left, right = [[255, 0]], [[255, 255]]
    project = write_truth(ORGANS, {"1_left.png": left, "1_right.png": right}, [[[1, 0]], [[1, 0]]])
    observed = score(project)
    assert observed["class"].tolist() == ["left", "right"]
    np.testing.assert_allclose(observed["dice"], [1, 2 / 3])


@pytest.mark.parametrize(
    ("truth", "message"),
    [
        ({"1_up.png": [[0, 0]]}, "1_up.png: expected one of the classes left, right, got up"),
        (
            {"1_left.png": [[0, 0]], "1_right.png": [[0]]},
            "truth: expected masks of one size of 1, got (1, 2) and (1, 1)",
        ),
    ],
)
def test_score_images_truth_that_does_not_fit_the_classes_is_refused(write_truth, truth, message):
    assert fault_of(write_truth(ORGANS, truth, [[[1, 0]], [[1, 0]]])).endswith(message)
