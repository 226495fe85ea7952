"""Connections that outlive their director: a download and a session go on over a power cut, a failback and a move. Two directors
are guests, nginx and an echo serve directly from a namespace, and a third guest serves through a tunnel."""
import hashlib
import os

import pytest

from lab import now, wait_for
from lab.haven import Cluster, haven_program
from lab.tools import run
from test_director import PORT, SERVER, SLOW, Farm, Held

DIRECT, TUNNEL = "10.77.0.112", "10.77.0.113"
ECHO = PORT + 1
SIZE = 48 * 1024 * 1024
GROUP = """group lb {
    nodes = {alpha, beta}
    failback = "after 15s"
    director front {
        sync-interface = back
        sync-id = 9
        pool near {
            forward = direct
            real %(near)s { }
            check tcp { port = %(port)d  interval = 500ms  timeout = 500ms  fall = 4  rise = 1 }
        }
        pool far {
            forward = tunnel
            real %(far)s { }
            check tcp { port = %(port)d  interval = 500ms  timeout = 500ms  fall = 4  rise = 1 }
        }
        virtual %(direct)s:%(port)d { pool = near  scheduler = rr }
        virtual %(direct)s:%(echo)d { pool = near  scheduler = wlc }
        virtual %(tunnel)s:%(port)d { pool = far  scheduler = rr }
    }
    address %(direct)s/24 { device = front }
    address %(tunnel)s/24 { device = front }
}
"""
NGINX = """daemon off; master_process off; error_log stderr crit; pid %(d)s/pid;
events { }
http { access_log off; client_body_temp_path %(d)s/b; proxy_temp_path %(d)s/p; fastcgi_temp_path %(d)s/f;
uwsgi_temp_path %(d)s/u; scgi_temp_path %(d)s/s; server { listen *:%(port)d; root %(d)s; } }
"""

# reads 64 KiB in a fifth of a second, and all when the file appears
DOWNLOAD = """
import hashlib, os, socket, sys, time
address, port, go = sys.argv[1:]
s = socket.create_connection((address, int(port)), 20)
s.settimeout(90)
s.sendall(b"GET /big HTTP/1.0\\r\\n\\r\\n")
f = s.makefile("rb")
while f.readline().strip():
    pass
digest, n = hashlib.sha256(), 0
print("begun", flush=True)
while True:
    some = f.read(65536)
    if not some:
        break
    digest.update(some)
    n += len(some)
    if not os.path.exists(go):
        time.sleep(0.2)
print("ended %d %s %s" % (n, digest.hexdigest(), os.path.exists(go)), flush=True)
"""

# a word to and fro; how many of them stands in the file
SESSION = """
import os, socket, sys, time
address, port, seen = sys.argv[1:]
s = socket.create_connection((address, int(port)), 20)
s.settimeout(90)
f = s.makefile("rb")
n = 0
while True:
    n += 1
    s.sendall(b"word %d\\n" % n)
    assert f.readline() == b"word %d\\n" % n
    with open(seen + ".new", "w") as out:
        out.write(str(n))
    os.rename(seen + ".new", seen)
    time.sleep(0.2)
"""
ECHOES = """
import socketserver, sys
class Echo(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            self.wfile.write(line)
class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address, daemon_threads = True, True
Server(("", int(sys.argv[1])), Echo).serve_forever()
"""


