"""A machine of the lab: namespaces of its own for network, mounts, processes, host name and cgroups."""
import contextlib
import fcntl
import os
import signal
import subprocess

from . import sweep
from .clock import now, wait_for
from .tools import run, tool


NS_GET_PARENT = 0xB702  # linux/nsfs.h


def inside(pid, namespace):
    """Whether the process lives in this PID namespace or in one that was made inside it."""
    fd = os.open("/proc/%s/ns/pid" % pid, os.O_RDONLY | os.O_CLOEXEC)
    try:
        while os.fstat(fd).st_ino != namespace:
            try:
                parent = fcntl.ioctl(fd, NS_GET_PARENT)
            except OSError:  # the host's own: no further up
                return False
            os.close(fd)
            fd = parent
        return True
    finally:
        os.close(fd)


class Process:
    """A command on a machine. `pid` is its pid as the host sees it; stdout and stderr go to the file `log`, with
    `pipe` stdout can be read as text from the attribute `stdout`."""

    def __init__(self, machine, name, command, log, pipe=False):
        self.machine, self.name, self.log = machine, name, log
        told, tell = os.pipe()
        with open(log, "ab") as out:
            self.wrapper = subprocess.Popen(machine.enter(tell) + command, stdin=subprocess.DEVNULL,
                                            stdout=subprocess.PIPE if pipe else out, stderr=out, text=True,
                                            pass_fds=(tell,), start_new_session=True)
        self.stdout = self.wrapper.stdout
        os.close(tell)
        with os.fdopen(told) as f:
            line = f.readline()
        if not line:
            raise RuntimeError("%s on %s did not start: %s" % (name, machine.name, self.output().strip()))
        self.pid = int(line)

    def alive(self):
        return self.wrapper.poll() is None

    def signal(self, number):
        """To the command itself, not its children."""
        if self.alive():
            with contextlib.suppress(ProcessLookupError):  # it ended meanwhile
                os.kill(self.pid, number)

    def stop(self, timeout=10):
        """SIGTERM, and after `timeout` SIGKILL. Returns the exit status."""
        self.signal(signal.SIGTERM)
        try:
            return self.wrapper.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            return self.wrapper.wait()

    def kill(self):
        self.signal(signal.SIGKILL)
        self.wrapper.wait()

    def output(self):
        with open(self.log, encoding="utf-8", errors="replace") as f:
            return f.read()


