import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.competitions.spec import Spec
from pipeline.dataset.layout import find_masks, list_test, list_training, natural_key
from pipeline.dataset.truth import open_truth
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


def pair(folder, spec):
    """List the training images and find their masks."""
    frames = list_training(folder, spec)
    return open_truth(folder, spec, dict(zip(frames["id"], frames["image"], strict=True))).files


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
    assert list(observed) == ["id", "subject", "image"]
    assert pair(tmp_path, make_spec())["1_10"] == [(None, tmp_path / "train" / "1_10_mask.tif")]


def test_list_training_masks_with_placeholders_in_another_order_pair_up(tmp_path):
    spec = make_spec(masks="masks/{frame}_{subject}.tif")
    # Both frames' masks exist under each other's number: 2_1 is subject 1, frame 2.
    touch(tmp_path, "train/1_2.tif", "train/2_1.tif", "masks/2_1.tif", "masks/1_2.tif")
    assert list(list_training(tmp_path, spec)["id"]) == ["1_2", "2_1"]
    assert pair(tmp_path, spec) == {
        "1_2": [(None, tmp_path / "masks/2_1.tif")],
        "2_1": [(None, tmp_path / "masks/1_2.tif")],
    }


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


def test_open_truth_image_without_mask_is_named(tmp_path):
    touch(tmp_path, "train/1_1.tif", "train/1_1_mask.tif", "train/1_2.tif")
    pattern = tmp_path / "train/{subject}_{frame}_mask.tif"
    assert fault_of(pair, tmp_path, make_spec()) == (
        f"{tmp_path / 'train/1_2.tif'}: expected its mask as {pattern}, got none"
    )


def test_open_truth_masks_without_image_are_named_and_counted(tmp_path):
    masks = [f"train/1_{frame}_mask.tif" for frame in (1, 2, 3, 10)]
    touch(tmp_path, "train/1_1.tif", *masks)
    pattern = tmp_path / "train/{subject}_{frame}.tif"
    assert fault_of(pair, tmp_path, make_spec()) == (
        f"{tmp_path / 'train/1_2_mask.tif'}: expected its image as {pattern}, got none (and 2 more)"
    )


# Channels, lists and ids of another form

CHANNELS = {
    "images": ["r/{id}.png", "g/{id}.png", "b/{id}_x.png"],
    "masks": "masks/{id}.png",
    "test": ["test/{id}_r.png", "test/{id}_g.png", "test/{id}_b.png"],
    "truth": None,
    "submission": {"header": ["id", "rle"]},
}


def test_list_training_channels_are_a_tuple_in_the_patterns_order(tmp_path):
    names = ["r/2.png", "r/10.png", "g/10.png", "g/2.png", "b/2_x.png", "b/10_x.png", "b/3.png"]
    touch(tmp_path, *names, "test/1_r.png", "test/1_g.png", "test/1_b.png")
    observed = list_training(tmp_path, make_spec(**CHANNELS))
    assert list(observed["id"]) == ["2", "10"]
    assert observed["image"][1] == tuple(
        tmp_path / name for name in ("r/10.png", "g/10.png", "b/10_x.png")
    )
    ((image_id, image),) = list_test(tmp_path, make_spec(**CHANNELS)).values.tolist()
    assert (image_id, [path.name for path in image]) == ("1", ["1_r.png", "1_g.png", "1_b.png"])


def test_list_training_missing_channel_is_named(tmp_path):
    touch(tmp_path, "r/1.png", "r/2.png", "g/1.png", "b/1_x.png", "b/2_x.png")
    assert fault_of(list_training, tmp_path, make_spec(**CHANNELS)) == (
        f"{tmp_path}: expected an image g/{{id}}.png of 2, got none"
    )


def test_open_truth_of_channels_names_the_first(tmp_path):
    touch(tmp_path, "r/1.png", "g/1.png", "b/1_x.png", "masks/x.txt")
    assert fault_of(pair, tmp_path, make_spec(**CHANNELS)) == (
        f"{tmp_path / 'r/1.png'}: expected its mask as {tmp_path / 'masks/{id}.png'}, got none"
    )


LISTED = {
    "images": "images/{id}.png",
    "masks": "masks/{id}.png",
    "test": "images/{id}.png",
    "truth": None,
    "lists": {"train": "train.txt", "test": "val.txt"},
    "submission": {"header": ["id", "rle"]},
}


def test_list_training_and_test_take_the_ids_of_lists(tmp_path):
    touch(tmp_path, *(f"images/{name}.png" for name in "abcd"), "masks/b.png", "masks/a.png")
    touch(tmp_path, "masks/d.png")  # of an image that no list names: no fault
    (tmp_path / "train.txt").write_text("b\na\nb\n\n")  # twice, and a blank line
    (tmp_path / "val.txt").write_text("d\r\nc")
    spec = make_spec(**LISTED)
    assert list(list_training(tmp_path, spec)["id"]) == ["b", "a"]
    assert list(list_test(tmp_path, spec)["id"]) == ["c", "d"]
    assert set(pair(tmp_path, spec)) >= {"a", "b"}


