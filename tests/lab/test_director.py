"""Directors where the kernel has no IPVS, as namespaces mostly have none; with one they are tests/guest's."""
import os
import subprocess

import pytest

from lab import wait_for
from lab.haven import group_text, haven_program

DIRECTOR = """director front {
pool farm { real 10.77.0.201:80 { } }
virtual 10.77.0.112:80 { pool = farm }
}"""


def test_without_ipvs_a_group_fails_on_each_node_and_is_stuck_on_none(cluster, lab):
    c = cluster(groups=[group_text("web", ["alpha", "beta"], lab.floating()),
                        group_text("lb", ["alpha", "beta"], "10.77.0.112", first=DIRECTOR, body='restart = "0 in 5m"')])
    c.start(wait=False)
    seen = set()

    def tried(status):
        group = next(g for g in status["groups"] if g["name"] == "lb")
        seen.add(group["state"])
        return group["state"] == "started" or {"alpha", "beta"} <= set(group["failed_on"].replace(",", " ").split())

    c.wait_status(tried, "it has been tried on both")
    if "started" in seen:
        pytest.skip("this kernel has IPVS")
    assert "blocked" not in seen, "what was never set up need not be taken away"
    for node in c.nodes.values():
        assert "this kernel has no IPVS" in node.haven("lvs").stdout
    c.wait_group("web", "alpha")


def ask_standin(node, *words):
    return subprocess.run([os.path.join(os.environ["HAVEN_BUILD"], "src/main/haven-ldirectord"), *words], text=True,
                          capture_output=True, env={**os.environ, "HAVEN_SOCKET": node.socket}, timeout=60, check=False)


def test_a_wrong_file_of_ldirectord_stops_its_director_alone_until_it_is_mended(cluster, lab):
    www = os.path.join(lab.directory, "www.cf")
    with open(www, "w", encoding="ascii") as f:
        f.write("autoreload=yes\nvirtual=10.77.0.112:80\n\treal=10.77.0.201:80 masq\n\tquiescent=perhaps\n")
    c = cluster(groups=[group_text("web", ["alpha", "beta"], lab.floating()),
                        group_text("lb", ["alpha"], "10.77.0.112", first="director front { ldirectord = %s }" % www,
                                   body='restart = "0 in 5m"')])
    c.start(wait=False)
    c.wait_group("web", "alpha")
    c.wait_status(lambda s: "alpha" in next(g for g in s["groups"] if g["name"] == "lb")["failed_on"], "it has been tried")
    node = c["alpha"]
    assert "%s:4: quiescent must be 'yes' or 'no'" % www in node.haven("events").stdout, node.haven("events").stdout
    assert node.haven("lvs", "--json").stdout.count(www) == 1
    checked = subprocess.run([haven_program(), "check", c.config_path("alpha")], capture_output=True, text=True, check=False)
    assert checked.returncode == 1 and "%s:4: quiescent must be" % www in checked.stderr, checked
    # mended, it is read by itself
    with open(www, "w", encoding="ascii") as f:
        f.write("autoreload=yes\nvirtual=10.77.0.112:80\n\treal=10.77.0.201:80 masq\n")
    wait_for(lambda: "tcp 10.77.0.112:80" in node.haven("lvs").stdout, 30, lambda: "it is read: " + node.haven("lvs").stdout)
    # spoilt again, what was read stays
    with open(www, "a", encoding="ascii") as f:
        f.write("\tquiescent=perhaps\n")
    wait_for(lambda: "www.cf:4: quiescent must be" in node.haven("events").stdout.partition("is in force")[2], 30,
             lambda: "it is said: " + node.haven("events").stdout)
    assert "tcp 10.77.0.112:80" in node.haven("lvs").stdout
    # who asks by ldirectord's command is told whose it is
    asked = ask_standin(node, www, "status")
    assert asked.returncode == 2 and "at line 4" in asked.stderr, asked
    with open(www, "w", encoding="ascii") as f:
        f.write("virtual=10.77.0.112:80\n\treal=10.77.0.201:80 masq\n")
    asked = ask_standin(node, www, "status")
    assert asked.returncode == 3 and "director front of group lb is standby here" in asked.stdout, asked
