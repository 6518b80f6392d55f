import signal
import sys

import pytest
from hypothesis import settings

# A shell without job control has its background processes, and theirs, ignore Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)

# A busy machine may take long over an example that is otherwise quick.
settings.register_profile("no_deadline", deadline=None)
settings.load_profile("no_deadline")


def pytest_addoption(parser):
    parser.addoption("--kills", type=int, default=1, help="how often a training is killed")
    parser.addoption(
        "--fuzz", type=int, default=50, help="cases of each test of tests/functional/test_fuzz.py"
    )


@pytest.fixture(autouse=True)
def float32():
    """Undo the precision that a training chose for the whole process."""
    yield
    if "keras" in sys.modules:
        sys.modules["keras"].config.set_dtype_policy("float32")
