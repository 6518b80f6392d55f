"""Predict unseen images without the internet: python run.py IMAGES OUT.csv.

The networks, cut-offs and parameters lie beside this file, the package that it needs in wheels/:
pip install --no-index --find-links wheels binary-mask-pipeline
"""

import argparse
import os
import sys
import time
from pathlib import Path


def main() -> None:
    """Read the arguments and write the submission."""
    started = time.monotonic()
    parser = argparse.ArgumentParser(description="Write a submission for unseen images.")
    parser.add_argument("images", type=Path, help="folder of the test images")
    parser.add_argument("out", type=Path, help="submission to write")
    parser.add_argument(
        "--time-budget",
        type=float,
        metavar="SECONDS",
        help="leave out views, then folds, so that it ends in time",
    )
    arguments = parser.parse_args()

    from pipeline.errors import InputError
    from pipeline.stages import unseen

    root, budget = Path(__file__).parent, arguments.time_budget
    try:
        said = unseen.run(root, arguments.images, arguments.out, budget=budget, started=started)
    except InputError as error:
        sys.exit(f"Error: {error}")
    print(said, flush=True)
    sys.stderr.flush()
    os._exit(0)  # all is written; TensorFlow would take seconds of the budget to shut down


if __name__ == "__main__":
    main()
