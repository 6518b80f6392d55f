"""The architecture's rules, read from the imports of every module."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = sorted((ROOT / "pipeline").rglob("*.py"))
BELOW_THE_STAGES = ["dataset", "training", "inference", "kaggle", "report", "cluster"]
PACKAGES = sorted(path.parent.name for path in MODULES if path.name == "__init__.py")


def imports_of(path):
    """Return every absolute name that a module imports, inside of functions as well."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def rooms_of(path):
    """Return the parts of the project that a module imports: ``dataset``, ``errors``, ..."""
    names = (name.split(".") for name in imports_of(path))
    return {parts[1] for parts in names if parts[0] == "pipeline" and len(parts) > 1}


def modules_of(*packages):
    return [
        pytest.param(path, id=path.relative_to(ROOT / "pipeline").as_posix())
        for path in MODULES
        if path.relative_to(ROOT / "pipeline").parts[0] in packages
    ]


def importers_of(library):
    return {
        path.relative_to(ROOT).as_posix()
        for path in MODULES
        if any(name.split(".")[0] == library for name in imports_of(path))
    }


def test_imports_of_finds_every_kind_of_import(tmp_path):
    # The rules below hold for what this function sees.
    path = tmp_path / "a.py"
    path.write_text("import a.b, c as d\nfrom e import f\ndef g():\n    from pipeline import cli\n")
    assert imports_of(path) == {"a.b", "c", "e.f", "pipeline.cli"}
    assert rooms_of(path) == {"cli"}


@pytest.mark.parametrize("path", modules_of("masks", "models", "competitions"))
def test_core_module_imports_no_other_part_of_the_project(path):
    own = path.relative_to(ROOT / "pipeline").parts[0]
    assert rooms_of(path) <= {own, "errors", "atomic", "validation"}


@pytest.mark.parametrize("path", modules_of(*BELOW_THE_STAGES))
def test_module_below_the_stages_imports_neither_stages_nor_command_line(path):
    # Nor what only stages see.
    assert not rooms_of(path) & {"stages", "cli", "params", "paths"}


@pytest.mark.parametrize("path", modules_of("stages"))
def test_stage_does_not_import_the_command_line(path):
    assert "cli" not in rooms_of(path)


def test_every_package_is_under_a_rule():
    # "pipeline" itself holds the modules that all may use, and the command line.
    ruled = {"masks", "models", "competitions", *BELOW_THE_STAGES}
    assert set(PACKAGES) <= ruled | {"pipeline", "stages", "cli"}


def test_only_the_command_line_imports_click():
    assert all(name.startswith("pipeline/cli/") for name in importers_of("click"))


def test_only_its_workers_import_ray():
    assert importers_of("ray") == {"pipeline/cluster/on_ray.py"}


def test_only_pages_import_jinja2():
    assert importers_of("jinja2") == {"pipeline/report/page.py"}


def test_only_the_zoo_imports_segmentation_models():
    assert importers_of("segmentation_models") <= {"pipeline/models/zoo.py"}


@pytest.mark.parametrize("path", modules_of("masks", "competitions", "kaggle", "dataset"))
def test_module_without_networks_imports_no_tensorflow(path):
    # Batches are a Keras data set; nothing else of the data needs Keras.
    libraries = {name.split(".")[0] for name in imports_of(path)}
    assert "tensorflow" not in libraries
    assert "keras" not in libraries or path.name == "batches.py"


@pytest.mark.parametrize("argument", ["--help", "--version"])
def test_help_imports_nothing_that_is_slow(argument):
    code = (
        "import sys\nfrom pipeline.cli import main\n"
        "try:\n    main([sys.argv[1]], prog_name='pipeline')\n"
        "finally:\n    slow = {'tensorflow', 'keras', 'numpy', 'pydantic', 'rich'}\n"
        "    heavy = slow & set(sys.modules)\n"
        "    print('imported:', sorted(heavy), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, argument], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "imported: []\n")
    assert done.stdout
