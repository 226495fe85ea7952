"""heartbeat 3.0.6 as Debian ships it. Its paths are fixed, so each machine gets its own over them."""
import os
import shutil

from .subject import Subject

HA_CF = """
logfile /var/lib/heartbeat/ha-log
debugfile /var/lib/heartbeat/ha-debug
logfacility none
keepalive {keepalive}
warntime {warn}
deadtime {dead}
initdead {initial}
udpport 694
ucast front {front}
ucast back {back}
auto_failback on
node alpha beta
"""


class Heartbeat(Subject):
    name = "heartbeat"
    title = "heartbeat, 100/500 ms"
    packages = ("heartbeat", "resource-agents")
    keepalive, warn, dead, initial = "100ms", "300ms", "500ms", "2"
    not_applicable = {"service-killed": "heartbeat does not watch services",
                      "all-frozen": "heartbeat has no core of its own: as core frozen"}

    def node_mounts(self, name):
        where = os.path.join(self.lab.directory, name)
        etc, var = os.path.join(where, "ha.d"), os.path.join(where, "var-lib")
        shutil.copytree("/etc/ha.d", etc, symlinks=True)
        shutil.copytree("/var/lib/heartbeat", var, ignore=lambda d, names: [
            n for n in names if not os.path.isdir(os.path.join(d, n))])
        for directory, _, _ in os.walk(var):
            shutil.chown(directory, "hacluster", "haclient")
        return ["bind:%s:/etc/ha.d" % etc, "bind:%s:/var/lib/heartbeat" % var]

    def write(self, machine, name, text):
        path = os.path.join(machine.directory, "ha.d", name)
        with open(path, "w", encoding="ascii") as f:
            f.write(text)
        os.chmod(path, 0o600)

    def start_daemon(self, machine):
        peer = self.beta if machine is self.alpha else self.alpha
        self.write(machine, "ha.cf", HA_CF.format(keepalive=self.keepalive, warn=self.warn, dead=self.dead,
                                                  initial=self.initial, front=peer.address["front"],
                                                  back=peer.address["back"]))
        self.write(machine, "authkeys", "auth 1\n1 sha1 secret-of-the-lab\n")
        self.write(machine, "haresources", "alpha IPaddr2::%s/24/front\n" % self.address)
        # what systemd-tmpfiles and Debian's init script do at boot
        machine.run("sh", "-c", "mkdir -p /run/lock /run/heartbeat/ccm /run/heartbeat/crm /run/heartbeat/dopd "
                    "/run/heartbeat/rsctmp /run/resource-agents && chown -R hacluster:haclient /run/heartbeat && "
                    "chmod 1777 /run/heartbeat/rsctmp")
        return machine.start("heartbeat", "/usr/libexec/heartbeat/heartbeat", "-f")

    def is_ours(self, program):
        return program == "heartbeat"

    def core(self, machine):
        """The master control process."""
        return self.daemons[machine.name].pid

    def move_away(self):
        self.alpha.run("/usr/share/heartbeat/hb_standby", "all")

    def move_back(self):
        self.alpha.run("/usr/share/heartbeat/hb_takeover", "all")

    def log(self):
        text = super().log()
        for machine in self.nodes:
            path = os.path.join(machine.directory, "var-lib", "ha-log")
            if os.path.exists(path):
                with open(path, encoding="utf-8", errors="replace") as f:
                    text += "--- %s\n%s\n" % (machine.name, f.read()[-3000:])
        return text


class HeartbeatDefault(Heartbeat):
    name = "heartbeat-default"
    title = "heartbeat, default (30 s)"
    keepalive, warn, dead, initial = "1", "15", "30", "30"
    settle_max = 150
