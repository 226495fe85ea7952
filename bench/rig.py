"""A subject in a lab of its own, watched and probed."""
import time

from lab import Lab, Prober, Watcher, now


class NotSteady(Exception):
    """The subject did not come to rest with its preferred owner."""


class Rig:
    def __init__(self, kind):
        self.lab = Lab()
        try:
            self.subject = kind(self.lab)
            self.client = self.lab.add_client()
            self.watcher = Watcher(self.lab)
            self.subject.start()
            self.prober = Prober(self.client, self.subject.address)
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

    def measure(self, start, end):
        """Seconds, over start..end. `end` must lie a tenth of a second back, so that every request is decided."""
        return {"outage": self.prober.longest(start, end), "lost": self.prober.lost_time(start, end),
                "none": self.watcher.none_held(self.address, start, end),
                "both": self.watcher.both_held(self.address, start, end), "window": end - start}
