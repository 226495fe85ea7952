"""What is watched beside the cluster: a router in the middle, who looks, and what moves with whom."""
import json
import os
import re

import pytest

from lab import wait_for
from lab.probe import start_echo
from lab.watched import CHECK, WEB, checks, leader, lines, quiet_for, state, wait_state, wait_text


def test_what_is_behind_a_dead_router_is_told_to_nobody(lab, cluster):
    told = os.path.join(lab.directory, "told")
    gate, addresses = "10.77.0.100", ["10.77.2.1%d" % i for i in (1, 2, 3)]
    c = cluster(extra="""
watch router {
    hosts = %s
    service up { check tcp { port = %d  %s } }
}
watch farm {
    hosts = {%s}
    depends = router:up
    service http { check http { url = "http://%%h:%d/"  %s } }
}
alert exec { for = {farm, router}  on = {down, up, failing}  command = "/bin/sh -c 'echo $HAVEN_ALERT $HAVEN_SUBJECT >> %s'" }
""" % (gate, WEB, CHECK, ", ".join(addresses), WEB, CHECK, told))
    lab.networks.append("farm")
    lab.prefixes.append("10.77.2")
    lab.batch(lab.room, ["link add farm type bridge", "link set farm up"])
    router = lab.add_machine("router", 100, ("front", "farm"))
    router.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
    servers = [lab.add_machine("s%d" % i, 10 + i, ("farm",)) for i in (1, 2, 3)]
    assert [s.address["farm"] for s in servers] == addresses and router.address["front"] == gate
    for s in servers:
        lab.batch(s.netns, ["route replace default via %s" % router.address["farm"]])
        start_echo(s, WEB)
    start_echo(router, WEB)
    for name in ("alpha", "beta"):
        lab.batch(c.machine(name).netns, ["route add 10.77.2.0/24 via %s" % gate])
    c.start()
    farm = ["farm:http@" + address for address in addresses]
    for what in farm:
        wait_state(c, leader(c), what, "up")

    c.lab.power_cut(router)
    for what in farm:
        wait_state(c, leader(c), what, "down")
    wait_for(lambda: "down router:up@" + gate in lines(told), 30, lambda: str(lines(told)))
    quiet_for(2)  # longer than the farm's checks take: it has been down for all that time
    assert lines(told) == ["down router:up@" + gate]
    quiet = {w["quiet"] for w in checks(c, leader(c))["watched"] if w["watch"] == "farm"}
    assert quiet == {"behind a failure"}

    servers[2].power_off()  # this one dies while nobody can see it
    lab.power_on(router)
    router.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
    start_echo(router, WEB)
    for what in farm[:2]:
        wait_state(c, leader(c), what, "up")
    wait_for(lambda: len(lines(told)) >= 3, 30, lambda: str(lines(told)))
    quiet_for(1)
    assert lines(told)[1:] == ["up router:up@" + gate, "down " + farm[2]]


