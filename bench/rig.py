"""A subject in a lab of its own, watched and probed.

Who has an address in its kernel need not answer for it: a gate in the kernel may be shut. So beside the client there
are two insisters, one per node, who take no news of where the address is: they go on sending to that node's MAC.
Whom they get answers from answers, whatever else is believed."""
import time

from lab import Lab, Prober, Watcher, now


class NotSteady(Exception):
    """The subject did not come to rest with its preferred owner."""


INSIST = 0.005  # seconds between an insister's requests


def insister(lab, machine, address):
    """A client for whom the address is at that machine for ever."""
    client = lab.add_client("insister-" + machine.name)
    lab.batch(client.netns, ["neigh replace %s lladdr %s dev front nud permanent" % (address, machine.mac("front"))])
    return Prober(client, address, interval=INSIST)


class Rig:
    def __init__(self, kind):
        self.lab = Lab()
        try:
            self.subject = kind(self.lab)
            self.client = self.lab.add_client()
            self.watcher = Watcher(self.lab)
            self.subject.start()
            self.prober = Prober(self.client, self.subject.address)
            self.insisters = [insister(self.lab, m, self.subject.address) for m in self.subject.nodes]
        except BaseException:
            self.lab.close()
            raise
        self.alpha, self.beta, self.address = self.subject.alpha, self.subject.beta, self.subject.address

    def close(self):
        self.lab.close()

    def well(self, owner, quiet):
        holders = self.watcher.holders(self.address)
        return (len(holders) == 1 and owner in (None, holders[0]) and self.prober.node() == holders[0]
                and self.prober.quiet_since() >= quiet)

    def wait_well(self, owner, quiet, timeout):
        """Until, `quiet` seconds from now or later, `owner` (None: any one node) alone holds the address and has
        answered without a loss for `quiet` seconds. Returns whether."""
        begin = now()
        while now() < begin + timeout:
            if now() > begin + quiet and self.well(owner, quiet):
                return True
            time.sleep(0.05)
        return False

    def steady(self):
        """Brings everything up and waits until alpha owns it; NotSteady says what was seen."""
        for machine in (self.alpha, self.beta):
            if not machine.powered:
                self.lab.power_on(machine)
            self.subject.start_node(machine)
        if not self.wait_well("alpha", 2, max(60, self.subject.settle_max)):
            raise NotSteady("holders %s, answers from %s\n%s" % (self.watcher.holders(self.address),
                                                                 self.prober.node(), self.subject.log()))

    def both_answered(self, start, end):
        """Seconds of start..end in which both nodes answered to who insisted."""
        silent = [(o.start, o.end) for p in self.insisters for o in p.during(start, end)]
        edges = sorted({start, end} | {t for span in silent for t in span if start < t < end})
        return sum(b - a for a, b in zip(edges, edges[1:]) if not any(x <= a and b <= y for x, y in silent))

    def measure(self, start, end):
        """Seconds, over start..end. `end` must lie a tenth of a second back, so that every request is decided."""
        return {"outage": self.prober.longest(start, end), "lost": self.prober.lost_time(start, end),
                "answered": self.both_answered(start, end),
                "none": self.watcher.none_held(self.address, start, end),
                "both": self.watcher.both_held(self.address, start, end), "window": end - start}
