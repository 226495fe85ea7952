"""Load balancing in kernels that have IPVS: two directors with kernels of their own, two real servers, one client."""
import json
import os
import signal

import pytest

from lab import now, wait_for
from lab.haven import Cluster, haven_program, havend_program
from lab.tools import run

SLOW = {"heartbeat": "300ms", "dead": "2s"}  # a guest is slow now and then
PORT = 8080
MARKED = 8085  # the port that the firewall marks with 7
SORRY = 8089
NAT, DIRECT, DIRECT6, INSIDE = "10.77.0.111", "10.77.0.112", "fd77:0::112", "10.77.1.111"
# name, words of the configuration, what ipvsadm makes of them
SCHEDULERS = [(name, "", "") for name in ("wlc", "wrr", "lc", "rr", "sed", "nq", "dh", "fo", "ovf", "lblc", "lblcr")] + [
    ("sh", "scheduler-flags = {fallback, port}", " -b sh-fallback,sh-port"), ("mh", "scheduler-flags = port", " -b mh-port"),
    ("wlc", "persistence = 90s  persistence-mask = 24", " -p 90 -M 255.255.255.0")]
GROUP = """group lb {
    nodes = {alpha, beta}
    director front {
        sync-interface = back
        sync-id = 7
        pool farm {
            real %(one_back)s:%(port)d { }
            real %(two_back)s:%(port)d { weight = 3 }
            check http { url = "http://%%h:%%p/"  interval = 500ms  timeout = 500ms  fall = 2  rise = 1 }
        }
        pool near {
            forward = direct
            real %(one_front)s { }
            real %(two_front)s { }
            check http { url = "http://%%h:%(port)d/"  interval = 500ms  timeout = 500ms  fall = 2  rise = 1 }
        }
        pool near6 {
            forward = direct
            real "[%(one_front6)s]" { }
            real "[%(two_front6)s]" { }
            check http { url = "http://%%h:%(port)d/"  interval = 500ms  timeout = 500ms  fall = 2  rise = 1 }
        }
        virtual %(nat)s:%(port)d { pool = farm  scheduler = wrr  fallback = %(one_back)s:%(sorry)d }
        virtual %(direct)s:%(port)d { pool = near  scheduler = rr  failed = quiesce }
        virtual %(direct)s:53 { protocol = udp  pool = near  scheduler = rr  one-packet = yes  failed = quiesce }
        virtual mark:7 { pool = near  scheduler = rr  failed = quiesce }
        virtual "[%(direct6)s]:%(port)d" { pool = near6  scheduler = mh  scheduler-flags = {fallback, port}  failed = quiesce }
    }
    address %(nat)s/24 { device = front }
    address %(direct)s/24 { device = front }
    address "%(direct6)s/64" { device = front }
    address %(inside)s/24 { device = back }
}
"""


# a page with its name; it is patient with who has connected. Where the file is, nothing works
SERVER = """
import os, socket, socketserver, sys
class Page(socketserver.StreamRequestHandler):
    def handle(self):
        while self.rfile.readline().strip():
            pass
        wrong = len(sys.argv) > 3 and os.path.exists(sys.argv[3])
        self.wfile.write((b"HTTP/1.0 503 No\\r\\n\\r\\n" if wrong else b"HTTP/1.0 200 OK\\r\\n\\r\\n") + sys.argv[1].encode())
class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address, daemon_threads, request_queue_size, address_family = True, True, 64, socket.AF_INET6
Server(("::", int(sys.argv[2])), Page).serve_forever()
"""

# its name for each word, from the address that it was sent to
UDP_SERVER = """
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind((sys.argv[2], 53))
while True:
    s.sendto(sys.argv[1].encode(), s.recvfrom(99)[1])
"""

# who answers, each word by itself
UDP_ASKS = """
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(2)
for _ in range(int(sys.argv[2])):
    try:
        s.sendto(b"who", (sys.argv[1], 53))
        print(s.recv(99).decode())
    except OSError as e:
        print(e)
"""

# connects, and asks when the file appears
HELD = """
import os, socket, sys, time
address, port, go = sys.argv[1:]
s = socket.create_connection((address, int(port)), 20)
s.settimeout(60)
print("connected %d" % s.getsockname()[1], flush=True)
while not os.path.exists(go):
    time.sleep(0.05)
s.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
print("answered" if s.recv(4096) else "closed", flush=True)
"""


def program(name):
    return os.path.join(os.environ["HAVEN_BUILD"], name)


