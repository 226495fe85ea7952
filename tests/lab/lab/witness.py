"""A witness in the lab: havend --witness on a machine of its own.

    witness = Witness(lab)                         # the machine, 10.77.0.240
    c = cluster(arbiter=witness.arbiter())
    witness.serve("lab", c.key_path)               # after the key is there
    witness.start()"""
import json
import os
import shutil
import subprocess

from .clock import wait_for
from .haven import haven_program, havend_program


class Witness:
    def __init__(self, lab, number=240):
        self.lab = lab
        self.machine = lab.add_machine("witness%d" % number, number, lab.networks)
        self.run_dir = os.path.join(self.machine.directory, "run")
        # it gives up root: what is above its directory must let it through
        self.state_dir = os.path.join(self.machine.directory, "state")
        self.socket = os.path.join(self.run_dir, "witness.sock")
        self.config = os.path.join(self.machine.directory, "witness.conf")
        self.clusters = {}
        self.wrap = []  # a command that becomes havend, such as env(1) with variables
        self.daemon = None

    def arbiter(self):
        return "arbiter witness { address = {%s} }" % ", ".join(self.machine.address.values())

    def serve(self, cluster, key_path):
        self.clusters[cluster] = key_path
        with open(self.config, "w", encoding="utf-8") as f:
            f.write("".join("cluster %s { key = %s }\n" % pair for pair in self.clusters.items()))

    def start(self):
        os.makedirs(self.run_dir, exist_ok=True)
        self.daemon = self.machine.start("havend", *self.wrap, havend_program(), "--witness", "-c", self.config, "-f",
                                         "--run-dir", self.run_dir, "--state-dir", self.state_dir)
        wait_for(lambda: self.status() is not None, 5, lambda: "the witness to answer\n" + self.daemon.output())

    def kill(self):
        self.daemon.kill()

    def lose_state(self):
        shutil.rmtree(self.state_dir)

    def keep_state(self):
        """A backup of its state as it is now, for restore_state()."""
        shutil.copytree(self.state_dir, self.state_dir + ".copy")

    def restore_state(self):
        shutil.rmtree(self.state_dir)
        shutil.copytree(self.state_dir + ".copy", self.state_dir)

    def haven(self, *words):
        return subprocess.run([haven_program(), "-s", self.socket, *words], capture_output=True, text=True,
                              timeout=10, check=False)

    def status(self):
        done = self.haven("status", "--json")
        return json.loads(done.stdout) if done.returncode == 0 else None

    def served(self, cluster):
        return [c for c in self.status()["clusters"] if c["name"] == cluster][0]

    def wait_state(self, cluster, state, timeout=10):
        wait_for(lambda: self.served(cluster)["state"] == state, timeout,
                 lambda: "cluster %s to be %s: %s" % (cluster, state, self.status()))
