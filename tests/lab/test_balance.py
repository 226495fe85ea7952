"""Directors that have nftables do the work, in namespaces: clients, two directors, real servers with nginx."""
import json
import os
import signal
import subprocess

import pytest

from lab import wait_for
from lab.haven import haven_program
from lab.tools import build

VIP, GATEWAY, PORT = "10.77.0.112", "10.77.1.9", 80
VIP6, GATEWAY6 = "fd77:0::112", "fd77:1::9"
NGINX = """user root; daemon off; pid %(dir)s/nginx.pid; error_log stderr; events { }
http {
    access_log off;
    client_body_temp_path %(dir)s/b; proxy_temp_path %(dir)s/p; fastcgi_temp_path %(dir)s/f;
    uwsgi_temp_path %(dir)s/u; scgi_temp_path %(dir)s/s;
    server {
        listen 80; listen [::]:80;
        root %(dir)s;
        location = / { return 200 "%(name)s\\n"; }
        location = /who { return 200 "$remote_addr\\n"; }
        location = /slow { limit_rate 20k; }
    }
}
"""
SLOW = 4000000  # bytes of /slow: minutes
# who answers, each word by itself, from a port of its own
UDP_SERVER = """
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("", 53))
while True:
    s.sendto(sys.argv[1].encode(), s.recvfrom(99)[1])
"""
UDP_ASKS = """
import socket, sys
for _ in range(int(sys.argv[2])):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(3)
    try:
        s.sendto(b"who", (sys.argv[1], 53))
        print(s.recv(99).decode())
    except OSError:
        print("none")
"""
# has the first word, once the file appears, and gives back what is said to it
TELLER = """
import os, socketserver, sys, time
class Tell(socketserver.StreamRequestHandler):
    def handle(self):
        while not os.path.exists(sys.argv[1]):
            time.sleep(0.05)
        self.wfile.write(b"told\\n")
        self.wfile.write(self.rfile.readline())
class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address, daemon_threads = True, True
Server(("", 81), Tell).serve_forever()
"""
LISTENER = """
import socket, sys
f = socket.create_connection((sys.argv[1], 81), 20).makefile("rwb")
print("connected", flush=True)
print(f.readline().decode(), end="", flush=True)
f.write(b"thanks\\n")
f.flush()
print(f.readline().decode(), end="", flush=True)
"""
# more services of the same servers, and the addresses that go with them
MORE = """
pool farm6 { real "[fd77:1::201]:80" { }  real "[fd77:1::202]:80" { } }
virtual "[%s]:80" { pool = farm6 }
pool words { real 10.77.1.201:53 { }  real 10.77.1.202:53 { } }
virtual %s:53 { protocol = udp  pool = words }
pool tellers { real 10.77.1.201:81 { }  real 10.77.1.202:81 { } }
virtual %s:81 { pool = tellers  scheduler = wrr }
""" % (VIP6, VIP, VIP)
MORE_ADDRESSES = """address "%s/64" { device = front }
address "%s/64" { device = back }
""" % (VIP6, GATEWAY6)


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def director(words="backend = nft", virtual="scheduler = wrr", agent="", more=False):
    return """director front {
%s
pool farm {
    real 10.77.1.201:80 {  }
    real 10.77.1.202:80 { }
    check http { url = "http://%%h:%%p/"  interval = 400ms  timeout = 400ms  fall = 2  rise = 1 }
    %s
}
virtual %s:80 { pool = farm  fallback = 127.0.0.1:8080  %s }
%s}
address %s/24 { device = back }
%s""" % (words, agent, VIP, virtual, MORE if more else "", GATEWAY, MORE_ADDRESSES if more else "")


