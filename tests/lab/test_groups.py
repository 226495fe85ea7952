"""How groups stand to each other: with, apart, after, everywhere, and what nodes can carry."""
from lab import wait_for
from lab.haven import group_text, process_text

THREE = ["alpha", "beta", "gamma"]


def group(status, name):
    return next(g for g in status["groups"] if g["name"] == name)


def places(status, name):
    return {p["node"]: p["state"] for p in group(status, name)["everywhere"]}


def with_words(text, *words):
    """The group's text with more words in it."""
    head, rest = text.split("\n", 1)
    return "\n".join([head] + ["    " + w for w in words] + [rest])


def everywhere_text(name, nodes, *words, port=7100):
    return "group %s {\n    nodes = {%s}\n    everywhere = yes\n%s    %s\n}\n" % (
        name, ", ".join(nodes), "".join("    %s\n" % w for w in words), process_text(port, name))


def order_of(events, kind, *groups):
    """When each group's newest event of that kind came, in the order of coming."""
    newest = {e["subject"]: e["number"] for e in events if e["kind"] == kind and e["subject"] in groups}
    return sorted(newest, key=newest.get)


def test_companions_strangers_and_what_each_node_has(cluster):
    c = cluster(nodes=3, arbiter="none", service=None, groups=[
        everywhere_text("base", THREE, 'restart = "0 in 1m"'),
        with_words(group_text("web", THREE, "10.77.0.111"), "with = {base}", "after = {base}", "priority = 1"),
        with_words(group_text("app", THREE, "10.77.0.112", first=process_text(7101, "app").replace("warm = yes", "")),
                   "with = {web}", "after = {web}"),
        with_words(group_text("mail", THREE, "10.77.0.113", failback="manual"), "apart = {web}"),
    ])
    c.start()
    c.wait_group("web", "alpha")
    c.wait_group("app", "alpha")
    c.wait_group("mail", "beta")
    c.wait_status(lambda s: places(s, "base") == dict.fromkeys(THREE, "started"), "base runs everywhere")
    assert order_of(c["alpha"].events(), "group-started", "base", "web", "app") == ["base", "web", "app"]
    said = c.haven("explain", "mail").stdout
    assert "web belongs there, which it keeps apart from" in said, said

    # one fails: those that belong together go together, and not to where the stranger is
    c.power_cut("alpha")
    c.wait_group("web", "gamma")
    c.wait_group("app", "gamma")
    c.wait_group("mail", "beta")
    c.power_on("alpha")
    c.wait_group("web", "alpha")
    c.wait_group("app", "alpha")

    # what it goes with fails on a node: it leaves that node, and returns when that is cleared
    c.machine("alpha").kill([p for p in c.machine("alpha").pids("lab-echo")
                             if "7100" in c.machine("alpha").processes()[p][2]])
    c.wait_status(lambda s: places(s, "base")["alpha"] == "failed", "base failed on alpha")
    c.wait_group("web", "gamma")
    c.wait_group("app", "gamma")
    c.haven("clear", "base")
    c.wait_status(lambda s: places(s, "base") == dict.fromkeys(THREE, "started"), "base runs everywhere again")
    c.wait_group("app", "alpha")

    # who starts after another stops before it
    c.haven("stop", "web", node="beta")
    c.wait_group("web", state="stopped")
    c.wait_group("app", state="stopped")
    assert order_of(c["alpha"].events(), "group-stopped", "web", "app") == ["app", "web"]
    assert "web" in group(c["beta"].status(), "app")["text"]
    c.haven("start", "web")
    c.wait_group("app", "alpha")

    # everywhere but where a node stands by
    c.haven("standby", "gamma", node="beta")
    c.wait_status(lambda s: places(s, "base") == {"alpha": "started", "beta": "started", "gamma": "stopped"},
                  "base stopped on gamma")
    c.haven("online", "gamma", node="beta")
    c.wait_status(lambda s: places(s, "base")["gamma"] == "started", "base started on gamma again")


def test_what_runs_everywhere_outlives_the_quorum_and_the_core(cluster):
    c = cluster(nodes=3, arbiter="none", service=None, groups=[
        everywhere_text("base", THREE), group_text("web", THREE, "10.77.0.111")])
    c.start()
    echo = c.machine("alpha").pids("lab-echo")
    assert len(echo) == 1
    c["alpha"].kill("core")
    c.wait_well()
    assert c.machine("alpha").pids("lab-echo") == echo, "the core's death disturbed it"
    for other in ("beta", "gamma"):
        c.power_cut(other)
    wait_for(lambda: not c.machine("alpha").holds(c.address), 5, "the address to go with the majority")
    assert c.machine("alpha").pids("lab-echo") == echo, "the loss of the majority stopped it"


def test_a_node_carries_no_more_than_its_capacity(cluster):
    groups = [group_text(name, THREE, "10.77.0.%d" % address)
              for name, address in (("a", 111), ("b", 112), ("c", 113), ("d", 114))]
    groups[3] = with_words(groups[3], "priority = 5")
    c = cluster(nodes=3, arbiter="none", service=None, groups=groups)
    text = c.text
    for name, capacity in (("alpha", 1), ("beta", 2), ("gamma", 1)):
        text = text.replace("node %s { " % name, "node %s { capacity = %d  " % (name, capacity))
    c.reconfigure(text)
    c.start()
    where = {g["name"]: g["node"] for g in c["alpha"].status()["groups"]}
    assert where == {"d": "alpha", "a": "beta", "b": "beta", "c": "gamma"}
    c.power_cut("alpha")  # somebody has to give way to d, which matters more, and only one
    c.wait_status(lambda s: sorted(g["state"] for g in s["groups"]) == ["started"] * 3 + ["stopped"]
                  and group(s, "d")["state"] == "started", "three of four, d among them")
    stopped = next(g for g in c["beta"].status()["groups"] if g["state"] == "stopped")
    assert "no fit node has room" in stopped["text"]
    assert "taken by others, 1 needed" in c.haven("explain", stopped["name"]).stdout
    c.power_on("alpha")
    c.wait_well()
