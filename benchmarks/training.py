"""Images per second in training and inference: our FCN-2s, its twin in PyTorch, and U-Net.

The first two run the default network (VGG-16, its first two blocks frozen, FCN-2s, 64 channels
wide, 3x3 convolutions and batch normalisation after each fusion), the third is segmentation-models'
U-Net with the same encoder, frozen likewise. All have the same batch and precision (bfloat16 where
the processor has it; autocast and channels-last in PyTorch), each in a process of its own, in
turns: the ratios are medians over rounds. Beside them stand the peak of a large matrix product in
the same precision, ours with memory in huge pages (an environment variable of the C library), and
the whole of a training (batches, augmentation, metrics, logging) against its bare step. Validation
and checkpoints are outside of a training's images per second.

Huge pages gave 1.01, 1.22 and 1.29 at 96x128 in three runs, 0.96 and 0.98 at 416x576. Where they
gained, the bare step of that process was slow (0.73 to 0.83 of PyTorch, else 0.96), while the whole
training in the same process ran at the speed of huge pages without them. What decides it is not
known, so the pipeline does not ask for them.

    pip install -e .[bench]
    python benchmarks/training.py [--rounds 5] [--sizes 96x128]
"""

import argparse
import contextlib
import io
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

SIZES = {"96x128": 16, "416x576": 4}  # batch
STEPS = {"96x128": 4, "416x576": 1}  # timed at once
PEAK_SIZE = 4096
FROZEN = ("block1", "block2")
HUGE_PAGES = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}


def make_keras(height, width, batch):
    """Return the timed pieces on Keras, and the operations of one frame's training step."""
    from pipeline import runtime

    runtime.start_keras()
    import keras

    from pipeline.models.fcn import build_fcn

    keras.config.set_dtype_policy(runtime.choose_precision("auto"))
    model = build_fcn()
    matrix = keras.ops.cast(keras.random.normal((PEAK_SIZE, PEAK_SIZE)), model.compute_dtype)
    return {
        **make_steps(model, height, width, batch),
        "peak": lambda: float(keras.ops.matmul(matrix, matrix)[0, 0]),
        "operations": count_operations(model, height, width),
        "pipeline": make_pipeline(height, width, batch),
    }


def make_unet(height, width, batch):
    """Return the timed pieces of segmentation-models' U-Net."""
    from pipeline import runtime

    runtime.start_keras()
    import keras

    from pipeline.models.zoo import build_zoo

    keras.config.set_dtype_policy(runtime.choose_precision("auto"))
    return make_steps(build_zoo("unet", encoder="vgg16"), height, width, batch)


def make_steps(model, height, width, batch):
    """Return a step of training and one of inference."""
    from pipeline import runtime
    from pipeline.models.losses import DiceCrossEntropyLoss
    from pipeline.training.optimizer import make_optimizer
    from pipeline.training.phases import freeze

    freeze(model, FROZEN)
    adam = make_optimizer(
        steps=1000,
        warmup_steps=10,
        learning_rate=1e-4,
        encoder_rate=1.0,
        clip_norm=None,
        ema=None,
        weight_decay=None,
    )
    model.compile(adam, DiceCrossEntropyLoss(), jit_compile=runtime.jit_compile())
    frames, masks = make_batch(height, width, batch)
    return {
        "train": lambda: model.train_on_batch(frames, masks),
        "infer": lambda: model.predict_on_batch(frames),
    }


def make_pipeline(height, width, batch):
    """Return a function that trains one epoch with all that belongs to it: seconds per step."""
    from dvclive import Live

    from pipeline.dataset.batches import TrainingBatches, ValidationBatches
    from pipeline.models.fcn import build_fcn
    from pipeline.models.losses import DiceCrossEntropyLoss
    from pipeline.runtime import training_devices
    from pipeline.training.checkpoint import Checkpoints
    from pipeline.training.fit import Settings, Trainer
    from pipeline.training.phases import Phase

    frames, masks = make_batch(height, width, batch * 8 + 1)
    images, masks = frames.astype(np.uint8), masks[..., 0].astype(np.uint8)
    rows = np.arange(len(images))

    def train_two_epochs():
        with (
            tempfile.TemporaryDirectory() as folder,
            Live(folder, save_dvc_exp=False, dvcyaml=None) as live,
        ):
            checkpoints = Checkpoints(Path(folder) / "checkpoints", "benchmark")
            checkpoints.prepare()
            trainer = Trainer(
                TrainingBatches(
                    images, masks, rows[:-1], batch_size=batch, augmentation="light", seed=0, fold=0
                ),
                ValidationBatches(images, masks, rows[-1:], batch_size=1),
                settings=Settings(DiceCrossEntropyLoss()),
                checkpoints=checkpoints,
                live=live,
                devices=training_devices()[:1],  # as its peers
            )
            with contextlib.redirect_stdout(io.StringIO()) as printed:
                trainer.fit(
                    lambda final_stride: build_fcn(final_stride=final_stride),
                    [Phase(2, 2, 1e-4, FROZEN)],
                )
        # The second epoch's rate: the first one holds the tracing of the step.
        return batch / float(re.findall(r"([0-9.]+) images/s", printed.getvalue())[-1])

    return train_two_epochs


def make_torch(height, width, batch):
    """Return the timed pieces on PyTorch."""
    import twin

    from pipeline.runtime import choose_precision

    frames, masks = make_batch(height, width, batch)
    bfloat16 = choose_precision("auto") == "mixed_bfloat16"
    return twin.make_steps(frames, masks, frozen_blocks=len(FROZEN), bfloat16=bfloat16)