class Farm:
    def __init__(self, lab, cluster, **named):
        self.lab = lab
        self.client = lab.add_client()
        self.servers = {name: lab.add_client(name, networks=("back",)) for name in ("one", "two")}
        self.pages = {}
        self.named = named
        self.cluster = cluster(arbiter="none", groups=[self.group()])
        for server in self.servers.values():
            server.run("ip", "route", "replace", "default", "via", GATEWAY)
            server.run("ip", "-6", "route", "replace", "default", "via", GATEWAY6)
        for machine in self.cluster.machines():
            machine.run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
        for name in self.servers:
            self.serve(name)
        self.cluster.start()

    def group(self):
        return "group lb {\n    nodes = {alpha, beta}\n    failback = manual\n%s    address %s/24 { device = front }\n}\n" % (
            director(**self.named), VIP)

    def serve(self, name, machine=None, port=80):
        machine = machine or self.servers[name]
        directory = os.path.join(machine.directory, "nginx")
        os.makedirs(directory, exist_ok=True)
        with open(os.path.join(directory, "slow"), "w", encoding="ascii") as f:
            f.write("x" * SLOW)
        text = NGINX % {"dir": directory, "name": name}
        with open(os.path.join(directory, "nginx.conf"), "w", encoding="ascii") as f:
            f.write(text.replace("listen 80; listen [::]:80;", "listen %d; listen [::]:%d;" % (port, port)))
        os.chmod(directory, 0o755)
        self.pages[name] = machine.start("nginx-" + name, "nginx", "-c", os.path.join(directory, "nginx.conf"), "-e", "stderr")
        wait_for(lambda: machine.run("curl", "-s", "http://127.0.0.1:%d/" % port, check=False).stdout == name + "\n", 20, name)

    def says(self, name, load):
        with open(os.path.join(self.servers[name].directory, "nginx", "load"), "w", encoding="ascii") as f:
            f.write(load + "\n")

    def nginxes(self, name):
        return [pid for pid, p in self.servers[name].processes().items() if "nginx" in p[1]]

    def end(self, name):
        self.pages[name].stop()

    def get(self, path="/", check=False, more=()):
        done = self.client.run("curl", "-s", "-m", "3", *more, "http://%s%s" % (VIP, path), check=check)
        return done.stdout.strip() if done.returncode == 0 else "none"

    def share(self, times=8):
        answers = [self.get() for _ in range(times)]
        return {name: answers.count(name) for name in set(answers)}

    def wait_share(self, share, times=8, timeout=30):
        wait_for(lambda: self.share(times) == share, timeout,
                 lambda: "%s; now %s\n%s" % (share, self.share(times), self.cluster["alpha"].haven("lvs", check=False).stdout))

    def check_more(self):
        """By IPv6, and by UDP."""
        def six():
            return [self.client.run("curl", "-gs", "-m", "3", "http://[%s]/" % VIP6, check=False).stdout.strip() for _ in range(4)]

        def words():
            return self.client.run("python3", "-c", UDP_ASKS, VIP, 4).stdout.split()

        for ask in (six, words):
            wait_for(lambda a=ask: sorted(a()) == ["one", "one", "two", "two"], 30, lambda a=ask: "both serve in turn: %s" % a())

    def goes_on(self, download, after):
        had = len(download.output())
        wait_for(lambda: len(download.output()) > had + 20000, 60, "the download goes on after " + after)

    def lvs(self, node="alpha"):
        return json.loads(self.cluster[node].haven("lvs", "--json").stdout)["directors"][0]

    def server(self, name, node="alpha"):
        servers = next(s for s in self.lvs(node)["services"] if s["service"] == "tcp %s:80" % VIP)["servers"]
        return servers[0 if name == "one" else 1]

    def wait_state(self, name, state, node="alpha"):
        wait_for(lambda: self.server(name, node)["state"] == state, 30, lambda: "%s: %s" % (name, self.server(name, node)))


@pytest.fixture
def farm(lab, cluster):
    if not os.path.exists(os.path.join(build(), "src", "main", "haven-nft")):
        pytest.skip("haven is built without libnftables")
    return lambda **named: Farm(lab, cluster, **named)


