import pytest

from pipeline.errors import InputError
from pipeline.validation import Section, read_yaml, validate


class Inner(Section):
    count: int
    rate: float = 0.5


class Outer(Section):
    inner: Inner
    names: tuple[str, ...] = ()


def write(tmp_path, content):
    path = tmp_path / "a.yaml"
    path.write_bytes(content)
    return path


def test_read_yaml_exponent_without_a_dot_is_a_number(tmp_path):
    assert read_yaml(write(tmp_path, b"rate: 1e-4")) == {"rate": 0.0001}


def test_read_yaml_words_of_yaml_1_1_are_text(tmp_path):
    assert read_yaml(write(tmp_path, b"a: no\nb: on\nc: 012")) == {"a": "no", "b": "on", "c": 12}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a: [", "while parsing a flow node"),
        (b"a: 1\na: 2", "found duplicate key"),
        (b"\xff\xfe\x00", "invalid start byte"),
        (b"a: \x00", "special characters are not allowed"),
    ],
)
def test_read_yaml_no_yaml_is_one_line_with_the_file(tmp_path, content, message):
    path = write(tmp_path, content)
    with pytest.raises(InputError) as caught:
        read_yaml(path)
    assert str(caught.value).startswith(f"{path}: not valid YAML: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_read_yaml_missing_file_and_folder_say_so(tmp_path):
    with pytest.raises(InputError, match=r"none\.yaml: can't be read: No such file or directory"):
        read_yaml(tmp_path / "none.yaml")
    with pytest.raises(InputError, match="can't be read: Is a directory"):
        read_yaml(tmp_path)


def test_validate_good_values_are_typed_and_frozen(tmp_path):
    observed = validate(Outer, {"inner": {"count": 2}}, tmp_path)
    assert observed == Outer(inner=Inner(count=2, rate=0.5))
    with pytest.raises(ValueError, match="frozen"):
        observed.inner.count = 3


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"inner": {"count": "2"}}, "inner.count: Input should be a valid integer, got '2'"),
        ({"inner": {"count": 2.0}}, "inner.count: Input should be a valid integer, got 2.0"),
        ({"inner": {"count": True}}, "inner.count: Input should be a valid integer, got True"),
        (
            {"inner": {"count": 1, "rate": float("inf")}},
            "inner.rate: Input should be a finite number, got inf",
        ),
        ({"inner": {}}, "inner.count: Field required"),
        # Both faults, in one line.
        (
            {"inner": {"count": 1, "cuont": 1}, "x": 0},
            "inner.cuont: unknown key; x: unknown key",
        ),
    ],
)
def test_validate_faults_are_one_line_with_their_paths(tmp_path, values, expected):
    with pytest.raises(InputError) as caught:
        validate(Outer, values, tmp_path / "a.yaml")
    assert str(caught.value) == f"{tmp_path / 'a.yaml'}: {expected}"


@pytest.mark.parametrize(
    ("values", "got"), [(None, "nothing"), ([], "list"), ("text", "str"), (3, "int")]
)
def test_validate_no_mapping_is_refused(tmp_path, values, got):
    with pytest.raises(InputError, match=f"a.yaml: expected keys with values, got {got}$"):
        validate(Outer, values, tmp_path / "a.yaml")
