"""What the device does best: precision, compilation, quiet logs."""

import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def start_keras() -> None:
    """Import Keras and find its devices, without TensorFlow's notes on the screen.

    TensorFlow prints them before it looks at ``TF_CPP_MIN_LOG_LEVEL``. Where the start fails they
    are shown. On a GPU operations that give the same bits every time are asked for, unless
    ``TF_DETERMINISTIC_OPS=0`` is set; on a processor they do in any case.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    with _shown_on_failure():
        import keras

        keras.distribution.list_devices()
    if has_gpu():
        os.environ.setdefault("TF_DETERMINISTIC_OPS", "1")


@contextmanager
def _shown_on_failure() -> Iterator[None]:
    """Hold back what native code writes to stderr; show it if an exception comes."""
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            held.seek(0)
            with os.fdopen(os.dup(stderr), "wb") as screen:
                shutil.copyfileobj(held, screen)
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)


def has_gpu() -> bool:
    """Tell whether Keras sees a GPU."""
    import keras

    return bool(keras.distribution.list_devices("gpu"))


def training_devices() -> list[str]:
    """Return the devices over which one network is trained: all GPUs, or the processor.

    ``CUDA_VISIBLE_DEVICES=0,1`` chooses among the GPUs before the start.
    """
    import keras

    return keras.distribution.list_devices("gpu") or ["cpu:0"]


def choose_precision(wanted: str) -> str:
    """Return the Keras dtype policy: `wanted`, or for ``"auto"`` the device's fastest.

    Mixed bfloat16 on GPUs and on processors with bfloat16 instructions; float32 elsewhere.
    """
    if wanted != "auto":
        return wanted
    return "mixed_bfloat16" if has_gpu() or _cpu_has_bfloat16() else "float32"


def jit_compile() -> str | bool:
    """Return Keras' ``jit_compile``: XLA is slower than oneDNN on processors."""
    return "auto" if has_gpu() else False


def _cpu_has_bfloat16() -> bool:
    try:
        flags = Path("/proc/cpuinfo").read_text()
    except OSError:  # not Linux
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags
