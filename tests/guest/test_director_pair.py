"""Two machines that are director and real server at once: they share the load, and each takes over from the other."""
import json
import re

import pytest

from lab import wait_for
from lab.haven import Cluster, haven_program
from lab.tools import run
from test_director import PORT, SERVER, SLOW, Farm, Held, short

VIP, VIP6, OTHER = "10.77.0.111", "fd77:0::111", "10.77.0.120"
GROUPS = ["""group servers {
    nodes = {alpha, beta}
    everywhere = yes
    realserver %(vip)s { }
    realserver "%(vip6)s" { }
}
""", """group lb {
    nodes = {alpha, beta}
    failback = manual
    director front {
        sync-interface = back
        pool pair {
            forward = direct
            real %(alpha)s { }
            real %(beta)s { weight = 1 }
            check tcp { port = %(port)d  interval = 500ms  timeout = 500ms  fall = 4  rise = 1 }
        }
        pool pair6 {
            forward = direct
            real "[%(alpha6)s]" { }
            real "[%(beta6)s]" { }
        }
        # so that IPVS looks at packets on the standby too
        pool other { real 10.77.1.99:81 { } }
        virtual %(vip)s:%(port)d { pool = pair  scheduler = rr }
        virtual "[%(vip6)s]:%(port)d" { pool = pair6  scheduler = sh  scheduler-flags = port }
        virtual %(other)s:81 { pool = other  scheduler = rr }
    }
    address %(vip)s/24 { device = front }
    address "%(vip6)s/64" { device = front }
}
"""]

# so many connections one after the other: who has answered how many
ASKS = """
import collections, socket, sys
address, port, times, patience = sys.argv[1:]
answers = collections.Counter()
for _ in range(int(times)):
    try:
        s = socket.create_connection((address, int(port)), int(patience))
        s.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
        answers[s.makefile("rb").read().decode().split()[-1]] += 1
    except OSError as e:
        answers[str(e)] += 1
print(__import__("json").dumps(answers))
"""


class Pair(Farm):
    def __init__(self, lab, guest):  # pylint: disable=super-init-not-called
        self.lab = lab
        self.directors = {name: guest(name, modules=["ip_vs"]) for name in ("alpha", "beta")}
        for g in self.directors.values():
            g.boot()
        self.client = lab.add_client()
        words = {"vip": VIP, "vip6": VIP6, "other": OTHER, "port": PORT}
        for name, g in self.directors.items():
            words.update({name: g.address["front"], name + "6": g.address6["front"]})
        self.cluster = Cluster(lab, ["alpha", "beta"], timing=SLOW, arbiter="ping", groups=[g % words for g in GROUPS],
                               service=None, watch=False)
        run(haven_program(), "keygen", self.cluster.key_path)
        for node in self.cluster.nodes.values():
            node.init()
        for name in self.directors:
            self.start_both(name)

    def start_both(self, name):
        self.start_haven(name)
        self.directors[name].run("setsid python3 -c '%s' %s %d >/dev/null 2>&1 &" % (SERVER, name, PORT))

    def group(self, name):
        text = self.haven(name, "status --json", check=False)
        groups = json.loads(text)["groups"] if text.startswith("{") else []
        return next((g for g in groups if g["name"] == "lb"), {"state": "", "node": ""})

    def made(self, self_only=None):
        """The table, or that of a standby that is a server itself."""
        lines = ["-A -t %s:%d -s rr" % (VIP, PORT), "-A -t [%s]:%d -s sh -b sh-port" % (short(VIP6), PORT),
                 "-A -t %s:81 -s rr" % OTHER, "-a -t %s:81 -r 10.77.1.99:81 -m -w 1" % OTHER]
        for name, g in self.directors.items():
            if self_only in (None, name):
                six = short(g.address6["front"])
                lines += ["-a -t %s:%d -r %s:%d -g -w 1" % (VIP, PORT, g.address["front"], PORT),
                          "-a -t [%s]:%d -r [%s]:%d -g -w 1" % (short(VIP6), PORT, six, PORT)]
        return lines

    def wait_pair(self, active, standby=None):
        self.wait_owner(active, timeout=90)
        self.wait_table(active, self.made())
        if standby:
            self.wait_table(standby, self.made(standby))

    def share(self, address, times, patience=15):
        return json.loads(self.client.run("python3", "-c", ASKS, address, PORT, times, patience, timeout=300).stdout)

    def check_shared(self):
        """Each request is answered, and each machine does its part."""
        wait_for(lambda: set(self.share(VIP, 1, 3)) <= {"alpha", "beta"}, 60, "it serves")
        got = self.share(VIP, 8)
        assert got == {"alpha": 4, "beta": 4}, got

    def check_shared6(self):
        """By a hash of the client and its port."""
        wait_for(lambda: set(self.share(VIP6, 1, 3)) <= {"alpha", "beta"}, 60, "it serves")
        got = self.share(VIP6, 16)
        assert set(got) == {"alpha", "beta"} and sum(got.values()) == 16, got

    def server_of(self, director, held):
        lines = self.directors[director].run("ipvsadm -Lnc").stdout.splitlines()
        address = next(line.split()[5].rpartition(":")[0] for line in lines if ":%s " % held.port in line)
        return next(name for name, g in self.directors.items() if g.address["front"] == address)


