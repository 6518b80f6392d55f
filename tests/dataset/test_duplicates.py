import cv2
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.dataset.duplicates import (
    cluster_frames,
    contradictions,
    describe_frames,
    find_similar,
    partners,
)


def draw_scene(seed):
    """Return a frame of blurred noise in a sector that all frames share."""
    noise = np.random.default_rng(seed).normal(size=(96, 128)).astype(np.float32)
    texture = cv2.GaussianBlur(noise, (0, 0), 3) * 300 + 120
    rows, columns = np.mgrid[:96, :128]
    sector = np.hypot(rows + 20, columns - 64) < 110
    return np.clip(texture * sector, 0, 255).astype(np.uint8)


def add_noise(frame, seed=0):
    noise = np.random.default_rng(seed).normal(scale=8, size=frame.shape)
    return np.clip(frame + noise, 0, 255).astype(np.uint8)


def pairs_of(frames):
    images = np.stack(frames)[..., None]
    table = find_similar(images, describe_frames(images))
    return {tuple(row) for row in table[["first", "second", "exact"]].to_numpy().tolist()}


def test_find_similar_finds_what_shows_the_same_scene():
    scene = draw_scene(0)
    frames = [
        scene,
        draw_scene(1),
        scene.copy(),
        add_noise(scene),
        np.clip(0.7 * scene + 20, 0, 255).astype(np.uint8),  # another gain
        np.roll(scene, 1, axis=1),
    ]
    alike = {0, 2, 3, 4, 5}
    found = pairs_of(frames)
    assert {pair[:2] for pair in found} == {(a, b) for a in alike for b in alike if a < b}
    assert [pair for pair in found if pair[2]] == [(0, 2, True)]


def test_find_similar_unrelated_frames_are_none():
    assert pairs_of([draw_scene(seed) for seed in range(20)]) == set()


def test_find_similar_black_frames_are_exact_copies_only():
    black = np.zeros((96, 128), np.uint8)
    assert pairs_of([black, draw_scene(0), black, black + 3]) == {(0, 2, True)}


def test_find_similar_more_frames_than_a_block(monkeypatch):
    monkeypatch.setattr("pipeline.dataset.duplicates._BLOCK", 2)
    scene = draw_scene(0)
    frames = [scene, draw_scene(1), draw_scene(2), add_noise(scene), draw_scene(3)]
    assert pairs_of(frames) == {(0, 3, False)}


def test_find_similar_most_alike_stand_first():
    scene = draw_scene(0)
    images = np.stack([add_noise(scene), scene, scene])[..., None]
    table = find_similar(images, describe_frames(images))
    assert table[["first", "second"]].to_numpy().tolist() == [[1, 2], [0, 1], [0, 2]]
    assert table["similarity"][0] == 1 > table["similarity"][1]


@pytest.mark.parametrize("channels", [1, 3])
def test_describe_frames_product_is_a_correlation(channels):
    images = np.random.default_rng(0).integers(0, 256, (4, 64, 96, channels), dtype=np.uint8)
    descriptors = describe_frames(images)
    np.testing.assert_allclose(descriptors @ descriptors.T, np.corrcoef(descriptors), atol=1e-5)


def test_describe_frames_of_several_sets_follow_each_other(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (5, 64, 96, 1), dtype=np.uint8)
    observed = describe_frames(images[:2], images[2:], folder=tmp_path)
    assert isinstance(observed, np.memmap)
    np.testing.assert_array_equal(observed, describe_frames(images))
    assert list(tmp_path.iterdir()) == []


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=8),
    st.lists(st.sampled_from("abcdef"), min_size=10, max_size=10),
)
def test_cluster_frames_joins_pairs_and_splits_no_group(links, groups):
    groups = np.array(groups, dtype=object)
    pairs = pd.DataFrame(links, columns=["first", "second"], dtype=int)
    clusters = cluster_frames(pairs, groups)
    for first, second in links:
        assert clusters[first] == clusters[second]
    assert pd.Series(clusters).groupby(groups).nunique().max() == 1
    # No more is merged than the links ask for.
    assert len(set(clusters)) >= len(set(groups)) - len(links)
    assert set(clusters) <= set(groups)


def test_partners_are_those_of_the_first_pair():
    pairs = pd.DataFrame({"first": [1, 0, 1], "second": [3, 1, 4]}, index=[2, 5, 7])
    assert partners(pairs, 6).tolist() == [1, 3, -1, 1, 1, -1]
    assert partners(pairs[:0], 2).tolist() == [-1, -1]


def test_contradictions_are_pairs_of_which_one_is_empty():
    pairs = pd.DataFrame({"first": [0, 0, 1], "second": [1, 2, 3]})
    found = contradictions(pairs, np.array([0, 50, 0, 60]))
    assert found.to_numpy().tolist() == [[0, 1]]
