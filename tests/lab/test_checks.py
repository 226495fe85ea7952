"""Checks against real servers, each killed, frozen, made slow and made wrong: what the checker sees of them from the
machine beside. nginx, nsd, and the kernel for icmp."""
import json
import os
import re
import shutil
import signal

import pytest

from lab import relay, wait_for
from lab.haven import haven_program
from lab.tools import run

NGINX = """
user root; daemon off; error_log stderr crit; pid %(d)s/pid; worker_processes 1; events {}
http {
    access_log off; client_body_temp_path %(d)s/b; proxy_temp_path %(d)s/p; fastcgi_temp_path %(d)s/f;
    uwsgi_temp_path %(d)s/u; scgi_temp_path %(d)s/s; root %(d)s;
    server {
        listen %(a)s:80; listen %(a)s:443 ssl http2;
        ssl_certificate %(d)s/cert.pem; ssl_certificate_key %(d)s/key.pem;
        location /slow { limit_rate 100; }
        location /busy { return 503; }
        location /elsewhere { return 302 /index.html; }
        location /head { if ($http_x_who != "haven") { return 403; } return 204; }
    }
    server { listen %(a)s:80; server_name shop.example; location / { return 200 "the shop"; } }
}
"""

NSD = """
server:
    ip-address: %(a)s
    username: ""
    chroot: ""
    zonesdir: "%(d)s"
    database: ""
    pidfile: "%(d)s/nsd.pid"
    xfrdfile: "%(d)s/xfrd.state"
    zonelistfile: "%(d)s/zone.list"
    server-count: 1
remote-control:
    control-enable: no
zone:
    name: example.org
    zonefile: example.zone
"""

ZONE = """
@ 60 IN SOA ns.example.org. root.example.org. 2026112101 3600 600 86400 60
@ 60 IN NS ns.example.org.
ns 60 IN A 10.0.0.53
www 60 IN A 10.0.0.80
www 60 IN A 10.0.0.81
@ 60 IN MX 10 mail.example.org.
long 60 IN TXT %s
"""


class Stage:
    """A server and, beside it, who looks."""

    def __init__(self, lab):
        self.server = lab.add_machine("server", 1, lab.networks[:1])
        self.looker = lab.add_machine("looker", 2, lab.networks[:1])
        self.address = self.server.address[lab.networks[0]]
        for path in (lab.directory, self.server.directory):
            os.chmod(path, 0o755)

    def look(self, kind, **words):
        text = "%s { %s }" % (kind, " ".join('%s = %s' % (k.replace("_", "-"), v) for k, v in words.items()))
        done = self.looker.run(haven_program(), "checks", "--json", "--try", text, check=False)
        assert done.stdout, done.stderr
        return json.loads(done.stdout)

    def web(self, path="/", scheme="http", port="", **words):
        return self.look("http", url="%s://%s%s%s" % (scheme, self.address, port, path), **words)

    def write(self, name, text):
        path = os.path.join(self.server.directory, name)
        with open(path, "w", encoding="ascii") as f:
            f.write(text)
        return path

    def slow_down(self, *ports):
        """Ports that lead to these, 10000 above each with a tenth of a second, 20000 above with half a minute."""
        process = self.server.start("relay", shutil.which("python3"), relay.__file__, self.address, *[
            "%s%d:%s:%s" % (re.sub("[0-9]", "", port), above + int(port.removeprefix("udp")), port.removeprefix("udp"), late)
            for port in ports for above, late in ((10000, 0.1), (20000, 30))])
        wait_for(lambda: "ready" in process.output(), 30, process.output)

    def freeze(self, program, number):
        self.server.kill(self.server.pids(program), number)


@pytest.fixture
def stage(lab):
    return Stage(lab)


