"""Kaggle's official client: signed in, a submission uploaded, its score asked for.

The package is the extra ``[kaggle]`` and imported where it is used alone.
"""

import io
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pipeline.errors import InputError

TOKEN_HELP = (
    "make a token on https://www.kaggle.com/settings/api and save it as ~/.kaggle/access_token,"
    " or run: kaggle auth login"
)
_OFFERS = {"submissions": "takes submissions", "files": "has files"}
_LISTED = 100  # submissions that are asked for at a time, the newest first
_OF_LIMITS = re.compile("allowance|limit|maximum", re.IGNORECASE)


class Result(NamedTuple):
    """What became of a submission; scores are None where the competition hides them."""

    public: float | None
    private: float | None
    fault: str | None  # why Kaggle can't score it


def open_client() -> Any:
    """Return an authenticated ``KaggleApi``.

    Raises
    ------
    InputError
        The package or the token is missing, or Kaggle can't be reached.
    """
    try:
        # Without a token the client prints a page of help and exits.
        with redirect_stdout(io.StringIO()), explained("Kaggle"):
            from kaggle import api

            api.authenticate()
    except ImportError as error:
        raise InputError(f"{error}; run: pip install -e .[kaggle]") from error
    except SystemExit as error:
        raise InputError(f"Kaggle: no valid token; {TOKEN_HELP}") from error
    return api


def upload_submission(client: Any, competition: str, path: Path, message: str) -> int:
    """Upload a file and hand it in.

    Parameters
    ----------
    client : KaggleApi
        From `open_client`.
    competition : str
        Its name in ``kaggle.com/competitions/NAME``.

    Returns
    -------
    int
        Kaggle's number of the submission.

    Raises
    ------
    InputError
        The day's submissions are used up, the rules are not accepted, the name is wrong, or the
        connection broke.
    """
    allowed = None
    with suppress(InputError), explained(competition):  # what is wrong, the upload says itself
        limits = client.competition_get_submission_limits(competition)
        allowed = limits.num_allowed_now if limits.num_today else None  # 0 before the first team
    if allowed == 0:
        raise InputError(_explain(competition, 429, f"{limits.num_today} made", "submissions"))
    told = io.StringIO()  # the client prints why an upload breaks off
    with explained(competition), redirect_stdout(told):
        response = client.competition_submit(str(path), message, competition, quiet=True)
    if not response.ref:
        reason = " ".join(f"{told.getvalue()} {response.message}".split())
        raise InputError(f"{path}: not uploaded, try again: {reason}")
    return response.ref


def read_results(client: Any, competition: str) -> dict[int, Result]:
    """Return what became of the newest submissions, by their numbers; without those in work.

    Raises
    ------
    InputError
        As in `upload_submission`.
    """
    with explained(competition):
        submissions = client.competition_submissions(competition, page_size=_LISTED)
    results = {}
    for submission in submissions:
        scores = map(_number, (submission.public_score, submission.private_score))
        if submission.status.name == "COMPLETE":
            results[submission.ref] = Result(*scores, None)
        elif submission.status.name == "ERROR":
            results[submission.ref] = Result(*scores, submission.error_description or "no reason")
    return results


def wait_for_result(
    client: Any,
    competition: str,
    ref: int,
    *,
    timeout: float,
    interval: float,
    advance: Callable[[float], None] = lambda seconds: None,
) -> Result | None:
    """Ask what became of a submission until Kaggle is done with it.

    A connection that breaks meanwhile is no reason to stop.

    Parameters
    ----------
    ref : int
        From `upload_submission`.
    timeout, interval : float
        Seconds, in all and between two questions.
    advance : callable
        Called with the seconds that went by.

    Returns
    -------
    Result or None
        None where the time was up.
    """
    deadline = time.monotonic() + timeout
    while True:
        with suppress(InputError):
            results = read_results(client, competition)
            if ref in results:
                return results[ref]
        if time.monotonic() + interval > deadline:
            return None
        time.sleep(interval)
        advance(interval)


def _number(score: str) -> float | None:
    return float(score) if score else None


@contextmanager
def explained(
    competition: str, *, offer: Literal["submissions", "files"] = "submissions"
) -> Iterator[None]:
    """Turn what Kaggle or the network refuses into one line that says what to do.

    Parameters
    ----------
    competition : str
        Its name in ``kaggle.com/competitions/NAME``.
    offer : {"submissions", "files"}
        What Kaggle is asked to take or to give.
    """
    from requests.exceptions import HTTPError, RequestException

    try:
        yield
    except HTTPError as error:
        status = error.response.status_code
        raise InputError(_explain(competition, status, str(error), offer)) from error
    except RequestException as error:
        reason = " ".join(str(error).split())
        raise InputError(f"Kaggle can't be reached, try again: {reason}") from error


def _explain(competition: str, status: int, said: str, offer: str) -> str:
    said = " ".join(said.split())
    page = "https://www.kaggle.com/competitions/"
    if status == 401:
        return f"Kaggle refuses the token ({said}); {TOKEN_HELP}"
    if status == 403:  # also of a name that no competition has
        return (
            f"{competition}: Kaggle refuses ({said}); accept the rules on"
            f" {page}{competition}/rules, or correct kaggle: NAME in the competition's spec"
        )
    if status == 404:
        return (
            f"{competition}: Kaggle knows no such competition that {_OFFERS[offer]}; correct"
            f" kaggle: NAME in the competition's spec, as in {page}NAME"
        )
    if status == 429 and offer == "files":
        return f"{competition}: Kaggle is asked too often ({said}); try again in an hour"
    if status == 429 or (status == 400 and _OF_LIMITS.search(said)):
        return f"{competition}: no more submissions today ({said}); upload after midnight UTC"
    return f"{competition}: Kaggle answers {status}: {said}"
