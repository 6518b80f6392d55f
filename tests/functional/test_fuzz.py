"""Readers of files from elsewhere, on made-up and mutated content: one kind of error, no other.

A few cases of each by default, N of each with ``pytest tests/functional/test_fuzz.py --fuzz N``.
"""

import random

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from pipeline.competitions.spec import Spec, known_specs, load_spec
from pipeline.errors import InputError
from pipeline.kaggle.submission import check_submission, read_submission, write_submission
from pipeline.masks import rle

SPECS = {name: path.read_text(encoding="utf-8") for name, path in known_specs().items()}
VALUES = {name: YAML(typ="safe", pure=True).load(text) for name, text in SPECS.items()}
# Exclusive classes, several classes, objects, relative starts, a marker for empty masks.
READ = "sample", "voc2012", "uw-madison-gi-tract", "airbus-ships", "siim-acr-pneumothorax"
SHAPE, IDS = (3, 5), ["1", "2", "7"]


@pytest.fixture
def cases(pytestconfig):
    """Return how a function is tried on `--fuzz` examples of a strategy."""
    count = pytestconfig.getoption("fuzz")
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example]

    def run(function, **strategies):
        limits = settings(max_examples=count, suppress_health_check=checks, database=None)
        limits(given(**strategies)(function))()

    return run


def assert_starts(error, start):
    assert str(error).startswith(start)


# Run lengths

NUMBERS = st.integers(-2, 20).map(str) | st.integers().map(str)
RUNS = (
    st.text(max_size=12)
    | st.lists(NUMBERS, max_size=8).map(" ".join)
    | st.text("0123456789 \t\n-+.e_\x00\x1c\u0661\xa0", max_size=20)
    | st.lists(st.integers(0, 6), min_size=2, max_size=8).map(lambda n: " ".join(map(str, n)))
)
ANYTHING = st.none() | st.floats() | st.integers() | st.binary() | st.lists(st.integers())
SCANS = st.fixed_dictionaries(
    {
        "order": st.sampled_from(rle.ORDERS),
        "origin": st.sampled_from(rle.ORIGINS),
        "relative": st.booleans(),
    }
)


def test_decode_of_any_text_is_a_mask_or_a_value_error(cases):
    def decode(runs, shape, scan):
        try:
            mask = rle.decode(runs, shape, **scan)
        except ValueError as error:
            assert_starts(error, "rle: run ")
            return
        assert (mask.shape, mask.dtype) == (shape, bool)
        lengths = sum(map(int, runs.split()[1::2]))
        assert np.count_nonzero(mask) == lengths
        # What is read is what would be written, but for how runs that touch are split.
        again = rle.decode(rle.encode(mask, **scan), shape, **scan)
        np.testing.assert_array_equal(again, mask)

    cases(decode, runs=RUNS, shape=st.tuples(st.integers(0, 6), st.integers(0, 6)), scan=SCANS)


def test_decode_of_what_is_no_text_is_a_type_error(cases):
    def decode(value):
        with pytest.raises(TypeError, match="rle: expected a string"):
            rle.decode(value, SHAPE)

    cases(decode, value=ANYTHING)


# Specs

ODD = (
    st.none()
    | st.booleans()
    | st.integers(-300, 300)
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(
        [
            "{id}",
            "{id}.png",
            "{class}",
            "{id}/{class}.png",
            "{x}",
            "{",
            "..",
            "/",
            "*",
            "own",
            "nan",
        ]
    )
)
TREES = st.recursive(
    ODD,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=5) | st.sampled_from(list(Spec.model_fields)), inner)
    ),
    max_leaves=5,
)


@st.composite
def changed_specs(draw):
    """Draw the values of a known spec with up to three of them replaced, left out or added."""
    values = draw(st.sampled_from([*VALUES.values()]))
    for _ in range(draw(st.integers(1, 3))):
        values = _changed(draw, values)
    return values


def _changed(draw, node):
    if isinstance(node, dict) and node and draw(st.integers(0, 4)):
        key = draw(st.sampled_from([*node]))
        if not draw(st.integers(0, 5)):
            return {name: value for name, value in node.items() if name != key}
        return {**node, key: _changed(draw, node[key])}
    if isinstance(node, list) and node and draw(st.integers(0, 2)):
        place = draw(st.integers(0, len(node) - 1))
        return [*node[:place], _changed(draw, node[place]), *node[place + 1 :]]
    if isinstance(node, dict) and draw(st.booleans()):
        return {**node, draw(st.sampled_from([*Spec.model_fields])): draw(TREES)}
    return draw(TREES)


