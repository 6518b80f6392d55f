import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import filelock
import pytest
from requests.exceptions import ConnectionError as NoConnection

from pipeline.competitions.spec import known_specs
from pipeline.dataset import fetch
from pipeline.errors import InputError
from pipeline.params import load_params
from pipeline.paths import Paths
from pipeline.stages.download import run
from pipeline.stages.init import run as init
from tests.kaggle.stand_in import install, refusal
from tests.site import pack, serve

DATA = "data/raw/mine"
FILES = {
    "top/set/train/1_1.tif": b"image",
    "top/set/train/1_1_mask.tif": b"mask",
    "top/set/test/1.tif": b"test",
    "top/README": b"not data",
}
FETCHED = {"train/1_1.tif": b"image", "train/1_1_mask.tif": b"mask", "test/1.tif": b"test"}
PARTS = Path("data/raw/.partial-mine.archive")


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(fetch, "PAUSE", 0.001)
    monkeypatch.setattr(fetch, "CHUNK", 100)
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def site():
    with serve(pack(FILES)) as site:
        yield site


@pytest.fixture
def paths(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return Paths(Path())


def write_spec(paths, source):
    Path("mine.yaml").write_text(known_specs()["sample"].read_text() + source)
    init(paths, "mine.yaml", data_dir=None, device=None)


@pytest.fixture
def project(paths, site):
    """A project whose spec names the site's archive."""
    write_spec(paths, f"archive: {{url: '{site.url}', folder: top/set}}\n")
    return paths


def download(paths, *, force=False):
    return run(load_params(paths.params), paths, force=force)


def fault_of(paths, **options):
    before = read_files(Path(DATA))
    with pytest.raises(InputError) as caught:
        download(paths, **options)
    assert "\n" not in str(caught.value)
    assert read_files(Path(DATA)) == before
    return str(caught.value)


def read_files(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_run_puts_the_archives_folder_in_place(project):
    assert download(project) == (
        f"{DATA}: 1 training images with masks, 1 test images\nnext: dvc repro"
    )
    assert read_files(Path(DATA)) == FETCHED
    assert [path.name for path in Path("data/raw").iterdir()] == ["mine"]


def test_run_cut_connection_goes_on(project, site):
    site.cuts = [100, 100]
    download(project)
    assert read_files(Path(DATA)) == FETCHED
    assert [request.get("Range") for request in site.requests] == [
        None,
        "bytes=100-",
        "bytes=200-",
    ]


def test_run_that_broke_off_goes_on_at_the_next_call(project, site):
    site.cuts = [100] + [0] * (fetch.ATTEMPTS - 1)
    assert fault_of(project).startswith(f"{site.url}: broke off after 100 bytes; the same command")
    assert (PARTS / "archive").stat().st_size == 100
    download(project)
    assert site.requests[-1]["Range"] == "bytes=100-"
    assert read_files(Path(DATA)) == FETCHED
    assert not PARTS.exists()


def test_run_refused_leaves_nothing(project, site):
    site.statuses = [404]
    assert fault_of(project).startswith(f"{site.url}: no such file there (HTTP 404 Not Found)")
    assert list(Path("data/raw").iterdir()) == []


def test_run_wrong_digest_leaves_nothing(paths, site):
    write_spec(paths, f"archive: {{url: '{site.url}', sha256: '{'0' * 64}'}}\n")
    assert fault_of(paths).startswith(f"{site.url}: expected the SHA-256 {'0' * 64}, got ")
    assert list(Path("data/raw").iterdir()) == []


def test_run_files_that_are_there_need_force(project):
    Path(DATA).mkdir(parents=True)
    (Path(DATA) / "mine.txt").write_text("x")
    assert fault_of(project) == f"{DATA}: holds files already; --force replaces them"
    download(project, force=True)
    assert read_files(Path(DATA)) == FETCHED


@pytest.mark.parametrize("force", [False, True])
def test_run_archive_that_does_not_fit_keeps_the_old_files(project, site, force):
    if force:
        Path(DATA).mkdir(parents=True)
        (Path(DATA) / "old").write_text("x")
    site.content = pack({name: data for name, data in FILES.items() if "_mask" not in name})
    assert fault_of(project, force=force) == (
        f"{site.url}: doesn't fit the competition's spec: train/1_1.tif: expected its mask"
        " as train/{subject}_{frame}_mask.tif, got none"
    )
    assert (PARTS / "archive").exists()  # the spec may be what is wrong: it's not sent again


def test_run_archive_without_the_folder_is_told(project, site):
    site.content = pack({"other/train/1_1.tif": b""})
    assert fault_of(project).endswith(
        "spec: train: no such folder; expected files train/{subject}_{frame}.tif in the archive"
    )


@pytest.mark.parametrize("content", [b"<html></html>", pack({"../evil": b"!"}), pack(FILES)[:-50]])
def test_run_damaged_or_evil_archive_is_discarded(project, site, content):
    site.content = content
    assert fault_of(project).startswith(f"{site.url}: ")
    assert list(Path("data/raw").iterdir()) == []
    assert not list(Path().rglob("evil"))


def test_run_through_a_link_keeps_the_link(project, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    Path("data/raw").mkdir(parents=True, exist_ok=True)
    Path(DATA).symlink_to(disk)
    download(project)
    assert Path(DATA).is_symlink()
    assert read_files(disk) == FETCHED


@pytest.mark.parametrize("data_dir", [".", "data"])
def test_run_never_replaces_the_project(project, data_dir):
    text = project.params.read_text()
    project.params.write_text(re.sub("data_dir: .*", f"data_dir: {data_dir}", text))
    said = f"data_dir: {Path(data_dir)} holds the project itself; name a folder of its own"
    assert fault_of(project, force=True) == said


def test_run_spec_without_a_source_is_told(paths):
    init(paths, "sample", data_dir=None, device=None)
    assert fault_of(paths) == (
        "competition: the spec of Embedded sample (synthetic ultrasound) names nothing to download"
        " (kaggle: NAME, or archive: {url: ...})"
    )


def test_run_second_process_is_refused(project):
    PARTS.mkdir(parents=True)
    with filelock.FileLock(PARTS / "lock"):
        assert fault_of(project).endswith("another process is downloading there")


# Kaggle


@pytest.fixture
def client(monkeypatch):
    client = install(monkeypatch)
    inner = {name.removeprefix("top/set/"): data for name, data in FILES.items()}
    train = {name.removeprefix("train/"): data for name, data in inner.items() if "train" in name}
    client.archives = [pack({"train.zip": pack(train), "test/1.tif": b"test"})]
    return client


@pytest.fixture
def at_kaggle(paths):
    write_spec(paths, "kaggle: nerves\n")
    return paths


def test_run_from_kaggle_unpacks_inner_archives(at_kaggle, client):
    assert download(at_kaggle).endswith("with masks, 1 test images\nnext: dvc repro")
    assert read_files(Path(DATA)) == FETCHED
    assert client.downloads == ["nerves"]
    assert not PARTS.exists()


def test_run_open_archive_comes_before_kaggle(paths, site, client):
    write_spec(paths, f"kaggle: nerves\narchive: {{url: '{site.url}', folder: top/set}}\n")
    download(paths)
    assert client.downloads == []


def test_run_from_kaggle_without_a_token_leaves_nothing(at_kaggle, client):
    client.signs_in = [SystemExit(1)]
    assert fault_of(at_kaggle).startswith("Kaggle: no valid token; make a token on ")
    assert list(Path("data/raw").iterdir()) == []


def test_run_from_kaggle_rules_not_accepted_says_where(at_kaggle, client):
    client.archives = [refusal(403)]
    assert fault_of(at_kaggle).startswith("nerves: Kaggle refuses (no); accept the rules on ")


def test_run_from_kaggle_that_broke_off_keeps_its_part(at_kaggle, client):
    client.archives = [NoConnection("reset"), *client.archives]
    assert fault_of(at_kaggle) == "Kaggle can't be reached, try again: reset"
    assert (PARTS / "nerves.zip").exists()
    download(at_kaggle)
    assert read_files(Path(DATA)) == FETCHED


# A kill

KILLED_WHILE_UNPACKING = """
import pipeline.stages.download as stage
from pipeline.cli import main
unpack = stage.unpack_archive
def unpack_and_hang(*arguments, **options):
    unpack(*arguments, **options)
    print("unpacked", flush=True)
    __import__("time").sleep(60)
stage.unpack_archive = unpack_and_hang
main(["download", "--force"])
"""


def test_download_killed_half_way_leaves_the_old_folder(project):
    Path(DATA).mkdir(parents=True)
    (Path(DATA) / "old").write_text("x")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", KILLED_WHILE_UNPACKING]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True) as process:
        assert process.stdout.readline() == "unpacked\n"
        process.send_signal(signal.SIGKILL)
    assert read_files(Path(DATA)) == {"old": b"x"}
    download(project, force=True)
    assert read_files(Path(DATA)) == FETCHED
    assert [path.name for path in Path("data/raw").iterdir()] == ["mine"]
