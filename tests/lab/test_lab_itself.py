"""The lab measures what it says it measures: known faults with known lengths."""
import os
import signal
import time

import pytest

from lab import Guard, Lab, Prober, Watcher, now, start_echo, wait_for
from lab.tools import run

ADDRESS = "10.77.0.111"


@pytest.fixture
def pair(lab):
    """Two nodes and a client; alpha has the address; both serve."""
    a, b, client = lab.add_node("alpha"), lab.add_node("beta"), lab.add_client()
    watcher = Watcher(lab)
    for node in (a, b):
        start_echo(node)
    take(a)
    return a, b, client, watcher


def take(node):
    node.run("ip", "addr", "add", ADDRESS + "/24", "dev", "front")
    node.start("arping", "arping", "-q", "-c", "1", "-U", "-I", "front", "-s", ADDRESS, ADDRESS)


def release(node):
    node.run("ip", "addr", "del", ADDRESS + "/24", "dev", "front")


def ping(sender, address):
    return sender.run("ping", "-n", "-q", "-c", "1", "-W", "0.3", address, check=False).returncode == 0


def test_the_client_sees_an_outage_as_long_as_it_was(pair):
    a, b, client, watcher = pair
    prober = Prober(client, ADDRESS)
    prober.wait_answer("alpha")
    start = now()
    release(a)
    time.sleep(0.4)
    take(b)
    prober.wait_answer("beta")
    time.sleep(0.2)
    end = now()
    assert 0.39 < prober.longest(start, end) < 0.7
    assert 0.39 < watcher.none_held(ADDRESS, start, end) < 0.7
    assert abs(prober.lost_time(start, end) - prober.longest(start, end)) < 0.15
    assert watcher.both_held(ADDRESS, start, end) == 0


def test_a_refreshed_address_is_one_tenure(pair):
    a, _, _, watcher = pair
    for _ in range(3):
        a.run("ip", "addr", "replace", ADDRESS + "/24", "dev", "front", "valid_lft", "30", "preferred_lft", "30")
    wait_for(lambda: watcher.holders(ADDRESS) == ["alpha"], 2, "alpha holds it")
    assert len(watcher.tenures(a, ADDRESS)) == 1


def test_an_address_that_the_kernel_drops_by_itself_ends_its_tenure(pair):
    a, _, _, watcher = pair
    a.run("ip", "addr", "replace", ADDRESS + "/24", "dev", "front", "valid_lft", "1", "preferred_lft", "1")
    watcher.wait_holder(ADDRESS, None, 5)


def test_the_guard_fails_on_a_second_holder_and_takes_an_allowance(pair):
    a, b, _, watcher = pair
    guard = Guard(watcher)
    guard.add(ADDRESS)
    guard.check()
    take(b)
    time.sleep(0.1)
    release(a)
    with pytest.raises(AssertionError, match="two holders"):
        guard.check()
    guard.allow(1.0, "this test made it so")
    guard.check()


def test_a_power_cut_ends_the_tenure_and_every_process(pair):
    a, b, client, watcher = pair
    prober = Prober(client, ADDRESS)
    prober.wait_answer("alpha")
    at = pair[0].lab.power_cut(a)
    assert not a.powered
    time.sleep(0.2)
    take(b)
    prober.wait_answer("beta")
    end = now()
    assert watcher.both_held(ADDRESS, at - 0.1, end) == 0
    assert 0.2 < watcher.none_held(ADDRESS, at, end) < 0.6
    a.lab.power_on(a)
    time.sleep(0.1)
    assert watcher.holders(ADDRESS) == ["beta"], "a machine boots without its old floating addresses"
    assert ping(client, a.address["front"])


def test_a_node_behind_a_pulled_cable_holds_nothing_for_the_world(pair):
    a, _, client, watcher = pair
    at = a.lab.cut(a, "front")
    assert run("ip", "-n", a.netns, "-o", "link", "show", "front").find("NO-CARRIER") > 0
    assert watcher.holders(ADDRESS) == []
    assert ping(a, "10.77.1.2"), "the other cable is plugged"
    a.lab.plug(a, "front")
    assert watcher.holders(ADDRESS) == ["alpha"]
    assert 0 < watcher.none_held(ADDRESS, at, now()) < 2


def test_a_silent_port_keeps_its_carrier(pair):
    a, _, client, _ = pair
    a.lab.silence(a, "front")
    assert run("ip", "-n", a.netns, "-o", "link", "show", "front").find("NO-CARRIER") < 0
    assert not ping(client, a.address["front"])
    a.lab.heal()
    wait_for(lambda: ping(client, a.address["front"]), 5, "the port passes frames again")


def test_nodes_cut_from_each_other_are_heard_by_the_client(pair):
    a, b, client, _ = pair
    a.lab.cut_pair(a, b)
    assert not ping(a, b.address["front"])
    assert not ping(a, b.address["back"])
    for node in (a, b):
        assert ping(client, node.address["front"])
    assert ping(a, a.lab.gateway())
    a.lab.heal()
    wait_for(lambda: ping(a, b.address["front"]), 5, "alpha reaches beta again")  # its ARP asks once a second


def test_a_one_way_cut_stops_one_way_only(pair):
    a, b, _, _ = pair
    assert ping(a, b.address["front"])
    heard = b.start("tcpdump", "tcpdump", "-n", "-l", "-i", "front", "icmp", pipe=True)
    wait_for(lambda: "listening on" in heard.output(), 5, "tcpdump listens")
    a.lab.cut_way(b, a)
    assert not ping(a, b.address["front"])
    assert "echo request" in heard.stdout.readline(), "beta hears alpha"
    heard.stop()


def test_the_gateway_alone_can_go(pair):
    a, b, _, _ = pair
    a.lab.cut_gateway(machine=a)
    assert not ping(a, a.lab.gateway())
    assert ping(b, a.lab.gateway())
    a.lab.cut_gateway()
    assert not ping(b, a.lab.gateway())
    assert ping(a, b.address["front"])


def test_a_lossy_network_loses_about_what_it_was_told(pair):
    a, b, client, _ = pair
    prober = Prober(client, ADDRESS)
    prober.wait_answer("alpha")
    a.lab.lossy(20)
    time.sleep(1)
    a.lab.lossy(0)
    totals = prober.stop()
    assert 0.1 < totals["lost"] / totals["sent"] < 0.5, totals


def test_a_killed_command_takes_nothing_but_itself(pair):
    a, _, _, _ = pair
    shell = a.start("shell", "sh", "-c", "sleep 100 & sleep 101")
    wait_for(lambda: len(a.pids("sleep")) == 2, 2, "both children run")
    a.kill([shell.pid])
    assert len(a.pids("sleep")) == 2, "children of the killed command live on"
    a.kill(a.pids("sleep"), signal.SIGKILL)
    assert a.pids("sleep") == []


def test_nothing_of_a_lab_is_left():
    with pytest.raises(KeyError), Lab() as lab:
        lab.add_node("alpha")
        assert lab.prefix in run("ip", "netns", "list")
        raise KeyError("the test fails")
    assert lab.prefix not in run("ip", "netns", "list")
    assert not os.path.exists(lab.directory)


def test_short_moves_are_seen_without_an_overlap(pair):
    a, b, _, watcher = pair
    start = now()
    for _ in range(5):
        release(a)
        take(b)
        release(b)
        take(a)
    wait_for(lambda: watcher.holders(ADDRESS) == ["alpha"], 2, "alpha holds it")
    assert watcher.both_held(ADDRESS, start, now()) == 0
