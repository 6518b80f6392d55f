import hashlib

import pytest

from pipeline.dataset import fetch
from pipeline.dataset.fetch import fetch_file
from pipeline.errors import InputError
from tests.site import serve

CONTENT = bytes(range(256)) * 40  # 10,240 bytes


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(fetch, "PAUSE", 0.001)
    monkeypatch.setattr(fetch, "CHUNK", 500)
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def site():
    with serve(CONTENT) as site:
        yield site


@pytest.fixture
def path(tmp_path):
    return tmp_path / "archive"


def fault_of(*arguments, **options):
    with pytest.raises(InputError) as caught:
        fetch_file(*arguments, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def ranges(site):
    return [request.get("Range") for request in site.requests]


def test_fetch_file_is_complete_and_shows_how_far_it_is(site, path):
    shown = []
    fetch_file(site.url, path, show=lambda *counts: shown.append(counts))
    assert path.read_bytes() == CONTENT
    assert shown[-1] == (10240, 10240)
    assert ranges(site) == [None]


def test_fetch_file_cut_connection_goes_on_where_it_was(site, path):
    site.cuts = [4000, 1000]
    fetch_file(site.url, path)
    assert path.read_bytes() == CONTENT
    assert ranges(site) == [None, "bytes=4000-", "bytes=5000-"]
    assert site.requests[1]["If-Range"] == '"one"'


def test_fetch_file_without_ranges_starts_again(site, path):
    site.cuts, site.knows_ranges = [4000], False
    fetch_file(site.url, path)
    assert path.read_bytes() == CONTENT
    assert ranges(site) == [None, "bytes=4000-"]


@pytest.mark.parametrize("tag", [None, 'W/"one"'])
def test_fetch_file_without_a_strong_validator_starts_again(site, path, tag):
    # Nothing tells then whether the rest is that of the same file.
    site.cuts, site.tag = [4000], tag
    fetch_file(site.url, path)
    assert path.read_bytes() == CONTENT
    assert ranges(site) == [None, None]


def test_fetch_file_that_changed_meanwhile_starts_again(site, path):
    site.cuts = [4000] * fetch.ATTEMPTS
    site.cuts[1:] = [0] * (fetch.ATTEMPTS - 1)
    expected = f"{site.url}: broke off after 4000 bytes; the same command goes on there: "
    assert fault_of(site.url, path).startswith(expected)
    site.content, site.tag = CONTENT[::-1], '"two"'
    fetch_file(site.url, path)
    assert path.read_bytes() == CONTENT[::-1]


def test_fetch_file_next_call_goes_on(site, path):
    site.cuts = [4000] + [0] * (fetch.ATTEMPTS - 1)
    fault_of(site.url, path)
    fetch_file(site.url, path)
    assert path.read_bytes() == CONTENT
    assert ranges(site)[-1] == "bytes=4000-"


def test_fetch_file_that_is_there_is_not_sent_again(site, path):
    fetch_file(site.url, path)
    fetch_file(site.url, path)
    assert path.read_bytes() == CONTENT
    assert ranges(site) == [None, "bytes=10240-"]  # answered by 416


def test_fetch_file_longer_than_the_servers_starts_again(site, path):
    fetch_file(site.url, path)
    site.content = CONTENT[:500]
    fetch_file(site.url, path)
    assert path.read_bytes() == CONTENT[:500]


def test_fetch_file_of_another_address_starts_again(site, path):
    fetch_file(site.url, path)
    fetch_file(f"{site.url}?new", path)
    assert ranges(site) == [None, None]


def test_fetch_file_busy_server_is_asked_again(site, path):
    site.statuses = [503, 429]
    fetch_file(site.url, path)
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (404, "no such file there (HTTP 404 Not Found); correct archive: url in the"),
        (403, "the server refuses to give it without an account (HTTP 403 Forbidden); correct"),
        (416, "the server answers HTTP 416 Requested Range Not Satisfiable; try again later"),
        (418, "the server answers HTTP 418 I'm a Teapot; try again later"),
    ],
)
def test_fetch_file_refusal_is_told_at_once(site, path, status, said):
    site.statuses = [status]
    assert fault_of(site.url, path).startswith(f"{site.url}: {said}")
    assert len(site.requests) == 1
    assert not path.exists()


def test_fetch_file_server_that_stays_busy_is_told(site, path):
    site.statuses = [503] * fetch.ATTEMPTS
    assert fault_of(site.url, path) == (
        f"{site.url}: the server answers HTTP 503 Service Unavailable; try again later"
    )


def test_fetch_file_nobody_listening_is_told(path):
    with serve() as site:
        url = site.url
    assert fault_of(url, path).startswith(f"{url}: can't be fetched, try again: ")


def test_fetch_file_checks_the_digest(site, path):
    fetch_file(site.url, path, sha256=hashlib.sha256(CONTENT).hexdigest())
    assert path.read_bytes() == CONTENT


def test_fetch_file_of_another_digest_is_discarded(site, path):
    said = fault_of(site.url, path, sha256="0" * 64)
    came = hashlib.sha256(CONTENT).hexdigest()
    assert said == f"{site.url}: expected the SHA-256 {'0' * 64}, got {came}; discarded"
    assert list(path.parent.iterdir()) == []


def test_fetch_file_of_another_length_is_discarded(site, path):
    site.cuts, site.whole = [4000], 20000
    assert fault_of(site.url, path) == f"{site.url}: expected 20000 bytes, got 10240; discarded"
    assert list(path.parent.iterdir()) == []


def test_fetch_file_of_unknown_length_is_taken_as_it_comes(site, path):
    site.tells_length = False
    shown = []
    fetch_file(site.url, path, show=lambda *counts: shown.append(counts))
    assert shown[-1] == (10240, None)


def test_fetch_file_asks_for_the_bytes_themselves(site, path):
    # A body that is compressed on the way can't go on at a position of the file.
    fetch_file(site.url, path)
    assert site.requests[0]["Accept-Encoding"] == "identity"
