"""The lease gate: the kernel cuts an address at the end of its owner's lease, whoever of haven stands still or is dead.

The asker asks every node by itself, each millisecond, by ARP, neighbour discovery, IPv4 and IPv6, and hears whatever
a node says in the address's name. A second one asks for it on the other network, where Linux answers too, and a
prober on the old owner itself comes through its lo."""
import os
import signal

import pytest

from lab import Asker, Prober, now, wait_for
from lab.haven import group_text

DEAD = 0.5  # the default: from here on another node may take over
LEASE = 0.44  # ...and this is when the lease of a node that stands still has ended at the latest
SLACK = 0.005  # an answer is a packet's way later than its permission
ADDRESS6 = "fd77::111"
KINDS = ("arp", "ip", "nd", "ip6")

SHUT = (8, "alpha's gate is shut: it has the address and answers nobody")


def both_families(nodes=("alpha", "beta")):
    """A group with an address of each kind that stays where it is."""
    return [group_text("web", nodes, "10.77.0.111", "address %s/64 { device = front }" % ADDRESS6, failback="manual")]


def pieces(machine):
    """What of a gate is on the machine: its filters, and interfaces with a clsact."""
    filters = [line for way in ("ingress", "egress") for device in ("lo", *machine.address)
               for line in machine.run("tc", "filter", "show", "dev", device, way).stdout.splitlines()
               if "haven_gate" in line]
    clsact = [line for line in machine.run("tc", "qdisc", "show").stdout.splitlines() if "clsact" in line]
    return filters, clsact


def gate_of(c, name):
    return c[name].status()["gate"]


def needs_gate(c):
    gate = gate_of(c, "alpha")
    if gate["state"] == "impossible":
        pytest.skip("no lease gate on this machine: " + gate["text"])
    assert gate["state"] == "in-force", gate


def stop_still(node, how):
    """All of haven on the node; returns (the instant, what lets it go on)."""
    pids = list(node.processes())
    assert len(pids) >= 2
    if how == "stopped":
        at = node.machine.kill(pids, signal.SIGSTOP)
        return at, lambda: node.machine.kill(reversed(pids), signal.SIGCONT)
    if not node.machine.cgroup:
        pytest.skip("no cgroups here to freeze")
    freezer = os.path.join(node.machine.cgroup, "freezer")
    os.makedirs(freezer)

    def write(name, text):
        with open(os.path.join(freezer, name), "w", encoding="ascii") as f:
            f.write(text)

    for pid in pids:
        write("cgroup.procs", str(pid))
    write("cgroup.freeze", "1")
    return now(), lambda: write("cgroup.freeze", "0") or now()


class Crowd:
    """Everybody who asks."""

    def __init__(self, c, lab):
        client = lab.add_client(networks=("front", "back"))
        self.front = Asker(client, c.address, ADDRESS6)
        self.back = Asker(client, c.address, ADDRESS6, "back")
        self.client = Prober(client, c.address, interval=0.001)
        self.local = Prober(c.machine("alpha"), c.address, interval=0.001)
        self.front.wait_answer("alpha")
        self.back.wait_answer("alpha", ("arp",))
        self.client.wait_answer("alpha")
        self.local.wait_answer("alpha")

    def claims_of_alpha(self, after):
        return [claim for asker in (self.front, self.back) for claim in asker.claims()
                if claim.node == "alpha" and claim.at > after]

    def last_of_alpha(self, before=float("inf")):
        """When alpha last answered anybody."""
        local = [o.start for o in self.local.during(0, now()) if o.start < before]
        assert local, "the client on alpha still gets its answers from there"
        return max(self.front.last("alpha", before=before), self.back.last("alpha", before=before), local[0])


def two_clients(c, lab):
    """On a machine of its own and on alpha: they lose nothing, and must not be in each other's way."""
    clients = [Prober(lab.add_client(), c.address), Prober(c.machine("alpha"), c.address)]
    for client in clients:
        client.wait_answer("alpha")
    return clients


@pytest.mark.parametrize("how", ["stopped", "frozen"])
def test_a_node_that_stands_still_answers_nobody_once_another_has_started(pair, lab, how):
    """Its nodes do not hear each other either, so that only the lease keeps alpha from answering."""
    c = pair(groups=both_families())
    needs_gate(c)
    c.guard.allow(*SHUT)
    crowd = Crowd(c, lab)
    lab.cut_pair(c.machine("alpha"), c.machine("beta"))
    still, go_on = stop_still(c["alpha"], how)
    crowd.front.wait_answer("beta", after=still)
    crowd.client.wait_answer("beta")
    first, last = crowd.front.first("beta", after=still), crowd.last_of_alpha()
    print("alpha's last answer %.1f ms, beta's first %.1f ms after alpha stood still" % (
        (last - still) * 1e3, (first - still) * 1e3))
    assert last < first, "both answered for %.1f ms" % ((last - first) * 1e3)
    assert last <= still + LEASE + SLACK
    for kind in KINDS:
        assert crowd.front.last("alpha", kind) < crowd.front.first("beta", kind, still)

    # woken, it lets go, and is a client like any other
    lab.heal()
    go_on()
    crowd.local.wait_answer("beta")
    c.wait_status(lambda s: all(n["state"] == "online" for n in s["nodes"]), "both online again")
    c.wait_group("web", "beta")
    assert crowd.claims_of_alpha(last) == []
    assert [node for _, node in crowd.client.answers] == ["alpha", "beta"]
    assert not c.machine("alpha").holds(c.address)


