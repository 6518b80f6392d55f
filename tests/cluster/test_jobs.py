"""The order of jobs, on workers that do what a script says."""

import os
import signal
import threading
import time

import pytest

from pipeline.cluster.jobs import Finished, Job, Lost, Outcome, Ready, carry_out, run_jobs
from pipeline.errors import InputError


def job(name, function=print, arguments=()):
    return Job(name, function, arguments, None)


class Scripted:
    """Workers whose events come from a list, in which a name stands for who does that job."""

    def __init__(self, *script):
        self.script = list(script)
        self.started, self.released, self.stopped = [], [], 0
        self._doing = {}

    def start(self, worker, job, attempt):
        self.started.append((worker, job.name, attempt))
        self._doing[job.name] = worker

    def wait(self, seconds):
        event = self.script.pop(0)
        worker = self._doing.get(event[0], event[0])
        return [type(event)(worker, *event[1:])]

    def release(self, worker):
        self.released.append(worker)

    def stop(self):
        self.stopped += 1


class Notes:
    """A watcher that keeps what it was told."""

    def __init__(self):
        self.told = []

    def started(self, job, place):
        self.told.append(f"{job.name} on {place}")

    def lost(self, job, reason):
        self.told.append(f"{job.name} lost: {reason}")

    def ended(self, job, outcome):
        self.told.append(f"{job.name} ended: {outcome.error}")

    def look(self):
        pass


def done(name):
    return Finished(name, Outcome(f"{name} done"))


def failed(name):
    return Finished(name, Outcome(error="bad input"))


def node_lost(name):
    return Lost(name, "its node is gone", False)


def crashed(name):
    return Lost(name, "by SIGSEGV", True)


def run(names, *script, **options):
    workers, notes = Scripted(*script), Notes()
    outcomes = run_jobs([job(name) for name in names], workers, notes, **options)
    assert workers.script == []
    assert workers.stopped == 1
    return outcomes, workers, notes


def test_run_jobs_gives_the_next_job_to_the_worker_that_is_free():
    outcomes, workers, notes = run(
        "abc", Ready(0, "x"), Ready(1, "y"), done("b"), done("a"), done("c")
    )
    assert workers.started == [(0, "a", 1), (1, "b", 1), (1, "c", 1)]
    assert notes.told[:2] == ["a on x", "b on y"]
    assert {name: outcome.result for name, outcome in outcomes.items()} == {
        "a": "a done",
        "b": "b done",
        "c": "c done",
    }


def test_run_jobs_releases_workers_as_soon_as_nothing_waits_for_them():
    _, workers, _ = run("ab", Ready(0, "x"), Ready(1, "y"), Ready(2, "z"), done("a"), done("b"))
    assert workers.released == [2, 0]  # the last to end is stopped with the rest


def test_run_jobs_a_failure_leaves_the_others_running():
    outcomes, _, notes = run("ab", Ready(0, "x"), failed("a"), done("b"))
    assert outcomes["a"].error == "bad input"
    assert outcomes["b"].result == "b done"
    assert "a ended: bad input" in notes.told


def test_run_jobs_without_keep_going_ends_at_the_first_failure():
    outcomes, workers, _ = run("abc", Ready(0, "x"), failed("a"), keep_going=False)
    assert list(outcomes) == ["a"]
    assert workers.started == [(0, "a", 1)]


def test_run_jobs_lost_job_goes_on_before_those_that_wait():
    outcomes, workers, notes = run(
        "abc",
        Ready(0, "x"),
        Ready(1, "y"),
        node_lost("a"),
        done("b"),
        Ready(2, "z"),
        done("a"),
        done("c"),
    )
    assert workers.started == [(0, "a", 1), (1, "b", 1), (1, "a", 2), (2, "c", 1)]
    assert "a lost: its node is gone" in notes.told
    assert all(outcome.error is None for outcome in outcomes.values())


def test_run_jobs_lost_nodes_never_are_the_jobs_fault():
    script = [event for i in range(9) for event in (Ready(i, "x"), node_lost("a"))]
    outcomes, workers, _ = run("a", *script, Ready(9, "x"), done("a"))
    assert workers.started[-1] == (9, "a", 10)
    assert outcomes["a"].error is None


def test_run_jobs_job_that_crashes_again_has_failed():
    outcomes, _, notes = run(
        "ab", Ready(0, "x"), crashed("a"), Ready(0, "x"), crashed("a"), Ready(0, "x"), done("b")
    )
    assert outcomes["a"].error.startswith("its process ended 2 times: by SIGSEGV; see ")
    assert outcomes["b"].result == "b done"
    assert len([line for line in notes.told if line.startswith("a lost")]) == 1


def test_run_jobs_worker_lost_while_it_waits_gets_no_job():
    _, workers, _ = run("a", Ready(0, "x"), node_lost("a"), Ready(1, "y"), done("a"))
    assert workers.started == [(0, "a", 1), (1, "a", 2)]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_run_jobs_stopped_by_a_signal_stops_the_workers(number):
    class Waiting(Scripted):
        def wait(self, seconds):
            threading.Timer(0.1, os.kill, (os.getpid(), number)).start()
            time.sleep(10)

    workers = Waiting()
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt):
        run_jobs([job("a")], workers, Notes())
    assert workers.stopped == 1
    assert signal.getsignal(number) is before


def print_and_return(value, *, attempt):
    print(f"attempt {attempt}")
    return value


def refuse(*, attempt):
    raise InputError("a file: expected\nthis")


def divide_by_zero(*, attempt):
    return 1 / 0


def test_carry_out_returns_the_result_and_writes_what_was_printed(tmp_path, capsys):
    work = Job("fold 3", print_and_return, (7,), tmp_path / "new" / "a.out")
    assert carry_out(work, 2) == Outcome(7)
    heading, line = work.output.read_text().splitlines()
    assert heading.startswith("== fold 3, ")
    assert line == "attempt 2"
    assert capsys.readouterr() == ("", "")


def test_carry_out_input_error_is_one_line(tmp_path):
    outcome = carry_out(Job("a", refuse, (), tmp_path / "a.out"), 1)
    assert outcome.error == "a file: expected this"


def test_carry_out_other_errors_leave_their_traceback_in_the_output(tmp_path):
    outcome = carry_out(Job("a", divide_by_zero, (), tmp_path / "a.out"), 1)
    assert outcome.error == f"ZeroDivisionError: division by zero; see {tmp_path / 'a.out'}"
    assert "Traceback" in (tmp_path / "a.out").read_text()
