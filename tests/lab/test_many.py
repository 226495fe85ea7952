"""Sixteen nodes, every one hearing every other: it forms, survives its leader, and costs little."""
import os

from lab import now, wait_for
from lab.haven import group_text

NODES = ["node%02d" % i for i in range(1, 17)]


def cpu_seconds(node):
    """What all of haven's own processes on that node have used so far."""
    ticks = 0
    for pid in node.processes():
        try:
            with open("/proc/%d/stat" % pid, encoding="ascii", errors="replace") as f:
                fields = f.read().rsplit(")", 1)[1].split()
            ticks += int(fields[11]) + int(fields[12])
        except OSError:
            pass
    return ticks / os.sysconf("SC_CLK_TCK")


def packets(c):
    """Sent by all nodes on the front network so far."""
    total = 0
    for machine in c.machines():
        with open("/proc/%d/net/dev" % machine.init_pid, encoding="ascii") as f:
            total += sum(int(line.split(":")[1].split()[9]) for line in f if line.split(":")[0].strip() == "front")
    return total


def test_sixteen_nodes_form_and_survive_their_leader(cluster, record_property):
    c = cluster(nodes=NODES, service=None, arbiter="none", groups=[
        group_text("web", NODES, "10.77.0.111"), group_text("mail", NODES[1:] + NODES[:1], "10.77.0.112")])
    c.start(timeout=60)
    leader = c["node01"].status()["leader"]
    assert leader

    # peace: what a node costs
    cpu, sent, start = {n: cpu_seconds(c[n]) for n in NODES}, packets(c), now()
    wait_for(lambda: now() > start + 3, 5, "three seconds of peace")
    spent = now() - start
    share = {n: (cpu_seconds(c[n]) - cpu[n]) / spent for n in NODES}
    rate = (packets(c) - sent) / spent / len(NODES)
    print("sixteen nodes at rest: %.1f %% of a CPU for the leader, %.1f %% for another; %.0f packets/s from each on "
          "each link" % (100 * share[leader], 100 * sorted(share.values())[len(NODES) // 2], rate))
    assert rate < 400, "more packets than three a heartbeat to each of the others"
    assert share[leader] < 0.25 and sorted(share.values())[len(NODES) // 2] < 0.1

    # the leader dies; whoever it was, both groups run again
    owners = {g["name"]: g["node"] for g in c["node01"].status()["groups"]}
    c.power_cut(leader)
    c.wait_node(leader, "offline", timeout=10)
    wait_for(lambda: all((n.status() or {}).get("leader") not in (leader, "", None) for n in c.running()), 10,
             "another leader")
    c.wait_status(lambda s: all(g["state"] == "started" and g["node"] != leader for g in s["groups"]),
                  "all groups started elsewhere", timeout=10)
    for name, node in owners.items():
        if node != leader:
            c.wait_group(name, node)
