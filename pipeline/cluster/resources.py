"""How much of a cluster one worker asks for."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from pipeline.errors import InputError


class Request(NamedTuple):
    """What a worker holds while it lives: processors and GPUs, of one node."""

    cpus: float
    gpus: float


def choose_request(
    nodes: Sequence[Mapping[str, float]], *, cpus: float | None = None, gpus: float | None = None
) -> Request:
    """Return what was asked for, and the rest so that a node is neither idle nor overfull.

    By default a worker has one GPU and its share of the node's processors; where no node has a
    GPU, it has as many processors as the smallest node: TensorFlow uses all that it finds.

    Parameters
    ----------
    nodes : sequence of mapping
        How many ``"CPU"`` and ``"GPU"`` each node has.
    cpus, gpus : float, optional
        Of one worker.

    Raises
    ------
    InputError
        No node has that much.

    Examples
    --------
    >>> choose_request([{"CPU": 4}, {"CPU": 32, "GPU": 4}, {"CPU": 16, "GPU": 1}])
    Request(cpus=8.0, gpus=1)
    >>> choose_request([{"CPU": 0}, {"CPU": 8}, {"CPU": 16}])
    Request(cpus=8, gpus=0)
    """
    if gpus is None:
        gpus = 1 if any(node.get("GPU", 0) >= 1 for node in nodes) else 0
    if cpus is None:
        able = [node for node in nodes if node.get("CPU", 0) and node.get("GPU", 0) >= gpus]
        shares = [
            max(1, node["CPU"] // (node["GPU"] / gpus)) if gpus else node["CPU"] for node in able
        ]
        cpus = min(shares, default=1)
    request = Request(cpus, gpus)
    if not count_workers(nodes, request):
        has = ", ".join(f"{node.get('CPU', 0):g} and {node.get('GPU', 0):g}" for node in nodes)
        raise InputError(
            f"--on ray: expected a node with {cpus:g} processors and {gpus:g} GPUs for a worker,"
            f" got nodes with {has}"
        )
    return request


def count_workers(nodes: Sequence[Mapping[str, float]], request: Request) -> int:
    """Return how many workers find room at once.

    Examples
    --------
    >>> count_workers([{"CPU": 4}, {"CPU": 32, "GPU": 4}], Request(8, 1))
    4
    """
    return sum(_fitting(node, request) for node in nodes)


def _fitting(node: Mapping[str, float], request: Request) -> int:
    wanted = {"CPU": request.cpus, "GPU": request.gpus}
    return int(min(node.get(name, 0) // amount for name, amount in wanted.items() if amount))
