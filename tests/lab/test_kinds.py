"""Checks against the real servers of Debian, each up, slow, frozen, dead, and replaced by something else that listens."""
import json
import os
import pwd
import re
import shutil
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest

from lab import relay, wait_for
from lab.haven import haven_program

GARBAGE = """
import socket, sys, threading
def serve(s):
    try:
        s.sendall(b"good morning to you\\r\\n" * 3)
        while s.recv(1000):
            pass
    except OSError:
        pass
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
"""

VSFTPD = """
listen=YES
listen_port=21
anonymous_enable=YES
anon_root={d}/files
secure_chroot_dir={d}/empty
seccomp_sandbox=NO
background=NO
ssl_enable=YES
allow_anon_ssl=YES
force_local_logins_ssl=NO
force_local_data_ssl=NO
rsa_cert_file={d}/cert
rsa_private_key_file={d}/key
"""

EXIM = """
primary_hostname = post.lab
spool_directory = {d}/spool
log_file_path = {d}/%slog
pid_file_path = {d}/exim.pid
tls_advertise_hosts = *
tls_certificate = {d}/cert
tls_privatekey = {d}/key
host_lookup =
rfc1413_query_timeout = 0s
keep_environment =
"""

DOVECOT = """
base_dir = {d}/run
state_dir = {d}/state
protocols = imap pop3
listen = 127.0.0.1
ssl = yes
ssl_cert = <{d}/cert
ssl_key = <{d}/key
first_valid_uid = 1
disable_plaintext_auth = no
auth_failure_delay = 0
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
log_path = {d}/log
mail_location = maildir:{d}/mail/%u
passdb {{
  driver = static
  args = password=secret
}}
userdb {{
  driver = static
  args = uid=mail gid=mail home={d}/mail/%u
}}
"""

SLAPD = """
include /etc/ldap/schema/core.schema
pidfile {d}/slapd.pid
TLSCertificateFile {d}/cert
TLSCertificateKeyFile {d}/key
"""

POSTGRESQL = "/usr/lib/postgresql/15/bin/"
MARIADB_USER = "CREATE USER haven@'127.0.0.1' IDENTIFIED BY 'secret';\n"
SECRET = "password = secret\n"
PROTECTED = "tls = starttls"
UNTRUSTED = ("tls = starttls verify = yes", "certificate")
# The certificate is the server's own, and of 127.0.0.1 alone.
VERIFIED = "tls = starttls verify = yes ca = {d}/cert"
MISTAKEN = [("tls = starttls verify = yes ca = {d}/other", "certificate"),
            ("tls = starttls verify = yes ca = {d}/cert address = localhost", "certificate"),
            ("tls = starttls verify = yes ca = /nosuch", "local")]
SLOW, LATE = 0.05, 30  # seconds that each piece takes, either way


class Server:
    """How Debian's server is started on a directory of its own, and what is asked of it."""

    def __init__(self, program, port, command, files=None, owner=None, goods=("",), wrongs=(), prepare=None,
                 says=""):
        self.program, self.port, self.command = program, port, command
        self.files, self.owner, self.goods, self.wrongs = files or {}, owner, goods, wrongs
        self.prepare = prepare  # a command before; then both run as the owner
        self.says = says  # what is said of the first good look


