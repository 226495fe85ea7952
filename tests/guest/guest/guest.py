"""Guest: a machine of the lab with a kernel of its own, by user-mode-linux.

    with Lab() as lab:
        alpha = Guest(lab, "alpha")
        beta = Guest(lab, "beta", serial_to=alpha)      # /dev/ttyS0 of both, joined
        alpha.boot(); beta.boot(); alpha.wait(); beta.wait()
        alpha.run("ping -c1 " + beta.address["front"])
        alpha.kill()                                     # power failure: nothing more comes from it
        beta.wait_end(30)                                # it resets itself, by its watchdog

A guest is on the lab's networks as any machine: the lab's cuts, silences and losses work on it. It sees the host's
files (the build too) and keeps what it writes to itself, but for `directory`, which both see at the same path.
Modules of its kernel (softdog, ip_vs, ...) are loaded by `modules` or modprobe. Its clock ticks at 100 Hz on a
shared processor: give what runs in it deadlines of two seconds and more."""
import os
import select
import shutil
import signal
import subprocess

from lab import now, wait_for
from lab.tools import run

KERNEL = "linux.uml"
INIT = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "init")


def why_not():
    """None, or what this machine lacks for guests."""
    if os.geteuid() != 0:
        return "guests need root, for their networks"
    if shutil.which(KERNEL) is None:
        return "guests need %s (Debian: user-mode-linux)" % KERNEL
    if not os.path.exists("/dev/net/tun"):
        return "guests need /dev/net/tun"
    if shutil.which("insmod") is None:
        return "guests need insmod (Debian: kmod)"
    return None


