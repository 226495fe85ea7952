"""Fixtures of the guests' tests: `lab`, and `guest(name, ...)` which makes a guest in it, not booted. Whatever a test
leaves running, and however it ends, is gone after it; the consoles of its guests are in the report of a failure."""
import pytest

from guest import Guest
from lab.fixtures import lab, pytest_addoption, pytest_configure


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if report.when == "call" and report.failed:
        for guest in getattr(item, "guests", []):
            report.sections.append(("console of " + guest.name, guest.console()[-5000:]))


@pytest.fixture
def guest(request, lab):
    made = request.node.guests = []

    def make(name, **more):
        made.append(Guest(lab, name, **more))
        return made[-1]

    return make