SERVERS = {
    "ftp": Server("/usr/sbin/vsftpd", 21, ["{d}/conf"], {"conf": VSFTPD, "files/note": "all is well\n", "files/large": "x" * 200000},
                  goods=("", PROTECTED, VERIFIED, "path = note", 'path = /note expect = "^all is well$"',
                         'path = note expect = well ' + VERIFIED, 'path = large expect = "^x*$"'),
                  wrongs=[("user = nosuch password = bad", "denied"), ("path = nosuch", "missing"),
                          ("path = note expect = ill", "mismatch"), UNTRUSTED] + MISTAKEN),
    "smtp": Server("/usr/sbin/exim4", 25, ["-C", "{d}/conf", "-bdf", "-oX", "25"], {"conf": EXIM}, "Debian-exim",
                   goods=("", PROTECTED, VERIFIED), wrongs=[UNTRUSTED] + MISTAKEN),
    "imap": Server("/usr/sbin/dovecot", 143, ["-F", "-c", "{d}/conf"], {"conf": DOVECOT}, "mail",
                   goods=("", "user = joe password = secret", PROTECTED, VERIFIED, "tls = tls port = 993"),
                   wrongs=[("user = joe password = bad", "denied"), UNTRUSTED] + MISTAKEN),
    "pop3": Server("/usr/sbin/dovecot", 110, ["-F", "-c", "{d}/conf"], {"conf": DOVECOT}, "mail",
                   goods=("", "user = joe password = secret", PROTECTED, VERIFIED, "tls = tls port = 995"),
                   wrongs=[("user = joe password = bad", "denied"), UNTRUSTED] + MISTAKEN),
    "ldap": Server("/usr/sbin/slapd", 389, ["-d", "0", "-h", "ldap://127.0.0.1 ldaps://127.0.0.1", "-f", "{d}/conf"], {"conf": SLAPD},
                   goods=("", 'base = "cn=Subschema"', "tls = tls port = 636",
                          "tls = tls port = 636 verify = yes ca = {d}/cert"),
                   wrongs=[("tls = tls port = 636 verify = yes ca = {d}/other", "certificate"),
                           ('base = "cn=nosuch"', "mismatch"), ('user = "cn=nosuch" password = bad', "denied")]),
    "redis": Server("/usr/bin/redis-server", 6379, ["--bind", "127.0.0.1", "--dir", "{d}", "--save", "",
                                                    "--requirepass", "secret"],
                    goods=("password = secret",), wrongs=[("", "denied"), ("password = bad", "denied")]),
    "postgresql": Server(POSTGRESQL + "postgres", 5432,
                         ["-D", "{d}/data", "-k", "", "-h", "127.0.0.1", "-c", "fsync=off", "-c", "ssl=on",
                          "-c", "ssl_cert_file={d}/cert", "-c", "ssl_key_file={d}/key"],
                         {"secret": "secret\n"}, "mail",
                         goods=(SECRET, "password-file = {d}/secret", SECRET + PROTECTED, SECRET + VERIFIED,
                                SECRET + 'query = "SELECT 40 + 2" expect = "^42$"',
                                SECRET + 'query = "SET work_mem TO 9999"'),
                         wrongs=[("", "denied"), ("password = bad", "denied"), ("user = nosuch\n" + SECRET, "denied"),
                                 ("password-file = /nosuch", "local"), (SECRET + "database = nosuch", "mismatch"),
                                 (SECRET + 'query = "SELECT 41" expect = "^42$"', "mismatch"),
                                 (SECRET + 'query = "SELECT 42 WHERE 1 = 2" expect = "^42$"', "mismatch"),
                                 (SECRET + 'query = "SELECT nosuch"', "mismatch")]
                         + [(SECRET + words, reason) for words, reason in MISTAKEN],
                         prepare=[POSTGRESQL + "initdb", "-D", "{d}/data", "-U", "haven", "-A", "scram-sha-256",
                                  "--pwfile={d}/secret", "--no-sync"], says="'1'"),
    "mysql": Server("/usr/sbin/mariadbd", 3306,
                    ["--no-defaults", "--datadir={d}/data", "--socket={d}/socket", "--bind-address=127.0.0.1",
                     "--skip-name-resolve", "--init-file={d}/users", "--innodb-flush-log-at-trx-commit=0",
                     "--innodb-buffer-pool-size=8M", "--ssl-cert={d}/cert", "--ssl-key={d}/key"],
                    {"secret": "secret\n", "users": MARIADB_USER}, "mail",
                    goods=(SECRET, "password-file = {d}/secret", SECRET + PROTECTED, SECRET + VERIFIED,
                           SECRET + 'query = "SELECT 40 + 2" expect = "^42$"', SECRET + 'query = "DO 1"'),
                    wrongs=[("", "denied"), ("password = bad", "denied"), ("user = nosuch\n" + SECRET, "denied"),
                            ("password-file = /nosuch", "local"), (SECRET + "database = mysql", "denied"),
                            (SECRET + 'query = "SELECT 41" expect = "^42$"', "mismatch"),
                            (SECRET + 'query = "SELECT 42 FROM DUAL WHERE 1 = 2" expect = "^42$"', "mismatch"),
                            (SECRET + 'query = "SELECT nosuch"', "mismatch")]
                    + [(SECRET + words, reason) for words, reason in [UNTRUSTED] + MISTAKEN],
                    prepare=["/usr/bin/mariadb-install-db", "--no-defaults", "--datadir={d}/data",
                             "--auth-root-authentication-method=normal", "--skip-test-db"], says="'1'"),
}


