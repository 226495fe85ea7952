"""Fixtures of the lab's tests.

    lab       the switch room and nothing else; add machines
    cluster   a function that builds a haven cluster in the lab (lab/haven.py), not started
    pair      the same, started, of two nodes without an arbiter
    prober    a function that starts a prober: prober(address)
    post      a machine with a mail server that keeps every mail (lab/post.py)

Whatever a test leaves running, and however it ends, is gone after it. The addresses of a haven cluster are guarded:
a second holder fails the test, unless it asked for an allowance."""
import os

import pytest

from lab import Prober
from lab.fixtures import lab, pytest_addoption, pytest_configure
from lab.haven import Cluster
from lab.post import Post


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    setattr(item, "failed_in_" + report.when, report.failed)
    cluster = getattr(item, "haven_clusters", [])
    if report.when == "call" and report.failed:
        for c in cluster:
            report.sections.append(("haven", c.story()))


@pytest.fixture
def cluster(request, lab):
    """cluster(nodes=2, ...) -> lab.haven.Cluster; at the end of the test its guard is asked."""
    made = request.node.haven_clusters = []

    def make(*arguments, **named):
        made.append(Cluster(lab, *arguments, **named))
        return made[-1]

    yield make
    for c in made:
        c.check_end()


@pytest.fixture
def pair(cluster):
    """pair(...) -> a started cluster of alpha and beta, no arbiter, everything well; takes what cluster() takes."""
    def make(**named):
        c = cluster(**{"arbiter": "none", **named})
        c.start()
        return c

    return make


@pytest.fixture
def prober(lab):
    """prober(address, **more) -> lab.Prober, running on the lab's first client."""
    def start(address, **named):
        return Prober(lab.clients[0] if lab.clients else lab.add_client(), address, **named)

    return start


@pytest.fixture
def post(lab):
    if not os.path.exists("/usr/sbin/exim4"):
        pytest.skip("exim4 is not installed")
    p = Post(lab)
    p.start()
    return p
