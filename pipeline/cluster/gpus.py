"""Which GPUs of this host TensorFlow can use, without starting it on them here."""

import os
import subprocess
import sys

import pynvml

_COUNT = "import tensorflow as tf; print(len(tf.config.list_physical_devices('GPU')))"


def several_gpus() -> list[str]:
    """Return the names of the GPUs for ``CUDA_VISIBLE_DEVICES``; none where there is only one.

    Where the driver knows several, TensorFlow is asked in a process of its own: here it would
    take memory of each, and it may have been installed without what GPUs need.
    """
    if _count_of_driver() < 2:
        return []
    done = subprocess.run(
        [sys.executable, "-c", _COUNT], capture_output=True, text=True, check=False
    )
    count = int(done.stdout) if done.returncode == 0 else 0
    return name_devices(count, os.environ.get("CUDA_VISIBLE_DEVICES")) if count > 1 else []


def name_devices(count: int, visible: str | None) -> list[str]:
    """Return the names of `count` devices that this process sees under ``CUDA_VISIBLE_DEVICES``.

    Examples
    --------
    >>> name_devices(2, None), name_devices(2, "3,GPU-8f1d,1")
    (['0', '1'], ['3', 'GPU-8f1d'])
    """
    if visible is None:
        return [str(index) for index in range(count)]
    return [name.strip() for name in visible.split(",")][:count]


def _count_of_driver() -> int:
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:  # no driver
        return 0
    try:
        return pynvml.nvmlDeviceGetCount()
    finally:
        pynvml.nvmlShutdown()