@pytest.fixture
def pair(lab, guest):
    return Pair(lab, guest)


def test_two_directors_that_are_real_servers_share_the_load_and_take_over_from_each_other(pair):
    f = pair
    f.wait_pair("alpha", "beta")
    assert "has nobody but itself in the table" in f.haven("beta", "lvs")
    f.check_shared()
    # it moves: whoever serves them, connections go on
    held = [Held(f.client, VIP) for _ in range(4)]
    assert {f.server_of("alpha", h) for h in held} == {"alpha", "beta"}
    wait_for(lambda: all(":%s " % h.port in f.directors["beta"].run("ipvsadm -Lnc").stdout for h in held), 20, "beta is told")
    f.haven("alpha", "move lb beta")
    f.wait_pair("beta", "alpha")
    for h in held:
        h.ask()
    f.check_shared()
    f.check_shared6()
    # both cores die, of the active and of the standby director
    for g in f.directors.values():
        g.run("kill -9 $(pidof haven-core)")
    for name in f.directors:
        wait_for(lambda n=name: "director front" in f.haven(n, "lvs", check=False), 30, lambda n=name: f.log(n))
    f.wait_pair("beta", "alpha")
    # who is not to take over has nothing ready
    f.haven("beta", "standby alpha")
    f.wait_table("alpha", [])
    f.haven("beta", "online alpha")
    f.wait_table("alpha", f.made("alpha"))
    # a standby whose director becomes another one, and none
    text = f.cluster.text
    f.cluster.configure("alpha", text.replace("sync-interface = back", "sync-interface = back  sync-id = 3"))
    f.haven("alpha", "reload")
    wait_for(lambda: "backup sync daemon (mcast=back, syncid=3" in f.directors["alpha"].run("ipvsadm -l --daemon").stdout, 20,
             lambda: f.directors["alpha"].run("ipvsadm -l --daemon").stdout)
    f.wait_table("alpha", f.made("alpha"))
    f.cluster.configure("alpha", re.sub(r"    director front {.*?\n    }\n", "", text, flags=re.S))
    f.haven("alpha", "reload")
    f.wait_table("alpha", [])
    assert f.directors["alpha"].run("ipvsadm -l --daemon").stdout.strip() == ""
    f.cluster.configure("alpha")
    f.haven("alpha", "reload")
    f.wait_table("alpha", f.made("alpha"))
    # a power cut: what the survivor serves goes on
    held = [Held(f.client, VIP) for _ in range(4)]
    alphas = [h for h in held if f.server_of("beta", h) == "alpha"]
    assert alphas
    wait_for(lambda: all(":%s " % h.port in f.directors["alpha"].run("ipvsadm -Lnc").stdout for h in alphas), 20, "alpha is told")
    f.directors["beta"].kill()
    f.wait_owner("alpha", timeout=90)
    for h in alphas:
        h.ask()
    wait_for(lambda: f.share(VIP, 1, 3) == {"alpha": 1}, 60, "alpha serves alone")
    # what is stopped is stopped
    f.haven("alpha", "stop lb")
    f.wait_table("alpha", [])
