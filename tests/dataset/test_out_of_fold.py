import numpy as np

from pipeline.dataset import out_of_fold
from pipeline.dataset.images import resize_prob_map
from pipeline.dataset.out_of_fold import Predicted, tabulate_frames
from pipeline.masks import rle
from pipeline.masks.clean import Cutoffs, apply_cutoffs
from pipeline.masks.dice import dice_from_areas, dice_score
from pipeline.masks.tables import evaluate_cutoffs

SHAPE = (40, 50)


def predictions(count):
    generator = np.random.default_rng(0)
    for number in range(count):
        mask = np.zeros(SHAPE, bool)
        mask[5:20, 10 : 12 + number] = number > 0  # the first is empty
        prob_map = generator.integers(0, 256, (8, 10), dtype=np.uint8)
        yield Predicted(prob_map, number / 4, SHAPE, rle.encode(mask))


def test_tabulate_frames_scores_are_those_of_the_masks():
    frames = tabulate_frames(predictions(4), 4)
    for cutoffs in (
        Cutoffs(128),
        Cutoffs(90, min_area=30, fill_holes=True, largest_only=True),
        Cutoffs(128, min_presence=0.4, presence_weight=1.0),
    ):
        overlaps, areas = evaluate_cutoffs(frames, cutoffs)
        dice = dice_from_areas(overlaps, frames.true_areas, areas)
        for frame, observed in zip(predictions(4), dice, strict=True):
            prob_map = resize_prob_map(frame.prob_map, *SHAPE)
            mask = apply_cutoffs(prob_map, frame.presence, cutoffs)
            assert dice_score(rle.decode(frame.rle, SHAPE), mask) == observed


def test_tabulate_frames_on_several_processes_is_the_same(monkeypatch):
    alone = tabulate_frames(predictions(4), 4)
    monkeypatch.setattr(out_of_fold, "_FRAMES_PER_PROCESS", 2)
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    advanced = []
    together = tabulate_frames(predictions(4), 4, advance=lambda: advanced.append(1))
    for first, second in zip(alone, together, strict=True):
        np.testing.assert_array_equal(first, second)
    assert len(advanced) == 4


def test_tabulate_frames_without_holes_is_the_same_for_rules_that_fill_none():
    with_holes, without = (tabulate_frames(predictions(4), 4, holes=h) for h in (True, False))
    np.testing.assert_array_equal(without.pieces, with_holes.pieces)
    np.testing.assert_array_equal(without.filled, without.pieces)
    assert not np.array_equal(with_holes.filled, with_holes.pieces)


def test_tabulate_frames_pieces_lie_in_a_file_without_a_name(tmp_path):
    frames = tabulate_frames(predictions(4), 4, folder=tmp_path)
    assert isinstance(frames.pieces, np.memmap)
    assert set(frames.pieces["image"]) == {0, 1, 2, 3}
    assert list(tmp_path.iterdir()) == []


def test_tabulate_frames_without_pieces_has_an_empty_table():
    black = (one._replace(prob_map=np.zeros_like(one.prob_map)) for one in predictions(3))
    frames = tabulate_frames(black, 3)
    assert len(frames.pieces) == len(frames.filled) == 0
    assert len(frames.true_areas) == 3
