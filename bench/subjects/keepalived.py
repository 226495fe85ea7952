"""keepalived as Debian ships it: VRRP with a check of the service, and a file that sends the owner away.

The check runs every second, the shortest interval that 2.2.7 reads (a fraction is refused and becomes one second).
track_process would notice a death at once, but hears of processes in the first network namespace only."""
import os

from lab import ECHO_PORT

from .subject import Subject

CONFIG = """
global_defs {{
    router_id {node}
    script_user root
    enable_script_security
    {globals}
}}
vrrp_script service {{
    script "/bin/bash -c '</dev/tcp/127.0.0.1/{port}'"
    interval 1
}}
track_file away {{
    file {away}
    weight 0
    init_file 0 overwrite
}}
vrrp_instance web {{
    state BACKUP
    interface front
    virtual_router_id 51
    priority {priority}
    advert_int {advert}
    virtual_ipaddress {{ {address}/24 dev front }}
    track_script {{ service }}
    track_file {{ away }}
}}
"""


class Keepalived(Subject):
    name = "keepalived"
    title = "keepalived, 1 s"
    packages = ("keepalived",)
    globals, advert = "", "1"
    not_applicable = {"all-frozen": "keepalived has no core of its own: as core frozen"}

    def start_daemon(self, machine):
        self.order(machine, "0")
        path = os.path.join(machine.directory, "keepalived.conf")
        with open(path, "w", encoding="ascii") as f:
            f.write(CONFIG.format(node=machine.name, globals=self.globals, port=ECHO_PORT,
                                  away=self.away(machine), priority=150 if machine is self.alpha else 100,
                                  advert=self.advert, address=self.address))
        return machine.start("keepalived", "keepalived", "-n", "-l", "-D", "-P", "-f", path)

    def away(self, machine):
        return os.path.join(machine.directory, "away")

    def order(self, machine, text):
        with open(self.away(machine), "w", encoding="ascii") as f:
            f.write(text + "\n")

    def is_ours(self, program):
        return program == "keepalived"

    def core(self, machine):
        parent = self.daemons[machine.name].pid
        return max(pid for pid in self.own_pids(machine) if pid != parent)

    def move_away(self):
        self.order(self.alpha, "1")

    def move_back(self):
        self.order(self.alpha, "0")


class KeepalivedFast(Keepalived):
    name = "keepalived-fast"
    title = "keepalived, VRRPv3 100 ms"
    globals, advert = "vrrp_version 3", "0.1"
