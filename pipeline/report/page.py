"""Pages of one file: templates filled in, styles, scripts, plots and data inside."""

import json
import re
from collections.abc import Mapping
from io import StringIO
from typing import Any

import matplotlib as mpl
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from matplotlib.figure import Figure

_ENVIRONMENT = Environment(
    loader=PackageLoader("pipeline.report"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
# Of text and grid in a plot. In the page they follow its own colours, light or dark.
INK, LINE = "#010203", "#040506"
_PAGE_COLOURS = {INK: "var(--ink)", LINE: "var(--line)"}
_COLOURS = (
    "<style>:root { --ink: #1c2024; --line: #d0d5da }"
    " @media (prefers-color-scheme: dark) { :root { --ink: #e8eaed; --line: #444c56 } }</style>"
)
_NO_METADATA = dict.fromkeys(("Creator", "Date", "Format", "Type"))
_FONT = re.compile(r"'DejaVu Sans'[^;\"]*")
_GROUP = re.compile(r'<g id="[^"]*">')  # "axes_1" and the like would stand in every plot


def render(template: str, **values: Any) -> str:
    """Fill in a template of this package; text is escaped.

    Parameters
    ----------
    template : str
        File name.
    values
        What it names. Figures become SVG by its filter ``svg``, data become JSON by ``json``.
    """
    return _ENVIRONMENT.get_template(template).render(**values)


def figure_svg(figure: Figure, label: str) -> Markup:
    """Return a plot as SVG with text as text, in the page's colours and without a background."""
    written = StringIO()
    # The same plot gives the same bytes.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "report"}):
        figure.savefig(written, format="svg", transparent=True, metadata=_NO_METADATA)
    text = written.getvalue()
    text = _GROUP.sub("<g>", _FONT.sub("system-ui, sans-serif", text[text.index("<svg") :]))
    for drawn, shown in _PAGE_COLOURS.items():
        text = text.replace(drawn, shown)
    return Markup('<svg role="img" aria-label="{}"').format(label) + Markup(
        text.removeprefix("<svg")
    )


def standalone_svg(figure: Figure, label: str) -> str:
    """Return a plot as an SVG file that follows the colours of the system, light or dark."""
    start, _, rest = figure_svg(figure, label).partition(">")
    return f"{start}>{_COLOURS}{rest}"


def embed_json(values: Mapping[str, Any]) -> Markup:
    """Return JSON for a ``<script type="application/json">``, which no text in it can end."""
    text = json.dumps(values, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return Markup(text.replace("<", "\\u003c"))


_ENVIRONMENT.filters |= {"svg": figure_svg, "json": embed_json}
