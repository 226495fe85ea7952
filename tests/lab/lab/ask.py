"""Who answers for an address, machine by machine: asker.c, and its lines as spans."""
import collections

from .clock import wait_for
from .probe import ECHO_PORT
from .tools import tool

Claim = collections.namedtuple("Claim", "at kind node")  # kind: arp ip nd ip6


class Asker:
    """Asks every node of the lab each millisecond, from `client`'s interface on `net`, until stop()."""

    def __init__(self, client, address, address6, net="front", port=ECHO_PORT, interval=0.001):
        lab = client.lab
        nodes = ["%s=%s" % (m.name, m.mac(net)) for m in lab.nodes]
        self.process = client.start("asker-" + net, tool("asker"), net, round(interval * 1e6), port, address, address6,
                                    *nodes)
        wait_for(lambda: "0 ready" in self.process.output(), 5, "the asker on " + net)
        lab.stopping.append(self.process.stop)

    def claims(self):
        """All so far."""
        lines = (line.split() for line in self.process.output().splitlines(True) if line.endswith("\n"))
        return [Claim(int(words[0]) / 1e6, words[1], words[2]) for words in lines if len(words) == 3]

    def first(self, node, kind=None, after=0.0):
        return min((c.at for c in self.claims() if c.node == node and c.at > after and kind in (None, c.kind)),
                   default=None)

    def last(self, node, kind=None, before=float("inf")):
        return max((c.at for c in self.claims() if c.node == node and c.at < before and kind in (None, c.kind)),
                   default=None)

    def wait_answer(self, node, kinds=("arp", "ip", "nd", "ip6"), after=0.0, timeout=20):
        """Waits until the node has answered in all these ways."""
        wait_for(lambda: all(self.first(node, kind, after) for kind in kinds), timeout,
                 lambda: "%s answers by %s" % (node, [k for k in kinds if not self.first(node, k, after)]), 0.1)
