"""Who is told of what: real mail, mon's own scripts, systemd's journal, and each thing that can be told."""
import json
import os
import re
import shutil

import pytest

from lab import now, wait_for
from lab.haven import group_text, process_text
from lab.probe import start_echo
from lab.switch import Switch
from lab.watched import CHECK, WEB, checks, leader, lines, quiet_for, state, wait_state

JOURNALD = "/lib/systemd/systemd-journald"
IRC = """
import socket, sys
listener = socket.create_server((sys.argv[1], 6667))
while True:
    with listener.accept()[0] as s, s.makefile("rw", newline="\\r\\n") as talk:
        for line in talk:
            print(line.strip(), flush=True)
            if line.startswith("USER"):
                talk.write(":irc.lab 001 mon :welcome\\n")
                talk.flush()
            if line.startswith("QUIT"):
                break
"""


def test_the_scripts_of_mon_run_as_they_are(lab, cluster, post):
    """All that need nothing but this machine: file, mail, netpage (both by Debian's exim), test, irc, and trap, which
    tells another watch."""
    scripts = "/usr/lib/mon/alert.d/"
    if not os.path.exists(scripts + "file.alert"):
        pytest.skip("mon is not installed")
    server = lab.add_client("s1")
    echo = start_echo(server, WEB)
    address = server.address["front"]
    chat = post.machine.start("irc", shutil.which("python3"), "-c", IRC, post.machine.address["front"])
    c = cluster(extra="""
watch farm {
    hosts = {%s, 10.77.0.250}
    on = "group web"
    service http { check tcp { port = %d  %s } }
}
watch elsewhere {
    hosts = {10.77.0.1, 10.77.0.2, 10.77.0.111}
    on = "group web"
    service farm { check trap { group = farm  service = http  %s } }
}
alert mon { name = file  for = "farm:http"  command = "%sfile.alert -d %s mon.log" }
alert mon { name = mail  for = "farm:http"  command = "%smail.alert ops@post.lab" }
alert mon { name = page  for = "farm:http"  command = "%snetpage.alert night@post.lab" }
alert mon { name = test  for = "farm:http"  command = "%stest.alert" }
alert mon { name = irc  for = "farm:http"  command = "%sirc.alert -S %s -c ops -d" }
alert mon { name = trap  for = "farm:http"  command = "%strap.alert %s" }
""" % (address, WEB, CHECK, CHECK, scripts, lab.directory, scripts, scripts, scripts, scripts,
       post.machine.address["front"], scripts, lab.floating()))
    own = os.path.join(lab.directory, "exim")
    os.mkdir(own)
    shutil.copy(post.config, os.path.join(own, "exim4.conf"))
    for name in ("alpha", "beta"):  # sendmail delivers as the mail server does: into its box
        c.machine(name).run("mount", "--bind", own, "/etc/exim4")
        c.machine(name).run("mount", "--bind", lab.directory, "/var/log/mon")
    c.start()

    def told_elsewhere(text):
        return any(text in w["text"] for w in checks(c, c.owner())["watched"] if w["watch"] == "elsewhere")
    log, test = (os.path.join(lab.directory, name) for name in ("mon.log", "test.alert.log"))
    wait_state(c, c.owner(), "farm:http@" + address, "up")
    wait_for(lambda: any(" 10.77.0.250" in line for line in lines(log)), 30, lambda: str(lines(log)))
    echo.kill()
    wait_for(lambda: any(line.startswith("failure farm http") and line.endswith(" " + address) for line in lines(log)),
             30, lambda: str(lines(log)))
    start_echo(server, WEB)
    wait_for(lambda: any(line.startswith("up farm http") and line.endswith(" " + address) for line in lines(log)), 30,
             lambda: str(lines(log)))
    assert lines(log)[1].startswith("DESCR=")
    for who in ("ops", "night"):  # the other host has been down from the beginning
        wanted = [what + " farm/http: " + host for what, host in
                  (("ALERT", address), ("ALERT", "10.77.0.250"), ("UPALERT", address))]
        wait_for(lambda: sorted(m[0].partition(" (")[0] for m in post.mails() if m[3] == who + "@post.lab") == wanted, 30,
                 lambda: str(post.mails()))
    assert any(": %s 10.77.0.250\n" % address in m[1] for m in post.mails()), "all members are named"
    wait_for(lambda: len(lines(test)) == 3 and "-g farm" in lines(test)[0] and " -u" in lines(test)[2], 30,
             lambda: str(lines(test)))
    wait_for(lambda: re.search(r"(?m)^PRIVMSG #ops :UPALERT .* \(farm/http\): " + re.escape(address), chat.output()), 30,
             chat.output)
    wait_for(lambda: told_elsewhere("answers in") and told_elsewhere(address), 30, lambda: str(checks(c, c.owner())))


