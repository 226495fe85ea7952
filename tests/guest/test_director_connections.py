"""Connections that outlive their director: downloads and a session go on over a power cut, a failback and a move, in each
mode. Two directors are guests; nginx and an echo serve directly and by NAT from a namespace, and a third guest serves through
tunnels of each kind."""
import hashlib
import os

import pytest

from lab import now, wait_for
from lab.haven import Cluster, haven_program
from lab.tools import run
from test_director import PORT, SLOW, Farm, Held

NAT, DIRECT, IPIP, GUE, GRE, INSIDE = "10.77.0.111", "10.77.0.112", "10.77.0.113", "10.77.0.114", "10.77.0.115", "10.77.1.111"
EVERY = (NAT, DIRECT, IPIP, GUE, GRE)
ECHO = PORT + 1
GUE_PORT = 6080
SIZE = 48 * 1024 * 1024
GROUP = """group lb {
    nodes = {alpha, beta}
    failback = "after 15s"
    director front {
        sync-interface = back
        sync-id = 9
        pool behind {
            real %(behind)s { }
            check tcp { port = %(port)d  interval = 500ms  timeout = 500ms  fall = 4  rise = 1 }
        }
        pool near {
            forward = direct
            real %(near)s { }
            check tcp { port = %(port)d  interval = 500ms  timeout = 500ms  fall = 4  rise = 1 }
        }
        %(far_pools)s
        virtual %(nat)s:%(port)d { pool = behind  scheduler = wrr }
        virtual %(direct)s:%(port)d { pool = near  scheduler = rr }
        virtual %(direct)s:%(echo)d { pool = near  scheduler = wlc }
    }
    %(addresses)s
    address %(inside)s/24 { device = back }
}
"""
FAR = """pool %(kind)s {
            forward = tunnel
            tunnel = %(kind)s
            real %(far)s { %(words)s }
            check tcp { port = %(port)d  interval = 500ms  timeout = 500ms  fall = 4  rise = 1 }
        }
        virtual %(vip)s:%(port)d { pool = %(kind)s  scheduler = rr }
"""
FARS = {"ipip": (IPIP, ""), "gue": (GUE, "tunnel-port = %d" % GUE_PORT), "gre": (GRE, "")}
NGINX = """daemon off; master_process off; error_log stderr crit; pid %(d)s/pid;
events { }
http { access_log off; client_body_temp_path %(d)s/b; proxy_temp_path %(d)s/p; fastcgi_temp_path %(d)s/f;
uwsgi_temp_path %(d)s/u; scgi_temp_path %(d)s/s; server { listen *:%(port)d; root %(root)s; } }
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
        self.far = guest("far", modules=["ipip", "fou", "ip_gre"])
        for g in [*self.directors.values(), self.far]:
            g.boot()
        self.near, self.client = lab.add_node("near"), lab.add_client()
        self.serve_near()
        self.cluster = Cluster(lab, ["alpha", "beta"], timing=SLOW, arbiter="ping", groups=[self.group_text()], service=None,
                               watch=False)
        run(haven_program(), "keygen", self.cluster.key_path)
        for node in self.cluster.nodes.values():
            node.init()
        for name in self.directors:
            self.start_haven(name)
        self.serve_far()

    def group_text(self):
        words = {"near": self.near.address["front"], "behind": self.near.address["back"], "far": self.far.address["front"],
                 "port": PORT, "echo": ECHO}
        return GROUP % {**words, "nat": NAT, "direct": DIRECT, "inside": INSIDE,
                        "far_pools": "        ".join(FAR % {**words, "kind": kind, "vip": vip, "words": more}
                                                     for kind, (vip, more) in FARS.items()),
                        "addresses": "\n    ".join("address %s/24 { device = front }" % vip for vip in EVERY)}

    def serve_near(self):
        """The answers to what was rewritten go back through the director."""
        d = os.path.join(self.near.directory, "web")
        os.mkdir(d)
        data = os.urandom(SIZE)
        self.digest = hashlib.sha256(data).hexdigest()
        with open(d + "/big", "wb") as f:
            f.write(data)
        with open(d + "/index.html", "w", encoding="ascii") as f:
            f.write("near\n")
        self.near.run("sh", "-c", "sysctl -qw net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2 && "
                      "ip addr add %s/32 dev lo && ip rule add from %s table 7 && ip route add 10.77.1.0/24 dev back "
                      "table 7 && ip route add default via %s table 7" % (DIRECT, self.near.address["back"], INSIDE))
        self.near.start("nginx", "nginx", "-p", d, "-c", self.nginx_conf(self.near))
        self.near.start("echoes", "python3", "-c", ECHOES, ECHO)

    def nginx_conf(self, machine):
        d = os.path.join(machine.directory, "web")
        with open(d + "/conf", "w", encoding="ascii") as f:
            f.write("user root;\n" + NGINX % {"d": d, "root": os.path.join(self.near.directory, "web"), "port": PORT})
        return d + "/conf"

    def serve_far(self):
        """What has been wrapped is unwrapped by tunl0 and gre0; the addresses are there, and nobody is told of them."""
        d = os.path.join(self.far.directory, "web")
        os.mkdir(d)
        self.far.wait()
        self.far.run("sysctl -qw net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2 net.ipv4.conf.all.rp_filter=0; "
                     "for i in tunl0 gre0; do sysctl -qw net.ipv4.conf.$i.rp_filter=0; ip link set $i up; done; "
                     "ip fou add port %d gue && for a in %s; do ip addr add $a/32 dev tunl0; done; "
                     "setsid nginx -p %s -c %s >%s/nginx.log 2>&1 &" % (
                         GUE_PORT, " ".join((IPIP, GUE, GRE)), d, self.nginx_conf(self.far), d))

    def made(self):
        near, behind, far = self.near.address["front"], self.near.address["back"], self.far.address["front"]
        tunnel = "-i -w 1 --tun-type "
        lines = []
        for vip, port, scheduler, real, how in (
                (NAT, PORT, "wrr", behind, "-m -w 1"), (DIRECT, PORT, "rr", near, "-g -w 1"),
                (DIRECT, ECHO, "wlc", near, "-g -w 1"), (IPIP, PORT, "rr", far, tunnel + "ipip"),
                (GUE, PORT, "rr", far, tunnel + "gue --tun-port %d --tun-nocsum" % GUE_PORT),
                (GRE, PORT, "rr", far, tunnel + "gre --tun-nocsum")):
            lines += ["-A -t %s:%d -s %s" % (vip, port, scheduler), "-a -t %s:%d -r %s:%d %s" % (vip, port, real, port, how)]
        return lines

    def wait_active(self, name):
        self.wait_owner(name, timeout=90)
        for each, g in self.directors.items():
            if g.powered:
                self.wait_table(each, self.made())
        for vip in EVERY:
            wait_for(lambda v=vip: self.asked(v, 1) == {"near"}, 60, lambda v=vip: "%s: %s\n%s" % (v, self.asked(v, 1), self.log(name)))

    def wait_told(self, name, ports):
        """The standby knows the connections, by the client's ports."""
        def known():
            lines = self.directors[name].run("ipvsadm -Lnc").stdout.splitlines()
            return {line.split()[3].rpartition(":")[2] for line in lines if "ESTABLISHED" in line}
        wait_for(lambda: ports <= known(), 40, lambda: "%s knows of %s: %s\n%s" % (name, ports, known(), self.log(name)))

    def ports(self):
        """The client's, of its connections to the virtual addresses."""
        out = self.client.run("ss", "-Htn", "state", "established").stdout
        return {line.split()[2].rpartition(":")[2] for line in out.splitlines() if any(vip in line for vip in EVERY)}

    def held(self):
        """Young connections: no more than their handshakes have passed."""
        return [Held(self.client, vip) for vip in EVERY]


