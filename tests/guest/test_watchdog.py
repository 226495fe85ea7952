"""The watchdog really resets: softdog in a guest's own kernel, the other two nodes beside it in namespaces."""
import os

import pytest

from lab import now, wait_for
from lab.haven import Cluster, haven_program, havend_program
from lab.tools import run

SLOW = {"heartbeat": "300ms", "dead": "2s"}  # a guest is slow now and then
WATCHDOG = "watchdog {\n    device = /dev/watchdog1\n    timeout = 5s\n    reset = 1s\n}\n"
SERVICE = 'process db { command = "/bin/sleep 100000" }'
# a script that starts, and on alpha cannot be stopped
STUBBORN = """#!/bin/sh
state=/tmp/stubborn.$HAVEN_NODE
case $1 in
start) : > "$state";;
stop) [ "$HAVEN_NODE" != alpha ] || [ ! -e "$state" ];;
status) [ -e "$state" ] || exit 3;;
esac
"""


class Trio:
    """alpha is a guest with a watchdog, beta and gamma have none; the group belongs to alpha."""

    def __init__(self, lab, guest, group):
        self.alpha = guest("alpha", modules=["softdog"])
        self.c = Cluster(lab, ["alpha", "beta", "gamma"], timing=SLOW, arbiter="none", groups=[group], service=None,
                         extra=WATCHDOG, watch=False)
        self.others = [self.c["beta"], self.c["gamma"]]
        self.alpha.boot()
        run(haven_program(), "keygen", self.c.key_path)
        for node in self.c.nodes.values():
            node.init()
        for node in self.others:
            node.start()
        self.alpha.wait()
        self.start_alpha()

    def start_alpha(self):
        node = self.c["alpha"]
        # what the others have in common with it is on the host; sockets are its own kernel's
        self.alpha.run("mkdir -p /tmp/run; setsid %s -c %s -n alpha -f --run-dir /tmp/run --state-dir %s >%s/havend.log 2>&1 &" % (
            havend_program(), self.c.config_path("alpha"), node.state_dir, self.alpha.directory))

    def log(self):
        return self.alpha.text("havend.log")

    def seen(self, name):
        return next(n for n in self.c["beta"].status()["nodes"] if n["name"] == name)

    def wait_armed(self):
        wait_for(lambda: self.seen("alpha")["watchdog"], 40, lambda: "the others know of alpha's watchdog:\n" + self.log()[-3000:])


@pytest.fixture
def trio(lab, guest):
    made = []

    def make(group):
        made.append(Trio(lab, guest, group))
        return made[-1]

    yield make
    for t in made:
        for node in t.others:
            if node.running():
                node.stop()


def data(body):
    return "group db {\n    nodes = {alpha, beta, gamma}\n    exclusive = data\n%s}\n" % body


def test_a_frozen_havend_is_reset_and_only_then_its_data_starts_elsewhere(trio):
    t = trio(data("    " + SERVICE + "\n"))
    t.wait_armed()
    assert "Software Watchdog" in t.log()
    own = next(n for n in t.c["beta"].status()["nodes"] if n["self"])
    assert own["watchdog"].startswith("not armed: /dev/watchdog1: No such file"), own
    t.c.wait_group("db", "alpha", names=["beta", "gamma"], timeout=40)
    # all that could release it stands still; the service goes on
    t.alpha.run("kill -STOP $(pidof havend haven-core)")
    frozen = now()
    t.c.wait_group("db", state="blocked", names=["beta"], timeout=20)
    text = next(g["text"] for g in t.c["beta"].status()["groups"])
    assert "its watchdog resets alpha" in text and "haven confirm-off alpha" in text, text
    reset = t.alpha.wait_end(20)
    assert "softdog: Initiating system reboot" in t.alpha.console()
    assert reset - frozen < 5 + 3, "fed after the lease was over"
    status = t.c["beta"].status()
    assert all(g["state"] != "started" for g in status["groups"]), "started before the reset"
    t.c.wait_group("db", names=["beta", "gamma"], timeout=20)
    assert now() - frozen < 5 * 1.02 + 1 + 2 * 1.02 + 5, "later than it need be"


def test_a_group_that_does_not_stop_resets_its_node(lab, trio):
    script = os.path.join(lab.directory, "stubborn")
    with open(script, "w", encoding="ascii") as f:
        f.write(STUBBORN)
    os.chmod(script, 0o755)
    t = trio(data("    on-stop-failure = reset\n    script stubborn { command = %s  stop-timeout = 2s }\n" % script))
    t.wait_armed()
    t.c.wait_group("db", "alpha", names=["beta", "gamma"], timeout=40)
    t.c["beta"].haven("move", "db", "beta", check=False)
    moved = now()
    reset = t.alpha.wait_end(20)
    assert "SysRq : Resetting" in t.alpha.console() or "sysrq: Resetting" in t.alpha.console(), t.alpha.console()[-2000:]
    assert reset - moved < 5, "it waited for its watchdog"
    wait_for(lambda: "this node resets itself" in t.log(), 5, "it was told before")
    t.c.wait_group("db", "beta", names=["beta", "gamma"], timeout=30)
