"""haven-ldirectord beside Debian's ldirectord, in a kernel that has IPVS. What the original makes of every file in
ldirectord/ has been written down (ldirectord/recorded.json, by ldirectord/record); a few of them are tried here each time, and
tests/unit/director has haven's side of all. LDIRECTORD_ALL=1 feeds all of them to haven-ldirectord (two minutes)."""
import json
import os
import re
import shutil

import pytest

from lab import wait_for
from lab.haven import haven_program, havend_program
from lab.post import Post

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "ldirectord")
FOR_REAL = ["marks.cf", "wrong-pair-parted.cf"]
OURS_TOO = ["combined.cf", "example-radius.cf", "example-sip.cf", "external.cf", "fallback-forms.cf", "ports.cf", "quiescent.cf", "schedulers.cf", "url-of-its-own.cf",
            "wrong-monitorfile.cf"]
# argued for in docs/director.md
DIFFERENT = ["example-pop.cf", "no-servers.cf", "persistent-zero.cf", "sections.cf",
             "thresholds.cf", "wrong-logfile.cf", "wrong-two-colons.cf", "wrong-underscore.cf"]
WWW = """checkinterval=1
checktimeout=2
autoreload=yes
maintenancedir=/tmp/closed
fallbackcommand=/tmp/told
virtual=192.0.2.240:80
\treal=192.0.2.11:80 masq 2
\treal=192.0.2.21:80 masq
\tfallback=127.0.0.1:80
\trequest="index.html"
\treceive="Test Page"
"""
CLUSTER = """cluster c { key = /tmp/key  heartbeat = 300ms  dead = 2s }
node alpha { address = %s }
group lb { nodes = alpha  director front { ldirectord = /etc/ha.d/conf/www } }
"""
MAILED = """checkinterval=1
checktimeout=2
autoreload=yes
maintenancedir=/tmp/closed
emailalert="ops@post.lab, night@post.lab"
emailalertfrom=Directors <lb@post.lab>
emailalertfreq=2
emailalertstatus=running
smtp=%s
callback="/tmp/told"
execute=mail
execute=news
virtual=192.0.2.240:80
\treal=192.0.2.11:80 masq 2
\tservicename=Shop
\tcomment=call the night desk
\tmonitorfile=/tmp/watched
\trequest="index.html"
\treceive="Test Page"
"""
ALWAYS = "virtual=192.0.2.%d:80\n\treal=192.0.2.12:80 gate\n\tchecktype=on\n"
UP = ["-A -t 192.0.2.240:80 -s wrr", "-a -t 192.0.2.240:80 -r 192.0.2.11:80 -m -w 2"]
FALLBACK = ["-A -t 192.0.2.240:80 -s wrr", "-a -t 192.0.2.240:80 -r 127.0.0.1:80 -g -w 1"]


@pytest.fixture
def alpha(guest):
    alpha = guest("alpha", modules=["ip_vs"])
    alpha.boot()
    alpha.wait()
    alpha.run(os.path.join(HERE, "world"), timeout=60)
    return alpha


def program():
    return os.path.join(os.environ["HAVEN_BUILD"], "src/main/haven-ldirectord")


def recorded():
    with open(os.path.join(HERE, "recorded.json"), encoding="utf-8") as f:
        return json.load(f)


def feed(alpha, what, names):
    """What came of these files: the table as it was written down, or what it became instead."""
    result = os.path.join(alpha.directory, "came.json")
    alpha.run("cd / && %s/feed --until %s/recorded.json %s %s %s >%s/fed 2>&1; sync" % (
        HERE, HERE, what, result, " ".join(os.path.join(HERE, n) for n in names), alpha.directory), timeout=900)
    with open(result, encoding="utf-8") as f:
        return json.load(f)


def verdict(came):
    return came.get("exit") or came["table"]


def test_the_same_files_come_to_the_same_tables(alpha):
    golden = recorded()
    every = [n for n in golden if n not in DIFFERENT]
    ours = feed(alpha, program(), every if os.environ.get("LDIRECTORD_ALL") else FOR_REAL + OURS_TOO)
    for name, came in ours.items():
        assert verdict(came) == verdict(golden[name]), "%s: %s, but ldirectord: %s" % (name, came, golden[name])
        assert came.get("left", []) == [], name
    if shutil.which("ldirectord") is None:
        pytest.skip("what was written down is not tried again: this machine has no ldirectord (Debian: ldirectord)")
    for name, came in feed(alpha, "/usr/sbin/ldirectord", FOR_REAL).items():
        assert verdict(came) == verdict(golden[name]), "%s: ldirectord makes %s of it, and not %s" % (name, came, golden[name])


