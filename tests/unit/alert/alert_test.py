"""haven-alert against servers on the loopback: what arrives, and what is said when it does not."""
import base64
import http.server
import json
import os
import shutil
import socket
import ssl
import subprocess
import threading

import pytest

PROGRAM = os.environ["HAVEN_ALERT"]


def tell(message, **more):
    """Exit status and what it says, for a message with these members."""
    whole = {"kind": "mail", "to": ["ops@example.org"], "from": "", "server": "", "tls": "try", "user": "", "url": "",
             "header": [], "secret_file": "", "ca": "", "timeout_ms": 20000, "cluster": "shop", "id": "00ff",
             "subject": "[shop] down: web", "body": "one\n.two\n", "message": {"alerts": [], "id": "00ff"},
             **message, **more}
    done = subprocess.run([PROGRAM], input=json.dumps(whole), capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr == ""
    return done.returncode, done.stdout.strip()


class Mail(threading.Thread):
    """A mail server for one test. `certificate`: it offers STARTTLS, and a login behind it."""

    def __init__(self, certificate=None, refuse=(), code="250 taken"):
        super().__init__(daemon=True)
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = "smtp://localhost:%d" % self.socket.getsockname()[1]
        self.certificate, self.refuse, self.code = certificate, refuse, code
        self.mails, self.rcpt, self.login, self.sealed = [], [], None, False
        self.start()

    def run(self):
        while True:
            connection = self.socket.accept()[0]
            try:
                self.serve(connection)
            except (OSError, ValueError):
                pass
            finally:
                connection.close()

    def serve(self, connection):
        stream = connection.makefile("rwb")

        def say(line):
            stream.write(line.encode() + b"\r\n")
            stream.flush()

        say("220 mail.example.org")
        rcpt, sealed = [], False
        while True:
            line = stream.readline().decode().strip()
            word = line.upper().split(" ")[0]
            if word == "EHLO":
                extra = "250 AUTH PLAIN" if sealed else "250-STARTTLS" if self.certificate else ""
                for each in ["250-mail.example.org", extra if extra.startswith("250-") else "", "250 SIZE 1000000"
                             if not extra.startswith("250 ") else extra]:
                    if each:
                        say(each)
            elif word == "STARTTLS":
                say("220 go")
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(self.certificate)
                connection = context.wrap_socket(connection, server_side=True)
                stream = connection.makefile("rwb")
                sealed = True
            elif word == "AUTH":
                self.login = base64.b64decode(line.split(" ")[2]).decode().split("\0")[1:] if line.count(" ") > 1 else None
                if self.login is None:
                    say("334 ")
                    self.login = base64.b64decode(stream.readline()).decode().split("\0")[1:]
                say("235 welcome")
            elif word == "MAIL":
                rcpt = []
                say("250 ok")
            elif word == "RCPT":
                refused = any(name in line for name in self.refuse)
                say("550 nobody here" if refused else "250 ok")
                rcpt += [] if refused else [line.split(":", 1)[1].strip()]
            elif word == "DATA":
                if not rcpt:
                    say("554 to whom?")
                    continue
                say("354 go on")
                lines = []
                while (part := stream.readline()) != b".\r\n":
                    lines.append(part.decode()[1:] if part.startswith(b"..") else part.decode())
                if self.code.startswith("250"):
                    self.mails.append("".join(lines))
                    self.rcpt, self.sealed = rcpt, sealed
                say(self.code)
            elif word in ("QUIT", ""):
                say("221 bye")
                return
            else:
                say("250 ok")


@pytest.fixture
def certificate(tmp_path):
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed")
    path = str(tmp_path / "server.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", path + ".key", "-out",
                    path + ".crt", "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"],
                   check=True, capture_output=True)
    with open(path, "w", encoding="ascii") as whole:
        for part in (path + ".key", path + ".crt"):
            with open(part, encoding="ascii") as f:
                whole.write(f.read())
    return path


def test_a_mail_arrives_as_it_was_meant():
    server = Mail()
    assert tell({"server": server.url, "to": ["ops@example.org", "Night Shift <night@example.org>"],
                 "subject": "[shop] gestört: web", "from": "haven@example.org"}) == (0, "")
    head, body = server.mails[0].split("\r\n\r\n", 1)
    assert server.rcpt == ["<ops@example.org>", "<night@example.org>"]
    assert "From: haven@example.org\r\n" in head and "To: ops@example.org,\r\n Night Shift <night@example.org>\r\n" in head
    assert "Message-ID: <haven.00ff@shop>\r\n" in head and "Auto-Submitted: auto-generated\r\n" in head
    assert "Subject: =?UTF-8?B?%s?=" % base64.b64encode("[shop] gestört: web".encode()).decode() in head
    assert body == "one\r\n.two\r\n"


