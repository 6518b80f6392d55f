import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from pipeline.parallel import map_ahead


@pytest.mark.parametrize("count", [0, 1, 7, 50])
@pytest.mark.parametrize("at_once", [1, 3, 100])
def test_map_ahead_keeps_the_order(count, at_once):
    with ThreadPoolExecutor(4) as pool:
        found = map_ahead(pool, lambda n: n * n, range(count), ahead=3, at_once=at_once)
        assert list(found) == [n * n for n in range(count)]


def test_map_ahead_takes_no_more_items_than_are_asked_for():
    taken = []

    def items():
        for number in range(1000):
            taken.append(number)
            yield number

    with ThreadPoolExecutor(2) as pool:
        found = map_ahead(pool, lambda n: n, items(), ahead=4, at_once=5)
        assert next(found) == 0
        # Four parcels ahead and the one that was returned, of five each.
        assert len(taken) == 25
        found.close()


def test_map_ahead_raises_in_the_place_of_the_result_and_gives_up_the_rest():
    started = []

    def fail_at_three(number):
        started.append(number)
        if number == 3:
            raise ValueError("three")
        return number

    with ThreadPoolExecutor(1) as pool:
        found = map_ahead(pool, fail_at_three, range(1000), ahead=2)
        assert [next(found) for _ in range(3)] == [0, 1, 2]
        with pytest.raises(ValueError, match="three"):
            next(found)
    assert max(started) <= 5  # three, and two ahead of it


def test_map_ahead_works_on_several_threads():
    both = threading.Barrier(2, timeout=60)
    with ThreadPoolExecutor(2) as pool:
        # Each waits for the other: one after the other they would time out.
        assert sorted(map_ahead(pool, lambda _: both.wait(), range(2), ahead=2)) == [0, 1]