@pytest.mark.parametrize("content", [b"", b" \n", b"\xff\xfe", None])
def test_list_training_bad_list_is_named(tmp_path, content):
    touch(tmp_path, "images/a.png", "masks/a.png")
    if content is not None:
        (tmp_path / "train.txt").write_bytes(content)
    assert fault_of(list_training, tmp_path, make_spec(**LISTED)).startswith(
        f"{tmp_path / 'train.txt'}: expected a list of ids, one a line, got "
    )


def test_list_training_listed_image_that_is_missing_is_named(tmp_path):
    touch(tmp_path, "images/a.png", "masks/a.png")
    (tmp_path / "train.txt").write_text("a\nz\n")
    assert fault_of(list_training, tmp_path, make_spec(**LISTED)) == (
        f"{tmp_path}: expected an image images/{{id}}.png of z, got none"
    )


def test_open_truth_listed_image_without_mask_is_named(tmp_path):
    touch(tmp_path, "images/a.png", "masks/b.png")
    (tmp_path / "train.txt").write_text("a\n")
    assert "images/a.png: expected its mask as" in fault_of(pair, tmp_path, make_spec(**LISTED))


def test_list_training_an_ids_template_leaves_placeholders_out(tmp_path):
    spec = make_spec(
        images="{subject}/{part}/{frame}.png",
        masks="{subject}/{part}/{frame}_{class}.png",
        classes=["x"],
        id="{subject}-{frame}",
    )
    touch(tmp_path, "s1/left/2.png", "s1/left/2_x.png", "s1/right/3.png", "s1/right/3_x.png")
    observed = list_training(tmp_path, spec)
    assert list(observed["id"]) == ["s1-2", "s1-3"]
    assert list(observed["subject"]) == ["s1", "s1"]
    assert set(pair(tmp_path, spec)) == {"s1-2", "s1-3"}


def test_list_training_two_files_of_one_id_are_refused(tmp_path):
    spec = make_spec(images="{part}/{frame}.png", masks="m/{part}/{frame}.png", id="{frame}")
    touch(tmp_path, "left/1.png", "right/1.png")
    assert "same id 1 as" in fault_of(list_training, tmp_path, spec)


# Masks


def find(folder, spec):
    """Return the masks of each image: class, and the path within the folder."""
    found = find_masks(folder, spec.masks, spec, ids_like=spec.images[0])
    return {
        key: [(index, path.relative_to(folder).as_posix()) for index, path in files]
        for key, files in found.items()
    }


TWO = {
    "images": "images/{id}.png",
    "masks": "{class}/{id}.png",
    "classes": ["left", "right"],
    "test": "test/{id}.png",
    "truth": None,
    "submission": {"header": ["id", "class", "rle"], "row": ["{id}", "{class}"]},
}


def test_find_masks_of_classes_are_by_their_place_in_the_spec(tmp_path):
    touch(tmp_path, "left/a.png", "right/a.png", "right/b.png")
    assert find(tmp_path, make_spec(**TWO)) == {
        "a": [(0, "left/a.png"), (1, "right/a.png")],
        "b": [(1, "right/b.png")],
    }


def test_find_masks_unknown_class_is_refused(tmp_path):
    touch(tmp_path, "left/a.png", "up/a.png")
    with pytest.raises(InputError) as caught:
        find(tmp_path, make_spec(**TWO))
    assert str(caught.value) == (
        f"{tmp_path / 'up/a.png'}: expected one of the classes left, right, got up"
    )


def test_find_masks_of_objects_are_in_natural_order(tmp_path):
    spec = make_spec(images="{id}/i/{id}.png", masks="{id}/m/{instance}.png", instances=True)
    touch(tmp_path, "a/m/10.png", "a/m/9.png", "b/m/x.png", "b/n/x.png")
    assert find(tmp_path, spec) == {
        "a": [(None, "a/m/9.png"), (None, "a/m/10.png")],
        "b": [(None, "b/m/x.png")],
    }


def test_find_masks_of_several_patterns_the_first_with_files_counts(tmp_path):
    patterns = ["new/{id}.png", "old/{id}_{instance}.png", "old/{id}.gif"]
    spec = make_spec(images="images/{id}.png", masks=patterns)
    touch(tmp_path, "new/a.png", "old/a_1.png", "old/b_1.png", "old/b_2.png", "old/b.gif")
    touch(tmp_path, "old/c.gif")
    assert find(tmp_path, spec) == {
        "a": [(None, "new/a.png")],
        "b": [(None, "old/b_1.png"), (None, "old/b_2.png")],
        "c": [(None, "old/c.gif")],
    }


def test_find_masks_a_star_stands_for_any_text(tmp_path):
    spec = make_spec(
        images="images/{frame}.png", masks="masks/*_{frame}_{class}.png", classes=["x"]
    )
    touch(tmp_path, "masks/20190101_7_x.png", "masks/7_x.png")
    assert find(tmp_path, spec) == {"7": [(0, "masks/20190101_7_x.png")]}


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
