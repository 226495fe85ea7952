"""Starting, leaving, coming back; and a wall clock that jumps."""
import os
import struct

import pytest

from lab import now, tool, wait_for
from lab.haven import group_text


def test_a_node_that_is_told_to_end_hands_over_first(pair, prober):
    c = pair(service="process")
    client = prober(c.address)
    client.wait_answer("alpha")
    start = now()
    assert c["alpha"].stop() == 0
    client.wait_answer("beta")
    end = c.wait_quiet(client, 0.5)
    assert client.longest(start, end) < 1, "as short as a planned move"
    c.wait_group("web", "beta")
    wait_for(lambda: not c.machine("alpha").processes(), 5, "nothing is left on alpha")
    assert not c.machine("alpha").holds(c.address)
    left = [n for n in c["beta"].status()["nodes"] if n["name"] == "alpha"][0]
    assert left["state"] == "offline" and "left" in left["text"], left
    c["alpha"].start()
    c.wait_group("web", "alpha")


def test_the_standby_can_be_restarted(pair):
    c = pair()
    start = now()
    assert c["beta"].stop() == 0
    c.wait_node("beta", "offline")
    c["beta"].start()
    c.wait_well()
    assert c.owner() == "alpha"
    assert c.watcher.none_held(c.address, start, now()) == 0


def test_both_can_be_restarted(pair):
    c = pair(service="process")
    for name in ("beta", "alpha"):
        assert c[name].stop() == 0
    assert c.watcher.holders(c.address) == []
    assert all(not m.processes() for m in c.machines())
    for node in c.nodes.values():
        node.start()
    c.wait_well()
    c.wait_group("web", "alpha")


def test_the_whole_room_loses_power_and_comes_back(pair, prober):
    c = pair(service="process")
    c.power_cut("alpha")
    c.power_cut("beta")
    for name in c.nodes:
        c.power_on(name)
    c.wait_well()
    prober(c.address).wait_answer("alpha")


@pytest.mark.parametrize("name", ["alpha", "beta"])
def test_one_node_alone_starts_the_service_after_its_wait(cluster, name):
    c = cluster(arbiter="none", timing={"start-wait": "2s"})
    c.start(wait=False)
    other = "beta" if name == "alpha" else "alpha"
    c.wait_well()
    c.power_cut("alpha")
    c.power_cut("beta")
    started = c.power_on(name)
    c.wait_group("web", name)
    assert now() - started > 1.5, "it waits for the other first"
    c.power_on(other)
    c.wait_well()
    c.wait_group("web", "alpha")


def test_a_node_without_its_state_does_not_vote_but_is_readmitted(pair):
    c = pair()
    c.power_cut("beta")
    for name in os.listdir(c["beta"].state_dir):
        os.unlink(os.path.join(c["beta"].state_dir, name))
    start = now()
    c.power_on("beta")
    c.wait_status(lambda s: all(n["state"] == "online" and "no vote" not in n["text"] for n in s["nodes"]),
                  "beta is a voter again", timeout=10)
    assert c.owner() == "alpha" and c.watcher.none_held(c.address, start, now()) == 0
    c.power_cut("alpha")
    c.wait_group("web", "beta")


def test_three_nodes_outlive_any_one_and_stop_without_a_majority(cluster):
    c = cluster(nodes=3, arbiter="none")
    c.start()
    assert c["alpha"].status()["quorum"]["strength"] == "strong"
    c.power_cut("alpha")
    c.wait_group("web", "beta")
    cut = c.power_cut("beta")
    wait_for(lambda: now() > cut + 2, 5, "time to pass in which gamma could take it")
    assert c.watcher.holders(c.address) == []
    assert not c["gamma"].status()["quorum"]["held"]
    c.power_on("alpha")
    c.wait_group("web", "alpha")


def test_a_minority_lets_go_before_the_majority_takes(cluster):
    c = cluster(nodes=3, arbiter="none")
    c.start()
    a, b, g = c.machines()
    cut = c.lab.partition([a], [b, g])
    c.watcher.wait_holder(c.address, "beta", 10)
    assert c.watcher.both_held(c.address, cut, now()) <= 0.002
    c.lab.heal()
    c.wait_group("web", "alpha")


def test_more_nodes_and_groups_than_two(cluster):
    """Two serve, one stands by for both."""
    c = cluster(nodes=3, arbiter="none", groups=[group_text("web", ["alpha", "gamma"], "10.77.0.111"),
                                                 group_text("mail", ["beta", "gamma"], "10.77.0.112")])
    c.start()
    c.wait_group("web", "alpha")
    c.wait_group("mail", "beta")
    c.power_cut("beta")
    c.wait_group("mail", "gamma")
    c.wait_group("web", "alpha")


@pytest.mark.parametrize("step", [3600, -3600])
def test_a_stepped_wall_clock_moves_nothing(cluster, prober, step):
    """CLOCK_REALTIME has no namespace. Every process of haven on alpha reads it through lab-wallclock, which the test
    sets off; the events show that it did."""
    c = cluster(arbiter="none", service="process")
    clock = c.machine("alpha").directory + "/wallclock"
    with open(clock, "wb") as f:
        f.write(struct.pack("=q", 0))
    c["alpha"].wrap = ["env", "LD_PRELOAD=" + tool("wallclock.so"), "LAB_WALLCLOCK=" + clock]
    c.start()
    client = prober(c.address)
    client.wait_answer("alpha")
    start = now()
    with open(clock, "r+b") as f:
        f.write(struct.pack("=q", step))
    wait_for(lambda: now() > start + 2, 5, "several leases to pass")
    end = c.wait_quiet(client, 0.5)
    assert c.watcher.none_held(c.address, start, end) == 0
    assert client.longest(start, end) < 0.3
    c.haven("standby", "beta", "for", "1s")
    c.wait_node("beta", "online")
    times = [e["wall_us"] / 1e6 for e in c["alpha"].events()]
    assert abs(times[-1] - times[0] - step) < 60, "the clock was stepped for haven"
    c.power_cut("alpha")
    client.wait_answer("beta")