@pytest.fixture
def machine(lab):
    made = lab.add_client("server")
    os.chmod(lab.directory, 0o755)
    os.chmod(made.directory, 0o755)
    # Alone in the world: a server that looks up its client's name is told at once that it cannot.
    for link in made.run("ip", "-o", "link").stdout.splitlines():
        name = link.split()[1].split("@")[0].rstrip(":")
        if name != "lo":
            made.run("ip", "link", "set", name, "down")
    return made


def look(machine, kind, words, timeout="10s"):
    """What one look says."""
    timed = "" if "timeout" in words else "timeout = " + timeout
    text = "%s { interval = 60s  %s\n%s }" % (kind, timed, words)
    done = machine.run(haven_program(), "checks", "--json", "--try", text, check=False, timeout=60)
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


def look_at_all(machine, rows):
    """Of (kind, words, reason[, seconds]): each look has that reason, and took so long at least; all of them at once."""
    with ThreadPoolExecutor(8) as pool:
        seen = list(pool.map(lambda row: look(machine, row[0], row[1], timeout="30s"), rows))
    wrong = [(row, one) for row, one in zip(rows, seen)
             if one["reason"] != row[2] or one["took_us"] < (row[3:] or (0,))[0] * 1000000]
    assert not wrong, "\n".join(map(str, wrong))


def look_until(machine, kind, words, reason, what):
    last = {}

    def seen():
        last.update(look(machine, kind, words))
        return last["reason"] == reason
    wait_for(seen, 60, lambda: "%s: %s" % (what, last))


def family(pid):
    """The process and all below it, as the host numbers them."""
    found = [pid]
    for parent in found:
        try:
            for thread in os.listdir("/proc/%d/task" % parent):
                with open("/proc/%d/task/%s/children" % (parent, thread), encoding="ascii") as f:
                    found += [int(child) for child in f.read().split()]
        except (FileNotFoundError, ProcessLookupError):
            pass  # it has just ended
    return found


def signal_all(pids, number):
    """To those that are still there: a server's children come and go."""
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass


