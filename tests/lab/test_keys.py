"""The cluster's key is changed while everything runs: `haven reload` reads the key file again."""
import os
import re

from lab import now, wait_for
from lab.haven import haven_program, run
from lab.witness import Witness


class Keys:
    """Two keys, and who has which of them in its file: the first seals, all are accepted."""

    def __init__(self, c):
        self.c = c
        self.path = {}
        with open(c.key_path, encoding="utf-8") as f:
            self.line = {1: f.read()}
        fresh = os.path.join(c.lab.directory, "fresh.key")
        run(haven_program(), "keygen", fresh)
        with open(fresh, encoding="utf-8") as f:
            self.line[2] = re.sub(r"(?m)^\d+ ", "2 ", f.read())

    @staticmethod
    def for_node(c):
        """A file of its own for each node."""
        for name in c.nodes:
            c.configure(name, c.text.replace(c.key_path, c.key_path + "." + name))

    def give(self, name, *numbers):
        path = self.c.key_path + "." + name
        with open(path, "w", encoding="utf-8") as f:
            f.write("".join(self.line[n] for n in numbers))
        os.chmod(path, 0o600)
        return path


def with_keys(c):
    """c, to be started, and its keys, a file for each node."""
    run(haven_program(), "keygen", c.key_path)
    keys = Keys(c)
    Keys.for_node(c)
    for name in c.nodes:
        keys.give(name, 1)
    return keys


def epochs(c):
    return {g["name"]: (g["node"], g["epoch"]) for g in c.running()[0].status()["groups"]}


STEPS = ((1, 2), (2, 1), (2,))


def change(c, keys, after_step=lambda numbers: None):
    """As the page says: the new one as the second, then they change places, then the old one goes."""
    for numbers in STEPS:
        for name, node in c.nodes.items():
            keys.give(name, *numbers)
            done = node.haven("reload").stdout
            assert "key %d seals now" % numbers[0] in done, done
            c.wait_well()
        after_step(numbers)


def nothing_was_lost(c, begin):
    for node in c.running():
        assert not [e for e in node.events() if e["kind"] == "node-down"], node.events()
        assert "are refused" not in node.log()
    assert c.watcher.none_held(c.address, begin, now()) == 0


def test_the_key_of_a_running_pair_is_changed_and_nobody_is_missed(cluster, prober):
    c = cluster(arbiter="none", service="process")
    keys = with_keys(c)
    c.start()
    client = prober(c.address)
    client.wait_answer()
    begin, held = c.wait_quiet(client, 0.3), epochs(c)
    change(c, keys)
    end = c.wait_quiet(client, 1)
    assert epochs(c) == held and client.during(begin, end) == []
    nothing_was_lost(c, begin)
    assert "no difference" in c["alpha"].haven("reload").stdout

    # a file that is no key changes nothing
    with open(c.key_path + ".alpha", "w", encoding="utf-8") as f:
        f.write("2 not hexadecimal\n")
    refused = c["alpha"].haven("reload", check=False)
    assert refused.returncode == 1 and "nothing was changed" in refused.stderr, refused
    c.wait_well()

    # and the former one is nobody's any more
    c["beta"].stop()
    keys.give("beta", 1)
    c["beta"].start()
    wait_for(lambda: "unknown key" in c["alpha"].log(), 10, "the former key to be refused")


def test_the_vote_on_a_disk_outlives_the_key(cluster):
    c = cluster(arbiter="none")
    path = os.path.join(c.lab.directory, "arbiter.disk")
    c.text = c.text.replace("arbiter none\n", "") + "arbiter disk { device = %s  link = yes }\n" % path
    keys = with_keys(c)
    run(haven_program(), "disk", "init", path, "-c", c.config_path("alpha"))
    c.start()
    c.wait_status(lambda s: s["quorum"]["survives"].startswith("one more"), "all votes are there")
    # both have written on it
    for dead, other in (("alpha", "beta"), ("beta", "alpha")):
        c.power_cut(dead)
        c.wait_group("web", other, names=[other])
        c.power_on(dead)
        c.wait_well()

    def written_again(numbers):
        if numbers == (2, 1):
            begin = now()
            wait_for(lambda: now() > begin + 1, 5, "a few looks at the disk")

    change(c, keys, written_again)
    owner = c.owner()
    other = next(n for n in c.nodes if n != owner)
    cut = c.power_cut(owner)
    c.wait_group("web", other, names=[other])
    assert c.watcher.both_held(c.address, cut, now()) == 0


def test_a_witness_follows_by_a_restart(cluster, lab):
    witness = Witness(lab)
    c = cluster(arbiter=witness.arbiter())
    keys = with_keys(c)
    witness.serve("lab", keys.give("witness", 1))
    witness.start()
    c.start()
    c.wait_status(lambda s: s["quorum"]["survives"].startswith("one more"), "all votes are there")

    def restart(numbers):
        keys.give("witness", *numbers)
        witness.kill()
        witness.start()
        c.wait_status(lambda s: s["quorum"]["survives"].startswith("one more"), "it answers")

    begin = now()
    for numbers in STEPS:
        if numbers == (1, 2):
            restart(numbers)  # it accepts the new one before anybody asks with it
        for name, node in c.nodes.items():
            keys.give(name, *numbers)
            node.haven("reload")
        c.wait_status(lambda s: s["quorum"]["survives"].startswith("one more"), "all votes are there")
        if numbers != (1, 2):
            restart(numbers)
    nothing_was_lost(c, begin)
    owner = c.owner()
    other = next(n for n in c.nodes if n != owner)
    c.power_cut(owner)
    c.wait_group("web", other, names=[other])


