"""A client that asks the floating address every 2 ms, and what it had to go without."""
import collections
import threading

from .clock import now, wait_for
from .tools import tool

ECHO_PORT = 7777
LATE = 0.1  # prober.c's LATE_US: an answer this late is none
INTERVAL = 0.002

Outage = collections.namedtuple("Outage", "start end lost")  # end None: still going on


def start_echo(machine, port=ECHO_PORT, name=None):
    """Runs the lab's service on the machine: UDP, TCP and HTTP; the answer names the machine."""
    process = machine.start("echo", tool("echo"), name or machine.name, port)
    wait_for(lambda: listening(machine, port), 5, "the echo service on %s" % machine.name)
    return process


def listening(machine, port):
    with open("/proc/%d/net/tcp6" % machine.init_pid, encoding="ascii") as f:
        return any(line.split()[1].endswith(":%04X" % port) and line.split()[3] == "0A" for line in f if ":" in line)


class Prober:
    """Probes from `client` from now on, until stop(). Outages are those of prober.c: only lost requests count."""

    def __init__(self, client, address, port=ECHO_PORT, interval=INTERVAL):
        self.interval = interval
        self.lock = threading.Lock()
        self.outages = []
        self.answers = []  # (from, node): which machine answers from then on
        self.totals = None
        self.process = client.start("prober", tool("prober"), address, port, round(interval * 1e6), pipe=True)
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()
        client.lab.stopping.append(self.stop)

    def read(self):
        for line in self.process.stdout:
            words = line.split()
            with self.lock:
                self.take(words[0], int(words[1]) / 1e6, words[2:])

    def take(self, what, when, rest):
        if what == "node":
            self.answers.append((when, rest[0]))
        elif what == "lost":
            self.outages.append(Outage(when, None, 0))
        elif what == "back":
            self.outages[-1] = Outage(self.outages[-1].start, when, int(rest[2]))
        elif what == "end":
            self.totals = {"sent": int(rest[0]), "lost": int(rest[1]), "latency": int(rest[2]) / 1e6,
                           "stall": int(rest[3]) / 1e6}

    def stop(self):
        """Ends it; returns totals: sent, lost (requests), latency, stall (worst, seconds)."""
        self.process.stop()
        self.thread.join()
        self.process.stdout.close()
        return self.totals

    # asking; what happened within the last LATE seconds is not decided yet

    def node(self):
        """Who answers now; None while nobody does."""
        with self.lock:
            if not self.answers or (self.outages and self.outages[-1].end is None):
                return None
            return self.answers[-1][1]

    def wait_answer(self, node=None, timeout=30):
        """Waits until `node` (None: anybody) answers."""
        wait_for(lambda: self.node() is not None and node in (None, self.node()), timeout,
                 lambda: "answers from %s; now: %s" % (node or "anybody", self.node() or "none"))

    def during(self, start, end):
        """Outages that touch start..end; one that goes on ends at `end`, its lost requests counted by time."""
        with self.lock:
            found = [o for o in self.outages if o.start < end and (o.end is None or o.end > start)]
        return [o if o.end is not None else Outage(o.start, end, int((end - o.start) / self.interval)) for o in found]

    def longest(self, start, end):
        """The longest outage in start..end, in seconds; 0 if nothing was lost."""
        return max((o.end - o.start for o in self.during(start, end)), default=0.0)

    def lost_time(self, start, end):
        """Lost requests x interval, in seconds."""
        return sum(o.lost for o in self.during(start, end)) * self.interval

    def quiet_since(self):
        """Seconds since answers have come without a loss; 0 while none come."""
        with self.lock:
            if not self.answers:
                return 0.0
            last = self.outages[-1] if self.outages else None
        if last is None:
            return now() - self.answers[0][0]
        return 0.0 if last.end is None else now() - last.end
