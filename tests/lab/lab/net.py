"""Lab: machines on networks, and every way to break the networks between them.

A network is a bridge in a namespace of its own, the switch room. Each machine has one interface on it, named as
the network; the other end, its switch port, is in the switch room. Network number i (in the order given) is
10.77.i.0/24, unless told otherwise, and fd77:i::/64; nodes are .1, .2, ...; clients .200 and on; the switch itself
.254, which serves as gateway and ping target.

    power cut         power_cut(node)      silence first, then everything on it dies
    cable pulled      cut(node, net)       the node's carrier is lost
    dead switch port  silence(node, net)   the carrier stays, nothing passes
    nodes apart       cut_pair(a, b)       a and b do not hear each other, everyone else hears both
    one way           cut_way(a, b)        b does not hear a, a hears b
    gateway gone      cut_gateway(net)     the ping target does not answer, to anybody or to one node
    lossy             lossy(net, percent)  drops frames at random, on one network or on all
"""
import os
import shutil
import tempfile

from . import sweep
from .clock import now
from .machine import Machine
from .rtnl import Rtnl
from .tools import run

RULES = """
table bridge lab {
    set apart { type ifname . ifname; }
    set silent { type ifname; }
    set nogateway { type ifname; }
    chain lossy { }
    chain forward {
        type filter hook forward priority 0;
        iifname @silent drop
        oifname @silent drop
        iifname . oifname @apart drop
        jump lossy
    }
    chain input { type filter hook input priority 0; iifname @silent drop; iifname @nogateway drop; }
    chain output { type filter hook output priority 0; oifname @silent drop; oifname @nogateway drop; }
}
"""


