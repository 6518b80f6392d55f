"""What DVC takes for thousands of small files, and for the same content in a few.

A folder of 11,000 small images, one tar archive of them, and what `pipeline preprocess` makes of
them (memory maps and two tables) are each added to DVC, pushed to an S3 server on this machine, and
pulled into a second clone. `dvc status` is what every `dvc repro` does first. In brackets stands
the time of a processor, which a busy machine hardly changes; a server farther away adds to the
other.

    pip install -e .[dev]
    python benchmarks/remote.py [--files 11000]
"""

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
from synthetic import draw_frames

sys.path.append(str(Path(__file__).parents[1]))
from tests.functional.s3 import BUCKET, KEYS, serve_bucket

SHAPE = 64, 96
DVC = [sys.executable, "-m", "dvc"]


def write_files(folder: Path, count: int) -> None:
    """Write frames and masks as files of a few kB."""
    folder.mkdir()
    for number, (frame, mask) in enumerate(draw_frames(count // 2, SHAPE, seed=0)):
        cv2.imwrite(str(folder / f"{number}.png"), frame)
        cv2.imwrite(str(folder / f"{number}_mask.png"), mask)


def pack(folder: Path, archive: Path) -> None:
    """Put a folder's files into one archive."""
    with tarfile.open(archive, "w") as file:
        file.add(folder, arcname=".")


def write_store(folder: Path, count: int) -> None:
    """Write the same frames as `pipeline preprocess` keeps them."""
    folder.mkdir()
    frames, masks = zip(*draw_frames(count // 2, SHAPE, seed=0), strict=True)
    np.save(folder / "images.npy", np.stack(frames)[..., None])
    np.save(folder / "masks.npy", np.stack(masks))
    for name in ("index", "masks"):
        (folder / f"{name}.csv").write_text("".join(f"{n},{name}\n" for n in range(len(frames))))


def seconds(folder: Path, *command: str) -> tuple[float, float]:
    """Return the seconds that a command takes, and those of a processor; stop where it fails."""
    begun, used = time.perf_counter(), processor_seconds()
    subprocess.run(
        command,
        cwd=folder,
        env=os.environ | KEYS | {"DVC_NO_ANALYTICS": "1"},
        stdout=subprocess.DEVNULL,
        check=True,
    )
    return time.perf_counter() - begun, processor_seconds() - used


def processor_seconds() -> float:
    """Return those of all processes that ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def measure(project: Path, name: str, url: str) -> dict[str, tuple[float, float]]:
    """Return the seconds of each command for one way of keeping the data."""
    seconds(project, "git", "init", "-q")
    seconds(project, *DVC, "init", "-q")
    seconds(project, *DVC, "remote", "add", "-q", "-d", "store", f"s3://{BUCKET}/{project.name}")
    seconds(project, *DVC, "remote", "modify", "store", "endpointurl", url)
    taken = {"add": seconds(project, *DVC, "add", "-q", name)}
    taken["status"] = seconds(project, *DVC, "status", "-q")
    taken["push"] = seconds(project, *DVC, "push", "-q")
    there = project.with_name(f"{project.name}_there")
    there.mkdir()
    for path in (project / ".dvc" / "config", project / f"{name}.dvc"):
        (there / path.relative_to(project)).parent.mkdir(exist_ok=True)
        shutil.copy(path, there / path.relative_to(project))
    seconds(there, "git", "init", "-q")
    taken["pull"] = seconds(there, *DVC, "pull", "-q")
    if sum(path.is_file() for path in (there / name).rglob("*")) + (there / name).is_file() == 0:
        sys.exit(f"{name}: nothing was pulled")
    return taken


def main() -> None:
    """Time all and print the table and the ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=11_000)
    options = parser.parse_args()
    results = {}
    with tempfile.TemporaryDirectory() as folder, serve_bucket() as url:
        root = Path(folder)
        for kind in ("files", "archive", "store"):
            (root / kind).mkdir()
        write_files(root / "files" / "raw", options.files)
        pack(root / "files" / "raw", root / "archive" / "raw.tar")
        write_store(root / "store" / "processed", options.files)
        size = (root / "archive" / "raw.tar").stat().st_size / 2**20
        print(f"{options.files} files, {size:.0f} MiB as an archive", flush=True)
        for kind, name in (("files", "raw"), ("archive", "raw.tar"), ("store", "processed")):
            results[kind] = measure(root / kind, name, url)
            print(f"{kind} done", flush=True)
    print("\n| seconds (of a processor) | add | status | push | pull |\n|---|---|---|---|---|")
    for kind, taken in results.items():
        cells = (f"{wall:.1f} ({used:.1f})" for wall, used in taken.values())
        print(f"| {kind} | {' | '.join(cells)} |")
    print()
    for kind in ("archive", "store"):
        for step, (of_files, _) in results["files"].items():
            print(f"{step}_{kind}_vs_files: {of_files / results[kind][step][0]:.1f}")


if __name__ == "__main__":
    main()
