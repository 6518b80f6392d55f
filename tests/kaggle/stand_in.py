"""A stand-in for the `kaggle` package, which tests put in its place."""

import sys
from enum import Enum
from pathlib import Path
from types import SimpleNamespace

from requests.exceptions import HTTPError

Status = Enum("Status", ["PENDING", "COMPLETE", "ERROR"])


def submission(ref, status="COMPLETE", public="", private="", fault=""):
    """Return a submission as Kaggle lists it: scores are text, blank where there is none."""
    return SimpleNamespace(
        ref=ref,
        status=Status[status],
        public_score=public,
        private_score=private,
        error_description=fault,
    )


def refusal(status, message="no"):
    """Return the error that the client raises for an answer of this HTTP status."""
    return HTTPError(message, response=SimpleNamespace(status_code=status))


class StandIn:
    """What the pipeline calls of ``KaggleApi``; each list is gone through, its last one stays.

    An exception in place of an answer is raised.
    """

    def __init__(self):
        self.signs_in = [None]
        self.limits = [SimpleNamespace(num_today=1, num_allowed_now=4)]
        self.answers = [SimpleNamespace(ref=77, message="Successfully submitted")]
        self.listings = [[submission(77, public="0.71", private="0.7")]]
        self.uploads = []
        self.archives = [b""]
        self.downloads = []

    def authenticate(self):
        return self._next(self.signs_in)

    def competition_get_submission_limits(self, competition_name):
        return self._next(self.limits)

    def competition_submit(self, file_name, message, competition, quiet=False):
        self.uploads.append((file_name, message, competition))
        return self._next(self.answers)

    def competition_download_files(self, competition, path=None, quiet=True):
        """Write the archive's bytes to the file that the package's own client would."""
        self.downloads.append(competition)
        print(f"Downloading {competition}.zip to {path}")
        file = Path(path) / f"{competition}.zip"
        file.write_bytes(b"a part")
        file.with_name(f"{file.name}.kaggle-partial").touch()
        file.write_bytes(self._next(self.archives))
        file.with_name(f"{file.name}.kaggle-partial").unlink()

    def competition_submissions(self, competition, page_size=20):
        return self._next(self.listings)

    def _next(self, answers):
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, BaseException):
            raise answer
        return answer


def install(monkeypatch):
    """Let ``from kaggle import api`` give a stand-in; return it."""
    client = StandIn()
    monkeypatch.setitem(sys.modules, "kaggle", SimpleNamespace(api=client))
    return client
