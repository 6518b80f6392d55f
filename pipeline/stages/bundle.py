"""Put everything that predicting without the internet needs into one folder."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from ruamel.yaml import YAML

import pipeline
from pipeline import run_bundle
from pipeline.atomic import atomic_folder
from pipeline.competitions.spec import known_specs, load_spec
from pipeline.errors import InputError
from pipeline.params import Params
from pipeline.paths import Paths
from pipeline.stages.predict import load_models
from pipeline.stages.submit import read_cutoffs
from pipeline.stages.unseen import SPEC

_SOURCES = Path(pipeline.__file__).parents[1]
_SCRIPT = "run.py"


def run(params: Params, paths: Paths, out: Path, *, wheels: bool) -> str:
    """Write the bundle; return how it is used.

    Parameters
    ----------
    out : Path
        A new or empty folder, or an earlier bundle, which is replaced.
    wheels : bool
        Also fetch or build the wheels of all dependencies, as pinned.

    Raises
    ------
    InputError
        An artefact is at fault, `out` is in use, or pip fails.
    """
    if out.exists() and not _is_replaceable(out):
        raise InputError(f"{out}: expected a new or empty folder, or a bundle")
    spec = load_spec(params.competition)
    cutoffs = {} if spec.exclusive else read_cutoffs(paths.cutoffs, spec)
    models = load_models(params, paths, params.folds.indices)  # sees that all are intact
    with atomic_folder(out) as folder:
        target = Paths(folder)
        _write_params(params, paths, target)
        for fold in params.folds.indices:
            _copy(paths.model(fold), target.model(fold))
        _copy(paths.cutoffs, target.cutoffs)
        if any(chosen.shape_prior == "components" for chosen in cutoffs.values()):
            for name in ("index.csv", "masks.csv"):
                _copy(paths.train_store / name, target.train_store / name)
        _copy(Path(run_bundle.__file__), folder / _SCRIPT)
        _build_wheels(folder / "wheels", with_dependencies=wheels)
        count = sum(1 for _ in (folder / "wheels").iterdir())
    return (
        f"{out}: {len(models)} networks, {count} wheel{'s' * (count > 1)}; elsewhere run:\n"
        f"pip install --no-index --find-links {out}/wheels binary-mask-pipeline\n"
        f"python {out}/{_SCRIPT} IMAGES submission.csv --time-budget SECONDS"
    )


def _is_replaceable(out: Path) -> bool:
    return out.is_dir() and ((out / SPEC).is_file() or not any(out.iterdir()))


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def _write_params(params: Params, paths: Paths, target: Paths) -> None:
    """Copy the parameters and the competition's spec, which they then name."""
    yaml = YAML()
    values = yaml.load(paths.params)
    values["competition"] = SPEC
    yaml.dump(values, target.params)
    known = known_specs()
    _copy(known.get(params.competition) or Path(params.competition), target.root / SPEC)


def _build_wheels(folder: Path, *, with_dependencies: bool) -> None:
    if not (_SOURCES / "pyproject.toml").is_file():
        raise InputError(
            f"{_SOURCES}: expected the project's pyproject.toml; install by: pip install -e ."
        )
    with tempfile.TemporaryDirectory() as name:
        sources = Path(name)  # a copy, as setuptools writes beside what it builds
        for file in ("pyproject.toml", "README.md", "LICENSE"):
            _copy(_SOURCES / file, sources / file)
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(_SOURCES / "pipeline", sources / "pipeline", ignore=ignored)
        _pip_wheel(folder, "--no-deps", "--no-build-isolation", "--no-index", str(sources))
        if with_dependencies:
            pins = (_SOURCES / "requirements.txt").read_text(encoding="utf-8")
            pinned = [line for line in pins.splitlines() if not line.startswith("-e")]
            (sources / "pins.txt").write_text("\n".join(pinned), encoding="utf-8")
            _pip_wheel(folder, "--requirement", str(sources / "pins.txt"))


def _pip_wheel(folder: Path, *arguments: str) -> None:
    """Build or fetch wheels; what exists only as sources is built, so that no install has to."""
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check"]
    done = subprocess.run(
        [*command, "--wheel-dir", str(folder), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        said = [line for line in done.stdout.splitlines() if "error" in line.lower()]
        raise InputError(f"{folder.name}: pip wheel failed: {said[-1].strip() if said else '?'}")
