"""Which setting reaches a given validation Dice in the fewest seconds, on usgra-seg's nerves.

Trains as was the default before (Adam 3e-4 with warm-up and cosine decay, batch 16, everything
trained, no average) and one change at a time on the same folds and seeds; what gained most, alone
and together, became the default. The time that counts is that of training alone, at which the mean
Dice over runs first reaches 0.95 of what the former default ends at; Dice from epoch to epoch is
noisy, so the mean is over the best so far of each run. Run it on a machine that does nothing else.
A run that is stopped goes on where it was; finished curves stay in benchmarks/results/.

    python benchmarks/time_to_dice.py --data FOLDER_OF_USGRA_SEG [--minutes 60]

FOLDER may also stand in the environment variable USGRA_SEG.
"""

import argparse
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from ruamel.yaml import YAML

from pipeline.params import load_params
from pipeline.paths import Paths
from pipeline.runtime import start_keras

EPOCHS = 8
RESULT = Path(__file__).parent / "results" / "time_to_dice.csv"
BASELINE = "before"
FORMER = {"frozen": [], "ema": None, "epochs": EPOCHS}


def stages_before(stage: dict, epochs: int) -> dict:
    """Return a change that trains `epochs` of all otherwise, in a stage before."""
    stage = {"final_stride": 2, "epochs": epochs, "learning_rate": 3e-4, "frozen": [], **stage}
    return {"earlier_stages": [stage], "epochs": EPOCHS - epochs}


CHANGES = {
    BASELINE: {},
    "batch 8": {"batch_size": 8},
    "rate 1e-3": {"learning_rate": 1e-3},
    "decoder at 1e-3": {"learning_rate": 1e-3, "encoder_rate": 0.3},
    "blocks 1 and 2 frozen": {"frozen": ["block1", "block2"]},
    "encoder frozen at first": stages_before({"frozen": ["encoder"]}, 2),
    "half size at first": stages_before({"scale": 0.5}, 3),
    "average of weights": {"ema": 0.9},
    "weight decay": {"weight_decay": 0.05},
    "blocks 1 and 2 frozen + average": {"frozen": ["block1", "block2"], "ema": 0.9},
}


def prepare(data: Path, folder: Path) -> tuple:
    """Write parameters and plan, and run the stages before training."""
    from pipeline.stages import folds, init, preprocess, weights

    folder.mkdir(parents=True, exist_ok=True)
    yaml, paths = YAML(), Paths(folder)
    init.run(paths, "usgra-seg", data_dir=str(data.resolve()), device="cpu")
    values = yaml.load(paths.params)
    values["train"] |= FORMER
    yaml.dump(values, paths.params)
    experiments = {name: {"train": change} for name, change in CHANGES.items()}
    plan = folder / "time_to_dice.yaml"
    yaml.dump({"folds": [0, 1], "seeds": [1], "experiments": experiments}, plan)
    params = load_params(paths.params)
    for stage in (preprocess, folds, weights):
        print(stage.run(params, paths))
    return params, paths, plan


def seconds_to(curves: pd.DataFrame, dice: float) -> float:
    """Return the seconds at which the mean over runs of the best so far reaches `dice`."""
    runs = [run for _, run in curves.groupby(["seed", "fold"])]
    seconds = np.unique(np.concatenate([run["seconds"] for run in runs]))
    best = [np.interp(seconds, run["seconds"], run["score"].cummax(), left=0) for run in runs]
    reached = np.flatnonzero(np.mean(best, axis=0) >= dice)
    return float(seconds[reached[0]]) if reached.size else float("nan")


def main() -> None:
    """Train what is not trained yet, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default=os.environ.get("USGRA_SEG"))
    parser.add_argument("--minutes", type=float, default=600, help="start no training after")
    parser.add_argument("--work", type=Path, default=Path(".time_to_dice"))
    options = parser.parse_args()
    if not options.data or not Path(options.data).is_dir():
        sys.exit("needs the usgra-seg frames: --data FOLDER or the variable USGRA_SEG")
    start_keras()
    from pipeline.stages import compare

    params, paths, plan = prepare(Path(options.data), options.work)
    if RESULT.exists():
        shutil.copy(RESULT, plan.with_suffix(".csv"))
    compare.run(params, paths, plan, minutes=options.minutes)
    RESULT.parent.mkdir(exist_ok=True)
    shutil.copy(plan.with_suffix(".csv"), RESULT)

    table = pd.read_csv(RESULT)
    last = table.groupby(["experiment", "seed", "fold"])["score"].max().groupby("experiment").mean()
    target = 0.95 * last[BASELINE]
    print(f"target: {target:.3f}, 0.95 of the mean best Dice before")
    times = {name: seconds_to(runs, target) for name, runs in table.groupby("experiment")}
    for name in CHANGES:
        if name in times:
            label = name.replace(" ", "_")
            print(f"{label}_best_dice: {last[name]:.3f}")
            print(f"{label}_seconds: {times[name]:.0f}")
    fastest = min((t, name) for name, t in times.items() if t == t)[1]
    print(f"fastest: {fastest}")
    print(f"after_vs_before: {times[BASELINE] / times[fastest]:.2f}")


if __name__ == "__main__":
    main()
