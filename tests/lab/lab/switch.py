"""A switch that cuts machines' power, and a fence agent that orders it to."""
import os
import threading

from .clock import now

AGENT = """#!/bin/sh
# A fence agent by the fence-agents' convention; the switch is a thread of the test that watches this directory.
cd "${0%/*}" || exit 1
while IFS= read -r line; do
    case $line in action=*) action=${line#*=};; plug=*) plug=${line#*=};; esac
done
echo "$action $plug" >> calls
[ -e broken ] && { echo "no answer from the switch" >&2; exit 1; }
case $action in
off) : > "$plug.wanted"; i=0
     while [ ! -e "$plug.off" ] && [ $((i += 1)) -le 200 ]; do sleep 0.05; done
     [ -e "$plug.off" ];;
on) exit 0;;
status) [ -e "$plug.off" ] && exit 2; exit 0;;
*) exit 1;;
esac
"""


class Switch:
    """Cuts the power of a machine when its file `wanted` appears; `at`: when it did."""

    def __init__(self, lab):
        self.directory = os.path.join(lab.directory, "switch")
        self.cluster, self.at, self.ended = None, {}, threading.Event()
        os.makedirs(self.directory)
        self.agent = os.path.join(self.directory, "agent")
        with open(self.agent, "w", encoding="ascii") as f:
            f.write(AGENT)
        os.chmod(self.agent, 0o755)
        self.thread = threading.Thread(target=self.work)
        self.thread.start()

    def path(self, name):
        return os.path.join(self.directory, name)

    def work(self):
        while not self.ended.wait(0.02):
            for name in self.cluster.nodes if self.cluster else ():
                if os.path.exists(self.path(name + ".wanted")) and not os.path.exists(self.path(name + ".off")):
                    self.cluster.power_cut(name)
                    self.at[name] = now()
                    self.touch(name + ".off")

    def touch(self, name):
        with open(self.path(name), "w", encoding="ascii"):
            pass

    def release(self, name):
        """Somebody has switched it on again."""
        for mark in (".wanted", ".off"):
            if os.path.exists(self.path(name + mark)):
                os.unlink(self.path(name + mark))

    def calls(self):
        try:
            with open(self.path("calls"), encoding="ascii") as f:
                return f.read().splitlines()
        except FileNotFoundError:
            return []

    def text(self, nodes=("alpha", "beta")):
        return "fence switch {\n    agent = %s\n    node = {%s}\n    plug = {%s}\n    delay = 500ms\n    timeout = 15s\n}\n" % (
            self.agent, ", ".join(nodes), ", ".join('"%s=%s"' % (n, n) for n in nodes))

    def end(self):
        self.ended.set()
        self.thread.join()
