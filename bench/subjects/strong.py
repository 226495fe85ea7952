"""haven with a third vote: pairs that a split cannot make two owners of."""
import os
import shutil

from lab.etcd import Etcd
from lab.haven import Cluster, haven_program
from lab.switch import Switch
from lab.tools import run
from lab.witness import Witness

from .haven import Haven


class HavenStrong(Haven):
    """What stands between the machines and the cluster is made first, then the cluster that names it."""

    def __init__(self, lab):
        super(Haven, self).__init__(lab)
        self.cluster = Cluster(lab, ["alpha", "beta"], timing=self.timing, service="process", watch=False,
                               **self.arbiter())
        if not os.path.exists(self.cluster.key_path):
            run(haven_program(), "keygen", self.cluster.key_path)
        self.prepare()

    def arbiter(self):
        """The cluster's words for it."""
        raise NotImplementedError

    def prepare(self):
        """What it needs before havend starts."""


class HavenWitness(HavenStrong):
    name = "haven-witness"
    title = "haven, witness"

    def arbiter(self):
        self.witness = Witness(self.lab)
        return {"arbiter": self.witness.arbiter()}

    def prepare(self):
        self.witness.serve("lab", self.cluster.key_path)
        self.witness.start()


class HavenDisk(HavenStrong):
    name = "haven-disk"
    title = "haven, disk"

    def arbiter(self):
        self.disk = os.path.join(self.lab.directory, "arbiter.disk")
        return {"arbiter": "arbiter disk { device = %s  link = no }" % self.disk}

    def prepare(self):
        run(haven_program(), "disk", "init", self.disk, "-c", self.cluster.config_path("alpha"))


class HavenEtcd(HavenStrong):
    name = "haven-etcd"
    title = "haven, etcd"
    timing = {"heartbeat": "100ms", "dead": "1s"}  # each renewal is written to its disk

    @classmethod
    def missing(cls):
        return super().missing() or (None if shutil.which("etcd") else "etcd-server is not installed")

    def arbiter(self):
        self.etcd = Etcd(self.lab)
        return {"arbiter": self.etcd.arbiter()}

    def prepare(self):
        self.etcd.start()


class HavenFence(HavenStrong):
    """A split ends with one of the two powered off; it is switched on again when all is measured."""
    name = "haven-fence"
    title = "haven, fence"

    def arbiter(self):
        self.switch = Switch(self.lab)
        self.lab.stopping.append(self.switch.end)
        return {"arbiter": "arbiter fence { }", "extra": self.switch.text()}

    def prepare(self):
        self.switch.cluster = self.cluster

    def start_node(self, machine):
        self.switch.release(machine.name)
        super().start_node(machine)
