import io
import tarfile

import pytest

from pipeline.dataset.unpack import unpack_archive
from pipeline.errors import InputError
from tests.site import pack


@pytest.fixture
def unpack(tmp_path):
    """Return a function that unpacks bytes and returns what came by its relative path."""

    def run(content, **options):
        archive, folder = tmp_path / "archive", tmp_path / "out"
        archive.write_bytes(content)
        folder.mkdir(exist_ok=True)
        unpack_archive(archive, folder, name="data.zip", **options)
        return {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in folder.rglob("*")
            if path.is_file()
        }

    return run


def pack_tar(files, mode="w:gz"):
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode=mode) as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return content.getvalue()


def fault_of(unpack, content):
    with pytest.raises(InputError) as caught:
        unpack(content)
    assert "\n" not in str(caught.value)
    return str(caught.value)


FILES = {"top/data/train/1.tif": b"one", "top/data/test/2.tif": b"two", "top/README": b"x"}


@pytest.mark.parametrize("packer", [pack, pack_tar])
def test_unpack_archive_takes_the_folder_inside_alone(unpack, packer):
    expected = {"train/1.tif": b"one", "test/2.tif": b"two"}
    assert unpack(packer(FILES), inside="top/data") == expected


@pytest.mark.parametrize("packer", [pack, pack_tar])
def test_unpack_archive_takes_all_by_default(unpack, packer):
    count = []
    assert unpack(packer(FILES), advance=lambda: count.append(1)) == FILES
    assert len(count) == 3


def test_unpack_archive_folder_of_a_similar_name_is_another(unpack):
    assert unpack(pack({"data2/1": b"", "data/2": b""}), inside="data") == {"2": b""}


def test_unpack_archive_inner_archive_becomes_a_folder_of_its_name(unpack):
    # As TGS Salt's train.zip, which holds images/ and masks/.
    inner = pack({"images/1.png": b"i", "masks/1.png": b"m"})
    expected = {"train/images/1.png": b"i", "train/masks/1.png": b"m"}
    assert unpack(pack({"train.zip": inner})) == expected


def test_unpack_archive_inner_archive_that_brings_its_folder_is_put_beside(unpack):
    # As Carvana's train.zip, which holds train/, and as a single file that Kaggle packed.
    inner = pack({"train/1.jpg": b"1"})
    table = pack({"masks.csv": b"t"})
    observed = unpack(pack({"train.zip": inner, "masks.csv.zip": table}))
    assert observed == {"train/1.jpg": b"1", "masks.csv": b"t"}


def test_unpack_archive_inner_tar_and_zip_in_a_zip(unpack):
    inner = pack_tar({"a.zip": pack({"1.tif": b"1"})})
    assert unpack(pack({"raw/set.tar.gz": inner})) == {"raw/set/a/1.tif": b"1"}


def test_unpack_archive_inner_archive_joins_a_folder_that_is_there(unpack):
    both = {"train/1.tif": b"1", "train/2.tif": b"2"}
    outer = pack(
        {"train.zip": pack({"train/2.tif": b"2", "train/1.tif": b"1"}), "train/1.tif": b"1"}
    )
    assert unpack(outer) == both


def test_unpack_archive_file_twice_and_different_is_refused(unpack):
    outer = pack({"train.zip": pack({"1.tif": b"new"}), "train/1.tif": b"old"})
    assert fault_of(unpack, outer) == "1.tif: stands twice in the archive, and differs"


@pytest.mark.parametrize("packer", [pack, pack_tar])
@pytest.mark.parametrize("name", ["../evil", "a/../../evil", "/evil"])
def test_unpack_archive_never_leaves_its_folder(unpack, tmp_path, packer, name):
    before = set(tmp_path.parent.iterdir())
    said = fault_of(unpack, packer({name: b"!"}))
    assert said == f"data.zip: refused, as it leaves its folder: {name!r}"
    assert set(tmp_path.parent.iterdir()) == before
    assert list((tmp_path / "out").iterdir()) == []


def test_unpack_archive_inner_archive_never_leaves_its_folder(unpack, tmp_path):
    said = fault_of(unpack, pack({"train.zip": pack({"../evil": b"!"})}))
    assert said == "data.zip, train.zip: refused, as it leaves its folder: '../evil'"
    assert not list(tmp_path.rglob("evil"))


def test_unpack_archive_link_out_of_the_folder_is_refused(unpack):
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "../../elsewhere"
        archive.addfile(link)
    assert fault_of(unpack, content.getvalue()).startswith("data.zip: refused: 'link' would link")


@pytest.mark.parametrize("packer", [pack, pack_tar])
def test_unpack_archive_cut_off_is_refused(unpack, packer):
    content = packer({f"{i}": bytes(range(256)) * 9 for i in range(99)})
    assert fault_of(unpack, content[:-700]).startswith("data.zip: a damaged or cut-off archive")


def test_unpack_archive_damaged_inside_is_refused(unpack):
    content = bytearray(pack({"1.tif": bytes(range(256))}))
    content[60] ^= 255
    assert fault_of(unpack, bytes(content)).startswith("data.zip: a damaged or cut-off archive (")


def test_unpack_archive_of_another_kind_is_refused(unpack):
    assert fault_of(unpack, b"<html>log in first</html>") == (
        "data.zip: expected a zip or tar archive, got b'<html>log in first</html>'..."
    )