class Machine:
    """Made by Lab.add_machine(). Interfaces carry the names of their networks: "front", "back"."""

    def __init__(self, lab, name, number, mounts=()):
        self.lab, self.name, self.number = lab, name, number
        self.netns = lab.prefix + name
        self.netns_path = "/run/netns/" + self.netns
        self.directory = os.path.join(lab.directory, name)
        self.address = {}  # network -> IPv4 address as text, this machine's own
        self.address6 = {}
        self.mounts = list(mounts)
        self.cgroup = os.path.join(sweep.CGROUPS, self.netns) if sweep.CGROUPS else ""
        self.init = None  # the outer process of nodeinit
        self.init_pid = 0
        self.boots = 0
        os.makedirs(self.directory, exist_ok=True)
        run("ip", "netns", "add", self.netns)

    # power

    def power_on(self):
        """Boots: the machine runs, with nothing on it. Its links are the Lab's business."""
        assert not self.powered, self.name + " is on already"
        if self.cgroup:
            os.makedirs(self.cgroup, exist_ok=True)
        self.init = subprocess.Popen([tool("nodeinit"), self.netns_path, self.name, self.cgroup, *self.mounts],
                                     stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        line = self.init.stdout.readline()
        if not line:
            raise RuntimeError("%s does not boot" % self.name)
        self.init_pid = int(line)
        self.boots += 1

    def power_off(self):
        """All processes are gone when this returns. The sockets close as the kernel closes them: a peer hears of
        it unless the links were cut before. Lab.power_cut() is the real thing."""
        if self.init is None:
            return
        try:
            os.kill(self.init_pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.init.wait()
        self.init.stdout.close()
        self.init, self.init_pid = None, 0
        if self.cgroup:
            sweep.cgroup_remove(self.cgroup)

    @property
    def powered(self):
        return self.init is not None and self.init.poll() is None

    # processes

    def enter(self, tell):
        assert self.powered, self.name + " is off"
        return [tool("noderun"), str(self.init_pid), self.cgroup, str(tell)]

    def start(self, name, *command, pipe=False):
        """Starts a command and leaves it running. Its output is in DIRECTORY/NAME.log, one file for all starts."""
        return Process(self, name, [str(c) for c in command], os.path.join(self.directory, name + ".log"), pipe)

    def run(self, *command, check=True, timeout=30, input=None):
        """Runs a command to its end: subprocess.CompletedProcess with text. With `check`, failure is an error."""
        null = os.open("/dev/null", os.O_WRONLY)
        try:
            done = subprocess.run(self.enter(null) + [str(c) for c in command], capture_output=True, text=True,
                                  input=input, stdin=None if input is not None else subprocess.DEVNULL,
                                  pass_fds=(null,), timeout=timeout, check=False)
        finally:
            os.close(null)
        if check and done.returncode != 0:
            raise RuntimeError("%s: %s: exit %d: %s" % (self.name, " ".join(map(str, command)), done.returncode,
                                                        (done.stderr or done.stdout).strip()))
        return done

    def processes(self):
        """Of this machine, by the host's pid: {pid: (parent, program, arguments)}. `program` is the base name of
        the executable file, or empty for kernel threads."""
        found = {}
        if not self.powered:
            return found
        ours = os.stat("/proc/%d/ns/pid" % self.init_pid).st_ino
        for entry in os.listdir("/proc"):
            if not entry.isdigit():
                continue
            try:
                if not inside(entry, ours):
                    continue
                program = os.path.basename(os.readlink("/proc/%s/exe" % entry).removesuffix(" (deleted)"))
                with open("/proc/%s/stat" % entry, encoding="utf-8", errors="replace") as f:
                    stat = f.read().rpartition(") ")[2].split()
                with open("/proc/%s/cmdline" % entry, encoding="utf-8", errors="replace") as f:
                    arguments = f.read().rstrip("\0").split("\0")
            except OSError:
                continue
            if stat[0] != "Z" and int(entry) != self.init_pid:
                found[int(entry)] = (int(stat[1]), program, arguments)
        return found

    def pids(self, program):
        """Pids of the running processes whose executable is called `program`."""
        return sorted(pid for pid, (_, name, _) in self.processes().items() if name == program)

    def kill(self, pids, number=signal.SIGKILL):
        """Sends the signal to all of them at once; with SIGKILL, returns when they are gone: they stand still before
        the first one dies, so that none has the time to act on the death of another."""
        pids = list(pids)
        for each in [signal.SIGSTOP, number] if number == signal.SIGKILL else [number]:
            for pid in pids:
                try:
                    os.kill(pid, each)
                except ProcessLookupError:
                    pass
        if number == signal.SIGKILL:
            wait_for(lambda: not set(pids) & set(self.processes()), 5, "processes %s die" % pids, 0.001)
        return now()

    # what the kernel says

    def holds(self, address):
        """Whether the address is on one of this machine's interfaces, whatever its links do."""
        out = run("ip", "-n", self.netns, "-o", "addr", "show")
        return any(address + "/" in line for line in out.splitlines())

    def neighbour(self, address):
        """The MAC this machine has for the address, or None."""
        words = run("ip", "-n", self.netns, "neigh", "show", "to", address).split()
        return words[words.index("lladdr") + 1] if "lladdr" in words else None

    def mac(self, network):
        with_link = run("ip", "-n", self.netns, "-o", "link", "show", network).split()
        return with_link[with_link.index("link/ether") + 1]