class Lab:
    made = 0  # labs of this process, for names of their own

    def __init__(self, networks=("front", "back"), keep=False, prefixes=None):
        sweep.leftovers()
        self.networks = list(networks)
        self.prefixes = ["10.77.%d" % i for i in range(len(networks))] if prefixes is None else list(prefixes)
        self.keep = keep  # leave the directory with its logs behind
        Lab.made += 1
        self.prefix = sweep.prefix(Lab.made)
        self.directory = tempfile.mkdtemp(prefix=("kept-" if keep else "") + self.prefix)
        self.machines = {}
        self.nodes = []  # machines that take part in the cluster, in order
        self.clients = []
        self.outages = {}  # (machine, network) -> [[from, until or None]]: no traffic passes at all
        self.stopping = []  # called before the machines go: watcher, prober
        self.room = self.prefix + "switch"
        run("ip", "netns", "add", self.room)
        self.rtnl = Rtnl("/run/netns/" + self.room)
        self.batch(self.room, ["link set lo up"] + [line for i, net in enumerate(self.networks) for line in (
            "link add name %s type bridge forward_delay 0 stp_state 0 mcast_snooping 0" % net,
            "link set %s up" % net,
            "addr add %s.254/24 dev %s" % (self.prefixes[i], net),
            "addr add fd77:%d::254/64 dev %s nodad" % (i, net))])
        self.nft(RULES)

    # building

    def batch(self, netns, lines):
        run("ip", "-n", netns, "-batch", "-", input="\n".join(lines) + "\n")

    def nft(self, text):
        run("ip", "netns", "exec", self.room, "nft", "-f", "-", input=text)

    def add_node(self, name, **more):
        machine = self.add_machine(name, len(self.nodes) + 1, self.networks, **more)
        self.nodes.append(machine)
        return machine

    def add_client(self, name="client", networks=("front",)):
        machine = self.add_machine(name, 200 + len(self.clients), networks)
        self.clients.append(machine)
        return machine

    def add_machine(self, name, number, networks, **more):
        machine = Machine(self, name, number, **more)
        self.machines[name] = machine
        for net in networks:
            i = self.networks.index(net)
            machine.address[net] = "%s.%d" % (self.prefixes[i], number)
            machine.address6[net] = "fd77:%d::%d" % (i, number)
            run("ip", "-n", self.room, "link", "add", "name", self.port(machine, net), "type", "veth", "peer",
                "name", net, "netns", machine.netns)
            self.batch(self.room, ["link set %s master %s" % (self.port(machine, net), net),
                                   "link set %s up" % self.port(machine, net)])
        self.bring_up(machine)
        machine.power_on()
        return machine

    def bring_up(self, machine):
        """What the machine's own network scripts do at boot: its addresses, and none of another life."""
        lines = ["link set lo up"]
        for net, address in machine.address.items():
            lines += ["addr flush dev " + net, "link set %s up" % net, "addr add %s/24 dev %s" % (address, net),
                      "addr add %s/64 dev %s nodad" % (machine.address6[net], net)]
        if self.networks[0] in machine.address:
            lines.append("route replace default via %s" % self.gateway(self.networks[0]))
        self.batch(machine.netns, lines)

    def port(self, machine, net):
        """The machine's port on the switch of the network."""
        return "p%d.%s" % (machine.number, net)

    def port_index(self, machine, net):
        """The port's interface number, asked once: a cut must not wait for a program to start."""
        if not hasattr(machine, "port_indices"):
            machine.port_indices = {}
        if net not in machine.port_indices:
            line = run("ip", "-n", self.room, "-o", "link", "show", self.port(machine, net))
            machine.port_indices[net] = int(line.split(":")[0])
        return machine.port_indices[net]

    def gateway(self, net="front"):
        return self.prefixes[self.networks.index(net)] + ".254"

    def floating(self, number=111, net="front"):
        """A free address on the network for a group."""
        return "%s.%d" % (self.prefixes[self.networks.index(net)], number)

    # breaking

    def mark(self, machine, net, cut):
        spans = self.outages.setdefault((machine.name, net), [])
        is_open = bool(spans) and spans[-1][1] is None
        if cut and not is_open:
            spans.append([now(), None])
        elif not cut and is_open:
            spans[-1][1] = now()

    def nets(self, machine, net):
        return list(machine.address) if net is None else [net]

    def cut(self, machine, net=None):
        """Pulls the machine's cable, of one network or all: its carrier goes. Returns the instant."""
        at = now()
        for name in self.nets(machine, net):
            self.port_index(machine, name)
        for name in self.nets(machine, net):
            self.mark(machine, name, True)
            self.rtnl.link_set(self.port_index(machine, name), False)
        return at

    def plug(self, machine, net=None):
        for name in self.nets(machine, net):
            self.rtnl.link_set(self.port_index(machine, name), True)
            self.mark(machine, name, False)
        return now()

    def silence(self, machine, net=None):
        """Nothing passes to or from the machine, but its carrier stays."""
        at = now()
        names = self.nets(machine, net)
        for name in names:
            self.mark(machine, name, True)
        self.nft("".join('add element bridge lab silent { "%s" }\n' % self.port(machine, n) for n in names))
        return at

    def cut_way(self, sender, hearer, net=None):
        """`hearer` does not hear `sender`; the other direction stays."""
        shared = [n for n in self.nets(sender, net) if n in hearer.address]
        self.nft("".join('add element bridge lab apart { "%s" . "%s" }\n' %
                         (self.port(sender, n), self.port(hearer, n)) for n in shared))
        return now()

    def cut_pair(self, a, b, net=None):
        self.cut_way(a, b, net)
        return self.cut_way(b, a, net)

    def partition(self, *sides, net=None):
        """Lists of machines: those of different sides do not hear each other."""
        for i, side in enumerate(sides):
            for other in sides[i + 1:]:
                for a in side:
                    for b in other:
                        self.cut_pair(a, b, net)
        return now()

    def cut_gateway(self, net="front", machine=None):
        machines = [machine] if machine else [m for m in self.machines.values() if net in m.address]
        self.nft("".join('add element bridge lab nogateway { "%s" }\n' % self.port(m, net) for m in machines))
        return now()

    def lossy(self, percent, net=None):
        """Drops each frame between machines with this probability, on one network or on all; 0 ends it."""
        only = "" if net is None else " ".join(
            ["iifname", "{", ", ".join('"%s"' % self.port(m, net) for m in self.machines.values()
                                       if net in m.address), "}"])
        self.nft("flush chain bridge lab lossy\n" + (
            "add rule bridge lab lossy %s numgen random mod 1000 < %d drop\n" % (only, round(percent * 10))
            if percent else ""))
        return now()

    def heal(self):
        """Undoes every cut, silence and loss; machines without power stay so."""
        self.nft("flush set bridge lab apart\nflush set bridge lab silent\nflush set bridge lab nogateway\n"
                 "flush chain bridge lab lossy\n")
        for machine in self.machines.values():
            if machine.powered:
                self.plug(machine)
        return now()

    def power_cut(self, machine):
        """Silence, then death: no packet leaves the machine after the instant returned."""
        at = self.cut(machine)
        machine.power_off()
        return at

    def power_on(self, machine):
        """The machine boots with its own addresses and no process; whoever wants daemons on it starts them."""
        self.bring_up(machine)
        machine.power_on()
        self.plug(machine)
        return now()

    def dead_spans(self, machine, net="front"):
        """When no traffic could reach the machine on this network: [(from, until or None)]."""
        return [tuple(span) for span in self.outages.get((machine.name, net), [])]

    # the end

    def close(self):
        for stop in reversed(self.stopping):
            stop()
        self.stopping.clear()
        for machine in self.machines.values():
            machine.power_off()
            sweep.netns_remove(machine.netns)
        self.machines.clear()
        self.rtnl.close()
        sweep.netns_remove(self.room)
        if not self.keep:
            shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