class Farm:
    """alpha and beta are guests, one and two are real servers in namespaces."""

    def __init__(self, lab, guest):
        self.lab = lab
        self.directors = {name: guest(name, modules=["ip_vs"]) for name in ("alpha", "beta")}
        for g in self.directors.values():
            g.boot()
        self.servers = {name: lab.add_node(name) for name in ("one", "two")}
        self.client = lab.add_client()
        self.pages = {}
        for name, m in self.servers.items():
            # the answers to what was rewritten go back through the director; the address of what was sent on as it is
            # is here, and nobody is told of it (arp_ignore, arp_announce)
            m.run("sh", "-c", "sysctl -qw net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2 && "
                  "ip addr add %s/32 dev lo && ip rule add from %s table 7 && ip route add 10.77.1.0/24 dev back "
                  "table 7 && ip route add default via %s table 7 && ip addr add %s/128 dev lo nodad preferred_lft 0" % (
                      DIRECT, m.address["back"], INSIDE, DIRECT6))
            self.start(name)
            m.start("marked", "python3", "-c", SERVER, name, MARKED)
            m.start("udp", "python3", "-c", UDP_SERVER, name, DIRECT)
        self.servers["one"].start("sorry", "python3", "-c", SERVER, "sorry", SORRY)
        text = GROUP % {"nat": NAT, "direct": DIRECT, "direct6": DIRECT6, "inside": INSIDE, "port": PORT, "sorry": SORRY,
                        **{n + "_" + net: m.address[net] for n, m in self.servers.items() for net in ("front", "back")},
                        **{n + "_front6": m.address6["front"] for n, m in self.servers.items()}}
        self.cluster = Cluster(lab, ["alpha", "beta"], timing=SLOW, arbiter="ping", groups=[text], service=None, watch=False)
        run(haven_program(), "keygen", self.cluster.key_path)
        for node in self.cluster.nodes.values():
            node.init()
        for name in self.directors:
            self.start_haven(name)
            self.directors[name].run("tc qdisc add dev front clsact 2>/dev/null; tc filter add dev front ingress pref 9 protocol ip "
                                     "flower ip_proto tcp dst_ip %s dst_port %d action skbedit mark 7" % (DIRECT, MARKED))

    def start(self, server):
        self.pages[server] = self.servers[server].start("page", "python3", "-c", SERVER, server, PORT, self.wrong(server))

    def wrong(self, server):
        return os.path.join(self.servers[server].directory, "wrong")

    def answer_wrongly(self, server, wrong):
        if wrong:
            with open(self.wrong(server), "w", encoding="ascii"):
                pass
        else:
            os.unlink(self.wrong(server))

    def start_haven(self, name):
        g = self.directors[name]
        g.wait()
        g.run("sysctl -qw net.ipv4.ip_forward=1; mkdir -p /tmp/run; setsid %s -c %s -n %s -f --run-dir /tmp/run --state-dir %s "
              ">%s/havend.log 2>&1 &" % (havend_program(), self.cluster.config_path(name), name,
                                         self.cluster[name].state_dir, g.directory))

    def haven(self, name, words, check=True):
        return self.directors[name].run("%s -s /tmp/run/haven.sock %s" % (haven_program(), words), check=check).stdout

    def group(self, name):
        text = self.haven(name, "status --json", check=False)
        return json.loads(text)["groups"][0] if text.startswith("{") else {"state": "", "node": ""}

    def wait_owner(self, name, asked=None, timeout=60):
        wait_for(lambda: (lambda g: g["state"] == "started" and g["node"] == name)(self.group(asked or name)), timeout,
                 lambda: "the group runs on %s: %s\n%s" % (name, self.group(asked or name), self.log(asked or name)))

    def log(self, name):
        return self.directors[name].text("havend.log")[-4000:]

    def table(self, name):
        return self.directors[name].run("ipvsadm -Sn").stdout.splitlines()

    def wait_table(self, name, lines, timeout=20):
        wait_for(lambda: sorted(self.table(name)) == sorted(lines), timeout,
                 lambda: "the table of %s is\n%s\nbut\n%s\n%s" % (name, "\n".join(lines), "\n".join(self.table(name)), self.log(name)))

    def wanted(self, nat=("one", "two"), quiet=()):
        """By NAT there are who works and, if nobody does, the fallback; directly, who does not is quiet."""
        weights = {"one": 1, "two": 3}
        lines = ["-A -t %s:%d -s wrr" % (NAT, PORT)]
        lines += ["-a -t %s:%d -r %s:%d -m -w %d" % (NAT, PORT, self.servers[n].address["back"], PORT, weights[n]) for n in nat]
        if not nat:
            lines += ["-a -t %s:%d -r %s:%d -m -w 1" % (NAT, PORT, self.servers["one"].address["back"], SORRY)]
        for key, port, how in (("-t %s:%d" % (DIRECT, PORT), PORT, "rr"), ("-u %s:53" % DIRECT, 53, "rr -o"), ("-f 7", 0, "rr"),
                               ("-t [%s]:%d" % (short(DIRECT6), PORT), PORT, "mh -b mh-fallback,mh-port")):
            lines += ["-A %s -s %s" % (key, how)]
            for n, m in self.servers.items():
                address = "[%s]" % short(m.address6["front"]) if "[" in key else m.address["front"]
                lines += ["-a %s -r %s:%d -g -w %d" % (key, address, port, 0 if n in quiet else 1)]
        return lines

    def asked(self, address, times=4, port=PORT):
        """Who answers, in so many new connections."""
        answers = set()
        for _ in range(times):
            done = self.client.run("curl", "-gsS", "-m", "5", "http://%s:%d/" % (address, port), check=False)
            answers.add(done.stdout.strip() if done.returncode == 0 else "nobody: %d %s" % (done.returncode, done.stderr))
        return answers

    def wait_answers(self, servers):
        """New connections come to these servers, and all arrive. A guest loses one now and then."""
        for address in (NAT, DIRECT):
            wait_for(lambda a=address: self.asked(a) == servers, 60, lambda a=address: "%s serve %s: %s\n%s" % (
                servers, a, self.asked(a), [self.log(n) for n, g in self.directors.items() if g.powered]))

    @staticmethod
    def scheduled():
        return "".join("virtual %s:%d { pool = near  scheduler = %s  failed = quiesce  %s }\n" % (DIRECT, 100 + i, name, words)
                       for i, (name, words, _) in enumerate(SCHEDULERS))

    def scheduled_lines(self):
        lines = []
        for i, (name, _, flags) in enumerate(SCHEDULERS):
            lines += ["-A -t %s:%d -s %s%s" % (DIRECT, 100 + i, name, flags)]
            lines += ["-a -t %s:%d -r %s:%d -g -w 1" % (DIRECT, 100 + i, m.address["front"], 100 + i) for m in self.servers.values()]
        return lines

    def wait_all_answers(self, servers):
        """The same by IPv6, by UDP, and for what the firewall has marked."""
        self.wait_answers(servers)

        def asked_udp():
            return set(self.client.run("python3", "-c", UDP_ASKS, DIRECT, 4).stdout.split("\n")[:-1])

        for what, ask in (("IPv6", lambda: self.asked("[%s]" % DIRECT6, 8)), ("UDP", asked_udp),
                          ("a mark", lambda: self.asked(DIRECT, 2, MARKED))):
            wait_for(lambda a=ask: a() == servers, 60, lambda w=what, a=ask: "%s serve %s: %s" % (servers, w, a()))

    def server(self, director, vip, name, net):
        """What `haven lvs` says of it."""
        services = json.loads(self.haven(director, "lvs --json"))["directors"][0]["services"]
        service = next(s for s in services if s["service"] == "tcp %s:%d" % (vip, PORT))
        return next(s for s in service["servers"] if s["address"] == "%s:%d" % (self.servers[name].address[net], PORT))


