from hypothesis import given
from hypothesis import strategies as st

from pipeline.stages.predict_shards import split_rows


@given(st.integers(1, 500), st.integers(1, 40), st.integers(1, 60))
def test_split_rows_covers_each_row_once_in_whole_batches(count, batch_size, shards):
    ranges = split_rows(count, batch_size, shards)
    assert len(ranges) <= shards
    assert [row for start, stop in ranges for row in range(start, stop)] == list(range(count))
    assert all(start % batch_size == 0 for start, _ in ranges)


def test_split_rows_are_of_about_one_size():
    # 70 rows are five batches of 16; two for each of three shards
    assert split_rows(70, 16, 3) == [(0, 32), (32, 64), (64, 70)]
