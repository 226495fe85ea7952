"""haven-checker driven as havend's core drives it, and a web server to look at: for the bench of checks."""
import os
import select
import shutil
import socket
import struct
import subprocess
import tempfile
import time

TICK = os.sysconf("SC_CLK_TCK")
UNKNOWN, UP, DOWN = range(3)


def cpu_seconds(pid, children=False):
    """Of a process; with children also of those it has waited for."""
    with open("/proc/%d/stat" % pid, encoding="ascii") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return sum(int(x) for x in fields[11:15 if children else 13]) / TICK


def pss_kib(pid):
    with open("/proc/%d/smaps_rollup" % pid, encoding="ascii") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("Pss:"))


def addresses(n):
    """n different ones of 127.0.0.0/8, which the machine has all."""
    return ["127.%d.%d.%d" % (1 + i // 62500, i // 250 % 250, 1 + i % 250) for i in range(n)]


class Web:
    """nginx on every address of the machine, with one small page."""
    def __init__(self, port=8080):
        self.port, self.process = port, None
        self.directory = tempfile.mkdtemp(prefix="haven-bench-")
        os.chmod(self.directory, 0o755)
        with open(os.path.join(self.directory, "index.html"), "w", encoding="ascii") as f:
            f.write("<h1>welcome</h1>\n")
        with open(os.path.join(self.directory, "nginx.conf"), "w", encoding="ascii") as f:
            f.write("daemon off; master_process off; worker_rlimit_nofile 65536; error_log stderr crit; pid %(d)s/pid;\n"
                    "events { worker_connections 30000; }\nhttp { access_log off; client_body_temp_path %(d)s/b;\n"
                    "proxy_temp_path %(d)s/p; fastcgi_temp_path %(d)s/f; uwsgi_temp_path %(d)s/u;\n"
                    "scgi_temp_path %(d)s/s; server { listen *:%(p)d backlog=8192; root %(d)s;\n"
                    "location = /count { stub_status; } } }\n" % {"d": self.directory, "p": port})
        self.start()

    def start(self):
        self.process = subprocess.Popen(["nginx", "-p", self.directory, "-c", self.directory + "/nginx.conf"])
        end = time.monotonic() + 10
        while time.monotonic() < end:
            try:
                return self.count()
            except OSError:
                time.sleep(0.02)
        raise TimeoutError("nginx does not answer")

    def count(self):
        """Requests answered so far."""
        with socket.create_connection(("127.0.0.1", self.port), 5) as s:
            s.sendall(b"GET /count HTTP/1.0\r\n\r\n")
            text = b"".join(iter(lambda: s.recv(4096), b""))
        return int(text.split(b"requests\n")[1].split()[2])

    def kill(self):
        self.process.kill()
        self.process.wait()

    def close(self):
        self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)


def part(data):
    return struct.pack(">H", len(data)) + data


def words(of):
    """As src/config/check.h has it: of each word its name, how many values, and each of them."""
    out = b""
    for name, values in of.items():
        values = values if isinstance(values, list) else [values]
        out += bytes([len(name)]) + name.encode() + bytes([len(values)])
        out += b"".join(part(value.encode()) for value in values)
    return part(out)


RHYTHM = {"interval": "1s", "quick": "1s", "timeout": "1s", "fall": "3", "rise": "2"}


def http_check(address, port):
    return "http", {"url": "http://%s:%d/" % (address, port), "method": "GET", "status": ["200-399"], "redirect": "stay",
                    "version": "1.1", "verify": "no"}


def icmp_check(address, _port):
    return "icmp", {"address": address, "packets": "1", "loss": "0", "rtt": "0s", "size": "56"}


class Checker:
    """The process, the newest report of each check: (when it came, state, reason), and how many are in each state."""
    def __init__(self, program):
        self.socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        fd = theirs.fileno()
        self.process = subprocess.Popen([program], preexec_fn=lambda: os.dup2(fd, 3), close_fds=False)
        theirs.close()
        self.reports, self.count, self.poll = {}, [0, 0, 0], select.poll()
        self.poll.register(self.socket, select.POLLIN)

    def start(self, number, kind, of):
        unknown = bytes([UNKNOWN]) + struct.pack(">QQBB", 1, 0, 0, 0)
        nothing = struct.pack(">BIQQIBH", 0, 0, 0, 0, 0, 0, 0)  # was seen before, and no failures are counted
        self.socket.send(bytes([1]) + struct.pack(">II", number, number) + unknown + nothing + words(RHYTHM) +
                         bytes([len(kind)]) + kind.encode() + words(of))

    def listen(self, seconds, until=lambda: False):
        end = time.monotonic() + seconds
        while not until():
            left = end - time.monotonic()
            if left < -0.5 or not self.poll.poll(max(0, left) * 1e3):  # what has come already is read, within limits
                return
            data = self.socket.recv(8192)
            if not data:
                raise EOFError("haven-checker ended")
            if data[0] == 3:
                number, = struct.unpack(">I", data[1:5])
                if number in self.reports:
                    self.count[self.reports[number][1]] -= 1
                self.reports[number] = (time.monotonic(), data[9], data[28])
                self.count[data[9]] += 1

    def close(self):
        self.socket.close()
        self.process.wait(10)
