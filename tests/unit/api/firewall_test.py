"""The firewall's rules: their text, and with root what they let through between namespaces.

Two namespaces, node and others, joined by a veth pair. `others` holds a peer's addresses and a stranger's,
and sends from the one or the other."""
import os
import shutil
import socket
import subprocess
import threading

import pytest

RULES = os.environ["HAVEN_RULES"]
GOLDEN = os.environ["HAVEN_GOLDEN"]
NODE, OTHERS = f"hvfw{os.getpid()}n", f"hvfw{os.getpid()}o"
PEER4, STRANGER4, PEER6, STRANGER6 = "10.94.1.2", "10.94.1.66", "fd94::2", "fd94::66"


def rules(*arguments):
    return subprocess.run([RULES, *arguments], check=True, capture_output=True, text=True).stdout


def test_the_rules_read_as_they_should():
    with open(os.path.join(GOLDEN, "firewall.nft")) as golden:
        assert rules("0") == golden.read()


def run(*command, **more):
    return subprocess.run(command, check=True, capture_output=True, text=True, **more).stdout


def inside(namespace, what):
    """Runs what() in a thread of this process that has moved into the namespace."""
    result = []

    def body():
        fd = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
        import ctypes
        if ctypes.CDLL(None, use_errno=True).setns(fd, 0x40000000) != 0:
            raise OSError(ctypes.get_errno(), "setns")
        os.close(fd)
        result.append(what())

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    return result[0]


@pytest.fixture
def wire():
    if os.geteuid() != 0:
        pytest.skip("needs root, for namespaces")
    if not shutil.which("nft") or not shutil.which("ip"):
        pytest.skip("needs nft and ip")
    try:
        run("ip", "netns", "add", NODE)
        run("ip", "netns", "add", OTHERS)
        run("ip", "link", "add", "v0", "netns", NODE, "type", "veth", "peer", "name", "v0", "netns", OTHERS)
        for namespace, addresses in (
                (NODE, ["10.94.1.1/24", "10.94.1.100/24", "fd94::1/64", "fd94::100/64"]),
                (OTHERS, [PEER4 + "/24", STRANGER4 + "/24", PEER6 + "/64", STRANGER6 + "/64"])):
            for address in addresses:
                run("ip", "-n", namespace, "addr", "add", address, "dev", "v0", "nodad")
            run("ip", "-n", namespace, "link", "set", "lo", "up")
            run("ip", "-n", namespace, "link", "set", "v0", "up")
        yield
    finally:
        for namespace in (NODE, OTHERS):
            subprocess.run(["ip", "netns", "del", namespace], capture_output=True)


def load(text):
    run("ip", "netns", "exec", NODE, "nft", "-f", "-", input=text)


def udp_passes(source, target, port=694):
    """Whether a datagram gets through. A second one, which nothing filters, marks the end of the wait."""
    family = socket.AF_INET6 if ":" in source else socket.AF_INET
    any_address = "::" if ":" in source else "0.0.0.0"

    def bound(namespace, address, number):
        def make():
            s = socket.socket(family, socket.SOCK_DGRAM)
            s.bind((address, number))
            s.settimeout(5)
            return s
        return inside(namespace, make)

    receiver, mark = bound(NODE, any_address, port), bound(NODE, any_address, 6940)
    sender = bound(OTHERS, source, 0)
    sender.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    try:
        sender.sendto(b"x", (target, port))
        sender.sendto(b"end", (target, 6940))
        assert mark.recv(16) == b"end"
        receiver.setblocking(False)
        try:
            return receiver.recv(16) == b"x"
        except BlockingIOError:
            return False
    finally:
        for s in (receiver, mark, sender):
            s.close()


def ping_passes(source, target):
    return subprocess.run(["ip", "netns", "exec", OTHERS, "ping", "-n", "-c", "1", "-W", "1", "-I", source, target],
                          capture_output=True).returncode == 0


def test_only_the_clusters_nodes_reach_the_heartbeat(wire):
    assert udp_passes(STRANGER4, "10.94.1.1") and udp_passes(STRANGER6, "fd94::1")  # the test itself works
    load(rules("0"))
    assert udp_passes(PEER4, "10.94.1.1") and udp_passes(PEER6, "fd94::1")
    assert not udp_passes(STRANGER4, "10.94.1.1") and not udp_passes(STRANGER6, "fd94::1")


def test_what_is_told_to_all_is_the_clusters_too(wire):
    assert udp_passes(STRANGER4, "10.94.1.255")
    load(rules("0", "groups"))
    assert udp_passes(PEER4, "10.94.1.255") and not udp_passes(STRANGER4, "10.94.1.255")
    assert udp_passes(STRANGER4, "10.94.1.255", 695)
    text = rules("0", "groups")
    assert "239.255.6.94" in text and "ff12::694" in text
    assert "239.255.6.94" not in rules("0")


def test_other_ports_and_other_addresses_are_left_alone(wire):
    load(rules("0"))
    assert udp_passes(STRANGER4, "10.94.1.1", 695) and udp_passes(STRANGER6, "fd94::1", 695)
    assert udp_passes(STRANGER4, "10.94.1.100") and udp_passes(STRANGER6, "fd94::100")


def test_only_the_clusters_nodes_may_ping_the_links(wire):
    if not shutil.which("ping"):
        pytest.skip("needs ping")
    load(rules("0"))
    assert ping_passes(PEER4, "10.94.1.1") and ping_passes(PEER6, "fd94::1")
    assert not ping_passes(STRANGER4, "10.94.1.1") and not ping_passes(STRANGER6, "fd94::1")
    assert ping_passes(STRANGER4, "10.94.1.100") and ping_passes(STRANGER6, "fd94::100")


def test_neighbours_are_still_found_after_their_entries_are_gone(wire):
    load(rules("0"))
    for namespace in (NODE, OTHERS):
        run("ip", "-n", namespace, "neigh", "flush", "all")
    assert udp_passes(STRANGER6, "fd94::1", 695) and udp_passes(PEER6, "fd94::1")


def test_the_node_still_gets_answers_to_its_own_pings(wire):
    if not shutil.which("ping"):
        pytest.skip("needs ping")
    load(rules("0"))
    for source, target in (("10.94.1.1", STRANGER4), ("fd94::1", STRANGER6)):
        run("ip", "netns", "exec", NODE, "ping", "-n", "-c", "1", "-W", "2", "-I", source, target)


def test_loading_again_replaces_the_table_and_nothing_else(wire):
    load("table inet mine {\n chain c {\n type filter hook input priority 0; policy accept;\n }\n}\n")
    load(rules("0"))
    once = run("ip", "netns", "exec", NODE, "nft", "list", "ruleset")
    load(rules("0"))
    assert run("ip", "netns", "exec", NODE, "nft", "list", "ruleset") == once
    load(rules("alone"))
    load(rules("remove"))
    load(rules("remove"))
    assert run("ip", "netns", "exec", NODE, "nft", "list", "tables").split() == ["table", "inet", "mine"]