def make_batch(height, width, batch):
    """Return noise as frames and masks, float32 (batch, height, width, 1)."""
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 256, (batch, height, width, 1)).astype(np.float32)
    return frames, (frames > 230).astype(np.float32)


def count_operations(model, height, width):
    """Return the multiplications and additions of all convolutions in a step, for one frame.

    They are run forward, back to the inputs where anything before them is trained, and back to the
    kernels where these are.
    """
    import keras

    probe = keras.Model(model.input, [layer.output for layer in model.layers])
    shapes = probe.compute_output_shape((1, height, width, 1))
    total, trained = 0, set()  # outputs that anything trained has part in
    for layer, shape in zip(model.layers, shapes, strict=True):
        is_behind = any(id(tensor) in trained for tensor in keras.tree.flatten(layer.input))
        if is_behind or layer.trainable_variables:
            trained.add(id(layer.output))
        if isinstance(layer, keras.layers.Conv2D | keras.layers.Conv2DTranspose):
            pixels = shape[1] * shape[2]
            if isinstance(layer, keras.layers.Conv2DTranspose):
                pixels //= layer.strides[0] * layer.strides[1]
            passes = 1 + is_behind + bool(layer.trainable_variables)
            total += passes * 2 * pixels * int(np.prod(layer.kernel.shape))
    return total


MAKERS = {"keras": make_keras, "torch": make_torch, "unet": make_unet}


def serve(make, height, width, batch):
    """Answer each line "PIECE STEPS" with the seconds per step."""
    pieces = make(height, width, batch)
    if "operations" in pieces:
        print("operations", pieces.pop("operations"), flush=True)
    for line in sys.stdin:
        name, steps = line.split()
        begun = time.perf_counter()
        results = [pieces[name]() for _ in range(int(steps))]
        seconds = results[-1] if name == "pipeline" else (time.perf_counter() - begun) / int(steps)
        print("seconds", seconds, flush=True)


class Worker:
    """One framework in a process of its own."""

    def __init__(self, name, size, environment=None):
        command = [sys.executable, __file__, "--worker", name, "--size", size]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | (environment or {}),
        )

    def read(self, word):
        """Return the number of the next line that begins with `word`."""
        for line in self.process.stdout:
            if line.startswith(word):
                return float(line.split()[1])
        sys.exit("a worker stopped; its error stands above")

    def time(self, piece, steps=1):
        """Return the seconds per step."""
        print(piece, steps, file=self.process.stdin, flush=True)
        return self.read("seconds")


def main():
    """Read the options; serve as a worker or report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sizes", nargs="+", choices=list(SIZES), default=list(SIZES))
    parser.add_argument("--worker", choices=list(MAKERS), help=argparse.SUPPRESS)
    parser.add_argument("--size", choices=list(SIZES), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        height, width = map(int, options.size.split("x"))
        serve(MAKERS[options.worker], height, width, SIZES[options.size])
        return
    try:
        import torch  # noqa: F401
    except ImportError:
        sys.exit("needs the extra [bench]: pip install -e .[bench]")
    figures = {}
    for size in sorted(options.sizes, key=list(SIZES).index, reverse=True):
        suffix = "" if size == next(iter(SIZES)) else f"_{size}"
        figures |= {f"{name}{suffix}": value for name, value in report(size, options.rounds)}
    for name, value in figures.items():
        print(f"{name}: {value:.2f}")


def report(size, rounds):
    """Time all in turns, print the rates and return the figures."""
    workers = {
        "ours": Worker("keras", size),
        "ours, huge pages": Worker("keras", size, HUGE_PAGES),
        "torch": Worker("torch", size),
        "unet": Worker("unet", size),
    }
    operations = workers["ours"].read("operations")
    steps, batch = STEPS[size], SIZES[size]
    measured = []
    for number in range(rounds + 1):  # the first one builds and warms up
        seconds = {
            (name, piece): worker.time(piece, steps if number else 1)
            for piece in ("train", "infer")
            for name, worker in workers.items()
        }
        seconds["peak"] = workers["ours"].time("peak")
        if size == next(iter(SIZES)):
            seconds["ours", "whole training"] = workers["ours"].time("pipeline")
        measured.append(seconds)
    for worker in workers.values():
        worker.process.kill()
    del measured[0]

    print(f"{size}, batch {batch}, {rounds} rounds")
    for key in measured[0]:
        if key != "peak":
            rate = batch / statistics.median(seconds[key] for seconds in measured)
            print(f"{', '.join(key):24} {rate:8.1f} images/s")
    peak = 2 * PEAK_SIZE**3 / statistics.median(seconds["peak"] for seconds in measured)
    print(f"{'peak':24} {peak / 1e9:8.1f} Gflop/s")

    def ratio(one, other):
        return statistics.median(seconds[one] / seconds[other] for seconds in measured)

    in_peaks = operations * batch / (2 * PEAK_SIZE**3)
    ours = "ours", "train"
    yield "train_vs_pytorch", ratio(("torch", "train"), ours)
    yield "infer_vs_pytorch", ratio(("torch", "infer"), ("ours", "infer"))
    yield "train_vs_unet", ratio(("unet", "train"), ours)
    yield "infer_vs_unet", ratio(("unet", "infer"), ("ours", "infer"))
    for worker in ("ours", "torch", "unet"):
        for piece in ("train", "infer"):
            rate = statistics.median(batch / seconds[worker, piece] for seconds in measured)
            yield f"{piece}_images_per_second_{worker}", rate
    yield "share_of_peak", in_peaks * ratio("peak", ours)
    yield "huge_pages", ratio(ours, ("ours, huge pages", "train"))
    if ("ours", "whole training") in measured[0]:
        yield "pipeline_vs_bare_step", ratio(ours, ("ours", "whole training"))


if __name__ == "__main__":
    main()
