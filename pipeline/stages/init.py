"""Write params.yaml for a competition."""

import io
import json
import shutil
from pathlib import Path
from string import Template

import numpy as np
import pandas as pd
from ruamel.yaml import YAML, YAMLError

from pipeline.atomic import atomic_file, write_text
from pipeline.competitions.spec import Spec, known_specs, load_spec
from pipeline.errors import InputError
from pipeline.params import load_params
from pipeline.paths import Paths
from pipeline.report.table import Table

TEMPLATE = Path(__file__).parents[1] / "params.template.yaml"
# Published networks with their training: parts of a params.yaml.
NETWORKS = {path.stem: path for path in sorted(TEMPLATE.with_name("networks").glob("*.yaml"))}


def run(
    paths: Paths,
    competition: str,
    *,
    data_dir: str | None,
    device: str | None,
    network: str | None = None,
) -> str:
    """Write a complete, commented params.yaml; keep a changed one beside; return what to do next.

    Parameters
    ----------
    data_dir, device
        See `render_params`.
    network : str, optional
        A published network and its training, from `NETWORKS`, in place of the default.

    Raises
    ------
    InputError
        The competition is unknown or has no preset for the device.
    """
    text = render_params(competition, data_dir=data_dir, device=device)
    if network is not None:
        if network not in NETWORKS:
            known = ", ".join(NETWORKS)
            raise InputError(f"network: expected one of {known}, got {network!r}")
        text = _with_network(text, NETWORKS[network])
    kept = ""
    if paths.params.exists() and not _is_pristine(paths.params):
        old = _free_name(paths.params)
        with atomic_file(old) as beside:  # a copy: params.yaml is there at any time
            shutil.copy(paths.params, beside)
        kept = f"; the one before is now {old}"
    write_text(paths.params, text)
    data = load_params(paths.params).data_dir
    missing = "" if (paths.root / data).is_dir() else _what_is_missing(competition, data)
    return f"{paths.params}: {competition}, raw files in {data}{kept}{missing}"


def next_command(paths: Paths) -> str:
    """Return what goes on with a new params.yaml: what gets the raw files, or all of it."""
    params = load_params(paths.params)
    if params.competition == "sample" or (paths.root / params.data_dir).is_dir():
        return "dvc repro"
    return how_to_get(params.competition) or "pipeline preprocess, with the raw files there"


def how_to_get(competition: str) -> str | None:
    """Return the command that gets the raw files, None where nothing does."""
    if competition == "sample":
        return "pipeline sample"
    spec = load_spec(competition)
    has_source = spec.archive is not None or spec.kaggle is not None
    return "pipeline download" if has_source else None


def list_competitions() -> Table:
    """Return the competitions that come with the project: name, title, classes and metric."""
    specs = {name: load_spec(name) for name in known_specs()}
    rows = [(name, spec.title, len(spec.classes), spec.metric_name) for name, spec in specs.items()]
    return Table(pd.DataFrame(rows, columns=["name", "title", "classes", "score"]))


def render_params(
    competition: str, *, data_dir: str | None = None, device: str | None = None
) -> str:
    """Return the text of params.yaml for a competition.

    Parameters
    ----------
    competition : str
        The name of a spec that comes with the project, or the path of a ``.yaml`` file.
    data_dir : str, optional
        Folder of the raw files; ``data/raw/NAME`` by default.
    device : {"cpu", "gpu"}, optional
        Which of the spec's presets; the first by default.
    """
    spec = load_spec(competition)
    if data_dir is not None:
        data_dir = str(Path(data_dir).expanduser())
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        _preset(spec, competition, device),
        competition=_as_yaml(competition),
        title=" ".join(spec.title.split()),
        data_dir=_as_yaml(data_dir or f"data/raw/{Path(competition).stem}"),
    )


def _what_is_missing(competition: str, data: str) -> str:
    get, spec = how_to_get(competition), load_spec(competition)
    if get == "pipeline sample":
        return ""
    masks = spec.masks[0] if spec.masks else spec.mask_table.file
    by_hand = f"put {spec.images[0]}, {masks} and {spec.test[0]} in it"
    by_hand = f"run: {get}, or {by_hand}" if get else by_hand
    return f"\n{data}: not there yet; {by_hand}"


def _with_network(text: str, network: Path) -> str:
    yaml = YAML()
    yaml.width = 100
    params = yaml.load(text)
    for section, changes in yaml.load(network).items():
        params[section].update(changes)
    written = io.StringIO()
    yaml.dump(params, written)
    return written.getvalue()


def _as_yaml(text: str) -> str:
    """Quote what YAML would not read as this very text, such as "2016" or "a: b"."""
    try:
        is_plain = YAML(typ="safe", pure=True).load(f"key: {text}   # comment") == {"key": text}
    except YAMLError:
        is_plain = False
    return text if is_plain else json.dumps(text, ensure_ascii=False)


def _preset(spec: Spec, competition: str, device: str | None) -> dict[str, object]:
    device = device or next(iter(spec.presets))
    if device not in spec.presets:
        known = ", ".join(spec.presets)
        raise InputError(f"{competition}: expected a preset for {device}, got {known} only")
    preset = spec.presets[device].model_dump()
    rate = np.format_float_scientific(preset["learning_rate"], trim="-", exp_digits=1)  # 1e-4
    return {**preset, "learning_rate": rate}


def _is_pristine(path: Path) -> bool:
    """Tell whether a params.yaml is as `pipeline init` writes it for some known competition."""
    found = path.read_bytes()
    return any(
        found == render_params(name, device=device).encode()
        for name in known_specs()
        for device in load_spec(name).presets
    )


def _free_name(path: Path) -> Path:
    number = 1
    while (name := path.with_name(f"{path.stem}.{number}{path.suffix}")).exists():
        number += 1
    return name
