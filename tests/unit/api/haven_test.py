"""haven(8) as its users meet it: words in, text and exit status out, with and without a daemon."""
import json
import os
import pty
import re
import select
import signal
import socket
import stat
import subprocess
import time

import pytest

HAVEN = os.environ["HAVEN"]
FAKE = os.environ["HAVEN_FAKE"]
COMPLETION = os.environ["HAVEN_COMPLETION"]
GOLDEN = os.environ["HAVEN_GOLDEN"]
MAN = os.environ["HAVEN_MAN"]


def haven(*words, path=None, **more):
    environment = {"PATH": os.environ["PATH"], "HAVEN_SOCKET": str(path) if path else "/nonexistent/haven.sock",
                   "TZ": "UTC"}
    return subprocess.run([HAVEN, *words], capture_output=True, text=True, timeout=20, env=environment, **more)


@pytest.fixture
def daemon(tmp_path, request):
    path = tmp_path / "haven.sock"
    process = subprocess.Popen([FAKE, path, tmp_path / "events.log", *getattr(request, "param", [])], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"ready\n"
    yield path
    process.stdin.close()
    assert process.wait(timeout=10) == 0
    process.stdout.close()


def commands():
    return haven("--complete", "").stdout.split()


# --- exit statuses -----------------------------------------------------------------------------------------

@pytest.mark.parametrize("words", [
    ["status"], ["status", "--json"], ["status", "--links"], ["checks"], ["events"], ["events", "-n", "3"],
    ["events", "-n3", "--json"], ["explain", "web"], ["move", "--no-wait", "web"], ["move", "web", "beta"], ["stop", "web"],
    ["start", "web"], ["clear", "web"], ["standby", "beta"], ["standby", "beta", "for", "2h"],
    ["standby", "beta", "2h"], ["online", "beta"], ["maintenance", "on"], ["maintenance", "on", "2h", "why"],
    ["maintenance", "on", "why"], ["maintenance", "off"], ["reload"], ["reload", "--confirm", "60s"],
    ["reload", "--confirm=60s"], ["confirm"]])
def test_done_is_0_with_a_daemon_and_3_without(daemon, words):
    done = haven(*words, path=daemon)
    assert (done.returncode, done.stderr) == (0, "")
    gone = haven(*words)
    assert gone.returncode == 3 and gone.stdout == ""
    assert "systemctl start havend" in gone.stderr and gone.stderr.count("\n") == 1


@pytest.mark.parametrize("words", [
    [], ["nonsense"], ["-s"], ["--nonsense"], ["status", "extra"], ["status", "--nonsense"], ["status", "-x"],
    ["status", "--json=yes"], ["status", "--json", "--links"], ["explain"], ["explain", "a", "b"],
    ["move"], ["move", "a", "b", "c"], ["standby"], ["standby", "b", "for"], ["standby", "b", "for", "2"],
    ["standby", "b", "until", "2h"], ["maintenance"], ["maintenance", "maybe"], ["maintenance", "off", "2h"],
    ["maintenance", "on", "2hours", "why"], ["reload", "--confirm"], ["reload", "--confirm", "soon"],
    ["events", "-n"], ["events", "-n", "x"], ["events", "-n", "1001"], ["check", "a", "b"], ["help", "nonsense"]])
def test_wrong_usage_is_2_before_anybody_is_asked(words):
    wrong = haven(*words)
    assert wrong.returncode == 2 and wrong.stdout == "" and wrong.stderr != ""


def test_a_refusal_is_1_with_the_daemons_reason_on_one_line(daemon):
    refused = haven("move", "stuck", path=daemon)
    assert refused.returncode == 1 and refused.stdout == ""
    assert refused.stderr == "haven: stuck cannot move: beta is offline; start beta\n"
    assert haven("explain", "nix", path=daemon).returncode == 1
    bad_name = haven("stop", "../etc", path=daemon)
    assert bad_name.returncode == 1 and "must be a name" in bad_name.stderr


def test_a_socket_nobody_listens_on_is_no_daemon(tmp_path):
    path = tmp_path / "dead.sock"
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(str(path))
    dead.close()
    assert haven("status", path=path).returncode == 3
    assert haven("-s", str(path), "status").returncode == 3
    assert haven("-s", "x" * 200, "status").returncode == 1


def test_a_daemon_that_dies_before_it_answers_is_no_daemon(tmp_path):
    path = tmp_path / "s"
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(path))
    server.listen()
    process = subprocess.Popen([HAVEN, "-s", path, "status"], stderr=subprocess.PIPE, text=True)
    client, _ = server.accept()
    client.recv(1000)
    client.close()
    assert process.wait(timeout=10) == 3 and "has gone" in process.stderr.read()
    process.stderr.close()
    process = subprocess.Popen([HAVEN, "-s", path, "status"], stderr=subprocess.PIPE, text=True)
    client, _ = server.accept()
    client.sendall(b"HTTP/1.0 400 Bad Request\n")
    assert process.wait(timeout=10) == 1 and "language" in process.stderr.read()
    process.stderr.close()
    client.close()
    server.close()


