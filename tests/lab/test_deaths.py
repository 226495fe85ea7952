"""What dies: machines, processes of haven, services; and what is left of them."""
import os
import signal

from lab import ECHO_PORT, now, wait_for
from lab.haven import group_text, process_text

TAKEOVER = 5  # seconds; a generous bound for a busy machine, the bench measures what it really takes


# the address is still in the dead node's kernel, by its lifetime there; test_gate.py shows that nobody reaches it
SHUT = (4, "alpha's gate is shut: it has the address and answers nobody")


def script(c, name, text):
    """A program for a `process` resource."""
    path = os.path.join(c.lab.directory, name)
    with open(path, "w", encoding="ascii") as f:
        f.write("#!/bin/sh\n" + text)
    os.chmod(path, 0o755)
    return path


def arguments_of(machine):
    return [" ".join(arguments) for _, _, arguments in machine.processes().values()]


def epoch(c, group="web"):
    return next(g["epoch"] for g in c.running()[0].status()["groups"] if g["name"] == group)


def test_a_power_cut_moves_the_group_and_its_service(pair, prober):
    c = pair(service="process")
    client = prober(c.address)
    client.wait_answer("alpha")
    cut = c.power_cut("alpha")
    client.wait_answer("beta", TAKEOVER + 5)
    end = c.wait_quiet(client, 0.5)
    c.wait_group("web", "beta")
    c.wait_node("alpha", "offline")
    assert client.longest(cut, end) < TAKEOVER
    assert c.watcher.none_held(c.address, cut, end) < TAKEOVER
    assert any(e["kind"] == "node-down" and e["subject"] == "alpha" for e in c["beta"].events())


def test_a_power_cut_of_the_standby_changes_nothing(pair):
    c = pair()
    held = epoch(c)
    cut = c.power_cut("beta")
    c.wait_node("beta", "offline")
    c.wait_group("web", "alpha")
    assert epoch(c) == held
    assert c.watcher.none_held(c.address, cut, now()) == 0


def test_the_first_node_comes_back_and_so_does_the_group(pair, prober):
    c = pair(service="process")
    client = prober(c.address)
    c.power_cut("alpha")
    c.wait_group("web", "beta")
    client.wait_answer("beta")
    back = c.power_on("alpha")
    c.wait_group("web", "alpha")
    client.wait_answer("alpha")
    end = c.wait_quiet(client, 0.5)
    assert client.longest(back, end) < 2, "a failback is a planned move"


def test_without_failback_the_group_stays(pair):
    c = pair(groups=[group_text("web", ["alpha", "beta"], "10.77.0.111", failback="manual")])
    c.power_cut("alpha")
    c.wait_group("web", "beta")
    held = epoch(c)
    back = c.power_on("alpha")
    c.wait_node("alpha", "online")
    wait_for(lambda: now() > back + 2, 5, "time to pass in which it could move")
    c.wait_group("web", "beta")
    assert epoch(c) == held
    assert c.watcher.none_held(c.address, back, now()) == 0


def test_a_killed_core_is_not_noticed_by_the_service(pair, prober):
    c = pair(service="process")
    client = prober(c.address)
    client.wait_answer("alpha")
    held, echo = epoch(c), c.machine("alpha").pids("lab-echo")
    before = now()
    for _ in range(2):
        core = c["alpha"].pid("core")
        c["alpha"].kill("core")
        wait_for(lambda: c["alpha"].status() is not None and c["alpha"].pid("core") != core, 10, "a new core answers")
        c.wait_well()
    end = c.wait_quiet(client, 0.5)
    assert c.owner() == "alpha" and epoch(c) == held
    assert c.machine("alpha").pids("lab-echo") == echo, "the service runs on"
    assert c.watcher.none_held(c.address, before, end) == 0
    assert client.longest(before, end) < 0.3


def test_a_killed_supervisor_leaves_nothing_behind(pair, prober):
    c = pair(service="process")
    client = prober(c.address)
    client.wait_answer("alpha")
    c["alpha"].kill("supervisor")
    client.wait_answer("beta", TAKEOVER + 5)
    c.wait_group("web", "beta")
    alpha = c.machine("alpha")
    wait_for(lambda: not alpha.processes(), 5, lambda: "no process is left on alpha; now: %s" % alpha.processes())
    wait_for(lambda: not alpha.holds(c.address), 5, "alpha lets go of the address")


