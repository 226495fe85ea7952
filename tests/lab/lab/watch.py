"""Who held the floating address, and when: from the kernels' own events, whatever daemons and clients say.

A tenure begins when the address comes to an interface of a node and ends when the last interface loses it; a
refresh (the same address again) changes nothing. A node holds an address effectively only while the clients'
network reaches it: a power cut or a pulled cable ends a tenure, for the world, at that instant."""
import collections
import subprocess
import threading

from .clock import now, wait_for
from .tools import tool

# Events of different machines read in one turn of the watcher carry one stamp, and two turns may fall between a
# removal here and an addition there that happened in the other order. Overlap up to this is order unknown.
BLUR = 0.002
LOOPBACK = "1"  # the index of lo

Overlap = collections.namedtuple("Overlap", "start end holders")


class Watcher:
    """Watches all nodes of the lab from now on. One per lab; start it before the daemons."""

    def __init__(self, lab, net="front"):
        self.lab, self.net = lab, net
        self.lock = threading.Lock()
        self.interfaces = {}  # (node, address) -> set of interfaces that have it now
        self.spans = {}  # (node, address) -> [[from, until or None]]
        self.process = subprocess.Popen(
            [tool("watcher")] + ["%s=%s" % (m.name, m.netns_path) for m in lab.nodes],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.ready = threading.Event()
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()
        if not self.ready.wait(10):
            raise RuntimeError("the address watcher does not start")
        lab.stopping.append(self.stop)

    def read(self):
        for line in self.process.stdout:
            words = line.split()
            if words == ["ready"]:
                self.ready.set()
                continue
            with self.lock:
                self.take(int(words[0]) / 1e6, words[1], words[2], words[3], words[4])

    def take(self, when, node, what, address, interface):
        if interface == LOOPBACK:
            return  # nobody is told of it there: a real server's
        here = self.interfaces.setdefault((node, address), set())
        spans = self.spans.setdefault((node, address), [])
        if what == "add":
            if not here:
                spans.append([when, None])
            here.add(interface)
        elif interface in here:
            here.remove(interface)
            if not here:
                spans[-1][1] = when

    def stop(self):
        self.process.stdin.close()
        self.process.wait()
        self.thread.join()
        self.process.stdout.close()

    def check(self):
        """Raises if the watcher has lost events or died."""
        if self.process.poll() is not None:
            raise RuntimeError("the address watcher has died")

    # asking

    def tenures(self, node, address):
        """[(from, until)] in which the node had the address; `until` is now for one that lasts."""
        end = now()
        with self.lock:
            return [(a, end if b is None else b) for a, b in self.spans.get((getattr(node, "name", node), address), [])]

    def effective(self, machine, address):
        """The tenures without the spans in which nothing could reach the machine."""
        spans = self.tenures(machine, address)
        for dead_from, dead_until in self.lab.dead_spans(machine, self.net):
            dead_until = now() if dead_until is None else dead_until
            spans = [piece for a, b in spans for piece in ((a, min(b, dead_from)), (max(a, dead_until), b))
                     if piece[0] < piece[1]]
        return spans

    def holders(self, address):
        """Names of the nodes that hold the address now, effectively."""
        with self.lock:
            held = [m for m in self.lab.nodes if self.interfaces.get((m.name, address))]
        return [m.name for m in held if not any(until is None for _, until in self.lab.dead_spans(m, self.net))]

    def wait_holder(self, address, name, timeout=30):
        """Waits until `name` (None: nobody) is the only holder; returns the instant this was seen."""
        want = [] if name is None else [name]
        wait_for(lambda: self.holders(address) == want, timeout,
                 lambda: "%s held by %s; holders now: %s" % (address, name or "nobody", self.holders(address)), 0.005)
        return now()

    def timeline(self, address, start, end):
        """[(from, until, [holders])], without gaps, over start..end."""
        tenures = {m.name: self.effective(m, address) for m in self.lab.nodes}
        edges = {start, end}
        for spans in tenures.values():
            for a, b in spans:
                edges.update(t for t in (a, b) if start < t < end)
        edges = sorted(edges)
        line = []
        for a, b in zip(edges, edges[1:]):
            holders = [n for n, spans in tenures.items() if any(x <= a and b <= y for x, y in spans)]
            if line and line[-1][2] == holders:
                line[-1] = (line[-1][0], b, holders)
            else:
                line.append((a, b, holders))
        return line

    def none_held(self, address, start, end):
        """Seconds of start..end in which no reachable node had the address."""
        return sum(b - a for a, b, holders in self.timeline(address, start, end) if not holders)

    def both_held(self, address, start, end):
        """Seconds of start..end in which more than one reachable node had it."""
        return sum(b - a for a, b, holders in self.timeline(address, start, end) if len(holders) > 1)

    def overlaps(self, address, start, end):
        return [Overlap(a, b, holders) for a, b, holders in self.timeline(address, start, end) if len(holders) > 1]


class Guard:
    """Fails the test in which an address had two holders, unless the test allowed just that.

    The design admits a second holder in named cases only; a test of such a case says how long, and why:

        guard.allow(0.5, "without an arbiter a split can run both")
    """

    def __init__(self, watcher):
        self.watcher = watcher
        self.addresses = set()
        self.start = now()
        self.allowed, self.why = 0.0, ""

    def add(self, address):
        self.addresses.add(address)

    def allow(self, seconds, why):
        assert why, "an allowance needs its reason"
        self.allowed, self.why = seconds, why

    def check(self):
        """Raises AssertionError with the whole story; called at the end of every test, and whenever one likes."""
        self.watcher.check()
        end = now()
        for address in sorted(self.addresses):
            overlaps = [o for o in self.watcher.overlaps(address, self.start, end) if o.end - o.start > BLUR]
            total = sum(o.end - o.start for o in overlaps)
            assert total <= self.allowed, "%s had two holders for %.1f ms, allowed %.1f ms (%s)\n%s" % (
                address, total * 1e3, self.allowed * 1e3, self.why or "none", self.story(address, end))

    def story(self, address, end):
        return "\n".join("  %9.3f s for %9.1f ms: %s" % (a - self.start, (b - a) * 1e3, ", ".join(h) or "nobody")
                         for a, b, h in self.watcher.timeline(address, self.start, end))
