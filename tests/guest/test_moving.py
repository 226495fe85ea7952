"""docs/moving.md, typed word by word: a pair of Debian's heartbeat and ldirectord becomes haven's, under a client that fetches all
the time. MOVING=1 plays all of it (two minutes, for heartbeat's scripts are slow in a guest); without, its first part alone, with
an ldirectord that no heartbeat has started. In the document

    ```file     # both: PATH, or `# both: added to PATH`, and what stands in it
    ```sh       alpha#, beta# or both# COMMAND: each must end well; both: the standby first
    ```look     likewise, asked again until it does
    ```back     the way back"""
import collections
import os
import re
import shutil

import pytest

from lab import now, wait_for
from lab.haven import haven_program, havend_program
from lab.tools import ROOT, run
from test_director import HELD

DOCUMENT = os.path.join(ROOT, "docs", "moving.md")
HOSTS = {"alpha": ["alpha"], "beta": ["beta"], "both": ["beta", "alpha"]}
VIP = "10.77.0.111"
HEARTBEAT = "/usr/libexec/heartbeat/heartbeat"
HA_CF = """logfile /var/log/ha-log
debugfile /var/log/ha-debug
logfacility none
keepalive 500ms
warntime 3
deadtime 6
initdead 10
udpport 694
ucast front %(front)s
ucast back %(back)s
auto_failback off
node alpha beta
"""
# what Debian's units do, where there is no systemd
SYSTEMCTL = """#!/bin/bash
case "$1 $2" in
"start heartbeat")
        mkdir -p /run/lock /run/heartbeat/{ccm,crm,dopd,rsctmp} /run/resource-agents
        chown -R hacluster:haclient /run/heartbeat
        chmod 1777 /run/heartbeat/rsctmp
        setsid %(heartbeat)s -f >/var/log/heartbeat.out 2>&1 & ;;
"stop heartbeat") %(heartbeat)s -k ;;
"start havend")
        setsid havend -f >/var/log/havend.log 2>&1 &
        until haven status >/dev/null 2>&1; do sleep 0.2; done ;;
"stop havend")
        kill $(pidof havend)
        while pidof havend >/dev/null; do sleep 0.2; done ;;
"enable "*|"disable "*) ;;
*) exit 1 ;;
esac
"""
PAGE = """
import socketserver, sys
class Page(socketserver.StreamRequestHandler):
    def handle(self):
        while self.rfile.readline().strip():
            pass
        self.wfile.write(b"HTTP/1.0 200 OK\\r\\n\\r\\nPage of " + sys.argv[1].encode())
class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address, daemon_threads, request_queue_size = True, True, 64
Server(("", 80), Page).serve_forever()
"""
# a line for each fetch: how long it took, and what came or what was wrong. A packet may be lost, an answer may not.
FETCH = """
import socket, sys, time
while True:
    began = time.monotonic()
    try:
        s = socket.create_connection((sys.argv[1], 80), 30)
        s.settimeout(30)
        s.sendall(b"GET /index.html HTTP/1.0\\r\\n\\r\\n")
        f = s.makefile("rb")
        said = f.read().rpartition(b"\\r\\n")[2].decode() or "closed"
        s.close()
    except OSError as error:
        said = str(error)
    print("%.1f %s" % (time.monotonic() - began, said), flush=True)
    time.sleep(0.05)
"""

Step = collections.namedtuple("Step", "kind body line part")


def steps():
    with open(DOCUMENT, encoding="utf-8") as f:
        lines = iter(enumerate(f.read().split("\n"), 1))
    found, part = [], ""
    for number, line in lines:
        if line.startswith("## "):
            part = line.split()[1]
        if line.startswith("```"):
            body = []
            for _, inside in lines:
                if inside == "```":
                    break
                body.append(inside)
            found.append(Step(line[3:], body, number, part))
    assert [s.kind for s in found if not s.part] == ["file", "file"]
    assert {s.part for s in found} == {"", "First:", "Then:"}
    return found


