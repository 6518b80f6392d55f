from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.competitions.patterns import FilePattern, fill


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("train/{id}.tif", "train"),
        ("{id}.tif", "."),
        ("a/b/{subject}/{frame}.png", "a/b"),
        ("a/x{id}.png", "a"),
        ("a/*/{id}.png", "a"),
        ("a/b*_{id}.png", "a"),
    ],
)
def test_folder_is_what_stands_before_the_placeholders(text, expected):
    assert FilePattern(text).folder == expected


def test_match_other_paths_are_none():
    pattern = FilePattern("a.b/{id}.tif")
    assert pattern.match("a.b/1.tif") == {"id": "1"}
    # A dot is a dot, an id is one name and not blank, and the whole path is meant.
    for path in ("axb/1.tif", "a.b/c/1.tif", "a.b/.tif", "a.b/1.tiff", "x/a.b/1.tif"):
        assert pattern.match(path) is None


def test_match_a_placeholder_that_stands_twice_has_one_value():
    pattern = FilePattern("{id}/images/{id}.png")
    assert pattern.names == ("id",)
    assert pattern.match("a/images/a.png") == {"id": "a"}
    assert pattern.match("a/images/b.png") is None
    assert pattern.path(id="a") == "a/images/a.png"


def test_match_a_star_is_any_part_of_one_name_and_no_value():
    pattern = FilePattern("scan/*/{id}_*.dcm")
    for path in ("scan/x/7_.dcm", "scan/1.2.3/7_a_b.dcm"):
        assert pattern.match(path) is not None
        assert set(pattern.match(path)) == {"id"}
    assert pattern.match("scan/1.2.3/7_a.dcm") == {"id": "7"}
    for path in ("scan/7_a.dcm", "scan/x/y/7_a.dcm", "scan/x/7_a/b.dcm"):
        assert pattern.match(path) is None


@pytest.mark.parametrize(
    ("text", "names", "id_names"),
    [
        ("{id}/masks/{instance}.png", ("id", "instance"), ("id",)),
        ("{class}/{subject}_{frame}.png", ("class", "subject", "frame"), ("subject", "frame")),
        (
            "{subject}/{part}/{frame}.png",
            ("subject", "part", "frame"),
            ("subject", "part", "frame"),
        ),
        ("{frame}/{subject}_{frame}.png", ("frame", "subject"), ("frame", "subject")),
    ],
)
def test_id_names_leave_out_what_tells_masks_of_one_image_apart(text, names, id_names):
    pattern = FilePattern(text)
    assert (pattern.names, pattern.id_names) == (names, id_names)


def test_match_class_and_instance_may_hold_underscores_and_part_may_not():
    pattern = FilePattern("{part}_{class}/{frame}.png")
    assert pattern.match("a_left_lung/1.png") == {"part": "a", "class": "left_lung", "frame": "1"}
    assert FilePattern("{part}/{frame}.png").match("a_b/1.png") is None
    assert FilePattern("{id}/{instance}.png").match("a/b_1.png") == {"id": "a", "instance": "b_1"}


@pytest.mark.parametrize(
    "text", ["{id}{class}.png", "{id}*.png", "*{id}.png", "a**/{id}.png", "{id}/{class}*.png"]
)
def test_file_pattern_neighbours_without_text_between_are_refused(text):
    with pytest.raises(ValueError, match="has nothing between two placeholders"):
        FilePattern(text)


@pytest.mark.parametrize("text", ["{subject}/a.png", "{class}/{instance}.png", "{part}.png"])
def test_file_pattern_without_id_and_frame_is_refused(text):
    with pytest.raises(ValueError, match=r"holds neither \{id\} nor \{frame\}"):
        FilePattern(text)


def test_glob_lists_the_files_that_fit(tmp_path):
    for name in ("[1]/a_1.png", "[1]/b_2.png", "[1]/c/a_1.png", "1/a_1.png", "[1]/a_1.gif"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    pattern = FilePattern("[1]/{subject}_{frame}.png")
    found = {path.relative_to(tmp_path).as_posix() for path in tmp_path.glob(pattern.glob)}
    assert found == {"[1]/a_1.png", "[1]/b_2.png"}


def test_fill_takes_values_as_they_are():
    assert fill("{id}_{class}", {"id": "{class}", "class": "\\1", "frame": "x"}) == "{class}_\\1"


# Text around the placeholders, regular expressions' signs included; and a separator that holds
# "_" or "/", which neither subject nor frame may hold.
literal = st.text(st.sampled_from("abc.+?()[]^$-"), max_size=4)
separator = st.tuples(literal, st.sampled_from("_/"), literal).map("".join)
plain = st.text(st.characters(exclude_characters="/_", exclude_categories=["Cs"]), min_size=1)
name = st.text(st.characters(exclude_characters="/", exclude_categories=["Cs"]), min_size=1)


@given(
    before=literal,
    between=st.lists(separator, min_size=3, max_size=3),
    after=literal,
    order=st.permutations(["subject", "frame", "part", "id"]),
    count=st.integers(1, 4),
    values=st.fixed_dictionaries({"subject": plain, "frame": plain, "part": plain, "id": name}),
)
def test_match_undoes_path_for_legal_values(before, between, after, order, count, values):
    names = order[:count]
    if "id" not in names and "frame" not in names:
        names = ["frame"]
    parts = [f"{{{names[0]}}}"]
    for one, text in zip(names[1:], between, strict=False):
        parts += [text, f"{{{one}}}"]
    pattern = FilePattern(f"d{before}{''.join(parts)}{after}e")
    expected = {one: values[one] for one in names}
    path = pattern.path(**values)
    assert pattern.match(path) == expected
    # And the glob finds it: name by name, as `Path.glob` goes.
    globs, found = pattern.glob.split("/"), path.split("/")
    assert len(globs) == len(found)
    assert all(map(fnmatchcase, found, globs))
