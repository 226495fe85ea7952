"""Two nodes and one key of an etcd."""
import shutil

import pytest

from lab import now, wait_for
from lab.etcd import Etcd
from lab.haven import havend_program

TAKEN_WITHIN = 1.5  # dead, the rounds to etcd and its disk, the start; with room for a busy machine


@pytest.fixture
def etcd(lab):
    if not shutil.which("etcd"):
        pytest.skip("etcd-server is not installed")
    made = Etcd(lab)
    made.start()
    return made


def start(cluster, etcd):
    c = cluster(arbiter=etcd.arbiter(), timing={"heartbeat": "100ms", "dead": "1s"})
    c.start()
    c.wait_status(lambda s: s["quorum"]["survives"].startswith("one more"), "all votes are there")
    return c


@pytest.mark.parametrize("blind", [None, "alpha"])
def test_a_split_leaves_the_service_on_exactly_one_side(cluster, etcd, prober, blind):
    c = start(cluster, etcd)
    a, b = c.machines()
    client = prober(c.address)
    client.wait_answer("alpha")
    if blind:
        c.lab.partition([c.machine(blind)], [etcd.machine])
    cut = c.lab.partition([a], [b])
    owner = "beta" if blind else "alpha"
    if blind:
        c.watcher.wait_holder(c.address, "beta", 5)
        assert now() - cut < 1 + TAKEN_WITHIN
    wait_for(lambda: now() > cut + 4, 6, "time to pass in which both could have it")
    assert c.watcher.both_held(c.address, cut, now()) == 0
    assert c.watcher.holders(c.address) == [owner]
    if not blind:
        assert c.watcher.none_held(c.address, cut, now()) == 0, "whoever leads goes on without a pause"
    c.lab.heal()
    c.wait_group("web", "alpha")


def test_a_dead_node_is_replaced_and_a_lost_etcd_is_missed_by_nobody(cluster, etcd):
    c = start(cluster, etcd)
    q = c["alpha"].status()["quorum"]
    assert (q["arbiter"], q["strength"], q["votes"], q["needed"]) == ("etcd", "strong", 3, 2)
    begin = now()
    etcd.daemon.kill()
    c.wait_status(lambda s: "next failure" in s["quorum"]["survives"], "etcd is missed in the status", timeout=10)
    assert c.watcher.none_held(c.address, begin, now()) == 0
    etcd.start()
    c.wait_status(lambda s: s["quorum"]["survives"].startswith("one more"), "etcd is back")
    cut = c.power_cut("alpha")
    c.watcher.wait_holder(c.address, "beta", 6)
    assert now() - cut < 1 + TAKEN_WITHIN
    etcd.daemon.kill()
    wait_for(lambda: c.watcher.holders(c.address) == [], 6, "beta alone lets go")
    etcd.start()
    c.watcher.wait_holder(c.address, "beta", 6)


def test_a_key_that_was_deleted_is_no_vote_until_a_leader_writes_it_anew(cluster, etcd):
    c = start(cluster, etcd)
    cut = c.power_cut("alpha")
    c.watcher.wait_holder(c.address, "beta", 6)
    etcd.ask("deleterange")
    wait_for(lambda: c.watcher.holders(c.address) == [], 6, "beta alone lets go")
    wait_for(lambda: "lost its state" in c["beta"].status()["quorum"]["survives"], 6, "the status says so")
    c.power_on("alpha")
    c.wait_status(lambda s: s["quorum"]["survives"].startswith("one more"), "the key is there again")
    assert cut and havend_program()


def test_an_older_copy_of_the_key_is_noticed_and_is_no_vote(cluster, etcd):
    c = start(cluster, etcd)
    copy = etcd.ask("range")["kvs"][0]["value"]
    cut = c.power_cut("alpha")
    c.watcher.wait_holder(c.address, "beta", 6)
    etcd.ask("put", value=copy)
    wait_for(lambda: c.watcher.holders(c.address) == [], 6, "beta alone lets go")
    wait_for(lambda: "older copy" in c["beta"].status()["quorum"]["survives"], 6, "the status says why")
    c.power_on("alpha")
    c.wait_status(lambda s: s["quorum"]["survives"].startswith("one more"), "a leader has written it anew")
    c.wait_well()
    assert c.watcher.both_held(c.address, cut, now()) == 0
