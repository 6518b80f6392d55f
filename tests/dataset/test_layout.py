import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.competitions.spec import Spec
from pipeline.dataset.layout import list_test, list_training, natural_key
from pipeline.errors import InputError

NERVE = {
    "title": "As in the nerve competition",
    "images": "train/{subject}_{frame}.tif",
    "masks": "train/{subject}_{frame}_mask.tif",
    "test": "test/{id}.tif",
    "truth": "truth/{id}.tif",
    "foreground": 255,
    "submission": {"header": ["img", "pixels"], "ids": "integer"},
}


def make_spec(**changes):
    return Spec.model_validate(NERVE | changes)


def touch(folder, *names):
    """Create empty files: the layout opens none."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


def fault_of(function, folder, spec):
    with pytest.raises(InputError) as caught:
        function(folder, spec)
    return str(caught.value)


# Training frames


def test_list_training_takes_ids_and_subjects_from_the_names(tmp_path):
    frames = ["1_10", "1_2", "10_1", "2_1"]
    touch(tmp_path, *(f"train/{frame}{end}.tif" for frame in frames for end in ("", "_mask")))
    touch(tmp_path, "train/.DS_Store", "train/notes.txt", "other/3_1.tif")
    observed = list_training(tmp_path, make_spec())
    # In the order of the numbers: 1_2 before 1_10, subject 2 before 10.
    assert list(observed["id"]) == ["1_2", "1_10", "2_1", "10_1"]
    assert list(observed["subject"]) == ["1", "1", "2", "10"]
    assert observed["image"][1] == tmp_path / "train" / "1_10.tif"
    assert observed["mask"][1] == tmp_path / "train" / "1_10_mask.tif"


def test_list_training_masks_with_placeholders_in_another_order_pair_up(tmp_path):
    spec = make_spec(masks="masks/{frame}_{subject}.tif")
    # Both frames' masks exist under each other's number: 2_1 is subject 1, frame 2.
    touch(tmp_path, "train/1_2.tif", "train/2_1.tif", "masks/2_1.tif", "masks/1_2.tif")
    observed = list_training(tmp_path, spec)
    assert list(observed["id"]) == ["1_2", "2_1"]
    assert [mask.name for mask in observed["mask"]] == ["2_1.tif", "1_2.tif"]


def test_list_training_without_subjects_groups_neighbours(tmp_path):
    spec = make_spec(images="images/{id}.png", masks="masks/{id}.png", frames_per_subject=2)
    names = ["a1", "a2", "a10", "b1", "b2"]
    touch(tmp_path, *(f"{folder}/{name}.png" for name in names for folder in ("images", "masks")))
    observed = list_training(tmp_path, spec)
    assert list(observed["id"]) == names
    assert list(observed["subject"]) == ["group0", "group0", "group1", "group1", "group2"]


def test_list_training_ids_that_count_the_same_have_one_order(tmp_path):
    spec = make_spec(images="images/{id}.png", masks="masks/{id}.png")
    for names in (["1", "01", "001"], ["001", "01", "1"]):
        folder = tmp_path / names[0]
        touch(folder, *(f"{part}/{name}.png" for name in names for part in ("images", "masks")))
        assert list(list_training(folder, spec)["id"]) == ["001", "01", "1"]


def test_list_training_subjects_in_folders_are_found(tmp_path):
    spec = make_spec(images="{subject}/image/{id}.png", masks="{subject}/mask/{id}.png")
    touch(tmp_path, *(f"{one}/{kind}/x_1.png" for one in "ba" for kind in ("image", "mask")))
    observed = list_training(tmp_path, spec)
    assert list(observed["id"]) == ["a_x_1", "b_x_1"]
    assert list(observed["subject"]) == ["a", "b"]


def test_list_training_signs_of_globs_in_folders_are_names(tmp_path):
    spec = make_spec(images="[1]*/{id}.png", masks="m?/{id}.png")
    touch(tmp_path, "[1]*/a.png", "1x/b.png", "m?/a.png", "mm/b.png")
    assert list(list_training(tmp_path, spec)["id"]) == ["a"]


def test_list_training_missing_folder_is_named(tmp_path):
    assert fault_of(list_training, tmp_path, make_spec()) == (
        f"{tmp_path / 'train'}: no such folder; expected files train/{{subject}}_{{frame}}.tif in"
        f" {tmp_path}"
    )


def test_list_training_folder_without_images_is_named(tmp_path):
    touch(tmp_path, "train/1_1_mask.tif", "train/1.tif")
    assert fault_of(list_training, tmp_path, make_spec()) == (
        f"{tmp_path / 'train'}: expected files train/{{subject}}_{{frame}}.tif in {tmp_path},"
        " got none"
    )


def test_list_training_image_without_mask_is_named(tmp_path):
    touch(tmp_path, "train/1_1.tif", "train/1_1_mask.tif", "train/1_2.tif")
    pattern = tmp_path / "train/{subject}_{frame}_mask.tif"
    assert fault_of(list_training, tmp_path, make_spec()) == (
        f"{tmp_path / 'train/1_2.tif'}: expected its mask as {pattern}, got none"
    )


def test_list_training_masks_without_image_are_named_and_counted(tmp_path):
    masks = [f"train/1_{frame}_mask.tif" for frame in (1, 2, 3, 10)]
    touch(tmp_path, "train/1_1.tif", *masks)
    pattern = tmp_path / "train/{subject}_{frame}.tif"
    assert fault_of(list_training, tmp_path, make_spec()) == (
        f"{tmp_path / 'train/1_2_mask.tif'}: expected its image as {pattern}, got none (and 2 more)"
    )


# Test frames


def test_list_test_integer_ids_count(tmp_path):
    touch(tmp_path, "test/10.tif", "test/2.tif", "test/007.tif")
    observed = list_test(tmp_path, make_spec())
    assert list(observed["id"]) == ["2", "7", "10"]
    assert [path.name for path in observed["image"]] == ["2.tif", "007.tif", "10.tif"]


def test_list_test_integer_ids_may_be_longer_than_64_bits(tmp_path):
    touch(tmp_path, f"test/{10**20}.tif", f"test/{10**20 - 1}.tif")
    assert list(list_test(tmp_path, make_spec())["id"]) == [str(10**20 - 1), str(10**20)]


def test_list_test_names_are_sorted_as_text(tmp_path):
    touch(tmp_path, "test/10.tif", "test/2.tif", "test/B.tif", "test/a.tif")
    spec = make_spec(submission={"header": ["id", "rle"], "ids": "name"})
    assert list(list_test(tmp_path, spec)["id"]) == ["10", "2", "B", "a"]


def test_list_test_same_number_twice_names_both_files(tmp_path):
    touch(tmp_path, "test/1.tif", "test/01.tif", "test/2.tif")
    assert fault_of(list_test, tmp_path, make_spec()) == (
        f"{tmp_path / 'test/1.tif'}: same id as {tmp_path / 'test/01.tif'}"
    )


@pytest.mark.parametrize("name", ["a1", "-1", "1.0", "٣", "1 "])
def test_list_test_no_integer_is_refused(tmp_path, name):
    touch(tmp_path, "test/1.tif", f"test/{name}.tif")
    assert fault_of(list_test, tmp_path, make_spec()) == (
        f"{tmp_path / 'test' / name}.tif: expected an integer id (submission.ids), got {name!r}"
    )


def test_list_test_missing_and_empty_folder_are_named(tmp_path):
    assert fault_of(list_test, tmp_path, make_spec()).startswith(
        f"{tmp_path / 'test'}: no such folder"
    )
    touch(tmp_path, "test/1.png")
    assert fault_of(list_test, tmp_path, make_spec()).endswith("got none")


@given(st.lists(st.integers(0, 10**6), unique=True))
def test_natural_key_numbers_in_text_count(numbers):
    names = [f"frame{number}_x" for number in np.random.default_rng(0).permutation(numbers)]
    assert sorted(names, key=natural_key) == [f"frame{number}_x" for number in sorted(numbers)]


# Digits of another alphabet and a superscript are digits to `str.isdecimal` or `str.isdigit`.
@given(st.lists(st.text("0٣²a_"), max_size=5))
def test_natural_key_any_texts_compare(texts):
    assert sorted(map(natural_key, texts)) == sorted(map(natural_key, texts[::-1]))
