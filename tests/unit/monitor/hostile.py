"""Servers that misbehave, one per port; prints 'NAME PORT' lines, then 'ready'. Ends on EOF of standard input."""
import os
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import time
import zlib


def quietly(f, c):
    try:
        f(c)
    except OSError:
        pass
    finally:
        c.close()


def ask(c):
    c.recv(4096)


def silent(c):  # takes the request and never answers
    while c.recv(4096):
        pass


def drip(c):  # a byte of the body now and then, for ever
    ask(c)
    c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while True:
        c.sendall(b"x")
        time.sleep(0.05)


def headers(c):  # header lines without end
    ask(c)
    c.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:
        c.sendall(b"X-More: " + b"y" * 1000 + b"\r\n")


def body(c):  # a body without end
    ask(c)
    c.sendall(b"HTTP/1.1 200 OK\r\n\r\nthe beginning ")
    while True:
        c.sendall(b"z" * 65536)


def reset(c):
    ask(c)
    c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def closed(c):
    ask(c)


def short(c):  # promises more than it sends
    ask(c)
    c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nonly this")


def noise(c):
    ask(c)
    c.sendall(b"220 smtp.example.org ESMTP\r\n" * 3)


def status(c):
    ask(c)
    c.sendall(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")


def redirect(c):
    ask(c)
    c.sendall(b"HTTP/1.1 302 Go\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n")


SQUEEZED = zlib.compress(b" " * (1 << 26), wbits=31)


def bomb(c):  # a GiB of blanks in a MiB, not asked for
    ask(c)
    c.sendall(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + SQUEEZED * 16)


def chunks(c):  # chunks without end, each with an extension as long as it is allowed to be
    ask(c)
    c.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        c.sendall(b"1;" + b"e" * 1000 + b"\r\nx\r\n")


def hundreds(c):  # 100 Continue without end
    ask(c)
    while True:
        c.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" * 100)


def hello(c):  # the begin of a TLS record, and no more
    ask(c)
    c.sendall(b"\x16\x03\x03\x40\x00")
    silent(c)


def records(c):  # TLS records without end, none of which is a server's hello
    ask(c)
    while True:
        c.sendall(b"\x16\x03\x03\x01\x00" + b"\xff" * 256)


def said(kind, body):  # a message of PostgreSQL's protocol
    return kind + struct.pack(">i", len(body) + 4) + body


def rounds(c):  # a login that would take hours of processor time (RFC 5802)
    ask(c)
    c.sendall(said(b"R", struct.pack(">i", 10) + b"SCRAM-SHA-256\0\0"))
    nonce = c.recv(4096).partition(b"r=")[2]
    c.sendall(said(b"R", struct.pack(">i", 11) + b"r=" + nonce + b"x,s=QSXCR+Q6sek8bf92,i=2000000000"))
    silent(c)


def row(c):  # a row of a GiB
    ask(c)
    c.sendall(said(b"R", struct.pack(">i", 0)) + said(b"Z", b"I"))
    ask(c)
    c.sendall(said(b"T", struct.pack(">h", 1) + b"a\0" + struct.pack(">ihihih", 0, 0, 25, -1, -1, 0)))
    c.sendall(b"D" + struct.pack(">ihi", 1 << 30, 1, (1 << 30) - 10))
    while True:
        c.sendall(b"z" * 65536)


def certificate(directory, name, begin, end):
    """A self-signed one for localhost from begin to end, by openssl(1): file names of it and its key."""
    path = os.path.join(directory, name)
    with open(path + ".conf", "w", encoding="ascii") as f:
        f.write("[ca]\ndefault_ca = a\n[a]\ndatabase = %s.db\nserial = %s.serial\nnew_certs_dir = %s\n"
                "default_md = sha256\npolicy = p\nx509_extensions = x\n[p]\ncommonName = supplied\n"
                "[x]\nsubjectAltName = DNS:localhost\n[req]\ndistinguished_name = d\n[d]\n" % (path, path, directory))
    open(path + ".db", "w", encoding="ascii").close()
    with open(path + ".serial", "w", encoding="ascii") as f:
        f.write("01")
    for command in (["req", "-new", "-config", path + ".conf", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                     "-nodes", "-keyout", path + ".key", "-out", path + ".csr", "-subj", "/CN=localhost"],
                    ["ca", "-config", path + ".conf", "-batch", "-notext", "-selfsign", "-keyfile", path + ".key", "-in",
                     path + ".csr", "-out", path + ".pem", "-startdate", begin, "-enddate", end]):
        subprocess.run(["openssl", *command], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
    return path + ".pem", path + ".key"


def secure(directory, name, begin, end):
    """A function for serve() that speaks TLS with such a certificate, and HTTP in it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate(directory, name, begin, end))

    def talk(c):
        try:
            with context.wrap_socket(c, server_side=True) as s:
                s.recv(4096)
                s.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nsafe")
        except ssl.SSLError:
            pass

    talk.__name__ = name
    return talk


def answer(question, code, records):
    """A DNS message (RFC 1035): the question again, and records of (type, data)."""
    head = question[:2] + struct.pack(">HHHHH", 0x8400 | code, 1, len(records), 0, 0)
    end = question.index(b"\0", 12) + 5
    return head + question[12:end] + b"".join(
        struct.pack(">HHHIH", 0xC00C, kind, 1, 60, len(data)) + data for kind, data in records)


def names(s):  # a name server: what it says depends on the first letter of the name
    other = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    while True:
        question, client = s.recvfrom(512)
        kind, = struct.unpack(">H", question[question.index(b"\0", 12) + 1:][:2])
        data = {1: b"\x0a\0\0\x07", 15: b"\0\x0a\4mail\xc0\x0c", 16: b"\5hello", 6: b"\0\0" + bytes([0, 0, 0, 42]) * 5}
        good = answer(question, 0, [(kind, data.get(kind, b""))])
        first = chr(question[13])
        if first == "g":
            s.sendto(good, client)
        elif first == "n":
            s.sendto(answer(question, 3, []), client)
        elif first == "f":
            s.sendto(answer(question, 2, []), client)
        elif first == "e":
            s.sendto(answer(question, 0, []), client)
        elif first == "b":
            s.sendto(good[:-3], client)
        elif first == "l":  # who was not asked answers
            other.sendto(good, client)


def serve(s, f):
    while True:
        c, _ = s.accept()
        threading.Thread(target=quietly, args=(f, c), daemon=True).start()


directory = tempfile.TemporaryDirectory()
valid = secure(directory.name, "valid", "20200101000000Z", "20991231235959Z")
ended = secure(directory.name, "ended", "20200101000000Z", "20200201000000Z")

for f in (silent, drip, headers, body, reset, closed, short, noise, status, redirect, bomb, chunks, hundreds, hello,
          records, rounds, row, valid, ended):
    s = socket.create_server(("127.0.0.1", 0), backlog=64)
    threading.Thread(target=serve, args=(s, f), daemon=True).start()
    print(f.__name__, s.getsockname()[1])
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.0.0.1", 0))
threading.Thread(target=names, args=(s,), daemon=True).start()
print("names", s.getsockname()[1])
s = socket.create_server(("127.0.0.1", 0))  # nobody listens here any more
print("gone", s.getsockname()[1])
s.close()
print("ready", 0, flush=True)
sys.stdin.read()
