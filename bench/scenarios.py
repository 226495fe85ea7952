"""What happens to a subject. Each scenario begins with alpha as the steady owner and returns

    [(row, start, end, settled)]

the spans to be measured: from the fault until the client has been answered without a loss for QUIET seconds by one
sole owner (or `settle_max` is over: settled is False)."""
import random
import time

from lab import now

QUIET = 4.0  # longer than any subject here needs to notice that something is wrong


class Pace:
    """How long faults last, in seconds."""

    def __init__(self, quick):
        self.freeze = 10 if quick else 30
        self.restart = 5 if quick else 10  # after which somebody starts a killed daemon again
        self.split = 5 if quick else 10


def any_phase():
    """Subjects tick once a second or faster; a fault must not always meet them in the same moment of their tick."""
    time.sleep(random.random())


def settle(rig, owner):
    settled = rig.wait_well(owner, QUIET, rig.subject.settle_max)
    time.sleep(0.15)  # until the last requests before this instant are decided
    return now() - 0.15, settled


def power_cut(rig, pace):
    start = rig.lab.power_cut(rig.alpha)
    end, settled = settle(rig, "beta")
    back = now()
    rig.lab.power_on(rig.alpha)
    rig.subject.start_node(rig.alpha)
    back_end, back_settled = settle(rig, "alpha")
    return [("power cut", start, end, settled), ("node returns", back, back_end, back_settled)]


def killed(rig, pace, row, kill):
    start = now()
    kill(rig.alpha)
    time.sleep(pace.restart)
    rig.subject.start_node(rig.alpha)
    end, settled = settle(rig, "alpha")
    return [(row, start, end, settled)]


def core_killed(rig, pace):
    return killed(rig, pace, "core killed", rig.subject.kill_core)


def all_killed(rig, pace):
    return killed(rig, pace, "all its processes killed", rig.subject.kill_all)


def frozen(rig, pace, row, all_of_it):
    start = now()
    pids, _ = rig.subject.freeze(rig.alpha, all_of_it)
    time.sleep(pace.freeze)
    rig.subject.thaw(rig.alpha, pids)
    rig.subject.start_node(rig.alpha)
    end, settled = settle(rig, "alpha")
    return [("%s %d s" % (row, pace.freeze), start, end, settled)]


def core_frozen(rig, pace):
    return frozen(rig, pace, "core frozen", False)


def all_frozen(rig, pace):
    return frozen(rig, pace, "all its processes frozen", True)


def planned_move(rig, pace):
    start = now()
    rig.subject.move_away()
    end, settled = settle(rig, "beta")
    back = now()
    rig.subject.move_back()
    back_end, back_settled = settle(rig, "alpha")
    return [("planned move", start, end, settled), ("planned move back", back, back_end, back_settled)]


def service_killed(rig, pace):
    start = now()
    rig.subject.kill_service(rig.alpha)
    end, settled = settle(rig, None)
    return [("service killed", start, end, settled)]


def split(rig, pace):
    """The nodes do not hear each other, the client and the gateway hear both."""
    start = rig.lab.cut_pair(rig.alpha, rig.beta)
    time.sleep(pace.split)
    any_phase()
    healed = rig.lab.heal()
    end, settled = settle(rig, None)
    return [("nodes apart %d s" % pace.split, start, healed, True), ("after they are healed", healed, end, settled)]


ALL = {"power-cut": power_cut, "core-killed": core_killed, "all-killed": all_killed, "core-frozen": core_frozen,
       "all-frozen": all_frozen, "planned-move": planned_move, "service-killed": service_killed, "split": split}
