"""The pipeline beside what one would use instead, in one run on one machine.

Runs the benchmarks that have a peer, one after the other, and prints their figures as one table
(Markdown): PyTorch with the same network, segmentation-models' U-Net with the same encoder, the
scikit-image loop, the Python loop and pycocotools for run lengths, and tuning by trying all pairs
of cut-offs. Each benchmark measures both sides in turns, so the ratios hold where the machine is
slower for a while.

    pip install -e .[bench]
    python benchmarks/table.py [--full] [--only preprocess rle]
"""

import argparse
import os
import platform
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).parent
LIBRARIES = ("numpy", "opencv-python-headless", "scikit-image", "tensorflow", "keras", "torch")


class Row(NamedTuple):
    """One comparison: what is done, beside what, and the figures' names in a benchmark's output."""

    task: str
    peer: str
    unit: str
    ours: str
    theirs: str
    ratio: str


class Benchmark(NamedTuple):
    """A script with its options for a short run, and what it compares."""

    script: str
    short: tuple[str, ...]
    rows: tuple[Row, ...]


def network_rows(size: str, suffix: str) -> tuple[Row, ...]:
    """Return the comparisons of networks at one size."""
    rows = []
    for piece, task in (("train", "training"), ("infer", "inference")):
        for peer, name, ratio in (
            ("torch", "PyTorch, same network", "pytorch"),
            ("unet", "segmentation-models' U-Net, same encoder", "unet"),
        ):
            rate = f"{piece}_images_per_second"
            ours, theirs = (f"{rate}_{side}{suffix}" for side in ("ours", peer))
            row = Row(
                f"{task}, {size}", name, "images/s", ours, theirs, f"{piece}_vs_{ratio}{suffix}"
            )
            rows.append(row)
    return tuple(rows)


BENCHMARKS = (
    Benchmark(
        "training.py",
        ("--rounds", "2", "--sizes", "96x128"),
        (*network_rows("96x128", ""), *network_rows("416x576", "_416x576")),
    ),
    Benchmark(
        "preprocess.py",
        ("--count", "200", "--rounds", "3"),
        (
            Row(
                "preprocessing, 420x580",
                "scikit-image loop",
                "images/s",
                "project_images_per_second",
                "loop_images_per_second",
                "preprocess_vs_loop",
            ),
        ),
    ),
    Benchmark(
        "rle.py",
        (),
        tuple(
            Row(
                f"{job[:-1]}ing run lengths",
                name,
                "us/mask",
                f"{job}_pipeline_us",
                f"{job}_{peer}_us",
                f"{job}_vs_{peer}",
            )
            for job, peer, name in (
                ("encode", "loop", "Python loop"),
                ("encode", "pycocotools", "pycocotools"),
                ("decode", "loop", "Python loop"),
            )
        ),
    ),
    Benchmark(
        "tune.py",
        ("--frames", "60", "--search-frames", "200"),
        (
            Row(
                "tuning, all cut-offs",
                "threshold x smallest area, one by one",
                "s",
                "tune_seconds",
                "grid_seconds",
                "tune_vs_grid",
            ),
        ),
    ),
)


def read_figures(script: str, options: tuple[str, ...]) -> dict[str, float]:
    """Run a benchmark and return its ``name: value`` lines."""
    command = [sys.executable, str(FOLDER / script), *options]
    environment = os.environ | {"PYTHONPATH": str(FOLDER.parent)}
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=environment, check=False)
    if done.returncode:
        sys.exit(f"{script} ended with status {done.returncode}; its error stands above")
    found = re.findall(r"^(\w+): (-?[\d.]+)", done.stdout, re.MULTILINE)
    return {name: float(value) for name, value in found}


def describe_machine() -> str:
    """Return processor, cores and versions in one line."""
    models = re.findall(r"^model name\s*: (.*)$", _cpu_info(), re.MULTILINE)
    processor = models[0] if models else platform.processor()
    libraries = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    return f"{processor}, {os.cpu_count()} cores, Python {platform.python_version()}, {libraries}"


def _cpu_info() -> str:
    path = Path("/proc/cpuinfo")
    return path.read_text() if path.exists() else ""


def main() -> None:
    """Run all and print the table, then the ratios as ``name: value``."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--full", action="store_true", help="at the sizes of each by itself")
    names = [benchmark.script.removesuffix(".py") for benchmark in BENCHMARKS]
    parser.add_argument("--only", nargs="+", choices=names, default=names)
    options = parser.parse_args()
    lines, ratios = [], {}
    for benchmark in BENCHMARKS:
        if benchmark.script.removesuffix(".py") not in options.only:
            continue
        print(f"{benchmark.script} ...", file=sys.stderr, flush=True)
        figures = read_figures(benchmark.script, () if options.full else benchmark.short)
        for row in benchmark.rows:
            if row.ratio not in figures:  # a size that a short run leaves out
                continue
            ours, theirs = (f"{figures[name]:,.4g}" for name in (row.ours, row.theirs))
            ratios[row.ratio] = figures[row.ratio]
            lines.append(
                f"| {row.task} | {ours} {row.unit} | {row.peer} | {theirs} {row.unit}"
                f" | {figures[row.ratio]:.2f}x |"
            )
    print(describe_machine(), end="\n\n")
    print("| | this project | beside | | faster |")
    print("|---|---|---|---|---|")
    print("\n".join(lines), end="\n\n")
    for name, value in ratios.items():
        print(f"{name}: {value:.2f}")


if __name__ == "__main__":
    main()