class Pair:
    """alpha and beta are guests, the real servers and the client namespaces. Without `both`, beta stays off."""

    def __init__(self, lab, guest, both):
        self.directors = {name: guest(name, modules=["ip_vs"]) for name in ("alpha", "beta")}
        addresses = {name: g.address for name, g in self.directors.items()}
        if not both:
            del self.directors["beta"]
        for g in self.directors.values():
            g.boot()
        self.servers = {name: lab.add_node(name) for name in ("one", "two")}
        self.client = lab.add_client()
        a, b = addresses["alpha"], addresses["beta"]
        self.here = {"10.0.0.111": VIP, "10.0.0.254": lab.gateway(), "eth0": "front", "eth1": "back",
                     "10.0.0.2": a["front"], "10.0.0.3": b["front"], "192.168.0.2": a["back"], "192.168.0.3": b["back"],
                     "10.0.0.11": self.servers["one"].address["front"], "10.0.0.12": self.servers["two"].address["front"]}
        for name, m in self.servers.items():
            m.run("sh", "-c", "sysctl -qw net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2 && "
                  "ip addr add %s/32 dev lo" % VIP)
            m.start("page", "python3", "-c", PAGE, name)
        for name, g in self.directors.items():
            g.wait()
            self.prepare(name, b if name == "alpha" else a)

    def prepare(self, name, peer):
        self.write(name, "/etc/ha.d/ha.cf", HA_CF % peer)
        self.write(name, "/etc/ha.d/authkeys", "auth 1\n1 sha1 secret\n")
        self.write(name, "/usr/local/sbin/systemctl", SYSTEMCTL % {"heartbeat": HEARTBEAT})
        programs = [haven_program(), havend_program(), os.path.join(os.path.dirname(havend_program()), "haven-ldirectord")]
        self.directors[name].run("chmod 600 /etc/ha.d/authkeys; chmod 755 /usr/local/sbin/systemctl; ln -s %s /usr/local/sbin; "
                                 "sysctl -qw net.ipv4.ip_forward=1; mkdir -p /etc/haven /etc/ha.d/conf" % " ".join(programs))

    def write(self, name, path, text, more=False):
        self.directors[name].run("mkdir -p %s; cat %s %s <<'END'\n%sEND" % (os.path.dirname(path), ">>" if more else ">", path, text))

    def translate(self, text):
        return re.sub(r"\b(?:%s)\b" % "|".join(sorted(map(re.escape, self.here), key=len, reverse=True)),
                      lambda m: self.here[m.group(0)], text)

    # steps of the document

    def hosts(self, where):
        return [name for name in HOSTS[where] if name in self.directors]

    def file(self, step):
        where, path = step.body[0].removeprefix("# ").split(": ")
        for name in self.hosts(where):
            self.write(name, path.removeprefix("added to "), self.translate("\n".join(step.body[1:]) + "\n"), path.startswith("added"))

    def commands(self, step):
        for line in step.body:
            where, command = line.split("# ", 1)
            for name in self.hosts(where):
                yield name, self.translate(command)

    def sh(self, step):
        for name, command in self.commands(step):
            if command.startswith("scp -p /etc/haven/key "):
                self.copy_key()
                continue
            if command.startswith("ssh beta "):
                there, command = command.removeprefix("ssh beta ").split(" && ", 1)
                self.directors["beta"].run(there)
            done = self.directors[name].run(command, timeout=90, check=False)
            assert done.returncode == 0, "moving.md:%d: %s# %s: exit %d: %s\n%s" % (
                step.line, name, command, done.returncode, done.stdout + done.stderr, self.story(name))

    def look(self, step):
        for name, command in self.commands(step):
            wait_for(lambda n=name, c=command: self.directors[n].run(c, check=False).returncode == 0, 90,
                     lambda n=name, c=command: "moving.md:%d: %s# %s\n%s" % (step.line, n, c, self.story(n)), 0.5)

    def play(self, step):
        begun = now()
        {"file": self.file, "sh": self.sh, "back": self.sh, "look": self.look}[step.kind](step)
        print("%5.1f s: %s" % (now() - begun, step.body[-1]))

    def copy_key(self):
        alpha, beta = self.directors["alpha"], self.directors["beta"]
        beta.run("cp /etc/haven/key %s/key; sync %s/key" % (beta.directory, beta.directory))
        alpha.run("install -m 600 %s/key /etc/haven/key" % beta.directory)

    # what came of it

    def table(self, name):
        return sorted(self.directors[name].run("ipvsadm -Sn").stdout.splitlines())

    def wanted(self):
        return sorted(["-A -t %s:80 -s wrr" % VIP, "-a -t %s:80 -r %s:80 -g -w 1" % (VIP, self.here["10.0.0.11"]),
                       "-a -t %s:80 -r %s:80 -g -w 3" % (VIP, self.here["10.0.0.12"])])

    def fetched(self):
        with open(os.path.join(self.client.directory, "fetches.log"), encoding="utf-8") as f:
            return [line.split(" ", 1) for line in f.read().splitlines()]

    def wait_fetched(self, more):
        count = len(self.fetched()) + more
        wait_for(lambda: len(self.fetched()) >= count, 60, lambda: "fetches go on: %s" % self.fetched()[-3:])

    def answered(self, when):
        self.wait_fetched(3)
        lost = [said for _, said in self.fetched() if not said.startswith("Page of ")]
        assert lost == [], "%s: %s\n%s" % (when, lost, "\n".join(self.story(n) for n in self.directors))

    def begin(self, steps_):
        """What is there, and a client."""
        for step in steps_:
            self.play(step)
        for name, g in self.directors.items():
            g.run("systemctl start heartbeat" if len(self.directors) > 1 else "ip addr add %s/24 dev front; ldirectord www start" % VIP)
        wait_for(lambda: self.table("alpha") == self.wanted(), 180, lambda: "heartbeat has begun: %s" % self.story("alpha"), 0.5)
        self.client.start("fetches", "python3", "-c", FETCH, VIP)
        self.wait_fetched(5)

    def hold(self):
        """A connection that beta knows of; it asks when the file appears that is returned."""
        go = os.path.join(self.client.directory, "go")
        held = self.client.start("held", "python3", "-c", HELD, VIP, 80, go, pipe=True)
        assert held.stdout.readline().startswith("connected "), held.output()
        port = next(line.split()[2].rpartition(":")[2] for line in self.client.run("ss", "-Htn", "state", "established").stdout.splitlines()
                    if VIP in line)
        wait_for(lambda: re.search(r":%s .*ESTABLISHED|ESTABLISHED.*:%s " % (port, port), self.directors["beta"].run("ipvsadm -Lnc").stdout),
                 60, lambda: "beta knows of port %s\n%s" % (port, self.directors["beta"].run("ipvsadm -Lnc").stdout), 0.5)
        return held, go

    def story(self, name):
        return self.directors[name].run("ipvsadm -Sn; ip -br addr; haven status; haven events; tail -n 30 /var/log/ha-log "
                                        "/var/log/ldirectord.log; tail -n 40 /var/log/havend.log", check=False).stdout