@pytest.mark.parametrize("kind", SERVERS)
def test_a_real_server(machine, kind):
    server = SERVERS[kind]
    if not os.access(server.program, os.X_OK):
        pytest.skip("%s is not installed" % server.program)
    directory = os.path.join(machine.directory, "server")
    for name in ("", "empty", "files", "spool", "mail", "state"):
        path = os.path.join(directory, name)
        os.makedirs(path)
        os.chmod(path, 0o755)
        if server.owner and name in ("", "spool", "mail"):
            os.chown(path, pwd.getpwnam(server.owner).pw_uid, pwd.getpwnam(server.owner).pw_gid)
    for name, text in server.files.items():
        with open(os.path.join(directory, name), "w", encoding="ascii") as f:
            f.write(text.format(d=directory))
    for key, certificate in (("/other-key", "/other"), ("/key", "/cert")):
        machine.run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-subj", "/CN=server", "-addext", "subjectAltName=IP:127.0.0.1",
                    "-keyout", directory + key, "-out", directory + certificate)
    if server.owner:
        os.chown(directory + "/key", pwd.getpwnam(server.owner).pw_uid, 0)
        os.chmod(directory + "/key", 0o600)
    def words_of(words, port=None):
        """As a look wants them, or one by way of the relay."""
        words = words.format(d=directory)
        if port:
            words = re.sub(r"port = \d+", "", words) + "\nport = %d" % port
        return words if "address" in words else "address = 127.0.0.1\n" + words

    good = words_of(server.goods[0])
    command = [server.program] + server.command
    if server.prepare:
        become = ["setpriv", "--reuid=" + server.owner, "--regid=" + server.owner, "--clear-groups"]
        machine.run(*become, *[word.format(d=directory) for word in server.prepare], timeout=120)
        command = become + command

    assert look(machine, kind, good)["reason"] == "refused"
    process = machine.start(kind, *[word.format(d=directory) for word in command])
    look_until(machine, kind, good, "works", kind + " is up")
    if server.says:
        assert look(machine, kind, good)["said"] == server.says
    rows = [(words, "works") for words in server.goods] + server.wrongs
    ports = {words: int((re.findall(r"port = (\d+)", words) or [server.port])[0]) for words, _ in rows}
    slow = machine.start("relay", shutil.which("python3"), relay.__file__, "127.0.0.1",
                         *["%d:%d:%s" % (10000 + port, port, SLOW) for port in set(ports.values())],
                         "%d:%d:%s" % (20000 + server.port, server.port, LATE))
    wait_for(lambda: "ready" in slow.output(), 30, slow.output)
    look_at_all(machine, [(kind, words_of(words), reason) for words, reason in rows] +
                [(kind, words_of(words, 10000 + ports[words]), reason, 0 if reason == "local" else 0.9 * SLOW)
                 for words, reason in rows])
    seen = look(machine, kind, words_of(server.goods[0], 20000 + server.port), timeout="1s")
    assert seen["reason"] == "no-answer" and seen["took_us"] >= 900000, seen

    frozen = family(process.pid)
    signal_all(frozen, signal.SIGSTOP)
    seen = look(machine, kind, good, timeout="700ms")
    assert seen["reason"] in ("no-answer", "no-connection"), seen
    signal_all(frozen, signal.SIGCONT)
    look_until(machine, kind, good, "works", kind + " goes on")

    signal_all(family(process.pid), signal.SIGKILL)
    process.wrapper.wait(30)
    look_until(machine, kind, good, "refused", kind + " is dead")
    machine.start("garbage", shutil.which("python3"), "-c", GARBAGE, server.port)
    look_until(machine, "tcp", "address = 127.0.0.1\nport = %d" % server.port, "works", "something else listens")
    seen = look(machine, kind, good, timeout="1s")
    assert seen["finding"] == "broken", seen


def test_a_trap_is_waited_for_when_it_is_tried(machine):
    words = "group = farm service = http timeout = %s"
    assert look(machine, "trap", words % "300ms")["reason"] == "not-yet"
    with ThreadPoolExecutor(1) as pool:
        seen = pool.submit(look, machine, "trap", words % "30s")

        def heard():
            machine.run("bash", "-c", "printf 'grp=farm\nsvc=http\nsta=3\nsum=full\n' | cat > /dev/udp/127.0.0.1/2583", check=False)
            return seen.done()
        wait_for(heard, 30, "it is heard")
    assert (seen.result()["reason"], seen.result()["detail"], seen.result()["said"]) == ("failed", 3, "full")


NAME_SERVER = """
import socket, struct
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.0.0.1", 53))
known = {(b"up", 1): bytes([127, 0, 0, 1]), (b"both", 1): bytes([127, 0, 0, 1]), (b"both", 28): bytes(15) + b"\\1",
         (b"six", 28): bytes(15) + b"\\1"}
while True:
    question, client = s.recvfrom(4096)
    end = question.index(b"\\0", 12) + 5
    name, kind = question[13:13 + question[12]], struct.unpack(">H", question[end - 4:end - 2])[0]
    if name == b"mute":
        continue
    data = known.get((name, kind))
    code = 0 if name in [n for n, _ in known] else 2 if name == b"broken" else 3
    s.sendto(question[:2] + struct.pack(">HHHHH", 0x8180 | code, 1, 1 if data else 0, 0, 0) + question[12:end] +
             (struct.pack(">HHHIH", 0xc00c, kind, 1, 0, len(data)) + data if data else b""), client)
"""


