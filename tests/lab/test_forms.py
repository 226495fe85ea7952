"""The three forms in which people ask for availability, by the very files of docs/examples: one active and one
standing by, two that take over from each other, two active and one spare.

Of an example, only what a lab has not is replaced: addresses, the interface, the key, and the services of a real
server, in whose place stands the lab's echo. Which node is preferred, what fails back and when, who carries what and
who comes first is the example's."""
import os
import re

from lab import now, wait_for
from lab.haven import NAMES, process_text

EXAMPLES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "docs", "examples")


def sections(text):
    """The lines of the text, each section that is no node or group in one piece."""
    piece, depth = "", 0
    for line in text.splitlines(keepends=True):
        bare = re.sub(r'"[^"]*"', "", line.split("#")[0])
        if depth or re.match(r"\s*(service|process|script|check|alert|address)\s+[^={]*{", line):
            piece += line
            depth += bare.count("{") - bare.count("}")
            if depth == 0:
                yield piece
                piece = ""
        else:
            yield line


def for_the_lab(text):
    """Services become echoes, each on a port of its own; checks, alerts and IPv6 are left out."""
    port = 7200
    for piece in sections(text):
        word = piece.split()[0] if piece.split() else ""
        if word in ("service", "process", "script"):
            port += 1
            yield "    %s\n" % process_text(port, "echo%d" % port)
        elif word not in ("check", "alert") and not re.match(r"\s*address 2001:", piece):
            yield piece


def example(name, cluster, nodes):
    """A cluster by that file; `nodes`: how many it has."""
    with open(os.path.join(EXAMPLES, name + ".conf"), encoding="utf-8") as f:
        text = "".join(for_the_lab(f.read()))
    c = cluster(nodes=nodes, arbiter="none", service=None, groups=[])
    text = re.sub(r"key += \S+", "key = " + c.key_path, text, count=1)
    for i, node in enumerate(NAMES[:nodes]):
        text = text.replace("10.0.0.%d," % (i + 1), c.machine(node).address["front"] + ",")
        text = text.replace("192.168.7.%d}" % (i + 1), c.machine(node).address["back"] + "}")
    text = text.replace("10.0.0.254", c.lab.gateway()).replace("10.0.0.", "10.77.0.").replace("eth0", "front")
    for address in re.findall(r"^\s*address\s+([0-9.]+)/", text, re.MULTILINE):
        c.guard.add(address)
    c.reconfigure(text)
    return c


def back_and_stays_away(c, name, group, owner):
    """The node is well again, and the group does not return by itself, but when somebody says so."""
    c.power_on(name)
    c.wait_node(name, "online")
    at = now()
    wait_for(lambda: now() > at + 3, 5, "time to pass in which it could fail back")
    c.wait_group(group, owner)
    c.haven("move", group, name)
    c.wait_group(group, name)


def test_one_serves_and_one_stands_by(cluster):
    c = example("active-standby", cluster, 2)
    c.start()
    c.wait_group("web", "alpha")
    c.power_cut("alpha")
    c.wait_group("web", "beta", timeout=5)
    back_and_stays_away(c, "alpha", "web", "beta")  # alpha has to be well for a minute first


def test_two_take_over_from_each_other(cluster):
    c = example("mutual-takeover", cluster, 2)
    c.start()
    c.wait_group("web", "alpha")
    c.wait_group("mail", "beta")
    c.power_cut("alpha")
    c.wait_group("web", "beta", timeout=5)
    c.wait_group("mail", "beta")
    c.power_on("alpha")
    c.wait_group("web", "alpha")  # returns by itself
    c.power_cut("beta")
    c.wait_group("mail", "alpha", timeout=5)
    c.wait_group("web", "alpha")
    back_and_stays_away(c, "beta", "mail", "alpha")


def test_a_spare_takes_over_whichever_fails(cluster):
    c = example("two-active-one-spare", cluster, 3)
    c.start()
    c.wait_group("web", "alpha")
    c.wait_group("database", "beta")

    c.power_cut("alpha")
    c.wait_group("web", "gamma", timeout=5)
    c.wait_group("database", "beta")
    c.power_on("alpha")
    c.wait_group("web", "alpha")

    # both cannot run at home: the spare carries one, and that is the database
    c.haven("standby", "alpha")
    c.wait_group("web", "gamma")
    c.haven("standby", "beta")
    c.wait_group("database", "gamma")
    c.wait_group("web", state="stopped")
    assert "no fit node has room" in next(g for g in c["alpha"].status()["groups"] if g["name"] == "web")["text"]
    said = c.haven("explain", "web").stdout
    assert "gamma: fit, 1 of 1 taken by others, 1 needed" in said, said

    # one home is there again: web runs, the database stays until it is moved
    c.haven("online", "alpha")
    c.wait_group("web", "alpha")
    c.haven("online", "beta")
    c.wait_node("beta", "online")
    c.wait_group("database", "gamma")
    c.haven("move", "database", "beta")
    c.wait_group("database", "beta")
