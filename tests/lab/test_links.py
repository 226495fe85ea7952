"""What breaks between the nodes, and who else talks there."""
import json
import socket

import pytest

from lab import now, wait_for
from lab.haven import haven_program, group_text
from lab.rtnl import socket_in
from lab.tools import run

PORT = 694


def link_states(status, name):
    return [link["state"] for node in status["nodes"] if node["name"] == name for link in node["links"]]


def refused(c, name):
    """{reason: count}"""
    return {r["reason"]: r["count"] for r in c[name].status()["refused"]}


def test_one_of_two_links_cut_changes_nothing(pair, prober):
    c = pair()
    client = prober(c.address)
    client.wait_answer("alpha")
    start = now()
    c.lab.cut_pair(c.machine("alpha"), c.machine("beta"), "back")
    c.wait_status(lambda s: link_states(s, "alpha") + link_states(s, "beta") == ["up", "down"], "the link down")
    c.wait_well()
    c.lab.heal()
    c.wait_status(lambda s: link_states(s, "alpha") + link_states(s, "beta") == ["up", "up"], "the link up")
    end = c.wait_quiet(client, 0.5)
    assert c.owner() == "alpha"
    assert c.watcher.none_held(c.address, start, end) == 0
    assert client.longest(start, end) < 0.3


def test_nodes_that_no_longer_hear_each_other_both_serve_and_agree_when_healed(pair):
    """No third vote: that is what `haven status` warns of. Afterwards who had it before keeps it."""
    c = pair()
    c.guard.allow(30, "a split without a third vote runs both")
    assert "split" in c["alpha"].status()["promise"]
    c.lab.cut_pair(c.machine("alpha"), c.machine("beta"))
    wait_for(lambda: c.watcher.holders(c.address) == ["alpha", "beta"], 10, "both hold it")
    healed = c.lab.heal()
    c.watcher.wait_holder(c.address, "alpha", 10)
    c.wait_group("web", "alpha")
    assert c.watcher.none_held(c.address, healed, now()) == 0
    wait_for(lambda: any(e["kind"] == "split" for n in c.nodes.values() for e in n.events()), 5, "the event of it")


def test_the_side_without_its_ping_target_gives_way_in_a_split(pair):
    c = pair(arbiter="ping")
    c.lab.cut_gateway(machine=c.machine("alpha"))
    c.lab.cut_pair(c.machine("alpha"), c.machine("beta"))
    c.watcher.wait_holder(c.address, "beta", 10)
    c.lab.heal()
    c.lab.nft("flush set bridge lab nogateway\n")
    c.wait_well()


@pytest.mark.parametrize("who", ["alpha", "everybody"])
def test_a_lost_ping_target_alone_changes_nothing(pair, who):
    c = pair(arbiter="ping")
    start = c.lab.cut_gateway(machine=c.machine(who) if who != "everybody" else None)
    wait_for(lambda: now() > start + 2, 5, "time to pass in which it could change something")
    c.wait_group("web", "alpha")
    assert c.watcher.none_held(c.address, start, now()) == 0


def test_a_pulled_cable_is_a_fault_of_its_own_node(pair, prober):
    c = pair()
    client = prober(c.address)
    client.wait_answer("alpha")
    cut = c.lab.cut(c.machine("alpha"), "front")
    c.wait_group("web", "beta")
    client.wait_answer("beta")
    end = c.wait_quiet(client, 0.5)
    assert client.longest(cut, end) < 5
    c.lab.plug(c.machine("alpha"), "front")
    c.wait_group("web", "alpha")
    client.wait_answer("alpha")


def test_a_pulled_cable_without_the_address_changes_nothing(pair):
    c = pair()
    cut = c.lab.cut(c.machine("alpha"), "back")
    c.wait_status(lambda s: "down" in link_states(s, "alpha") + link_states(s, "beta"), "the link down")
    c.wait_group("web", "alpha")
    assert c.watcher.none_held(c.address, cut, now()) == 0


def test_a_link_that_works_one_way_is_named_so(pair):
    c = pair()
    start = now()
    c.lab.cut_way(c.machine("alpha"), c.machine("beta"), "back")
    c.wait_status(lambda s: link_states(s, "beta") == ["up", "one-way-in"], "alpha hears but is not heard", ["alpha"])
    c.wait_status(lambda s: link_states(s, "alpha")[1] in ("down", "one-way-out"), "beta does not hear", ["beta"])
    c.wait_group("web", "alpha")
    assert c.watcher.none_held(c.address, start, now()) == 0


