"""Two machines with real serial ports: what a network and a serial line between them are worth together."""
import json
import os

from lab import now, wait_for
from lab.haven import haven_program, havend_program
from lab.tools import run

CONFIG = """
cluster lab { key = %(key)s  heartbeat = 400ms  dead = 2s  start-wait = 2s }
node alpha { address = %(alpha)s  serial = /dev/ttyS0 }
node beta  { address = %(beta)s  serial = /dev/ttyS0 }
group web { nodes = {alpha, beta}  address %(floating)s/24 { device = front } }
"""


class Daemon:
    """havend in a guest."""

    def __init__(self, guest, config):
        self.guest = guest
        with open(os.path.join(guest.directory, "haven.conf"), "w", encoding="utf-8") as f:
            f.write(config)

    def start(self):
        self.guest.run("""
            mkdir -p /run/haven /var/lib/haven
            %s init -n %s --state-dir /var/lib/haven
            setsid %s -c %s/haven.conf -n %s -f --run-dir /run/haven --state-dir /var/lib/haven \
                >%s/havend.log 2>&1 </dev/null &""" % (haven_program(), self.guest.name, havend_program(),
                                                     self.guest.directory, self.guest.name, self.guest.directory))

    def status(self):
        done = self.guest.run("%s -s /run/haven/haven.sock status --json" % haven_program(), check=False)
        return json.loads(done.stdout) if done.returncode == 0 else None

    def log(self):
        return self.guest.text("havend.log")


def links(status, name):
    return {link["name"].split()[0]: link["state"] for node in status["nodes"] if node["name"] == name
            for link in node["links"]}


def owner(status):
    return status["groups"][0]["node"] if status["groups"][0]["state"] == "started" else None


def test_a_cut_network_moves_nothing_and_a_dead_machine_is_taken_over(lab, guest):
    alpha = guest("alpha")
    beta = guest("beta", serial_to=alpha)
    key = os.path.join(lab.directory, "key")
    run(haven_program(), "keygen", key)
    daemons = {}
    for each in (alpha, beta):
        each.boot()
    for each in (alpha, beta):
        each.wait()
        # in a file of its own: the guest sees no other directory change
        run("cp", "-p", key, each.directory)
        daemons[each.name] = Daemon(each, CONFIG % {
            "key": os.path.join(each.directory, "key"), "alpha": alpha.address["front"],
            "beta": beta.address["front"], "floating": lab.floating()})
        daemons[each.name].start()

    def seen(condition, what, by=("alpha", "beta"), timeout=40):
        last = {}

        def good():
            for name in by:
                last[name] = daemons[name].status()
                if last[name] is None or not condition(last[name]):
                    return False
            return True

        wait_for(good, timeout, lambda: "%s; last seen: %s\n%s" % (
            what, json.dumps(last, indent=1), daemons[by[0]].log()[-3000:]), 0.1)
        return last[by[0]]

    def both_up(status):
        other = "beta" if status["self"] == "alpha" else "alpha"
        return links(status, other) == {"front": "up", "serial": "up"}

    def serial_alone(status):
        other = "beta" if status["self"] == "alpha" else "alpha"
        return links(status, other) == {"front": "down", "serial": "up"}

    seen(lambda s: owner(s) == "alpha" and both_up(s), "alpha serves, both links are up")

    # the network between them goes: nothing happens
    epoch = daemons["alpha"].status()["groups"][0]["epoch"]
    cut = lab.cut_pair(alpha, beta, "front")
    seen(serial_alone, "the serial line alone is up")
    wait_for(lambda: now() > cut + 5, 10, "more than twice dead to pass")
    status = seen(lambda s: owner(s) == "alpha", "alpha serves still")
    assert status["groups"][0]["epoch"] == epoch
    assert all(n["state"] == "online" for n in status["nodes"])
    lab.heal()
    seen(both_up, "both links are up again")

    # the machine goes
    cut = alpha.kill()
    seen(lambda s: owner(s) == "beta", "beta serves", by=["beta"])
    assert now() - cut < 15
    run("ip", "netns", "exec", lab.room, "ping", "-c1", "-w10", lab.floating())
