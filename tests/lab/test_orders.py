"""What a person orders: moves, stops, standby, maintenance; and what a reload changes."""
import pytest

from lab import now, wait_for
from lab.haven import group_text, haven_program, havend_program, process_text
from lab.tools import run

SECOND = "10.77.0.112"


def group(status, name="web"):
    return next(g for g in status["groups"] if g["name"] == name)


def test_a_planned_move_is_short(pair, prober):
    c = pair(service="process")
    client = prober(c.address)
    client.wait_answer("alpha")
    start = now()
    c.haven("move", "web", "beta")
    c.wait_group("web", "beta")
    client.wait_answer("beta")
    end = c.wait_quiet(client, 0.5)
    assert client.longest(start, end) < 1, "longer than a planned move may ever take"
    assert c.watcher.both_held(c.address, start, end) <= 0.002


def test_a_moved_group_stays_until_clear(pair):
    c = pair()
    c.haven("move", "web", "beta")
    c.wait_group("web", "beta")
    start = now()
    wait_for(lambda: now() > start + 1.5, 5, "time to pass in which it could fail back")
    c.wait_group("web", "beta")
    c.haven("clear", "web")
    c.wait_group("web", "alpha")


def test_a_move_without_a_target_goes_to_the_next_node(pair):
    c = pair()
    c.haven("move", "web")
    c.wait_group("web", "beta")


def test_impossible_orders_are_refused_with_a_reason(pair):
    c = pair()
    for words in (("move", "web", "nobody"), ("move", "nothing"), ("standby", "nobody"), ("explain", "nothing")):
        done = c.haven(*words, check=False)
        assert done.returncode == 1, words
        assert "there is no" in done.stderr, done.stderr
    c.power_cut("beta")
    c.wait_node("beta", "offline")
    done = c.haven("move", "web", "beta", check=False)
    assert done.returncode == 1 and done.stderr.strip()
    c.wait_group("web", "alpha")


def test_stop_holds_over_a_restart_until_start(pair):
    c = pair(service="process")
    c.haven("stop", "web")
    c.wait_group("web", state="stopped")
    assert c.watcher.holders(c.address) == []
    assert all(m.pids("lab-echo") == [] for m in c.machines())
    for node in c.nodes.values():
        assert node.stop() == 0
    for node in c.nodes.values():
        node.start()
    c.wait_status(lambda s: all(n["state"] == "online" for n in s["nodes"]) and s["leader"], "both online")
    c.wait_group("web", state="stopped")
    assert c.watcher.holders(c.address) == []
    c.haven("start", "web")
    c.wait_group("web", "alpha")


def test_standby_empties_a_node_and_online_gives_it_back(pair, prober):
    c = pair()
    client = prober(c.address)
    client.wait_answer("alpha")
    start = now()
    c.haven("standby", "alpha", node="beta")
    c.wait_group("web", "beta")
    c.wait_node("alpha", "standby")
    c.haven("online", "alpha")
    c.wait_node("alpha", "online")
    c.wait_group("web", "alpha")
    client.wait_answer("alpha")
    assert client.longest(start, c.wait_quiet(client, 0.5)) < 2


def test_standby_can_end_by_itself(pair):
    c = pair()
    c.haven("standby", "alpha", "for", "2s")
    c.wait_node("alpha", "standby")
    c.wait_group("web", "beta")
    c.wait_node("alpha", "online", timeout=15)
    c.wait_group("web", "alpha")


def test_in_maintenance_nothing_is_started_and_it_can_end_by_itself(pair):
    c = pair(service="process")
    c.haven("maintenance", "on", "4s", "new disks")
    start = now()
    c.wait_status(lambda s: s["maintenance"]["on"], "both know of it")
    alpha = c.machine("alpha")
    alpha.kill(alpha.pids("lab-echo"))
    wait_for(lambda: now() > start + 2, 5, "time to pass in which something could happen")
    assert alpha.pids("lab-echo") == [], "nothing is started in maintenance"
    c.wait_status(lambda s: not s["maintenance"]["on"], "it is over", timeout=15)
    wait_for(lambda: alpha.pids("lab-echo"), 15, "the service is mended afterwards")


def test_in_maintenance_nothing_moves_and_it_can_end_by_itself(pair):
    c = pair()
    c.haven("maintenance", "on", "4s", "new disks")
    c.wait_status(lambda s: s["maintenance"]["on"], "both know of it")
    cut = c.power_cut("alpha")
    c.wait_node("alpha", "offline")
    wait_for(lambda: now() > cut + 2, 5, "time to pass in which beta could take it")
    assert c.watcher.holders(c.address) == []
    c.wait_status(lambda s: not s["maintenance"]["on"], "it is over", timeout=15)
    c.wait_group("web", "beta")


def test_explain_and_events_tell_why(pair):
    c = pair()
    why = c.haven("explain", "web").stdout
    assert "alpha" in why and "beta" in why
    c.haven("move", "web", "beta")
    c.wait_group("web", "beta")
    kinds = [(e["kind"], e["subject"]) for n in c.nodes.values() for e in n.events()]
    assert ("group-moved", "web") in kinds
    numbers = [e["number"] for e in c["alpha"].events()]
    assert numbers == sorted(set(numbers)) and numbers


