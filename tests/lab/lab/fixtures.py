"""What the tests of the lab and of the guests have in common; their conftest.py takes all of it."""
import signal
import sys

import pytest

from . import Lab


def pytest_configure(config):
    # a polite kill of the test run must clean up as Ctrl-C does
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))


def pytest_addoption(parser):
    parser.addoption("--keep", action="store_true", help="keep the machines' directories with their logs")


@pytest.fixture
def lab(request):
    with Lab(keep=request.config.getoption("--keep")) as made:
        yield made