def test_a_takeover_tells_nothing_twice_and_loses_nothing(lab, cluster, post):
    servers = [lab.add_client("s%d" % i) for i in (1, 2)]
    echoes = [start_echo(s, WEB) for s in servers]
    one, two = ["farm:http@" + s.address["front"] for s in servers]
    c = cluster(nodes=3, arbiter="none", extra="""
watch farm {
    hosts = {%s, %s}
    service http { check http { url = "http://%%h:%d/"  %s } }
}
alert mail { to = {ops@post.lab, "The Night <night@post.lab>"}  server = smtp://%s  gather = 300ms  for = farm  on = {down, up, acknowledged} }
""" % (servers[0].address["front"], servers[1].address["front"], WEB, CHECK, post.machine.address["front"]))
    c.start()
    first = leader(c)
    others = [n for n in c.nodes if n != first]
    for what in (one, two):
        wait_state(c, first, what, "up")

    echoes[0].kill()
    mails = post.wait(1, "a mail of the failure")
    assert mails[0][0] == "[lab] down: " + one and "refused" in mails[0][1]
    for name in others:
        wait_state(c, name, one, "down")
    c[others[0]].haven("ack", one, "new disk")
    assert post.wait(2, "a mail of the acknowledgement")[1][0] == "[lab] acknowledged: " + one

    text = c[others[1]].haven("status").stdout
    assert "1 up, 1 down, seen by " + first in text and "http@%s down for" % servers[0].address["front"] in text
    text = c[others[1]].haven("checks").stdout
    assert "%s  down for" % one in text and "(acknowledged)" in text and "new disk" in text and two + "  up" in text
    wrong = c[first].haven("ack", two, check=False)
    assert wrong.returncode == 1 and "nothing of %s is down" % two in wrong.stderr

    post.stop()
    echoes[1].kill()
    c.wait_status(lambda s: s["alerts"]["waiting"] == 1, "all have what could not be told")
    c.wait_status(lambda s: "alert mail" in s["alerts"]["text"], "the leader says why", names=[first])
    c.power_cut(first)
    c.wait_status(lambda s: s["leader"] in others, "another leads", names=others)
    second = leader(c)
    wait_state(c, second, two, "down")
    marks = checks(c, second)["marks"]
    assert [(m["kind"], m["about"], m["text"]) for m in marks] == [("acknowledged", one, "new disk")]

    post.start()
    mails = post.wait(3, "the mail that had to wait")
    assert mails[2][0] == "[lab] down: " + two
    quiet_for(2)
    start_echo(servers[0], WEB)
    mails = post.wait(4, "the end of the first failure")
    assert mails[3][0] == "[lab] up: " + one
    assert len({m[2] for m in mails}) == 4 == len(post.mails())
    wait_for(lambda: checks(c, second)["marks"] == [], 10, "the acknowledgement is over")

    c.power_on(first)  # and what it had kept is not told by it
    c.wait_node(first, "online")
    c[first].haven("move", "web", first, check=False)
    c.wait_status(lambda s: s["alerts"]["waiting"] == 0, "nothing waits")
    quiet_for(1)
    assert len(post.mails()) == 4


def test_what_is_counted_moves_with_the_owner(lab, cluster, post):
    """Its owner dies between the failure and the moment when it is told; and a limit outlives who told."""
    servers = [lab.add_client("s%d" % i) for i in (1, 2)]
    echoes = [start_echo(s, WEB) for s in servers]
    addresses = [s.address["front"] for s in servers]
    told = os.path.join(lab.directory, "told")
    c = cluster(nodes=3, arbiter="none", extra="""
watch farm { hosts = %s  service http { check tcp { port = %d  %s } } }
watch shop { hosts = %s  service http { check tcp { port = %d  %s } } }
alert mail { to = ops@post.lab  server = smtp://%s  gather = 0s  for = shop  on = {down, up}  after = 40 }
alert exec { for = farm  on = {down, up}  most = "2 in 1h"  command = "/bin/sh -c 'echo $HAVEN_ALERT $HAVEN_SUBJECT >> %s'" }
""" % (addresses[0], WEB, CHECK, addresses[1], WEB, CHECK, post.machine.address["front"], told))
    c.start()
    first = leader(c)
    others = [n for n in c.nodes if n != first]
    farm, shop = "farm:http@" + addresses[0], "shop:http@" + addresses[1]
    for what in (farm, shop):
        wait_state(c, first, what, "up")
    echoes[0].kill()
    wait_for(lambda: lines(told) == ["down " + farm], 30, lambda: str(lines(told)))
    again = start_echo(servers[0], WEB)
    wait_for(lambda: lines(told) == ["down " + farm, "up " + farm], 30, lambda: str(lines(told)))

    def failures(name):
        return max([w["failures"] for w in checks(c, name)["watched"] if w["watch"] == "shop"] or [0])

    echoes[1].kill()
    wait_for(lambda: min(failures(name) for name in others) >= 4, 30, lambda: "all count: %s" % checks(c, others[0]))
    c.power_cut(first)
    seen = min(failures(name) for name in others)
    assert seen < 40 and not post.mails()
    c.wait_status(lambda s: s["leader"] in others, "another leads", names=others)
    assert failures(leader(c)) >= seen
    assert post.wait(1, "told after 40 failures, by whoever counts them")[0][0] == "[lab] down: " + shop

    again.kill()
    wait_state(c, leader(c), farm, "down")
    c.wait_status(lambda s: s["alerts"]["waiting"] == 1, "a third message in an hour waits", names=others)
    start_echo(servers[1], WEB)
    assert post.wait(2, "the end of it")[1][0] == "[lab] up: " + shop
    quiet_for(1)
    assert len(post.mails()) == 2 and lines(told) == ["down " + farm, "up " + farm]