def test_a_name_is_looked_up_before_each_look(machine):
    """One that stands for an address, and those that fail: each for its own reason, none in the way of others."""
    path = os.path.join(machine.directory, "resolv.conf")
    with open(path, "w", encoding="ascii") as f:
        f.write("nameserver 127.0.0.1\n")
    machine.run("mount", "--bind", path, "/etc/resolv.conf")
    machine.start("garbage", shutil.which("python3"), "-c", GARBAGE, 8080)
    look_until(machine, "tcp", "address = 127.0.0.1 port = 8080", "works", "something listens")
    seen = look(machine, "tcp", "address = up.lab port = 8080", timeout="1s")
    assert (seen["reason"], seen["target"]) == ("no-lookup", "tcp up.lab:8080"), seen
    machine.start("names", shutil.which("python3"), "-c", NAME_SERVER)
    look_until(machine, "tcp", "address = up.lab port = 8080", "works", "names are known")
    look_at_all(machine, [
        ("tcp", "address = both.lab port = 8080 source = 127.0.0.1", "works"),
        ("tcp", "address = six.lab port = 8080", "refused"),
        ("tcp", "address = six.lab port = 8080 source = 127.0.0.1", "name-not-found"),
        ("tcp", "address = gone.lab port = 8080", "name-not-found"),
        ("tcp", "address = broken.lab port = 8080", "no-lookup"),
        ("tcp", "address = localhost port = 8080 source = 127.0.0.1", "works"),
        ("icmp", "address = up.lab", "works"),
        ("dns", "address = up.lab query = both.lab expect = {127.0.0.1}", "works"),
        ("tls", "address = up.lab port = 8080", "tls"),
        ("redis", "address = up.lab port = 8080", "bad-answer"),
        ("postgresql", "address = up.lab port = 8080", "bad-answer"),
        ("smtp", "address = up.lab port = 8080 timeout = 2s", "no-answer"),
        ("tcp", "address = mute.lab port = 8080 timeout = 2s", "no-lookup")])


NAGIOS = "/usr/lib/nagios/plugins/"
MON = "/usr/lib/mon/mon.d/"


def command_words(style, command, extra=""):
    return "style = %s\ncommand = \"%s\"\n%s" % (style, command, extra)


def test_debians_plugins_and_mons_monitors_run_unmodified(machine):
    for program in (NAGIOS + "check_http", MON + "http.monitor", "/usr/sbin/nginx"):
        if not os.access(program, os.X_OK):
            pytest.skip("%s is not installed" % program)
    conf = os.path.join(machine.directory, "nginx.conf")
    with open(conf, "w", encoding="ascii") as f:
        f.write("daemon off; master_process off; pid %s/nginx.pid; error_log stderr; events {}\n"
                "http { access_log off; server { listen 127.0.0.1:8080; location / { return 200 fine; } } }\n"
                % machine.directory)
    dead = [command_words("nagios", NAGIOS + "check_http -H 127.0.0.1 -p 8080"),
            command_words("nagios", NAGIOS + "check_tcp -H 127.0.0.1 -p 8080"),
            command_words("mon", MON + "http.monitor -p 8080", "hosts = {127.0.0.1}"),
            command_words("mon", MON + "tcp.monitor -p 8080", "hosts = {127.0.0.1, localhost}")]
    for words in dead:
        seen = look(machine, "command", words, timeout="30s")
        assert seen["reason"] == "failed", seen
        if "style = mon" in words:
            assert seen["said"].startswith("127.0.0.1"), seen
    web = machine.start("nginx", "/usr/sbin/nginx", "-c", conf)
    look_until(machine, "tcp", "address = 127.0.0.1\nport = 8080", "works", "nginx listens")
    for words in dead:
        seen = look(machine, "command", words, timeout="30s")
        assert seen["reason"] == "works", seen
        if "check_http" in words:
            assert "|time=" in seen["said"], seen
    # of capabilities given by files, these two keep theirs
    for words in (command_words("nagios", NAGIOS + "check_icmp -H 127.0.0.1"),
                  command_words("mon", MON + "fping.monitor", "hosts = {127.0.0.1}")):
        seen = look(machine, "command", words, timeout="30s")
        assert seen["reason"] == "works", seen
    os.kill(web.pid, signal.SIGSTOP)
    seen = look(machine, "command", dead[0], timeout="1s")
    assert seen["reason"] == "unfinished", seen
    os.kill(web.pid, signal.SIGCONT)
