"""Processes of this host, each with its device."""

import os
import signal
import time
from pathlib import Path

import pytest

from pipeline.cluster.gpus import name_devices
from pipeline.cluster.jobs import Job, run_jobs
from pipeline.cluster.local import LocalWorkers
from tests.cluster.test_jobs import Notes


def device_and_parity(number, *, attempt):
    time.sleep(0.3)
    return os.environ["CUDA_VISIBLE_DEVICES"], number % 2


def kill_itself(marker, times, *, attempt):
    with marker.open("a") as file:
        file.write(f"{attempt} ")
    if attempt <= times:
        os.kill(os.getpid(), signal.SIGKILL)
    return "survived"


def note_and_sleep(marker, *, attempt):
    marker.write_text(str(os.getpid()))
    time.sleep(60)


def jobs_of(function, arguments, folder):
    return [
        Job(f"job {number}", function, given, folder / f"{number}.out")
        for number, given in enumerate(arguments)
    ]


def test_local_workers_each_job_sees_one_device_and_all_are_used(tmp_path):
    jobs = jobs_of(device_and_parity, [(n,) for n in range(4)], tmp_path)
    outcomes = run_jobs(jobs, LocalWorkers(["3", "GPU-8f1d"]), Notes())
    results = [outcomes[job.name].result for job in jobs]
    assert {device for device, _ in results} == {"3", "GPU-8f1d"}
    assert [parity for _, parity in results] == [0, 1, 0, 1]


def test_local_workers_killed_process_is_started_again(tmp_path):
    (job,) = jobs_of(kill_itself, [(tmp_path / "marker", 1)], tmp_path)
    notes = Notes()
    outcomes = run_jobs([job], LocalWorkers(["0"]), notes)
    assert outcomes[job.name].result == "survived"
    assert (tmp_path / "marker").read_text() == "1 2 "
    assert notes.told == [
        "job 0 on GPU 0",
        "job 0 lost: by SIGKILL",
        "job 0 on GPU 0",
        "job 0 ended: None",
    ]


def test_local_workers_process_killed_again_is_an_error(tmp_path):
    (job,) = jobs_of(kill_itself, [(tmp_path / "marker", 9)], tmp_path)
    outcomes = run_jobs([job], LocalWorkers(["0"]), Notes())
    assert outcomes[job.name].error == (f"its process ended 2 times: by SIGKILL; see {job.output}")


def test_local_workers_stop_ends_what_runs(tmp_path):
    class Impatient(Notes):
        def look(self):
            if (tmp_path / "marker").exists() and (tmp_path / "marker").read_text():
                raise KeyboardInterrupt

    jobs = jobs_of(note_and_sleep, [(tmp_path / "marker",)], tmp_path)
    with pytest.raises(KeyboardInterrupt):
        run_jobs(jobs, LocalWorkers(["0"]), Impatient())
    assert not Path("/proc", (tmp_path / "marker").read_text()).exists()


@pytest.mark.parametrize(
    ("count", "visible", "expected"),
    [
        (3, None, ["0", "1", "2"]),
        (2, "4, 6", ["4", "6"]),
        (1, "0,-1,2", ["0"]),  # CUDA stops at what it does not know
    ],
)
def test_name_devices_are_those_that_the_process_sees(count, visible, expected):
    assert name_devices(count, visible) == expected
