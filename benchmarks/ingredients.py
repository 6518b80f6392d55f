"""What each ingredient gains: nested out-of-fold score, and score on the held-out test frames.

Works in a project whose `dvc repro` is finished and whose test masks are known, such as the
embedded sample's or usgra-seg's. Rows with a plus build on each other; out of fold a frame has one
model, so the ensemble of all folds shows on the test frames alone, where the rows above it are the
mean of the single models. Of a network with a presence head a row more says what presence is worth
without it.

    python benchmarks/ingredients.py [PROJECT]
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from rich.progress import track

from pipeline.competitions.patterns import FilePattern
from pipeline.competitions.spec import load_spec
from pipeline.dataset.index import open_masks
from pipeline.dataset.out_of_fold import Predicted, tabulate_frames
from pipeline.dataset.predictions import mean_predictions, pack_predictions, prediction_type
from pipeline.dataset.store import open_store
from pipeline.masks import rle
from pipeline.masks.clean import Cutoffs
from pipeline.masks.dice import dice_from_areas
from pipeline.masks.evaluation import bootstrap_interval, tune_nested
from pipeline.masks.shapes import make_shape_prior
from pipeline.masks.tables import Frames, evaluate_cutoffs
from pipeline.params import Params, load_params
from pipeline.paths import Paths
from pipeline.runtime import start_keras
from pipeline.stages.folds import read_folds

STEPS = {
    "threshold": [],
    "+ smallest area": ["min_area"],
    "+ two thresholds": ["min_area", "upper"],
    "+ largest piece, holes": ["min_area", "upper", "largest", "holes"],
    "+ presence": ["min_area", "upper", "largest", "holes", "presence"],
}


def predict(model, images, views, batch_size: int) -> np.ndarray:
    """Return predictions (N,)."""
    from pipeline.inference.predict import predict_batch

    batches = np.array_split(np.arange(len(images)), -(-len(images) // batch_size))
    return np.concatenate(
        [pack_predictions(*predict_batch([model], images[b], views=views)) for b in batches]
    )


def tabulate(predictions: np.ndarray, index: pd.DataFrame, reshape=None) -> Frames:
    """List the pieces of maps beside the true masks; `reshape` holds each frame's shape prior."""
    reshape = reshape or [lambda prob_map: prob_map] * len(index)

    def predicted():
        for one, row, prior in zip(predictions, index.itertuples(), reshape, strict=True):
            (prob_map,), (presence,) = one["prob_map"], one["presence"]
            yield Predicted(prior(prob_map), presence, (row.height, row.width), row.rle)

    return tabulate_frames(predicted(), len(index))


def tabulate_prior(name, oof, train, folds, tests, index) -> tuple[Frames, list[Frames]]:
    """Return the tables under a shape prior that never sees the masks of the frame's own fold."""
    without = {fold: make_shape_prior(name, train[folds != fold]) for fold in np.unique(folds)}
    of_all = [make_shape_prior(name, train)] * len(index)
    return (
        tabulate(oof, train, [without[fold] for fold in folds]),
        [tabulate(one, index, of_all) for one in tests],
    )


def truth_of_test(params: Params, paths: Paths, index: pd.DataFrame) -> pd.DataFrame:
    """Return the test index with the true masks."""
    from pipeline.kaggle.solution import TruthFolder

    spec = load_spec(params.competition)
    folder = TruthFolder(paths.root / params.data_dir / FilePattern(spec.truth).folder, spec)
    masks = (folder.masks(frame_id)[..., 0] for frame_id in index["id"])
    return index.assign(rle=[rle.encode(mask) for mask in masks])


def score(oof: Frames, folds: np.ndarray, tests: list[Frames], rules) -> list[np.ndarray]:
    """Return nested Dice per frame, and per test frame the mean over models."""
    tuned = tune_nested({"none": oof}, folds, rules)
    dice = dice_from_areas(tuned.overlaps, oof.true_areas, tuned.areas)
    return [dice, mean_over_models(tests, tuned.cutoffs)]


def dice_of(frames: Frames, cutoffs: Cutoffs) -> np.ndarray:
    """Return each frame's Dice."""
    overlaps, areas = evaluate_cutoffs(frames, cutoffs)
    return dice_from_areas(overlaps, frames.true_areas, areas)


