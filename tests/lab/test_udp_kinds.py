"""SIP and RADIUS: checks against Kamailio and FreeRADIUS of Debian, each up, frozen, dead, and replaced by something else."""
import os
import shutil
import signal

import pytest

from lab import wait_for
from test_kinds import family, look, look_at_all, look_until, machine, signal_all

KAMAILIO = """
children=1
tcp_children=1
fork=yes
log_stderror=yes
loadmodule "sl.so"
request_route {{
        if (uri =~ "^sip:slow@") {{
                sl_send_reply("100", "Trying");
        }} else if (uri =~ "^sip:nobody@") {{
                sl_send_reply("404", "Nobody Here");
        }} else {{
                sl_send_reply("200", "Keepalive");
        }}
}}
"""

RADIUSD = """
prefix = /usr
exec_prefix = /usr
libdir = /usr/lib/freeradius
raddbdir = {d}
run_dir = {d}
logdir = {d}
db_dir = {d}
pidfile = {d}/pid
name = radiusd
correct_escapes = true
cleanup_delay = 0
security {{
        allow_core_dumps = no
        reject_delay = 0
}}
thread pool {{
        start_servers = 1
}}
client lab {{
        ipaddr = 127.0.0.1
        secret = testing123
        require_message_authenticator = yes
}}
modules {{
        pap {{
        }}
        always reject {{
                rcode = reject
        }}
}}
server lab {{
        listen {{
                type = auth
                ipaddr = 127.0.0.1
                port = 1812
        }}
        authorize {{
                if (&User-Name == "joe") {{
                        update control {{
                                Cleartext-Password := "a secret of more than sixteen bytes"
                        }}
                }}
                pap
        }}
        authenticate {{
                Auth-Type PAP {{
                        pap
                }}
        }}
        post-auth {{
                Post-Auth-Type REJECT {{
                        update reply {{
                                Reply-Message := "not today"
                        }}
                }}
        }}
}}
"""
JOE = 'user = joe secret = testing123 password = "a secret of more than sixteen bytes"'
GARBAGE = """
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.0.0.1", int(sys.argv[1])))
while True:
    _, who = s.recvfrom(4096)
    s.sendto(b"good morning to you" * 3, who)
"""
SERVERS = {
    "sip": ("/usr/sbin/kamailio", 5060, ["-DD", "-E", "-f", "{d}/conf", "-L", "/usr/lib/x86_64-linux-gnu/kamailio/modules", "-l",
                                         "udp:127.0.0.1:5060", "-l", "tcp:127.0.0.1:5060", "-Y", "{d}", "-m", "16", "-M", "4"],
            KAMAILIO, "",
            [("", "works"), ("transport = tcp", "works"), ("uri = sip:monitor@lab.example", "works"),
             ("uri = sip:nobody@lab.example", "bad-status"), ("uri = sip:nobody@lab.example status = {200, 404}", "works"),
             ("uri = sip:nobody@lab.example transport = tcp", "bad-status"), ("status = 202", "bad-status"),
             ("uri = sip:slow@lab.example timeout = 1s", "silent"), ("uri = sip:slow@lab.example transport = tcp timeout = 1s", "no-answer")]),
    "radius": ("/usr/sbin/freeradius", 1812, ["-f", "-l", "stdout", "-d", "{d}", "-n", "conf"], RADIUSD, JOE,
               [(JOE, "works"), ("user = joe secret = testing123 password = bad", "denied"), ("user = joe secret = testing123", "denied"),
                ("user = nosuch secret = testing123 password = bad", "denied"),
                (JOE.replace("testing123", "other") + " timeout = 1s", "silent")]),
}


@pytest.mark.parametrize("kind", SERVERS)
def test_a_real_server_that_is_asked_by_udp(machine, kind):
    program, port, arguments, conf, good, rows = SERVERS[kind]
    if not os.access(program, os.X_OK):
        pytest.skip("%s is not installed" % program)
    directory = os.path.join(machine.directory, "server")
    os.mkdir(directory)
    with open(directory + "/conf" + (".conf" if kind == "radius" else ""), "w", encoding="ascii") as f:
        f.write(conf.format(d=directory))
    good, rows = "address = 127.0.0.1\n" + good, [(kind, "address = 127.0.0.1\n" + words, reason) for words, reason in rows]
    assert look(machine, kind, good)["reason"] == "refused"
    process = machine.start(kind, program, *[word.format(d=directory) for word in arguments])
    wait_for(lambda: look(machine, kind, good)["reason"] == "works", 60, lambda: "%s\n%s" % (look(machine, kind, good), process.output()))
    look_at_all(machine, rows)
    if kind == "radius":
        assert "not today" in look(machine, kind, rows[1][1])["text"]
    frozen = family(process.pid)
    signal_all(frozen, signal.SIGSTOP)
    assert look(machine, kind, good, timeout="1s")["reason"] == "silent"
    signal_all(frozen, signal.SIGCONT)
    look_until(machine, kind, good, "works", kind + " goes on")
    signal_all(family(process.pid), signal.SIGKILL)
    process.wrapper.wait(30)
    look_until(machine, kind, good, "refused", kind + " is dead")
    machine.start("garbage", shutil.which("python3"), "-c", GARBAGE, port)
    look_until(machine, kind, good + "\ntimeout = 1s", "bad-answer" if kind == "sip" else "silent", "something else answers")