class Standin:
    def __init__(self, alpha):
        self.alpha, self.socket = alpha, ""
        alpha.run("mkdir -p /etc/ha.d/conf /tmp/closed; rm -f /var/run/ldirectord.*; "
                  "printf '#!/bin/sh\\necho \"$@\" >>/tmp/told.log\\n' >/tmp/told; chmod 755 /tmp/told")

    def write(self, text, name="www"):
        self.alpha.run("cat >/etc/ha.d/conf/%s <<'END'\n%sEND" % (name, text))

    def ask(self, *words):
        return self.alpha.run("cd / && %s %s %s" % (self.socket, program(), " ".join(words)), check=False)

    def table(self):
        return self.alpha.run("ipvsadm -Sn").stdout.splitlines()

    def log(self):
        return self.alpha.run("cat /var/log/ldirectord.log", check=False).stdout

    def wait_table(self, lines):
        wait_for(lambda: sorted(self.table()) == sorted(lines), 60, lambda: "the table is %s, not %s\n%s" % (self.table(), lines, self.log()))

    def wait_log(self, pattern):
        wait_for(lambda: re.search(pattern, self.log()), 60, lambda: "%s in %s" % (pattern, self.log()))


def test_a_line_of_haresources_goes_on_without_a_cluster(alpha):
    s = Standin(alpha)
    s.write(WWW)
    # as heartbeat calls it: ldirectord::www
    assert s.ask("www", "status").returncode == 3
    assert s.ask("www", "reload").returncode == 1
    assert s.ask("www", "stop").returncode == 0
    assert s.ask("nothing", "start").stderr == "Config file nothing not found\n"
    assert s.ask("www", "begin").returncode == 1
    started = s.ask("www", "start")
    assert started.returncode == 0, started
    assert "-A -t 192.0.2.240:80 -s wrr" in s.table(), "the table is there before the address is"
    s.wait_table(UP)
    assert s.ask("www", "start").returncode == 0
    status = s.ask("www", "status")
    assert status.returncode == 0 and "ldirectord for /etc/ha.d/conf/www is running with pid: " in status.stderr, status
    s.wait_log(r"\|www\|[0-9]+\] Added real server: 192.0.2.11:80 \(192.0.2.240:80\) \(Weight set to 2\)")
    # a file with a server's name takes it out, and the fallback command is told
    alpha.run(": >/tmp/closed/192.0.2.11:80")
    s.wait_table(FALLBACK)
    alpha.run("rm /tmp/closed/192.0.2.11:80")
    s.wait_table(UP)
    wait_for(lambda: alpha.run("cat /tmp/told.log").stdout.endswith("start 192.0.2.240:80 tcp\nstop 192.0.2.240:80 tcp\n"), 30,
             lambda: alpha.run("cat /tmp/told.log").stdout)
    # a changed file counts at once, also where somebody else has been at the table; a wrong one never
    alpha.run("ipvsadm -d -t 192.0.2.240:80 -r 192.0.2.11:80")
    s.write(WWW.replace("masq 2", "masq 7"))
    s.wait_table([line.replace("-w 2", "-w 7") for line in UP])
    s.write(WWW + "\tcolour=blue\n")
    s.wait_log(r"Error \[[0-9]+\] reading file /etc/ha.d/conf/www at line 12: Unknown command colour=blue")
    assert s.ask("www", "stop").returncode == 2, "as the original: what cannot be read cannot be stopped"
    s.wait_table([line.replace("-w 2", "-w 7") for line in UP])
    # another instance beside it, which leaves its table when it ends
    s.write("cleanstop=no\nvirtual=192.0.2.241:80\n\treal=192.0.2.12:80 gate\n\tchecktype=on\n", "mail")
    other = ["-A -t 192.0.2.241:80 -s wrr", "-a -t 192.0.2.241:80 -r 192.0.2.12:80 -g -w 1"]
    assert s.ask("mail", "start").returncode == 0
    s.write(WWW)
    s.wait_table(UP + other)
    assert s.ask("mail", "stop").returncode == 0
    wait_for(lambda: s.ask("mail", "status").returncode == 3, 30, "it has ended")
    s.wait_table(UP + other)
    assert s.ask("www", "restart").returncode == 0
    s.wait_table(UP + other)
    assert s.ask("www", "stop").returncode == 0
    s.wait_table(other)
    wait_for(lambda: s.ask("www", "status").returncode == 3, 30, "it has ended")
    # havend takes the same file, and the command says so
    alpha.run("ipvsadm -C; cd /tmp && cat >h.conf <<END\n%sEND\n%s keygen key && mkdir -p state && %s init -n alpha --state-dir /tmp/state" % (
        CLUSTER % alpha.address["front"], haven_program(), haven_program()))
    alpha.run("mkdir -p /tmp/run; setsid %s -c /tmp/h.conf -n alpha -f --run-dir /tmp/run --state-dir /tmp/state >%s/havend.log 2>&1 &" % (
        havend_program(), alpha.directory))
    s.socket = "HAVEN_SOCKET=/tmp/run/haven.sock"
    s.wait_table(UP)
    # the table is there on standby, too
    wait_for(lambda: "director front of group lb is active here" in s.ask("www", "status").stderr, 60, lambda: s.ask("www", "status"))
    assert s.ask("www", "status").returncode == 0
    assert (s.ask("www", "start").returncode, s.ask("www", "stop").returncode) == (0, 1)
    s.write(WWW.replace("masq 2", "masq 9"))
    s.wait_table([line.replace("-w 2", "-w 9") for line in UP])