def test_nftables_spreads_connections_over_who_works(farm):
    f = farm(more=True)
    c = f.cluster
    tell = os.path.join(f.lab.directory, "tell")
    for name, server in f.servers.items():
        server.start("words", "python3", "-c", UDP_SERVER, name)
        server.start("teller", "python3", "-c", TELLER, tell)
    c.wait_group("lb", "alpha")
    f.wait_share({"one": 4, "two": 4})
    f.check_more()
    # clients are who they are
    assert f.get("/who") == f.client.address["front"]
    lvs = f.lvs()
    assert (lvs["backend"], lvs["state"], lvs["trouble"]) == ("nft", "active", ""), lvs
    assert "active by nftables" in c["alpha"].haven("lvs").stdout
    wait_for(lambda: f.server("one")["traffic"]["connections"] >= 4, 20, "connections are counted")

    # a weight, by a reload: nothing else changes
    counted = f.server("two")["traffic"]["connections"]
    c.reconfigure(c.text.replace("real 10.77.1.201:80 {  }", "real 10.77.1.201:80 { weight = 3 }"))
    c.haven("reload", node="alpha")
    c.haven("reload", node="beta")
    f.wait_share({"one": 6, "two": 2})
    assert f.server("two")["traffic"]["connections"] >= counted, "it was set up anew"

    # drained, it keeps what it has
    download = f.client.start("download", "curl", "-s", "-m", "60", "http://%s/slow" % VIP)
    wait_for(lambda: f.server("one")["active"] + f.server("two")["active"] == 1, 20, "it is counted")
    busy, other = ("one", "two") if f.server("one")["active"] else ("two", "one")
    c.haven("drain", "10.77.1.20%d" % (1 if busy == "one" else 2), node="alpha")
    f.wait_state(busy, "drained")
    f.wait_share({other: 8})
    assert f.server(busy)["active"] == 1 and f.server(busy)["weight"] == 0
    download.stop()
    c.haven("undrain", "10.77.1.20%d" % (1 if busy == "one" else 2), node="alpha")
    f.wait_share({"one": 6, "two": 2})

    # one stands still, and goes on
    f.servers["one"].kill(f.nginxes("one"), signal.SIGSTOP)
    f.wait_state("one", "down")
    f.wait_share({"two": 4}, 4)
    f.servers["one"].kill(f.nginxes("one"), signal.SIGCONT)
    f.wait_share({"one": 6, "two": 2})
    wait_for(lambda: f.server("one").get("weight") == 3, 20, "the table is known, too")

    # one dies, both die, one is back
    seen = os.path.join(f.lab.directory, "watched")
    with open(seen, "w", encoding="utf-8") as log:
        watching = subprocess.Popen([haven_program(), "-s", c["alpha"].socket, "watch"], stdout=log)
    f.lab.stopping.append(watching.kill)
    wait_for(lambda: "server 10.77.1.201:80: up, weight 3" in read(seen), 20, lambda: "it is watched: " + read(seen))
    f.end("one")
    f.wait_state("one", "down")
    f.wait_share({"two": 8})
    wait_for(lambda: any("server 10.77.1.201:80: " in line and line.endswith("-> down, not in the table")
                         for line in read(seen).splitlines()), 20, lambda: read(seen))
    watching.kill()
    watching.wait()
    f.end("two")
    f.wait_share({"none": 1}, 1)
    for name in ("alpha", "beta"):
        f.serve("sorry", c.machine(name), 8080)
    f.wait_share({"sorry": 2}, 2)
    f.serve("one")
    f.wait_share({"one": 4}, 4)
    f.serve("two")
    f.wait_share({"one": 6, "two": 2})

    # somebody changes the table: it is restored; another's stays
    alpha = c.machine("alpha")
    alpha.run("nft", "add table inet other; flush map inet haven.lb.front services4")
    wait_for(lambda: "was not as it was left" in c["alpha"].log(), 60, "it is noticed")
    f.wait_share({"one": 6, "two": 2})
    # the next core goes on with what is there
    before = f.server("two")["traffic"]["connections"]
    c["alpha"].kill("core")
    c.wait_well()
    f.wait_share({"one": 6, "two": 2})
    # a busy machine may bring it back only when its lease is over: then all was released, and began anew
    if "released by the supervisor" not in c["alpha"].log():
        assert f.server("two")["traffic"]["connections"] >= before, "it was set up anew"
    # it moves, and nothing of it is left; nobody is told of connections, but a server's next packet tells of its own
    listeners = [f.client.start("listener%d" % i, "python3", "-c", LISTENER, VIP, pipe=True) for i in range(3)]
    assert {l.stdout.readline() for l in listeners} == {"connected\n"}
    c.haven("move", "lb", "beta", node="alpha")
    c.wait_group("lb", "beta")
    f.wait_share({"one": 6, "two": 2})
    with open(tell, "w", encoding="ascii"):
        pass
    for l in listeners:
        assert [l.stdout.readline(), l.stdout.readline()] == ["told\n", "thanks\n"], l.output()
    f.check_more()
    assert alpha.run("nft", "list tables").stdout.split() == ["table", "inet", "other"]