class Lasting(Farm):
    def __init__(self, lab, guest):  # pylint: disable=super-init-not-called
        self.lab = lab
        self.directors = {name: guest(name, modules=["ip_vs"]) for name in ("alpha", "beta")}
        self.far = guest("far", modules=["ipip"])
        for g in [*self.directors.values(), self.far]:
            g.boot()
        self.near, self.client = lab.add_node("near"), lab.add_client()
        self.serve_near()
        text = GROUP % {"near": self.near.address["front"], "far": self.far.address["front"], "direct": DIRECT,
                        "tunnel": TUNNEL, "port": PORT, "echo": ECHO}
        self.cluster = Cluster(lab, ["alpha", "beta"], timing=SLOW, arbiter="ping", groups=[text], service=None, watch=False)
        run(haven_program(), "keygen", self.cluster.key_path)
        for node in self.cluster.nodes.values():
            node.init()
        for name in self.directors:
            self.start_haven(name)
        self.serve_far()

    def serve_near(self):
        d = os.path.join(self.near.directory, "web")
        os.mkdir(d)
        data = os.urandom(SIZE)
        self.digest = hashlib.sha256(data).hexdigest()
        with open(d + "/big", "wb") as f:
            f.write(data)
        with open(d + "/index.html", "w", encoding="ascii") as f:
            f.write("near\n")
        with open(d + "/conf", "w", encoding="ascii") as f:
            f.write("user root;\n" + NGINX % {"d": d, "port": PORT})
        self.near.run("sh", "-c", "sysctl -qw net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2 && "
                      "ip addr add %s/32 dev lo" % DIRECT)
        self.near.start("nginx", "nginx", "-p", d, "-c", d + "/conf")
        self.near.start("echoes", "python3", "-c", ECHOES, ECHO)

    def serve_far(self):
        """What has been wrapped is unwrapped by tunl0; the address is there, and nobody is told of it."""
        self.far.wait()
        self.far.run("sysctl -qw net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2 net.ipv4.conf.all.rp_filter=0 "
                     "net.ipv4.conf.tunl0.rp_filter=0; ip link set tunl0 up; ip addr add %s/32 dev tunl0; "
                     "setsid python3 -c '%s' far %d >/dev/null 2>&1 &" % (TUNNEL, SERVER, PORT))

    def made(self):
        near, far = self.near.address["front"], self.far.address["front"]
        lines = []
        for vip, port, scheduler, real, how in ((DIRECT, PORT, "rr", near, "-g -w 1"), (DIRECT, ECHO, "wlc", near, "-g -w 1"),
                                                (TUNNEL, PORT, "rr", far, "-i -w 1 --tun-type ipip")):
            lines += ["-A -t %s:%d -s %s" % (vip, port, scheduler), "-a -t %s:%d -r %s:%d %s" % (vip, port, real, port, how)]
        return lines

    def wait_active(self, name):
        self.wait_owner(name, timeout=90)
        self.wait_table(name, self.made())
        for other, g in self.directors.items():
            if other != name and g.powered:
                self.wait_table(other, [])
        for vip, page in ((DIRECT, "near"), (TUNNEL, "far")):
            wait_for(lambda v=vip, p=page: self.asked(v, 1) == {p}, 60, lambda v=vip: "%s: %s\n%s" % (v, self.asked(v, 1), self.log(name)))

    def wait_told(self, name, ports):
        """The standby knows the connections, by the client's ports."""
        def known():
            lines = self.directors[name].run("ipvsadm -Lnc").stdout.splitlines()
            return {line.split()[3].rpartition(":")[2] for line in lines if "ESTABLISHED" in line}
        wait_for(lambda: ports <= known(), 40, lambda: "%s knows of %s: %s\n%s" % (name, ports, known(), self.log(name)))

    def ports(self):
        """The client's, of its connections to the virtual addresses."""
        out = self.client.run("ss", "-Htn", "state", "established").stdout
        return {line.split()[2].rpartition(":")[2] for line in out.splitlines() if DIRECT in line or TUNNEL in line}


class Lasts:
    """The download and the session."""

    def __init__(self, f):
        self.f = f
        self.go, self.seen = os.path.join(f.client.directory, "all"), os.path.join(f.client.directory, "seen")
        self.download = f.client.start("download", "python3", "-c", DOWNLOAD, DIRECT, PORT, self.go, pipe=True)
        line = self.download.stdout.readline().strip()
        assert line == "begun", self.download.output()
        self.session = f.client.start("session", "python3", "-c", SESSION, DIRECT, ECHO, self.seen)
        wait_for(lambda: self.words() > 0, 20, "the session has begun")

    def words(self):
        if not os.path.exists(self.seen):
            return 0
        with open(self.seen, encoding="ascii") as f:
            return int(f.read())

    def goes_on(self, what):
        before, since = self.words(), now()
        wait_for(lambda: self.words() >= before + 3, 60, lambda: "the session goes on after %s: %s" % (what, self.session.output()))
        assert self.session.alive() and self.download.alive(), what
        print("%s: the session went on within %.1f s" % (what, now() - since))

    def end(self):
        with open(self.go, "w", encoding="ascii"):
            pass
        line = self.download.stdout.readline().strip()
        assert line == "ended %d %s True" % (SIZE, self.f.digest), line + self.download.output()


@pytest.fixture
def lasting(lab, guest):
    return Lasting(lab, guest)


def test_a_download_and_a_session_go_on_over_power_cut_failback_and_move(lasting):
    f = lasting
    f.wait_active("alpha")
    lasts = Lasts(f)
    young = Held(f.client, DIRECT)
    f.wait_told("beta", f.ports())
    f.directors["alpha"].kill()
    f.wait_active("beta")
    lasts.goes_on("the power cut")
    young.ask()
    f.directors["alpha"].boot()
    f.start_haven("alpha")
    wait_for(lambda: f.group("beta")["node"] == "alpha", 120, lambda: "alpha has it back: %s" % f.group("beta"))
    f.wait_active("alpha")
    lasts.goes_on("the failback")
    os.unlink(young.go)
    young = Held(f.client, DIRECT)
    f.wait_told("beta", f.ports())
    f.haven("alpha", "move lb beta")
    f.wait_active("beta")
    lasts.goes_on("the move")
    young.ask()
    lasts.end()