def test_an_alert_in_the_journal_can_be_found_and_waits_until_there_is_one(lab, cluster):
    """systemd's own journald, on each node; what waits for it outlives the core."""
    if not os.access(JOURNALD, os.X_OK):
        pytest.skip("%s is not installed" % JOURNALD)
    server = lab.add_client("s1")
    echo = start_echo(server, WEB)
    farm = "farm:http@" + server.address["front"]
    c = cluster(extra="""
watch farm { hosts = %s  service http { check tcp { port = %d  %s } } }
alert journal { for = farm }
""" % (server.address["front"], WEB, CHECK))
    identity = os.path.join(lab.directory, "machine-id")
    with open(identity, "w", encoding="ascii") as f:
        f.write("0123456789abcdef0123456789abcdef\n")
    for node in c.machines():
        node.run("mkdir", "-p", "/run/systemd/journal", "/run/log/journal")
        node.run("mount", "--bind", identity, "/etc/machine-id")
    c.start()
    first = leader(c)

    def entries(*fields):
        out = "".join(node.run("journalctl", "-o", "json", "--no-pager", "SYSLOG_IDENTIFIER=haven-alert", *fields, check=False).stdout
                      for node in c.machines())
        return [(e["HAVEN_ALERT"], e["HAVEN_SUBJECT"], e["PRIORITY"], e["MESSAGE"]) for e in map(json.loads, out.splitlines())]

    wait_state(c, first, farm, "up")
    echo.kill()
    c.wait_status(lambda s: s["alerts"]["waiting"] == 1 and "system's log" in s["alerts"]["text"], "nobody takes it", names=[first])
    for name in c.nodes:
        c[name].kill("core")
    c.wait_well()
    c.wait_status(lambda s: s["alerts"]["waiting"] == 1, "it waits still")
    for node in c.machines():
        node.start("journald", JOURNALD)
    wait_for(lambda: len(entries()) == 1, 30, lambda: str(entries()))
    start_echo(server, WEB)
    wait_for(lambda: len(entries()) == 2, 30, lambda: str(entries()))
    down, up = entries()
    assert down[:3] == ("down", farm, "1") and down[3].startswith("lab: down %s: tcp " % farm) and "refused" in down[3]
    assert up[:3] == ("up", farm, "5") and entries("HAVEN_ALERT=up") == [up]
    c.wait_status(lambda s: s["alerts"]["waiting"] == 0, "nothing waits")


HOOK = """
import http.server, socketserver, sys
class Hook(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        print(self.rfile.read(int(self.headers["Content-Length"])).decode(), flush=True)
        self.send_response(204)
        self.end_headers()
socketserver.TCPServer((sys.argv[1], 8000), Hook).serve_forever()  # HTTPServer looks its own name up first
"""


def say(path):
    """The command of an alert that writes what it is told into a file."""
    return "\"/bin/sh -c 'echo $HAVEN_NODE $HAVEN_ALERT $HAVEN_SUBJECT >> %s'\"" % path


def said(path, alert):
    """(node, subject) of each time that this was told; the subject of some is empty."""
    return [(node, subject) for node, what, subject in ((line + " ").split(" ")[:3] for line in lines(path)) if what == alert]