@pytest.fixture
def pair(lab, guest):
    if not os.path.exists(HEARTBEAT) or shutil.which("ldirectord") is None:
        pytest.skip("there are no heartbeat and ldirectord here (Debian: heartbeat, ldirectord)")
    return Pair(lab, guest, "MOVING" in os.environ)


def test_a_pair_of_heartbeat_and_ldirectord_becomes_havens_and_no_fetch_is_lost(pair):
    p, todo, held = pair, steps(), None
    p.begin([s for s in todo if not s.part])
    for step in todo:
        if not step.part or step.kind == "back" or (step.part == "Then:" and "MOVING" not in os.environ):
            continue
        p.play(step)
        p.answered("after moving.md:%d" % step.line)
        if step.part == "First:":
            assert p.table("alpha") == p.wanted(), "moving.md:%d\n%s" % (step.line, p.story("alpha"))
        elif "ipvsadm -Lnc" in step.body[-1]:
            held = p.hold()
        elif "started" in step.body[-1]:
            with open(held[1], "w", encoding="ascii"):
                pass
            assert held[0].stdout.readline().strip() == "answered", "what had begun goes on at the other director"
            assert p.table("beta") == p.wanted()
    p.wait_fetched(20)
    p.answered("at the end")
    print("%d fetches, the slowest %s s" % (len(p.fetched()), max(float(took) for took, _ in p.fetched())))
    backwards(p, todo)


def backwards(p, todo):
    """The first part's way back costs nothing either; the second one's is a stop of seconds."""
    if "MOVING" not in os.environ:
        return
    p.play(next(s for s in todo if s.kind == "back" and s.part == "Then:"))
    wait_for(lambda: p.table("alpha") == p.wanted() and p.table("beta") == [], 180, lambda: "heartbeat has it back: " + p.story("alpha"), 0.5)
    since = len(p.fetched())
    wait_for(lambda: all(said.startswith("Page of ") for _, said in p.fetched()[-5:]) and len(p.fetched()) > since + 5, 60, "it serves")
    since = len(p.fetched())
    p.play(next(s for s in todo if s.kind == "back" and s.part == "First:"))
    p.wait_fetched(10)
    assert [said for _, said in p.fetched()[since:] if not said.startswith("Page of ")] == []
    assert "ldirectord www start" in p.directors["alpha"].run("tail -n 3 /var/log/ldirectord.log; ps ax").stdout
    assert p.table("alpha") == p.wanted()


def test_what_moving_md_writes_into_havens_file_is_good(tmp_path):
    www, path = tmp_path / "www", tmp_path / "haven.conf"
    for step in [s for s in steps() if s.kind == "file"]:
        text = "\n".join(step.body[1:]) + "\n"
        if step.body[0].endswith("/www"):
            www.write_text(text, encoding="utf-8")
        elif step.body[0].endswith("haven.conf"):
            path.write_text(text.replace("/etc/ha.d/conf/www", str(www)), encoding="utf-8")
    said = run(haven_program(), "check", str(path))
    assert " is good: cluster lb, 2 nodes, 1 group" in said, said
