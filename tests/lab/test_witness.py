"""Two nodes and a witness: a split runs nothing twice, and the witness alone is missed by nobody."""
import os
import shutil
import subprocess
import tempfile

import pytest

from lab import now, wait_for
from lab.haven import haven_program, run
from lab.tools import tool
from lab.witness import Witness

TAKEN_WITHIN = 1.0  # dead, the rounds to the witness, the start; with room for a busy machine


@pytest.fixture
def witnessed(cluster, lab):
    """witnessed(...) -> a started cluster of two with a witness, c.witness; takes what cluster() takes."""
    def make(**named):
        witness = Witness(lab)
        c = cluster(arbiter=witness.arbiter(), **named)
        c.witness = witness
        run(haven_program(), "keygen", c.key_path)
        witness.serve("lab", c.key_path)
        witness.start()
        c.start()
        witness.wait_state("lab", "voter")
        c.wait_status(lambda s: s["quorum"]["survives"].startswith("one more"), "all votes are there")
        return c

    return make


def quorum(c, name):
    return c[name].status()["quorum"]


@pytest.mark.parametrize("blind", [None, "alpha", "beta"])
def test_a_split_leaves_the_service_on_exactly_one_side(witnessed, prober, blind):
    """Both nodes see the client; both, or one of them, see the witness."""
    c = witnessed()
    a, b = c.machines()
    client = prober(c.address)
    client.wait_answer("alpha")
    if blind:
        c.lab.partition([c.machine(blind)], [c.witness.machine])
    cut = c.lab.partition([a], [b])
    if blind == "alpha":
        c.watcher.wait_holder(c.address, "beta", 5)
        assert now() - cut < TAKEN_WITHIN
    wait_for(lambda: now() > cut + 3, 5, "time to pass in which both could have it")
    assert c.watcher.both_held(c.address, cut, now()) == 0
    owner = "beta" if blind == "alpha" else "alpha"
    assert c.watcher.holders(c.address) == [owner]
    if blind != "alpha":
        assert c.watcher.none_held(c.address, cut, now()) == 0, "whoever leads goes on without a pause"
    assert quorum(c, owner)["held"] and not quorum(c, "alpha" if owner == "beta" else "beta")["held"]
    assert "next failure" in quorum(c, owner)["survives"]
    c.lab.heal()
    c.wait_group("web", "alpha")


def test_a_dead_node_is_replaced_and_a_lost_witness_is_missed_by_nobody(witnessed):
    c = witnessed()
    q = quorum(c, "alpha")
    assert (q["arbiter"], q["strength"], q["votes"], q["needed"]) == ("witness", "strong", 3, 2)
    start = now()
    c.witness.kill()
    c.wait_status(lambda s: "next failure" in s["quorum"]["survives"]
                  and "does not answer" in s["quorum"]["survives"], "the witness is missed in the status", timeout=10)
    assert c.watcher.none_held(c.address, start, now()) == 0
    c.witness.start()
    c.wait_status(lambda s: s["quorum"]["survives"].startswith("one more"), "the witness is back")
    cut = c.power_cut("alpha")
    c.watcher.wait_holder(c.address, "beta", 5)
    assert now() - cut < TAKEN_WITHIN
    # without it now, nothing may run
    c.witness.kill()
    wait_for(lambda: c.watcher.holders(c.address) == [], 5, "beta alone lets go")
    wait_for(lambda: not quorum(c, "beta")["held"], 5, "the status says so")
    wait_for(lambda: "nothing may run" in c.haven("status", node="beta").stdout, 5, "and in words")
    c.witness.start()
    c.watcher.wait_holder(c.address, "beta", 5)


