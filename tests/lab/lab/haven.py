"""Haven in the lab: its configuration, its daemons on the machines, its commands.

    cluster = Cluster(lab, nodes=2)          # alpha, beta; one group "web" with the address 10.77.0.111
    cluster.start()                          # keys, state, havend on every node; waits until all is well
    cluster.wait_group("web", "alpha")
    cluster.power_cut("alpha"); cluster.wait_group("web", "beta")

Everything is asked through `haven status --json` and done through haven(8)'s commands, as a person would."""
import json
import os
import re
import shutil
import signal
import subprocess

from .clock import now, wait_for
from .probe import ECHO_PORT, LATE, start_echo
from .tools import build, built, run, tool
from .watch import Guard, Watcher

NAMES = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota"]
FAST = {"profile": "fast"}
WAN = {"profile": "wan"}
# what a daemon writes only when it has found a fault in itself
DEATH_CRIES = re.compile(r"Assertion .* failed|AddressSanitizer|LeakSanitizer|runtime error:|stack smashing")


def haven_program():
    return built("haven", os.path.join(build(), "src", "cli"))


def havend_program():
    return built("havend", os.path.join(build(), "src", "main"))


def group_text(name, nodes, address, body="", failback="auto", first=""):
    """A group of the configuration file: what is started `first`, an address on the front network, then `body`."""
    def indented(text):
        return "".join("    %s\n" % line for line in text.splitlines() if line)

    return "group %s {\n    nodes = {%s}\n    failback = %s\n%s    address %s/24 { device = front }\n%s}\n" % (
        name, ", ".join(nodes), failback, indented(first), address, indented(body))


def process_text(port=ECHO_PORT, name="echo"):
    """The echo service as a resource of a group: started and stopped by haven, before the address comes to it."""
    return 'process %s { command = "%s - %d"  warm = yes }' % (name, tool("echo"), port)


class Node:
    """havend on one machine."""

    def __init__(self, cluster, machine):
        self.cluster, self.machine, self.name = cluster, machine, machine.name
        self.run_dir = os.path.join(machine.directory, "run")
        self.state_dir = os.path.join(machine.directory, "state")
        self.socket = os.path.join(self.run_dir, "haven.sock")
        self.daemon = None
        self.boot = 0
        self.program = havend_program()
        self.wrap = []  # a command that becomes havend, such as env(1) with variables

    def init(self):
        """Gives the node a state of its own, as a person does once when it joins."""
        os.makedirs(self.state_dir, exist_ok=True)
        run(haven_program(), "init", "-n", self.name, "--state-dir", self.state_dir)

    def start(self):
        assert not self.running(), "havend runs already on " + self.name
        if self.boot != self.machine.boots:
            shutil.rmtree(self.run_dir, ignore_errors=True)  # /run does not survive a boot
            self.boot = self.machine.boots
        os.makedirs(self.run_dir, exist_ok=True)
        self.daemon = self.machine.start(
            "havend", *self.wrap, self.program, "-c", self.cluster.config_path(self.name), "-n", self.name, "-f",
            "--run-dir", self.run_dir, "--state-dir", self.state_dir)

    def stop(self, timeout=20):
        """An orderly end: SIGTERM. Returns the exit status."""
        return self.daemon.stop(timeout)

    def running(self):
        return self.daemon is not None and self.daemon.alive()

    # its processes

    def processes(self):
        """{pid: (parent, program, arguments)} of haven's own, not of what it runs for a group."""
        return {pid: p for pid, p in self.machine.processes().items()
                if p[1].startswith("haven") and p[1] != "haven-guard"}

    def pid(self, role):
        """Of "supervisor", "core" or "checker": the supervisor is what was started; the others are its children,
        told by their program's name or arguments."""
        if role == "supervisor":
            return self.daemon.pid
        found = [pid for pid, (parent, program, arguments) in self.processes().items()
                 if pid != self.daemon.pid and (role in program or any(role in a for a in arguments[:2])
                                                or role in self.comm(pid))]
        # what one of them starts of itself goes by the same name
        found = [pid for pid in found if self.processes()[pid][0] not in found] if len(found) > 1 else found
        assert len(found) == 1, "%s: %d processes called %s: %s" % (self.name, len(found), role, self.processes())
        return found[0]

    @staticmethod
    def comm(pid):
        try:
            with open("/proc/%d/comm" % pid, encoding="utf-8", errors="replace") as f:
                return f.read().strip()
        except OSError:
            return ""

    def kill(self, role, number=signal.SIGKILL):
        """Signals one process of haven; returns the instant."""
        return self.machine.kill([self.pid(role)], number)

    def kill_all(self):
        """SIGKILL to every process of haven at once; what they ran for groups lives on."""
        return self.machine.kill(self.processes())

    def freeze(self, role="core"):
        pid = self.pid(role)
        self.machine.kill([pid], signal.SIGSTOP)
        return pid

    def thaw(self, pid):
        return self.machine.kill([pid], signal.SIGCONT)

    # asking and ordering

    def haven(self, *words, check=True, timeout=60):
        """haven(8) against this node's daemon: CompletedProcess; with `check`, exit status 0 is demanded."""
        done = subprocess.run([haven_program(), "-s", self.socket, *words], capture_output=True, text=True,
                              timeout=timeout, check=False)
        if check:
            assert done.returncode == 0, "haven %s on %s: exit %d: %s" % (
                " ".join(words), self.name, done.returncode, (done.stderr or done.stdout).strip())
        return done

    def status(self):
        """`haven status --json`, or None while no daemon answers."""
        done = self.haven("status", "--json", check=False)
        return json.loads(done.stdout) if done.returncode == 0 else None

    def events(self):
        done = self.haven("events", "--json", check=False)
        return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]

    def log(self):
        return self.daemon.output() if self.daemon else ""


