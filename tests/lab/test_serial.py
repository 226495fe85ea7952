"""Nodes that hear each other over a serial line, beside the network or without it."""
import pytest

from lab import SerialCable, now, wait_for

from test_links import link_states, refused


@pytest.fixture
def joined(cluster, lab):
    """joined(...) -> (cluster, cable): alpha and beta with a serial line as their last link, started and well."""
    def make(**named):
        cable = SerialCable(lab, "alpha", "beta")
        c = cluster(arbiter="none", links={n: "serial = %s" % cable.end[n] for n in ("alpha", "beta")}, **named)
        c.start()
        return c, cable

    return make


def serial_state(c, name, at):
    """The state of the line to `name`, as the node `at` sees it."""
    status = c[at].status()
    links = [link for node in status["nodes"] if node["name"] == name for link in node["links"]]
    assert links[-1]["name"].startswith("serial tty-")
    return links[-1]["state"]


def wait_serial(c, state):
    wait_for(lambda: serial_state(c, "beta", "alpha") == serial_state(c, "alpha", "beta") == state, 10,
             "the line is " + state)


def test_a_pair_without_its_network_goes_on_over_the_serial_line(joined, prober):
    c, cable = joined()
    client = prober(c.address)
    client.wait_answer("alpha")
    cut = c.lab.cut_pair(c.machine("alpha"), c.machine("beta"))
    c.wait_status(lambda s: link_states(s, "alpha") + link_states(s, "beta") == ["down", "down", "up"],
                  "the line alone is up")
    wait_for(lambda: now() > cut + 2, 5, "time to pass in which something could move")
    c.wait_well()
    # orders pass too
    c["beta"].haven("move", "web", "beta")
    c.wait_group("web", "beta")
    c["alpha"].haven("move", "web", "alpha")
    c.wait_group("web", "alpha")
    c.lab.heal()
    c.wait_status(lambda s: link_states(s, "alpha") + link_states(s, "beta") == ["up", "up", "up"], "all are up")
    assert all(n["state"] == "online" for n in c["alpha"].status()["nodes"])

    # and now the line alone is cut: that moves nothing either
    cable.cut()
    start = now()
    wait_serial(c, "down")
    cable.mend()
    wait_serial(c, "up")
    c.wait_group("web", "alpha")
    assert c.watcher.none_held(c.address, start, now()) == 0


def test_noise_on_the_line_is_counted_and_passes(joined):
    c, cable = joined(addresses=False)
    start = now()
    before = refused(c, "alpha").get("noise on the line", 0)
    for _ in range(20):
        cable.noise(200)
        at = now()
        wait_for(lambda: now() > at + 0.05, 1, "a moment")
    wait_for(lambda: all(refused(c, n).get("noise on the line", 0) >= before + 5 for n in c.nodes), 5,
             lambda: "counted; now: %s" % refused(c, "alpha"))
    assert all("broken seal" not in refused(c, n) for n in c.nodes), "noise is not taken for forgery"
    wait_serial(c, "up")
    c.wait_well()
    assert c.watcher.none_held(c.address, start, now()) == 0


def test_a_line_unplugged_and_plugged_in_again_comes_back(joined):
    c, cable = joined()
    start = now()
    cable.unplug()
    wait_serial(c, "down")
    c.wait_well()
    cable.plug()
    wait_serial(c, "up")
    c.wait_group("web", "alpha")
    assert c.watcher.none_held(c.address, start, now()) == 0
    assert "sending works again" in c["alpha"].log()


def test_the_serial_line_as_the_only_link_fails_over(joined, prober):
    c, cable = joined(addresses=False)
    client = prober(c.address)
    client.wait_answer("alpha")
    cut = c.lab.cut(c.machine("alpha"))
    cable.cut()
    c.machine("alpha").power_off()
    client.wait_answer("beta")
    end = c.wait_quiet(client, 0.5)
    assert client.longest(cut, end) < 2
