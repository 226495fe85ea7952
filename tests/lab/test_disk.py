"""A pair whose third vote is on a disk that both see: here a file that both machines have."""
import json
import os
import re
import signal

from lab import now, wait_for
from lab.haven import haven_program
from lab.tools import run


def shared(c, link, nodes=2):
    """Prepares the area; its text for the configuration."""
    path = os.path.join(c.lab.directory, "arbiter.disk")
    text = "arbiter disk { device = %s  dead = 2s  link = %s }\n" % (path, "yes" if link else "no")
    c.text = c.text.replace("arbiter none\n", "") + text
    for name in c.nodes:
        c.configure(name)
    run(haven_program(), "disk", "init", path, "-c", c.config_path("alpha"), "--nodes", str(nodes))
    return path


def disk_pair(cluster, link=False, **named):
    c = cluster(arbiter="none", **named)
    c.disk = shared(c, link)
    c.start()
    c.wait_status(lambda s: s["quorum"]["arbiter"] == "disk" and "answers in" in s["quorum"]["text"], "the disk answers")
    return c


def past(start, seconds):
    wait_for(lambda: now() > start + seconds, seconds + 5, "time to pass in which something could change")


def epoch(c, name="alpha"):
    return next(g["epoch"] for g in c[name].status()["groups"] if g["name"] == "web")


def test_a_pair_that_is_split_has_one_owner(cluster):
    """Both still see the client and the disk: one gets the vote, and never do both answer."""
    c = disk_pair(cluster)
    assert c["alpha"].status()["quorum"]["strength"] == "strong"
    cut = now()
    c.lab.cut_pair(c.machine("alpha"), c.machine("beta"))
    past(cut, 4)
    assert c.watcher.both_held(c.address, cut, now()) == 0
    assert len(c.watcher.holders(c.address)) == 1
    healed = c.lab.heal()
    c.wait_well()
    assert c.watcher.both_held(c.address, healed, now()) == 0


def test_the_leader_of_a_split_that_dies_is_followed(cluster):
    c = disk_pair(cluster)
    c.lab.cut_pair(c.machine("alpha"), c.machine("beta"))
    past(now(), 2)
    first, = c.watcher.holders(c.address)
    other = "beta" if first == "alpha" else "alpha"
    cut = c.power_cut(first)
    c.watcher.wait_holder(c.address, other, 10)
    assert now() - cut < 5
    records = json.loads(run(haven_program(), "disk", "show", "--json", c.disk))["nodes"]
    assert {r["kind"] for r in records if "kind" in r} == {"renewal"}, "both have led by the disk's vote"


def test_a_power_cut_moves_the_group(cluster, prober):
    c = disk_pair(cluster, link=True)
    client = prober(c.address)
    client.wait_answer("alpha")
    cut = c.power_cut("alpha")
    client.wait_answer("beta", 10)
    end = c.wait_quiet(client, 0.5)
    assert client.longest(cut, end) < 3


def test_nodes_that_hear_each_other_over_the_disk_alone_stay_one_cluster(cluster):
    c = disk_pair(cluster, link=True)
    held = epoch(c)
    cut = now()
    c.lab.cut_pair(c.machine("alpha"), c.machine("beta"))
    c.wait_status(lambda s: all(
        [l["state"] for l in n["links"] if l["name"] == "disk"] == ["up"] and
        all(l["state"] != "up" for l in n["links"] if l["name"] != "disk")
        for n in s["nodes"] if n["links"]), "the disk is the only link")
    past(cut, 3)
    assert c.watcher.none_held(c.address, cut, now()) == 0
    assert epoch(c) == held and all(n["state"] == "online" for n in c["beta"].status()["nodes"])
    c.haven("move", "web", "beta")
    c.wait_group("web", "beta")


def test_a_frozen_disk_alone_changes_nothing(cluster):
    c = disk_pair(cluster)
    held, start = epoch(c), now()
    frozen = [(c[name], c[name].freeze("haven-disk")) for name in c.nodes]
    c.wait_status(lambda s: "has not answered" in s["quorum"]["text"], "the status tells of it")
    past(start, 3)
    assert c.watcher.none_held(c.address, start, now()) == 0 and epoch(c) == held
    for node, pid in frozen:
        node.thaw(pid)
    c.wait_status(lambda s: "answers in" in s["quorum"]["text"], "the disk is back")


