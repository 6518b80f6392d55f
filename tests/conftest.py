from hypothesis import settings

# A busy machine may take long over an example that is otherwise quick.
settings.register_profile("no_deadline", deadline=None)
settings.load_profile("no_deadline")


def pytest_addoption(parser):
    parser.addoption("--kills", type=int, default=1, help="how often a training is killed")