class Cluster:
    """Machines are made in the lab as needed. `timing`: words of the cluster section (FAST, WAN, or your own).
    `groups`: texts of group sections; without, one group "web" of all nodes in order.
    `service`: "outside" runs the echo service on every node beside haven, "process" as a resource of the group
    "web", None leaves it out. `extra`: more text for the end of the file.
    `links`: more words for a node's section, {"alpha": "serial = /dev/ttyS0"}; with `addresses` False, nothing else.
    `watch` False: somebody else watches the addresses, there is no guard."""

    def __init__(self, lab, nodes=2, timing=None, arbiter="ping", groups=None, service="outside", extra="",
                 watch=True, links=None, addresses=True):
        self.lab = lab
        names = NAMES[:nodes] if isinstance(nodes, int) else list(nodes)
        self.nodes = {name: Node(self, lab.machines.get(name) or lab.add_node(name)) for name in names}
        self.service = service
        self.echoes = {}
        self.links, self.addresses = links or {}, addresses
        self.address = lab.floating()
        if groups is None:
            groups = [group_text("web", names, self.address, first=process_text() if service == "process" else "")]
        self.key_path = os.path.join(lab.directory, "key")
        self.text = self.compose(timing or {}, arbiter, groups, extra)
        self.watcher = self.guard = None
        if watch:
            self.watcher = Watcher(lab)
            self.guard = Guard(self.watcher)
            for address in re.findall(r"^\s*address\s+([0-9a-fA-F.:]+)/", self.text, re.MULTILINE):
                self.guard.add(address)
        for name in names:
            self.configure(name)

    # configuration

    def compose(self, timing, arbiter, groups, extra):
        cluster = {"key": self.key_path, **timing}
        text = "cluster lab {\n%s}\n" % "".join("    %s = %s\n" % pair for pair in cluster.items())
        for name, node in self.nodes.items():
            address = "address = {%s}  " % ", ".join(node.machine.address.values()) if self.addresses else ""
            text += "node %s { %s%s }\n" % (name, address, self.links.get(name, ""))
        if arbiter == "ping":
            text += "arbiter ping { target = {%s} }\n" % self.lab.gateway()
        elif arbiter != "none":
            text += arbiter + "\n"
        return text + "".join(groups) + extra

    def config_path(self, name):
        return os.path.join(self.nodes[name].machine.directory, "haven.conf")

    def configure(self, name, text=None):
        """Writes the configuration of one node: the cluster's, or another text."""
        with open(self.config_path(name), "w", encoding="utf-8") as f:
            f.write(self.text if text is None else text)

    def reconfigure(self, text):
        """Writes a new configuration for all; `haven reload` is the caller's."""
        self.text = text
        for name in self.nodes:
            self.configure(name)

    # life

    def start(self, wait=True, timeout=30):
        """Key, states, the service, havend everywhere. With `wait`, returns when all nodes are online and every
        group is started, as each node sees it."""
        if not os.path.exists(self.key_path):
            run(haven_program(), "keygen", self.key_path)
        for node in self.nodes.values():
            node.init()
            self.start_service(node.name)
            node.start()
        if wait:
            self.wait_well(timeout)

    def start_service(self, name):
        """The echo service beside haven, where the cluster has it so."""
        if self.service == "outside" and not (name in self.echoes and self.echoes[name].alive()):
            self.echoes[name] = start_echo(self.nodes[name].machine)

    def power_cut(self, name):
        return self.lab.power_cut(self.nodes[name].machine)

    def power_on(self, name, start=True):
        """The machine boots; what it kept in memory is gone, its state directory is not."""
        node = self.nodes[name]
        at = self.lab.power_on(node.machine)
        self.start_service(name)
        if start:
            node.start()
        return at

    def __getitem__(self, name):
        return self.nodes[name]

    def machine(self, name):
        return self.nodes[name].machine

    def machines(self):
        return [node.machine for node in self.nodes.values()]

    # waiting

    def running(self):
        return [node for node in self.nodes.values() if node.running()]

    def wait_status(self, condition, what, names=None, timeout=30):
        """Waits until condition(status) holds on the named nodes (default: all that run); returns the last status."""
        seen = {}

        def good():
            for node in [self.nodes[n] for n in names] if names else self.running():
                seen[node.name] = node.status()
                if seen[node.name] is None or not condition(seen[node.name]):
                    return None
            return seen or None

        result = wait_for(good, timeout, lambda: "%s; last seen: %s" % (what, json.dumps(seen, indent=1)), 0.05)
        return list(result.values())[-1]

    def wait_well(self, timeout=30):
        count = len(self.running())
        return self.wait_status(
            lambda s: sum(n["state"] == "online" for n in s["nodes"]) >= count and s["groups"]
            and all(g["state"] == "started" for g in s["groups"]), "all nodes online, all groups started",
            timeout=timeout)

    def wait_node(self, name, state, names=None, timeout=30):
        return self.wait_status(lambda s: any(n["name"] == name and n["state"] == state for n in s["nodes"]),
                                "node %s %s" % (name, state), names, timeout)

    def wait_group(self, group, node=None, state="started", names=None, timeout=30):
        """Waits until the group is in `state` (on `node`, if given), as every running node sees it."""
        return self.wait_status(
            lambda s: any(g["name"] == group and g["state"] == state and node in (None, g["node"])
                          for g in s["groups"]), "group %s %s on %s" % (group, state, node or "any node"), names, timeout)

    @staticmethod
    def wait_quiet(prober, seconds, timeout=30):
        """Waits until the client has been answered without a loss for so long, from now on; returns an instant up to
        which every request is decided."""
        begin = now()
        wait_for(lambda: now() > begin + seconds + LATE and prober.quiet_since() >= seconds, timeout,
                 "%g s without a lost request" % seconds)
        return now() - LATE

    def owner(self, group="web"):
        """As the first running node has it; None if nobody."""
        for node in self.running():
            for g in (node.status() or {}).get("groups", []):
                if g["name"] == group:
                    return g["node"] or None
        return None

    def haven(self, *words, node=None, **named):
        """haven(8) against the named node, or the first that runs."""
        return (self.nodes[node] if node else self.running()[0]).haven(*words, **named)

    # the end

    def check_end(self):
        """Asked after each test: no second holder, and no daemon that found a fault in itself."""
        if self.guard:
            self.guard.check()
        for node in self.nodes.values():
            cry = DEATH_CRIES.search(node.log())
            assert cry is None, "%s: %s\n%s" % (node.name, cry.group(0), node.log()[-4000:])

    def story(self, lines=60):
        """For whoever reads a failed test."""
        parts = [self.text]
        for address in sorted(self.guard.addresses) if self.guard else ():
            parts.append("%s, seconds since the start of the guard:\n%s" % (address, self.guard.story(address, now())))
        for node in self.nodes.values():
            parts.append("--- %s: havend\n%s" % (node.name, "\n".join(node.log().splitlines()[-lines:])))
        return "\n".join(parts)
