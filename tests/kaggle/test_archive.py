import pytest
from requests.exceptions import ConnectionError as NoConnection

from pipeline.errors import InputError
from pipeline.kaggle.archive import download_archive
from tests.kaggle.stand_in import install, refusal


@pytest.fixture
def client(monkeypatch):
    return install(monkeypatch)


def fault_of(client, folder):
    with pytest.raises(InputError) as caught:
        download_archive(client, "nerves", folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_download_archive_returns_the_file(client, tmp_path, capsys):
    client.archives = [b"a zip"]
    path = download_archive(client, "nerves", tmp_path)
    assert (path, path.read_bytes()) == (tmp_path / "nerves.zip", b"a zip")
    assert client.downloads == ["nerves"]
    assert capsys.readouterr().out == ""  # what the client prints is no result


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (401, "Kaggle refuses the token (no); make a token on https://www.kaggle.com/"),
        (
            403,
            "nerves: Kaggle refuses (no); accept the rules on"
            " https://www.kaggle.com/competitions/nerves/rules, or correct kaggle: NAME",
        ),
        (
            404,
            "nerves: Kaggle knows no such competition that has files; correct kaggle: NAME in"
            " the competition's spec",
        ),
        (429, "nerves: Kaggle is asked too often (no); try again in an hour"),
        (500, "nerves: Kaggle answers 500: no"),
    ],
)
def test_download_archive_refusal_says_what_to_do(client, tmp_path, status, expected):
    client.archives = [refusal(status)]
    assert fault_of(client, tmp_path).startswith(expected)


def test_download_archive_broken_connection_keeps_what_came(client, tmp_path):
    client.archives = [NoConnection("reset")]
    assert fault_of(client, tmp_path) == "Kaggle can't be reached, try again: reset"
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["nerves.zip", "nerves.zip.kaggle-partial"]


def test_download_archive_of_another_length_is_discarded(client, tmp_path):
    client.archives = [ValueError("size (3) does not match expected size (4)")]
    assert fault_of(client, tmp_path) == (
        "nerves: size (3) does not match expected size (4); discarded, try again"
    )
    assert list(tmp_path.iterdir()) == []


def test_download_archive_of_an_unknown_kind_is_told(client, tmp_path, monkeypatch):
    def write(competition, path, quiet):
        (tmp_path / "nerves.7z").touch()

    monkeypatch.setattr(client, "competition_download_files", write)
    expected = "nerves: expected one archive from Kaggle, got ['nerves.7z']"
    assert fault_of(client, tmp_path) == expected
