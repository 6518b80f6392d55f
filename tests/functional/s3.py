"""An S3 server on this machine, moto's, for what reads and writes a remote store."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

BUCKET = "masks"
KEYS = {  # any will do for the server; without a region the client asks a machine of Amazon's
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "us-east-1",
}
_SERVE = """
import logging
import sys
import boto3
from moto.server import ThreadedMotoServer

logging.getLogger("werkzeug").setLevel(logging.ERROR)
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
url = "http://{}:{}".format(*server.get_host_and_port())
boto3.client("s3", endpoint_url=url).create_bucket(Bucket=sys.argv[1])
print(url, flush=True)
sys.stdin.read()
"""


@contextmanager
def serve_bucket() -> Iterator[str]:
    """Start a server with an empty bucket, and yield its address."""
    with subprocess.Popen(
        [sys.executable, "-c", _SERVE, BUCKET],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | KEYS,
    ) as process:
        url = process.stdout.readline().strip()
        if not url:
            raise RuntimeError("the S3 server did not start; its error stands above")
        try:
            yield url
        finally:
            process.stdin.close()
