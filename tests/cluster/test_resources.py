import pytest

from pipeline.cluster.resources import Request, choose_request, count_workers
from pipeline.errors import InputError

GPU_NODES = [{"CPU": 4}, {"CPU": 32, "GPU": 4}, {"CPU": 16, "GPU": 1}]


def test_choose_request_is_one_gpu_and_its_share_of_the_processors():
    # 32 / 4 and 16 / 1: the smaller fits everywhere
    assert choose_request(GPU_NODES) == Request(8, 1)


def test_choose_request_without_gpus_is_the_smallest_node_with_processors():
    assert choose_request([{"CPU": 0}, {"CPU": 8}, {"CPU": 16}]) == Request(8, 0)


def test_choose_request_takes_what_was_asked_for():
    assert choose_request(GPU_NODES, cpus=2) == Request(2, 1)
    assert choose_request(GPU_NODES, gpus=0) == Request(4, 0)
    assert choose_request(GPU_NODES, gpus=2) == Request(16, 2)
    assert choose_request(GPU_NODES, gpus=0.5) == Request(4, 0.5)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"gpus": 8}, "a node with 1 processors and 8 GPUs for a worker, got nodes with 4 and 0, "),
        ({"cpus": 33}, "a node with 33 processors and 1 GPUs for a worker"),
    ],
)
def test_choose_request_more_than_any_node_has_is_refused(asked, message):
    with pytest.raises(InputError, match=message):
        choose_request(GPU_NODES, **asked)


def test_choose_request_cluster_without_processors_is_refused():
    with pytest.raises(InputError, match="got nodes with 0 and 0"):
        choose_request([{"CPU": 0}])


@pytest.mark.parametrize(
    ("request_", "expected"),
    [(Request(8, 1), 5), (Request(8, 0), 6), (Request(0, 1), 5), (Request(16, 0.5), 3)],
)
def test_count_workers_counts_what_fits_on_each_node(request_, expected):
    # 8 and 1: 4 on the second node, 1 on the third; 8 and 0: 4 and 2; 16 and 1/2: 2 and 1
    assert count_workers(GPU_NODES, request_) == expected
