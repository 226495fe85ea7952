"""A storm: one random fault after the other upon a cluster, under a client that writes into a register.

The register (register.c) is a service of the group: it accepts a write by naming its node and the epoch under which
it was started. What must hold, whatever was done to the cluster:

  - no write is accepted by two owners;
  - once a write was accepted under an epoch, none is accepted under an older one: its owner has been released;
  - after each fault is over, writes are accepted again, within a bound.

Truth is what reached the client, by its kernel's stamps: what a frozen machine believes of itself harms nobody."""
import collections
import random
import signal
import threading
import time

from .clock import now, wait_for
from .haven import Cluster, group_text
from .tools import tool

PORT = 7788
INTERVAL = 0.005

Ack = collections.namedtuple("Ack", "sent arrived number node epoch")
Fault = collections.namedtuple("Fault", "name target start end back gap")


def register_text():
    return 'process register { command = "%s serve %d"  ready-after = 20ms }' % (tool("register"), PORT)


class Writer:
    """The client: writes each INTERVAL from now on, keeps every answer in the order of arrival."""

    def __init__(self, client, address):
        self.lock = threading.Lock()
        self.acks = []
        self.process = client.start("writer", tool("register"), "write", address, PORT, round(INTERVAL * 1e6), pipe=True)
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()
        client.lab.stopping.append(self.stop)

    def read(self):
        for line in self.process.stdout:
            word, sent, arrived, number, node, epoch = line.split()
            assert word == "ack", line
            with self.lock:
                self.acks.append(Ack(int(sent) / 1e6, int(arrived) / 1e6, int(number), node,
                                     tuple(int(n) for n in epoch.split("."))))

    def stop(self):
        self.process.stop()
        self.thread.join()
        self.process.stdout.close()

    def since(self, when):
        """Answers to what was sent after `when`."""
        with self.lock:
            newest = self.acks[-2000:]
        return [a for a in newest if a.sent > when]

    def longest_gap(self, start, end):
        """The longest span within start..end in which nothing was accepted."""
        with self.lock:
            at = [start] + sorted(a.arrived for a in self.acks if start < a.arrived < end) + [end]
        return max(b - a for a, b in zip(at, at[1:]))

    def violations(self):
        """[text] of every write accepted by two, or under an epoch that a later one had ended."""
        with self.lock:
            acks = sorted(self.acks, key=lambda a: a.arrived)
        found, owner, newest = [], {}, None
        for a in acks:
            first = owner.setdefault(a.number, a)
            if (first.node, first.epoch) != (a.node, a.epoch):
                found.append("write %d accepted by %s (%s) and by %s (%s)" % (
                    a.number, first.node, first.epoch, a.node, a.epoch))
            if newest and a.epoch < newest.epoch:
                found.append("write %d accepted at %.6f by %s under epoch %s, after %s had accepted write %d under %s at"
                             " %.6f" % (a.number, a.arrived, a.node, a.epoch, newest.node, newest.number, newest.epoch,
                                        newest.arrived))
            if newest and a.epoch == newest.epoch and a.node != newest.node:
                found.append("epoch %s has two owners: %s and %s" % (a.epoch, newest.node, a.node))
            if not newest or a.epoch > newest.epoch:
                newest = a
        return found