def test_output_that_cannot_be_written_is_not_done(daemon):
    with open("/dev/full", "w") as full:
        done = subprocess.run([HAVEN, "-s", daemon, "status"], stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 1


# --- what is printed ---------------------------------------------------------------------------------------

@pytest.mark.parametrize("words, golden", [(["status"], "calm.status.txt"), (["status", "--links"], "calm.links.txt"),
                                           (["checks"], "calm.checks.txt")])
def test_a_view_reads_the_same_through_the_socket(daemon, words, golden):
    with open(os.path.join(GOLDEN, golden)) as text:
        assert haven(*words, path=daemon).stdout == text.read()


def test_json_has_the_promised_shape(daemon):
    status = json.loads(haven("status", "--json", path=daemon).stdout)
    assert status["cluster"] == "shop" and status["self"] == "alpha" and status["leader"] == "alpha"
    assert status["quorum"]["held"] is True and status["quorum"]["strength"] == "weak"
    assert status["nodes"][1]["links"][0] == {"name": "10.0.0.2", "state": "up", "silent_us": 40000}
    assert status["groups"][0]["resources"][0]["kind"] == "address"


def test_orders_arrive_as_they_were_meant(daemon):
    for words, text in (
            (["move", "--no-wait", "web", "beta"], "move group=web node=beta lasts=0 on=0 text="),
            (["standby", "beta", "for", "2h"], "standby group= node=beta lasts=7200 on=0 text="),
            (["maintenance", "on", "2h", "new kernel"], "maintenance group= node= lasts=7200 on=1 text=new kernel"),
            (["maintenance", "on", "new kernel"], "maintenance group= node= lasts=0 on=1 text=new kernel"),
            (["maintenance", "off"], "maintenance group= node= lasts=0 on=0 text="),
            (["reload", "--confirm", "1m"], "reload group= node= lasts=60 on=0 text="),
            (["stop", "--", "web"], "stop group=web node= lasts=0 on=0 text=")):
        assert haven(*words, path=daemon).stdout == text + "\n"
    events = [json.loads(line) for line in haven("events", "--json", path=daemon).stdout.splitlines()]
    assert [e["number"] for e in events] == list(range(1, 8))
    assert haven("events", "-n", "1", path=daemon).stdout == (
        "2023-11-14 22:13:20.000  order           web: stop group=web node= lasts=0 on=0 text=\n")


def test_a_move_is_waited_for(daemon):
    moved = haven("move", "web", "beta", path=daemon)
    assert moved.returncode == 0 and moved.stdout == "web: started on beta\n", moved


def test_followed_events_come_as_they_happen(daemon):
    haven("clear", "web", path=daemon)
    follower = subprocess.Popen([HAVEN, "-s", daemon, "events", "-f"], stdout=subprocess.PIPE, text=True)
    assert "clear" in follower.stdout.readline()
    haven("stop", "web", path=daemon)
    assert "stop" in follower.stdout.readline()
    follower.terminate()
    follower.wait()
    follower.stdout.close()


def test_watch_through_a_pipe_prints_changes(daemon):
    watcher = subprocess.Popen([HAVEN, "-s", daemon, "watch"], stdout=subprocess.PIPE, text=True)
    seen = [watcher.stdout.readline()[10:-1] for _ in range(8)]
    assert seen == ["leader: alpha, term 7", "quorum: held", "node alpha: online", "node beta: online",
                    "link to beta, 10.0.0.2: up", "link to beta, 192.168.7.2: up", "group web: started on alpha",
                    "group mail: started on beta"]
    haven("move", "web", "beta", path=daemon)
    assert watcher.stdout.readline()[10:] == "group web: started on beta\n"
    watcher.send_signal(signal.SIGINT)
    assert watcher.wait(timeout=10) == 0
    watcher.stdout.close()


def read_until(fd, wanted):
    text = b""
    deadline = time.monotonic() + 10
    while wanted not in text:
        assert select.select([fd], [], [], 10)[0] and time.monotonic() < deadline, text
        text += os.read(fd, 65536)
    return text


def test_watch_on_a_terminal_draws_and_gives_it_back(daemon):
    master, terminal = pty.openpty()
    watcher = subprocess.Popen([HAVEN, "-s", daemon, "watch"], stdin=terminal, stdout=terminal, stderr=terminal,
                               env={"TERM": "xterm"})
    screen = read_until(master, b"mail")
    assert b"\033[?1049h" in screen and b"\033[32m" in screen
    os.write(master, b"q")
    read_until(master, b"\033[?1049l")
    assert watcher.wait(timeout=10) == 0
    os.close(master)
    os.close(terminal)


def test_colours_are_for_terminals_alone(daemon):
    assert "\033" not in haven("status", path=daemon).stdout


# --- help and completion -----------------------------------------------------------------------------------

def test_every_command_is_in_the_usage_and_has_help_with_an_example():
    usage = haven("--help").stdout
    assert haven("help").stdout == usage and len(commands()) >= 18
    for name in commands():
        assert re.search(rf"^  {name} ", usage, re.M)
        text = haven(name, "--help")
        assert text.returncode == 0 and f"usage: haven {name}" in text.stdout
        assert re.search(rf"^  haven {name}", text.stdout, re.M), name
        assert haven("help", name).stdout == text.stdout


def test_every_command_and_option_is_in_the_manual():
    with open(MAN) as page:
        manual = page.read()
    for name in commands():
        assert re.search(rf"^\*{name}\*", manual, re.M), name
        for option in haven("--complete", name, "--").stdout.split():
            assert option == "--help" or option in manual, (name, option)


def complete(path, *words):
    script = """source "$1"; shift; COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}; _haven
                printf '%s\\n' "${COMPREPLY[@]}" """
    environment = {"PATH": os.environ["PATH"], "HAVEN_SOCKET": str(path)}
    return subprocess.run(["bash", "-c", script, "bash", COMPLETION, HAVEN, *words], check=True, text=True,
                          capture_output=True, env=environment).stdout.split()


def test_bash_completes_commands_options_groups_and_nodes(daemon):
    assert complete(daemon, "") == commands()
    assert complete(daemon, "sta") == ["status", "start", "standby"]
    assert complete(daemon, "move", "") == ["web", "mail"]
    assert complete(daemon, "move", "web", "b") == ["beta"]
    assert complete(daemon, "standby", "beta", "") == ["for"]
    assert complete(daemon, "maintenance", "o") == ["on", "off"]
    assert complete(daemon, "status", "--") == ["--help", "--json", "--links"]
    assert complete(daemon, "status", "--json", "--l") == ["--links"]
    assert complete("/nonexistent", "-s", str(daemon), "stop", "w") == ["web"]
    assert complete("/nonexistent", "stop", "w") == []
    assert complete(daemon, "check", "x") == []  # files: the shell's own


@pytest.mark.parametrize("daemon", [["watches"]], indirect=True)
def test_bash_completes_what_is_watched_and_servers(daemon):
    """As far as the next colon or @, and only what stands behind the last one: bash takes that for a word."""
    assert complete(daemon, "ack", "") == ["farm", "routers"]
    assert complete(daemon, "silence", "2h", "farm", "r") == ["routers"]
    assert complete(daemon, "ack", "farm:") == ["http", "http@10.1.0.11", "http@10.1.0.12"]
    assert complete(daemon, "disable", "farm:http@10.1.0.1") == ["10.1.0.11", "10.1.0.12"]
    assert complete(daemon, "ack", "@10.0") == ["10.0.0.254"]
    assert complete(daemon, "enable", "") == ["farm:http@10.1.0.11"]
    assert complete(daemon, "drain", "10.1") == ["10.1.0.11:80", "10.1.0.12:80"]
    assert complete("/nonexistent", "ack", "") == []


# --- without a daemon --------------------------------------------------------------------------------------

GOOD = """cluster shop { key = %s }
node alpha { address = {10.0.0.1, "fd00::1"} }
node beta  { address = {10.0.0.2, "fd00::2"} }
group web {
    nodes = {alpha, beta}
    failback = auto
    address 10.0.0.111/24 { device = eth0 }
}
"""


@pytest.fixture
def good(tmp_path):
    key = tmp_path / "key"
    assert haven("keygen", str(key)).returncode == 0
    path = tmp_path / "haven.conf"
    path.write_text(GOOD % key)
    return path


def test_keygen_writes_a_key_once_and_for_root_alone(tmp_path):
    key = tmp_path / "key"
    assert haven("keygen", str(key)).returncode == 0
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    before = key.read_bytes()
    again = haven("keygen", str(key))
    assert again.returncode == 1 and "is there already" in again.stderr and key.read_bytes() == before
    assert haven("keygen", str(tmp_path / "no" / "key")).returncode == 1
    other = tmp_path / "other"
    haven("keygen", str(other))
    assert other.read_bytes() != before


def test_check_tells_good_from_bad(good, tmp_path):
    fine = haven("check", str(good))
    assert fine.returncode == 0, fine.stderr
    assert "cluster shop, 2 nodes, 1 group" in fine.stdout
    assert "group web: alpha, then beta; returns by itself as soon as alpha is well" in fine.stdout
    assert re.search(r"arbiter \w+ \(weak\): a network split can run both", fine.stdout)
    alone = tmp_path / "alone.conf"
    alone.write_text(re.sub(r"(?m)^arbiter .*\n", "", good.read_text()))
    assert "arbiter none (weak): a network split can run both; an arbiter witness," in haven("check", str(alone)).stdout
    three = tmp_path / "three.conf"
    three.write_text(alone.read_text() + "node gamma { address = {10.0.0.3, fd00::3} }\n")
    assert "never two owners; an even number of them wants an arbiter" in haven("check", str(three)).stdout
    bad = tmp_path / "bad.conf"
    bad.write_text(good.read_text().replace("failback = auto", "failback = sometimes"))
    wrong = haven("check", str(bad))
    assert wrong.returncode == 1 and wrong.stdout == "" and re.search(r"bad\.conf:6: ", wrong.stderr)
    missing = haven("check", str(tmp_path / "missing"))
    assert missing.returncode == 1 and "missing: cannot read" in missing.stderr


def test_check_says_when_a_reload_takes_too_long(good):
    assert "a reload of so much" not in haven("check", str(good)).stdout
    large = "".join("pool p%d { %s }\nvirtual 10.9.%d.%d:80 { pool = p%d }\n" % (
        i, "".join("real 10.1.%d.%d { }\n" % (i % 250, k + 1) for k in range(16)), i // 250, i % 250 + 1, i) for i in range(1000))
    good.write_text(good.read_text().replace("cluster shop {", "cluster shop { heartbeat = 20ms  dead = 60ms")
                    + "group lb { nodes = {alpha}  director d { %s } }\n" % large)
    said = haven("check", str(good))
    assert re.search(r"a reload of so much holds a node's heartbeats up for about [0-9.]+m?s, and a node is dead after 60ms: let dead be", said.stdout), said


WATCHED = """
watch routers { hosts = 10.0.0.254  service bgp { check tcp { port = 179 } } }
watch shop {
    hosts = {10.1.0.11, web.example}
    on = "group web"
    depends = routers:bgp
    service web { check http { name = page  url = http://%h/  interval = 5s  quick = 1s  timeout = 2s }  period = "mon-fri" }
}
"""


def test_check_says_what_is_watched(good):
    good.write_text(good.read_text() + WATCHED)
    lines = haven("check", str(good)).stdout.splitlines()
    assert lines[-5:] == [
        "watch routers: 1 host, from the leader", "  bgp: tcp every 1s, down within 4s",
        "watch shop: 2 hosts, from where group web runs; quiet while one of these is down: routers:bgp",
        "  web: http page every 5s, down within 9s; told mon-fri",
        "there is no alert: who does not look at haven status hears of nothing"]
    good.write_text(good.read_text() + "alert journal { }\n")
    assert "there is no alert" not in haven("check", str(good)).stdout


DIRECTED = """
group lb {
    nodes = {alpha, beta}
    failback = %(failback)s
    director front {
        %(words)s
        pool farm { real 10.0.1.1:80 { } }
        virtual 10.0.0.112:80 { pool = farm  %(scheduler)s }
        virtual 10.0.0.112:81 { pool = farm  scheduler = sh }
    }
}
"""
DIRECTORS = [  # failback, words of the director, of the first service; what becomes of connections
    ("auto", "sync-interface = eth1", "", "established connections go on at another node, which is told of them on eth1; "
     "when a node comes back, all of them with failback = \"after 15s\" only"),
    ('"after 20s"', "sync-interface = eth1", "", "established connections go on at another node, which is told of them on eth1"),
    ("manual", "", "", "established connections end when another node takes over, but for TCP with scheduler sh or mh: "
     "no sync-interface"),
    ("manual", "", "scheduler = mh", "established TCP connections go on at another node, by the hash of their client"),
    ("manual", "backend = nft", "scheduler = mh", "by nftables; established TCP connections mostly go on at another node"),
    ("manual", "backend = nft", "", "by nftables; of established TCP connections only those go on at another node whose server "
     "is heard before the client, or whose scheduler is sh or mh"),
    ("manual", "backend = nft  masquerade = yes", "", "by nftables; established connections end when another node takes over"),
]


def test_check_says_what_becomes_of_a_director_s_connections(good):
    plain = good.read_text()
    for failback, words, scheduler, text in DIRECTORS:
        good.write_text(plain + DIRECTED % {"failback": failback, "words": words, "scheduler": scheduler})
        assert "director front of group lb: " + text in haven("check", str(good)).stdout.splitlines()


PROVEN = """
cluster plant { key = /etc/haven/key }
node alpha { address = 10.0.0.1  capacity = 2 }
node beta { address = 10.0.0.2 }
node gamma { address = 10.0.0.3  capacity = 1 }
group web { nodes = {alpha, gamma}  %s address 10.0.0.111/24 { } }
group mail { nodes = {beta, gamma}  priority = 1  address 10.0.0.112/24 { } }
group tools { nodes = {alpha, beta, gamma}  everywhere = yes  load = 0  service chrony { } }
"""


def test_prove_says_what_each_failure_does(tmp_path):
    conf = tmp_path / "proven.conf"
    conf.write_text(PROVEN % "load = 1")
    fine = haven("prove", str(conf))
    assert fine.returncode == 0, fine
    lines = [line.split() for line in fine.stdout.splitlines()]
    assert lines[0] == ["failed", "mail", "web", "load"]
    assert lines[1] == ["-", "beta", "alpha", "alpha", "1/2", "gamma", "0/1"]
    assert lines[2] == ["alpha", "beta", "gamma", "gamma", "1/1"]
    assert lines[3] == ["beta", "gamma", "alpha", "alpha", "1/2", "gamma", "1/1"]
    assert fine.stdout.endswith("any one node may fail; not every two\n")
    conf.write_text(PROVEN % "load = 2")
    bad = haven("prove", str(conf))
    assert bad.returncode == 1
    assert "web stops: no fit node has room for it" in bad.stdout
    told = haven("prove", "--json", str(conf))
    assert told.returncode == 1
    proof = json.loads(told.stdout)
    assert proof["survives_one"] is False
    lost = [(c["failed"], g["name"]) for c in proof["cases"] if c["quorum"] for g in c["groups"] if g["lost"]]
    assert lost == [(["alpha"], "web")]
    assert haven("prove", str(tmp_path / "missing")).returncode == 1


def test_what_check_prints_is_good_and_prints_the_same(good, tmp_path):
    printed = haven("check", "--print", str(good))
    assert printed.returncode == 0
    again = tmp_path / "again.conf"
    again.write_text(printed.stdout)
    assert haven("check", "--print", str(again)).stdout == printed.stdout


def test_firewall_is_made_from_the_configuration(good):
    text = haven("firewall", "-n", "beta", str(good)).stdout
    assert "elements = { 10.0.0.2 }" in text and "elements = { fd00::1 }" in text
    stranger = haven("firewall", "-n", "delta", str(good))
    assert stranger.returncode == 1 and stranger.stdout == "" and "no node 'delta'" in stranger.stderr
    assert haven("firewall", "--remove").stdout == "table inet haven\ndelete table inet haven\n"


def test_init_makes_a_state_once(tmp_path):
    state = tmp_path / "state"
    assert haven("init", "-n", "alpha", "--state-dir", str(state)).returncode == 0
    again = haven("init", "-n", "alpha", "--state-dir", str(state))
    assert again.returncode == 1 and again.stderr.count("\n") == 1
    assert haven("init", "-n", "alpha", "--state-dir", str(state), "--force").returncode == 0
    assert haven("init", "-n", "a b", "--state-dir", str(tmp_path / "other")).returncode == 1