def test_without_a_gate_both_answer(pair, lab):
    """The same without one: what the test before would show."""
    c = pair(groups=both_families(), timing={"gate": "off"})
    c.guard.allow(4, "without a gate a node that stands still keeps the address until its lifetime is over")
    assert gate_of(c, "alpha")["state"] == "off"
    assert pieces(c.machine("alpha")) == ([], [])
    crowd = Crowd(c, lab)
    lab.cut_pair(c.machine("alpha"), c.machine("beta"))
    still, go_on = stop_still(c["alpha"], "stopped")
    crowd.front.wait_answer("beta", after=still)
    wait_for(lambda: not c.machine("alpha").holds(c.address), 5, "alpha's kernel removes the address")
    crowd.client.wait_answer("beta")
    first, last = crowd.front.first("beta", after=still), crowd.last_of_alpha()
    print("both answered for %.1f ms" % ((last - first) * 1e3))
    assert last > first
    lab.heal()
    go_on()


def test_without_a_gate_the_wait_keeps_both_from_answering(pair, lab):
    c = pair(groups=both_families(), timing={"gate": "off", "ungated-wait": "2.5s"})
    crowd = Crowd(c, lab)
    lab.cut_pair(c.machine("alpha"), c.machine("beta"))
    still, go_on = stop_still(c["alpha"], "stopped")
    crowd.front.wait_answer("beta", after=still)
    crowd.client.wait_answer("beta")
    assert crowd.last_of_alpha() < crowd.front.first("beta", after=still)
    assert crowd.front.first("beta", after=still) > still + 2.5
    lab.heal()
    go_on()
    c.wait_status(lambda s: all(n["state"] == "online" for n in s["nodes"]), "both online again")
    c.wait_group("web", "beta")


def test_a_killed_core_loses_no_packet(pair, lab):
    """The next core puts its own gate in the place of the old one, and fills it first."""
    c = pair(groups=both_families())
    needs_gate(c)
    clients = two_clients(c, lab)
    alpha = c["alpha"]
    gate = pieces(alpha.machine)
    before = now()
    for _ in range(3):
        core = alpha.pid("core")
        alpha.kill("core")
        wait_for(lambda: alpha.status() is not None and alpha.pid("core") != core, 10, "a new core answers")
        c.wait_well()
    end = c.wait_quiet(clients[0], 0.3)
    assert [client.lost_time(before, end) for client in clients] == [0, 0]
    assert len(pieces(alpha.machine)[0]) == len(gate[0]), "one gate, not two"
    assert gate_of(c, "alpha")["state"] == "in-force"


def test_of_a_node_killed_whole_the_gate_stays_shut_until_havend_is_back(pair, lab):
    c = pair(groups=both_families())
    needs_gate(c)
    c.guard.allow(*SHUT)
    crowd = Crowd(c, lab)
    alpha = c["alpha"]
    stop_still(alpha, "stopped")  # or a core that sees its supervisor die lets go
    dead = alpha.kill_all()
    crowd.front.wait_answer("beta", after=dead)
    assert crowd.last_of_alpha() < crowd.front.first("beta", after=dead)
    filters, clsact = pieces(alpha.machine)
    assert len(filters) == 6 and len(clsact) == 3
    crowd.local.wait_answer("beta")  # the address has left alpha's kernel; the gate does not hinder a client
    assert pieces(alpha.machine)[0], "nobody has taken the gate away"
    alpha.start()
    c.wait_well()
    assert gate_of(c, "alpha")["state"] == "in-force" and len(pieces(alpha.machine)[0]) == 6
    c.haven("move", "web", "alpha")
    c.wait_group("web", "alpha")
    crowd.local.wait_answer("alpha")
    crowd.client.wait_answer("alpha")


def test_what_a_dead_havend_left_goes_also_when_the_file_no_longer_names_it(pair, lab):
    c = pair(groups=both_families(), timing={"profile": "wan"})
    needs_gate(c)
    c.guard.allow(*SHUT)
    alpha = c["alpha"]
    stop_still(alpha, "stopped")  # or a core that sees its supervisor die lets go
    alpha.kill_all()
    assert alpha.machine.holds(c.address)
    c.configure("alpha", c.text.replace("10.77.0.111", "10.77.0.112"))
    alpha.start()
    wait_for(alpha.status, 10, "alpha is back")
    assert not alpha.machine.holds(c.address)