class Storm:
    """`faults` of them, chosen by `seed`. run() returns [Fault]; it raises when the service does not come back."""

    def __init__(self, lab, seed, bound=30, say=lambda text: None, **named):
        self.random = random.Random(seed)
        self.lab, self.bound, self.say = lab, bound, say
        address = lab.floating()
        names = ["alpha", "beta", "gamma"]
        named.setdefault("groups", [group_text("register", names, address, first=register_text())])
        self.cluster = Cluster(lab, nodes=3, arbiter="none", service=None, watch=False, **named)
        self.cluster.text = self.cluster.text.replace("arbiter none\n", "")
        for name in names:
            self.cluster.configure(name, self.cluster.text)
        self.address, self.faults = address, []

    def start(self):
        self.cluster.start()
        self.writer = Writer(self.lab.clients[0] if self.lab.clients else self.lab.add_client(), self.address)
        wait_for(lambda: self.writer.since(0), 10, "the first write is accepted")

    # what can happen: each returns how to undo it, or None

    def pick(self):
        """Mostly the owner: what happens to the others is less of a trial."""
        names = list(self.cluster.nodes)
        owner = self.cluster.owner("register")
        return self.cluster[owner if owner and self.random.random() < 0.6 else self.random.choice(names)]

    def power_cut(self, node):
        self.cluster.power_cut(node.name)
        return lambda: self.cluster.power_on(node.name)

    def all_killed(self, node):
        node.kill_all()
        node.daemon.wrapper.wait()
        return node.start

    def core_killed(self, node):
        node.kill("core")

    def supervisor_killed(self, node):
        node.kill("supervisor")
        node.daemon.wrapper.wait()
        wait_for(lambda: not node.processes(), 10, "%s is empty" % node.name)
        return node.start

    def service_killed(self, node):
        node.machine.kill(node.machine.pids("lab-register"))

    def frozen(self, node, pids):
        pids = list(pids)
        node.machine.kill(pids, signal.SIGSTOP)
        return lambda: node.machine.kill(pids, signal.SIGCONT)

    def core_frozen(self, node):
        return self.frozen(node, [node.pid("core")])

    def haven_frozen(self, node):
        return self.frozen(node, node.processes())

    def machine_frozen(self, node):
        return self.frozen(node, node.machine.processes())

    def cable_pulled(self, node):
        self.lab.cut(node.machine, self.random.choice([None, "front", "back"]))
        return self.lab.heal

    def port_dead(self, node):
        self.lab.silence(node.machine, self.random.choice([None, "front", "back"]))
        return self.lab.heal

    def others(self, node):
        return [m for m in self.cluster.machines() if m is not node.machine]

    def nodes_apart(self, node):
        self.lab.cut_pair(node.machine, self.random.choice(self.others(node)))
        return self.lab.heal

    def one_way(self, node):
        pair = [node.machine, self.random.choice(self.others(node))]
        self.random.shuffle(pair)
        self.lab.cut_way(*pair)
        return self.lab.heal

    def partition(self, node):
        self.lab.partition([node.machine], self.others(node))
        return self.lab.heal

    def lossy(self, node):
        self.lab.lossy(self.random.choice([2, 10, 40]))
        return self.lab.heal

    def moved(self, node):
        node.haven("move", "register", check=False)

    def standby(self, node):
        node.haven("standby", node.name, check=False)
        return lambda: wait_for(lambda: self.cluster.haven("online", node.name, check=False).returncode == 0,
                                15, "%s is ordered online" % node.name, 0.2)

    def left(self, node):
        node.stop()
        return node.start

    def reloaded(self, node):
        node.haven("reload", check=False)

    KINDS = [power_cut, all_killed, core_killed, supervisor_killed, service_killed, core_frozen, haven_frozen,
             machine_frozen, cable_pulled, port_dead, nodes_apart, one_way, partition, lossy, moved, standby, left,
             reloaded]

    # the storm

    def one(self):
        kind, node = self.random.choice(self.KINDS), self.pick()
        lasts = self.random.choice([0.05, 0.3, 1.0, 2.5])
        start = now()
        undo = kind(self, node)
        if undo:
            time.sleep(lasts)
            undo()
        end = now()
        wait_for(lambda: self.writer.since(end), self.bound, "after %s on %s, writes are accepted again" % (
            kind.__name__, node.name))
        back = now()
        self.faults.append(Fault(kind.__name__, node.name, start, end, back, self.writer.longest_gap(start, back)))
        self.say("%4d  %-18s %-6s lasted %5.2f s, longest without a write %5.2f s" % (
            len(self.faults), kind.__name__, node.name, end - start, self.faults[-1].gap))
        self.cluster.haven("clear", "register", check=False)  # what it blames on a node is the storm's doing
        time.sleep(self.random.choice([0, 0.2, 1.0]))

    def run(self, faults):
        for _ in range(faults):
            self.one()
            found = self.writer.violations()
            if found:
                raise AssertionError("\n".join(found[:10]))
        self.lab.heal()
        self.cluster.wait_well(60)
        return self.faults