def mean_over_models(tests: list[Frames], cutoffs: Cutoffs) -> np.ndarray:
    """Return each test frame's Dice, the mean over models."""
    return np.mean([dice_of(frames, cutoffs) for frames in tests], axis=0)


def main() -> None:
    """Predict with and without views, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("project", type=Path, nargs="?", default=Path())
    paths = Paths(parser.parse_args().project)
    params = load_params(paths.params)
    start_keras()
    from pipeline.inference.predict import load_model

    spec = load_spec(params.competition)
    if len(spec.classes) > 1 or spec.metric != "mean_dice":
        raise SystemExit("needs a competition of one class, scored by mean_dice")
    train = open_store(paths.train_store, **params.preprocess.size)
    masks = open_masks(paths.train_store, spec.classes)[spec.classes[0]]
    test = open_store(paths.test_store, **params.preprocess.size)
    index = truth_of_test(params, paths, test.index)
    folds = read_folds(params, paths, train.index)
    subjects = train.index["subject"].to_numpy()
    count, *size, _ = train.images.shape
    oof = {name: np.zeros(count, prediction_type(1, *size)) for name in ("identity", "views")}
    tests: dict[str, list[np.ndarray]] = {name: [] for name in oof}
    for fold in track(params.folds.indices, description="Models"):
        model, rows = load_model(paths.model(fold)), np.flatnonzero(folds == fold)
        for name, views in (("identity", ["identity"]), ("views", params.predict.views)):
            batch_size = params.predict.batch_size
            oof[name][rows] = predict(model, train.images[rows], views, batch_size)
            tests[name].append(predict(model, test.images[:], views, batch_size))
    models = len(tests["views"])
    mean = mean_predictions(tests["views"], [1 / models] * models)
    maps = oof["identity"], masks, folds, tests["identity"], index
    priors = {name: tabulate_prior(name, *maps) for name in ("ellipse", "components")}
    surest = oof["identity"]["prob_map"].max(axis=(1, 2, 3)) / 255
    surest_of_test = [one["prob_map"].max(axis=(1, 2, 3)) / 255 for one in tests["identity"]]
    oof = {name: tabulate(predictions, masks) for name, predictions in oof.items()}
    single = {name: [tabulate(one, index) for one in members] for name, members in tests.items()}

    half = Cutoffs(128)
    at_half = dice_of(oof["identity"], half)
    rows = {"0.5": [at_half, mean_over_models(single["identity"], half)]}
    for name, rules in STEPS.items():
        rows[name] = score(oof["identity"], folds, single["identity"], rules)
    if params.model.presence_head:
        of_map = oof["identity"]._replace(presence=surest)
        of_test = [
            one._replace(presence=values)
            for one, values in zip(single["identity"], surest_of_test, strict=True)
        ]
        rows["+ presence, by the map in place of the head"] = score(
            of_map, folds, of_test, STEPS["+ presence"]
        )
    configured = params.tune.rules
    for name, (of_train, of_test) in priors.items():
        rows[f"threshold, area on shape prior {name}"] = score(
            of_train, folds, of_test, ["min_area"]
        )
    name = f"{', '.join(['threshold', *configured])} + views {', '.join(params.predict.views)}"
    rows[name] = score(oof["views"], folds, single["views"], configured)
    of_all = [tabulate(mean, index)]
    rows["+ all folds (the submission)"] = score(oof["views"], folds, of_all, configured)
    frames = np.arange(len(index))  # nobody knows the subjects of test frames
    table = []
    for name, (dice, on_test) in rows.items():
        nested = dice.mean(), *bootstrap_interval(dice, subjects, seed=params.seed)
        held_out = on_test.mean(), *bootstrap_interval(on_test, frames, seed=params.seed)
        table.append((name, *nested, *held_out))
    columns = ["ingredient", "nested", "low", "high", "test", "low", "high"]
    print(pd.DataFrame(table, columns=columns).to_string(index=False, float_format="%.4f"))
    print(f"all_empty_nested: {np.mean(train.index['area'] == 0):.4f}")
    print(f"all_empty_test: {np.mean(index['rle'] == ''):.4f}")
    print(f"nested: {table[-1][1]:.4f}")
    print(f"test: {table[-1][4]:.4f}")
    print(f"test_low: {table[-1][5]:.4f}")
    print(f"test_high: {table[-1][6]:.4f}")


if __name__ == "__main__":
    main()