class Guest:
    """On all networks of the lab, or on `networks`. `memory` in MiB. `disks`: files that are /dev/ubda, /dev/ubdb, ...,
    written through and not locked, so that guests can share them. `serial_to`: another guest that has not booted."""

    def __init__(self, lab, name, memory=128, serial_to=None, networks=None, modules=(), disks=()):
        self.lab, self.name, self.number = lab, name, len(lab.nodes) + 1
        self.memory, self.modules, self.disks = memory, list(modules), list(disks)
        self.directory = os.path.join(lab.directory, name)
        self.netns = lab.prefix + name  # there is none: what the lab would remove
        self.address, self.address6 = {}, {}
        self.serial = None  # two FIFOs: to read, to write
        self.kernel = None
        self.boots = self.jobs = 0
        self.ended = {}  # job -> exit status
        self.answers = b""
        os.makedirs(self.directory)
        self.control = [self.make_fifo("to"), self.make_fifo("from")]
        for net in lab.networks if networks is None else networks:
            self.plug_into(net)
        if serial_to is not None:
            self.join_serial(serial_to)
        lab.machines[name] = self
        lab.nodes.append(self)

    def plug_into(self, net):
        i = self.lab.networks.index(net)
        port = self.lab.port(self, net)
        self.address[net] = "%s.%d" % (self.lab.prefixes[i], self.number)
        self.address6[net] = "fd77:%d::%d" % (i, self.number)
        self.lab.batch(self.lab.room, ["tuntap add dev %s mode tap" % port,
                                       "link set %s master %s" % (port, net), "link set %s up" % port])

    def make_fifo(self, name):
        """Open at both ends for as long as the guest exists: neither end of it ever sees the other's death."""
        path = os.path.join(self.directory, name)
        os.mkfifo(path)
        return os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)

    def join_serial(self, other):
        """A null-modem cable. FIFOs, not a pty pair: UML would take a pty as its controlling terminal, and its death
        would end the line for the other as well. What nobody reads stays in the cable until somebody does."""
        assert not self.powered and not other.powered, "the cable is plugged in before they boot"
        one, two = self.make_fifo("serial-in"), self.make_fifo("serial-out")
        self.serial, other.serial = (one, two), (two, one)

    # power

    def boot(self):
        """Switches it on; wait() returns when it is there."""
        assert not self.powered, self.name + " is on already"
        for fd in self.control:
            drain(fd)
        self.answers = b""
        self.ended.clear()
        self.boots += 1
        words = ["mem=%dM" % self.memory, "rootfstype=hostfs", "rootflags=/", "ro", "init=" + INIT, "con=null",
                 "con0=null,fd:1", "ssl=null", "ssl1=fd:%d,fd:%d" % tuple(self.control), "umid=" + self.name,
                 "uml_dir=" + self.uml_dir(), "panic=1", "noreboot", "GUEST_NAME=" + self.name,
                 "GUEST_DIR=" + self.directory, "GUEST_MODULES=" + ",".join(self.modules),
                 "GUEST_NETS=" + ",".join("%s=%s/24+%s/64" % (net, self.address[net], self.address6[net])
                                          for net in self.address)]
        words += ["vec%d:transport=tap,ifname=%s,depth=64,gro=1,mac=02:77:00:00:%02x:%02x" % (
            i, self.lab.port(self, net), i, self.number) for i, net in enumerate(self.address)]
        words += ["ubd%dcs=%s" % pair for pair in enumerate(self.disks)]
        fds = list(self.control)
        if self.serial:
            words.append("ssl0=fd:%d,fd:%d" % self.serial)
            fds += self.serial
        if self.lab.networks[0] in self.address:
            words.append("GUEST_GATEWAY=" + self.lab.gateway(self.lab.networks[0]))
        with open(self.log_path(), "ab") as log:
            self.kernel = subprocess.Popen(["ip", "netns", "exec", self.lab.room, KERNEL, *words], stdout=log,
                                           stderr=log, stdin=subprocess.DEVNULL, pass_fds=fds,
                                           start_new_session=True)

    def wait(self, timeout=60):
        """Returns when it has booted and takes commands."""
        wait_for(lambda: self.listen(0.2) or "ready" in self.ended or not self.powered, timeout,
                 lambda: "%s boots; its console:\n%s" % (self.name, self.console()[-2000:]), 0)
        if not self.powered:
            raise RuntimeError("%s died while booting:\n%s" % (self.name, self.console()[-2000:]))

    def kill(self):
        """A power failure. Returns the instant: no packet leaves it afterwards."""
        return self.power_off()

    def power_off(self):
        if self.kernel is None:
            return now()
        # side processes go on holding the taps, and are in process groups of their own
        wait_for(self.kill_processes, 5, self.name + " is dead", 0.01)
        self.kernel.wait()
        self.kernel = None
        return now()

    def kill_processes(self):
        pids = self.pids()
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        return not pids

    def wait_end(self, timeout):
        """Waits until it has gone by itself: reset by its watchdog, or switched off from within."""
        wait_for(lambda: not self.powered, timeout, self.name + " is off")
        self.power_off()
        return now()

    def freeze(self):
        """Stands still, as a virtual machine whose host has other things to do. Only the kernel's own process: it holds
        all others, and does not bear their being woken by somebody else."""
        os.kill(self.kernel.pid, signal.SIGSTOP)
        return now()

    def thaw(self):
        os.kill(self.kernel.pid, signal.SIGCONT)
        return now()

    @property
    def powered(self):
        return self.kernel is not None and self.kernel.poll() is None

    def uml_dir(self):
        return os.path.join(self.directory, "uml")

    def pids(self):
        """All its processes; the directory in their arguments is nobody else's."""
        mark = ("uml_dir=" + self.uml_dir()).encode()
        found = []
        for entry in os.listdir("/proc"):
            if not entry.isdigit():
                continue
            try:
                with open("/proc/%s/cmdline" % entry, "rb") as f:
                    ours = mark in f.read().split(b"\0")
                with open("/proc/%s/stat" % entry, encoding="utf-8", errors="replace") as f:
                    zombie = f.read().rpartition(") ")[2][0] == "Z"
            except OSError:
                continue
            if ours and not zombie:
                found.append(int(entry))
        return found

    # commands

    def start(self, command):
        """Begins a bash script in it; end() waits for that."""
        self.jobs += 1
        job = "job%d" % self.jobs
        with open(os.path.join(self.directory, job), "w", encoding="utf-8") as f:
            f.write(command + "\n")
        os.write(self.control[0], job.encode() + b"\n")
        return job

    def end(self, job, timeout=30, check=True):
        """CompletedProcess with text."""
        wait_for(lambda: self.listen(0.2) or job in self.ended or not self.powered, timeout,
                 lambda: "%s: %s ends" % (self.name, self.text(job).strip()), 0)
        assert job in self.ended, "%s went off before this ended: %s" % (self.name, self.text(job).strip())
        done = subprocess.CompletedProcess(self.text(job).strip(), self.ended.pop(job), self.text(job + ".out"),
                                           self.text(job + ".err"))
        if check and done.returncode != 0:
            raise RuntimeError("%s: %s: exit %d: %s" % (self.name, done.args, done.returncode,
                                                        (done.stderr or done.stdout).strip()))
        return done

    def run(self, command, timeout=30, check=True):
        """Runs a bash script in it to its end: CompletedProcess with text. What stays in the background needs
        `>FILE 2>&1 &`. With `check`, failure is an error."""
        return self.end(self.start(command), timeout, check)

    def listen(self, timeout):
        """Takes in what has ended. False: whoever waits looks again."""
        if select.select([self.control[1]], [], [], timeout)[0]:
            self.answers += os.read(self.control[1], 65536)
        *lines, self.answers = self.answers.split(b"\n")
        for line in lines:
            words = line.decode(errors="replace").split()
            if words:
                self.ended[words[0]] = int(words[1]) if len(words) > 1 else 0
        return False

    def text(self, name):
        with open(os.path.join(self.directory, name), encoding="utf-8", errors="replace") as f:
            return f.read()

    def log_path(self):
        return os.path.join(self.directory, "console")

    def console(self):
        """What its kernel has said; nothing before it was first switched on."""
        return self.text("console") if self.boots else ""


def drain(fd):
    try:
        while os.read(fd, 65536):
            pass
    except BlockingIOError:
        pass
