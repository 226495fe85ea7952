"""Servers that misbehave, one per port; prints 'NAME PORT' lines, then 'ready'. Ends on EOF of standard input."""
import socket
import struct
import sys
import threading
import time


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


def serve(s, f):
    while True:
        c, _ = s.accept()
        threading.Thread(target=quietly, args=(f, c), daemon=True).start()


for f in (silent, drip, headers, body, reset, closed, short, noise, status, redirect):
    s = socket.create_server(("127.0.0.1", 0), backlog=64)
    threading.Thread(target=serve, args=(s, f), daemon=True).start()
    print(f.__name__, s.getsockname()[1])
s = socket.create_server(("127.0.0.1", 0))  # nobody listens here any more
print("gone", s.getsockname()[1])
s.close()
print("ready", 0, flush=True)
sys.stdin.read()