def test_what_mon_says_by_a_trap_is_heard_where_the_watch_runs(lab, cluster):
    """Sent by mon's own trap.alert to the group's address; it counts for the host that sent it, on either owner."""
    script = "/usr/lib/mon/alert.d/trap.alert"
    if not os.path.exists(script):
        pytest.skip("mon is not installed")
    server = lab.add_client("s1")
    address = server.address["front"]
    c = cluster(extra="""
watch night {
    hosts = {%s, 10.77.0.250}
    on = "group web"
    service backup { check trap { group = tapes  service = backup  %s } }
}
""" % (address, CHECK))
    c.start()

    def tell(status, text):
        server.run("env", "MON_GROUP=tapes", "MON_SERVICE=backup", "MON_RETVAL=%d" % status, "MON_OPSTATUS=%d" % (not status),
                   "sh", "-c", "echo '%s' | %s %s" % (text, script, "10.77.0.111"))

    def told(name, status, text, wanted):
        def is_known():
            tell(status, text)
            return state(c, name, "night:backup@" + address) == wanted
        wait_for(is_known, 30, lambda: "%s on %s; %s" % (wanted, name, checks(c, name)))

    first = c.owner()
    told(first, 1, "tape is full", "down")
    assert [w["text"].endswith("1, tape is full") for w in checks(c, first)["watched"]] == [True, False]
    told(first, 0, "done", "up")
    assert state(c, first, "night:backup@10.77.0.250") == "unknown"
    second = "beta" if first == "alpha" else "alpha"

    # What was told moves along, and outlives who heard it: nobody sends another trap.
    c[first].haven("move", "web", second)
    c.wait_group("web", second)
    wait_state(c, second, "night:backup@" + address, "up")
    wait_text(c, second, "night:backup@" + address, "done")
    c[second].kill("checker")
    wait_text(c, second, "night:backup@" + address, "the checker does not run")
    wait_text(c, second, "night:backup@" + address, "done")
    assert state(c, second, "night:backup@" + address) == "up"

    told(second, 2, "tape is torn", "down")
    wait_state(c, first, "night:backup@" + address, "down")
    c.power_cut(second)
    c.wait_group("web", first, names=[first])
    wait_text(c, first, "night:backup@" + address, "2, tape is torn")
    assert state(c, first, "night:backup@" + address) == "down"
    told(first, 0, "mended", "up")


def test_a_node_that_is_not_well_gives_its_groups_away(lab, cluster):
    server = lab.add_client("uplink")
    echo = start_echo(server, WEB)
    check = "check tcp { name = uplink  address = %s  port = %d  %s }" % (server.address["front"], WEB, CHECK)
    c = cluster(arbiter="none", links={"alpha": check})
    c.start()
    c.wait_group("web", "alpha")
    echo.kill()
    c.wait_group("web", "beta")
    assert any(e["kind"] == "check-down" and "uplink" in e["text"] for e in c["alpha"].events())
    assert any("uplink" in e["text"] and "cannot serve" in e["text"] for e in c["alpha"].events())
    alpha = c["alpha"].status()["nodes"][0]
    assert alpha["state"] == "online"
    assert alpha["text"].startswith("check uplink is down: "), alpha["text"]
    assert re.search(r"(?m)^node alpha  uplink  down for .*: tcp .*refused", c["alpha"].haven("checks").stdout)
    own = json.loads(c["alpha"].haven("checks", "--json").stdout)["own"]
    assert [(o["node"], o["name"], o["state"]) for o in own] == [("alpha", "uplink", "down")]
    assert c["beta"].haven("checks").stdout == "no checks in the configuration\n"
    c.reconfigure(c.text + """
group late {
    nodes = {alpha, beta}
    address %s/24 { device = front }
}
""" % lab.floating(112))
    for name in ("alpha", "beta"):
        c[name].haven("reload")
    c.wait_group("late", "beta")  # alpha is no better for a group that has just come
    start_echo(server, WEB)
    c.wait_group("web", "alpha")
    assert c["alpha"].status()["nodes"][0]["text"] == ""


