"""havend replaced by another havend, node by node, while a client looks on: nothing is lost, nothing moves."""
import os
import re
import shutil

import pytest

from lab import now, wait_for
from lab.haven import havend_program
from lab.tools import build



def install(node, name, source=None, text=None):
    """Puts a program in its place as a package manager does: a new file under the old name."""
    path = os.path.join(os.path.dirname(node.program), name)
    if text is None:
        shutil.copy2(source, path + ".new")
    else:
        with open(path + ".new", "w", encoding="ascii") as f:
            f.write("#!/bin/sh\n" + text)
        os.chmod(path + ".new", 0o755)
    os.rename(path + ".new", path)


def release(name):
    return os.path.join(os.path.dirname(havend_program()), name)


def programs():
    """All that a package installs beside havend."""
    there = os.path.dirname(havend_program())
    return [name for name in os.listdir(there) if name.startswith("haven") and os.path.isfile(release(name))
            and os.access(release(name), os.X_OK)]


def next_core():
    return os.path.join(build(), "tests", "lab", "haven-core-next")


@pytest.fixture
def installed(cluster):
    """installed(...) -> a started cluster whose nodes have their programs in a directory of their own."""
    def make(**named):
        c = cluster(**{"service": "process", "arbiter": "none", **named})
        for node in c.nodes.values():
            node.program = os.path.join(node.machine.directory, "bin", "havend")
            os.makedirs(os.path.dirname(node.program))
            for name in programs():
                install(node, name, release(name))
        c.start()
        return c

    return make


def epochs(c):
    return {g["name"]: (g["node"], g["epoch"]) for g in c.running()[0].status()["groups"]}


def me(node):
    return next(n for n in (node.status() or {"nodes": []})["nodes"] if n["self"])


def restart(c, node):
    """haven restart; returns when the cluster is well again. The process stays, its core is another."""
    pid, boot, core = node.pid("supervisor"), me(node)["boot"], node.pid("core")
    node.haven("restart")
    assert node.running() and node.pid("supervisor") == pid
    assert me(node)["boot"] == boot and node.pid("core") != core
    c.wait_well()


def told(c, text):
    return [node.name for node in c.nodes.values() if any(text in e["text"] for e in node.events())]


class Watched:
    """A client from here to there; nothing may be lost or moved in between."""

    def __init__(self, c, prober):
        self.c, self.client = c, prober(c.address)
        self.client.wait_answer()
        c.wait_quiet(self.client, 0.3)
        self.before, self.held, self.owner = now(), epochs(c), c.owner()
        self.echo = c.machine(self.owner).pids("lab-echo")

    def nothing_happened(self):
        end = self.c.wait_quiet(self.client, 0.3)
        assert epochs(self.c) == self.held
        assert self.c.machine(self.owner).pids("lab-echo") == self.echo, "the service runs on"
        assert self.c.watcher.none_held(self.c.address, self.before, end) == 0
        assert self.client.during(self.before, end) == []


def test_every_node_in_turn_to_the_next_release_and_nothing_moves(installed, prober):
    c = installed(nodes=3)
    watched = Watched(c, prober)
    leader = c["alpha"].status()["leader"]
    for node in sorted(c.nodes.values(), key=lambda n: n.name == leader):  # the leader last
        assert not told(c, "feature level 2 -> in force")
        install(node, "havend", release("havend"))
        install(node, "haven-core", next_core())
        restart(c, node)
    wait_for(lambda: told(c, "every member understands feature level 2 -> in force"), 10, "the new level in force")
    watched.nothing_happened()

    # there is no way back now, and that is found before anything is changed
    install(c["beta"], "haven-core", release("haven-core"))
    refused = c["beta"].haven("restart", check=False)
    assert refused.returncode == 1 and "feature level 2" in refused.stderr
    watched.nothing_happened()


def test_a_pair_there_and_back_while_not_all_have_it(installed, prober):
    c = installed(nodes=2)
    watched = Watched(c, prober)
    for core in (next_core(), release("haven-core")):
        install(c["alpha"], "haven-core", core)
        restart(c, c["alpha"])
        restart(c, c["beta"])
    watched.nothing_happened()
    assert not told(c, "feature level 2 -> in force")


def test_what_cannot_take_over_is_found_before(installed, prober):
    c = installed(nodes=2)
    watched = Watched(c, prober)
    node = c[watched.owner]
    core = node.pid("core")

    def refused(why):
        done = node.haven("restart", check=False)
        assert done.returncode == 1 and why in done.stderr and done.stderr.count("\n") == 1, done.stderr
        assert node.pid("core") == core

    c.configure(node.name, c.text + "nonsense\n")
    refused("haven.conf:")
    c.configure(node.name, re.sub(r"(?ms)^group web {.*?^}\n", "", c.text))
    refused("group web runs here and is no longer in")
    c.configure(node.name)
    install(node, "havend", text="kill -9 $$\n")
    refused("without a word")
    install(node, "havend", text="echo 'libuv is missing' >&2; exit 1\n")
    refused("libuv is missing")
    os.unlink(node.program)
    refused("cannot be run")
    install(node, "havend", release("havend"))
    restart(c, node)
    watched.nothing_happened()


def test_what_fails_after_the_trial_is_gone_back_from(installed, prober):
    c = installed(nodes=2)
    watched = Watched(c, prober)
    node = c[watched.owner]
    trial = 'case "$*" in *--can-take-over*) exit 0;; esac\n'

    # a core that dies at once: the one from before again, within the lease
    install(node, "haven-core", text=trial + "exit 3\n")
    restart(c, node)
    assert "the one before it again" in node.log()
    watched.nothing_happened()

    # a supervisor that cannot go on from what it is given: it becomes the one from before
    other = os.path.join(node.machine.directory, "elsewhere")
    os.makedirs(other)
    shutil.copy2(release("havend"), other)
    install(node, "haven-core", release("haven-core"))
    install(node, "havend", text=trial + "exec %s/havend \"$@\"\n" % other)
    core = node.pid("core")
    done = node.haven("restart", check=False)
    assert done.returncode == 1 and "goes on as before" in done.stderr
    assert node.pid("core") == core and "back to the program before" in node.log()
    watched.nothing_happened()
