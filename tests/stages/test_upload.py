import json
import re
import subprocess

import pandas as pd
import pytest

from pipeline.competitions.spec import known_specs
from pipeline.errors import InputError
from pipeline.kaggle.ledger import file_digest, read_ledger
from pipeline.params import load_params
from pipeline.stages import upload
from pipeline.stages.upload import git_revision, kaggle_name, nested_score, run
from tests.kaggle.stand_in import install, refusal, submission

BOX = (0, 0, 4, 5)
LATER = "see its score later by: pipeline ledger --update"


@pytest.fixture
def project(paths, submit, monkeypatch):
    """A project of a competition at Kaggle, with a submission and scores, outside of git."""
    spec = paths.root / "nerves.yaml"
    spec.write_text(known_specs()["sample"].read_text() + "kaggle: nerves\n")
    text = paths.params.read_text()
    paths.params.write_text(re.sub("competition: sample.*", f"competition: {spec}", text))
    paths.submission.parent.mkdir()
    submit("submissions/submission.csv", {"1": BOX})
    paths.metrics.parent.mkdir(exist_ok=True)
    paths.metrics.write_text(json.dumps({"nested_score": 0.6}))
    monkeypatch.setattr(upload, "POLL_SECONDS", 0.001)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(paths.root.parent))
    return paths


@pytest.fixture
def client(monkeypatch):
    return install(monkeypatch)


def upload_in(project, file=None, *, message="first", timeout=60, again=False):
    params = load_params(project.params)
    return run(params, project, file, message=message, timeout=timeout, again=again)


def fault_of(project, **options):
    with pytest.raises(InputError) as caught:
        upload_in(project, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_run_enters_what_was_uploaded_and_its_scores(project, client):
    client.listings = [[submission(77, "PENDING")], *client.listings]
    expected = f"{project.submission}: uploaded as 77: public 0.71000, private 0.70000,"
    assert upload_in(project, message="one\ntwo") == f"{expected} nested 0.60000"
    assert client.uploads == [(str(project.submission), "one two", "nerves")]
    (row,) = read_ledger(project.ledger).to_dict("records")
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ", row.pop("time"))
    assert pd.isna(row.pop("revision"))
    assert row == {
        "competition": "nerves",
        "ref": 77,
        "sha256": file_digest(project.submission),
        "message": "one two",
        "params_sha256": file_digest(project.params),
        "nested_score": 0.6,
        "public_score": 0.71,
        "private_score": 0.7,
    }


def test_run_submission_that_fails_its_check_is_not_uploaded(project, client):
    project.submission.write_text("img,pixels\n1,\n2,\n3,\n")
    assert fault_of(project) == f"{project.submission}: expected 4 ids, 10 missing"
    assert client.uploads == []
    assert not project.ledger.exists()


def test_run_same_file_needs_again(project, client):
    upload_in(project)
    time = read_ledger(project.ledger)["time"][0]
    assert fault_of(project, message="second") == (
        f"{project.submission}: uploaded before, {time} (first); --again repeats it"
    )
    assert len(client.uploads) == 1
    upload_in(project, message="second", again=True)
    assert read_ledger(project.ledger)["message"].tolist() == ["first", "second"]


def test_run_copy_of_the_file_is_the_same_file(project, client):
    upload_in(project)
    copy = project.root / "copy.csv"
    copy.write_bytes(project.submission.read_bytes())
    assert fault_of(project, file=copy).startswith(f"{copy}: uploaded before, ")


def test_run_refused_upload_is_not_entered(project, client):
    client.answers = [refusal(403)]
    assert fault_of(project).startswith("nerves: Kaggle refuses (no); accept the rules on ")
    assert not project.ledger.exists()


def test_run_interrupted_wait_says_how_to_look_later(project, client):
    client.listings = [KeyboardInterrupt()]
    assert upload_in(project) == f"{project.submission}: uploaded as 77; {LATER}"
    row = read_ledger(project.ledger).iloc[0]
    assert row["ref"] == 77
    assert pd.isna(row["public_score"])


def test_run_without_a_score_in_time_says_how_to_look_later(project, client):
    client.listings = [[submission(77, "PENDING")]]
    assert upload_in(project, timeout=0) == (
        f"{project.submission}: uploaded as 77, not scored after 0 seconds; {LATER}"
    )
    assert len(read_ledger(project.ledger)) == 1


def test_run_submission_that_kaggle_cannot_score_is_entered(project, client):
    client.listings = [[submission(77, "ERROR", fault="ids missing")]]
    assert fault_of(project) == (
        f"{project.submission}: uploaded as 77, but Kaggle can't score it: ids missing"
    )
    assert len(read_ledger(project.ledger)) == 1


def test_run_hidden_scores_are_told(project, client):
    project.metrics.unlink()
    client.listings = [[submission(77)]]
    assert upload_in(project).endswith("uploaded as 77: scored, but Kaggle hides the score")


def test_run_damaged_ledger_is_told_before_the_upload(project, client):
    project.ledger.write_text("mine\n1\n")
    assert fault_of(project).startswith(f"{project.ledger}: expected the columns ")
    assert client.uploads == []


def test_kaggle_name_of_a_spec_without_one_is_refused(params):
    with pytest.raises(InputError, match=r"names none at Kaggle \(kaggle: NAME\)"):
        kaggle_name(params)


def test_kaggle_name_of_the_home_competition(params):
    nerve = params.model_copy(update={"competition": "ultrasound-nerve"})
    assert kaggle_name(nerve) == "ultrasound-nerve-segmentation"


def test_nested_score_of_another_file_is_none(project):
    assert nested_score(project, file_digest(project.submission)) == 0.6
    assert nested_score(project, "another") is None


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"nested_score": "high"}'])
def test_nested_score_of_damaged_metrics_is_refused(project, text):
    project.metrics.write_text(text)
    with pytest.raises(InputError, match=r"metrics.json: damaged \(.*\); run: pipeline tune"):
        nested_score(project, file_digest(project.submission))


def git(folder, *arguments):
    identity = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    command = ["git", "-C", str(folder), *identity, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_git_revision_is_dirty_where_files_but_the_ledger_changed(project):
    assert git_revision(project) is None
    git(project.root, "init", "-q")
    git(project.root, "add", "--all")
    git(project.root, "commit", "-qm", "first")
    head = git(project.root, "rev-parse", "HEAD")
    project.ledger.write_text("new\n")
    assert git_revision(project) == head
    (project.root / "new.py").touch()
    assert git_revision(project) == f"{head}+dirty"


def test_git_revision_without_git_is_none(project, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert git_revision(project) is None