def test_a_line_break_makes_no_header():
    server = Mail()
    assert tell({"server": server.url, "subject": "x\r\nBcc: all@example.org"})[0] == 0
    assert "\r\nBcc" not in server.mails[0]


def test_a_login_goes_over_tls_to_whom_it_is_meant_for(certificate, tmp_path):
    secret = tmp_path / "password"
    secret.write_text("s3cret\n")
    os.chmod(tmp_path, 0o755)
    server = Mail(certificate)
    wanted = {"server": server.url, "tls": "require", "user": "haven", "secret_file": str(secret)}
    status, said = tell(wanted)  # its certificate is nobody's
    assert status == 1 and "certificate" in said
    assert server.login is None and server.mails == []
    assert tell(wanted, ca=certificate + ".crt") == (0, "")
    assert server.login == ["haven", "s3cret"] and server.sealed


def test_without_tls_where_it_is_required_nothing_is_said(tmp_path):
    secret = tmp_path / "password"
    secret.write_text("s3cret\n")
    server = Mail()
    status, _ = tell({"server": server.url, "tls": "require", "user": "haven", "secret_file": str(secret)})
    assert status == 1 and server.login is None and server.mails == []


def test_one_address_that_is_refused_does_not_keep_the_others():
    server = Mail(refuse=("gone@",))
    status, said = tell({"server": server.url, "to": ["gone@example.org", "ops@example.org"]})
    assert status == 0 and "not all of its addresses were taken" in said
    assert server.rcpt == ["<ops@example.org>"] and len(server.mails) == 1


@pytest.mark.parametrize("code", ["451 later", "554 never"])
def test_what_is_not_taken_is_not_told(code):
    server = Mail(code=code)
    status, said = tell({"server": server.url})
    assert status == 1 and code.split()[0] in said and said.startswith(server.url)


def test_nobody_listens():
    with socket.create_server(("127.0.0.1", 0)) as s:
        port = s.getsockname()[1]
    status, said = tell({"server": "smtp://127.0.0.1:%d" % port})
    assert status == 1 and "Failed to connect" in said


def test_a_server_that_says_nothing_is_left_in_time():
    with socket.create_server(("127.0.0.1", 0)) as s:
        status, said = tell({"server": "smtp://127.0.0.1:%d" % s.getsockname()[1], "timeout_ms": 300})
    assert status == 1 and "timed out" in said


class Hook(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.seen.append((dict(self.headers), json.loads(body)))
        self.send_response(self.server.status)
        self.end_headers()
        try:
            self.wfile.write(b"x" * 1000000)
        except OSError:
            pass

    def log_message(self, *_):
        pass


@pytest.fixture
def hook():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    server.seen, server.status = [], 200
    threading.Thread(target=server.serve_forever, daemon=True).start()
    server.url = "http://127.0.0.1:%d/hook" % server.server_port
    yield server
    server.shutdown()
    server.server_close()


def test_a_webhook_gets_its_json_and_its_headers(hook, tmp_path):
    token = tmp_path / "token"
    token.write_text("abc\n")
    hook.status = 204
    message = {"cluster": "shop", "id": "00ff", "alerts": [{"alert": "down", "subject": "web"}]}
    assert tell({"kind": "webhook", "url": hook.url, "header": ["X-Team: ops"], "secret_file": str(token),
                 "message": message}) == (0, "")
    headers, body = hook.seen[0]
    assert body == message and headers["X-Team"] == "ops" and headers["Authorization"] == "Bearer abc"
    assert headers["Content-Type"] == "application/json"


def test_a_webhook_that_refuses_was_not_told(hook):
    hook.status = 503
    status, said = tell({"kind": "webhook", "url": hook.url})
    assert status == 1 and said == hook.url + ": status 503, wanted 200-299"


def test_what_is_no_message_is_refused():
    done = subprocess.run([PROGRAM], input="hello", capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1 and "no JSON" in done.stdout


def test_a_secret_that_cannot_be_read_is_said():
    status, said = tell({"server": "smtp://localhost:1", "secret_file": "/nonexistent"})
    assert status == 1 and said == "/nonexistent: No such file or directory"
