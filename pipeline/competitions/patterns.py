"""File paths with placeholders, such as ``train/{subject}_{frame}_mask.tif``."""

import re
from collections.abc import Mapping, Sequence
from glob import escape
from itertools import pairwise
from pathlib import Path, PurePosixPath

# What a placeholder stands for. Subject, frame and part hold no underscore, so that
# "{subject}_{frame}.tif" does not take "1_2_mask.tif" for a frame.
_PLACEHOLDERS = {
    "subject": r"[^/_]+",
    "frame": r"[^/_]+",
    "part": r"[^/_]+",
    "id": r"[^/]+",
    "class": r"[^/]+",
    "instance": r"[^/]+",
}
_OF_MASKS = ("class", "instance")  # these tell masks of one image apart
_TOKEN = re.compile(r"\{(\w+)\}|(\*)")


class FilePattern:
    """A relative file path with placeholders; ``*`` stands for any part of a name.

    Attributes
    ----------
    names, id_names : tuple of str
        The placeholders, and those of them that make an image's id.
    glob : str
        What `Path.glob` takes to list every file that fits, and some more.

    Examples
    --------
    >>> pattern = FilePattern("train/{subject}_{frame}.tif")
    >>> pattern.match("train/3_7.tif")
    {'subject': '3', 'frame': '7'}
    >>> pattern.match("train/3_7_mask.tif") is None
    True
    >>> FilePattern("{id}/masks/{instance}.png").match("a/masks/1.png")
    {'id': 'a', 'instance': '1'}
    """

    def __init__(self, text: str) -> None:
        tokens = list(_TOKEN.finditer(text))
        names = [match[1] for match in tokens if match[1]]
        unknown = [name for name in names if name not in _PLACEHOLDERS]
        if unknown:
            known = ", ".join(f"{{{name}}}" for name in _PLACEHOLDERS)
            raise ValueError(f"unknown placeholder {{{unknown[0]}}} in {text!r}; known: {known}")
        if "id" not in names and "frame" not in names:
            raise ValueError(f"{text!r} holds neither {{id}} nor {{frame}}")
        if text.startswith("/") or ".." in Path(text).parts:
            raise ValueError(f"{text!r} leaves the data folder")
        if PurePosixPath(text).as_posix() != text:
            raise ValueError(f"expected {PurePosixPath(text).as_posix()!r}, got {text!r}")
        if any(one.end() == other.start() for one, other in pairwise(tokens)):
            raise ValueError(f"{text!r} has nothing between two placeholders to tell them apart")
        self.text = text
        self.names = tuple(dict.fromkeys(names))
        self.id_names = tuple(name for name in self.names if name not in _OF_MASKS)
        self.glob, regex = _translate(text, tokens)
        self._regex = re.compile(regex)

    @property
    def folder(self) -> str:
        """The part before the first placeholder's folder, to list files in."""
        return str(Path(_TOKEN.split(self.text, maxsplit=1)[0] + "x").parent)

    def match(self, relative_path: str) -> dict[str, str] | None:
        """Return the placeholders' values where the path fits, else None."""
        found = self._regex.fullmatch(relative_path)
        return found.groupdict() if found else None

    def path(self, **values: str) -> str:
        """Return the relative path for these values; more values than needed may be given."""
        return fill(self.text, values)


def _translate(text: str, tokens: Sequence[re.Match]) -> tuple[str, str]:
    """Return a glob and a regular expression."""
    listing, regex, at = "", "", 0
    for token in tokens:
        literal, at = text[at : token.start()], token.end()
        name = token[1]
        if name is None:
            part = "[^/]*"
        elif f"(?P<{name}>" in regex:
            part = f"(?P={name})"
        else:
            part = f"(?P<{name}>{_PLACEHOLDERS[name]})"
        listing, regex = f"{listing}{escape(literal)}*", f"{regex}{re.escape(literal)}{part}"
    return listing + escape(text[at:]), regex + re.escape(text[at:])


def fill(template: str, values: Mapping[str, str]) -> str:
    """Put values in the place of a template's placeholders.

    Examples
    --------
    >>> fill("{id}.jpg_{class}", {"id": "0002cc93b", "class": "1"})
    '0002cc93b.jpg_1'
    """
    return re.sub(r"\{(\w+)\}", lambda name: values[name[1]], template)