class Lasts:
    """A download in each mode, and a session."""

    def __init__(self, f):
        self.f = f
        self.go, self.seen = os.path.join(f.client.directory, "all"), os.path.join(f.client.directory, "seen")
        self.downloads = {vip: f.client.start("download-" + vip, "python3", "-c", DOWNLOAD, vip, PORT, self.go, pipe=True)
                          for vip in EVERY}
        for download in self.downloads.values():
            line = download.stdout.readline().strip()
            assert line == "begun", download.output()
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
        assert self.session.alive(), what
        for vip, download in self.downloads.items():
            assert download.alive(), "%s: the download from %s: %s" % (what, vip, download.output())
        print("%s: the session went on within %.1f s" % (what, now() - since))

    def end(self):
        with open(self.go, "w", encoding="ascii"):
            pass
        for vip, download in self.downloads.items():
            line = download.stdout.readline().strip()
            assert line == "ended %d %s True" % (SIZE, self.f.digest), vip + ": " + line + download.output()


@pytest.fixture
def lasting(lab, guest):
    return Lasting(lab, guest)


def test_downloads_and_a_session_go_on_over_power_cut_failback_and_move_in_every_mode(lasting):
    f = lasting
    f.wait_active("alpha")
    lasts = Lasts(f)
    young = f.held()
    f.wait_told("beta", f.ports())
    f.directors["alpha"].kill()
    f.wait_active("beta")
    lasts.goes_on("the power cut")
    for each in young:
        each.ask()
    f.directors["alpha"].boot()
    f.start_haven("alpha")
    # who was away hears of what is in use; and of what begins
    wait_for(lambda: "ready to take over" in f.haven("alpha", "lvs", check=False), 60, lambda: f.log("alpha"))
    young = f.held()
    f.wait_told("alpha", f.ports())
    assert f.group("beta")["node"] == "beta", "the failback comes later"
    wait_for(lambda: f.group("beta")["node"] == "alpha", 120, lambda: "alpha has it back: %s" % f.group("beta"))
    f.wait_active("alpha")
    lasts.goes_on("the failback")
    for each in young:
        each.ask()
    young = f.held()
    f.wait_told("beta", f.ports())
    f.haven("alpha", "move lb beta")
    f.wait_active("beta")
    lasts.goes_on("the move")
    for each in young:
        each.ask()
    lasts.end()
    # nothing of ours stays behind
    f.directors["alpha"].run("kill $(pidof havend)")
    f.wait_table("alpha", [])
    wait_for(lambda: f.directors["alpha"].run("ipvsadm -l --daemon").stdout.strip() == "", 20, "nobody listens any more")