@pytest.fixture
def nginx(stage):
    names = {"d": stage.server.directory, "a": stage.address}
    stage.write("index.html", "<h1>welcome</h1>\n")
    stage.write("slow", "x" * 100000)
    for key, certificate in (("/other-key.pem", "/other.pem"), ("/key.pem", "/cert.pem")):
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "10",
            "-subj", "/CN=shop.example", "-keyout", names["d"] + key, "-out", names["d"] + certificate)
    for name in os.listdir(names["d"]):
        os.chmod(os.path.join(names["d"], name), 0o644)
    stage.process = stage.server.start("nginx", shutil.which("nginx") or "/usr/sbin/nginx", "-c",
                                       stage.write("nginx.conf", NGINX % names))
    wait_for(lambda: stage.web()["reason"] == "works", 20, "nginx to answer")
    return stage


def reasons(*looks):
    return [look["reason"] for look in looks]


def test_a_web_server_is_right_wrong_slow_frozen_and_dead(nginx):
    assert reasons(nginx.web(expect='"<h1>welcome"'), nginx.web(expect="goodbye"), nginx.web("/nothing"),
                   nginx.web("/busy"), nginx.web("/busy", status="503")) == [
                       "works", "mismatch", "bad-status", "bad-status", "works"]
    assert reasons(nginx.web("/elsewhere"), nginx.web("/elsewhere", status=200),
                   nginx.web("/elsewhere", status=200, redirect="follow", expect="welcome")) == [
                       "works", "bad-status", "works"]
    assert reasons(nginx.web(host="shop.example", expect="shop"), nginx.web("/head"),
                   nginx.web("/head", header='"X-Who: haven"', status=204),
                   nginx.web(method="HEAD")) == ["works", "bad-status", "works", "works"]
    text = nginx.looker.run(haven_program(), "checks", "--try", "http { url = http://%s/ }" % nginx.address).stdout
    assert text.startswith("works: http://%s/: answers in " % nginx.address) and text.endswith(", status 200\n"), text
    by_name = nginx.look("http", url="http://shop.example/", address=nginx.address, expect="shop")
    assert by_name["reason"] == "works", by_name

    assert reasons(nginx.web("/slow", timeout="300ms"), nginx.web("/slow", timeout="300ms", redirect="follow")) == [
        "no-answer", "no-answer"]
    nginx.slow_down("80", "443")
    patient = {"timeout": "20s", "interval": "20s"}
    slow = [nginx.web(port=":10080", expect='"<h1>welcome"', **patient), nginx.web(port=":10080", expect="goodbye", **patient),
            nginx.web("/busy", port=":10080", **patient), nginx.web(port=":10443", scheme="https", **patient),
            nginx.look("tls", address=nginx.address, port=10443, **patient),
            nginx.look("tcp", address=nginx.address, port=10080, send="'GET /\\r\\n'", expect="welcome", **patient)]
    assert reasons(*slow) == ["works", "mismatch", "bad-status", "works", "works", "works"]
    assert min(look["took_us"] for look in slow) >= 180000, "it took as long as it took"
    assert reasons(nginx.web(port=":20080"), nginx.web(port=":20443", scheme="https"),
                   nginx.look("tls", address=nginx.address, port=20443)) == ["no-answer"] * 3
    nginx.freeze("nginx", signal.SIGSTOP)
    assert reasons(nginx.web(timeout="300ms"), nginx.look("tcp", address=nginx.address, port=80),
                   nginx.look("tls", address=nginx.address, timeout="300ms")) == ["no-answer", "works", "no-answer"]
    nginx.freeze("nginx", signal.SIGCONT)
    assert nginx.web()["reason"] == "works"
    nginx.process.stop()
    wait_for(lambda: not nginx.server.pids("nginx"), 20, "nginx to end")
    assert reasons(nginx.web(), nginx.web(scheme="https"), nginx.look("tls", address=nginx.address)) == ["refused"] * 3


