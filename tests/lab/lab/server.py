"""A machine of the lab that is a server as a person knows it: systemd as process 1, haven and nginx as its units.

    server = Server(lab, "web1", 1)
    server.sh("systemctl enable --now havend")

systemd is the real one. It knows the units below and no others, so that nothing of the host's is started or tidied a
second time. /etc, /var and /usr/local are the machine's own, and outlive its power."""
import os
import shutil
import subprocess

from .clock import wait_for
from .tools import run

UNITS = "/usr/lib/systemd/system"
OF_DEBIAN = ["nginx.service"]
TARGETS = ["basic", "local-fs", "multi-user", "network", "network-online", "nss-lookup", "remote-fs", "shutdown",
           "sockets", "sysinit", "umount"]
OWN = {
    "dbus.socket": "[Unit]\nDefaultDependencies=no\n[Socket]\nListenStream=/run/dbus/system_bus_socket\n",
    "dbus.service": "[Unit]\nDefaultDependencies=no\nRequires=dbus.socket\nAfter=dbus.socket\n[Service]\n"
                    "ExecStart=@/usr/bin/dbus-daemon @dbus-daemon --system --address=systemd: --nofork --nopidfile\n",
    **{name + ".target": "[Unit]\nDefaultDependencies=no\n" for name in TARGETS},
}
OWN["basic.target"] += "Wants=dbus.socket dbus.service\n"
OWN["multi-user.target"] += "Requires=basic.target\nAfter=basic.target\n"
OF_VAR = ["lib/systemd", "lib/nginx", "log/nginx", "www/html", "tmp"]
BUS = "/run/dbus/system_bus_socket"


class Server:
    """Made with its power on; lab.power_cut(server.machine) and lab.power_on(server.machine) are the rest."""

    def __init__(self, lab, name, number):
        self.name = name
        self.root = os.path.join(lab.directory, name + "-disk")
        self.furnish()
        binds = [("units", UNITS), ("generators", "/usr/lib/systemd/system-generators"), ("etc", "/etc"),
                 ("var", "/var"), ("usr/local", "/usr/local")]
        self.machine = lab.add_machine(
            name, number, lab.networks,
            mounts=["bind:%s/%s:%s" % (self.root, *bind) for bind in binds] + ["systemd:multi-user.target"])
        lab.nodes.append(self.machine)

    def furnish(self):
        for directory in ["units", "generators", "usr/local"] + ["var/" + d for d in OF_VAR]:
            os.makedirs(os.path.join(self.root, directory))
        os.chmod(self.root, 0o755)
        for name in OF_DEBIAN:
            shutil.copy(os.path.join(UNITS, name), os.path.join(self.root, "units", name))
        for name, text in OWN.items():
            self.write("units/" + name, text)
        os.symlink("multi-user.target", os.path.join(self.root, "units/default.target"))
        run("cp", "-a", "/etc", self.root + "/etc")
        for own in ("systemd", "haven"):
            shutil.rmtree(os.path.join(self.root, "etc", own), ignore_errors=True)
        os.makedirs(os.path.join(self.root, "etc/systemd/system"))
        self.write("etc/fstab", "")
        self.write("etc/hostname", self.name + "\n")

    def write(self, path, text):
        with open(os.path.join(self.root, path.lstrip("/")), "w", encoding="utf-8") as f:
            f.write(text)

    def wait_up(self, timeout=20):
        """Until systemd answers on the bus; RuntimeError when it does not come up."""
        def up():
            return self.machine.powered and os.path.exists("/proc/%d/root%s" % (self.machine.init_pid, BUS)) \
                and self.sh("systemctl is-active dbus.service", check=False).returncode == 0
        wait_for(up, timeout, "systemd is up on " + self.name, 0.05)

    def sh(self, text, check=True, timeout=60):
        """Runs lines of shell as root would have typed them: stops at the first that fails."""
        try:
            return self.machine.run("env", "-i", "HOME=/root", "TERM=dumb", "LC_ALL=C.UTF-8",
                                    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                                    "bash", "-e", "-o", "pipefail", "-c", text, check=check, timeout=timeout)
        except subprocess.TimeoutExpired as error:
            raise AssertionError("%s: does not end: %s" % (self.name, text)) from error
