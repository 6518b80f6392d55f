"""Whether five 2x upsamplings converge faster and end higher than FCN-8s on binary masks.

Trains the FCN family at the published decoder width of 1 (FCN-32s to FCN-2s, at once, and staged
from coarse to fine), the wide FCN-2s, and U-Net and FPN with the same encoder, all on ImageNet
weights, under the same folds, seeds, epochs and rate, on two tasks of the usgra-seg frames: nerve
and vessel. Two to four hours on two processor cores with bfloat16; a run that is stopped goes on
where it was, and the curves of finished trainings stay in benchmarks/results/.

    python benchmarks/seed_claim.py --data FOLDER_OF_USGRA_SEG [--task nerve] [--minutes 30]
    python benchmarks/seed_claim.py --only NAME   # one experiment, where its code changed
    python benchmarks/seed_claim.py --summary     # of the curves that lie there, without training

FOLDER may also stand in the environment variable USGRA_SEG.
"""

import argparse
import os
import shutil
import sys
import time
from pathlib import Path

import pandas as pd
from ruamel.yaml import YAML

from pipeline.competitions.spec import known_specs
from pipeline.params import load_params
from pipeline.paths import Paths
from pipeline.report.comparison import draw_curves, summarise
from pipeline.runtime import start_keras

RESULTS = Path(__file__).parent / "results"
TASKS = {"nerve": [128, 0, 0], "vessel": [0, 128, 0]}
EPOCHS = 12
RATE = 3e-4
PLAIN = {"frozen": [], "ema": None}  # nothing but the networks differs
SHOWN = (2, 5, 10, EPOCHS)


def fcn(stride, **options):
    """Return the published member of the family with this final stride, or a variant of it."""
    return {"model": {"final_stride": stride, "width": 1, **options}}


def staged(stride):
    """Return the same, trained from FCN-32s on in stages of equal length."""
    strides = [s for s in (32, 16, 8, 4, 2) if s >= stride]
    epochs = EPOCHS // len(strides)
    earlier = [
        {"final_stride": s, "epochs": epochs, "learning_rate": RATE, **PLAIN} for s in strides[:-1]
    ]
    last = EPOCHS - epochs * len(earlier)
    return {**fcn(stride), "train": {"earlier_stages": earlier, "epochs": last}}


DECIDING = {
    "FCN-8s": fcn(8),
    "FCN-2s": fcn(2),
    "FCN-2s wide": fcn(2, width=64),
    "FCN-2s wide 3x3 norm": fcn(2, width=64, refine=True, batch_norm=True),
    "U-Net": {"model": {"architecture": "unet"}},
}
EXPERIMENTS = {
    **DECIDING,
    "FCN-2s wide 3x3": fcn(2, width=64, refine=True),
    "FCN-2s staged": staged(2),
    "FCN-8s staged": staged(8),
    "FPN": {"model": {"architecture": "fpn"}},
    "FCN-4s": fcn(4),
    "FCN-16s": fcn(16),
    "FCN-32s": fcn(32),
}
PAIRS = {
    "fcn2s_minus_fcn8s": ("FCN-2s", "FCN-8s"),
    "default_minus_unet": ("FCN-2s wide 3x3 norm", "U-Net"),
}
# Three seeds for the networks that decide, one for the others.
PLANS = ((DECIDING, [1, 2, 3]), (EXPERIMENTS, [1]))


def prepare(task, data, folder):
    """Write parameters and plan of a task, and run the stages before training."""
    from pipeline.stages import folds, init, preprocess, weights

    folder.mkdir(parents=True, exist_ok=True)
    yaml = YAML()
    spec = yaml.load(known_specs()["usgra-seg"])
    spec["foreground"] = TASKS[task]
    spec["frames_per_subject"] = 12  # the folds of the published results
    yaml.dump(spec, folder / "spec.yaml")
    paths = Paths(folder)
    init.run(paths, str(folder / "spec.yaml"), data_dir=str(data.resolve()), device="cpu")
    values = yaml.load(paths.params)
    values["train"] |= {"epochs": EPOCHS, "learning_rate": RATE, "frozen": []}
    yaml.dump(values, paths.params)
    params = load_params(paths.params)
    for stage in (preprocess, folds, weights):
        print(stage.run(params, paths))
    return params, paths


def claim(task):
    """Draw the curves, print their table, and on the same runs what one network is above another.

    Whether the claim holds is FCN-2s minus FCN-8s; the default network is compared with U-Net.
    """
    curves = pd.read_csv(RESULTS / f"seed_claim_{task}.csv")
    draw_curves(curves).savefig(RESULTS / f"seed_claim_{task}.png", dpi=90)
    print(f"\n{task}\n{summarise(curves, epochs=SHOWN)}")
    runs = curves.set_index(["seed", "fold", "epoch"])
    for label, pair in PAIRS.items():
        both = [runs[runs["experiment"] == name]["score"] for name in pair]
        gain = (both[0] - both[1]).dropna().unstack("epoch")
        for epoch in SHOWN:
            if epoch in gain:
                mean, spread = gain[epoch].mean(), gain[epoch].std()
                count = f"sd {spread:.3f} of {len(gain)} runs"
                print(f"{task}_{label}_epoch{epoch}: {mean:+.3f} ({count})")


def main():
    """Train what is not trained yet, then print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default=os.environ.get("USGRA_SEG"))
    parser.add_argument("--task", choices=list(TASKS), action="append")
    parser.add_argument(
        "--minutes", type=float, default=600, help="per task; start no training after"
    )
    parser.add_argument(
        "--only", choices=list(EXPERIMENTS), help="train this one anew, on three seeds"
    )
    parser.add_argument("--work", type=Path, default=Path(".seed_claim"))
    parser.add_argument("--summary", action="store_true", help="train nothing")
    options = parser.parse_args()
    if options.summary:
        for task in options.task or TASKS:
            claim(task)
        return
    if not options.data or not Path(options.data).is_dir():
        sys.exit("needs the usgra-seg frames: --data FOLDER or the variable USGRA_SEG")
    start_keras()
    from pipeline.stages import compare

    RESULTS.mkdir(exist_ok=True)
    for task in options.task or TASKS:
        params, paths = prepare(task, Path(options.data), options.work / task)
        plan = paths.root / f"seed_claim_{task}.yaml"
        result = RESULTS / f"seed_claim_{task}.csv"
        if result.exists():
            shutil.copy(result, plan.with_suffix(".csv"))
        deadline = time.monotonic() + 60 * options.minutes
        plans = [({options.only: EXPERIMENTS[options.only]}, [1, 2, 3])] if options.only else PLANS
        for experiments, seeds in plans:
            YAML().dump({"folds": [0, 1], "seeds": seeds, "experiments": experiments}, plan)
            minutes = (deadline - time.monotonic()) / 60
            compare.run(params, paths, plan, minutes=max(0.0, minutes))
        shutil.copy(plan.with_suffix(".csv"), result)
        claim(task)


if __name__ == "__main__":
    main()
