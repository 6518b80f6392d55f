"""Upload a submission to Kaggle and enter it in the ledger."""

import json
import subprocess
from datetime import datetime, timezone
from pathlib import Path

from pipeline.competitions.spec import load_spec
from pipeline.errors import InputError
from pipeline.kaggle.client import open_client, upload_submission, wait_for_result
from pipeline.kaggle.ledger import append_upload, enter_results, file_digest, read_ledger
from pipeline.params import Params
from pipeline.paths import Paths
from pipeline.progress import progress_bar
from pipeline.stages.submit import check

POLL_SECONDS = 5
_LATER = "see its score later by: pipeline ledger --update"


def run(
    params: Params,
    paths: Paths,
    submission: Path | None,
    *,
    message: str,
    timeout: int,
    again: bool,
) -> str:
    """Check and upload a submission, enter it, and wait for its score; return what it scored.

    The ledger has the upload as soon as Kaggle has it; whoever stops waiting loses nothing.

    Raises
    ------
    InputError
        The submission is at fault or was uploaded before, or Kaggle refuses it.
    """
    competition, message = kaggle_name(params), " ".join(message.split())
    submission = submission or paths.submission
    check(params, paths, submission)
    digest = file_digest(submission)
    before = read_ledger(paths.ledger).query("sha256 == @digest and competition == @competition")
    if len(before) and not again:
        last = before.iloc[-1]
        raise InputError(
            f"{submission}: uploaded before, {last['time']} ({last['message']}); --again repeats it"
        )
    upload = {
        "competition": competition,
        "sha256": digest,
        "message": message,
        "revision": git_revision(paths),
        "params_sha256": file_digest(paths.params),
        "nested_score": nested_score(paths, digest),
    }
    client = open_client()
    ref = upload_submission(client, competition, submission, message)
    now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    append_upload(paths.ledger, {"time": now, "ref": ref, **upload})
    done = f"{submission}: uploaded as {ref}"
    options = {"timeout": timeout, "interval": POLL_SECONDS}
    try:
        with progress_bar("Seconds for the score", timeout) as advance:
            result = wait_for_result(client, competition, ref, advance=advance, **options)
    except KeyboardInterrupt:
        return f"{done}; {_LATER}"
    if result is None:
        return f"{done}, not scored after {timeout} seconds; {_LATER}"
    if result.fault is not None:
        raise InputError(f"{done}, but Kaggle can't score it: {result.fault}")
    enter_results(paths.ledger, competition, {ref: result})
    known = {"public": result.public, "private": result.private, "nested": upload["nested_score"]}
    scores = (f"{name} {score:.5f}" for name, score in known.items() if score is not None)
    return f"{done}: {', '.join(scores) or 'scored, but Kaggle hides the score'}"


def kaggle_name(params: Params) -> str:
    """Return the competition's name at Kaggle; InputError where its spec has none."""
    spec = load_spec(params.competition)
    if spec.kaggle is None:
        raise InputError(
            f"competition: the spec of {spec.title} names none at Kaggle (kaggle: NAME)"
        )
    return spec.kaggle


def nested_score(paths: Paths, digest: str) -> float | None:
    """Return the nested out-of-fold score of the project's own submission.

    None where the file with this digest is another one, or `pipeline tune` did not run here: a
    score of other networks would mislead.
    """
    if not paths.submission.exists() or file_digest(paths.submission) != digest:
        return None
    try:
        return float(json.loads(paths.metrics.read_text())["nested_score"])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{paths.metrics}: damaged ({error!r}); run: pipeline tune") from error


def git_revision(paths: Paths) -> str | None:
    """Return the commit of the project folder, "+dirty" where files changed; None outside of git.

    The ledger itself changes with every upload and doesn't count.
    """
    ledger = paths.ledger.relative_to(paths.root).as_posix()
    revision = _git(paths, "rev-parse", "HEAD")
    if revision is None:
        return None
    changes = _git(paths, "status", "--porcelain", "--", ":/", f":(exclude){ledger}")
    return f"{revision}+dirty" if changes else revision


def _git(paths: Paths, *arguments: str) -> str | None:
    command = ["git", "-C", str(paths.root), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:  # no git
        return None
    return done.stdout.strip() if done.returncode == 0 else None
