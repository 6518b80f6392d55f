import cv2
import numpy as np
import pytest

from pipeline.dataset.arrays import Reading
from pipeline.errors import InputError
from pipeline.inference.folder import check_images, plan_folder, write_masks
from tests.inference.test_ensemble import open_ensemble, write_half


@pytest.fixture
def images(tmp_path):
    folder = tmp_path / "images"
    (folder / "b" / "c").mkdir(parents=True)
    for name in ("a10.png", "a2.bmp", "b/c/x.y.tif", "b/z.JPEG"):
        cv2.imwrite(str(folder / name), np.zeros((4, 6), np.uint8))
    for name in ("notes.txt", ".hidden.png", "b/.cache.tif"):
        (folder / name).touch()
    (folder / ".thumbnails").mkdir()
    (folder / ".thumbnails" / "t.png").touch()
    (folder / "folder.png").mkdir()
    return folder


def test_plan_folder_keeps_the_structure_in_natural_order(images, tmp_path):
    jobs = plan_folder(images, tmp_path / "out")
    observed = [
        (job.image.relative_to(images).as_posix(), mask.relative_to(tmp_path).as_posix())
        for job in jobs
        for mask in job.masks
    ]
    assert observed == [
        ("a2.bmp", "out/a2.png"),
        ("a10.png", "out/a10.png"),
        ("b/c/x.y.tif", "out/b/c/x.y.png"),
        ("b/z.JPEG", "out/b/z.png"),
    ]


@pytest.mark.parametrize("out", ["images", "images/masks", "images/b/../new"])
def test_plan_folder_masks_among_the_images_are_refused(images, tmp_path, out):
    with pytest.raises(InputError, match="expected a folder outside of the images'"):
        plan_folder(images, tmp_path / out)


def test_plan_folder_link_to_the_images_is_refused(images, tmp_path):
    (tmp_path / "link").symlink_to(images)
    with pytest.raises(InputError, match="link: expected a folder outside of the images'"):
        plan_folder(images, tmp_path / "link")


def test_plan_folder_around_the_images_is_allowed_unless_a_mask_replaces_an_image(images, tmp_path):
    assert len(plan_folder(images, tmp_path)) == 4
    (images / "images").mkdir()
    (images / "images" / "a10.bmp").touch()
    with pytest.raises(InputError, match=r"a10\.bmp: its mask would replace the image .*a10\.png"):
        plan_folder(images, tmp_path)


def test_plan_folder_two_images_of_one_stem_are_refused(images, tmp_path):
    (images / "a2.gif").touch()
    with pytest.raises(InputError, match=r"a2\.gif: same mask file as .*a2\.bmp"):
        plan_folder(images, tmp_path / "out")


def test_plan_folder_of_several_classes_has_a_file_for_each(images, tmp_path):
    job = plan_folder(images, tmp_path / "out", ["left", "right"])[2]
    names = [mask.relative_to(tmp_path).as_posix() for mask in job.masks]
    assert names == ["out/b/c/x.y_left.png", "out/b/c/x.y_right.png"]


def test_plan_folder_classes_that_make_one_name_are_refused(images, tmp_path):
    (images / "a2_small.bmp").touch()
    with pytest.raises(InputError, match=r"a2_small\.bmp: same mask file as .*a2\.bmp"):
        plan_folder(images, tmp_path / "out", ["small_bowel", "bowel"])


@pytest.mark.parametrize("name", ["a/b", "a\0"])
def test_plan_folder_class_that_names_no_file_is_refused(images, tmp_path, name):
    with pytest.raises(InputError, match="classes: expected names that a file can have"):
        plan_folder(images, tmp_path / "out", ["x", name])


def test_check_images_reads_deep_pixels_where_levels_say_how(tmp_path):
    cv2.imwrite(str(tmp_path / "deep.png"), np.full((4, 6), 999, np.uint16))
    jobs = plan_folder(tmp_path, tmp_path.parent / "masks")
    check_images(jobs, reading=Reading("own"))
    with pytest.raises(InputError, match=r"deep\.png: expected an 8-bit image"):
        check_images(jobs)


@pytest.mark.parametrize("name", ["images/.thumbnails", "images/notes.txt", "nowhere"])
def test_plan_folder_without_images_is_refused(images, tmp_path, name):
    (images / ".thumbnails" / "t.png").rename(images / ".thumbnails" / "t.dat")
    with pytest.raises(InputError, match=r": expected (images|a folder of images)"):
        plan_folder(tmp_path / name, tmp_path / "out")


def test_check_images_names_the_first_bad_one(images, tmp_path):
    jobs = plan_folder(images, tmp_path / "out")
    advanced = []
    check_images(jobs, advance=lambda: advanced.append(1))
    assert len(advanced) == 4
    (images / "b" / "z.JPEG").write_bytes(b"\xff\xd8\xff cut")
    with pytest.raises(InputError, match=r"z\.JPEG: expected an 8-bit image"):
        check_images(jobs)


def test_write_masks_are_0_and_255_at_each_size_and_leave_other_files_alone(tmp_path):
    folder, out = tmp_path / "in", tmp_path / "out"
    (folder / "sub").mkdir(parents=True)
    out.mkdir()
    (out / "other.png").write_text("mine")
    halves = {
        "a": write_half(folder / "a.tif", 64, 192),
        "sub/b": write_half(folder / "sub" / "b.png", 32, 64),
        "c": write_half(folder / "c.bmp", 128, 128),
    }
    cv2.imwrite(str(folder / "empty.png"), np.zeros((40, 50, 3), np.uint8))
    advanced = []
    filled = write_masks(
        plan_folder(folder, out),
        open_ensemble(1.0, threshold=128),
        batch_size=3,
        advance=advanced.append,
    )
    assert (filled, advanced) == (3, [3, 1])
    for name, half in halves.items():
        mask = cv2.imread(str(out / f"{name}.png"), cv2.IMREAD_UNCHANGED)
        np.testing.assert_array_equal(mask, 255 * half.astype(np.uint8))
    empty = cv2.imread(str(out / "empty.png"), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(empty, np.zeros((40, 50), np.uint8))
    assert (out / "other.png").read_text() == "mine"
    assert sum(path.is_file() for path in out.rglob("*")) == 5
