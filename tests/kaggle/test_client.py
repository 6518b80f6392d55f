import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from requests.exceptions import ConnectionError as NoConnection

from pipeline.errors import InputError
from pipeline.kaggle.client import (
    Result,
    open_client,
    read_results,
    upload_submission,
    wait_for_result,
)
from tests.kaggle.stand_in import install, refusal, submission


@pytest.fixture
def client(monkeypatch):
    return install(monkeypatch)


def fault_of(function, *arguments):
    with pytest.raises(InputError) as caught:
        function(*arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def upload(client):
    return upload_submission(client, "nerves", Path("submission.csv"), "first")


def test_open_client_returns_the_packages_own(client):
    assert open_client() is client


def test_open_client_without_the_package_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "kaggle", None)
    assert fault_of(open_client).endswith("run: pip install -e .[kaggle]")


def test_open_client_without_a_token_says_how_to_get_one(client, capsys):
    client.signs_in = [SystemExit(1)]
    assert fault_of(open_client).startswith(
        "Kaggle: no valid token; make a token on https://www.kaggle.com/settings/api"
    )
    assert capsys.readouterr() == ("", "")


def test_open_client_without_a_network_says_so(client):
    client.signs_in = [NoConnection("name not\nresolved")]
    assert fault_of(open_client) == "Kaggle can't be reached, try again: name not resolved"


def test_upload_submission_hands_the_file_in_and_returns_its_number(client):
    assert upload(client) == 77
    assert client.uploads == [("submission.csv", "first", "nerves")]


@pytest.mark.parametrize(
    ("status", "said", "expected"),
    [
        (401, "no", "Kaggle refuses the token (no); make a token on https://www.kaggle.com/"),
        (
            403,
            "You must accept\nthe rules",
            "nerves: Kaggle refuses (You must accept the rules); accept the rules on"
            " https://www.kaggle.com/competitions/nerves/rules",
        ),
        (404, "no", "nerves: Kaggle knows no such competition that takes submissions; correct"),
        (
            400,
            "Your team has used its submission allowance (5 of 5)",
            "nerves: no more submissions today (Your team has used its submission allowance"
            " (5 of 5)); upload after midnight UTC",
        ),
        (429, "slow down", "nerves: no more submissions today (slow down); upload after"),
        (400, "bad file", "nerves: Kaggle answers 400: bad file"),
        (500, "broken", "nerves: Kaggle answers 500: broken"),
    ],
)
def test_upload_submission_refusal_says_what_to_do(client, status, said, expected):
    client.answers = [refusal(status, said)]
    assert fault_of(upload, client).startswith(expected)


def test_upload_submission_beyond_the_days_allowance_sends_nothing(client):
    client.limits = [SimpleNamespace(num_today=5, num_allowed_now=0)]
    expected = "nerves: no more submissions today (5 made); upload after midnight UTC"
    assert fault_of(upload, client) == expected
    assert client.uploads == []


@pytest.mark.parametrize(
    "limits", [SimpleNamespace(num_today=0, num_allowed_now=0), refusal(500, "broken")]
)
def test_upload_submission_of_unknown_allowance_is_tried(client, limits):
    # Before the first submission Kaggle says 0 of everything.
    client.limits = [limits]
    assert upload(client) == 77


def test_upload_submission_that_breaks_off_tells_what_the_client_prints(client, monkeypatch):
    def breaks_off(*arguments, **options):
        print("connection\nreset")
        return SimpleNamespace(ref=0, message="Could not submit")

    monkeypatch.setattr(client, "competition_submit", breaks_off)
    assert fault_of(upload, client) == (
        "submission.csv: not uploaded, try again: connection reset Could not submit"
    )


def test_read_results_leaves_out_what_is_in_work(client):
    client.listings = [
        [
            submission(4, "PENDING"),
            submission(3, public="0.5"),
            submission(2, "ERROR", fault="ids missing"),
            submission(1, "ERROR"),
        ]
    ]
    assert read_results(client, "nerves") == {
        3: Result(0.5, None, None),
        2: Result(None, None, "ids missing"),
        1: Result(None, None, "no reason"),
    }


def wait(client, timeout=60):
    waited = []
    options = {"timeout": timeout, "interval": 0.001, "advance": waited.append}
    return wait_for_result(client, "nerves", 77, **options), len(waited)


def test_wait_for_result_asks_until_the_score_is_there(client):
    pending = [submission(77, "PENDING"), submission(76, public="0.6")]
    client.listings = [[], pending, *client.listings]
    assert wait(client) == (Result(0.71, 0.7, None), 2)


def test_wait_for_result_outlives_a_broken_connection(client):
    client.listings = [NoConnection("reset"), refusal(503), *client.listings]
    assert wait(client) == (Result(0.71, 0.7, None), 2)


def test_wait_for_result_asks_once_where_there_is_no_time(client):
    assert wait(client, timeout=0) == (Result(0.71, 0.7, None), 0)


def test_wait_for_result_gives_up_when_the_time_is_up(client):
    client.listings = [[submission(77, "PENDING")]]
    assert wait(client, timeout=0) == (None, 0)
