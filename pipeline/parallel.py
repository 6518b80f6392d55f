"""Work on several cores, its results in order and never far ahead of who takes them."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

import cv2

Item, Result = TypeVar("Item"), TypeVar("Result")

_AHEAD = 16  # parcels per core that are in work or wait to be taken


def map_ahead(
    pool: Executor,
    function: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    ahead: int,
    at_once: int = 1,
) -> Iterator[Result]:
    """Yield what `function` makes of each item, in their order, in constant memory.

    An executor's own `map` takes all items at once, however many there are, and holds what was
    made of them until somebody asks.

    Parameters
    ----------
    pool : Executor
        Threads, or processes that can import `function`.
    function : callable
        Its first exception is raised in the place of its parcel's results; what waits is given up
        then.
    items : iterable
        Taken one by one.
    ahead : int
        How many parcels are in work, or done and not yet taken.
    at_once : int
        Items in a parcel: what is passed between processes has its price.
    """
    waiting: deque[Future[list[Result]]] = deque()
    rest = iter(items)
    try:
        while parcel := list(islice(rest, at_once)):
            waiting.append(pool.submit(_map_parcel, function, parcel))
            if len(waiting) > ahead:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()


def _map_parcel(function: Callable[[Item], Result], items: list[Item]) -> list[Result]:
    return [function(item) for item in items]


def map_on_all_cores(function: Callable[[int], Result], count: int) -> Iterator[Result]:
    """Yield what `function` makes of 0 to count - 1, in threads: OpenCV frees Python's lock."""
    cores = os.cpu_count() or 1
    cv2_threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        with ThreadPoolExecutor(cores) as pool:
            yield from map_ahead(pool, function, range(count), ahead=_AHEAD * cores)
    finally:
        cv2.setNumThreads(cv2_threads)