def test_supervisor_and_core_killed_at_once(pair):
    """Nobody is left to remove the address: alpha's gate shuts it with the lease, and its kernel removes it later,
    by its lifetime."""
    c = pair(service="process")
    c.guard.allow(*SHUT)
    alpha = c["alpha"]
    alpha.machine.kill([alpha.pid("supervisor"), alpha.pid("core")])
    c.wait_group("web", "beta", timeout=20)
    wait_for(lambda: not alpha.machine.processes(), 5,
             lambda: "no process is left on alpha; now: %s" % alpha.machine.processes())
    wait_for(lambda: not alpha.machine.holds(c.address), 4, "alpha's kernel removes the address")
    alpha.start()
    c.wait_group("web", "alpha")


def test_what_a_restarted_core_adopted_ends_with_its_lease_too(pair):
    """The second core once told the kernel no end of the address: it outlived every process of haven."""
    c = pair(service="process")
    c.guard.allow(*SHUT)
    alpha = c["alpha"]
    core = alpha.pid("core")
    alpha.kill("core")
    wait_for(lambda: alpha.status() is not None and alpha.pid("core") != core, 10, "a new core answers")
    c.wait_well()
    wait_for(lambda: "valid_lft forever" not in alpha.machine.run(
        "ip", "-o", "addr", "show", "to", c.address).stdout, 5, "the address has an end in the kernel")
    alpha.kill_all()
    c.wait_group("web", "beta", timeout=20)
    wait_for(lambda: not alpha.machine.holds(c.address), 4, "alpha's kernel removes the address")


def test_a_frozen_core_is_released_by_the_supervisor_and_replaced(pair):
    c = pair(service="process")
    held, frozen = epoch(c), c["alpha"].freeze("core")
    c.wait_status(lambda s: s["groups"][0]["state"] == "started" and s["groups"][0]["epoch"] != held,
                  "the group is started anew", ["beta"])
    wait_for(lambda: frozen not in c["alpha"].processes(), 5, "the frozen core is killed")
    c.wait_well()
    c.wait_group("web", "alpha")


def test_a_node_that_stood_still_does_not_fight_when_it_wakes(pair):
    """Both processes frozen: nobody on alpha removes the address but its lifetime in the kernel; its gate is shut."""
    c = pair(groups=[group_text("web", ["alpha", "beta"], "10.77.0.111", failback="manual", first=process_text())],
             service=None)
    c.guard.allow(*SHUT)
    alpha = c["alpha"]
    frozen = [alpha.pid("supervisor"), alpha.pid("core")]
    alpha.machine.kill(frozen, signal.SIGSTOP)
    c.wait_status(lambda s: s["groups"][0]["node"] == "beta" and s["groups"][0]["state"] == "started",
                  "beta has it", ["beta"])
    thawed = alpha.machine.kill(reversed(frozen), signal.SIGCONT)
    c.wait_status(lambda s: all(n["state"] == "online" for n in s["nodes"]), "both online again")
    c.wait_group("web", "beta")
    wait_for(lambda: now() > thawed + 2, 5, "time to pass in which it could take it")
    assert c.watcher.holders(c.address) == ["beta"]
    assert not alpha.machine.holds(c.address)
    assert not alpha.machine.pids("lab-echo")


def test_a_frozen_supervisor_harms_nobody(pair):
    c = pair()
    start = now()
    pid = c["alpha"].freeze("supervisor")
    wait_for(lambda: now() > start + 2, 5, "several leases to pass")
    c["alpha"].thaw(pid)
    c.wait_group("web", "alpha")
    assert c.watcher.none_held(c.address, start, now()) == 0


def test_a_killed_service_is_restarted_in_place(pair, prober):
    c = pair(service="process")
    client = prober(c.address)
    client.wait_answer("alpha")
    alpha = c.machine("alpha")
    old = alpha.pids("lab-echo")
    alpha.kill(old)
    wait_for(lambda: alpha.pids("lab-echo") and alpha.pids("lab-echo") != old, 10, "another echo runs on alpha")
    c.wait_group("web", "alpha")
    client.wait_answer("alpha")
    wait_for(lambda: any(e["kind"] == "group-restarted" for e in c["alpha"].events()), 5, "the event of it")