def test_mails_callback_and_others_that_go_with_it(lab, alpha):
    post = Post(lab)
    post.start()
    s = Standin(alpha)
    text = MAILED % post.machine.address["front"]
    s.write(text)
    for number, name in enumerate(("mail", "news", "files")):
        s.write(ALWAYS % (241 + number), name)

    def running():
        return [name for name in ("mail", "news", "files") if s.ask(name, "status").returncode == 0]
    # who is named by `execute` starts with it; what happens while it starts is not mailed
    assert s.ask("www", "start").returncode == 0
    wait_for(lambda: running() == ["mail", "news"], 30, lambda: "these run: %s\n%s" % (running(), s.log()))
    s.wait_log(r"Added real server: 192.0.2.11:80 \(192.0.2.240:80\)")
    seen = alpha.run("cat /tmp/watched").stdout
    assert re.match(r"\[[A-Z][a-z]{2} [A-Z][a-z]{2} [ 0-9:]+\] \[\d+\] negotiate http tcp 192.0.2.11 80 2 masq /index.html Test Page \[up\] http://", seen), seen
    # a server that goes is told, and told again until it is back
    told = len(post.mails())
    alpha.run(": >/tmp/closed/192.0.2.11:80")
    gone, again = "[Shop] Deleted real server: 192.0.2.11:80 (192.0.2.240:80)", "[Shop] Inaccessible real server: 192.0.2.11:80 (192.0.2.240:80)"
    wait_for(lambda: [m[0] for m in post.mails()][told:told + 3] == [gone, again, again], 60, lambda: "%s\n%s" % (post.mails(), s.log()))
    assert post.mails()[told][1] == "ldirectord host: alpha\nLog-Message: %s\nDaemon-Status: running\n\nService name: Shop\nComment: call the night desk\n" % gone
    assert post.mails()[told][3].split() == ["ops@post.lab,", "night@post.lab"]
    with open(os.path.join(post.directory, "box"), encoding="utf-8") as f:
        assert "\nFrom: Directors <lb@post.lab>\n" in f.read()
    alpha.run("rm /tmp/closed/192.0.2.11:80")
    back = "[Shop] Added real server: 192.0.2.11:80 (192.0.2.240:80) (Weight set to 2)"
    wait_for(lambda: post.mails()[-1][0] == back, 60, lambda: "%s\n%s" % (post.mails(), s.log()))
    # a changed file: the callback hears of it, and others go with it
    s.write(text.replace("execute=mail", "execute=files").replace("masq 2", "masq 5"))
    s.wait_table([line.replace("-w 2", "-w 5") for line in UP] + [
        line % number for number in (242, 243) for line in ("-A -t 192.0.2.%d:80 -s wrr", "-a -t 192.0.2.%d:80 -r 192.0.2.12:80 -g -w 1")])
    wait_for(lambda: running() == ["news", "files"], 30, lambda: "these run: %s\n%s" % (running(), s.log()))
    assert alpha.run("cat /tmp/told.log").stdout == "/etc/ha.d/conf/www\n"
    assert post.mails()[-1][0] == back, "a new weight is no news for people, nor is a reload: %s" % post.mails()[-1][0]
    # and all end together
    assert s.ask("www", "stop").returncode == 0
    s.wait_table([])
    wait_for(lambda: s.ask("www", "status").returncode == 3 and running() == [], 30, lambda: "these run: %s" % running())
    # supervised: in the foreground, its log on standard output, and no pid file; without smtp, this machine sends the mail
    s.write("supervised=yes\nemailalert=root\n" + ALWAYS % 240)
    alpha.run("rm -f /usr/sbin/sendmail; printf '#!/bin/sh\necho \"$@\" >/tmp/mailed; cat >>/tmp/mailed\n' >/usr/sbin/sendmail; "
              "chmod 755 /usr/sbin/sendmail; setsid %s www start >/tmp/out 2>&1 & echo $! >/tmp/pid" % program())
    s.wait_table(["-A -t 192.0.2.240:80 -s wrr", "-a -t 192.0.2.240:80 -r 192.0.2.12:80 -g -w 1"])
    assert s.ask("www", "status").returncode == 3
    wait_for(lambda: alpha.run("cat /tmp/mailed", check=False).stdout.endswith("Daemon-Status: starting\n"), 30, lambda: alpha.run("cat /tmp/mailed").stdout)
    mailed = alpha.run("cat /tmp/mailed").stdout
    assert mailed.startswith("-t -i\nTo: root\nSubject: Added real server: 192.0.2.12:80 (192.0.2.240:80) (Weight set to 1)\n"), mailed
    alpha.run("kill $(cat /tmp/pid); while kill -0 $(cat /tmp/pid); do sleep 0.1; done")
    assert s.table() == []
    out = alpha.run("cat /tmp/out").stdout
    assert "] Added real server: 192.0.2.12:80 (192.0.2.240:80) (Weight set to 1)\n" in out and "] Exiting with exit_status 0\n" in out, out
