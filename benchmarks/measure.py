"""A command of the pipeline in a process of its own: seconds, and the memory it takes."""

import contextlib
import resource
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import NamedTuple

import psutil

_EVERY = 0.05  # seconds
_COMMAND = "from pipeline.cli import main; main()"


class Sample(NamedTuple):
    """Memory at one moment, MiB, with the pages of mapped files and without."""

    at: float
    resident: float
    own: float
    has_begun: bool


class Measured(NamedTuple):
    """What a command took.

    Attributes
    ----------
    seconds, cpu_seconds : float
        By the clock, and of a processor: the latter hardly change on a busy machine.
    peak_mib, own_mib : float
        The most memory of the process and its workers: all of it, with the pages of mapped files,
        which the system takes back when it needs them; and without.
    samples : list of (float, float)
        Seconds since the start, and memory without mapped files, MiB; from the moment on at which
        a file was there, if one was named.
    """

    seconds: float
    cpu_seconds: float
    peak_mib: float
    own_mib: float
    samples: list[tuple[float, float]]


def run_pipeline(root: Path, *arguments: str, begun: Path | None = None) -> Measured:
    """Run a command of the pipeline in a project; stop where it fails.

    Parameters
    ----------
    begun : Path, optional
        The file that is there from the moment on at which samples are of interest.
    """
    start, used = time.perf_counter(), _cpu_seconds()
    process = subprocess.Popen(
        [sys.executable, "-c", _COMMAND, "-q", *arguments], cwd=root, stderr=subprocess.PIPE
    )
    samples: list[Sample] = []
    sampler = threading.Thread(
        target=_take_samples, args=(process.pid, start, begun, samples), daemon=True
    )
    sampler.start()
    _, stderr = process.communicate()
    seconds = time.perf_counter() - start
    sampler.join()
    if process.returncode:
        sys.exit(f"pipeline {' '.join(arguments)}: {stderr.decode()}")
    return Measured(
        seconds,
        _cpu_seconds() - used,
        max((one.resident for one in samples), default=0.0),
        max((one.own for one in samples), default=0.0),
        [(one.at, one.own) for one in samples if one.has_begun],
    )


def _cpu_seconds() -> float:
    """Return those of all processes that ended, and of their workers."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _take_samples(pid: int, start: float, begun: Path | None, samples: list[Sample]) -> None:
    """Note the memory of a process and its children until it ends."""
    has_begun = begun is None
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        while process.status() != psutil.STATUS_ZOMBIE:
            has_begun = has_begun or begun.exists()
            resident = own = 0.0
            for each in [process, *process.children(recursive=True)]:
                with contextlib.suppress(psutil.NoSuchProcess):  # a worker that just ended
                    memory = each.memory_info()
                    resident += memory.rss / 2**20
                    own += (memory.rss - memory.shared) / 2**20
            samples.append(Sample(time.perf_counter() - start, resident, own, has_begun))
            time.sleep(_EVERY)