def test_a_service_that_keeps_dying_moves(pair, prober):
    c = pair(service="process", groups=[group_text(
        "web", ["alpha", "beta"], "10.77.0.111", first=process_text() + '\nrestart = "1 in 5m"')])
    client = prober(c.address)
    client.wait_answer("alpha")
    alpha = c.machine("alpha")

    def gone_over():
        alpha.kill(alpha.pids("lab-echo"))
        return c.owner() == "beta"

    wait_for(gone_over, 20, "the group gives alpha up", 0.3)
    c.wait_group("web", "beta")
    client.wait_answer("beta")
    assert c["beta"].status()["groups"][0]["failed_on"] == "alpha"
    c.haven("clear", "web")
    c.wait_group("web", "alpha")
    client.wait_answer("alpha")


def test_a_failing_check_moves_the_group(pair, prober):
    check = "check tcp { address = 10.77.0.111  port = %d  interval = 250ms  timeout = 250ms  fall = 2  rise = 1 }"
    c = pair(groups=[group_text("web", ["alpha", "beta"], "10.77.0.111", check % ECHO_PORT,
                                first='restart = "1 in 5m"')])
    up = c.wait_status(lambda s: s["groups"][0]["checks"][0]["state"] == "up", "the check is up", ["alpha"])
    assert up["groups"][0]["checks"][0]["age_us"] >= 0
    client = prober(c.address)
    client.wait_answer("alpha")
    c.echoes["alpha"].kill()
    c.wait_group("web", "beta")
    client.wait_answer("beta")
    assert c["beta"].status()["groups"][0]["failed_on"] == "alpha"
    assert any(e["kind"] == "check-down" for e in c["alpha"].events())
    c.start_service("alpha")
    c.haven("clear", "web")
    c.wait_group("web", "alpha")


def test_a_killed_checker_is_replaced_and_moves_nothing(pair):
    check = "check tcp { address = 10.77.0.111  port = %d  interval = 250ms  timeout = 250ms  fall = 2  rise = 1 }" % ECHO_PORT
    c = pair(groups=[group_text("web", ["alpha", "beta"], "10.77.0.111", check)])
    c.wait_status(lambda s: s["groups"][0]["checks"][0]["state"] == "up", "the check is up", ["alpha"])
    held, old, start = epoch(c), c["alpha"].pid("checker"), now()
    c["alpha"].kill("checker")
    wait_for(lambda: c.machine("alpha").pids("haven-checker") and old not in c.machine("alpha").pids("haven-checker"), 10,
             "a new checker")
    c.echoes["alpha"].kill()
    c.wait_status(lambda s: s["groups"][0]["checks"][0]["state"] == "down" or s["groups"][0]["node"] == "beta"
                  or any(e["kind"] == "check-down" for e in c["alpha"].events()), "the new checker sees", ["alpha"])
    assert c.watcher.none_held(c.address, start, start + 0.1) == 0 and held


def test_children_that_forked_away_do_not_survive_a_stop(cluster):
    c = cluster(arbiter="none", service=None)
    program = script(c, "forker", "setsid sh -c 'sleep 4321 & sleep 4322 &' &\nexec sleep 4323\n")
    c.reconfigure(c.text.replace("    address 10.77.0.111",
                                 "    process forker { command = \"%s\" }\n    address 10.77.0.111" % program))
    c.start()
    alpha = c.machine("alpha")
    wait_for(lambda: sum(a.startswith("sleep 432") for a in arguments_of(alpha)) == 3, 5, "all three run")
    c.haven("stop", "web")
    c.wait_group("web", state="stopped")
    assert not any("sleep 432" in a for a in arguments_of(alpha)), arguments_of(alpha)


def test_a_process_that_ignores_its_stop_is_killed(cluster):
    c = cluster(arbiter="none", service=None)
    program = script(c, "stubborn", "trap '' TERM\nwhile :; do sleep 1; done\n")
    c.reconfigure(c.text.replace("    address 10.77.0.111",
                                 "    process stubborn { command = \"%s\"  stop-timeout = 300ms }\n"
                                 "    address 10.77.0.111" % program))
    c.start()
    c.haven("move", "web", "beta")
    c.wait_group("web", "beta")
    assert not any("stubborn" in a for a in arguments_of(c.machine("alpha")))
    assert any("stubborn" in a for a in arguments_of(c.machine("beta")))
