"""README.md's "Two real servers in ten minutes", typed word by word.

The README shows `service nginx`, because most of its readers have systemd; so the servers here have it too, the real
one, with Debian's unit of nginx and haven's own unit as `make install` leaves it (lab/server.py). What a lab cannot
do as it stands is in STAND_INS, and nowhere else. In the README

    ```sh       # on both|web1|web2|a client, then commands; each must end well
    ```text     what the last command before it prints, asked again until it does: a person looks again, too. Numbers
                that differ from day to day count as equal, a line `...` as any lines or none
    ```haven    # web1|both: into what file, `added to` a file, or `instead of the line ...`
    <!-- lab: power_cut web1 -->    what a hand does"""
import collections
import json
import os
import re
import shutil

import pytest

from lab import Guard, Lab, Watcher, now, wait_for
from lab.server import Server
from lab.tools import ROOT, build, run

SECTION = "Two real servers in ten minutes"
NAMES = ["web1", "web2"]
CONFIG = "/etc/haven/haven.conf"
ADDRESS = "192.168.0.111"
PATIENCE = 30

Step = collections.namedtuple("Step", "kind head body line")


def install(play, name):
    """The build that is tested, as `make install` would put it."""
    run("meson", "install", "-C", build(), "--no-rebuild", "--quiet", "--destdir", play.server[name].root)


def copy(play, name, *files, to):
    for path in files:
        shutil.copy2(play.server[name].root + path, play.server[to].root + path)


