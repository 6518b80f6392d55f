"""A loopback server that stands for the internet, and archives to put on it."""

import http.server
import io
import re
import threading
import zipfile
from contextlib import contextmanager


class Site:
    """One file at every address: cut, refused or changed as a test asks.

    Attributes
    ----------
    cuts : list of int
        After how many bytes each of the next answers breaks off.
    statuses : list of int
        What the next requests are refused with.
    requests : list of dict
        The headers of all requests.
    """

    def __init__(self, content=b""):
        self.content = content
        self.tag = '"one"'
        self.knows_ranges = True
        self.tells_length = True
        self.cuts, self.statuses, self.requests = [], [], []
        self.whole = None  # the length that Content-Range claims, where it is a lie
        site = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                site.requests.append(dict(self.headers))
                if site.statuses:
                    self.send_error(site.statuses.pop(0))
                else:
                    site.answer(self)

            def log_message(self, *arguments):
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_port}/data.zip"

    def answer(self, handler):
        start = self._start(handler.headers)
        if start is not None and start >= len(self.content):
            handler.send_response(416)
            handler.send_header("Content-Range", f"bytes */{len(self.content)}")
            handler.send_header("Content-Length", "0")
            handler.end_headers()
            return
        body = self.content[start or 0 :]
        handler.send_response(200 if start is None else 206)
        if start is not None:
            whole = self.whole or len(self.content)
            handler.send_header("Content-Range", f"bytes {start}-{len(self.content) - 1}/{whole}")
        if self.tells_length:
            handler.send_header("Content-Length", str(len(body)))
        else:
            handler.send_header("Connection", "close")
        if self.tag:
            handler.send_header("ETag", self.tag)
        handler.end_headers()
        if self.cuts:
            body = body[: self.cuts.pop(0)]
            handler.close_connection = True
        handler.wfile.write(body)

    def _start(self, headers):
        if not self.knows_ranges or "Range" not in headers:
            return None
        if headers.get("If-Range", self.tag) != self.tag:
            return None
        return int(re.fullmatch(r"bytes=(\d+)-", headers["Range"])[1])


@contextmanager
def serve(content=b""):
    """Yield a running `Site`."""
    site = Site(content)
    thread = threading.Thread(target=site.http.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield site
    finally:
        site.http.shutdown()
        thread.join()
        site.http.server_close()


def pack(files):
    """Return a zip of these files' bytes by name."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return content.getvalue()