@st.composite
def mutated(draw, contents):
    """Draw bytes of a valid file with pieces cut out, doubled, swapped or overwritten."""
    data = draw(contents)
    rng = random.Random(draw(st.integers(0, 2**32)))
    for _ in range(draw(st.integers(1, 5))):
        start = rng.randrange(len(data) + 1)
        end = min(len(data), start + rng.choice((0, 1, 2, 8, 40)))
        piece = rng.choice(
            (
                b"",
                data[start:end] * 2,
                bytes(rng.randrange(256) for _ in range(rng.randrange(4))),
                rng.choice((b"{", b"}", b"[", b": ", b"\n", b",", b'"', b"-", b"0", b"\0", b"*&a")),
                data[(at := rng.randrange(len(data) + 1)) : at + 12],
            )
        )
        data = data[:start] + piece + data[end:]
    return data


def load(path):
    """Load a spec; whatever is wrong with it is an error that names the file."""
    try:
        spec = load_spec(str(path))
    except InputError as error:
        assert_starts(error, f"{path}: ")
        return
    assert isinstance(spec, Spec)
    assert spec.metric_name
    # What was accepted can be used: rows of an image, and the patterns' placeholders.
    keys = [spec.submission.key("1", name) for name in spec.classes]
    assert len(set(keys)) == len(spec.classes)


def test_load_spec_of_changed_values_is_a_spec_or_an_input_error(cases, tmp_path):
    path, yaml = tmp_path / "spec.yaml", YAML(typ="safe", pure=True)

    def load_changed(values):
        with path.open("w", encoding="utf-8", errors="replace") as file:
            yaml.dump(values, file)
        load(path)

    cases(load_changed, values=changed_specs())


def test_load_spec_of_mutated_text_is_a_spec_or_an_input_error(cases, tmp_path):
    path = tmp_path / "spec.yaml"
    texts = st.sampled_from([text.encode() for text in SPECS.values()])

    def load_mutated(data):
        path.write_bytes(data)
        load(path)

    cases(load_mutated, data=mutated(texts) | st.binary())


# Submissions


def read(path, spec):
    """Read and check a submission; whatever is wrong with it is an error that names the file."""
    try:
        rows = read_submission(path, spec)
        count, filled = check_submission(path, spec, ids=IDS, shapes=[SHAPE] * len(IDS))
    except InputError as error:
        assert_starts(error, f"{path}:")
        return
    assert 0 <= filled <= count == sum(map(len, rows.values()))


@pytest.mark.parametrize("name", READ)
def test_read_submission_of_a_mutated_file_is_rows_or_an_input_error(cases, tmp_path, name):
    spec, path = load_spec(name), tmp_path / "submission.csv"

    rng, valid = np.random.default_rng(0), []
    for share in (0, 0.1, 0.3, 0.5, 0.8, 1):
        masks = rng.random((len(IDS), *SHAPE, len(spec.classes))) < share
        write_submission(path, zip(IDS, masks, strict=True), spec)
        _, filled = check_submission(path, spec, ids=IDS, shapes=[SHAPE] * len(IDS))
        assert (filled > 0) == masks.any()
        valid.append(path.read_bytes())

    def read_mutated(data):
        path.write_bytes(data)
        read(path, spec)

    cases(read_mutated, data=mutated(st.sampled_from(valid)))


def test_read_submission_of_any_bytes_is_rows_or_an_input_error(cases, tmp_path):
    spec, path = load_spec("sample"), tmp_path / "submission.csv"
    header = ",".join(spec.submission.header).encode() + b"\n"
    rows = st.lists(st.tuples(st.sampled_from(IDS) | st.text(max_size=5), RUNS), max_size=4).map(
        lambda rows: "".join(f"{key},{runs}\n" for key, runs in rows).encode(errors="ignore")
    )

    def read_bytes(data, with_header):
        path.write_bytes(header + data if with_header else data)
        read(path, spec)

    cases(read_bytes, data=st.binary() | rows, with_header=st.booleans())
