"""A cluster that is changed while it runs: what its files may ask for, and what they may not yet."""
import re
import shutil

from lab import now, wait_for


def epochs(c):
    return {g["name"]: (g["node"], g["epoch"]) for g in c.running()[0].status()["groups"]}


def with_timing(text, heartbeat, dead):
    """The file with another heartbeat and dead."""
    text = re.sub(r"(?m)^ *(heartbeat|dead|profile) *=.*\n", "", text)
    return text.replace("cluster lab {\n", "cluster lab {\n    heartbeat = %s\n    dead = %s\n" % (heartbeat, dead), 1)


def timings(c):
    return {node.name: (node.status() or {}).get("timing") for node in c.running()}


def wait_timing(c, text):
    wait_for(lambda: set(timings(c).values()) == {text}, 15, lambda: "%s; now: %s" % (text, timings(c)))


def test_dead_changes_while_everything_runs(cluster, prober):
    c = cluster(nodes=3, service="process", arbiter="none")
    c.start()
    client = prober(c.address)
    client.wait_answer()
    c.wait_quiet(client, 0.3)
    before, held = now(), epochs(c)
    for heartbeat, dead in (("100ms", "2s"), ("50ms", "250ms"), ("100ms", "500ms"), ("50ms", "300ms")):
        c.reconfigure(with_timing(c.text, heartbeat, dead))
        for node in c.nodes.values():
            node.haven("reload")
        wait_timing(c, "heartbeat %s, dead %s" % (heartbeat, dead))
    end = c.wait_quiet(client, 0.3)
    assert epochs(c) == held
    assert c.watcher.none_held(c.address, before, end) == 0
    assert client.during(before, end) == []

    # and it is what the next death is measured by
    owner = c.owner()
    cut = c.power_cut(owner)
    client.wait_answer(next(n for n in c.nodes if n != owner), 5)
    end = c.wait_quiet(client, 0.5)
    assert client.longest(cut, end) < 1.5


def test_a_change_waits_for_a_node_that_is_not_there(pair):
    c = pair()
    c["beta"].stop()
    c.reconfigure(with_timing(c.text, "100ms", "1s"))
    c["alpha"].haven("reload")
    wait_for(lambda: any("beta" == e["subject"] and "it is offline -> heartbeat and dead stay" in e["text"]
                         for e in c["alpha"].events()), 10, "what it waits for")
    status = c["alpha"].haven("status").stdout
    assert "heartbeat 100ms, dead 500ms; the file says 100ms, 1s: in force once all nodes are online" in status
    c["beta"].start()
    wait_timing(c, "heartbeat 100ms, dead 1s")


def test_what_cannot_change_live_is_refused_with_the_way_to_do_it(pair):
    c = pair()
    held = epochs(c)
    c.configure("alpha", c.text.replace("cluster lab {\n", "cluster lab {\n    port = 7000\n", 1))
    refused = c["alpha"].haven("reload", check=False)
    assert refused.returncode == 1
    assert "the port cannot change while the cluster runs" in refused.stderr
    c.configure("alpha", c.text.replace("node beta", "node gamma").replace("beta}", "gamma}"))
    refused = c["alpha"].haven("reload", check=False)
    assert refused.returncode == 1
    assert "node beta is not in it and is online: stop havend there first" in refused.stderr
    assert epochs(c) == held


def test_the_state_under_a_running_havend_is_left_alone(pair):
    c = pair()
    node = c["alpha"]
    refused = node.haven("init", "-n", "alpha", "--state-dir", node.state_dir, "--force", check=False)
    assert refused.returncode == 1 and "stop it first" in refused.stderr



def told(c, subject, text):
    return any(subject in ("", e["subject"]) and text in e["text"] for node in c.running() for e in node.events())


def test_a_node_is_added_and_one_is_taken_out_while_everything_runs(cluster, prober):
    c = cluster(nodes=["beta", "gamma", "alpha"], service="process", arbiter="none", timing={"start-wait": "1s"})
    # alpha is to come later: its name sorts before the others, so that no number may follow from the order
    whole = c.text
    without = re.sub(r"(?m)^node alpha .*\n", "", whole).replace("beta, gamma, alpha", "beta, gamma")
    late = c.nodes.pop("alpha")
    c.reconfigure(without)
    c.start()
    client = prober(c.address)
    client.wait_answer()
    c.wait_quiet(client, 0.3)
    before, held = now(), epochs(c)

    c.nodes["alpha"] = late
    c.reconfigure(whole)
    late.start()  # without a state: 'haven init' is for new clusters
    for name in ("beta", "gamma"):
        c[name].haven("reload")
    wait_for(lambda: told(c, "alpha", "it votes from now on"), 20, "alpha's vote")
    end = c.wait_quiet(client, 0.3)
    assert epochs(c) == held
    assert client.during(before, end) == []

    # the leader leaves in order, and is taken out
    leader = c["alpha"].status()["leader"]
    c[leader].stop()
    c.wait_node(leader, "offline", names=[n for n in c.nodes if n != leader])
    c.wait_group("web", names=[n for n in c.nodes if n != leader])
    c.wait_quiet(client, 0.3)
    before = now()
    gone = c.nodes.pop(leader)
    text = re.sub(r"(?m)^node %s .*\n" % leader, "", whole)
    c.reconfigure(re.sub(r"(?m)^    nodes = .*", "    nodes = {%s}" % ", ".join(c.nodes), text))
    for node in c.nodes.values():
        node.haven("reload")
    wait_for(lambda: told(c, gone.name, "its vote is gone") or told(c, "", "its vote is gone"), 20, "the end of its vote")
    c.wait_status(lambda s: len(s["nodes"]) == 2, "two nodes")
    end = c.wait_quiet(client, 0.3)
    assert client.during(before, end) == []
    assert gone.name not in [n["name"] for n in c.running()[0].status()["nodes"]]

    # back with its old file it has no part in anything, and says what may be
    c.nodes[gone.name] = gone
    gone.start()
    wait_for(lambda: "removed from their files" in gone.haven("status", check=False).stdout, 20,
             lambda: "what became of it: " + gone.haven("status", check=False).stdout)
    assert not gone.status()["quorum"]["held"]
    gone.stop()
    del c.nodes[gone.name]
    assert client.during(before, c.wait_quiet(client, 0.3)) == []


def test_a_machine_of_the_same_name_with_a_new_disk_takes_the_place_of_the_old_one(cluster, prober):
    c = cluster(nodes=3, service="process", arbiter="none")
    c.start()
    client = prober(c.address)
    client.wait_answer()
    old = c.owner()
    others = [n for n in c.nodes if n != old]
    begin = c.power_cut(old)
    c.wait_group("web", names=others)
    c.wait_quiet(client, 0.5)
    before = now()
    shutil.rmtree(c[old].state_dir)
    c.power_on(old)  # without a state: 'haven init' would make a second voter of the name
    wait_for(lambda: told(c, old, "readmitted"), 20, "that it is taken in again")
    c.wait_well()
    assert c.watcher.both_held(c.address, begin, now()) == 0
    assert client.longest(before, now()) < 5  # its groups may come back to it, in order

    # it has its vote: with it alone the next death is survived
    dead = next(n for n in others if n != c.owner())
    cut = c.power_cut(dead)
    c.wait_node(dead, "offline", names=[n for n in c.nodes if n != dead])
    c.wait_group("web", names=[n for n in c.nodes if n != dead])
    c.wait_quiet(client, 0.5)
    assert c.watcher.both_held(c.address, cut, now()) == 0