# what is typed -> what the lab does instead
STAND_INS = {
    "make deps install": install,
    "scp -p /etc/haven/key /etc/haven/haven.conf web2:/etc/haven/":
        lambda play, name: copy(play, name, "/etc/haven/key", "/etc/haven/haven.conf", to="web2"),
}
# numbers of the day
FOLDED = [(r" \(held up here: [^)]*\)", ""),  # said on a busy machine only
          (r"(arbiter ping \(weak\)): .*", r"\1: ASKED OR NOT"),  # it was, where one node came up well before the other
          (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+", "DATE"), (r"\b\d+(\.\d+)?(us|ms|s)\b", "TIME"),
          (r"\bverified by \S+", "verified by A NEIGHBOUR"), (r"\bepoch \d+\.\d+", "epoch N"), (r"\bterm \d+", "term N"), (r"\bpid \d+", "pid N")]


def steps(heading=SECTION):
    """The section's steps, in order. A fence that is of no known kind, or never closed, is a mistake."""
    with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as f:
        text = f.read()
    start = text.index("\n## %s\n" % heading)
    section = text[start:text.index("\n## ", start + 1)]
    found, lines = [], iter(enumerate(section.split("\n"), text[:start].count("\n") + 1))
    for number, line in lines:
        hand = re.fullmatch(r"<!-- lab: (.*) -->", line)
        if hand:
            found.append(Step("hand", hand.group(1), [], number))
        elif line.startswith("```"):
            body = []
            for _, inside in lines:
                if inside == "```":
                    break
                body.append(inside)
            else:
                raise AssertionError("README.md:%d: is never closed" % number)
            kind = line[3:]
            head = "" if kind == "text" else body.pop(0).removeprefix("# ")
            found.append(Step(kind, head, body, number))
    return found


def fold(text):
    for pattern, word in FOLDED:
        text = re.sub(pattern, word, text)
    return text.rstrip("\n")


def pattern_of(body):
    """What a text block stands for."""
    return re.compile("".join(r"(.*\n)*?" if line == "..." else re.escape(fold(line)) + r"\n" for line in body))


def edited(text, step):
    """The configuration `text` after what a haven block says."""
    what, body = step.head.partition(": ")[2], "\n".join(step.body) + "\n"
    old = re.fullmatch(r"instead of the line '(.*)'", what)
    if old:
        return re.sub(r"(?m)^ *%s .*\n" % re.escape(old.group(1)), lambda _: body, text)
    if what == "added to " + CONFIG:
        return text + "\n" + body
    assert what == CONFIG
    return body


class Play:
    def __init__(self, lab):
        self.lab = lab
        self.server = {name: Server(lab, name, NAMES.index(name) + 1) for name in NAMES}
        self.client = lab.add_client(networks=lab.networks)
        self.printed = lambda: ""  # runs the last command once more

    def hosts(self, words):
        known = {"on both": NAMES, "on web1": ["web1"], "on web2": ["web2"], "on a client": ["client"]}
        return known[words]

    def type(self, host, line):
        """One line, typed on one machine; subprocess.CompletedProcess, or None where the lab did it instead."""
        if line in STAND_INS:
            STAND_INS[line](self, host)
            return None
        if host == "client":
            return self.client.run("timeout", "2", "sh", "-c", line, check=False)
        return self.server[host].sh(line, check=False)

    def sh(self, step):
        for line in step.body:
            for host in self.hosts(step.head):
                done = self.type(host, line)
                if done is not None and done.returncode != 0 and host != "client":
                    raise AssertionError("README.md:%d: %s: %s: exit %d: %s" % (
                        step.line, host, line, done.returncode, (done.stderr or done.stdout).strip()))
        last = (self.hosts(step.head)[-1], step.body[-1])
        self.printed = lambda: self.type(*last).stdout

    def text(self, step):
        wanted, seen = pattern_of(step.body), [""]

        def printed():
            seen[0] = self.printed()
            return wanted.fullmatch(fold(seen[0]) + "\n")

        wait_for(printed, PATIENCE, lambda: "README.md:%d says:\n%s\nprinted:\n%s" % (
            step.line, "\n".join(step.body), seen[0]), 0.1)

    def haven(self, step):
        where = step.head.partition(": ")[0]
        for name in NAMES if where == "both" else [where]:
            path, old = self.server[name].root + CONFIG, ""
            if os.path.exists(path):
                with open(path, encoding="utf-8") as f:
                    old = f.read()
            self.server[name].write(CONFIG, edited(old, step))

    def hand(self, step):
        what, name = step.head.split()
        {"power_cut": self.lab.power_cut, "power_on": self.lab.power_on}[what](self.server[name].machine)

    def status(self, name):
        return json.loads(self.server[name].sh("haven status --json").stdout)

    def story(self):
        """For whoever reads a failure."""
        powered = [s for s in self.server.values() if s.machine.powered]
        return "\n".join("--- %s\n%s" % (s.name, s.sh("haven events -n 100; systemctl status --no-pager havend nginx",
                                                      check=False).stdout) for s in powered)


@pytest.fixture
def play(request):
    options = json.loads(run("meson", "introspect", build(), "--buildoptions"))
    prefix = next(o["value"] for o in options if o["name"] == "prefix")
    if prefix != "/usr/local":
        pytest.skip("the README installs below /usr/local, this build below %s" % prefix)
    for program in ("systemctl", "nginx", "curl"):
        if not shutil.which(program):
            pytest.skip("there is no %s here" % program)
    with Lab(networks=("eth0",), prefixes=("192.168.0",), keep=request.config.getoption("--keep")) as lab:
        made = Play(lab)
        try:
            for server in made.server.values():
                server.wait_up()
        except (RuntimeError, TimeoutError) as error:
            pytest.skip("systemd does not come up in namespaces here: %s" % error)
        yield made


def test_two_real_servers_in_ten_minutes(play):
    watcher = Watcher(play.lab, net="eth0")
    guard = Guard(watcher)
    guard.add(ADDRESS)
    kinds = {"sh": play.sh, "text": play.text, "haven": play.haven, "hand": play.hand}
    try:
        for step in steps():
            kinds[step.kind](step)
        check_the_end(play)
    except (AssertionError, TimeoutError):
        print(play.story())
        raise
    guard.check()


def test_all_that_it_writes_into_the_file_is_good(tmp_path):
    """Also what is not played, since no namespace has the kernel's part of it."""
    text, path = "", tmp_path / "haven.conf"
    blocks = [step for heading in (SECTION, "Balance load") for step in steps(heading) if step.kind == "haven"]
    assert len(blocks) >= 4
    for step in blocks:
        text = edited(text, step)
        path.write_text(text, encoding="utf-8")
        said = run(os.path.join(build(), "src/cli/haven"), "check", str(path))
        assert "is good" in said, "README.md:%d: %s" % (step.line, said)
    assert "director" in text and "watch" in text and "alert" in text


def check_the_end(play):
    """What the README does not show and its reader expects."""
    for server in play.server.values():
        enabled = server.sh("systemctl is-enabled havend nginx", check=False).stdout.split()
        assert enabled == ["enabled", "disabled"]
        assert server.sh("man -w haven havend haven.conf").stdout.count("/usr/local/share/man/") == 3
        rules = server.sh("nft list table inet haven", check=False).stdout
        assert "694" in rules or server.machine.boots > 1, "the rules of the first boot are loaded"
    other = [e for e in play.server["web2"].sh("haven events --json -n 1000").stdout.splitlines()
             if json.loads(e)["kind"] == "group-failed"]
    assert other and "on web1" in other[0], "the one that takes over says why, too: " + "\n".join(other)


def test_havend_ends_in_order_as_a_unit(play):
    """systemctl stop hands over first, and leaves nothing of it behind."""
    for step in steps():
        if step.kind == "hand":
            break
        {"sh": play.sh, "text": play.text, "haven": play.haven}[step.kind](step)
    start = now()
    play.server["web1"].sh("systemctl stop havend")
    assert now() - start < 10
    assert play.server["web1"].sh("systemctl show -p Result,ActiveState havend").stdout.split() == \
        ["Result=success", "ActiveState=inactive"]
    web = play.status("web2")["groups"][0]
    assert (web["node"], web["state"]) == ("web2", "started")
    assert not play.server["web1"].machine.holds(ADDRESS)
    assert play.server["web1"].machine.pids("nginx") == []
    assert [p for p in play.server["web1"].machine.processes().values() if p[1].startswith("haven")] == []
