"""Workers on the nodes of a Ray cluster."""

import logging
import os
import socket
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipeline.cluster.jobs import Finished, Job, Lost, Outcome, Ready, carry_out
from pipeline.cluster.resources import Request
from pipeline.errors import InputError

try:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # no report to its makers
    import ray
    from ray.exceptions import ActorDiedError, ActorUnavailableError, RayError
except ImportError as error:
    raise InputError("--on ray: needs the extra [ray]: pip install -e .[ray]") from error

_STARTS = 3  # that fail in a row before none is tried any more
# Seconds that a cluster takes to notice that a node is gone, where a process of it was seen to end,
# and where it only does not answer: nodes are asked every three seconds, five times.
_NOTICED, _UNANSWERED = 5, 60
_TOKEN = ".cluster"  # in the shared folder, to tell one from another at the same path


@contextmanager
def connected() -> Iterator[list[dict[str, float]]]:
    """Join the cluster at RAY_ADDRESS, or start one here; yield what its nodes have.

    Raises
    ------
    InputError
        There is no cluster at RAY_ADDRESS, or one of another version.
    """
    address = os.environ.get("RAY_ADDRESS", "")
    own = {} if address else {"include_dashboard": False, "object_store_memory": 100_000_000}
    if address not in ("", "auto"):
        _try_to_reach(address)
    try:
        ray.init(address or "local", logging_level=logging.ERROR, log_to_driver=False, **own)
    except Exception as error:  # Ray raises nothing narrower where a node does not start in time
        reason = str(error).strip().splitlines()[0]
        raise InputError(f"RAY_ADDRESS: {address or 'unset'}: {reason}") from error
    try:
        yield [node["Resources"] for node in ray.nodes() if node["Alive"]]
    finally:
        ray.shutdown()


def _try_to_reach(address: str) -> None:
    """Connect once: Ray itself goes on trying for long."""
    host, _, port = address.rpartition(":")
    if "//" in address or not host or not port.isdecimal():
        raise InputError(f"RAY_ADDRESS: expected HOST:PORT or auto, got {address!r}")
    try:
        socket.create_connection((host, int(port)), timeout=10).close()
    except OSError as error:
        raise InputError(
            f"RAY_ADDRESS: no cluster at {address}: {error.strerror or error}"
        ) from error


class _Worker:
    """What runs on a node: an actor, which holds its resources until it is killed."""

    def settle(self, root: str, token: str) -> tuple[str, str]:
        """Go to the project; return the node's id and what a person calls the place."""
        host = socket.gethostname()
        seen = Path(root, ".train", _TOKEN)
        if not Path(root).is_dir():
            raise InputError(f"{host}: no folder {root}; every node must see the project there")
        if not seen.is_file() or seen.read_text(encoding="utf-8") != token:
            raise InputError(f"{host}: {root} is another folder there, and must be a shared one")
        os.chdir(root)
        context = ray.get_runtime_context()
        gpus = "".join(f", GPU {gpu}" for gpu in context.get_accelerator_ids().get("GPU", ()))
        return context.get_node_id(), f"{host}{gpus}"

    def carry_out(self, job: Job, attempt: int) -> Outcome:
        """Do a job."""
        return carry_out(job, attempt)


class RayWorkers:
    """As many workers as the cluster has room for; see `Workers`.

    Parameters
    ----------
    count : int
        The most that are of use.
    request : Request
        Of each.
    root : Path
        The project, absolute; every node must see it there.
    """

    def __init__(self, count: int, request: Request, root: Path) -> None:
        self._root, self._token = root, uuid.uuid4().hex
        (root / ".train").mkdir(exist_ok=True)
        (root / ".train" / _TOKEN).write_text(self._token, encoding="utf-8")
        self._class = ray.remote(_Worker).options(
            num_cpus=request.cpus, num_gpus=request.gpus, scheduling_strategy="SPREAD"
        )
        self._actors: dict[int, Any] = {}
        self._nodes: dict[int, str] = {}
        self._calls: dict[ray.ObjectRef, int] = {}
        self._begun = self._failed = 0
        for _ in range(count):
            self._begin()

    def start(self, worker: int, job: Job, attempt: int) -> None:
        """Send the job to the worker's node."""
        self._calls[self._actors[worker].carry_out.remote(job, attempt)] = worker

    def wait(self, seconds: float) -> list[Ready | Finished | Lost]:
        """Return which workers found room, ended their job or are gone.

        Raises
        ------
        InputError
            A node does not see the project, or not this version of it.
        """
        done, _ = ray.wait(list(self._calls), timeout=seconds)
        return [self._receive(call) for call in done]

    def release(self, worker: int) -> None:
        """Leave the worker's room to others."""
        ray.kill(self._actors.pop(worker))

    def stop(self) -> None:
        """Kill every worker."""
        for actor in self._actors.values():
            ray.kill(actor)
        self._actors, self._calls = {}, {}

    def _begin(self) -> None:
        actor = self._class.remote()
        self._actors[self._begun] = actor
        self._calls[actor.settle.remote(str(self._root), self._token)] = self._begun
        self._begun += 1

    def _receive(self, call: "ray.ObjectRef") -> Ready | Finished | Lost:
        worker = self._calls.pop(call)
        try:
            answer = ray.get(call)
        except (ActorDiedError, ActorUnavailableError) as error:
            return self._lose(worker, error)
        except RayError as error:
            cause = getattr(error, "cause", None) or error
            raise InputError(f"--on ray: {_last_line(cause)}") from error
        if isinstance(answer, Outcome):
            return Finished(worker, answer)
        self._nodes[worker], place = answer
        self._failed = 0
        return Ready(worker, place)

    def _lose(self, worker: int, error: Exception) -> Lost:
        node = self._nodes.get(worker)
        self._failed += node is None
        if self._failed == _STARTS:
            raise InputError(f"--on ray: no process starts on the nodes: {_last_line(error)}")
        grace = _NOTICED if isinstance(error, ActorDiedError) else _UNANSWERED
        crashed = node is not None and _lives(node, grace)
        ray.kill(self._actors.pop(worker))
        self._begin()
        reason = "its process ended" if crashed else "its node is gone"
        return Lost(worker, reason, crashed)


def _lives(node_id: str, seconds: float) -> bool:
    """Tell whether a node is still there after a while."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if not any(node["NodeID"] == node_id and node["Alive"] for node in ray.nodes()):
            return False
        time.sleep(0.2)
    return True


def _last_line(error: Exception) -> str:
    return str(error).strip().splitlines()[-1]
