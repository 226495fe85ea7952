"""The floating address itself: taken, proven, defended, refused."""
import pytest

from lab import now, wait_for
from lab.haven import group_text

SIX = "fd77::111"


def resource(status, kind="address", group=0):
    return next(r for r in status["groups"][group]["resources"] if r["kind"] == kind)


def test_a_takeover_is_verified_and_the_status_says_by_whom(pair):
    c = pair()
    c.power_cut("alpha")
    c.wait_group("web", "beta")
    wait_for(lambda: "verified by" in resource(c["beta"].status())["text"], 10,
             lambda: "verified; now: %s" % resource(c["beta"].status()))


def test_neighbours_learn_the_new_mac(pair, prober):
    c = pair()
    client = prober(c.address)
    client.wait_answer("alpha")
    machine = c.lab.clients[0]
    assert machine.neighbour(c.address) == c.machine("alpha").mac("front")
    c.power_cut("alpha")
    c.wait_group("web", "beta")
    wait_for(lambda: machine.neighbour(c.address) == c.machine("beta").mac("front"), 3, "the client's ARP entry is beta's")


def test_an_ipv6_address_is_taken_over(cluster, prober):
    group = group_text("web", ["alpha", "beta"], "10.77.0.111").replace(
        "    address 10.77.0.111/24", "    address %s/64 { device = front }\n    address 10.77.0.111/24" % SIX)
    c = cluster(arbiter="none", groups=[group])
    c.start()
    assert SIX in c.guard.addresses
    client = prober(SIX)
    client.wait_answer("alpha")
    cut = c.power_cut("alpha")
    client.wait_answer("beta")
    end = c.wait_quiet(client, 0.5)
    c.wait_group("web", "beta")
    assert client.longest(cut, end) < 5
    c.power_on("alpha")
    c.wait_group("web", "alpha")
    client.wait_answer("alpha")


@pytest.mark.parametrize("times", [1, 3])
def test_an_address_removed_by_hand_is_restored(pair, times):
    c = pair()
    alpha = c.machine("alpha")
    for _ in range(times):
        alpha.run("ip", "addr", "del", c.address + "/24", "dev", "front")
        wait_for(lambda: alpha.holds(c.address), 5, "it is back")
    wait_for(lambda: any(e["kind"] == "address" and "restored" in e["text"] for e in c["alpha"].events()), 5,
             lambda: "the event of it; now: %s" % c["alpha"].events())
    c.wait_group("web", "alpha")
    assert c.watcher.holders(c.address) == ["alpha"]


def test_an_address_that_a_stranger_has_is_refused_with_his_mac(cluster):
    c = cluster(arbiter="none")
    stranger = c.lab.add_client("stranger")
    stranger.run("ip", "addr", "add", c.address + "/24", "dev", "front")
    c.start(wait=False)
    mac = stranger.mac("front")

    def said():
        return [t for n in c.nodes.values() for t in [e["text"] for e in n.events()] if mac in t]

    wait_for(said, 20, "an event with the stranger's MAC")
    assert c.watcher.holders(c.address) == []
    stranger.run("ip", "addr", "del", c.address + "/24", "dev", "front")
    c.wait_group("web", timeout=40)
    c.watcher.wait_holder(c.address, "alpha", 30)


def test_a_stranger_who_comes_later_is_named_and_outspoken(pair):
    c = pair()
    stranger = c.lab.add_client("stranger")
    stranger.run("ip", "addr", "add", c.address + "/24", "dev", "front")
    stranger.run("arping", "-q", "-c", "2", "-U", "-I", "front", "-s", c.address, c.address, check=False)
    mac = stranger.mac("front")
    wait_for(lambda: any(mac in e["text"] for e in c["alpha"].events()), 10, "an event with the stranger's MAC")
    c.wait_group("web", "alpha")


LATE = [group_text("web", ["alpha", "beta"], "10.88.0.111").replace("front", "late")]


def add_late(machine, number):
    """An interface that nothing has spoken of yet, with carrier, to nowhere."""
    for line in ("link add late type veth peer name late-end", "link set late-end up",
                 "addr add 10.88.0.%d/24 dev late" % number, "link set late up"):
        machine.run("ip", *line.split())


def test_an_interface_that_is_not_there_yet_is_waited_for(cluster):
    c = cluster(arbiter="none", groups=LATE)
    c.start(wait=False)
    c.wait_status(lambda s: all(n["state"] == "online" for n in s["nodes"]), "the nodes are online all the same")
    alpha = c["alpha"]
    wait_for(lambda: any("waiting for late" in e["text"] for e in alpha.events()), 10, "it says what it waits for")
    for number, machine in enumerate(c.machines(), 1):
        add_late(machine, number)
    c.wait_group("web", "alpha")


def test_an_interface_that_goes_away_takes_the_group_to_the_other_node(cluster):
    c = cluster(arbiter="none", groups=LATE)
    for number, machine in enumerate(c.machines(), 1):
        add_late(machine, number)
    c.start()
    c.wait_group("web", "alpha")
    c.machine("alpha").run("ip", "link", "del", "late")
    c.wait_group("web", "beta")


def test_what_an_earlier_life_left_in_the_kernel_is_cleared(cluster):
    c = cluster(arbiter="none")
    beta = c.machine("beta")
    beta.run("ip", "addr", "add", c.address + "/24", "dev", "front")
    c.start()
    c.wait_group("web", "alpha")
    c.watcher.wait_holder(c.address, "alpha", 5)
    # the leftover was there before haven was
    c.guard.start = now()