def test_a_machine_that_answers_but_does_not_serve_is_taken_over_from(lab, cluster):
    told = os.path.join(lab.directory, "told")
    group = """
group web {
    nodes = {alpha, beta}
    restart = "0 in 1m"
    address %s/24 { device = front }
    check http { url = "http://%s:%d/"  %s }
}
""" % (lab.floating(), lab.floating(), WEB, CHECK)
    c = cluster(arbiter="none", groups=[group], extra="""
alert exec { on = {down, moved}  for = web  command = "/bin/sh -c 'echo $HAVEN_ALERT $HAVEN_SUBJECT $HAVEN_TEXT >> %s'" }
""" % told)
    echoes = {name: start_echo(c.machine(name), WEB) for name in ("alpha", "beta")}
    c.start()
    c.wait_group("web", "alpha")
    echoes["alpha"].kill()  # the web server alone: alpha still answers to ping and heartbeats
    c.wait_group("web", "beta")
    wait_for(lambda: any(line.startswith("down web") and "refused" in line for line in lines(told)), 30,
             lambda: "it is said what did not serve: %s" % lines(told))
    wait_for(lambda: any(line.startswith("moved web") and "beta" in line for line in lines(told)), 30,
             lambda: str(lines(told)))
    assert next(n for n in c["beta"].status()["nodes"] if n["name"] == "alpha")["state"] == "online"


def test_a_reload_and_a_dead_core_forget_nothing(lab, cluster):
    servers = [lab.add_client("s%d" % i) for i in (1, 2)]
    start_echo(servers[1], WEB)
    one, two = ["farm:http@" + s.address["front"] for s in servers]
    told = os.path.join(lab.directory, "told")
    watch = """
watch farm {
    hosts = {%s}
    service http { check http { url = "http://%%h:%d/"  %s } }
}
alert exec { for = farm  command = "/bin/sh -c 'echo $HAVEN_ALERT $HAVEN_SUBJECT >> %s'" }
"""
    c = cluster(extra=watch % (servers[0].address["front"], WEB, CHECK, told))
    c.start()
    wait_for(lambda: lines(told) == ["down " + one], 30, lambda: str(lines(told)))
    c[leader(c)].haven("silence", "1h", one, "moving the rack")

    both = ", ".join(s.address["front"] for s in servers)
    c.reconfigure(c.text.replace("hosts = {%s}" % servers[0].address["front"], "hosts = {%s}" % both))
    for node in c.nodes.values():
        node.haven("reload")
    wait_state(c, leader(c), two, "up")
    assert state(c, leader(c), one) == "down"

    first = leader(c)
    c[first].kill("core")
    c.wait_well()
    wait_state(c, leader(c), two, "up")
    assert state(c, leader(c), one) == "down"
    assert [(m["about"], m["text"]) for m in checks(c, leader(c))["marks"]] == [(one, "moving the rack")]
    c[first].haven("enable", one)
    quiet_for(1.5)
    assert lines(told) == ["down " + one]
    start_echo(servers[0], WEB)
    wait_for(lambda: len(lines(told)) > 1, 30, lambda: str(lines(told)))
    assert lines(told) == ["down " + one, "up " + one]
