import hashlib
import string
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import InputError
from pipeline.kaggle.client import Result
from pipeline.kaggle.ledger import (
    COLUMNS,
    append_upload,
    enter_results,
    file_digest,
    read_ledger,
)

UPLOAD = {
    "time": "2026-11-24T01:00:00Z",
    "competition": "nerves",
    "ref": 1,
    "sha256": "ab",
    "message": "first",
    "revision": "cd+dirty",
    "params_sha256": "ef",
    "nested_score": 0.5,
}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "submissions" / "ledger.csv"


def test_file_digest_is_sha256(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert file_digest(tmp_path / "a") == hashlib.sha256(b"abc").hexdigest()


def test_file_digest_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"a: can't be read: No such file"):
        file_digest(tmp_path / "a")


def test_append_upload_writes_a_header_and_blank_scores(path):
    append_upload(path, UPLOAD)
    append_upload(path, UPLOAD | {"ref": 2, "nested_score": None, "revision": None})
    assert path.read_text() == (
        "time,competition,ref,sha256,message,revision,params_sha256,nested_score,public_score,"
        "private_score\n"
        "2026-11-24T01:00:00Z,nerves,1,ab,first,cd+dirty,ef,0.500000,,\n"
        "2026-11-24T01:00:00Z,nerves,2,ab,first,,ef,,,\n"
    )


def test_enter_results_fills_in_the_rows_of_the_competition(path):
    for ref, competition in ((1, "nerves"), (2, "nerves"), (1, "salt"), (3, "nerves")):
        append_upload(path, UPLOAD | {"ref": ref, "competition": competition})
    results = {1: Result(0.7, None, None), 3: Result(0.8, 0.75, None), 9: Result(1.0, 1.0, None)}
    enter_results(path, "nerves", results)
    table = read_ledger(path)
    assert table["public_score"].tolist() == [0.7, pd.NA, pd.NA, 0.8]
    assert table["private_score"].tolist() == [pd.NA, pd.NA, pd.NA, 0.75]


@settings(max_examples=30)  # each waits for the disk
@given(
    message=st.text(string.printable.rstrip(string.whitespace) + " µ", min_size=1),
    nested=st.none() | st.integers(0, 10**6).map(lambda millionths: millionths / 10**6),
    ref=st.integers(1, 2**40),
)
def test_read_ledger_returns_what_was_appended(message, nested, ref):
    upload = UPLOAD | {"message": message, "nested_score": nested, "ref": ref}
    with TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.csv"
        append_upload(path, upload)
        append_upload(path, UPLOAD)
        table = read_ledger(path)
    observed = table.iloc[0].to_dict()
    expected = {"public_score": None, "private_score": None, **upload}
    assert {key: None if value is pd.NA else value for key, value in observed.items()} == expected


def test_read_ledger_without_a_file_is_empty(path):
    assert read_ledger(path).empty
    assert list(read_ledger(path)) == list(COLUMNS)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "can't be read as a ledger: No columns"),
        ("a,b\n1,2\n", "expected the columns"),
        (",".join(COLUMNS) + "\n" + ",,x,,,,,,,\n", "can't be read as a ledger: "),
    ],
)
def test_append_upload_to_a_damaged_ledger_is_refused(path, text, message):
    path.parent.mkdir()
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        append_upload(path, UPLOAD)
    assert path.read_text() == text
