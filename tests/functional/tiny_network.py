"""The command line with a network of two layers in place of VGG-16 on every worker.

``python -m tests.functional.tiny_network train --fold 0 --on ray``; an epoch takes TINY_PAUSE
seconds at least.
"""

import os
import sys
import time

from pipeline.cli import main
from pipeline.stages import train_folds


def build_layers(params, spec, final_stride, weights):
    import keras

    frames = keras.Input((None, None, params.preprocess.channels))
    x = keras.layers.Conv2D(8, 3, padding="same", dtype="float32", name="block1_conv1")(frames)
    x = keras.layers.Dropout(0.2, dtype="float32")(x)  # a random stream
    logits = keras.layers.Conv2D(1, 3, padding="same", dtype="float32", name="score")(x)
    return keras.Model(frames, logits)


def install():
    """Put the network, and the pause, in place in this process."""
    from pipeline.stages import train
    from pipeline.training import callbacks

    def pause_and_log(live, logs):
        time.sleep(float(os.environ.get("TINY_PAUSE", "0")))
        log_metrics(live, logs)

    log_metrics, callbacks.log_metrics = callbacks.log_metrics, pause_and_log
    train._build_model = build_layers


def train_fold(*arguments, attempt):
    """Do the job of this name; by its module a worker finds the network."""
    install()
    return train_folds.train_fold(*arguments, attempt=attempt)


def train_run(*arguments, attempt):
    """Do the job of this name, see `train_fold`."""
    from pipeline.stages import compare

    install()
    return compare.train_run(*arguments, attempt=attempt)


if __name__ == "__main__":
    from tests.functional import tiny_network  # under the name that workers know

    train_folds.train_fold = tiny_network.train_fold
    if "compare" in sys.argv:
        from pipeline.stages import compare

        compare.train_run = tiny_network.train_run
    main(prog_name="pipeline")