def test_a_dead_switch_is_one_mail_then_reminders_an_escalation_and_silence_about_what_flaps(lab, cluster, post):
    servers = [lab.add_client("s%d" % i) for i in (1, 2, 3)]
    farm = ["farm:http@" + s.address["front"] for s in servers]
    told = os.path.join(lab.directory, "told")
    echoes = [start_echo(s, WEB) for s in servers]
    hook = post.machine.start("hook", shutil.which("python3"), "-c", HOOK, post.machine.address["front"])
    c = cluster(extra="""
watch farm {
    hosts = {%s}
    service http { check tcp { port = %d  %s }  flapping = "4 in 1h" }
}
alert mail { to = ops@post.lab  server = smtp://%s  gather = 4s  on = {down, acknowledged, flapping} }
alert webhook { url = http://%s:8000/  gather = 4s  on = down  for = farm }
alert exec { name = again  on = {down, failing}  every = 1s  command = %s }
alert exec { name = boss  on = {down, up}  unacknowledged = 4s  command = %s }
""" % (", ".join(s.address["front"] for s in servers), WEB, CHECK, post.machine.address["front"],
       post.machine.address["front"], say(told), say(told + ".boss")))
    c.start()
    for what in farm:
        wait_state(c, leader(c), what, "up")
    cut = now()
    for s in servers:
        lab.cut(s)
    for what in farm:
        wait_state(c, leader(c), what, "down")
    c[leader(c)].haven("ack", farm[0], "the switch")
    in_time = now() < cut + 4
    subject, body = post.wait(1, "one mail of all")[0][:2]
    assert subject.startswith("[lab] ") and "3 down" in subject and all(what in body for what in farm)

    posted = wait_for(lambda: [json.loads(line) for line in hook.output().splitlines() if line.startswith("{")], 30, hook.output)
    assert len(posted) == 1 and posted[0]["cluster"] == "lab"
    assert sorted(one["subject"] for one in posted[0]["alerts"]) == farm
    assert {one["alert"] for one in posted[0]["alerts"]} == {"down"} and {one["watch"] for one in posted[0]["alerts"]} == {"farm"}

    wait_for(lambda: [subject for _, subject in said(told, "failing")].count(farm[1]) >= 3, 30, lambda: str(lines(told)))
    wait_for(lambda: len(said(told + ".boss", "down")) >= 2, 30, lambda: str(lines(told + ".boss")))
    assert not in_time or farm[0] not in [subject for _, subject in said(told + ".boss", "down")], "somebody takes care of it"
    lab.heal()
    for what in farm:
        wait_state(c, leader(c), what, "up")
    wait_for(lambda: set(farm[1:]) <= {subject for _, subject in said(told + ".boss", "up")}, 30,
             lambda: str(lines(told + ".boss")))

    echo = echoes[2]
    for _ in range(2):  # it was down once, and is up: with these, too often
        echo.kill()
        wait_state(c, leader(c), farm[2], "down")
        echo = start_echo(servers[2], WEB)
        wait_state(c, leader(c), farm[2], "up")
    wait_for(lambda: any("flapping  %s\n" % farm[2] in m[1] for m in post.mails()), 30, lambda: str(post.mails()))
    before = lines(told)
    echo.kill()
    wait_state(c, leader(c), farm[2], "down")
    quiet_for(2)
    assert lines(told) == before


def test_a_lost_quorum_and_a_move_are_told_by_those_who_see_them(lab, cluster):
    """Three nodes, one of them cut off from the others: it tells what only it knows, once nobody leads it."""
    told = os.path.join(lab.directory, "told")
    c = cluster(nodes=3, arbiter="none", extra="alert exec { on = {down, up, moved, quorum}  command = %s }\n"
                % say(told))
    c.start()
    first = leader(c)
    others = [n for n in c.nodes if n != first]
    c.lab.partition([c.machine(first)], [c.machine(n) for n in others])
    wait_for(lambda: first in [node for node, _ in said(told, "quorum")], 40, lambda: str(lines(told)))
    wait_for(lambda: any(subject == first for _, subject in said(told, "down")), 30, lambda: str(lines(told)))
    c.lab.heal()
    c.wait_well()
    wait_for(lambda: any(subject == first for _, subject in said(told, "up")), 30, lambda: str(lines(told)))
    quiet_for(2)
    assert [node for node, _ in said(told, "quorum")].count(first) == 1


def test_a_split_is_told_when_it_is_over(lab, pair):
    told = os.path.join(lab.directory, "told")
    c = pair(extra="alert exec { on = split  command = %s }\n" % say(told))
    c.guard.allow(30, "a split without a third vote runs both")
    c.lab.cut_pair(c.machine("alpha"), c.machine("beta"))
    wait_for(lambda: c.watcher.holders(c.address) == ["alpha", "beta"], 10, "both hold it")
    c.lab.heal()
    wait_for(lambda: said(told, "split"), 30, lambda: str(lines(told)))


def test_what_was_fenced_and_what_waits_for_a_person_is_told(lab, cluster):
    told = os.path.join(lab.directory, "told")
    switch = Switch(lab)
    try:
        group = group_text("web", ["alpha", "beta"], "10.77.0.111", first=process_text() + "\nexclusive = data")
        c = cluster(nodes=2, arbiter="none", service=None, groups=[group], extra=switch.text() +
                    "alert exec { on = {fenced, blocked}  command = %s }\n" % say(told))
        switch.cluster = c
        c.start()
        c.wait_group("web", "alpha")
        switch.touch("broken")
        c.power_cut("alpha")
        wait_for(lambda: any(subject == "web" for _, subject in said(told, "blocked")), 30, lambda: str(lines(told)))
        os.unlink(switch.path("broken"))
        wait_for(lambda: any(subject == "alpha" for _, subject in said(told, "fenced")), 60, lambda: str(lines(told)))
        c.wait_group("web", "beta", names=["beta"])
    finally:
        switch.end()