def test_a_killed_haven_disk_is_back(cluster):
    c = disk_pair(cluster)
    before = c["alpha"].pid("haven-disk")
    c["alpha"].kill("haven-disk", signal.SIGKILL)
    wait_for(lambda: before not in c["alpha"].processes() and
             any(p[1] == "haven-disk" for p in c["alpha"].processes().values()), 10, "another haven-disk")
    c.wait_status(lambda s: "answers in" in s["quorum"]["text"], "the disk answers")
    c.wait_well()


def test_init_refuses_a_disk_in_use(cluster):
    c = disk_pair(cluster, link=True)
    done = c.haven("disk", "init", c.disk, "-c", c.config_path("alpha"), "--force", check=False)
    assert done.returncode == 1 and "is writing to it now" in done.stderr


def test_a_core_killed_while_the_disk_decides_is_not_noticed(cluster):
    """The lease rests on the disk alone; the next core has the next haven-disk, which waits for the last one's write."""
    c = disk_pair(cluster)
    c.lab.cut_pair(c.machine("alpha"), c.machine("beta"))
    past(now(), 2)
    owner, = c.watcher.holders(c.address)
    before, core = now(), c[owner].pid("core")
    c[owner].kill("core")
    wait_for(lambda: c[owner].status() is not None and c[owner].pid("core") != core, 10, "a new core answers")
    past(before, 3)
    assert c.watcher.holders(c.address) == [owner]
    assert c.watcher.none_held(c.address, before, now()) == 0


def test_a_node_is_replaced_beside_the_disk_while_the_other_runs_on(cluster, prober):
    """The area has room for more numbers than the pair has; who went keeps its own."""
    c = cluster(nodes=["beta", "gamma", "alpha"], service="process", arbiter="none")

    def pair(*names):
        text = c.whole
        for name in c.every:
            if name not in names:
                text = re.sub(r"(?m)^node %s .*\n" % name, "", text)
        return re.sub(r"(?m)^    nodes = .*", "    nodes = {%s}" % ", ".join(names), text)

    c.every = dict(c.nodes)
    late = c.nodes.pop("alpha")
    c.disk = os.path.join(c.lab.directory, "arbiter.disk")
    c.whole = c.text.replace("arbiter none\n", "") + "arbiter disk { device = %s  dead = 2s }\n" % c.disk
    c.reconfigure(pair("beta", "gamma"))
    run(haven_program(), "disk", "init", c.disk, "-c", c.config_path("beta"), "--nodes", "3")
    measured = run(haven_program(), "disk", "measure", c.disk, "-c", c.config_path("beta"), "--json")
    assert json.loads(measured)["count"] > 0
    c.start()
    c.wait_status(lambda s: "answers in" in s["quorum"]["text"], "the disk answers")
    c["beta"].haven("move", "web", "beta")
    c.wait_group("web", "beta")
    client = prober(c.address)
    client.wait_answer()
    c["gamma"].stop()
    c.wait_node("gamma", "offline", names=["beta"])
    before = c.wait_quiet(client, 0.3)

    del c.nodes["gamma"]
    c.nodes["alpha"] = late
    c.reconfigure(pair("beta", "alpha"))
    late.start()
    c["beta"].haven("reload")
    c.wait_status(lambda s: sorted(n["name"] for n in s["nodes"] if n["state"] == "online") == ["alpha", "beta"]
                  and s["quorum"]["survives"].startswith("one more"), "alpha in gamma's place")
    assert client.during(before, c.wait_quiet(client, 0.3)) == []
    cut = now()
    c.lab.cut_pair(c.machine("alpha"), c.machine("beta"))
    past(cut, 4)
    assert len(c.watcher.holders(c.address)) == 1 and c.watcher.both_held(c.address, cut, now()) == 0
    c.lab.heal()
    c.wait_well()

    # a third number after gamma's and alpha's has no room
    c.configure("beta", pair("beta", "alpha").replace("node alpha", "node delta").replace("alpha}", "delta}"))
    c["alpha"].stop()
    refused = c["beta"].haven("reload", check=False)
    assert refused.returncode == 1 and "has room for 3 nodes and 4 numbers are needed" in refused.stderr, refused.stderr
