"""haven: one group with the address and the service, both its own; the gateway as ping arbiter."""
from lab.haven import FAST, Cluster, haven_program, havend_program
from lab.tools import build

from .subject import Subject


class Haven(Subject):
    name = "haven"
    title = "haven, default (100/500 ms)"
    timing = {}

    @classmethod
    def missing(cls):
        try:
            haven_program(), havend_program()
        except FileNotFoundError:
            return "haven is not built in %s" % build()
        return None

    def __init__(self, lab):
        super().__init__(lab)
        self.cluster = Cluster(lab, ["alpha", "beta"], timing=self.timing, service="process", watch=False)

    def start(self):
        self.cluster.start(wait=False)
        self.daemons = {name: node.daemon for name, node in self.cluster.nodes.items()}

    def start_service(self, machine):
        pass  # haven's part

    def start_daemon(self, machine):
        node = self.cluster[machine.name]
        node.start()
        return node.daemon

    def is_ours(self, program):
        return program.startswith("haven")

    def core(self, machine):
        return self.cluster[machine.name].pid("core")

    def frozen_pids(self, machine):
        return [self.core(machine)]

    def move_away(self):
        self.cluster.haven("move", "web", "beta", node="alpha")

    def move_back(self):
        self.cluster.haven("move", "web", "alpha", node="alpha")

    def log(self):
        return self.cluster.story()


class HavenAddress(Haven):
    """As with keepalived, the service is not its business: it runs on both nodes, only the address moves."""
    not_applicable = {"service-killed": "the service is not its business"}

    def __init__(self, lab):
        Subject.__init__(self, lab)
        self.cluster = Cluster(lab, ["alpha", "beta"], timing=self.timing, service="outside", watch=False)

    def start_service(self, machine):
        self.cluster.start_service(machine.name)


class HavenFast(HavenAddress):
    name = "haven-fast"
    title = "haven, fast (20/100 ms), address only"
    timing = FAST


class HavenThree(HavenAddress):
    """keepalived's own rule: three intervals missed."""
    name = "haven-three"
    title = "haven, 100/300 ms, address only"
    timing = {"heartbeat": "100ms", "dead": "300ms"}
