"""One file over HTTP, which goes on where an earlier call or a cut connection left it."""

import hashlib
import json
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import requests

from pipeline.atomic import write_text
from pipeline.errors import InputError

ATTEMPTS = 5
PAUSE = 1.0  # seconds before the second attempt; doubled before each one after
_TIMEOUT = (15, 60)  # seconds to connect, seconds of silence
CHUNK = 2**16  # bytes; what came of one when the connection breaks is lost
_PASSING = (429, 500, 502, 503, 504)  # answers that another attempt may change
_WAYS_OUT = "correct archive: url in the competition's spec, or put the files there yourself"

Show = Callable[[int, int | None], None]


def fetch_file(
    url: str, path: Path, *, sha256: str | None = None, show: Show = lambda done, total: None
) -> None:
    """Download a file, or the rest of it.

    What lies at `path` is taken for the beginning of the file only where the server says that it
    still has the same one (``If-Range`` with its ETag or date, noted in `path` + ".json").

    Parameters
    ----------
    url : str
        http or https.
    path : Path
        In a folder that exists. Complete when the function returns; another call then asks the
        server whether it is still the same file.
    sha256 : str, optional
        The file's digest, hexadecimal.
    show : callable
        Called with the bytes that are there and those of the whole, None where the server
        doesn't say.

    Raises
    ------
    InputError
        The server refuses or can't be reached: what came so far stays for the next call. Or what
        came is not the file that was announced: it is removed.
    OSError
        The disk is full.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            total = _fetch_rest(url, path, show)
            break
        except requests.HTTPError as error:
            status = error.response.status_code
            if status not in _PASSING or attempt == ATTEMPTS:
                raise InputError(_explain(url, error.response)) from error
        except requests.RequestException as error:
            if attempt == ATTEMPTS:
                raise InputError(_describe_break(url, path, error)) from error
        time.sleep(PAUSE * 2 ** (attempt - 1))
    _check_length(url, path, total)
    if sha256 is not None:
        _check_digest(url, path, sha256)


def discard(path: Path) -> None:
    """Remove a file that `fetch_file` wrote, and what was noted beside it."""
    path.unlink(missing_ok=True)
    _note(path).unlink(missing_ok=True)


def _fetch_rest(url: str, path: Path, show: Show) -> int | None:
    """Make one request and append its answer; return the bytes of the whole, if known."""
    start, validator = _beginning(url, path)
    # Compressed on the way, the positions would be those of other bytes.
    headers = {"Accept-Encoding": "identity"}
    if start:
        headers |= {"Range": f"bytes={start}-", "If-Range": validator}
    with requests.get(url, headers=headers, stream=True, timeout=_TIMEOUT) as response:
        if start and response.status_code == 416:
            if _whole_length(response) == start:
                return start  # nothing is missing
            discard(path)
            return _fetch_rest(url, path, show)
        response.raise_for_status()
        if response.status_code != 206:  # another file by now, or a server that knows no ranges
            start = 0
        total = _whole_length(response)
        write_text(_note(path), json.dumps({"url": url, "validator": _validator(response)}))
        with path.open("ab" if start else "wb") as file:
            for chunk in response.iter_content(CHUNK):
                file.write(chunk)
                start += len(chunk)
                show(start, total)
    return total


def _beginning(url: str, path: Path) -> tuple[int, str | None]:
    """Return the bytes that are there, and by what the server knows the file they are of."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        noted = json.loads(_note(path).read_text())
        if noted["url"] == url and noted["validator"] is not None:
            return path.stat().st_size, noted["validator"]
    return 0, None


def _note(path: Path) -> Path:
    return path.with_name(f"{path.name}.json")


def _validator(response: requests.Response) -> str | None:
    """Return what stands for exactly these bytes: a weak ETag does not."""
    tag = response.headers.get("ETag", "W/")
    return response.headers.get("Last-Modified") if tag.startswith("W/") else tag


def _whole_length(response: requests.Response) -> int | None:
    """Return the length of the whole file: "bytes 5-9/10" and "bytes */10" say 10."""
    ranges = response.headers.get("Content-Range")
    text = ranges.rpartition("/")[2] if ranges else response.headers.get("Content-Length", "")
    return int(text) if text.isdecimal() else None


def _check_length(url: str, path: Path, total: int | None) -> None:
    length = path.stat().st_size
    if total is not None and length != total:
        discard(path)
        raise InputError(f"{url}: expected {total} bytes, got {length}; discarded")


def _check_digest(url: str, path: Path, expected: str) -> None:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    if digest.hexdigest() != expected:
        discard(path)
        raise InputError(
            f"{url}: expected the SHA-256 {expected}, got {digest.hexdigest()}; discarded"
        )


def _explain(url: str, response: requests.Response) -> str:
    said = f"HTTP {response.status_code} {response.reason}"
    if response.status_code in (401, 403):
        return f"{url}: the server refuses to give it without an account ({said}); {_WAYS_OUT}"
    if response.status_code in (404, 410):
        return f"{url}: no such file there ({said}); {_WAYS_OUT}"
    return f"{url}: the server answers {said}; try again later"


def _describe_break(url: str, path: Path, error: requests.RequestException) -> str:
    reason = " ".join(str(error).split())
    length = path.stat().st_size if path.exists() else 0
    if length and _beginning(url, path)[1]:
        return f"{url}: broke off after {length} bytes; the same command goes on there: {reason}"
    return f"{url}: can't be fetched, try again: {reason}"