def test_a_certificate_that_nobody_vouches_for_and_that_ends_soon(nginx):
    tls = {"address": nginx.address, "server_name": "shop.example"}
    own, other = (os.path.join(nginx.server.directory, name) for name in ("cert.pem", "other.pem"))
    assert reasons(nginx.look("tls", **tls), nginx.look("tls", days=9, **tls), nginx.look("tls", days=30, **tls),
                   nginx.look("tls", verify="yes", **tls)) == ["works", "works", "limit", "certificate"]
    assert reasons(nginx.web(scheme="https"), nginx.web(scheme="https", version=2),
                   nginx.web(scheme="https", verify="yes")) == ["works", "works", "certificate"]
    assert reasons(nginx.look("tls", verify="yes", ca=own, **tls), nginx.look("tls", verify="yes", ca=other, **tls),
                   nginx.look("tls", verify="yes", ca="/nosuch", **tls),
                   nginx.look("tls", verify="yes", ca=own, address=nginx.address),
                   nginx.web(scheme="https", verify="yes", ca=other),
                   nginx.look("http", url="https://shop.example/", address=nginx.address, verify="yes", ca=own),
                   nginx.look("http", url="https://shop.example/", address=nginx.address, verify="yes", ca="/nosuch"),
                   nginx.web(scheme="https", verify="yes", ca=own)) == [
                       "works", "certificate", "local", "certificate", "certificate", "works", "local", "certificate"]
    assert nginx.web(version=2)["finding"] == "broken", "that port speaks HTTP/1.1 alone"
    assert nginx.look("tls", address=nginx.address, port=80)["reason"] == "tls"


def test_a_name_server_is_right_wrong_slow_frozen_and_dead(stage):
    names = {"d": stage.server.directory, "a": stage.address}
    stage.write("example.zone", ZONE % " ".join('"%s"' % (c * 200) for c in "abcdefghij"))
    process = stage.server.start("nsd", "/usr/sbin/nsd", "-d", "-c", stage.write("nsd.conf", NSD % names))

    def ask(query, **words):
        return stage.look("dns", address=stage.address, query=query, **words)["reason"]

    wait_for(lambda: ask("www.example.org") == "works", 20, "nsd to answer")
    assert ask("www.example.org", expect="{10.0.0.80, 10.0.0.81}") == "works"
    assert ask("www.example.org", expect="10.0.0.80") == "mismatch"
    assert ask("example.org", type="MX", expect='"10 mail.example.org"') == "works"
    assert ask("example.org", type="SOA", expect="2026112101") == "works"
    assert ask("example.org", type="NS", expect="ns.example.org") == "works"
    assert ask("long.example.org", type="TXT", expect="a" * 200) == "works", "more than fits into UDP comes by TCP"
    assert ask("nothing.example.org") == "name-not-found"
    assert ask("www.example.org", type="AAAA") == "name-not-found"
    assert ask("www.example.com") == "bad-answer", "it is refused: no zone of that server"
    stage.slow_down("53", "udp53")
    assert ask("www.example.org", port=10053, timeout="5s", interval="5s") == "works"
    assert ask("www.example.org", port=10053, timeout="5s", interval="5s", expect="10.0.0.80") == "mismatch"
    assert ask("long.example.org", port=10053, type="TXT", timeout="5s", interval="5s", expect="a" * 200) == "works"
    assert ask("www.example.org", port=20053) == "silent"
    stage.freeze("nsd", signal.SIGSTOP)
    assert ask("www.example.org", timeout="300ms") == "silent"
    stage.freeze("nsd", signal.SIGCONT)
    assert ask("www.example.org") == "works"
    process.stop()
    wait_for(lambda: not stage.server.pids("nsd"), 20, "nsd to end")
    assert ask("www.example.org") in ("refused", "silent"), "kernels do not say port unreachable as often as asked"


def test_a_machine_answers_until_its_cable_is_out(lab, stage):
    for address in (stage.address, '"%s"' % stage.server.address6[lab.networks[0]]):
        assert stage.look("icmp", address=address, packets=3)["reason"] == "works"
    far = stage.look("icmp", address=stage.address, rtt="1us")
    assert far["reason"] == "limit" and "at most 1us" in far["said"]
    lab.power_cut(stage.server)
    dead = [stage.look(*kind, address=stage.address, **more)["reason"]
            for kind, more in ((("icmp",), {}), (("tcp",), {"port": 80}))]
    assert dead[0] == "silent" and dead[1] in ("no-connection", "unreachable")