def test_nothing_is_left_after_an_orderly_end(pair):
    c = pair()
    needs_gate(c)
    for name in ("alpha", "beta"):
        assert len(pieces(c.machine(name))[0]) == 6
        assert c[name].stop() == 0
        assert pieces(c.machine(name)) == ([], [])


def test_others_filters_and_their_clsact_stay(pair):
    c = pair()
    needs_gate(c)
    alpha = c["alpha"]
    assert alpha.stop() == 0
    alpha.machine.run("tc", "qdisc", "add", "dev", "back", "clsact")
    alpha.machine.run("tc", "qdisc", "add", "dev", "front", "clsact")
    alpha.machine.run("tc", "filter", "add", "dev", "front", "egress", "prio", "7", "bpf", "bytecode", "1,6 0 0 1,")
    alpha.start()
    c.wait_well()
    assert len(pieces(alpha.machine)[0]) == 6
    assert alpha.stop() == 0
    filters, clsact = pieces(alpha.machine)
    assert filters == [] and len(clsact) == 2
    assert "pref 7 bpf" in alpha.machine.run("tc", "filter", "show", "dev", "front", "egress").stdout


def test_a_gate_taken_away_or_an_interface_that_comes_later_is_seen_to(pair):
    c = pair()
    needs_gate(c)
    alpha = c.machine("alpha")
    alpha.run("tc", "qdisc", "del", "dev", "front", "clsact")
    wait_for(lambda: len(pieces(alpha)[0]) == 6, 5, "the gate hangs on front again")
    alpha.run("ip", "link", "add", "late0", "type", "veth", "peer", "name", "late1")
    wait_for(lambda: all("haven_gate" in alpha.run("tc", "filter", "show", "dev", device, way).stdout
                         for device in ("late0", "late1") for way in ("ingress", "egress")), 5,
             "the gate hangs on what came later")
    assert gate_of(c, "alpha") == {"state": "in-force", "text": "5 interfaces"}
    # the older ingress has no place for the gate's other half: said, not hidden
    alpha.run("tc", "qdisc", "del", "dev", "late1", "clsact")
    wait_for(lambda: "clsact" in alpha.run("tc", "qdisc", "show", "dev", "late1").stdout, 5, "it is back")
    assert c["alpha"].stop() == 0
    alpha.run("tc", "qdisc", "add", "dev", "late1", "ingress")
    c["alpha"].start()
    c.wait_well()
    gate = gate_of(c, "alpha")
    assert gate["state"] == "incomplete" and "late1" in gate["text"] and "ingress" in gate["text"]


# haven without what bpf(2) asks for
POWERLESS = ["setpriv", "--bounding-set=-bpf,-sys_admin", "--inh-caps=-bpf,-sys_admin"]


def test_where_the_kernel_does_not_permit_it_the_status_says_so(cluster):
    c = cluster(arbiter="none")
    c["alpha"].wrap = POWERLESS
    c.start()
    gate = gate_of(c, "alpha")
    assert gate["state"] == "impossible" and "CAP_BPF" in gate["text"]
    assert "may answer up to 2 s too long" in c["alpha"].haven("status").stdout
    c.wait_group("web", "alpha")
    assert pieces(c.machine("alpha")) == ([], [])


def test_required_and_not_there_no_address_is_taken(cluster):
    c = cluster(arbiter="none", timing={"gate": "require"})
    c["alpha"].wrap = POWERLESS
    c.start(wait=False)
    c.wait_group("web", "beta")
    assert not c.machine("alpha").holds(c.address)
    assert any("gate = require" in e["text"] for e in c["alpha"].events())


def test_a_reload_puts_it_in_place_and_takes_it_away(pair, lab):
    c = pair(groups=both_families())
    needs_gate(c)
    clients = two_clients(c, lab)
    start = now()
    for word, state, count in (("off", "off", 0), ("require", "in-force", 6), ("try", "in-force", 6)):
        c.reconfigure(c.text.replace("cluster lab {\n", "cluster lab {\n    gate = %s\n" % word, 1)
                      if "gate =" not in c.text else
                      "".join("    gate = %s\n" % word if "gate =" in line else line
                              for line in c.text.splitlines(True)))
        for name in ("alpha", "beta"):
            c[name].haven("reload")
        wait_for(lambda: gate_of(c, "alpha")["state"] == state, 5, "gate " + state)
        assert len(pieces(c.machine("alpha"))[0]) == count
    end = c.wait_quiet(clients[0], 0.3)
    # Linux stops an interface's queue for a moment where a clsact comes or goes
    assert all(client.longest(start, end) < 0.05 for client in clients)