def test_a_witness_without_its_state_votes_for_nobody_until_it_is_readmitted(witnessed):
    c = witnessed()
    cut = c.power_cut("alpha")
    c.watcher.wait_holder(c.address, "beta", 5)
    c.witness.kill()
    c.witness.lose_state()
    c.witness.start()
    wait_for(lambda: c.watcher.holders(c.address) == [], 5, "beta alone lets go")
    start = now()
    wait_for(lambda: now() > start + 2, 5, "time to pass in which it could vote")
    assert c.witness.served("lab")["state"] == "lost" and c.watcher.holders(c.address) == []
    assert "lost its state" in quorum(c, "beta")["survives"]
    c.power_on("alpha")
    c.witness.wait_state("lab", "voter")
    c.wait_well()
    c.power_cut("alpha" if c.owner() == "alpha" else "beta")
    c.wait_well()
    assert cut


def test_an_older_copy_of_the_witness_s_state_is_noticed_and_is_no_vote(witnessed):
    c = witnessed()
    c.witness.keep_state()
    cut = c.power_cut("alpha")
    c.watcher.wait_holder(c.address, "beta", 5)
    c.witness.kill()
    c.witness.restore_state()
    c.witness.start()
    wait_for(lambda: c.watcher.holders(c.address) == [], 5, "beta alone lets go")
    wait_for(lambda: "older copy" in quorum(c, "beta")["survives"], 5, "the status says why")
    assert c.witness.served("lab")["state"] == "lost"
    assert "older than what it has told" in c.witness.daemon.output()
    c.witness.kill()
    c.witness.start()
    assert c.witness.served("lab")["state"] == "lost", "its next start must not find the copy again"
    c.power_on("alpha")
    c.witness.wait_state("lab", "voter")
    c.wait_well()
    assert c.watcher.both_held(c.address, cut, now()) == 0


def test_one_witness_serves_two_clusters_and_refuses_strangers(witnessed, lab):
    c = witnessed()
    other = os.path.join(lab.directory, "other.key")
    run(haven_program(), "keygen", other)
    c.witness.kill()
    c.witness.serve("second", other)
    c.witness.start()
    c.witness.wait_state("lab", "voter")
    assert c.witness.served("second")["state"] == "lost"
    wait_for(lambda: c.witness.served("lab")["asked"] > 0, 5, "the first cluster asks again")
    # the heartbeats' key, not the witness's: a packet of alpha's to the witness's port
    c.machine("alpha").run("sh", "-c", "head -c 200 /dev/urandom | timeout 1 nc -u -w 0 %s 6941 || true"
                           % c.witness.machine.address["front"])
    text = c.witness.haven("status").stdout
    assert "lab: voter" in text and "second: lost" in text, text
    owner = subprocess.run(["ps", "-o", "user=", "-p", str(c.witness.daemon.pid)], capture_output=True, text=True,
                           check=True).stdout.strip()
    assert owner != "root", "it gave up root"
    cut = c.power_cut("beta")
    assert c.watcher.none_held(c.address, cut, now()) == 0


@pytest.fixture
def slow():
    """The name of a file that makes a disk slow, where somebody who has given up root can look for it."""
    directory = tempfile.mkdtemp(prefix="haven-slow-")
    os.chmod(directory, 0o777)
    yield os.path.join(directory, "disk")
    shutil.rmtree(directory)


def test_a_disk_that_takes_its_time_keeps_the_witness_from_nothing_else(witnessed, slow):
    """A vote waits for its write; the witness goes on answering others."""
    c = witnessed()
    c.witness.kill()
    c.witness.wrap = ["env", "LD_PRELOAD=" + tool("slowsync.so"), "LAB_SLOWSYNC=" + slow, "LAB_SLOWSYNC_S=6"]
    c.witness.start()
    c.witness.wait_state("lab", "voter")
    wait_for(lambda: c.witness.served("lab")["asked"] > 0, 10, "the cluster asks again")
    with open(slow, "w", encoding="ascii"):
        pass
    c.power_cut("alpha")
    wait_for(lambda: os.path.exists(slow + ".busy"), 20, "a vote is being written", 0.02)
    c.witness.served("lab")
    assert os.path.exists(slow + ".busy"), "the witness answered only after its write"
    os.unlink(slow)
    c.watcher.wait_holder(c.address, "beta", 30)