@pytest.mark.parametrize("deaf", ["alpha", "beta"])
def test_all_links_one_way_end_with_one_owner(pair, deaf):
    c = pair()
    c.guard.allow(30, "without a third vote a node that hears nobody goes on")
    other = "beta" if deaf == "alpha" else "alpha"
    c.lab.cut_way(c.machine(other), c.machine(deaf))
    c.wait_status(lambda s: any(n["name"] == other and n["state"] == "offline" for n in s["nodes"]),
                  "who hears nobody says so", [deaf])
    c.lab.heal()
    c.wait_well()
    c.wait_group("web", "alpha")
    c.watcher.wait_holder(c.address, "alpha", 10)


def test_a_lossy_network_moves_nothing(pair):
    c = pair()
    start = now()
    c.lab.lossy(10)
    wait_for(lambda: now() > start + 4, 10, "four seconds of loss to pass")
    c.lab.lossy(0)
    c.wait_group("web", "alpha")
    assert c.watcher.none_held(c.address, start, now()) == 0


# others on the wire


def send(machine, to, *packets, source=None, port=PORT):
    s = socket_in(machine.netns_path, socket.AF_INET, socket.SOCK_DGRAM)
    with s:
        if source:
            s.bind((source, 0))
        for packet in packets:
            s.sendto(packet, (to, port))


def test_garbage_is_counted_and_harms_nobody(pair):
    c = pair()
    client = c.lab.add_client()
    alpha = c.machine("alpha").address["front"]
    before = sum(refused(c, "alpha").values())
    start = now()
    send(client, alpha, b"", b"x", b"haven" * 40, bytes(range(256)) * 5)
    wait_for(lambda: sum(refused(c, "alpha").values()) >= before + 3, 5, lambda: "counted; now: %s" % refused(c, "alpha"))
    last = [r["last_from"] for r in c["alpha"].status()["refused"]]
    assert any(client.address["front"] in a for a in last), last
    c.wait_group("web", "alpha")
    assert c.watcher.none_held(c.address, start, now()) == 0


def test_a_node_with_another_key_is_kept_out_and_named(cluster):
    c = cluster(arbiter="none", timing={"start-wait": "1s"})
    other = c.key_path + ".other"
    run(haven_program(), "keygen", other)
    c.configure("beta", c.text.replace(c.key_path, other).replace("10.77.0.111", "10.77.0.112"))
    c.start(wait=False)
    c.wait_status(lambda s: s["groups"][0]["state"] == "started" and s["groups"][0]["node"] == "alpha",
                  "alpha serves alone", ["alpha"])
    wait_for(lambda: any("key" in reason for reason in refused(c, "alpha")), 5,
             lambda: "the wrong key is named; now: %s" % refused(c, "alpha"))
    assert all(n["state"] == "offline" for n in c["alpha"].status()["nodes"] if n["name"] == "beta")


def test_the_firewall_lets_the_cluster_work_and_drops_a_stranger(cluster, prober):
    c = cluster(arbiter="none")
    client = c.lab.add_client()
    for node in c.nodes.values():
        rules = node.machine.run(haven_program(), "firewall", "-n", node.name, c.config_path(node.name)).stdout
        node.machine.run("nft", "-f", "-", input=rules)
    c.start()
    alpha = c.machine("alpha").address["front"]
    send(client, alpha, *[b"stranger"] * 20)

    def dropped():
        rules = json.loads(c.machine("alpha").run("nft", "-j", "list", "table", "inet", "haven").stdout)
        counters = [e["counter"]["packets"] for r in rules["nftables"] if "rule" in r for e in r["rule"]["expr"]
                    if "counter" in e and isinstance(e["counter"], dict)]
        return sum(counters) >= 20

    wait_for(dropped, 5, "the stranger's packets are dropped")
    assert refused(c, "alpha") == {}, "none of them came to haven"
    cut = c.power_cut("alpha")
    probe = prober(c.address)
    probe.wait_answer("beta")
    c.wait_group("web", "beta")
    assert c.watcher.none_held(c.address, cut, now()) < 5


def test_two_clusters_on_one_wire_leave_each_other_alone(lab, cluster):
    from lab.haven import Cluster
    one = cluster(arbiter="none")
    two = Cluster(lab, ["gamma", "delta"], arbiter="none", watch=False,
                  groups=[group_text("mail", ["gamma", "delta"], "10.77.0.112")])
    two.key_path += ".two"
    two.text = two.text.replace(one.key_path, two.key_path)
    two.reconfigure(two.text)
    one.start()
    two.start()
    body = b"\x01" * 64
    send(two["gamma"].machine, one.machine("alpha").address["front"], body)
    wait_for(lambda: refused(one, "alpha"), 5, "counted")
    assert one.owner() == "alpha" and two.owner("mail") == "gamma"
