import pytest

from pipeline.competitions.formats import MaskTable, TableFormat
from pipeline.competitions.table import read_table
from pipeline.errors import InputError

FORM = TableFormat(header=("img", "class", "rle"), row=("{id}", "{class}"), empty="-1")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "masks.csv"


def test_read_table_keys_are_all_columns_but_the_last_in_order(path):
    path.write_text("img,class,rle\nb,1,3 4\na,2,-1\nb,2, 1 2 \n")
    assert list(read_table(path, FORM).items()) == [
        (("b", "1"), ["3 4"]),
        (("a", "2"), [""]),
        (("b", "2"), ["1 2"]),
    ]


def test_read_table_repeats_collect_the_runs_of_a_key(path):
    path.write_text("img,class,rle\na,1,3 4\nb,1,-1\na,1,9 1\n")
    assert read_table(path, FORM, repeats=True) == {
        ("a", "1"): ["3 4", "9 1"],
        ("b", "1"): [""],
    }
    with pytest.raises(InputError) as caught:
        read_table(path, FORM)
    assert str(caught.value) == f"{path}:4: id a,1 stands twice"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("img,rle\n", ": expected the header img,class,rle, got 'img,rle'"),
        ("", ": expected the header img,class,rle, got ''"),
        ("img,class,rle\n1,2 3\n", ":2: expected 3 fields, got 2"),
        ("img,class,rle\n1,1,\n", ":2: expected -1 for an empty mask, got nothing"),
        ('img,class,rle\n1,1,"', ": not a CSV file: unexpected end of data"),
    ],
)
@pytest.mark.parametrize("repeats", [False, True])
def test_read_table_of_another_form_is_refused(path, text, said, repeats):
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        read_table(path, FORM, repeats=repeats)
    assert str(caught.value) == f"{path}{said}"


def test_read_table_a_mask_of_more_than_128_kb_is_read(path):
    form = MaskTable(file="masks.csv", header=("img", "rle"))
    runs = " ".join(f"{number} 1" for number in range(1, 60_001, 2))
    path.write_text(f"img,rle\na,{runs}\n")
    assert len(runs) > 131_072
    assert read_table(path, form) == {("a",): [runs]}
