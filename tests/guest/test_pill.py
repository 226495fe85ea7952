"""The poison pill: a node that is cut off from the network, but not from the shared disk, is reset by it, for certain."""
import json
import os

import pytest

from lab import wait_for
from lab.haven import Cluster, haven_program, havend_program
from lab.tools import run

SLOW = {"heartbeat": "300ms", "dead": "2s"}  # a guest is slow now and then
EXTRA = """watchdog {
    device = /dev/watchdog1
    timeout = 5s
    reset = 1s
}
fence pill {
    agent = disk
    node = {alpha, beta, gamma}
    option = {"device=%s"}
    timeout = 40s
}
"""
GROUP = """group db {
    nodes = {alpha, beta, gamma}
    exclusive = data
    process db { command = "/bin/sleep 100000" }
}
"""


class Trio:
    """alpha is a guest with a watchdog; the disk is a file, and one of alpha's block devices."""

    def __init__(self, lab, guest):
        self.path = os.path.join(lab.directory, "pills.disk")
        with open(self.path, "wb") as f:
            f.truncate(4 << 20)
        self.alpha = guest("alpha", modules=["softdog"], disks=[self.path])
        self.c = Cluster(lab, ["alpha", "beta", "gamma"], timing=SLOW, arbiter="none", groups=[GROUP], service=None,
                         extra=EXTRA % self.path, watch=False)
        run(haven_program(), "disk", "init", self.path, "-c", self.c.config_path("beta"))
        self.alpha.boot()
        run(haven_program(), "keygen", self.c.key_path)
        for node in self.c.nodes.values():
            node.init()
        self.others = [self.c["beta"], self.c["gamma"]]
        for node in self.others:
            node.start()
        self.alpha.wait()
        # under the name that it has on the host
        self.alpha.run("ln -sfn /dev/ubda %s" % self.path)
        self.alpha.run("mkdir -p /tmp/run; setsid %s -c %s -n alpha -f --run-dir /tmp/run --state-dir %s >%s/havend.log 2>&1 &" % (
            havend_program(), self.c.config_path("alpha"), self.c["alpha"].state_dir, self.alpha.directory))

    def log(self):
        return self.alpha.text("havend.log")

    def shown(self):
        return json.loads(run(haven_program(), "disk", "show", self.path, "--json"))["nodes"]

    def events(self):
        return "".join(node.haven("events", "-n", "200").stdout for node in self.others)

    def reads(self, node):
        pills = self.shown()[node].get("pills")
        return pills and pills["watchdog_ms"] == 5000


@pytest.fixture
def trio(lab, guest):
    made = []

    def make():
        made.append(Trio(lab, guest))
        return made[-1]

    yield make
    for t in made:
        for node in t.others:
            if node.running():
                node.stop()


def test_a_node_that_is_cut_off_takes_its_pill_and_its_data_starts_elsewhere(lab, trio):
    t = trio()
    wait_for(lambda: t.reads(0), 60, lambda: "alpha reads its pills, and its watchdog is armed:\n" + t.log()[-3000:])
    t.c.wait_group("db", "alpha", names=["beta", "gamma"], timeout=40)
    # gamma has no watchdog: what it would take proves nothing, and it is left alone
    t.c["beta"].haven("fence", "gamma", "--yes", check=False)
    wait_for(lambda: "it has no watchdog armed" in t.events(), 20, lambda: "the refusal is told:\n" + t.events())
    for other in t.others:
        lab.cut_pair(t.alpha, t.c.machine(other.name))
    t.alpha.wait_end(40)
    assert "wants this machine off" in t.log(), t.log()[-2000:]
    assert "esetting" in t.alpha.console() or "rebooting" in t.alpha.console(), t.alpha.console()[-2000:]
    t.c.wait_group("db", names=["beta", "gamma"], timeout=40)
    wait_for(lambda: "it took its pill and was reset" in t.events(), 40, lambda: "who gave it tells that:\n" + t.events())
    assert all(node.running() for node in t.others)
