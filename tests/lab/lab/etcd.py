"""Debian's etcd on a machine of its own."""
import json
import os
import shutil

from .clock import wait_for

KEY = {"key": "L2hhdmVuL2xhYg=="}  # /haven/lab


class Etcd:
    def __init__(self, lab):
        self.machine = lab.add_machine("etcd", 241, lab.networks)
        self.url = "http://%s:2379" % self.machine.address["front"]
        self.data = os.path.join(self.machine.directory, "data")
        self.daemon = None

    def arbiter(self):
        return "arbiter etcd { endpoint = {%s} }" % self.url

    def start(self):
        self.daemon = self.machine.start(
            "etcd", shutil.which("etcd"), "--data-dir", self.data, "--listen-client-urls", self.url,
            "--advertise-client-urls", self.url, "--listen-peer-urls", "http://127.0.0.1:2380",
            "--initial-advertise-peer-urls", "http://127.0.0.1:2380",
            "--initial-cluster", "default=http://127.0.0.1:2380")
        wait_for(lambda: self.machine.run("curl", "-sf", self.url + "/health", check=False).returncode == 0, 10,
                 lambda: "etcd to answer\n" + self.daemon.output()[-2000:])

    def ask(self, what, **named):
        done = self.machine.run("curl", "-sf", self.url + "/v3/kv/" + what, "-d", json.dumps(dict(KEY, **named)))
        return json.loads(done.stdout)