def test_a_reload_changes_only_what_differs(pair):
    c = pair(service="process")
    held, echo, start = group(c["alpha"].status())["epoch"], c.machine("alpha").pids("lab-echo"), now()
    c.reconfigure(c.text + group_text("mail", ["beta", "alpha"], SECOND))
    c.guard.add(SECOND)
    for name in c.nodes:
        assert "mail" in c.haven("reload", node=name).stdout
    c.wait_group("mail", "beta")
    c.wait_group("web", "alpha")
    assert group(c["alpha"].status())["epoch"] == held
    assert c.machine("alpha").pids("lab-echo") == echo
    assert c.watcher.none_held(c.address, start, now()) == 0
    assert "no difference" in c.haven("reload").stdout


def test_a_bad_file_changes_nothing(pair):
    c = pair()
    start = now()
    good = c.text
    c.reconfigure(good.replace("failback = auto", "failbak = auto"))
    for name in c.nodes:
        done = c.haven("reload", node=name, check=False)
        assert done.returncode == 1
        assert "haven.conf:" in done.stderr and "failbak" in done.stderr, done.stderr
    c.wait_group("web", "alpha")
    assert c.watcher.none_held(c.address, start, now()) == 0
    c.reconfigure(good)
    c.haven("reload")


def test_a_reload_that_is_not_confirmed_is_taken_back(pair):
    c = pair()
    c.reconfigure(c.text + group_text("mail", ["beta", "alpha"], SECOND))
    c.guard.add(SECOND)
    for name in c.nodes:
        c.haven("reload", "--confirm", "3s", node=name)
    c.wait_status(lambda s: len(s["groups"]) == 2, "the new group is known")
    c.haven("stop", "mail")
    c.wait_status(lambda s: len(s["groups"]) == 1, "back to the old file", timeout=15)
    c.wait_group("web", "alpha")


def test_havend_refuses_a_bad_file(lab, tmp_path):
    machine = lab.add_node("alpha")
    path = tmp_path / "haven.conf"
    path.write_text("cluster lab { }\nnode alpha { adress = {10.77.0.1} }\ngroup web { nodes = {gamma} }\n")
    done = machine.run(havend_program(), "-c", path, "-n", "alpha", "-f", "--run-dir", tmp_path, "--state-dir",
                       tmp_path, check=False)
    assert done.returncode not in (0, None)
    said = done.stderr + done.stdout
    assert "haven.conf:2:" in said and "haven.conf:3:" in said, said
    with pytest.raises(RuntimeError, match="haven.conf:2:"):
        run(haven_program(), "check", str(path))


def test_differing_files_are_shown_and_not_acted_upon(pair):
    c = pair()
    start = now()
    c.configure("beta", c.text + group_text("mail", ["beta", "alpha"], SECOND))
    c.haven("reload", node="beta")
    c.wait_status(lambda s: any(n["config_differs"] for n in s["nodes"] if not n["self"]), "both say that they differ")
    c.wait_group("web", "alpha")
    assert c.watcher.none_held(c.address, start, now()) == 0
    c.configure("alpha", c.text + group_text("mail", ["beta", "alpha"], SECOND))
    c.haven("reload", node="alpha")
    c.wait_status(lambda s: not any(n["config_differs"] for n in s["nodes"]), "both agree")
    c.wait_group("mail", "beta")


def test_a_group_that_vanished_from_the_file_runs_on_until_it_is_stopped(pair):
    """The next core could not name it, let alone stop it. So it goes on with the file of before."""
    c = pair()
    short, both = c.text, c.text + group_text("mail", ["beta", "alpha"], SECOND)
    c.reconfigure(both)
    c.guard.add(SECOND)
    for name in c.nodes:
        c.haven("reload", node=name)
    c.wait_group("mail", "beta")
    c.configure("beta", short)
    c["beta"].kill("core")
    wait_for(lambda: "does not name what runs here" in c.haven("events", node="beta", check=False).stdout, 10, "it is told")
    c.wait_group("mail", "beta")
    c.haven("stop", "mail")
    wait_for(lambda: not c.machine("beta").holds(SECOND), 10, "beta lets go of its address")
    for name in c.nodes:
        c.configure(name, short)
        c.haven("reload", node=name)
    c.haven("move", "web", "beta")
    c.wait_group("web", "beta")


def test_two_groups_of_opposite_order_are_mutual_takeover(pair):
    c = pair(service=None, groups=[group_text("web", ["alpha", "beta"], "10.77.0.111", first=process_text()),
                                   group_text("mail", ["beta", "alpha"], SECOND)])
    c.wait_group("web", "alpha")
    c.wait_group("mail", "beta")
    c.power_cut("beta")
    c.wait_group("mail", "alpha")
    c.wait_group("web", "alpha")
    c.power_on("beta")
    c.wait_group("mail", "beta")
    c.wait_group("web", "alpha")
