import json
import re

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from pipeline.report.charts import draw_curve
from pipeline.report.page import embed_json, figure_svg, render, standalone_svg


def draw():
    curve = pd.Series([0.1, 0.5], index=[1, 2])
    return draw_curve({"<b> & $x$": curve}, label="threshold", chosen=1, score=0.1)


@pytest.fixture
def figure():
    return draw()


def test_embed_json_can_not_end_its_script():
    values = {"id": "</script><script>alert(1)</script><!--", "dice": 0.25}
    text = str(embed_json(values))
    assert "<" not in text
    assert json.loads(text) == values


def test_embed_json_refuses_what_browsers_do():
    with pytest.raises(ValueError, match="JSON"):
        embed_json({"dice": float("nan")})


def test_figure_svg_follows_the_page_and_is_the_same_again(figure):
    text = str(figure_svg(figure, 'a "label"'))
    assert text == str(figure_svg(draw(), 'a "label"'))
    assert text.startswith('<svg role="img" aria-label="a &#34;label&#34;"')
    assert "var(--ink)" in text
    assert "var(--line)" in text
    assert "#010203" not in text
    assert "&lt;b&gt; &amp; $x$" in text
    assert set(re.findall(r"https?://[^/\"]+", text)) <= {"http://www.w3.org"}


def test_standalone_svg_brings_its_colours(figure):
    text = standalone_svg(figure, "curve")
    assert text.startswith("<svg ")
    assert text.index("--ink: #1c2024") < text.index("var(--ink)")


def test_draw_leaves_no_figure_open(figure):
    assert plt.get_fignums() == []


def test_render_escapes_text():
    frame = pd.DataFrame({"project": ["<img src=x>"]})
    page = render("compare.html", title="<b>", scores=frame, plots=[])
    assert "<img" not in page
    assert "<b>" not in page
    assert "&lt;img src=x&gt;" in page
