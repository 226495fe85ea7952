"""Data that must not be twice: its silent node is powered off first, or a person says that it is off."""
import signal

import pytest

from lab import now, wait_for
from lab.haven import group_text, process_text
from lab.switch import Switch

@pytest.fixture
def switch(lab):
    s = Switch(lab)
    yield s
    s.end()


@pytest.fixture
def data_pair(cluster, switch):
    """Two nodes, a switch for both, and a group whose process must not run twice."""
    def make(**named):
        address = "10.77.0.111"
        group = group_text("web", ["alpha", "beta"], address, first=process_text() + "\nexclusive = data")
        c = cluster(nodes=2, arbiter="none", service=None, groups=[group], extra=switch.text(), **named)
        switch.cluster = c
        c.start()
        return c

    return make


def freeze_machine(c, name):
    """Every process of it, as when a machine stands still; returns when."""
    machine = c.machine(name)
    return machine.kill(machine.processes(), signal.SIGSTOP)


def echo_runs(c, name):
    return bool(c.machine(name).pids("lab-echo"))


def node_power(c, asked, name):
    return next(n["power"] for n in c[asked].status()["nodes"] if n["name"] == name)


def test_a_frozen_owner_of_data_is_powered_off_before_another_starts(data_pair, switch):
    c = data_pair()
    c.wait_group("web", "alpha")
    freeze_machine(c, "alpha")
    started = []

    def look():
        if not started and echo_runs(c, "beta"):
            started.append(now())
        return started

    wait_for(look, 30, "the service runs on beta", 0.01)
    assert "alpha" in switch.at and switch.at["alpha"] < started[0], "started before alpha was off"
    c.wait_group("web", "beta", names=["beta"])
    assert switch.calls()[:2] == ["off alpha", "status alpha"]
    assert node_power(c, "beta", "alpha") == "off"
    c.power_on("alpha")
    c.wait_node("alpha", "online", names=["beta"])
    wait_for(lambda: node_power(c, "beta", "alpha") == "", 10, "alpha is no longer taken for off")


def test_without_a_working_switch_it_is_blocked_until_a_person_confirms(data_pair, switch):
    c = data_pair()
    c.wait_group("web", "alpha")
    switch.touch("broken")
    refused = c.haven("confirm-off", "alpha", "--yes", node="beta", check=False)
    assert refused.returncode == 1 and "is heard" in refused.stderr
    freeze_machine(c, "alpha")
    status = c.wait_group("web", state="blocked", names=["beta"])
    text = next(g["text"] for g in status["groups"] if g["name"] == "web")
    assert "haven confirm-off alpha" in text, text
    wait_for(lambda: any("could not be powered off" in e["text"] for e in c["beta"].events()), 20, "the failure is told")
    assert not echo_runs(c, "beta")
    c.power_cut("alpha")
    c.haven("confirm-off", "alpha", "--yes", node="beta")
    c.wait_group("web", "beta", names=["beta"])
    assert any("says that it is off" in e["text"] for e in c["beta"].events())


def test_haven_fence_powers_off_and_waits_for_it(data_pair, switch):
    c = data_pair()
    leader = c["alpha"].status()["leader"]
    other = "beta" if leader == "alpha" else "alpha"
    done = c.haven("fence", other, "--yes", node=leader)
    assert "powered off for certain" in done.stdout
    assert other in switch.at
    c.wait_group("web", leader, names=[leader])
    alone = c.haven("fence", leader, node=leader, check=False)
    assert alone.returncode == 1 and "say --yes" in alone.stderr


def test_the_fence_arbiter_lets_one_go_on_once_the_other_is_off(cluster, switch):
    c = cluster(nodes=2, arbiter="arbiter fence { }", service="process", extra=switch.text())
    switch.cluster = c
    c.start()
    c.wait_group("web", "alpha")
    freeze_machine(c, "alpha")
    wait_for(lambda: "alpha" in switch.at, 20, "alpha is powered off")
    c.wait_group("web", "beta", names=["beta"])
    assert c["beta"].status()["quorum"]["strength"] == "strong"
    c.power_on("alpha")
    c.wait_well()


def test_of_two_that_are_cut_off_the_leader_switches_the_other_off(lab, cluster, switch):
    c = cluster(nodes=2, arbiter="arbiter fence { }", service="process", extra=switch.text())
    switch.cluster = c
    c.start()
    c.wait_group("web", "alpha")
    leader = c["alpha"].status()["leader"]
    other = "beta" if leader == "alpha" else "alpha"
    lab.cut_pair(c.machine("alpha"), c.machine("beta"))
    wait_for(lambda: other in switch.at, 20, other + " is powered off")
    c.wait_group("web", leader, names=[leader])
    assert leader not in switch.at, "both were switched off"


def test_who_leaves_in_order_is_not_switched_off(cluster, switch):
    c = cluster(nodes=2, arbiter="arbiter fence { }", service="process", extra=switch.text())
    switch.cluster = c
    c.start()
    c.wait_group("web", "alpha")
    start = now()
    assert c["beta"].stop() == 0
    wait_for(lambda: now() > start + 3, 5, "time to pass in which it could be")
    c.wait_group("web", "alpha", names=["alpha"])
    assert switch.calls() == []
    c["beta"].start()
    c.wait_well()