def short(address6):
    return address6.replace("fd77:0::", "fd77::")


class Held:
    """A connection that has been made, and will ask."""

    count = 0

    def __init__(self, client, address):
        Held.count += 1
        self.go = os.path.join(client.directory, "go.%s.%d" % (address, Held.count))
        self.process = client.start("held", "python3", "-c", HELD, address, PORT, self.go, pipe=True)
        self.port = self.wait("connected")[0]

    def wait(self, word):
        line = self.process.stdout.readline().split()
        assert line[:1] == [word], "%s: %s\n%s" % (self.go, line, self.process.output())
        return line[1:]

    def ask(self):
        with open(self.go, "w", encoding="ascii"):
            pass
        self.wait("answered")
        self.process.wrapper.wait()


@pytest.fixture
def farm(lab, guest):
    return Farm(lab, guest)


def test_the_kernels_table_is_what_was_made_and_what_ipvsadm_sees(guest):
    alpha = guest("alpha", modules=["ip_vs"])
    alpha.boot()
    alpha.wait()
    # in a network of its own
    done = alpha.run(program("tests/unit/director/director-kernel"), timeout=120, check=False)
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr


def test_clients_are_served_by_rewriting_and_directly_while_servers_and_directors_die(farm):
    f = farm
    f.wait_owner("alpha")
    f.wait_table("alpha", f.wanted())
    # the standby has it ready
    f.wait_table("beta", f.wanted())
    assert "standby, ready to take over" in f.haven("beta", "lvs")
    f.wait_all_answers({"one", "two"})
    # drained, it gets nothing new
    drained = f.haven("alpha", "drain %s" % f.servers["two"].address["back"])
    assert "in 1 virtual service;" in drained, drained
    f.wait_table("alpha", [l.replace("-m -w 3", "-m -w 0") for l in f.wanted()])
    assert f.server("alpha", NAT, "two", "back")["state"] == "drained"
    f.haven("alpha", "undrain %s" % f.servers["two"].address["back"])
    f.wait_table("alpha", f.wanted())
    one = f.server("alpha", DIRECT, "one", "front")
    assert (one["state"], one["weight"], one["weight_wanted"], one["forward"]) == ("up", 1, 1, "direct"), one
    assert one["checks"][0]["state"] == "up", one
    # what the kernel counted is read with the table, every ten seconds
    wait_for(lambda: f.server("alpha", DIRECT, "one", "front")["traffic"]["connections"] > 0, 60, "it is counted")
    assert "director front of group lb: active" in f.haven("alpha", "lvs")
    # a server that stands still leaves one table entry, and is quiet in the others
    f.pages["one"].signal(signal.SIGSTOP)
    f.wait_table("alpha", f.wanted(nat=["two"], quiet=["one"]))
    f.pages["one"].signal(signal.SIGCONT)
    f.wait_table("alpha", f.wanted())
    # one that answers wrongly
    f.answer_wrongly("one", True)
    f.wait_table("alpha", f.wanted(nat=["two"], quiet=["one"]))
    f.wait_answers({"two"})
    # the other director sees for itself, in its table too
    f.wait_table("beta", f.wanted(nat=["two"], quiet=["one"]))
    assert f.server("beta", NAT, "one", "back")["state"] == "down"
    # and one that dies
    f.pages["one"].kill()
    f.answer_wrongly("one", False)
    # no more than their handshakes have passed
    held = [Held(f.client, a) for a in (NAT, DIRECT)]
    wait_for(lambda: len(f.directors["beta"].run("ipvsadm -Lnc").stdout.split("ESTABLISHED")) > 2, 20,
             lambda: "beta knows of the connections: " + f.directors["beta"].run("ipvsadm -Lnc").stdout)
    # one is not told of, and its server found by the hash
    f.directors["beta"].run("ipvsadm --stop-daemon backup")
    held.append(Held(f.client, DIRECT6))
    f.directors["beta"].run("ipvsadm --start-daemon backup --mcast-interface back --syncid 7", check=False)
    print("told of the last one:", ":%s " % held[-1].port in f.directors["beta"].run("ipvsadm -Lnc").stdout)
    f.directors["alpha"].kill()
    cut = now()
    f.wait_owner("beta")
    # what had begun goes on
    for h in held:
        h.ask()
    f.wait_table("beta", f.wanted(nat=["two"], quiet=["one"]))
    f.wait_all_answers({"two"})
    print("served again %.1f s after the power cut" % (now() - cut))
    # both are dead: the fallback serves
    f.pages["two"].kill()
    f.wait_table("beta", f.wanted(nat=[], quiet=["one", "two"]))
    wait_for(lambda: f.asked(NAT, 1) == {"sorry"}, 30, lambda: "the fallback serves: %s" % f.asked(NAT, 1))
    f.start("one")
    f.start("two")
    f.wait_table("beta", f.wanted())
    f.wait_answers({"one", "two"})
    # the daemon dies, and is back: nothing happens to the table
    connections = f.server("beta", DIRECT, "one", "front")["traffic"]["connections"]
    f.directors["beta"].run("kill -9 $(pidof haven-core)")
    wait_for(lambda: "lb: active" in f.haven("beta", "lvs", check=False), 30,
             lambda: "the next core answers\n" + f.log("beta"))
    f.wait_owner("beta")
    # a busy machine may bring it back only when its lease is over: then all was released, and began anew
    late = "released by the supervisor" in f.directors["beta"].text("havend.log")
    assert late or f.server("beta", DIRECT, "one", "front")["traffic"]["connections"] >= connections, "it was set up anew"
    # a reload changes what differs, and brings one service more by each scheduler
    f.cluster.configure("beta", f.cluster.text.replace("weight = 3", "weight = 5").replace("virtual mark:7", f.scheduled() + "virtual mark:7"))
    f.wait_answers({"one", "two"})
    f.haven("beta", "reload")
    f.wait_table("beta", [l.replace("-w 3", "-w 5") for l in f.wanted()] + f.scheduled_lines())
    assert f.server("beta", NAT, "one", "back")["traffic"]["connections"] > 0, "it was set up anew"
    f.cluster.configure("beta")
    f.haven("beta", "reload")
    f.wait_table("beta", f.wanted())
    # somebody clears the table: it comes back
    f.directors["beta"].run("ipvsadm -C; ipvsadm -A -t 10.77.9.9:80 -s rr")
    f.wait_table("beta", f.wanted() + ["-A -t 10.77.9.9:80 -s rr"], timeout=60)
    # and what is not ours stays when we go
    f.haven("beta", "stop lb")
    f.wait_table("beta", ["-A -t 10.77.9.9:80 -s rr"])
