"""What the scenarios ask of a subject. alpha is the preferred owner; every subject fails back to it by itself."""
import signal

from lab import start_echo


class Subject:
    name = ""  # on the command line
    title = ""  # in the table
    packages = ()  # of Debian
    mounts = ()  # nodeinit's words
    # scenario -> why it does not apply
    not_applicable = {}
    settle_max = 60  # seconds after a fault in which everything should be well again

    @classmethod
    def missing(cls):
        """Why this subject cannot run on this machine, or None."""
        return None

    def __init__(self, lab):
        self.lab = lab
        self.alpha, self.beta = self.nodes = [lab.add_node(name, mounts=self.node_mounts(name))
                                              for name in ("alpha", "beta")]
        self.address = lab.floating()
        self.echoes = {}
        self.daemons = {}

    def node_mounts(self, name):
        return list(self.mounts)

    # to be said by each subject

    def start_daemon(self, machine):
        """Starts the program on the machine and returns its lab.Process."""
        raise NotImplementedError

    def is_ours(self, program):
        """Whether a process with this executable is the program's own."""
        raise NotImplementedError

    def core(self, machine):
        """The pid whose death is "core killed" and whose freeze is "core frozen"."""
        raise NotImplementedError

    def move_away(self):
        """Orders the group from alpha to beta."""
        raise NotImplementedError

    def move_back(self):
        raise NotImplementedError

    # the same for all

    def start(self):
        for machine in self.nodes:
            self.start_node(machine)

    def start_node(self, machine):
        """Brings everything up that is not running."""
        self.start_service(machine)
        if machine.name not in self.daemons or not self.daemons[machine.name].alive():
            self.daemons[machine.name] = self.start_daemon(machine)

    def start_service(self, machine):
        """The service runs on both nodes all the time, as a web server would; the address decides."""
        if machine.name not in self.echoes or not self.echoes[machine.name].alive():
            self.echoes[machine.name] = start_echo(machine)

    def kill_service(self, machine):
        return machine.kill(machine.pids("lab-echo"))

    def own_pids(self, machine):
        return [pid for pid, (_, program, _) in machine.processes().items() if self.is_ours(program)]

    def kill_core(self, machine):
        return machine.kill([self.core(machine)])

    def kill_all(self, machine):
        return machine.kill(self.own_pids(machine))

    def frozen_pids(self, machine):
        """What "core frozen" stops: a daemon without a core of its own stops whole."""
        return self.own_pids(machine)

    def freeze(self, machine, all_of_it=False):
        pids = self.own_pids(machine) if all_of_it else self.frozen_pids(machine)
        return pids, machine.kill(pids, signal.SIGSTOP)

    def thaw(self, machine, pids):
        return machine.kill(pids, signal.SIGCONT)

    def log(self):
        return "".join("--- %s\n%s\n" % (name, daemon.output()[-3000:]) for name, daemon in self.daemons.items())