def test_with_a_hash_downloads_go_on_through_a_move_and_a_power_cut(farm):
    f = farm(virtual="scheduler = mh")
    c = f.cluster
    c.wait_group("lb", "alpha")
    wait_for(lambda: len(f.share(1)) == 1 and f.share(1) != {"none": 1}, 20, "it serves")
    assert len(f.share()) == 1, "a client has its server"
    server = f.get()
    download = f.client.start("download", "curl", "-sN", "-m", "600", "http://%s/slow" % VIP)
    wait_for(lambda: f.server(server)["active"] == 1, 20, "it runs")

    c.haven("move", "lb", "beta", node="alpha")
    c.wait_group("lb", "beta")
    f.goes_on(download, "a move")
    assert f.get() == server, "who takes over finds the same server"
    c.power_cut("beta")
    c.wait_group("lb", "alpha", names=["alpha"])
    f.goes_on(download, "a power cut")
    assert f.get() == server
    assert set(download.output()) == {"x"}
    download.stop()


def test_a_client_stays_with_its_server_and_servers_see_the_director(farm):
    backend = "nft" if os.path.exists("/proc/net/ip_vs") else "auto"
    f = farm(words="backend = %s  masquerade = yes" % backend, virtual="persistence = 10s")
    f.cluster.wait_group("lb", "alpha")
    wait_for(lambda: "none" not in f.share(2), 20, "it serves")
    assert len(f.share()) == 1
    assert f.get("/who") in (GATEWAY, f.cluster.machine("alpha").address["back"])
    server = f.get()
    other = "two" if server == "one" else "one"
    f.end(server)
    f.wait_state(server, "down")
    f.wait_share({other: 4}, 4)
    f.serve(server)
    f.wait_state(server, "up")
    assert f.share() == {other: 8}


def test_a_server_says_itself_how_much_it_takes(farm):
    f = farm(agent='check command { command = "/usr/bin/curl -s -m 2 http://%h/load"  weight = yes  interval = 200ms'
                   '  timeout = 5s }')
    c = f.cluster
    c.wait_group("lb", "alpha")
    c.reconfigure(c.text.replace("real 10.77.1.201:80 {  }", "real 10.77.1.201:80 { weight = 4 }"))
    c.haven("reload", node="alpha")
    f.says("one", "75% of what I am")
    wait_for(lambda: f.server("one")["weight"] == 3, 30, "it takes less")
    f.wait_share({"one": 6, "two": 2})
    f.says("one", "0%")
    f.wait_share({"two": 8})
    assert f.server("one")["state"] == "up"
    f.says("one", "ready")
    wait_for(lambda: f.server("one")["weight"] == 4, 30, "it takes all again")
