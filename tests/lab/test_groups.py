"""Nodes that tell each other by multicast or broadcast: one network, everybody at once."""
import pytest

from lab import now, wait_for
from lab.haven import haven_program

from test_links import link_states, refused

BACK = {"alpha": 1, "beta": 2, "gamma": 3}
WORDS = {
    "multicast": lambda n: "multicast = 10.77.1.%d" % n,
    "multicast6": lambda n: 'multicast = "fd77:1::%d"' % n,
    "broadcast": lambda n: "broadcast = 10.77.1.%d/24" % n,
}


def words(kind, names):
    return {name: WORDS[kind](BACK[name]) for name in names}


@pytest.mark.parametrize("kind", WORDS)
def test_three_nodes_hear_each_other_by_nothing_else(cluster, kind):
    c = cluster(nodes=3, arbiter="none", addresses=False, links=words(kind, BACK))
    for node in c.nodes.values():  # the firewall that haven makes lets the cluster work
        rules = node.machine.run(haven_program(), "firewall", "-n", node.name, c.config_path(node.name)).stdout
        node.machine.run("nft", "-f", "-", input=rules)
    c.start()
    names = {link["name"] for node in c["alpha"].status()["nodes"] for link in node["links"]}
    assert names == {"bcast back" if kind == "broadcast" else "mcast back"}
    start = now()
    wait_for(lambda: now() > start + 1, 3, "packets for everybody to pass")
    for name in BACK:
        assert refused(c, name) == {}, "what is for another node is no fault"
    c.wait_well()

    cut = c.power_cut("alpha")
    c.wait_group("web", "beta", names=["beta", "gamma"])
    assert c.watcher.none_held(c.address, cut, now()) < 5
    c.power_on("alpha")
    c.wait_group("web", "alpha")


def test_beside_unicast_each_way_fails_alone(cluster):
    c = cluster(arbiter="none", links={n: "%s  %s" % (WORDS["multicast"](BACK[n]), WORDS["broadcast"](BACK[n]))
                                       for n in ("alpha", "beta")})
    c.start()
    everything = ["up"] * 4
    c.wait_status(lambda s: link_states(s, "alpha") + link_states(s, "beta") == everything, "all four are up")
    start = c.lab.cut_pair(c.machine("alpha"), c.machine("beta"), "back")
    c.wait_status(lambda s: link_states(s, "alpha") + link_states(s, "beta") == ["up", "down", "down", "down"],
                  "the front link alone is up")
    c.lab.heal()
    c.wait_status(lambda s: link_states(s, "alpha") + link_states(s, "beta") == everything, "all four are up")

    # who loses the interface, and gets it again, is heard again: what it had joined there went with it
    beta = c.machine("beta")
    beta.run("ip", "addr", "flush", "dev", "back")
    c.wait_status(lambda s: link_states(s, "beta") == ["up", "down", "down", "down"], "beta's are down", ["alpha"])
    beta.run("ip", "addr", "add", beta.address["back"] + "/24", "dev", "back")
    c.wait_status(lambda s: link_states(s, "alpha") + link_states(s, "beta") == everything, "all four are up")
    c.wait_group("web", "alpha")
    assert c.watcher.none_held(c.address, start, now()) == 0
