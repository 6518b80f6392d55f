import pytest

from .vgg16_files import make_weights


@pytest.fixture
def weights():
    return make_weights()
